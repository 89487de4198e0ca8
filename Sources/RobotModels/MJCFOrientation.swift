import Foundation
import Lanes

/// How angles are written in the file (`<compiler angle eulerseq>`).
struct MJCFAngles: Sendable {
  var isDegree = true
  /// Three letters of `xyz` (turning axes) or `XYZ` (fixed axes).
  var eulerSequence: [Character] = ["x", "y", "z"]

  func radians(_ angle: Double) -> Double { isDegree ? angle / 180 * Double.pi : angle }
}

extension XMLTreeElement {
  /// A quaternion attribute, which may have any length but zero.
  func quaternion(_ name: String) throws -> Quaternion<Double>? {
    guard let values = try doubles(name, count: 4) else { return nil }
    // A common factor does not matter; without one, the square of the length neither overflows nor vanishes.
    let largest = values.lazy.map(abs).max() ?? 0
    guard largest >= 1e-14 else {
      throw error(
        at: name,
        "attribute '\(name)' of \(label) is zero; expected a quaternion w x y z of any other length, such as "
          + "1 0 0 0")
    }
    let scale = (1e-3...1e3).contains(largest) ? 1 : largest
    return Quaternion(values[0] / scale, values[1] / scale, values[2] / scale, values[3] / scale)
  }

  /// Reads the orientation in whichever form the element gives it.
  ///
  /// - Throws: ``ModelError`` where it is given in two forms, or an axis has no direction.
  func readOrientation(
    _ angles: MJCFAngles, quaternion: inout Quaternion<Double>, alternative: inout Quaternion<Double>?
  ) throws {
    let forms = ["quat", "axisangle", "xyaxes", "zaxis", "euler"].filter { attribute($0) != nil }
    if forms.count > 1 {
      throw error(
        at: forms[1],
        "\(label) gives its orientation as both '\(forms[0])' and '\(forms[1])'; only one form is allowed")
    }
    if let value = try self.quaternion("quat") { quaternion = value }
    if let values = try doubles("axisangle", count: 4) {
      let axis = try direction(Vector3(values[0], values[1], values[2]), "axisangle", "axis")
      let half = angles.radians(values[3]) / 2
      alternative = Quaternion(cos(half), axis * sin(half))
    }
    if let values = try doubles("xyaxes", count: 6) {
      let x = try direction(Vector3(values[0], values[1], values[2]), "xyaxes", "x axis")
      let given = Vector3(values[3], values[4], values[5])
      let y = try direction(given - x * x.dot(given), "xyaxes", "y axis (apart from its part along x)")
      alternative = Quaternion(frame: x, y, x.cross(y))
    }
    if let values = try doubles("zaxis", count: 3) {
      let z = try direction(Vector3(values[0], values[1], values[2]), "zaxis", "z axis")
      alternative = Quaternion(turningZTo: z)
    }
    if let values = try doubles("euler", count: 3) { alternative = Quaternion(euler: values, angles) }
  }

  /// The orientation of an element without default class.
  func orientation(_ angles: MJCFAngles) throws -> Quaternion<Double> {
    var quaternion = Quaternion<Double>.identity
    var alternative: Quaternion<Double>?
    try readOrientation(angles, quaternion: &quaternion, alternative: &alternative)
    return alternative ?? quaternion
  }

  private func direction(
    _ vector: Vector3<Double>, _ name: String, _ what: String
  ) throws -> Vector3<Double> {
    // Scaled first, so that the square of a huge number does not overflow.
    let size = max(abs(vector.x), abs(vector.y), abs(vector.z))
    let scaled = size > 1 ? vector / size : vector
    let norm = scaled.dot(scaled).squareRoot()
    guard norm >= 1e-14 else {
      throw error(
        at: name, "the \(what) of '\(name)' of \(label) has no length; expected a direction such as 0 0 1")
    }
    return scaled / norm
  }
}

extension Quaternion where L == Double {
  /// Three rotations about the axes of the sequence.
  init(euler values: [Double], _ angles: MJCFAngles) {
    var result = Quaternion.identity
    for (letter, value) in zip(angles.eulerSequence, values) {
      let half = angles.radians(value) / 2
      let (c, s) = (cos(half), sin(half))
      let turn =
        switch letter {
        case "x", "X": Quaternion(c, s, 0, 0)
        case "y", "Y": Quaternion(c, 0, s, 0)
        default: Quaternion(c, 0, 0, s)
        }
      result = letter.isLowercase ? result * turn : turn * result
    }
    self = result
  }

  /// The smallest rotation that turns the z axis to a unit vector; about x where they are opposite.
  init(turningZTo z: Vector3<Double>) {
    let axis = Vector3<Double>(0, 0, 1).cross(z)
    let sine = axis.dot(axis).squareRoot()
    let direction = sine < 1e-10 ? Vector3(1, 0, 0) : axis / sine
    let half = atan2(sine, z.z) / 2
    self.init(cos(half), direction * sin(half))
  }

  /// The rotation whose columns are three orthonormal axes (Shepperd's method: the largest component first).
  init(frame x: Vector3<Double>, _ y: Vector3<Double>, _ z: Vector3<Double>) {
    if x.x + y.y + z.z > 0 {
      let w = 0.5 * (1 + x.x + y.y + z.z).squareRoot()
      self.init(w, 0.25 * (y.z - z.y) / w, 0.25 * (z.x - x.z) / w, 0.25 * (x.y - y.x) / w)
    } else if x.x > y.y, x.x > z.z {
      let i = 0.5 * (1 + x.x - y.y - z.z).squareRoot()
      self.init(0.25 * (y.z - z.y) / i, i, 0.25 * (y.x + x.y) / i, 0.25 * (z.x + x.z) / i)
    } else if y.y > z.z {
      let j = 0.5 * (1 - x.x + y.y - z.z).squareRoot()
      self.init(0.25 * (z.x - x.z) / j, 0.25 * (y.x + x.y) / j, j, 0.25 * (z.y + y.z) / j)
    } else {
      let k = 0.5 * (1 - x.x - y.y + z.z).squareRoot()
      self.init(0.25 * (x.y - y.x) / k, 0.25 * (z.x + x.z) / k, 0.25 * (z.y + y.z) / k, k)
    }
  }
}

extension ModelSpecification.Pose {
  /// The pose of a frame that is given in this one; orientations are normalised.
  func appending(_ inner: Self) -> Self {
    let rotation = orientation.normalized
    return Self(
      position: position + rotation.rotate(inner.position),
      orientation: rotation * inner.orientation.normalized)
  }
}
