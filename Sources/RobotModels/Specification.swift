import Lanes

/// What a robot file says, before it is compiled into a ``Model``: elements by name, in the file's order, with
/// MuJoCo's defaults.
///
/// Readers fill it in; ``ModelCompiler`` checks and compiles it. Angles are radians, orientations quaternions
/// (any length but zero) whatever form the file gives them in, default classes are resolved, and every element
/// carries the place where it stands.
struct ModelSpecification: Sendable {
  var name = ""
  /// Where the root element stands.
  var location: ModelError.Location
  var compiler = CompilerSettings()
  var options = SimulationOptions()
  /// All bodies, a parent before its children, children of one parent in the file's order. Body 0 is the
  /// world.
  var bodies: [Body]
  var meshes: [Mesh] = []
  var actuators: [Actuator] = []
  var tendons: [Tendon] = []
  var equalities: [Equality] = []
  var contactPairs: [ContactPair] = []
  var contactExclusions: [ContactExclusion] = []
  var keyframes: [Keyframe] = []
  var sensors: [Sensor] = []
  /// Names of bodies that something outside the specification refers to (targets of cameras and lights, objects
  /// of sensors, the body of a force or torque sensor's site); `fuseStatic` keeps them.
  var referencedBodies: Set<String> = []
  /// Names of geoms that something outside the specification refers to; `discardVisual` keeps them.
  var referencedGeoms: Set<String> = []
  /// `<statistic meaninertia>`; nil takes the computed value.
  var meanInertia: Double? = nil
  /// Keyframes are filled up with defaults to this number (`<size nkey>`).
  var minimumKeyframeCount = 0
  /// What the reader met and nothing below simulates; the compiler adds to it.
  var unsupported: [UnsupportedElement] = []
  /// What the reader met that does not change the motion.
  var notEvaluated: [String] = []
  var warnings: [String] = []

  /// A specification that holds the world only.
  init(location: ModelError.Location) {
    self.location = location
    var world = Body(location: location)
    world.name = "world"
    bodies = [world]
  }
}

extension ModelSpecification {
  /// Yes, no, or yes where the element gives a range (`limited="auto"`).
  enum Limited: Sendable, Equatable { case no, yes, automatic }

  /// A rigid transform: a frame in the frame it is given in.
  struct Pose: Sendable, Equatable {
    var position: Vector3<Double> = .zero
    var orientation: Quaternion<Double> = .identity
  }

  /// The `<compiler>` element. Directories, angle units and Euler sequences are the reader's own affair.
  struct CompilerSettings: Sendable {
    enum InertiaFromGeom: Sendable, Equatable { case no, yes, automatic }
    var inertiaFromGeom = InertiaFromGeom.automatic
    var inertiaGroupRange = 0...5
    var boundMass = 0.0
    var boundInertia = 0.0
    /// Makes an inertia that violates `A + B >= C` a ball's of the same trace instead of refusing it.
    var balanceInertia = false
    /// The mass that the whole model is scaled to; nil keeps it.
    var totalMass: Double? = nil
    var autoLimits = true
    var alignFree = false
    var fuseStatic = false
    /// Fits primitives to a mesh's bounding box instead of to the box with its inertia (`fitaabb`).
    var fitsBoundingBox = false
    /// Drops geoms that neither collide nor carry mass (`contype` and `conaffinity` zero).
    var discardVisual = false
    /// How a doubtful element is met.
    enum Severity: Sendable, Equatable { case error, warning }
    /// For an inertia that no body can have. In MJCF it is an error, as in MuJoCo; in URDF a warning, unless the
    /// caller wants files read strictly.
    var impossibleInertia = Severity.error
    /// For a moving body without mass, where something that moves with it has mass. In MJCF it is an error, as
    /// in MuJoCo.
    var masslessMovingBody = Severity.error
  }
}
