import Foundation
import Lanes
import Testing

@testable import RigidBody

/// Constrained accelerations of MuJoCo (see Tools/write_constraint_solver_fixtures.py).
struct ConstraintSolverReference: Decodable {
  var cases: [Case]

  struct Case: Decodable {
    var elliptic: Bool
    var scale: Double
    var parents: [Int]
    var mass: [Double]
    var smooth_acceleration: [Double]
    var smooth_force: [Double]
    var warm_start: [Double]
    var unit: Unit
    var sparse: Sparse
    var contacts: [Contact]
    var acceleration: [Double]
    var constraint_force: [Double]
    var mujoco_iterations: Int

    struct Unit: Decodable {
      var dof: [Int]
      var sign: [Double]
      var kind: [Int]
      var reference: [Double]
      var weight: [Double]
      var limit: [Double]
      var force: [Double]
    }
    struct Sparse: Decodable {
      var counts: [Int]
      var support: [Int]
      var jacobian: [Double]
      var kind: [Int]
      var reference: [Double]
      var weight: [Double]
      var limit: [Double]
      var force: [Double]
    }
    struct Contact: Decodable {
      var dimension: Int
      var support: [Int]
      var jacobian: [Double]
      var reference: [Double]
      var weight: [Double]
      var friction: [Double]
      var force: [Double]
    }

    var problem: ConstraintProblem {
      var problem = ConstraintProblem(
        isElliptic: elliptic, parents: parents, mass: mass, smoothAcceleration: smooth_acceleration,
        smoothForce: smooth_force, warmStart: warm_start, scale: scale)
      let kinds: [RowKind] = [.equality, .friction, .limit]
      for i in unit.dof.indices {
        problem.rows.append(
          .init(
            support: [unit.dof[i]], jacobian: [unit.sign[i]], kind: kinds[unit.kind[i]],
            reference: unit.reference[i], weight: unit.weight[i], limit: unit.limit[i]))
      }
      var start = 0
      for i in sparse.counts.indices {
        let range = start..<start + sparse.counts[i]
        problem.rows.append(
          .init(
            support: Array(sparse.support[range]), jacobian: Array(sparse.jacobian[range]),
            kind: kinds[sparse.kind[i]], reference: sparse.reference[i], weight: sparse.weight[i],
            limit: sparse.limit[i]))
        start = range.upperBound
      }
      problem.contacts = contacts.map {
        .init(
          dimension: $0.dimension, support: $0.support, jacobian: $0.jacobian, reference: $0.reference,
          weight: $0.weight, friction: $0.friction)
      }
      return problem
    }
  }

  static let names: [String] = {
    let folder = Bundle.module.resourceURL!.appending(path: "Fixtures/constraint_solver")
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }()

  static func load(_ name: String) throws -> [Case] {
    let url = Bundle.module.resourceURL!.appending(path: "Fixtures/constraint_solver/\(name).json")
    return try JSONDecoder().decode(Self.self, from: Data(contentsOf: url)).cases
  }

  static func options(
    _ scale: Double, tolerance: Double, method: ConstraintSolverOptions.Method = .newton
  ) -> ConstraintSolverOptions {
    var options = ConstraintSolverOptions()
    options.method = method
    options.tolerance = tolerance
    options.costScale = scale
    return options
  }
}

@Suite struct ConstraintSolverReferenceTests {
  @Test(arguments: ConstraintSolverReference.names)
  func agreesWithMuJoCo(_ name: String) throws {
    for reference in try ConstraintSolverReference.load(name) {
      let lanes = ConstraintLanes<Double>(
        [reference.problem], options: ConstraintSolverReference.options(reference.scale, tolerance: 1e-14))
      lanes.solve()
      expect(lanes.outcome(), reference, tolerance: 1e-9)
      // The policy of a simulation: stops at 1e-8, after one more step.
      let loose = ConstraintLanes<Double>(
        [reference.problem], options: ConstraintSolverReference.options(reference.scale, tolerance: 1e-8))
      loose.solve()
      expect(loose.outcome(), reference, tolerance: 1e-7)
      #expect(loose.outcome().iterations <= reference.mujoco_iterations + 3)
    }
  }

  /// The cases of a file in the lanes of one group.
  @Test(arguments: ConstraintSolverReference.names)
  func lanesAreIndependent(_ name: String) throws {
    let references = try ConstraintSolverReference.load(name)
    let lanes = ConstraintLanes<SIMD8<Double>>(
      references.map(\.problem),
      options: ConstraintSolverReference.options(references[0].scale, tolerance: 1e-14))
    lanes.solve()
    for lane in 0..<8 { expect(lanes.outcome(lane), references[lane % references.count], tolerance: 1e-9) }
  }

  @Test(arguments: ConstraintSolverReference.names)
  func singlePrecision(_ name: String) throws {
    let references = try ConstraintSolverReference.load(name)
    let lanes = ConstraintLanes<SIMD16<Float>>(
      references.map(\.problem),
      options: ConstraintSolverReference.options(references[0].scale, tolerance: 1e-6))
    lanes.solve()
    for lane in 0..<16 { expect(lanes.outcome(lane), references[lane % references.count], tolerance: 2e-3) }
  }

  @Test(arguments: ConstraintSolverReference.names)
  func conjugateGradients(_ name: String) throws {
    for reference in try ConstraintSolverReference.load(name) {
      var options = ConstraintSolverReference.options(
        reference.scale, tolerance: 1e-12, method: .conjugateGradient)
      options.iterationLimit = 5000
      options.finishesByNewton = false
      let lanes = ConstraintLanes<Double>([reference.problem], options: options)
      lanes.solve()
      expect(lanes.outcome(), reference, tolerance: 1e-4)
      // A few iterations, then Newton's method.
      options.iterationLimit = 30
      options.finishesByNewton = true
      let finished = ConstraintLanes<Double>([reference.problem], options: options)
      finished.solve()
      expect(finished.outcome(), reference, tolerance: 1e-6)
    }
  }

  private func expect(
    _ outcome: ConstraintOutcome, _ reference: ConstraintSolverReference.Case, tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == .converged, sourceLocation: sourceLocation)
    var worst = relativeDistance(outcome.acceleration, reference.acceleration)
    worst = max(worst, relativeDistance(outcome.constraintForce, reference.constraint_force))
    let scale = reference.contacts.flatMap(\.force).map(abs).max() ?? 1
    let expectedRows = reference.unit.force + reference.sparse.force
    if !expectedRows.isEmpty {
      worst = max(worst, relativeDistance(outcome.rowForces, expectedRows, floor: scale))
    }
    for (force, contact) in zip(outcome.contactForces, reference.contacts) {
      worst = max(worst, relativeDistance(force, contact.force, floor: 1e-3 * scale))
    }
    #expect(worst < tolerance, "\(worst) after \(outcome.iterations)", sourceLocation: sourceLocation)
  }
}
