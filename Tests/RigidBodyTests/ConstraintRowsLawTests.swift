import Foundation
import Kinematics
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

@Suite struct ConstraintRowsLawTests {
  /// The contacts are those of the detector that exert force, in its order.
  @Test(arguments: ReferenceFile.all(in: .module, folder: "contacts/models"))
  func contactsAreTheDetectors(_ file: ReferenceFile) throws {
    struct States: Decodable {
      struct State: Decodable { var qpos: [Double] }
      var states: [State]
    }
    var model = try file.decode(ReferenceModel.self).load()
    model.options.disabled.insert(.limit)
    let problem = try ConstraintRowsProblem<Double>(model)
    let group = try ConstraintRowsProblem<SIMD8<Double>>(model)
    let detector = ContactDetector(problem.plan.collision)
    let states = try file.decode(States.self).states.map { (qpos: $0.qpos, qvel: zeros(model.velocityCount)) }
    group.assemble(states)
    var contacts: [Contact] = []
    for (lane, state) in states.enumerated() {
      try detector.detectContacts(GeomPose<Double>.all(model, state.qpos), into: &contacts)
      let expected = contacts.filter {
        let candidate = problem.plan.collision.candidates[Int($0.candidate)]
        return $0.distance < problem.plan.collision.parameters[Int(candidate.parameters)].margin
      }
      problem.assemble([state])
      for report in [
        ConstraintReport(problem.assembler, lane: 0), ConstraintReport(group.assembler, lane: lane),
      ] {
        #expect(report.contacts.map(\.candidate) == expected.map { Int($0.candidate) })
        #expect(report.contacts.map(\.number) == expected.map { Int($0.number) })
        for (mine, theirs) in zip(report.contacts, expected) {
          #expect(abs(mine.distance - theirs.distance) < 1e-9)
          #expect((mine.position - theirs.position).norm < 1e-7)
          #expect((mine.frame.column0 - theirs.frame.column0).norm < 1e-6)
        }
      }
    }
  }

  private func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }

  /// A gripper whose second finger mimics the first, and a hinge that mimics another: one degree of freedom moves both
  /// bodies of a contact.
  private static let gripper = """
    <robot name="gripper">
      <link name="base"/>
      <link name="palm"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
      <link name="left"><inertial><mass value="0.2"/><inertia ixx="0.001" iyy="0.001" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial>
        <collision><origin xyz="0 0 0.1"/><geometry><sphere radius="0.06"/></geometry></collision></link>
      <link name="right"><inertial><mass value="0.2"/><inertia ixx="0.001" iyy="0.001" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial>
        <collision><origin xyz="0 0 0.1"/><geometry><sphere radius="0.05"/></geometry></collision></link>
      <link name="tip"><inertial><mass value="0.1"/><inertia ixx="0.001" iyy="0.001" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial>
        <collision><origin xyz="0 0.02 0"/><geometry><sphere radius="0.04"/></geometry></collision></link>
      <joint name="wrist" type="revolute"><parent link="base"/><child link="palm"/><axis xyz="0 1 0.2"/>
        <limit lower="-0.5" upper="0.5" effort="1" velocity="1"/></joint>
      <joint name="finger" type="prismatic"><parent link="palm"/><child link="left"/><origin xyz="-0.06 0 0"/><axis xyz="1 0 0.1"/>
        <limit lower="0" upper="0.05" effort="1" velocity="1"/></joint>
      <joint name="other" type="prismatic"><parent link="palm"/><child link="right"/><origin xyz="0.06 0 0"/><axis xyz="-1 0 0"/>
        <mimic joint="finger" multiplier="0.8" offset="0.002"/><limit lower="0" upper="0.03" effort="1" velocity="1"/></joint>
      <joint name="knuckle" type="revolute"><parent link="right"/><child link="tip"/><origin xyz="0 0 0.12"/><axis xyz="1 0 0"/>
        <mimic joint="wrist" multiplier="-1.5" offset="0.1"/><limit lower="-0.3" upper="0.3" effort="1" velocity="1"/></joint>
    </robot>
    """

  /// J v is the rate of the position, with mimic joints too.
  @Test(arguments: 0..<8) func ratesOfMimicJoints(_ seed: Int) throws {
    let model = try Model(urdf: Self.gripper, name: "gripper.urdf")
    #expect(model.velocityCount == 2)
    let problem = try ConstraintRowsProblem<Double>(model)
    let positions = [0.5 * (seed & 1 == 0 ? 1.02 : -1.01), 0.021 + 0.0051 * Double(seed)]
    let velocities = [0.7 - 0.3 * Double(seed), 0.4]
    func rows(_ time: Double) -> [ConstraintReport.Row] {
      problem.assemble([(zip(positions, velocities).map { $0 + time * $1 }, velocities)])
      let report = ConstraintReport(problem.assembler, lane: 0)
      // One row of each contact: the mean of two edges is the normal.
      let normals = report.contacts.map { contact in
        var row = report.rows[contact.rows.lowerBound]
        let edge = report.rows[contact.rows.lowerBound + 1]
        row.jacobian = zip(row.jacobian, edge.jacobian).map { 0.5 * ($0 + $1) }
        return row
      }
      return report.rows.filter { $0.type == .jointLimit } + normals
    }
    let middle = rows(0)
    #expect(middle.contains { $0.type == .pyramidalContact })
    #expect(middle.contains { $0.type == .jointLimit && model.joints[$0.id].mimic != nil })
    let step = 1e-5
    let (before, after) = (rows(-step), rows(step))
    for (k, row) in middle.enumerated() {
      let rate = (after[k].position - before[k].position) / (2 * step)
      let expected = zip(row.jacobian, velocities).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(rate - expected) < 1e-8 * max(1, abs(expected)), "row \(row)")
      #expect(abs(expected) > 1e-3)
    }
  }

  /// The relative velocity of a contact's bodies is J v in all directions of the frame, whatever joints they share.
  @Test func onlyJointsThatAreNotSharedMoveAContact() throws {
    let model = try Model(urdf: Self.gripper, name: "gripper.urdf")
    let problem = try ConstraintRowsProblem<Double>(model)
    problem.assemble([([0.1, 0.04], [1, 0])])
    let report = ConstraintReport(problem.assembler, lane: 0)
    let fingers = report.contacts.filter { contact in
      let candidate = problem.plan.contacts.candidates[contact.candidate]
      return candidate.link1 + candidate.link2 == 5
    }
    #expect(!fingers.isEmpty)
    for contact in fingers {
      // The wrist moves both fingers alike.
      for row in report.rows[contact.rows] { #expect(row.jacobian[0] == 0 && row.jacobian[1] != 0) }
    }
  }

  /// Lanes in which different pairs of the gripper's links touch have what each world has alone.
  @Test func mimicJointsInLanes() throws {
    let model = try Model(urdf: Self.gripper, name: "gripper.urdf")
    var states: [(qpos: [Double], qvel: [Double])] = []
    for k in 0..<8 {
      let part = Double(k)
      states.append((qpos: [0.6 - 0.15 * part, 0.006 * part], qvel: [0.3 * part - 1, 0.5]))
    }
    let group = try ConstraintRowsProblem<SIMD8<Double>>(model)
    let single = try ConstraintRowsProblem<Double>(model)
    group.assemble(states)
    var counts: Set<Int> = []
    for (lane, state) in states.enumerated() {
      single.assemble([state])
      let expected = ConstraintReport(single.assembler, lane: 0)
      let actual = ConstraintReport(group.assembler, lane: lane)
      counts.insert(expected.contacts.count)
      #expect(actual.rows.map(\.type) == expected.rows.map(\.type))
      for (mine, theirs) in zip(actual.rows, expected.rows) {
        #expect(relativeError(mine.jacobian, theirs.jacobian) < 1e-12)
        #expect(abs(mine.reference - theirs.reference) < 1e-12 * max(1, abs(theirs.reference)))
        #expect(abs(mine.weight - theirs.weight) < 1e-12 * theirs.weight)
      }
    }
    #expect(counts.count > 1)
  }

  /// Forces of pyramids' edges have the same effect as the force in the contact's frame.
  @Test func forcesOfEdges() throws {
    let file = try #require(
      ConstraintRowsTests.files.first { $0.testDescription == "variant_contacts_pyramidal" })
    let model = try file.decode(ReferenceModel.self).load()
    let state = try file.decode(ConstraintRowsReference.self).states[0]
    let problem = try ConstraintRowsProblem<Double>(model)
    problem.assemble([(state.qpos, state.qvel)])
    let system = problem.assembler.system
    let n = model.velocityCount
    var random = SeededRandom(seed: 7)
    var acceleration = random.uniform(-20, 20, count: n)
    var contactForce = [Double](repeating: 0, count: 6 * system.slotCount)
    var expected = [Double](repeating: 0, count: n)
    for slot in 0..<system.slotCount {
      let layout = system.slots[slot]
      let (size, count) = (Int(layout.dimension), Int(layout.supportCount))
      func entry(_ d: Int, _ k: Int) -> Double {
        system.contactJacobian[Int(layout.jacobianStart) + d * count + k]
      }
      func dof(_ k: Int) -> Int { Int(system.contactSupport[Int(layout.supportStart) + k]) }
      let y = (0..<size).map { d in
        (0..<count).reduce(-system.contactReference[6 * slot + d]) {
          $0 + entry(d, $1) * acceleration[dof($1)]
        }
      }
      let weight = system.contactWeight[6 * slot]
      if size == 1 { contactForce[6 * slot] = max(0, -weight * y[0]) }
      for d in 1..<size {
        let friction = system.contactFriction[6 * slot + d]
        for sign in [1.0, -1.0] {
          let force = max(0, -weight * (y[0] + sign * friction * y[d]))
          contactForce[6 * slot] += force
          contactForce[6 * slot + d] += sign * friction * force
        }
      }
      for d in 0..<size {
        for k in 0..<count { expected[dof(k)] += entry(d, k) * contactForce[6 * slot + d] }
      }
    }
    var (unit, sparse, total) = ([0.0], [0.0], [Double](repeating: 0, count: n))
    unit = [Double](repeating: 0, count: problem.plan.unitRows.count + 1)
    sparse = [Double](repeating: 0, count: problem.plan.pattern.sparseRows.count + 1)
    let report = acceleration.withUnsafeMutableBufferPointer { a in
      contactForce.withUnsafeMutableBufferPointer { f in
        unit.withUnsafeMutableBufferPointer { u in
          sparse.withUnsafeMutableBufferPointer { s in
            total.withUnsafeMutableBufferPointer { t in
              ConstraintReport(
                problem.assembler, lane: 0,
                solution: ConstraintSolution(
                  acceleration: a.baseAddress!, constraintForce: t.baseAddress!, unitForce: u.baseAddress!,
                  sparseForce: s.baseAddress!, contactForce: f.baseAddress!))
            }
          }
        }
      }
    }
    var actual = [Double](repeating: 0, count: n)
    for row in report.rows { for k in 0..<n { actual[k] += row.jacobian[k] * row.force } }
    #expect(relativeError(actual, expected) < 1e-12)
    #expect(report.contacts.allSatisfy { $0.force.count == $0.dimension })
    #expect(report.contacts.contains { $0.force[0] > 0 })
  }

  /// A world that is not finite changes no other world, and leaves nothing behind.
  @Test(arguments: ["variant_contacts_pyramidal", "variant_pile", "variant_all_rows"])
  func worldsAreIndependent(_ name: String) throws {
    let file = try #require(ConstraintRowsTests.files.first { $0.testDescription == name })
    let model = try file.decode(ReferenceModel.self).load()
    let states = try file.decode(ConstraintRowsReference.self).states.map { (qpos: $0.qpos, qvel: $0.qvel) }
    let group = try ConstraintRowsProblem<SIMD8<Double>>(model)
    let eight = (0..<8).map { states[$0 % states.count] }
    func numbers(_ lane: Int) -> [[Double]] {
      ConstraintReport(group.assembler, lane: lane).rows.map { $0.jacobian + [$0.reference, $0.weight] }
    }
    group.assemble(eight)
    let expected = (0..<8).map { numbers($0) }
    var broken = eight
    broken[3].qpos = [Double](repeating: .nan, count: model.positionCount)
    broken[5].qvel = [Double](repeating: .infinity, count: model.velocityCount)
    group.assemble(broken)
    for lane in 0..<8 where lane != 3 && lane != 5 {
      #expect(numbers(lane) == expected[lane], "lane \(lane)")
    }
    group.assemble(eight)
    for lane in 0..<8 { #expect(numbers(lane) == expected[lane], "lane \(lane)") }
    let system = group.assembler.system
    for k in 0..<6 * system.slotCount {
      #expect((system.contactReference[k] - system.contactReference[k]) == SIMD8(repeating: 0))
      #expect((system.contactWeight[k] - system.contactWeight[k]) == SIMD8(repeating: 0))
    }
  }

  /// The slope of the impedance is its derivative, on both sides of the margin.
  @Test(arguments: [
    [0.5, 0.95, 0.2, 0.5, 2], [0.9, 0.4, 0.1, 0.3, 3], [0.6, 0.99, 0.3, 0.7, 1], [0.2, 0.9, 0.5, 0.4, 1.7],
    [0.8, 0.8, 0.1, 0.5, 2], [0.7, 0.9, 0, 0.5, 2],
  ])
  func slopeOfTheImpedance(_ solverImpedance: [Double]) {
    var curve = KernelImpedance<Double>(solverImpedance)
    func at(_ distance: Double) -> RowImpedance<Double> {
      withUnsafePointer(to: &curve) { impedance($0, at: distance) }
    }
    let isConstant = solverImpedance[0] == solverImpedance[1] || solverImpedance[2] == 0
    for fraction in [0.05, 0.2, 0.45, 0.6, 0.8, 0.97, 1.5] {
      for sign in [1.0, -1.0] {
        let distance = sign * fraction * max(solverImpedance[2], 0.1)
        let step = 1e-6 * max(solverImpedance[2], 0.1)
        let here = at(distance)
        let difference = (at(distance + step).value - at(distance - step).value) / (2 * step)
        #expect(abs(here.slope - difference) < 1e-6 * max(1, abs(difference)))
        #expect(abs(here.value + here.complement - 1) < 1e-15)
        if !isConstant && fraction < 1 { #expect(abs(here.slope) > 1e-3) }
      }
    }
    let expectedEnd = isConstant ? 0.5 * (solverImpedance[0] + solverImpedance[1]) : solverImpedance[1]
    #expect(abs(at(10).value - expectedEnd) < 1e-15)
    #expect(abs(at(0).value - (isConstant ? expectedEnd : solverImpedance[0])) < 1e-15)
  }

  /// What is not supported is refused by name.
  @Test(arguments: ["limited=\"true\" range=\"0 1\"", "frictionloss=\"0.1\""])
  func wrappedTendonsAreRefused(_ attributes: String) throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><site name="a"/><body><joint axis="0 1 0"/><geom name="g" size="0.1" contype="0"/>
        <site name="b" pos="0 0 1"/></body></worldbody><tendon><spatial name="rope" \(attributes)><site site="a"/>
        <geom geom="g"/><site site="b"/></spatial></tendon></mujoco>
        """, name: "rope.xml")
    let error = #expect(throws: RigidBodyError.self) {
      try ConstraintPlan<Double>(model, tree: KinematicTree(model))
    }
    #expect(error?.description.contains("'rope'") == true)
    var straight = model
    straight.tendons[0].path.remove(at: 1)
    #expect(try !ConstraintPlan<Double>(straight, tree: KinematicTree(straight)).isEmpty)
    var disabled = model
    disabled.options.disabled.formUnion([.limit, .frictionLoss])
    #expect(try ConstraintPlan<Double>(disabled, tree: KinematicTree(disabled)).isEmpty)
  }
}
