import BenchmarkSupport
import Foundation

/// States and MuJoCo's results, as Peers/mujoco_states.c writes them.
struct StateFile {
  struct State {
    var positions: [Double]
    var velocities: [Double]
    var activations: [Double]
    var controls: [Double]
    var accelerations: [Double]
    var rowForces: [Double]
    var contacts: [Contact]
  }

  struct Contact {
    var geom1: Int
    var geom2: Int
    var distance: Double
    var position: [Double]
    /// Row-major: normal and two tangents.
    var frame: [Double]
    var force: [Double]
  }

  private(set) var states: [State] = []

  init(_ path: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    var offset = 0
    func read<T>(_ type: T.Type, _ count: Int) throws -> [T] {
      let size = count * MemoryLayout<T>.stride
      guard count >= 0, offset + size <= data.count else { throw BenchmarkError("\(path): truncated") }
      defer { offset += size }
      return data.withUnsafeBytes { bytes in
        (0..<count).map {
          bytes.loadUnaligned(fromByteOffset: offset + $0 * MemoryLayout<T>.stride, as: T.self)
        }
      }
    }
    func integer() throws -> Int { Int(try read(Int64.self, 1)[0]) }
    func numbers(_ count: Int) throws -> [Double] { try read(Double.self, count) }
    let (count, nq, nv, na, nu) = (try integer(), try integer(), try integer(), try integer(), try integer())
    for _ in 0..<count {
      let (q, v, a, u) = (try numbers(nq), try numbers(nv), try numbers(na), try numbers(nu))
      let accelerations = try numbers(nv)
      let forces = try numbers(try integer())
      let contacts = try (0..<(try integer())).map { _ in
        Contact(
          geom1: try integer(), geom2: try integer(), distance: try numbers(1)[0], position: try numbers(3),
          frame: try numbers(9), force: try numbers(6))
      }
      states.append(
        State(
          positions: q, velocities: v, activations: a, controls: u, accelerations: accelerations,
          rowForces: forces, contacts: contacts))
    }
  }
}
