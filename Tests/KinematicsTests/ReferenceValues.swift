import Foundation
import TestSupport

/// A file of MuJoCo's values.
struct MuJoCoReference: Decodable {
  struct JacobianEntry: Decodable {
    var body: Int
    /// 6 x nv, linear rows first, world axes at the body frame's origin.
    var jacobian: [Double]
    var jacobian_rate: [Double]
  }
  struct State: Decodable {
    var qpos: [Double]
    var qvel: [Double]
    var xpos: [Double]
    var xquat: [Double]
    var site_xpos: [Double]?
    var jacobians: [JacobianEntry]
  }
  var states: [State]

  static let files = ReferenceFile.all(in: .module, folder: "mujoco")
}

/// A file of Pinocchio's values, in an order of joints of its own.
struct PinocchioReference: Decodable {
  struct JacobianEntry: Decodable {
    var link: String
    var world: [Double]
    var world_rate: [Double]
    var local: [Double]
    var local_rate: [Double]
    var world_aligned: [Double]
    var world_aligned_rate: [Double]
  }
  struct State: Decodable {
    var position: [Double]
    var velocity: [Double]
    var poses: [Double]
    var jacobians: [JacobianEntry]
  }
  var joints: [String]
  var links: [String]
  var states: [State]

  static let files = ReferenceFile.all(in: .module, folder: "pinocchio")
}
