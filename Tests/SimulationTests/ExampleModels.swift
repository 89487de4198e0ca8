import Autodiff
import Foundation
import RigidBody
import RobotModels
import Simulation
import TestSupport

/// Models that the tests run on: two of the project's own, and one that has every kind of joint and input.
enum ExampleModels {
  static let names = ["cartpole", "humanoid", "joints"]

  static func simulation(_ name: String) throws -> Simulation {
    if name == "joints" { return try Simulation(try Model(mjcf: joints, name: "joints.xml")) }
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try Simulation(
      try Model.load(path: root.appending(path: "Models/\(name).xml").path), ignoring: .constraints)
  }

  private static let joints = """
    <mujoco><option timestep="0.004" gravity="0.3 -0.2 -9.7"/>
    <default><geom contype="0" conaffinity="0"/></default>
    <worldbody>
      <body pos="0 0 1"><freejoint/><geom type="box" size="0.1 0.2 0.1" euler="5 10 20"/>
        <body pos="0.2 0 0"><joint name="ball" type="ball" damping="0.1" stiffness="2"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 0.3 0 0.1"/>
          <body pos="0.3 0 0.1"><joint name="hinge" type="hinge" axis="0 1 0.5" damping="0.2" stiffness="3"
            springref="0.2" armature="0.02"/>
            <geom type="capsule" size="0.03" fromto="0 0 0 0.2 0.1 0"/>
            <body name="tip" pos="0.2 0.1 0"><joint name="slide" type="slide" axis="1 0 0" damping="0.5"/>
              <geom size="0.05"/><site name="end" pos="0.1 0 0"/></body></body></body></body>
    </worldbody>
    <actuator>
      <motor joint="slide" gear="3"/>
      <general joint="ball" gear="0.3 0.2 0.4" biastype="affine" biasprm="0.1 -3 -0.4" gainprm="2"/>
      <general joint="hinge" dyntype="filter" dynprm="0.05" gainprm="2" biastype="affine" biasprm="0 -1 -0.2"/>
    </actuator></mujoco>
    """
}

/// Random states and inputs, as leaves: positions, velocities, activations, controls, applied forces, Cartesian forces.
struct RandomPoint {
  var leaves: [Tensor]

  /// - Parameters:
  ///   - worlds: axes before the last.
  ///   - inputAxes: axes of inputs before the last.
  init(_ simulation: Simulation, worlds: [Int] = [], inputAxes: [Int] = [], seed: UInt64 = 3) {
    let model = simulation.model
    var random = SeededRandom(seed: seed)
    func numbers(_ shape: [Int], _ size: Double) -> Tensor {
      Tensor(random.uniform(-size, size, count: shape.reduce(1, *)), shape: shape)
    }
    let positions =
      simulation.initialState(worlds: worlds).positions + numbers(worlds + [model.positionCount], 0.3)
    leaves = [
      positions, numbers(worlds + [model.velocityCount], 0.5), numbers(worlds + [model.activationCount], 0.5),
      numbers(inputAxes + [model.controlCount], 0.5), numbers(inputAxes + [model.velocityCount], 0.5),
      numbers(inputAxes + [6 * model.bodies.count], 0.5),
    ]
  }
}

extension SimulationState {
  init(_ leaves: ArraySlice<Tensor>) {
    let parts = Array(leaves)
    self.init(positions: parts[0], velocities: parts[1], activations: parts[2])
  }
  /// All numbers of each world in one row.
  var joined: Tensor { concatenate([positions, velocities, activations], axis: -1) }
}

/// Relative to the larger of the two.
func relativeDifference(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  let scale = Swift.max(abs(b).max().scalar, 1e-300)
  return abs(a - b).max().scalar / scale
}
