import Lanes
import RigidBody
import RobotModels
import TestSupport

/// Random configurations of a model, with everything the batched algorithms take.
struct AlgorithmProblem {
  var model: Model
  var count: Int
  var positions: [Double]
  var velocities: [Double]
  var accelerations: [Double]
  var forces: [Double]
  var bodyForces: [Double]

  init(_ model: Model, seed: UInt64, count: Int = 1) {
    var random = SeededRandom(seed: seed)
    let n = model.velocityCount
    self.model = model
    self.count = count
    positions = (0..<count).flatMap { _ in model.defaultPosition.map { $0 + random.uniform(-0.8, 0.8) } }
    for row in 0..<count {
      for at in model.orientationAddresses {
        let i = row * model.positionCount + at
        // Not of unit length, which the algorithms allow; never near zero.
        positions[i] += positions[i] < 0 ? -0.3 : 0.3
      }
    }
    velocities = random.uniform(-1, 1, count: count * n)
    accelerations = random.uniform(-2, 2, count: count * n)
    forces = random.uniform(-1, 1, count: count * n)
    bodyForces = random.uniform(-1, 1, count: count * 6 * model.bodies.count)
  }

  /// The models of the laws, and a robot with mimic joints on a fixed or a floating base.
  // Inertia of tendons is not part of what the algorithms compute.
  static let names = TestModels.names.filter { $0 != "transmissions" } + ["tied", "tied floating"]

  static func model(_ name: String) throws -> Model {
    switch name {
    case "tied": try EdgeCaseTests.tiedRobot(tied: true)
    case "tied floating": try EdgeCaseTests.tiedRobot(tied: true, floating: true)
    default: try TestModels.model(name)
    }
  }

  init(_ name: String, seed: UInt64, count: Int = 1) throws {
    self.init(try Self.model(name), seed: seed, count: count)
  }

  /// One configuration by itself.
  func row(_ index: Int) -> AlgorithmProblem {
    var result = self
    func cut(_ values: [Double], _ width: Int) -> [Double] {
      Array(values[index * width..<(index + 1) * width])
    }
    result.count = 1
    result.positions = cut(positions, model.positionCount)
    result.velocities = cut(velocities, model.velocityCount)
    result.accelerations = cut(accelerations, model.velocityCount)
    result.forces = cut(forces, model.velocityCount)
    result.bodyForces = cut(bodyForces, 6 * model.bodies.count)
    return result
  }
}

/// Dense `M x` of one row-major matrix.
func times(_ matrix: [Double], _ x: [Double]) -> [Double] {
  let n = x.count
  return (0..<n).map { i in (0..<n).reduce(0) { $0 + matrix[i * n + $1] * x[$1] } }
}
