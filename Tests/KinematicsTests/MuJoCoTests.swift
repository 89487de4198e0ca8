import Costate
import Foundation
import TestSupport
import Testing

@Suite("Forward kinematics against MuJoCo")
struct MuJoCoTests {
  @Test("Poses of bodies, with the sign of the quaternion, and of sites", arguments: MuJoCoReference.files)
  func poses(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    let bodies = try ForwardKinematics<Double>(model, frames: Frame.bodies(of: model))
    let sites = try ForwardKinematics<Double>(model, frames: Frame.sites(of: model))
    for state in try file.decode(MuJoCoReference.self).states {
      let rows = try bodies.poses(at: state.qpos)
      let xpos = stride(from: 0, to: rows.count, by: 7).flatMap { rows[$0..<($0 + 3)] }
      let xquat = stride(from: 0, to: rows.count, by: 7).flatMap { rows[($0 + 3)..<($0 + 7)] }
      #expect(relativeError(xpos, state.xpos) < 1e-12)
      #expect(relativeError(xquat, state.xquat) < 1e-12)

      let siteRows = try sites.poses(at: state.qpos, format: .matrix4x4)
      let siteOrigins = stride(from: 0, to: siteRows.count, by: 16).flatMap { at in
        [3, 7, 11].map { siteRows[at + $0] }
      }
      #expect(relativeError(siteOrigins, state.site_xpos ?? []) < 1e-12)
    }
  }

  @Test("Rotation matrices are those of the quaternions", arguments: MuJoCoReference.files)
  func matrices(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    let kinematics = try ForwardKinematics<Double>(model, frames: Frame.bodies(of: model))
    for state in try file.decode(MuJoCoReference.self).states {
      let expected = stride(from: 0, to: state.xquat.count, by: 4).flatMap { at -> [Double] in
        let q = state.xquat[at..<(at + 4)].map { $0 }
        let p = state.xpos[(at / 4 * 3)..<(at / 4 * 3 + 3)].map { $0 }
        let r = Quaternion(q[0], q[1], q[2], q[3]).matrix.rowMajor
        return [r[0], r[1], r[2], p[0], r[3], r[4], r[5], p[1], r[6], r[7], r[8], p[2]]
      }
      let actual = try kinematics.poses(at: state.qpos, format: .matrix3x4)
      #expect(relativeError(actual, expected) < 1e-12)
    }
  }

  @Test("Jacobians and their time derivatives", arguments: MuJoCoReference.files)
  func jacobians(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    for state in try file.decode(MuJoCoReference.self).states {
      for entry in state.jacobians {
        let kinematics = try ForwardKinematics<Double>(model, frames: [Frame(body: entry.body)])
        let jacobian = try kinematics.jacobians(at: state.qpos)
        let rate = try kinematics.jacobianRates(at: state.qpos, velocities: state.qvel)
        #expect(relativeError(jacobian, entry.jacobian) < 1e-12)
        #expect(relativeError(rate, entry.jacobian_rate) < 1e-12)
      }
    }
  }
}
