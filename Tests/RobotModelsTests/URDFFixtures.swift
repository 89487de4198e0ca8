import Foundation
import Lanes

@testable import RobotModels

/// What Pinocchio reads of a URDF file.
struct URDFFixtureCase: Decodable {
  struct Placements: Decodable {
    /// x y z and the rotation matrix row by row, in the root link's frame.
    var zero: [Double]
    var moved: [Double]
  }
  struct Inertia: Decodable {
    var mass: Double
    var center: [Double]
    var inertia: [Double]
  }
  var file: String?
  var text: String?
  /// Values of the independent joints for `moved`.
  var joints: [String: [Double]]
  var links: [String: Placements]
  /// By joint: what it moves, in its child link's frame.
  var inertias: [String: Inertia]
}

struct URDFFixture: Decodable {
  var files: [URDFFixtureCase]
  var robots: [URDFFixtureCase]
  var mujoco: [URDFMuJoCoCase]

  static let shared: URDFFixture = {
    let url = Bundle.module.url(forResource: "urdf", withExtension: "json", subdirectory: "Fixtures")!
    return try! JSONDecoder().decode(URDFFixture.self, from: Data(contentsOf: url))
  }()
}

/// Reads a text as URDF, without compiling it.
func urdf(
  _ text: String, directory: String? = nil, options: ModelReadingOptions = ModelReadingOptions()
) throws -> ModelSpecification {
  try URDFReader.read(document: XMLTree(text: text, name: "r.urdf", directory: directory), options: options)
}

/// A robot of two links and what is between them.
func urdfRobot(_ joint: String, more: String = "") -> String {
  """
  <robot name="r">
  <link name="a"/>
  <link name="b"><inertial><mass value="1"/>\
  <inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link>
  \(joint)
  \(more)
  </robot>
  """
}

/// A joint from link `a` to link `b`.
func urdfJoint(_ type: String, _ inside: String = "") -> String {
  "<joint name=\"j\" type=\"\(type)\"><parent link=\"a\"/><child link=\"b\"/>\(inside)</joint>"
}

/// A revolute joint with a limit.
func hinge(_ name: String, _ parent: String, _ child: String, _ inside: String = "") -> String {
  "<joint name=\"\(name)\" type=\"revolute\"><parent link=\"\(parent)\"/><child link=\"\(child)\"/>"
    + "<limit lower=\"-1\" upper=\"1\" effort=\"0\" velocity=\"1\"/>\(inside)</joint>"
}

/// A rigid transform of the tests' own forward kinematics.
struct Placement {
  var position = Vector3<Double>.zero
  var rotation = Matrix3<Double>.identity

  static func * (a: Self, b: Self) -> Self {
    Self(position: a.position + a.rotation * b.position, rotation: a.rotation * b.rotation)
  }
  var inverse: Self {
    Self(position: -rotation.transposedTimes(position), rotation: rotation.transposed)
  }
  var row: [Double] { position.array + rotation.rowMajor }
}

extension ModelSpecification {
  /// Pose of every link in the root link (the world where that is a link), for values of the independent joints by
  /// URDF name.
  func placements(_ values: [String: [Double]], worldIsLink: Bool = false) -> [String: Placement] {
    func value(_ joint: Joint) -> Double {
      if let mimic = joint.mimic { return mimic.multiplier * (values[mimic.source]?[0] ?? 0) + mimic.offset }
      // A planar joint's three values are those of its parts.
      for (index, suffix) in ["_TX", "_TY", "_RZ"].enumerated() where joint.name.hasSuffix(suffix) {
        return values[String(joint.name.dropLast(3))]?[index] ?? 0
      }
      return values[joint.name]?[0] ?? 0
    }
    var placements: [Placement] = []
    for body in bodies {
      var placement = placements.isEmpty ? Placement() : placements[body.parent]
      placement =
        placement * Placement(position: body.pose.position, rotation: body.pose.orientation.normalized.matrix)
      for joint in body.joints {
        let amount = value(joint)
        let isSlide = joint.type == .slide
        let turn = Quaternion(cos(amount / 2), joint.axis * sin(amount / 2))
        placement =
          placement
          * Placement(
            position: isSlide ? joint.axis * amount : .zero, rotation: isSlide ? .identity : turn.matrix)
      }
      placements.append(placement)
    }
    let first = worldIsLink ? 0 : 1
    let root = placements[first].inverse
    return Dictionary(
      uniqueKeysWithValues: zip(bodies, placements).dropFirst(first).map { ($0.name, root * $1) })
  }
}

/// Mass, centre and inertia about it, in some frame.
struct SummedInertia {
  var mass = 0.0
  var moment = Vector3<Double>.zero
  /// About the frame's origin.
  var second = Matrix3<Double>.zero

  mutating func add(_ inertial: ModelSpecification.Inertial, at placement: Placement) {
    guard case .diagonal(let moments) = inertial.inertia else { return }
    let axes = placement.rotation * inertial.orientation.normalized.matrix
    let center = placement.position + placement.rotation * inertial.position
    let scaled = Matrix3(
      columns: axes.column0 * moments.x, axes.column1 * moments.y, axes.column2 * moments.z)
    second = second + scaled * axes.transposed + Self.pointMass(inertial.mass, center)
    moment += center * inertial.mass
    mass += inertial.mass
  }
  var center: Vector3<Double> { mass > 0 ? moment / mass : .zero }
  var inertia: Matrix3<Double> { second - Self.pointMass(mass, center) }

  private static func pointMass(_ mass: Double, _ p: Vector3<Double>) -> Matrix3<Double> {
    let outer = Matrix3(columns: p * p.x, p * p.y, p * p.z)
    return (Matrix3.identity * p.normSquared - outer) * mass
  }
}
