import Kinematics
import Lanes
import RobotModels

/// The constants of a model that the batched algorithms need, flattened for kernels of one precision.
final class AlgorithmPlan<Scalar: LaneScalar>: Sendable {
  let dynamics: DynamicsPlan<Scalar>
  /// For each direction, the first one that turns with it: itself but for the rotations of free and ball joints,
  /// whose axes are fixed in the link.
  let turningStart: ConstantBuffer<Int32>
  /// For each degree of freedom, the range of those that a force at it may accelerate: all that hang on the world
  /// by the same joint (or are coupled with these by mimic joints).
  let blockStart: ConstantBuffer<Int32>
  let blockEnd: ConstantBuffer<Int32>
  /// For each degree of freedom, what a pivot of the mass matrix has to exceed to be more than rounding: a few units
  /// in the last place of the inertia that it moves.
  let smallestPivots: ConstantBuffer<Scalar>

  var tree: KinematicTree<Scalar> { dynamics.tree }
  var pattern: MassMatrixPattern { dynamics.pattern }
  var velocityCount: Int { dynamics.velocityCount }

  convenience init(_ model: Model) {
    // Passive forces and actuators are the simulator's: the algorithms are about inertia and gravity.
    let dynamics = DynamicsPlan<Scalar>(model, features: [.actuation, .passive, .constraints, .unsupported])
    let preliminary = AlgorithmPlan(dynamics, movedInertias: Array(repeating: 0, count: model.velocityCount))
    self.init(dynamics, movedInertias: preliminary.largestDiagonal(model))
  }

  private init(_ dynamics: DynamicsPlan<Scalar>, movedInertias: [Scalar]) {
    self.dynamics = dynamics
    smallestPivots = ConstantBuffer(movedInertias.map { 16 * Scalar.ulpOfOne * $0 })
    let tree = dynamics.tree
    var turningStart = (0..<Int32(tree.directionCount)).map { $0 }
    for j in 0..<tree.joints.count {
      let joint = tree.joints[j]
      let first = joint.kind == .free ? joint.direction + 3 : joint.direction
      guard joint.kind == .free || joint.kind == .ball else { continue }
      for d in first..<(first + 3) { turningStart[Int(d)] = first }
    }
    self.turningStart = ConstantBuffer(turningStart)

    let pattern = dynamics.pattern
    let n = pattern.count
    var block = Array(0..<n)
    for k in 0..<n where pattern.parent[k] >= 0 { block[k] = block[Int(pattern.parent[k])] }
    var first = [Int](repeating: n, count: n)
    var last = [Int](repeating: -1, count: n)
    for k in 0..<n {
      first[block[k]] = min(first[block[k]], k)
      last[block[k]] = max(last[block[k]], k)
    }
    blockStart = ConstantBuffer(block.map { Int32(first[$0]) })
    blockEnd = ConstantBuffer(block.map { Int32(last[$0] + 1) })
  }

  /// The diagonal of the mass matrix at its largest over a lane group of configurations far from each other.
  private func largestDiagonal(_ model: Model) -> [Scalar] {
    let workspace = AlgorithmWorkspace<Scalar.Group>(self)
    for lane in 0..<Scalar.Group.laneCount {
      var positions = model.defaultPosition
      for (index, joint) in model.joints.enumerated() where joint.mimic == nil {
        // Multiples of the golden angle lie far from each other.
        let angle = 2.399963 * Double(lane * (index + 1))
        switch joint.type {
        case .hinge: positions[joint.positionAddress] += angle
        case .slide: break
        case .ball, .free:
          let at = joint.positionAddress + (joint.type == .free ? 3 : 0)
          let turn = Quaternion(rotationVector: Vector3(angle, 0.5 * angle, 0.25 * angle))
          positions.replaceSubrange(at..<(at + 4), with: turn.array)
        }
      }
      for (i, value) in positions.enumerated() { workspace.positions[i][lane: lane] = Scalar(value) }
    }
    massMatrixGroup(self, workspace)
    let n = velocityCount
    return (0..<n).map { i in
      (0..<Scalar.Group.laneCount).map { workspace.massMatrix.entries[i * n + i][lane: $0] }.max() ?? 0
    }
  }
}
