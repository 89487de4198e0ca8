public import Lanes

/// A compiled robot model: bodies, joints and actuators in the order and with the conventions of MuJoCo 3.12.
///
/// Body 0 is the world. Bodies, joints and degrees of freedom are sorted so that a parent stands before its
/// children. Quaternions are `w x y z`; angles are radians, lengths metres, masses kilograms.
///
/// A model is a value. Changing a field of a copy (a mass, a damping) changes just that field: constants
/// derived from it when the model was compiled (``Body/inverseWeight0``,
/// ``DegreeOfFreedom/inverseWeight0``, ``Tendon/inverseWeight0``, ``meanInertia``) stay as they were until
/// ``recomputeDerivedConstants()`` is called.
public struct Model: Sendable, Equatable {
  public var name: String
  public var options: SimulationOptions
  public var bodies: [Body]
  public var joints: [Joint]
  public var degreesOfFreedom: [DegreeOfFreedom]
  public var geoms: [Geom]
  public var sites: [Site]
  public var meshes: [Mesh]
  public var actuators: [Actuator]
  public var keyframes: [Keyframe]
  /// Geom pairs that are named explicitly, contact exclusions, equality constraints, tendons and sensors.
  public var contactPairs: [ContactPair]
  public var contactExclusions: [ContactExclusion]
  public var equalities: [Equality]
  public var tendons: [Tendon]
  public var sensors: [Sensor]
  /// Lengths of the position, velocity, activation and control vectors.
  public var positionCount: Int
  public var velocityCount: Int
  public var activationCount: Int
  public var controlCount: Int { actuators.count }
  /// The configuration in which the model is written (`qpos0`), and the one in which its springs rest
  /// (`qpos_spring`).
  public var defaultPosition: [Double]
  public var springPosition: [Double]
  /// Mean of the mass matrix's diagonal at ``defaultPosition`` (`stat.meaninertia`).
  public var meanInertia: Double
  /// What stands in the file and would change the motion, but has no place in the model's fields: the part of
  /// ``unsupported`` that does not change with them.
  public var unreadElements: [UnsupportedElement]
  /// What stands in the file and does not change the motion (sensors, cameras, lights, visuals).
  public var notEvaluated: [String]
  /// Doubtful but loadable content, for example an inertia that no body can have; each names the element.
  public var warnings: [String]

  public init() {
    name = ""
    options = SimulationOptions()
    bodies = []
    joints = []
    degreesOfFreedom = []
    geoms = []
    sites = []
    meshes = []
    actuators = []
    keyframes = []
    contactPairs = []
    contactExclusions = []
    equalities = []
    tendons = []
    sensors = []
    positionCount = 0
    velocityCount = 0
    activationCount = 0
    defaultPosition = []
    springPosition = []
    meanInertia = 0
    unreadElements = []
    notEvaluated = []
    warnings = []
  }
}

/// A rigid body.
public struct Body: Sendable, Equatable {
  public var name: String = ""
  /// Index of the parent; 0 for children of the world and for the world itself.
  public var parent: Int = 0
  /// Index of the topmost body of this body's kinematic tree (`body_rootid`), and of the body it is welded to
  /// (`body_weldid`).
  public var root: Int = 0
  public var weldedTo: Int = 0
  /// Pose of the body frame in its parent's frame, before the joints act.
  public var position: Vector3<Double> = .zero
  public var orientation: Quaternion<Double> = .identity
  /// Pose of the inertial frame in the body frame (`body_ipos`, `body_iquat`).
  public var inertialPosition: Vector3<Double> = .zero
  public var inertialOrientation: Quaternion<Double> = .identity
  public var mass: Double = 0
  /// Principal moments of inertia about the centre of mass, in the inertial frame.
  public var inertia: Vector3<Double> = .zero
  /// Mass of the body and all its descendants.
  public var subtreeMass: Double = 0
  /// Mean inverse inertia at ``Model/defaultPosition``: translation, rotation (`body_invweight0`).
  public var inverseWeight0: [Double] = [0, 0]
  /// Fraction of gravity that is compensated (`gravcomp`).
  public var gravityCompensation: Double = 0
  /// Index of the mocap body, if it is one.
  public var mocapIndex: Int? = nil
  public var joints: Range<Int> = 0..<0
  public var degreesOfFreedom: Range<Int> = 0..<0
  public var geoms: Range<Int> = 0..<0
  public init() {}
}

public enum JointType: String, Sendable, Equatable, Codable, CaseIterable {
  /// Three translations and a rotation: 7 positions, 6 velocities (linear in world axes, angular in body axes).
  case free
  /// A rotation: 4 positions, 3 velocities (angular, in body axes).
  case ball
  case slide
  case hinge

  public var positionCount: Int { self == .free ? 7 : self == .ball ? 4 : 1 }
  public var velocityCount: Int { self == .free ? 6 : self == .ball ? 3 : 1 }
}

/// A joint that is driven by another: `position = multiplier * source position + offset` (URDF `mimic`).
public struct Mimic: Sendable, Equatable {
  /// Index of the independent joint; never itself a mimic joint (chains are resolved when the model is read).
  public var source: Int
  public var multiplier: Double
  public var offset: Double
  public init(source: Int, multiplier: Double, offset: Double) {
    self.source = source
    self.multiplier = multiplier
    self.offset = offset
  }
}

/// A joint between a body and its parent. A body may have several; they act in order.
public struct Joint: Sendable, Equatable {
  public var name: String = ""
  public var type: JointType = .hinge
  public var body: Int = 0
  /// First index in the position and velocity vectors. A mimic joint has those of its source.
  public var positionAddress: Int = 0
  public var velocityAddress: Int = 0
  /// Anchor and (unit) axis in the body frame.
  public var position: Vector3<Double> = .zero
  public var axis: Vector3<Double> = Vector3(0, 0, 1)
  public var stiffness: Double = 0
  public var limited: Bool = false
  public var range: [Double] = [0, 0]
  public var margin: Double = 0
  public var limitSolverReference: [Double] = [0.02, 1]
  public var limitSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  public var actuatorForceLimited: Bool = false
  public var actuatorForceRange: [Double] = [0, 0]
  public var actuatorGravityCompensation: Bool = false
  public var mimic: Mimic? = nil
  public init() {}
}

/// One degree of freedom: one entry of the velocity vector.
public struct DegreeOfFreedom: Sendable, Equatable {
  public var body: Int = 0
  public var joint: Int = 0
  /// The degree of freedom before it on the way to the root (`dof_parentid`), or -1.
  public var parent: Int = -1
  public var armature: Double = 0
  public var damping: Double = 0
  public var frictionLoss: Double = 0
  public var frictionSolverReference: [Double] = [0.02, 1]
  public var frictionSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  /// Diagonals of the inverse mass matrix and of the mass matrix at ``Model/defaultPosition``
  /// (`dof_invweight0`, `dof_M0`).
  public var inverseWeight0: Double = 0
  public var inertia0: Double = 0
  public init() {}
}

public enum GeomType: String, Sendable, Equatable, Codable, CaseIterable {
  case plane, hfield, sphere, capsule, ellipsoid, cylinder, box, mesh, sdf
}

/// A shape attached to a body.
public struct Geom: Sendable, Equatable {
  public var name: String = ""
  public var type: GeomType = .sphere
  public var body: Int = 0
  public var mesh: Int? = nil
  /// Pose in the body frame; for a mesh, of the mesh's own inertial frame, as MuJoCo compiles it.
  public var position: Vector3<Double> = .zero
  public var orientation: Quaternion<Double> = .identity
  public var size: Vector3<Double> = .zero
  public var contactType: Int = 1
  public var contactAffinity: Int = 1
  public var contactDimension: Int = 3
  public var priority: Int = 0
  public var group: Int = 0
  public var friction: Vector3<Double> = Vector3(1, 0.005, 0.0001)
  public var solverMix: Double = 1
  public var solverReference: [Double] = [0.02, 1]
  public var solverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  public var margin: Double = 0
  public var gap: Double = 0
  /// The ellipsoid fluid model (`fluidshape="ellipsoid"`): its five coefficients, or nil.
  public var ellipsoidFluidCoefficients: [Double]? = nil
  public init() {}
}

/// A named frame on a body.
public struct Site: Sendable, Equatable {
  public var name: String = ""
  public var body: Int = 0
  public var position: Vector3<Double> = .zero
  public var orientation: Quaternion<Double> = .identity
  public init() {}
}

/// A triangle mesh in its inertial frame (centred, along its principal axes), with its convex hull.
public struct Mesh: Sendable, Equatable {
  public var name: String = ""
  public var file: String = ""
  public var vertices: [Vector3<Double>] = []
  public var triangles: [[Int32]] = []
  /// Hull faces, as indices into ``vertices``; empty where no hull was needed.
  public var hullTriangles: [[Int32]] = []
  /// Hull corner by hull corner, in Qhull's order as MuJoCo keeps it: the corner's index, then those of the corners with
  /// which it shares an edge of the triangulated hull; empty where no hull was needed.
  public var hullNeighbors: [[Int32]] = []
  /// Pose of the inertial frame in the file's frame (after scaling).
  public var inertialPosition: Vector3<Double> = .zero
  public var inertialOrientation: Quaternion<Double> = .identity
  public init() {}
}

public enum ActuatorTransmission: String, Sendable, Equatable, Codable {
  case joint, jointInParent, tendon, site, body, sliderCrank
}

public enum ActuatorDynamics: String, Sendable, Equatable, Codable {
  case none, integrator, filter, filterExact, muscle, user
}

public enum ActuatorGain: String, Sendable, Equatable, Codable { case fixed, affine, muscle, user }
public enum ActuatorBias: String, Sendable, Equatable, Codable { case none, affine, muscle, user }

/// An actuator: a control, optionally filtered by one activation, times a gain, plus a bias, through a
/// transmission with a gear.
public struct Actuator: Sendable, Equatable {
  public var name: String = ""
  public var transmission: ActuatorTransmission = .joint
  /// Index of the joint, tendon, site or body it acts on.
  public var target: Int = 0
  /// For a site, the site relative to which it acts (`refsite`), or nil.
  public var referenceSite: Int? = nil
  public var gear: [Double] = [1, 0, 0, 0, 0, 0]
  public var dynamics: ActuatorDynamics = .none
  public var gain: ActuatorGain = .fixed
  public var bias: ActuatorBias = .none
  public var dynamicsParameters: [Double] = [1, 0, 0]
  /// `gain = p[0]`, or `p[0] + p[1] * length + p[2] * velocity` where affine.
  public var gainParameters: [Double] = [1, 0, 0]
  /// `bias = p[0] + p[1] * length + p[2] * velocity` where affine.
  public var biasParameters: [Double] = [0, 0, 0]
  public var controlLimited: Bool = false
  public var controlRange: [Double] = [0, 0]
  public var forceLimited: Bool = false
  public var forceRange: [Double] = [0, 0]
  public var activationLimited: Bool = false
  public var activationRange: [Double] = [0, 0]
  /// Index in the activation vector, or nil for an actuator without activation.
  public var activationAddress: Int? = nil
  /// The force uses the activation at the end of the step (`actearly`).
  public var actsEarly: Bool = false
  public var group: Int = 0
  public init() {}
}

public struct Keyframe: Sendable, Equatable {
  public var name: String = ""
  public var time: Double = 0
  public var position: [Double] = []
  public var velocity: [Double] = []
  public var activation: [Double] = []
  public var control: [Double] = []
  public init() {}
}

/// Contact between two geoms that is asked for by name.
public struct ContactPair: Sendable, Equatable {
  public var name: String = ""
  public var geom1: Int = 0
  public var geom2: Int = 0
  public var contactDimension: Int = 3
  public var friction: [Double] = [1, 1, 0.005, 0.0001, 0.0001]
  public var solverReference: [Double] = [0.02, 1]
  public var solverReferenceFriction: [Double] = [0, 0]
  public var solverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  public var margin: Double = 0
  public var gap: Double = 0
  public init() {}
}

/// Two bodies whose geoms never touch.
public struct ContactExclusion: Sendable, Equatable {
  public var body1: Int = 0
  public var body2: Int = 0
  public init() {}
}

public enum EqualityType: String, Sendable, Equatable, Codable { case connect, weld, joint, tendon, other }

/// An equality constraint. `object1` and `object2` are bodies (or sites), joints or tendons by type; `data` is
/// MuJoCo's `eq_data`.
public struct Equality: Sendable, Equatable {
  public var name: String = ""
  public var type: EqualityType = .connect
  public var object1: Int = 0
  public var object2: Int? = nil
  /// A connect or weld joins sites, not bodies.
  public var joinsSites: Bool = false
  public var active: Bool = true
  public var data: [Double] = []
  public var solverReference: [Double] = [0.02, 1]
  public var solverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  public init() {}
}

/// A step of a spatial tendon's path.
public enum TendonPathElement: Sendable, Equatable {
  /// Index of a site through which the tendon goes.
  case site(Int)
  /// Index of a geom around which it wraps, and of the site that says on which side.
  case geom(Int, sideSite: Int?)
  /// What follows is a branch of its own, whose length counts divided by this number.
  case pulley(divisor: Double)
}

/// A straight piece of a spatial tendon between two sites; its length counts times the weight.
package struct TendonSegment: Sendable {
  package var first: Int
  package var second: Int
  package var weight: Double
}

/// A tendon. Fixed tendons are sums of joint positions; spatial ones are paths.
public struct Tendon: Sendable, Equatable {
  public var name: String = ""
  public var isFixed: Bool = true
  /// Of fixed tendons.
  public var joints: [Int] = []
  public var coefficients: [Double] = []
  /// Of spatial tendons.
  public var path: [TendonPathElement] = []
  public var limited: Bool = false
  public var range: [Double] = [0, 0]
  public var margin: Double = 0
  public var stiffness: Double = 0
  public var damping: Double = 0
  public var armature: Double = 0
  public var frictionLoss: Double = 0
  public var springLength: [Double] = [-1, -1]
  public var limitSolverReference: [Double] = [0.02, 1]
  public var limitSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  public var frictionSolverReference: [Double] = [0.02, 1]
  public var frictionSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
  /// Inverse inertia that the tendon meets at ``Model/defaultPosition`` (`tendon_invweight0`).
  public var inverseWeight0: Double = 0
  public init() {}

  /// Whether it is a path around geoms, which is not simulated.
  package var wraps: Bool {
    path.contains { if case .geom = $0 { true } else { false } }
  }

  /// The straight pieces of a path through sites and pulleys.
  package var segments: [TendonSegment] {
    var result: [TendonSegment] = []
    var weight = 1.0
    var previous: Int?
    for element in path {
      switch element {
      case .site(let site):
        if let previous { result.append(TendonSegment(first: previous, second: site, weight: weight)) }
        previous = site
      case .geom: previous = nil
      case .pulley(let divisor):
        weight = 1 / divisor
        previous = nil
      }
    }
    return result
  }
}

/// A sensor, kept by kind and name; sensors do not change the motion and are not evaluated.
public struct Sensor: Sendable, Equatable {
  public var name: String = ""
  public var kind: String = ""
  public init() {}
}

public enum Integrator: String, Sendable, Equatable, Codable, CaseIterable {
  case euler = "Euler"
  case rungeKutta4 = "RK4"
  case implicit = "implicit"
  case implicitFast = "implicitfast"
}

public enum FrictionCone: String, Sendable, Equatable, Codable { case pyramidal, elliptic }
public enum ConstraintSolver: String, Sendable, Equatable, Codable {
  case projectedGaussSeidel = "PGS"
  case conjugateGradient = "CG"
  case newton = "Newton"
}

/// Parts of the simulation that a file switches off (`<flag name="disable"/>`).
public struct DisabledFeatures: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let constraint = Self(rawValue: 1 << 0)
  public static let equality = Self(rawValue: 1 << 1)
  public static let frictionLoss = Self(rawValue: 1 << 2)
  public static let limit = Self(rawValue: 1 << 3)
  public static let contact = Self(rawValue: 1 << 4)
  public static let spring = Self(rawValue: 1 << 5)
  public static let damper = Self(rawValue: 1 << 6)
  public static let gravity = Self(rawValue: 1 << 7)
  public static let clampControl = Self(rawValue: 1 << 8)
  public static let warmStart = Self(rawValue: 1 << 9)
  public static let filterParent = Self(rawValue: 1 << 10)
  public static let actuation = Self(rawValue: 1 << 11)
  public static let referenceSafe = Self(rawValue: 1 << 12)
  public static let sensor = Self(rawValue: 1 << 13)
  public static let midPhase = Self(rawValue: 1 << 14)
  public static let eulerDamping = Self(rawValue: 1 << 15)
  public static let autoReset = Self(rawValue: 1 << 16)
  public static let nativeCollision = Self(rawValue: 1 << 17)
  public static let island = Self(rawValue: 1 << 18)
  public static let multiCCD = Self(rawValue: 1 << 19)
}

/// Parts that a file switches on (`<flag name="enable"/>`).
public struct EnabledFeatures: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let override = Self(rawValue: 1 << 0)
  public static let energy = Self(rawValue: 1 << 1)
  public static let forwardInverse = Self(rawValue: 1 << 2)
  public static let inverseDiscrete = Self(rawValue: 1 << 3)
  public static let sleep = Self(rawValue: 1 << 4)
}

/// The file's `<option>` element, with MuJoCo's defaults.
public struct SimulationOptions: Sendable, Equatable {
  public var timestep: Double = 0.002
  public var integrator: Integrator = .euler
  public var cone: FrictionCone = .pyramidal
  public var solver: ConstraintSolver = .newton
  public var gravity: Vector3<Double> = Vector3(0, 0, -9.81)
  public var wind: Vector3<Double> = .zero
  public var magnetic: Vector3<Double> = Vector3(0, -0.5, 0)
  public var density: Double = 0
  public var viscosity: Double = 0
  public var impedanceRatio: Double = 1
  public var tolerance: Double = 1e-8
  public var lineSearchTolerance: Double = 0.01
  public var iterations: Int = 100
  public var lineSearchIterations: Int = 50
  public var noSlipIterations: Int = 0
  public var disabled: DisabledFeatures = []
  public var enabled: EnabledFeatures = []
  /// Actuator groups that are switched off (bit per group).
  public var disabledActuatorGroups: UInt32 = 0
  public init() {}
}

/// Something in a model that is read but not simulated.
public struct UnsupportedElement: Sendable, Equatable, Hashable {
  /// The part of the physics it belongs to: what a caller names to go on without it.
  public enum Category: String, Sendable, Equatable, Codable, CaseIterable {
    case contact, limit, equality
    case frictionLoss = "frictionloss"
    case tendon, actuation, passive, other
  }
  public var category: Category
  /// Names the element and says what it is, for example `joint 'knee': limited`.
  public var description: String
  public init(category: Category, description: String) {
    self.category = category
    self.description = description
  }
}

extension Model {
  /// Bodies that are placed from outside (`mocap="true"`), in the order of ``Body/mocapIndex``.
  public var mocapBodies: [Int] { bodies.indices.filter { bodies[$0].mocapIndex != nil } }
  /// Where the model places them: position, then quaternion, seven numbers each.
  public var defaultMocapPoses: [Double] {
    mocapBodies.flatMap { bodies[$0].position.array + bodies[$0].orientation.array }
  }

  /// Index of the body, joint, geom, site or actuator of that name, or nil.
  public func bodyIndex(named name: String) -> Int? { bodies.firstIndex { $0.name == name } }
  public func jointIndex(named name: String) -> Int? { joints.firstIndex { $0.name == name } }
  public func geomIndex(named name: String) -> Int? { geoms.firstIndex { $0.name == name } }
  public func siteIndex(named name: String) -> Int? { sites.firstIndex { $0.name == name } }
  public func actuatorIndex(named name: String) -> Int? { actuators.firstIndex { $0.name == name } }
}
