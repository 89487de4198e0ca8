import BenchmarkSupport
import Costate
import Foundation

/// One model's line: the worst errors over the states, and which state has each.
struct ConformanceTable {
  static let header =
    "  model                                states  touching   qacc     efc_force  force      dist       pos        frame"

  private(set) var text: String
  private(set) var conforms = true

  init(_ name: String, _ path: String, peer: Peer, count: String, seed: String) throws {
    text = "  " + name + String(repeating: " ", count: max(1, 38 - name.count))
    let file = "\(NSTemporaryDirectory())costate-states-\(ProcessInfo.processInfo.processIdentifier)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let simulator: Simulator<Double>
    do {
      simulator = try Simulator<Double>(Model.load(path: path))
    } catch {
      text += "not simulated: \("\(error)".split(separator: "\n").last ?? "")"
      return
    }
    _ = try peer.run([path, file, count, seed])
    let states = try StateFile(file).states
    var worst = [Worst](repeating: Worst(), count: 6)
    var different: [Int] = []
    var touching = 0
    for (index, state) in states.enumerated() {
      let found = try simulator.evaluate(
        BatchState(
          worldCount: 1, positions: state.positions, velocities: state.velocities,
          activations: state.activations),
        inputs: state.controls.isEmpty
          ? SimulationInputs()
          : SimulationInputs(controls: InputSequence(values: state.controls, worldCount: 1)))
      if !state.contacts.isEmpty { touching += 1 }
      worst[0].add(relativeError(found.acceleration, state.accelerations), index)
      worst[1].add(relativeError(found.constraintRows.map(\.force), state.rowForces), index)
      guard found.contacts.count == state.contacts.count,
        zip(found.contacts, state.contacts).allSatisfy({ $0.geom1 == $1.geom1 && $0.geom2 == $1.geom2 })
      else {
        different.append(index)
        continue
      }
      worst[2].add(
        relativeError(
          found.contacts.flatMap { ($0.force + [0, 0, 0, 0, 0]).prefix(6) }, state.contacts.flatMap(\.force)),
        index)
      worst[3].add(relativeError(found.contacts.map(\.distance), state.contacts.map(\.distance)), index)
      worst[4].add(
        relativeError(found.contacts.flatMap(\.position.array), state.contacts.flatMap(\.position)), index)
      worst[5].add(
        relativeError(
          found.contacts.flatMap { $0.frame.column0.array + $0.frame.column1.array + $0.frame.column2.array },
          state.contacts.flatMap(\.frame)), index)
    }
    text += String(format: "%5d  %7d   ", states.count, touching)
    text += worst.map { String(format: "%.1e", $0.error) }.joined(separator: "    ")
    if !different.isEmpty { text += "    other contacts in states \(different)" }
    let misses = Set(worst.filter { !($0.error < 1e-7) }.map(\.state)).sorted()
    if !misses.isEmpty { text += "    MISSED in states \(misses)" }
    conforms = misses.isEmpty && different.isEmpty
  }

  private struct Worst {
    var error = 0.0
    var state = -1
    mutating func add(_ value: Double, _ index: Int) {
      if !(value <= error) { (error, state) = (value, index) }
    }
  }
}

/// `|actual - expected| / |expected|`; the absolute error where everything expected is zero.
private func relativeError(_ actual: [Double], _ expected: [Double]) -> Double {
  guard actual.count == expected.count else { return .infinity }
  let difference = zip(actual, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let size = expected.reduce(0) { $0 + $1 * $1 }
  return size == 0 ? difference.squareRoot() : (difference / size).squareRoot()
}
