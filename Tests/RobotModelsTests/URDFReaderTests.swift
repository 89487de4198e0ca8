import Foundation
import Lanes
import Testing

@testable import RobotModels

/// Poses and inertias as Pinocchio has them.
private func compare(_ specification: ModelSpecification, with expected: URDFFixtureCase) {
  let worldIsLink = expected.links["world"] != nil
  for (values, key) in [([:], \URDFFixtureCase.Placements.zero), (expected.joints, \.moved)] {
    let placements = specification.placements(values, worldIsLink: worldIsLink)
    #expect(placements.count == expected.links.count)
    for (name, link) in expected.links {
      let row = placements[name]?.row ?? []
      let error = zip(row, link[keyPath: key]).map { abs($0 - $1) }.max() ?? .infinity
      #expect(error <= 1e-12, "link \(name): \(row) is not \(link[keyPath: key])")
    }
  }

  // What moves with a joint: its body and those without joints below.
  let placements = specification.placements([:], worldIsLink: worldIsLink)
  var sums: [String: SummedInertia] = ["universe": SummedInertia()]
  var carriers: [Int] = []
  for (index, body) in specification.bodies.enumerated() {
    carriers.append(index == 0 || !body.joints.isEmpty ? index : carriers[body.parent])
    guard let inertial = body.inertial, let placement = placements[body.name] else { continue }
    let carrier = specification.bodies[carriers[index]]
    let frame = carriers[index] == 0 ? Placement() : placements[carrier.name]!
    let name = carrier.joints.first.map { $0.name.replacing("_TX", with: "") } ?? "universe"
    sums[name, default: SummedInertia()].add(inertial, at: frame.inverse * placement)
  }
  for (joint, inertia) in expected.inertias {
    guard let sum = sums[joint] else {
      #expect(inertia.mass == 0, "joint \(joint) moves nothing")
      continue
    }
    #expect(abs(sum.mass - inertia.mass) <= 1e-12 * inertia.mass, "mass of \(joint)")
    let centerError = zip(sum.center.array, inertia.center).map { abs($0 - $1) }.max()!
    #expect(inertia.mass == 0 || centerError <= 1e-12, "center of \(joint)")
    let size = inertia.inertia.map(abs).max()!
    let error = zip(sum.inertia.rowMajor, inertia.inertia).map { abs($0 - $1) }.max()!
    // Summed about the joint, then moved to the centre: the rounding is that of the larger.
    let scale = max(size, sum.second.rowMajor.map(abs).max()!)
    #expect(error <= 1e-12 * scale, "inertia of \(joint): \(sum.inertia.rowMajor) is not \(inertia.inertia)")
  }
  #expect(specification.bodies.reduce(0.0) { $0 + ($1.inertial?.mass ?? 0) } > 0)
}

@Suite struct URDFPinocchioTests {
  @Test(arguments: URDFFixture.shared.robots.indices)
  func robotEqualsPinocchio(index: Int) throws {
    let expected = URDFFixture.shared.robots[index]
    compare(try urdf(expected.text!), with: expected)
  }

  @Test(.enabled(if: sharedModels != nil), arguments: URDFFixture.shared.files.indices)
  func fileEqualsPinocchio(index: Int) throws {
    let expected = URDFFixture.shared.files[index]
    let tree = try XMLTree(contentsOf: sharedModels! + "/" + expected.file!)
    compare(try URDFReader.read(document: tree, options: ModelReadingOptions()), with: expected)
  }

  @Test(.enabled(if: sharedModels != nil))
  func everyFileLoads() throws {
    let folder = sharedModels! + "/urdf"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".urdf") }
    #expect(files.count == URDFFixture.shared.files.count)
    for file in files {
      let model = try Model.load(path: folder + "/" + file)
      #expect(model.bodies.count > 1)
    }
  }

  @Test(.enabled(if: sharedModels != nil))
  func pandaHasItsMeshesAndOthersListThem() throws {
    let panda = try URDFReader.read(
      document: XMLTree(contentsOf: sharedModels! + "/urdf/panda.urdf"), options: ModelReadingOptions())
    #expect(panda.meshes.count == 9)
    #expect(panda.meshes.allSatisfy { $0.properties != nil && !$0.hullTriangles.isEmpty })
    #expect(panda.unsupported.isEmpty)
    let ur5 = try URDFReader.read(
      document: XMLTree(contentsOf: sharedModels! + "/urdf/ur5_robot.urdf"), options: ModelReadingOptions())
    #expect(ur5.unsupported.count == 7)
    #expect(ur5.unsupported.allSatisfy { $0.category == .contact })
    #expect(ur5.unsupported.first?.description.hasPrefix("mesh 'base': the file 'package://") == true)
  }
}

@Suite struct URDFInertiaTests {
  /// Matrices of every signature, with entries of any size relative to each other.
  @Test(arguments: 0..<200)
  func fullInertiaIsKeptExactly(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let scale = pow(10, Double.random(in: -12...3, using: &generator))
    let m = (0..<6).map { _ in
      scale * pow(10, Double.random(in: -8...0, using: &generator))
        * Double.random(in: -1...1, using: &generator)
    }
    let rpy = (0..<3).map { _ in Double.random(in: -4...4, using: &generator) }
    let text = """
      <robot><link name="a"><inertial><origin rpy="\(rpy[0]) \(rpy[1]) \(rpy[2])" xyz="1 2 3"/>
      <mass value="2"/>
      <inertia ixx="\(m[0])" iyy="\(m[1])" izz="\(m[2])" ixy="\(m[3])" ixz="\(m[4])" iyz="\(m[5])"/>
      </inertial></link></robot>
      """
    let inertial = try #require(try urdf(text).bodies[1].inertial)
    guard case .diagonal(let moments) = inertial.inertia else {
      Issue.record("not diagonal")
      return
    }
    #expect(inertial.position.array == [1, 2, 3])
    let axes = inertial.orientation.matrix
    let found =
      Matrix3(columns: axes.column0 * moments.x, axes.column1 * moments.y, axes.column2 * moments.z)
      * axes.transposed
    let matrix = Matrix3(rowMajor: [m[0], m[3], m[4], m[3], m[1], m[5], m[4], m[5], m[2]])
    func turn(_ index: Int, _ angle: Double) -> Matrix3<Double> {
      var axis = Vector3<Double>.zero
      axis[index] = 1
      return Quaternion(cos(angle / 2), axis * sin(angle / 2)).matrix
    }
    let rotation = turn(2, rpy[2]) * turn(1, rpy[1]) * turn(0, rpy[0])
    let expected = rotation * matrix * rotation.transposed
    let size = expected.rowMajor.map(abs).max()!
    let error = zip(found.rowMajor, expected.rowMajor).map { abs($0 - $1) }.max()!
    #expect(error <= 1e-14 * size)
    #expect(moments.x >= moments.y - 1e-12 && moments.y >= moments.z - 1e-12)
  }

  @Test func diagonalInertiaInOrderStaysAsItIs() throws {
    let text = urdfRobot(urdfJoint("fixed")).replacing("ixx=\"1\" iyy=\"1\"", with: "ixx=\"3\" iyy=\"2\"")
    let inertial = try #require(try urdf(text).bodies[2].inertial)
    #expect(inertial.orientation == .identity)
    guard case .diagonal(let moments) = inertial.inertia else {
      Issue.record("not diagonal")
      return
    }
    #expect(moments == Vector3(3, 2, 1))
  }

  @Test func settingsOfAnImpossibleInertia() throws {
    let text = urdfRobot(urdfJoint("continuous"))
    #expect(try urdf(text).compiler.impossibleInertia == .warning)
    #expect(try urdf(text).compiler.masslessMovingBody == .warning)
    var options = ModelReadingOptions()
    options.strict = true
    #expect(try urdf(text, options: options).compiler.impossibleInertia == .error)
  }
}
