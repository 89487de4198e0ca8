import Lanes
import RobotModels

extension Model {
  /// Rates of change of `qpos` that belong to tangent coordinates: for a rotation `q̇ = ½ q ⊗ (0, δ)`, whatever the
  /// length of `q`.
  func changes(of tangents: [Double], at state: BatchState<Double>) -> [Double] {
    var result = [Double](repeating: 0, count: state.positions.count)
    for world in 0..<state.worldCount {
      let (q, v) = (world * positionCount, world * velocityCount)
      for joint in joints where joint.mimic == nil {
        let (at, dof) = (q + joint.positionAddress, v + joint.velocityAddress)
        for k in 0..<joint.translationCount { result[at + k] = tangents[dof + k] }
        if let (at, dof) = joint.rotation(at, dof) {
          let orientation = Quaternion(at: at, in: state.positions)
          let change =
            orientation * Quaternion(0, tangents[dof] / 2, tangents[dof + 1] / 2, tangents[dof + 2] / 2)
          for (k, value) in change.array.enumerated() { result[at + k] = value }
        }
      }
    }
    return result
  }

  /// Tangent coordinates of a change of states: for a rotation `δ = 2 (q* ⊗ q̇)`'s vector part.
  func tangents(of change: BatchState<Double>, at state: BatchState<Double>) -> StateTangents<Double> {
    var result = [Double](repeating: 0, count: state.worldCount * velocityCount)
    for world in 0..<state.worldCount {
      let (q, v) = (world * positionCount, world * velocityCount)
      for joint in joints where joint.mimic == nil {
        let (at, dof) = (q + joint.positionAddress, v + joint.velocityAddress)
        for k in 0..<joint.translationCount { result[dof + k] = change.positions[at + k] }
        if let (at, dof) = joint.rotation(at, dof) {
          let orientation = Quaternion(at: at, in: state.positions)
          let turn = orientation.conjugate * Quaternion(at: at, in: change.positions)
          let scale = 2 / orientation.normSquared
          result[dof] = scale * turn.x
          result[dof + 1] = scale * turn.y
          result[dof + 2] = scale * turn.z
        }
      }
    }
    return StateTangents(
      positions: result, velocities: change.velocities, activations: change.activations)
  }
}

extension Joint {
  /// Numbers that are translations or scalar angles.
  fileprivate var translationCount: Int { type == .free ? 3 : type == .ball ? 0 : 1 }
  /// Addresses of the orientation and of its tangent, if the joint has one.
  fileprivate func rotation(_ at: Int, _ dof: Int) -> (Int, Int)? {
    switch type {
    case .free: (at + 3, dof + 3)
    case .ball: (at, dof)
    case .slide, .hinge: nil
    }
  }
}

extension Quaternion where L == Double {
  fileprivate init(at index: Int, in values: [Double]) {
    self.init(values[index], values[index + 1], values[index + 2], values[index + 3])
  }
}
