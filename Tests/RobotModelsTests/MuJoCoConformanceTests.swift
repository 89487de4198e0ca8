import Foundation
import Lanes
import RobotModels
import TestSupport
import Testing

/// Compiled quantities against those of MuJoCo 3.12.0.
struct MuJoCoConformanceTests {
  struct Reference: Decodable {
    var sizes: [String: Int]
    var names: [String: [String]]
    var fields: [String: FieldValue]
  }

  /// A number or an array of numbers; booleans are 0 and 1.
  struct FieldValue: Decodable {
    var numbers: [Double]

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Double.self) {
        numbers = [number]
      } else if let flags = try? container.decode([Bool].self) {
        numbers = flags.map { $0 ? 1 : 0 }
      } else {
        numbers = try container.decode([Double].self)
      }
    }
  }

  @Test(arguments: ReferenceFile.all(in: Bundle.module, folder: "mujoco"))
  func compiledModel(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    let reference = try file.decode(Reference.self)
    let sizes = [
      "nq": model.positionCount, "nv": model.velocityCount, "nu": model.controlCount,
      "na": model.activationCount, "nbody": model.bodies.count, "njnt": model.joints.count,
      "ngeom": model.geoms.count, "nsite": model.sites.count,
    ]
    #expect(sizes == reference.sizes)
    try #require(sizes == reference.sizes)

    let fields = CompiledFields(model)
    for (prefix, names) in reference.names {
      #expect(fields.names[prefix] == names, "\(prefix) names")
    }
    var compared = 0
    for (name, expected) in reference.fields.sorted(by: { $0.key < $1.key }) {
      guard let actual = fields.values[name] else { continue }
      compared += 1
      let error = relativeError(actual, fields.truncated(name, expected.numbers))
      #expect(error < 1e-10, "\(name): relative error \(error)\n\(actual)\n\(expected.numbers)")
    }
    #expect(compared > 30)
  }
}
