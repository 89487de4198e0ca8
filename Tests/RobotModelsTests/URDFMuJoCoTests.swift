import Foundation
import Lanes
import Testing

@testable import RobotModels

/// What MuJoCo compiles a URDF file to: flat, row-major arrays under its names.
struct URDFMuJoCoCase: Decodable {
  struct Names: Decodable {
    var body: [String]
    var jnt: [String]
    var geom: [String]
  }
  var text: String?
  var names: Names
  var fields: Fields

  /// Only arrays of numbers; other entries are passed over.
  struct Fields: Decodable {
    var arrays: [String: [Double]] = [:]

    private struct Key: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      for key in container.allKeys {
        arrays[key.stringValue] = try? container.decode([Double].self, forKey: key)
      }
    }
  }
}

extension Model {
  /// Some of MuJoCo's arrays, by name.
  fileprivate var arrays: [String: [Double]] {
    func number(_ flag: Bool) -> Double { flag ? 1 : 0 }
    let types: [JointType] = [.free, .ball, .slide, .hinge]
    let shapes: [GeomType] = [.plane, .hfield, .sphere, .capsule, .ellipsoid, .cylinder, .box, .mesh, .sdf]
    return [
      "body_parentid": bodies.map { Double($0.parent) },
      "body_mass": bodies.map(\.mass),
      "body_subtreemass": bodies.map(\.subtreeMass),
      "body_inertia": bodies.flatMap(\.inertia.array),
      "body_ipos": bodies.flatMap(\.inertialPosition.array),
      "body_iquat": bodies.flatMap(\.inertialOrientation.array),
      "body_pos": bodies.flatMap(\.position.array),
      "body_quat": bodies.flatMap(\.orientation.array),
      "body_invweight0": bodies.flatMap(\.inverseWeight0),
      "jnt_type": joints.map { Double(types.firstIndex(of: $0.type)!) },
      "jnt_bodyid": joints.map { Double($0.body) },
      "jnt_qposadr": joints.map { Double($0.positionAddress) },
      "jnt_dofadr": joints.map { Double($0.velocityAddress) },
      "jnt_pos": joints.flatMap(\.position.array),
      "jnt_axis": joints.flatMap(\.axis.array),
      "jnt_limited": joints.map { number($0.limited) },
      "jnt_range": joints.flatMap(\.range),
      "jnt_actfrclimited": joints.map { number($0.actuatorForceLimited) },
      "jnt_actfrcrange": joints.flatMap(\.actuatorForceRange),
      "dof_damping": degreesOfFreedom.map(\.damping),
      "dof_frictionloss": degreesOfFreedom.map(\.frictionLoss),
      "dof_invweight0": degreesOfFreedom.map(\.inverseWeight0),
      "dof_M0": degreesOfFreedom.map(\.inertia0),
      "geom_type": geoms.map { Double(shapes.firstIndex(of: $0.type)!) },
      "geom_bodyid": geoms.map { Double($0.body) },
      "geom_pos": geoms.flatMap(\.position.array),
      "geom_quat": geoms.flatMap(\.orientation.array),
      "geom_size": geoms.flatMap(\.size.array),
      "geom_contype": geoms.map { Double($0.contactType) },
      "geom_conaffinity": geoms.map { Double($0.contactAffinity) },
      "geom_group": geoms.map { Double($0.group) },
      "qpos0": defaultPosition,
    ]
  }
}

/// Compares every array, relative to its largest entry.
private func compare(_ model: Model, with expected: URDFMuJoCoCase) {
  #expect(model.bodies.map(\.name) == expected.names.body)
  #expect(model.joints.map(\.name) == expected.names.jnt)
  for (name, found) in model.arrays {
    guard let array = expected.fields.arrays[name] else { continue }
    let size = max(array.map(abs).max() ?? 0, 1e-300)
    let error = zip(found, array).map { abs($0 - $1) }.max() ?? 0
    #expect(found.count == array.count && error <= 1e-10 * size, "\(name): \(found) is not \(array)")
  }
}

@Suite struct URDFMuJoCoTests {
  @Test(arguments: URDFFixture.shared.mujoco.indices)
  func robotEqualsMuJoCo(index: Int) throws {
    let expected = URDFFixture.shared.mujoco[index]
    let model = try Model(urdf: expected.text!)
    compare(model, with: expected)
    #expect(model.geoms.map(\.name) == expected.names.geom)
  }

  @Test(.enabled(if: sharedModels != nil)) func fusedFileEqualsMuJoCo() throws {
    let url = Bundle.module.url(
      forResource: "urdf_a1", withExtension: "json", subdirectory: "Fixtures/mujoco")!
    let expected = try JSONDecoder().decode(URDFMuJoCoCase.self, from: Data(contentsOf: url))
    var options = ModelReadingOptions()
    options.fuseStatic = true
    compare(try Model.load(path: sharedModels! + "/urdf/a1.urdf", options: options), with: expected)
  }
}
