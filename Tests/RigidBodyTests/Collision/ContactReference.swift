import Foundation
import Kinematics
import Lanes
import RobotModels
import TestSupport

@testable import RigidBody

/// Contacts of two geoms (see Tools/write_contact_fixtures.py).
struct PairReference: Decodable {
  var groups: [Group]

  struct Group: Decodable {
    var xml: String
    var margin: Double
    var gap: Double
    var cases: [Case]

    /// The model with the group's margins.
    func model() throws -> Model {
      var model = try Model(mjcf: xml, name: "pair.xml")
      for index in model.geoms.indices {
        model.geoms[index].margin = margin / 2
        model.geoms[index].gap = gap / 2
      }
      return model
    }
  }

  struct Case: Decodable {
    var poses: [Double]
    var aligned: Bool
    var contacts: [Double]

    /// Poses of the two geoms of bodies 1 and 2.
    func geomPoses(_ model: Model) -> [GeomPose<Double>] {
      (0..<2).map { index in
        let p = Array(poses[7 * index..<7 * index + 7])
        let rotation = Quaternion(p[3], p[4], p[5], p[6]).normalized
        return GeomPose(model.geoms[index], bodyPosition: Vector3(p[0], p[1], p[2]), rotation)
      }
    }

    var expected: [ReferenceContact] { ReferenceContact.list(contacts) }
  }
}

/// Geometry of one contact.
struct ReferenceContact {
  var distance: Double
  var position: Vector3<Double>
  var normal: Vector3<Double>
  var second: Vector3<Double>

  init(_ values: ArraySlice<Double>) {
    let v = Array(values)
    distance = v[0]
    position = Vector3(v[1], v[2], v[3])
    normal = Vector3(v[4], v[5], v[6])
    second = Vector3(v[7], v[8], v[9])
  }

  init(_ point: ContactPoint<Double>) {
    distance = point.distance
    position = point.position
    normal = point.frame.column0
    second = point.frame.column1
  }

  static func list(_ values: [Double]) -> [ReferenceContact] {
    stride(from: 0, to: values.count, by: 10).map { ReferenceContact(values[$0..<$0 + 10]) }
  }

  /// The largest difference of any number. A second axis that is not orthogonal to the normal, as MuJoCo's is for a capsule
  /// that stands on an inclined plane, is not compared.
  func error(_ other: Self) -> Double {
    let hasSecond = abs(other.second.dot(other.normal)) < 1e-9
    return max(
      abs(distance - other.distance), (position - other.position).norm, (normal - other.normal).norm,
      hasSecond ? (second - other.second).norm : 0)
  }

  /// The largest error after matching each contact to the nearest one, or infinity where the counts differ.
  static func error(_ actual: [Self], _ expected: [Self]) -> Double {
    guard actual.count == expected.count else { return .infinity }
    var free = Array(expected.indices)
    var worst = 0.0
    for contact in actual {
      let best = free.indices.min { contact.error(expected[free[$0]]) < contact.error(expected[free[$1]]) }!
      worst = max(worst, contact.error(expected[free[best]]))
      free.remove(at: best)
    }
    return worst
  }
}

extension GeomPose where L == Double {
  /// The pose of a geom on a body.
  init(_ geom: Geom, bodyPosition: Vector3<Double>, _ bodyOrientation: Quaternion<Double>) {
    self.init(
      position: bodyPosition + bodyOrientation.rotate(geom.position),
      rotation: (bodyOrientation * geom.orientation).normalized.matrix)
  }

  /// Poses of all geoms of a model.
  static func all(_ model: Model, _ positions: [Double]) throws -> [GeomPose<Double>] {
    let frames = model.geoms.map { Frame(body: $0.body, position: $0.position, orientation: $0.orientation) }
    let rows = try ForwardKinematics<Double>(model, frames: frames).poses(at: positions, format: .matrix3x4)
    return model.geoms.indices.map { g in
      let r = Array(rows[12 * g..<12 * g + 12])
      return GeomPose(
        position: Vector3(r[3], r[7], r[11]),
        rotation: Matrix3(
          columns: Vector3(r[0], r[4], r[8]), Vector3(r[1], r[5], r[9]), Vector3(r[2], r[6], r[10])))
    }
  }
}
