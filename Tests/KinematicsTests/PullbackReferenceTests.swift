import Costate
import TestSupport
import Testing

/// Cotangents that act as a force at the frame's origin and a moment, for each format.
private func cotangents(force: Vector3<Double>, moment: Vector3<Double>, pose: [Double], _ format: PoseFormat)
  -> [Double]
{
  guard format == .positionQuaternion else {
    // ½ m x R[:, k] has the moment Σ R[:, k] x (½ m x R[:, k]) = m.
    let rates = poseRates(pose, velocities: force.array + (moment * 0.5).array, format: format)
    return rates
  }
  let q = Quaternion(pose[3], pose[4], pose[5], pose[6])
  return force.array + (Quaternion(0, moment * 2) * q).array
}

@Suite("Pullback against the Jacobians of other engines")
struct PullbackReferenceTests {
  @Test("MuJoCo", arguments: MuJoCoReference.files)
  func mujoco(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    var random = SeededRandom(seed: 11)
    for state in try file.decode(MuJoCoReference.self).states {
      for entry in state.jacobians {
        let kinematics = try ForwardKinematics<Double>(model, frames: [Frame(body: entry.body)])
        let wrench = random.uniform(-1, 1, count: 6)
        let expected = transposed(entry.jacobian, times: wrench)
        for format in PoseFormat.allCases {
          let pose = try kinematics.poses(at: state.qpos, format: format)
          let seed = cotangents(
            force: Vector3(wrench[0], wrench[1], wrench[2]), moment: Vector3(wrench[3], wrench[4], wrench[5]),
            pose: pose, format)
          let gradient = try kinematics.pullback(at: state.qpos, cotangents: seed, format: format)
          #expect(relativeError(gradient, expected) < 1e-12)
        }
      }
    }
  }

  @Test("Pinocchio", arguments: PinocchioReference.files)
  func pinocchio(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let reference = try file.decode(PinocchioReference.self)
    let addresses = try PinocchioTests.addresses(of: reference, in: model)
    var random = SeededRandom(seed: 12)
    for state in reference.states {
      let q = PinocchioTests.row(state.position, addresses, count: model.positionCount)
      for entry in state.jacobians {
        let kinematics = try ForwardKinematics<Double>(model, frameNames: [entry.link])
        let wrench = random.uniform(-1, 1, count: 6)
        let expected = PinocchioTests.row(
          transposed(entry.world_aligned, times: wrench), addresses, count: model.velocityCount)
        for format in PoseFormat.allCases {
          let seed = cotangents(
            force: Vector3(wrench[0], wrench[1], wrench[2]), moment: Vector3(wrench[3], wrench[4], wrench[5]),
            pose: try kinematics.poses(at: q, format: format), format)
          let gradient = try kinematics.pullback(at: q, cotangents: seed, format: format)
          #expect(relativeError(gradient, expected) < 1e-12)
        }
      }
    }
  }

  /// The product of a transposed 6 x n matrix and a vector of six.
  private func transposed(_ jacobian: [Double], times wrench: [Double]) -> [Double] {
    let n = jacobian.count / 6
    return (0..<n).map { c in (0..<6).reduce(0) { $0 + wrench[$1] * jacobian[$1 * n + c] } }
  }
}
