import Foundation
import Kinematics
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

@Suite struct ConstraintRowsTests {
  static let files = ReferenceFile.all(in: .module, folder: "constraints")

  /// All rows in MuJoCo's order, in states with contacts and beyond limits.
  @Test(arguments: files)
  func agreesWithMuJoCo(_ file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let problem = try ConstraintRowsProblem<Double>(model)
    for (index, state) in try file.decode(ConstraintRowsReference.self).states.enumerated() {
      problem.assemble([(state.qpos, state.qvel)])
      let report = ConstraintReport(problem.assembler, lane: 0)
      let expected = state.expected
      #expect(report.rows.map(\.type.rawValue) == expected.map { Int($0[0]) }, "state \(index)")
      guard report.rows.count == expected.count else { continue }
      let nv = model.velocityCount
      let signs = rotationSigns(report, state, nv)
      for (r, row) in report.rows.enumerated() {
        let comment: Comment = "state \(index), row \(r), type \(row.type), id \(row.id)"
        let theirs = expected[r]
        let jacobian = state.jacobian[r * nv..<(r + 1) * nv].map { signs[r] * $0 }
        #expect(jacobianError(row.jacobian, jacobian) < 1e-9, comment)
        #expect(abs(row.position - signs[r] * theirs[1]) < 1e-10, comment)
        #expect(abs(row.margin - theirs[2]) < 1e-15, comment)
        let size = max(1, abs(theirs[3]))
        #expect(abs(row.reference - signs[r] * theirs[3]) < 1e-9 * size, comment)
        #expect(abs(row.weight - theirs[4]) < 1e-9 * theirs[4], comment)
        #expect(row.frictionLoss == theirs[5], comment)
      }
    }
  }

  /// A quaternion and its opposite are the same rotation; the rotational rows of welds may be negated together.
  private func rotationSigns(
    _ report: ConstraintReport, _ state: ConstraintRowsReference.State, _ nv: Int
  ) -> [Double] {
    var signs = [Double](repeating: 1, count: report.rows.count)
    var start = 0
    while start < report.rows.count, report.rows[start].type == .equality {
      let id = report.rows[start].id
      let end = report.rows[start...].firstIndex { $0.type != .equality || $0.id != id } ?? report.rows.count
      if end - start == 6 {
        let mine = report.rows[start + 3..<end].flatMap(\.jacobian)
        let theirs = state.jacobian[(start + 3) * nv..<end * nv]
        if zip(mine, theirs).reduce(0, { $0 + $1.0 * $1.1 }) < 0 {
          for r in start + 3..<end { signs[r] = -1 }
        }
      }
      start = end
    }
    return signs
  }

  /// Worlds with different contacts and limits in one group have the rows that each has alone.
  @Test(arguments: files)
  func lanesAgreeWithOneWorld(_ file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let states = try file.decode(ConstraintRowsReference.self).states.map { (qpos: $0.qpos, qvel: $0.qvel) }
    try compareLanes(SIMD8<Double>.self, model, states, tolerance: 1e-11)
    try compareLanes(SIMD16<Float>.self, model, states, tolerance: 2e-3)
  }

  private func compareLanes<L: Lane>(
    _ type: L.Type, _ model: Model, _ states: [(qpos: [Double], qvel: [Double])], tolerance: Double
  ) throws where L.Scalar: LaneScalar {
    let group = try ConstraintRowsProblem<L>(model)
    let single = try ConstraintRowsProblem<Double>(model)
    // Twice, so that slots are reused; in another order first.
    group.assemble(states.reversed())
    group.assemble(states)
    for lane in 0..<L.laneCount {
      let state = states[lane % states.count]
      single.assemble([state])
      let expected = ConstraintReport(single.assembler, lane: 0)
      let actual = ConstraintReport(group.assembler, lane: lane)
      if L.Scalar.self == Float.self, actual.rows.map(\.type) != expected.rows.map(\.type) {
        // A contact or limit at its very margin, or one of several equal axes.
        #expect(hasAmbiguity(single.assembler, expected), "lane \(lane)")
        continue
      }
      #expect(actual.rows.map(\.type) == expected.rows.map(\.type), "lane \(lane)")
      #expect(actual.contacts.map(\.candidate) == expected.contacts.map(\.candidate))
      guard actual.rows.count == expected.rows.count else { continue }
      for (mine, theirs) in zip(actual.rows, expected.rows) {
        if L.Scalar.self == Float.self, hasNoDirection(single.assembler, expected, theirs) { continue }
        #expect(jacobianError(mine.jacobian, theirs.jacobian) < tolerance, "lane \(lane), row \(theirs)")
        #expect(abs(mine.position - theirs.position) < tolerance)
        #expect(abs(mine.reference - theirs.reference) < tolerance * max(1, abs(theirs.reference)))
        #expect(abs(mine.weight - theirs.weight) < tolerance * theirs.weight)
        #expect(abs(mine.frictionLoss - theirs.frictionLoss) <= 1e-6 * theirs.frictionLoss)
      }
    }
  }

  /// Relative to the row, or to 1 where it is smaller: rows that nothing moves are rounding.
  private func jacobianError(_ actual: [Double], _ expected: [Double]) -> Double {
    let difference = zip(actual, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    return difference / max(1, expected.reduce(0) { $0 + $1 * $1 }.squareRoot())
  }

  /// Whether two capsules' axes meet, so that rounding decides where the normal points.
  private func hasNoDirection(
    _ assembler: ConstraintAssembler<Double>, _ report: ConstraintReport, _ row: ConstraintReport.Row
  ) -> Bool {
    guard row.type.rawValue >= ConstraintRowType.frictionlessContact.rawValue else { return false }
    let contact = report.contacts[row.id]
    let collision = assembler.plan.collision
    let candidate = collision.candidates[contact.candidate]
    guard candidate.kind == .capsuleCapsule else { return false }
    let radii =
      collision.geoms[Int(candidate.geom1)].size.x + collision.geoms[Int(candidate.geom2)].size.x
    return contact.distance + radii < 1e-4
  }

  /// Whether rounding in single precision may choose other contacts.
  private func hasAmbiguity(_ assembler: ConstraintAssembler<Double>, _ report: ConstraintReport) -> Bool {
    report.contacts.contains { contact in
      let kind = assembler.plan.collision.candidates[contact.candidate].kind
      return kind == .boxBox || kind == .convex || kind == .planeBox || abs(contact.distance) < 1e-5
    }
  }
}
