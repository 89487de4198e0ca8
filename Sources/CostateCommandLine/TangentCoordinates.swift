import Costate

/// Configurations and their gradients in tangent coordinates: one number per degree of freedom, those of free and
/// ball joints for small turns in the joint's own frame.
extension Model {
  /// `position ⊕ tangent`.
  func displaced(_ position: [Double], by tangent: [Double]) -> [Double] {
    var result = position
    forEachCoordinate { at, dof in
      result[at] += tangent[dof]
    } rotation: { at, dof in
      let turn = Quaternion(rotationVector: Vector3(tangent[dof], tangent[dof + 1], tangent[dof + 2]))
      result.replaceSubrange(at..<at + 4, with: (Self.quaternion(position, at) * turn).array)
    }
    return result
  }

  /// The tangent that leads from one configuration to another: `to = from ⊕ tangent`.
  func displacement(from: [Double], to: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: velocityCount)
    forEachCoordinate { at, dof in
      result[dof] = to[at] - from[at]
    } rotation: { at, dof in
      let turn = (Self.quaternion(from, at).conjugate * Self.quaternion(to, at)).rotationVector
      (result[dof], result[dof + 1], result[dof + 2]) = (turn.x, turn.y, turn.z)
    }
    return result
  }

  /// Turns a gradient with respect to `qpos` into one in tangent coordinates.
  func tangentGradient(_ gradient: [Double], at position: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: velocityCount)
    forEachCoordinate { at, dof in
      result[dof] = gradient[at]
    } rotation: { at, dof in
      // A small turn d moves q by q ⊗ (0, d) / 2.
      let q = Self.quaternion(position, at)
      let axes = [Quaternion(0.0, 1, 0, 0), Quaternion(0.0, 0, 1, 0), Quaternion(0.0, 0, 0, 1)]
      for (k, axis) in axes.enumerated() {
        result[dof + k] = zip((q * axis).array, gradient[at..<at + 4]).reduce(0) { $0 + $1.0 * $1.1 } / 2
      }
    }
    return result
  }

  private static func quaternion(_ position: [Double], _ at: Int) -> Quaternion<Double> {
    Quaternion(position[at], position[at + 1], position[at + 2], position[at + 3]).normalized
  }

  /// Visits every independent coordinate once: plain ones, and rotations with their first indices.
  private func forEachCoordinate(
    _ plain: (_ position: Int, _ velocity: Int) -> Void, rotation: (_ position: Int, _ velocity: Int) -> Void
  ) {
    for joint in joints where joint.mimic == nil {
      let (at, dof) = (joint.positionAddress, joint.velocityAddress)
      switch joint.type {
      case .slide, .hinge: plain(at, dof)
      case .ball: rotation(at, dof)
      case .free:
        for k in 0..<3 { plain(at + k, dof + k) }
        rotation(at + 3, dof + 3)
      }
    }
  }
}
