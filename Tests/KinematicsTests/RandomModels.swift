import Costate
import TestSupport

/// Models of every joint type at random: several joints per body, anchors away from the origin, references, bodies
/// without joints, oblique and coordinate axes of either sign, and joints that mimic others before and after them.
struct RandomModel {
  var model: Model
  /// Frames on all bodies, the world among them, in random poses; the first is the world itself.
  var frames: [Frame]
  var random: SeededRandom

  init(seed: UInt64, bodies: Int = 9, hasFreeJoints: Bool = true) throws {
    var random = SeededRandom(seed: seed)
    func three(_ scale: Double) -> String {
      random.uniform(-scale, scale, count: 3).map { "\($0)" }.joined(separator: " ")
    }
    func orientation() -> String { "quat=\"\(random.uniform(0.3, 1)) \(three(1))\"" }
    let axes = ["1 0 0", "0 -1 0", "0 0 1", "0 0 -1", "-1 0 0", "0.3 -0.5 0.7", "0.2 0.4 -0.9"]

    var children = [[Int]](repeating: [], count: bodies)
    for body in 1..<bodies { children[Int(random.uniform(0, Double(body)))].append(body) }
    func text(_ body: Int) -> String {
      var joints = ""
      if body > 0 {
        let isTopmost = children[0].contains(body)
        if hasFreeJoints && isTopmost && random.uniform(0, 1) < 0.4 {
          joints = "<freejoint/>"
        } else {
          // A rotation after a ball joint would be refused: after one, only slides.
          var hasBall = false
          for _ in 0..<Int(random.uniform(0, 3.5)) {
            let axis = axes[Int(random.uniform(0, Double(axes.count)))]
            let drawn = ["hinge", "slide", "ball", "hinge"][Int(random.uniform(0, 4))]
            let kind = hasBall ? "slide" : drawn
            hasBall = hasBall || kind == "ball"
            let isScalar = kind != "ball"
            joints +=
              "<joint type=\"\(kind)\" pos=\"\(three(0.3))\""
              + (isScalar ? " axis=\"\(axis)\" ref=\"\(random.uniform(-0.5, 0.5))\"" : "") + "/>"
          }
        }
      }
      let inner =
        joints + "<site pos=\"\(three(0.2))\" \(orientation())/><geom size=\"0.1\"/>"
        + children[body].map(text).joined()
      return body == 0 ? inner : "<body pos=\"\(three(0.5))\" \(orientation())>\(inner)</body>"
    }
    var model = try Model(
      mjcf: "<mujoco><compiler angle=\"radian\"/><worldbody>\(text(0))</worldbody></mujoco>",
      name: "random.xml")

    // The vectors keep the entries of joints that become mimics; nothing reads them then.
    let scalars = model.joints.indices.filter { model.joints[$0].type.positionCount == 1 }
    if let source = scalars.randomElement(using: &random) {
      for joint in scalars where joint != source && random.uniform(0, 1) < 0.4 {
        model.joints[joint].mimic = Mimic(
          source: source, multiplier: random.uniform(-2, 2), offset: random.uniform(-1, 1))
        model.joints[joint].positionAddress = model.joints[source].positionAddress
        model.joints[joint].velocityAddress = model.joints[source].velocityAddress
      }
    }
    self.model = model
    frames = [.world] + Frame.bodies(of: model).dropFirst() + Frame.sites(of: model)
    self.random = random
  }

  /// Rows of positions; quaternions are not normalised.
  mutating func positions(_ count: Int) -> [Double] {
    random.uniform(-1.3, 1.3, count: count * model.positionCount)
  }
  /// Rows of directions, and of cotangents.
  mutating func tangents(_ count: Int) -> [Double] {
    random.uniform(-1, 1, count: count * model.velocityCount)
  }
  mutating func cotangents(_ count: Int, _ format: PoseFormat) -> [Double] {
    random.uniform(-1, 1, count: count * frames.count * format.width)
  }
}

extension Model {
  /// Positions moved along a tangent direction: rotations turn by `exp` in the joint's own frame.
  func moved(_ positions: [Double], along tangents: [Double], by e: Double) -> [Double] {
    var result = positions
    let count = positionCount == 0 ? 0 : positions.count / positionCount
    for row in 0..<count {
      for joint in joints where joint.mimic == nil {
        var (q, v) = (
          row * positionCount + joint.positionAddress, row * velocityCount + joint.velocityAddress
        )
        let translations = joint.type == .free ? 3 : joint.type == .ball ? 0 : 1
        for k in 0..<translations { result[q + k] += e * tangents[v + k] }
        if joint.type == .free || joint.type == .ball {
          q += translations
          v += translations
          let turn = Quaternion(
            rotationVector: Vector3(tangents[v], tangents[v + 1], tangents[v + 2]) * e)
          let next = Quaternion(positions[q], positions[q + 1], positions[q + 2], positions[q + 3]) * turn
          for (k, x) in next.array.enumerated() { result[q + k] = x }
        }
      }
    }
    return result
  }
}

/// The scalar product of two vectors.
func dot(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count)
  return zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}

/// The sum of the products' sizes: what rounding errors of the scalar product scale with.
func dotSize(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + abs($1.0 * $1.1) } }

/// How poses change with given velocities of the frames' origins and axes (worldAligned, linear rows first).
func poseRates(_ poses: [Double], velocities: [Double], format: PoseFormat) -> [Double] {
  let width = format.width
  return stride(from: 0, to: poses.count / width, by: 1).flatMap { f -> [Double] in
    let v = Array(velocities[(6 * f)..<(6 * f + 6)])
    let w = Vector3(v[3], v[4], v[5])
    let pose = Array(poses[(f * width)..<(f * width + width)])
    if format == .positionQuaternion {
      let q = Quaternion(pose[3], pose[4], pose[5], pose[6])
      return v[0..<3] + (Quaternion(0, w * 0.5) * q).array
    }
    var rate = [Double](repeating: 0, count: width)
    for k in 0..<3 {
      let turned = w.cross(Vector3(pose[k], pose[4 + k], pose[8 + k]))
      for r in 0..<3 { rate[4 * r + k] = turned[r] }
      rate[4 * k + 3] = v[k]
    }
    return rate
  }
}
