import Costate
import Foundation
import TestSupport
import Testing

/// Euclidean norm.
private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

@Suite("Forward kinematics against Pinocchio")
struct PinocchioTests {
  /// Where each of the file's joints stands in our vectors.
  static func addresses(of reference: PinocchioReference, in model: Model) throws -> [Int] {
    try reference.joints.map { name in
      try #require(model.joints.first { $0.name == name }, "no joint \(name)").velocityAddress
    }
  }

  /// A row in our order from one in the file's.
  static func row(_ values: [Double], _ addresses: [Int], count: Int) -> [Double] {
    var row = [Double](repeating: 0, count: count)
    for (value, address) in zip(values, addresses) { row[address] = value }
    return row
  }

  @Test("Poses of links", arguments: PinocchioReference.files)
  func poses(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let reference = try file.decode(PinocchioReference.self)
    let addresses = try Self.addresses(of: reference, in: model)
    #expect(addresses.count == model.velocityCount)
    let names = Set(model.bodies.map(\.name))
    let kept = reference.links.indices.filter { names.contains(reference.links[$0]) }
    #expect(kept.count >= reference.links.count - 1)
    let kinematics = try ForwardKinematics<Double>(model, frameNames: kept.map { reference.links[$0] })
    for state in reference.states {
      let q = Self.row(state.position, addresses, count: model.positionCount)
      let expected = kept.flatMap { state.poses[($0 * 12)..<($0 * 12 + 12)] }
      #expect(relativeError(try kinematics.poses(at: q, format: .matrix3x4), expected) < 1e-12)
    }
  }

  @Test("Jacobians and their time derivatives, in three conventions", arguments: PinocchioReference.files)
  func jacobians(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let reference = try file.decode(PinocchioReference.self)
    let addresses = try Self.addresses(of: reference, in: model)
    let width = model.velocityCount
    func columns(_ flat: [Double]) -> [Double] {
      (0..<6).flatMap { r in
        Self.row(Array(flat[(r * width)..<((r + 1) * width)]), addresses, count: width)
      }
    }
    for state in reference.states {
      let q = Self.row(state.position, addresses, count: width)
      let v = Self.row(state.velocity, addresses, count: width)
      for entry in state.jacobians {
        let kinematics = try ForwardKinematics<Double>(model, frameNames: [entry.link])
        let expected: [(JacobianReference, [Double], [Double])] = [
          (.world, entry.world, entry.world_rate), (.local, entry.local, entry.local_rate),
          (.worldAligned, entry.world_aligned, entry.world_aligned_rate),
        ]
        for (frame, jacobian, rate) in expected {
          #expect(relativeError(try kinematics.jacobians(at: q, reference: frame), columns(jacobian)) < 1e-12)
          let actual = try kinematics.jacobianRates(at: q, velocities: v, reference: frame)
          // Some rates vanish but for rounding, so that the size is the Jacobian's where that is larger.
          let size = max(norm(rate), norm(jacobian))
          let error = norm(zip(actual, columns(rate)).map { $0 - $1 })
          #expect(error <= 1e-12 * size, "\(frame)")
        }
      }
    }
  }
}
