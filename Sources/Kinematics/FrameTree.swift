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
  /// First of the joint's columns among those of all joints, mimics included.
  var column: Int32
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

/// Where a body's placement in its parent acts.
struct BodyPlacement<Scalar: Sendable>: Sendable {
  var body: Int32
  /// The element that carries the parent, and the body's first own element.
  var parentElement: Int32
  var firstElement: Int32
  /// In the frame of `parentElement`: the parent body's orientation, and the body's pose before its joints act.
  var parentRotation: Constant9<Scalar>
  var rotation: Constant9<Scalar>
  var position: Constant3<Scalar>
}

/// What relates an element to its joint's parameters.
struct ElementParameters<Scalar: Sendable>: Sendable {
  /// The element's orientation in the frame of its body.
  var bodyRotation: Constant9<Scalar>
  /// -1 where the element turns against the joint's axis.
  var sign: Scalar

  init(bodyRotation: Quaternion<Double>, sign: Double) where Scalar: BinaryFloatingPoint {
    self.bodyRotation = Constant9(bodyRotation.matrix)
    self.sign = Scalar(sign)
  }
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
/// stands after its parent. Bodies without joints are merged into the element that carries them (unless their placements
/// are asked for), and joints that carry none of the frames are left out.
final class FrameTree<Scalar: LaneScalar>: Sendable {
  let elements: ConstantBuffer<FrameElement<Scalar>>
  let frames: ConstantBuffer<FrameConstant<Scalar>>
  let paths: ConstantBuffer<Int32>
  let positionCount: Int
  let velocityCount: Int
  /// Degrees of freedom of all joints, mimics included.
  let columnCount: Int
  let hasQuaternions: Bool
  /// What the gradient of parameters needs besides; empty unless asked for.
  let placements: ConstantBuffer<BodyPlacement<Scalar>>
  let elementParameters: ConstantBuffer<ElementParameters<Scalar>>
  let frameBodyRotations: ConstantBuffer<Constant9<Scalar>>

  /// - Parameter keepsParameters: bodies are not merged, so that the placement of each has an element, and the
  ///   constants that the gradient of parameters needs are kept.
  /// - Complexity: O(bodies + joints + frames x depth).
  init(_ model: Model, frames: [Frame], keepsParameters: Bool = false) {
    var needed = [Bool](repeating: false, count: model.bodies.count)
    for frame in frames {
      var body = frame.body
      while body != 0, !needed[body] {
        needed[body] = true
        body = model.bodies[body].parent
      }
    }

    let columns = model.jointColumns
    var elements: [FrameElement<Scalar>] = [
      Self.makeElement(.fixed, parent: 0, pose: ConstantPose())
    ]
    var elementParameters = [ElementParameters<Scalar>(bodyRotation: .identity, sign: 1)]
    var placements: [BodyPlacement<Scalar>] = []
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
      // A free joint replaces its body's placement.
      if !isFree {
        placements.append(
          BodyPlacement(
            body: Int32(index), parentElement: Int32(parentElement), firstElement: Int32(elements.count),
            parentRotation: Constant9(parentPose.rotation.matrix), rotation: Constant9(pose.rotation.matrix),
            position: Constant3(pose.position)))
      }
      if body.joints.isEmpty && keepsParameters {
        elements.append(Self.makeElement(.fixed, parent: element, pose: pose))
        elementParameters.append(ElementParameters(bodyRotation: .identity, sign: 1))
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
        next.column = Int32(columns[jointIndex])
        next.axis = Constant3(joint.axis)
        if joint.type.positionCount == 1 {
          let offset = (joint.mimic?.offset ?? 0) - model.referencePosition(ofJoint: jointIndex)
          next.multiplier = Scalar(local.sign * (joint.mimic?.multiplier ?? 1))
          next.offset = Scalar(local.sign * offset)
        }
        elements.append(next)
        elementParameters.append(ElementParameters(bodyRotation: local.pose.rotation, sign: local.sign))
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
    self.placements = ConstantBuffer(keepsParameters ? placements : [])
    self.elementParameters = ConstantBuffer(keepsParameters ? elementParameters : [])
    frameBodyRotations = ConstantBuffer(
      keepsParameters ? frames.map { Constant9(bodyPose[$0.body].rotation.matrix) } : [])
    positionCount = model.positionCount
    velocityCount = model.velocityCount
    columnCount = columns.last!
    hasQuaternions = elements.contains { $0.kind == .free || $0.kind == .ball }
  }

  private static func makeElement(
    _ kind: FrameElement<Scalar>.Kind, parent: Int, pose: ConstantPose
  ) -> FrameElement<Scalar> {
    FrameElement(
      kind: kind, parent: Int32(parent), joint: -1, positionAddress: 0, velocityAddress: 0, column: 0,
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

extension Model {
  /// For each joint, degrees of freedom of the joints before it, mimics included; and their number.
  var jointColumns: [Int] {
    joints.reduce(into: [0]) { $0.append($0.last! + $1.type.velocityCount) }
  }
}
