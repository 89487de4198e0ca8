public import Lanes
public import RobotModels

/// A joint as kernels see it.
public struct KernelJoint<Scalar: Sendable>: Sendable {
  /// How the joint moves; hinges along a frame axis have cheaper rotations than general ones.
  public enum Kind: Int32, Sendable {
    case free, ball, slide, hingeX, hingeY, hingeZ, hinge
  }
  public var kind: Kind
  /// The link it moves and the model's joint.
  public var link: Int32
  public var modelJoint: Int32
  /// First index in the position vector, in the velocity vector, and among the tree's joint directions.
  public var positionAddress: Int32
  public var velocityAddress: Int32
  public var direction: Int32
  /// The place of a hinge among the tree's hinges.
  public var hinge: Int32
  public var isMimic: Bool
  /// Whether nothing before it turns: there are only slides between the world and it.
  public var startsFromRest: Bool
  public var hasPosition: Bool
  /// Anchor and axis in the link frame.
  public var position: Constant3<Scalar>
  public var axis: Constant3<Scalar>
  /// Displacement = `multiplier * q + offset`; 1 and minus the reference position unless the joint is a mimic.
  public var multiplier: Scalar
  public var offset: Scalar
}

/// A link as kernels see it: a body with joints, together with the bodies welded to it.
public struct KernelLink<Scalar: Sendable>: Sendable {
  public var parent: Int32
  /// The topmost link of its tree; spatial vectors of the tree are taken about that link's origin.
  public var root: Int32
  public var jointStart: Int32
  public var jointEnd: Int32
  public var directionStart: Int32
  public var directionEnd: Int32
  public var hasChildren: Bool
  /// Whether none of its parent's children comes after it: the first that a sweep from the leaves meets.
  public var isLastChild: Bool
  /// Index of the mocap body that the link is, or -1: such a link has no joints, and its pose may come from outside.
  public var mocap: Int32
  public var hasRotation: Bool
  public var rotation: Constant9<Scalar>
  public var position: Constant3<Scalar>
  public var mass: Scalar
  /// Centre of mass, and rotational inertia about it, in the link frame.
  public var center: Constant3<Scalar>
  public var inertia: Constant6<Scalar>
}

/// The topology and constants of a model, flattened for kernels.
///
/// Bodies without joints are welded to the link that carries them, so kernels only visit links that move;
/// link 0 is the world with everything fixed to it. Mocap bodies are links without joints. A joint direction is one column of the Jacobian; directions
/// and degrees of freedom are the same but for mimic joints, whose directions feed the degree of freedom of
/// their source.
public final class KinematicTree<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  public let links: ConstantBuffer<KernelLink<Scalar>>
  public let joints: ConstantBuffer<KernelJoint<Scalar>>
  /// For each direction: its degree of freedom, its link, and the direction before it on the way to the root
  /// (-1 at the root).
  public let directionDegreeOfFreedom: ConstantBuffer<Int32>
  public let directionLink: ConstantBuffer<Int32>
  public let directionParent: ConstantBuffer<Int32>
  /// For each body: its link and its pose in the link frame.
  public let bodyLink: [Int]
  public let bodyPosition: [Vector3<Double>]
  public let bodyOrientation: [Quaternion<Double>]
  public let positionCount: Int
  public let velocityCount: Int
  public let hingeCount: Int
  public let hasMimic: Bool
  /// For each joint of the model, its kernel joint.
  public let jointOfModelJoint: [Int]

  public var linkCount: Int { links.count }

  /// The last direction on the way from the root to a link, or -1.
  public func lastDirection(ofLink link: Int) -> Int {
    var link = link
    while link != 0 {
      if links[link].directionEnd > links[link].directionStart { return Int(links[link].directionEnd) - 1 }
      link = Int(links[link].parent)
    }
    return -1
  }
  public var directionCount: Int { directionDegreeOfFreedom.count }

  /// - Complexity: O(bodies + joints).
  public init(_ model: Model) {
    let bodyCount = model.bodies.count
    var bodyLink = [Int](repeating: 0, count: bodyCount)
    var bodyPosition = [Vector3<Double>](repeating: .zero, count: bodyCount)
    var bodyOrientation = [Quaternion<Double>](repeating: .identity, count: bodyCount)
    var links: [KernelLink<Scalar>] = []
    var joints: [KernelJoint<Scalar>] = []
    var directionDegreeOfFreedom: [Int32] = []
    var directionLink: [Int32] = []
    var directionParent: [Int32] = []
    var lastDirection: [Int32] = []
    var turns: [Bool] = []
    var hingeCount = 0
    var jointOfModelJoint = [Int](repeating: 0, count: model.joints.count)

    func makeLink(_ parent: Int, rotation: Matrix3<Double>, position: Vector3<Double>) -> KernelLink<Scalar> {
      KernelLink(
        parent: Int32(parent), root: Int32(links.count), jointStart: Int32(joints.count),
        jointEnd: Int32(joints.count), directionStart: Int32(directionDegreeOfFreedom.count),
        directionEnd: Int32(directionDegreeOfFreedom.count), hasChildren: false, isLastChild: false,
        mocap: -1,
        hasRotation: rotation != .identity,
        rotation: Constant9(rotation), position: Constant3(position), mass: 0,
        center: Constant3(.zero), inertia: Constant6(.zero))
    }
    links.append(makeLink(0, rotation: .identity, position: .zero))
    lastDirection.append(-1)
    turns.append(false)

    for index in 1..<max(bodyCount, 1) {
      let body = model.bodies[index]
      let parent = body.parent
      let parentLink = bodyLink[parent]
      let frame = bodyOrientation[parent]
      let orientation = (frame * body.orientation).normalized
      let position = bodyPosition[parent] + frame.rotate(body.position)
      guard !body.joints.isEmpty || body.mocapIndex != nil else {
        bodyLink[index] = parentLink
        bodyPosition[index] = position
        bodyOrientation[index] = orientation
        continue
      }
      let linkIndex = links.count
      bodyLink[index] = linkIndex
      let isFree = !body.joints.isEmpty && model.joints[body.joints.lowerBound].type == .free
      var link = makeLink(
        parentLink, rotation: isFree ? .identity : orientation.matrix, position: isFree ? .zero : position)
      link.mocap = Int32(body.mocapIndex ?? -1)
      link.root = parentLink == 0 ? Int32(linkIndex) : links[parentLink].root
      var direction = lastDirection[parentLink]
      var isTurning = turns[parentLink]
      for jointIndex in body.joints {
        let joint = model.joints[jointIndex]
        let kind: KernelJoint<Scalar>.Kind
        switch joint.type {
        case .free: kind = .free
        case .ball: kind = .ball
        case .slide: kind = .slide
        case .hinge:
          kind =
            joint.axis == Vector3(1, 0, 0)
            ? .hingeX
            : joint.axis == Vector3(0, 1, 0) ? .hingeY : joint.axis == Vector3(0, 0, 1) ? .hingeZ : .hinge
        }
        let reference = joint.type.positionCount == 1 ? model.referencePosition(ofJoint: jointIndex) : 0
        jointOfModelJoint[jointIndex] = joints.count
        joints.append(
          KernelJoint(
            kind: kind, link: Int32(linkIndex), modelJoint: Int32(jointIndex),
            positionAddress: Int32(joint.positionAddress), velocityAddress: Int32(joint.velocityAddress),
            direction: Int32(directionDegreeOfFreedom.count), hinge: Int32(hingeCount),
            isMimic: joint.mimic != nil, startsFromRest: !isTurning,
            hasPosition: joint.position != .zero && joint.type != .slide && joint.type != .free,
            position: Constant3(joint.position), axis: Constant3(joint.axis),
            multiplier: Scalar(joint.mimic?.multiplier ?? 1),
            offset: Scalar((joint.mimic?.offset ?? 0) - reference)))
        if joint.type == .hinge { hingeCount += 1 }
        if joint.type != .slide { isTurning = true }
        for k in 0..<joint.type.velocityCount {
          directionParent.append(direction)
          direction = Int32(directionDegreeOfFreedom.count)
          directionDegreeOfFreedom.append(Int32(joint.velocityAddress + k))
          directionLink.append(Int32(linkIndex))
        }
      }
      link.jointEnd = Int32(joints.count)
      link.directionEnd = Int32(directionDegreeOfFreedom.count)
      links.append(link)
      lastDirection.append(direction)
      turns.append(isTurning)
    }

    for index in links.indices.dropFirst().reversed() {
      let parent = Int(links[index].parent)
      links[index].isLastChild = !links[parent].hasChildren
      links[parent].hasChildren = true
    }

    // The inertia of a link is the sum of its bodies', about their common centre of mass.
    var mass = [Double](repeating: 0, count: links.count)
    var moment = [Vector3<Double>](repeating: .zero, count: links.count)
    for index in 0..<bodyCount {
      let body = model.bodies[index]
      let center = bodyPosition[index] + bodyOrientation[index].rotate(body.inertialPosition)
      mass[bodyLink[index]] += body.mass
      moment[bodyLink[index]] += center * body.mass
    }
    var inertia = [Matrix3<Double>](repeating: .zero, count: links.count)
    for index in 0..<bodyCount {
      let body = model.bodies[index]
      let link = bodyLink[index]
      let linkCenter = mass[link] > 0 ? moment[link] / mass[link] : .zero
      let axes = (bodyOrientation[index] * body.inertialOrientation).normalized.matrix
      let principal = body.inertia
      let offset = bodyPosition[index] + bodyOrientation[index].rotate(body.inertialPosition) - linkCenter
      let scaled = Matrix3(
        columns: axes.column0 * principal.x, axes.column1 * principal.y, axes.column2 * principal.z)
      let square = offset.normSquared * body.mass
      var term = scaled * axes.transposed
      for r in 0..<3 {
        for c in 0..<3 {
          term[r, c] += (r == c ? square : 0) - body.mass * offset[r] * offset[c]
        }
      }
      inertia[link] = inertia[link] + term
    }
    for index in links.indices {
      links[index].mass = Scalar(mass[index])
      links[index].center = Constant3(mass[index] > 0 ? moment[index] / mass[index] : .zero)
      links[index].inertia = Constant6(inertia[index])
    }

    self.links = ConstantBuffer(links)
    self.joints = ConstantBuffer(joints)
    self.directionDegreeOfFreedom = ConstantBuffer(directionDegreeOfFreedom)
    self.directionLink = ConstantBuffer(directionLink)
    self.directionParent = ConstantBuffer(directionParent)
    self.bodyLink = bodyLink
    self.bodyPosition = bodyPosition
    self.bodyOrientation = bodyOrientation
    self.jointOfModelJoint = jointOfModelJoint
    positionCount = model.positionCount
    velocityCount = model.velocityCount
    self.hingeCount = hingeCount
    hasMimic = model.joints.contains { $0.mimic != nil }
  }
}

extension Model {
  /// The position at which a slide or hinge joint leaves its body where the model places it (`ref`); zero for
  /// a mimic joint, whose own offset says it.
  func referencePosition(ofJoint index: Int) -> Double {
    let joint = joints[index]
    return joint.mimic == nil ? defaultPosition[joint.positionAddress] : 0
  }
}
