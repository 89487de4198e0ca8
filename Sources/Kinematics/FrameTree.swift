import Lanes
import RobotModels

/// One joint, with the frame that it moves, as the frame kernels see it. The frame's origin is the joint's
/// anchor, and a hinge turns about one of its coordinate axes: the poses that come before and after take up
/// the difference, so that kernels have no anchors and no general axes.
struct FrameElement<Scalar: Sendable>: Sendable {
  enum Kind: Int32, Sendable {
    case fixed, free, ball, slide, hingeX, hingeY, hingeZ
  }
  var kind: Kind
  var parent: Int32
  /// The model's joint; -1 where the element is fixed.
  var joint: Int32
  var positionAddress: Int32
  var velocityAddress: Int32
  var hasRotation: Bool
  var hasPosition: Bool
  /// Pose in the parent element's frame before the joint acts.
  var rotation: Constant9<Scalar>
  var quaternion: Constant4<Scalar>
  var position: Constant3<Scalar>
  /// Direction of a slide joint, in the element's frame.
  var axis: Constant3<Scalar>
  /// Displacement about the element's axis = `multiplier * q + offset`. The multiplier is negative where the
  /// joint's own axis is the opposite.
  var multiplier: Scalar
  var offset: Scalar
}

/// A frame as kernels see it: its pose on an element.
struct FrameConstant<Scalar: Sendable>: Sendable {
  var element: Int32
  var hasRotation: Bool
  var hasPosition: Bool
  var rotation: Constant9<Scalar>
  var quaternion: Constant4<Scalar>
  var position: Constant3<Scalar>
  /// Its elements from the root to itself, as a range in ``FrameTree/paths``.
  var pathStart: Int32
  var pathEnd: Int32
}

/// Four numbers that all worlds share: a quaternion.
struct Constant4<Scalar: Sendable>: Sendable {
  var w: Scalar
  var x: Scalar
  var y: Scalar
  var z: Scalar
  init(_ q: Quaternion<Double>) where Scalar: BinaryFloatingPoint {
    w = Scalar(q.w)
    x = Scalar(q.x)
    y = Scalar(q.y)
    z = Scalar(q.z)
  }
}

extension Quaternion {
  /// The same quaternion in every lane.
  @inline(__always) init(broadcasting c: Constant4<L.Scalar>) {
    self.init(
      L(broadcasting: c.w), L(broadcasting: c.x), L(broadcasting: c.y), L(broadcasting: c.z))
  }
}

/// A pose that all worlds share, in double precision.
struct ConstantPose {
  var rotation = Quaternion<Double>.identity
  var position = Vector3<Double>.zero

  static func * (a: Self, b: Self) -> Self {
    Self(
      rotation: (a.rotation * b.rotation).normalized, position: a.position + a.rotation.rotate(b.position))
  }
}

/// The joints that carry a set of frames, flattened for kernels.
///
/// Element 0 is the world. Each further element is one joint (a body with several is a chain of elements) and
/// stands after its parent. Bodies without joints are merged into the element that carries them, and joints
/// that carry none of the frames are left out, unless every body is asked for.
final class FrameTree<Scalar: LaneScalar>: Sendable {
  let elements: ConstantBuffer<FrameElement<Scalar>>
  let frames: ConstantBuffer<FrameConstant<Scalar>>
  let paths: ConstantBuffer<Int32>
  let positionCount: Int
  let velocityCount: Int
  let hasQuaternions: Bool
  /// For each body whose placement in its parent is a parameter: only where every body is kept.
  let placements: [BodyPlacement]
  /// For each element, the rotation from its frame to that of its body.
  let bodyRotations: [Quaternion<Double>]
  /// For each frame, the orientation of its body in its element's frame.
  let frameBodyRotations: [Quaternion<Double>]

  /// Where a body's placement acts.
  struct BodyPlacement: Sendable {
    /// The element that carries the parent, and the body's first own element.
    var parentElement: Int
    var firstElement: Int
    /// The parent body's and the body's pose (before its joints act) in the frame of `parentElement`.
    var parent: ConstantPose
    var body: ConstantPose
    /// Whether the placement has an effect: a free joint replaces it.
    var acts: Bool
  }

  /// - Parameter keepsEveryBody: no body is merged or left out, so that each body's placement has an element.
  /// - Complexity: O(bodies + joints + frames x depth).
  init(_ model: Model, frames: [Frame], keepsEveryBody: Bool = false) {
    var needed = [Bool](repeating: keepsEveryBody, count: model.bodies.count)
    for frame in frames {
      var body = frame.body
      while body != 0, !needed[body] {
        needed[body] = true
        body = model.bodies[body].parent
      }
    }

    var elements: [FrameElement<Scalar>] = [
      Self.makeElement(.fixed, parent: 0, pose: ConstantPose())
    ]
    var bodyRotations: [Quaternion<Double>] = [.identity]
    var placements = [
      BodyPlacement(
        parentElement: 0, firstElement: 0, parent: ConstantPose(), body: ConstantPose(), acts: false)
    ]
    // For each body: its element, and its pose in the element's frame.
    var bodyElement = [Int](repeating: 0, count: model.bodies.count)
    var bodyPose = [ConstantPose](repeating: ConstantPose(), count: model.bodies.count)

    for index in 1..<max(model.bodies.count, 1) where needed[index] {
      let body = model.bodies[index]
      let parentElement = bodyElement[body.parent]
      let parentPose = bodyPose[body.parent]
      var element = parentElement
      var pose = parentPose * ConstantPose(rotation: body.orientation, position: body.position)
      let isFree = body.joints.first.map { model.joints[$0].type == .free } ?? false
      placements.append(
        BodyPlacement(
          parentElement: parentElement, firstElement: elements.count, parent: parentPose, body: pose,
          acts: !isFree))
      if body.joints.isEmpty && keepsEveryBody {
        elements.append(Self.makeElement(.fixed, parent: element, pose: pose))
        bodyRotations.append(.identity)
        element = elements.count - 1
        pose = ConstantPose()
      }
      for jointIndex in body.joints {
        let joint = model.joints[jointIndex]
        let local = Self.localFrame(of: joint)
        var next = Self.makeElement(local.kind, parent: element, pose: pose * local.pose)
        next.joint = Int32(jointIndex)
        next.positionAddress = Int32(joint.positionAddress)
        next.velocityAddress = Int32(joint.velocityAddress)
        next.axis = Constant3(joint.axis)
        if joint.type.positionCount == 1 {
          let offset = (joint.mimic?.offset ?? 0) - model.referencePosition(ofJoint: jointIndex)
          next.multiplier = Scalar(local.sign * (joint.mimic?.multiplier ?? 1))
          next.offset = Scalar(local.sign * offset)
        }
        elements.append(next)
        bodyRotations.append(local.pose.rotation)
        element = elements.count - 1
        let inverse = local.pose.rotation.conjugate
        pose = ConstantPose(rotation: inverse, position: -inverse.rotate(local.pose.position))
      }
      bodyElement[index] = element
      bodyPose[index] = pose
    }

    var paths: [Int32] = []
    var constants: [FrameConstant<Scalar>] = []
    for frame in frames {
      let pose =
        bodyPose[frame.body]
        * ConstantPose(rotation: frame.orientation.normalized, position: frame.position)
      let start = paths.count
      var element = bodyElement[frame.body]
      while element != 0 {
        paths.append(Int32(element))
        element = Int(elements[element].parent)
      }
      paths[start...].reverse()
      constants.append(
        FrameConstant(
          element: Int32(bodyElement[frame.body]), hasRotation: pose.rotation != .identity,
          hasPosition: pose.position != .zero, rotation: Constant9(pose.rotation.matrix),
          quaternion: Constant4(pose.rotation), position: Constant3(pose.position),
          pathStart: Int32(start), pathEnd: Int32(paths.count)))
    }

    self.elements = ConstantBuffer(elements)
    self.frames = ConstantBuffer(constants)
    self.paths = ConstantBuffer(paths)
    self.placements = keepsEveryBody ? placements : []
    self.bodyRotations = bodyRotations
    frameBodyRotations = frames.map { bodyPose[$0.body].rotation }
    positionCount = model.positionCount
    velocityCount = model.velocityCount
    hasQuaternions = elements.contains { $0.kind == .free || $0.kind == .ball }
  }

  private static func makeElement(
    _ kind: FrameElement<Scalar>.Kind, parent: Int, pose: ConstantPose
  ) -> FrameElement<Scalar> {
    FrameElement(
      kind: kind, parent: Int32(parent), joint: -1, positionAddress: 0, velocityAddress: 0,
      hasRotation: pose.rotation != .identity, hasPosition: pose.position != .zero,
      rotation: Constant9(pose.rotation.matrix), quaternion: Constant4(pose.rotation),
      position: Constant3(pose.position),
      axis: Constant3(.zero), multiplier: 1, offset: 0)
  }

  /// The element's frame in that of the body, and whether it turns against the joint's axis.
  private static func localFrame(
    of joint: Joint
  ) -> (kind: FrameElement<Scalar>.Kind, pose: ConstantPose, sign: Double) {
    let anchor = ConstantPose(position: joint.position)
    switch joint.type {
    case .free: return (.free, ConstantPose(), 1)
    case .ball: return (.ball, anchor, 1)
    case .slide: return (.slide, ConstantPose(), 1)
    case .hinge:
      let a = joint.axis
      if a.y == 0 && a.z == 0 { return (.hingeX, anchor, a.x < 0 ? -1 : 1) }
      if a.x == 0 && a.z == 0 { return (.hingeY, anchor, a.y < 0 ? -1 : 1) }
      if a.x == 0 && a.y == 0 { return (.hingeZ, anchor, a.z < 0 ? -1 : 1) }
      // The shortest rotation that takes z, or -z where that is nearer, to the axis.
      let sign: Double = a.z < 0 ? -1 : 1
      let turn = Quaternion<Double>(1 + sign * a.z, -sign * a.y, sign * a.x, 0).normalized
      return (.hingeZ, ConstantPose(rotation: turn, position: joint.position), sign)
    }
  }
}
