import Lanes

extension ModelSpecification {
  /// A mesh as loaded: scaled, and moved by `refpos` and `refquat`.
  struct Mesh: Sendable {
    var name = ""
    var location: ModelError.Location
    /// The file it was read from, for messages.
    var file = ""
    var vertices: [Vector3<Double>] = []
    var triangles: [[Int32]] = []
    /// Hull faces as indices into ``vertices``; empty where no hull was needed.
    var hullTriangles: [[Int32]] = []
    var hullNeighbors: [[Int32]] = []
    /// Why a hull that was asked for does not exist; an error where a geom of the mesh can touch others.
    var hullProblem: String? = nil
    /// Volume (area where the mesh's inertia is a shell's), centre and inertia for unit density; nil where
    /// the file is missing.
    var properties: MassProperties? = nil
    /// The mesh is a shell (`inertia="shell"`), so density counts per area.
    var isShell = false
    init(location: ModelError.Location) { self.location = location }
  }

  struct Actuator: Sendable {
    var name = ""
    var location: ModelError.Location
    var transmission = ActuatorTransmission.joint
    /// Name of the joint, tendon, site or body it acts on; for a slider-crank, of the crank site.
    var target = ""
    /// Name of the site relative to which a site is acted on; empty for none.
    var referenceSite = ""
    var gear: [Double] = [1, 0, 0, 0, 0, 0]
    var dynamics = ActuatorDynamics.none
    var gain = ActuatorGain.fixed
    var bias = ActuatorBias.none
    /// Ten numbers each, as in MuJoCo. A position servo with a damping ratio has it as a positive
    /// `biasParameters[2]` beside `gainParameters[0] == -biasParameters[1]`.
    var dynamicsParameters: [Double] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    var gainParameters: [Double] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    var biasParameters: [Double] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    /// The control range is the target's range times this, about its middle; zero where not asked for.
    var inheritRange = 0.0
    var controlLimited = Limited.automatic
    var controlRange: [Double] = [0, 0]
    var forceLimited = Limited.automatic
    var forceRange: [Double] = [0, 0]
    var activationLimited = Limited.automatic
    var activationRange: [Double] = [0, 0]
    /// Number of activations; nil for what the dynamics need.
    var activationDimension: Int? = nil
    var actsEarly = false
    var group = 0
    init(location: ModelError.Location) { self.location = location }
  }

  struct Tendon: Sendable {
    var name = ""
    var location: ModelError.Location
    /// A sum of joint positions with coefficients; otherwise a path through sites and geoms.
    var isFixed = true
    var joints: [(name: String, coefficient: Double, location: ModelError.Location)] = []
    var path: [(element: PathElement, location: ModelError.Location)] = []
    enum PathElement: Sendable {
      case site(String)
      /// Its side site may be empty.
      case geom(String, sideSite: String)
      case pulley(divisor: Double)
    }
    var limited = Limited.automatic
    var range: [Double] = [0, 0]
    var margin = 0.0
    var stiffness = 0.0
    var damping = 0.0
    var armature = 0.0
    var frictionLoss = 0.0
    var springLength: [Double] = [-1, -1]
    var limitSolverReference: [Double] = [0.02, 1]
    var limitSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
    var frictionSolverReference: [Double] = [0.02, 1]
    var frictionSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
    init(location: ModelError.Location) { self.location = location }
  }

  struct Equality: Sendable {
    var name = ""
    var location: ModelError.Location
    var type = EqualityType.connect
    /// What the constraint joins, by name: bodies or (`joinsSites`) sites, joints, or tendons.
    var object1 = ""
    var object2: String? = nil
    var joinsSites = false
    var active = true
    /// Eleven numbers in MuJoCo's layout (`eq_data`), as the file gives them.
    var data: [Double] = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    var solverReference: [Double] = [0.02, 1]
    var solverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
    init(location: ModelError.Location) { self.location = location }
  }

  /// A contact pair; what is nil takes MuJoCo's default.
  struct ContactPair: Sendable {
    var name = ""
    var location: ModelError.Location
    var geom1 = ""
    var geom2 = ""
    var contactDimension: Int? = nil
    var friction: [Double]? = nil
    var solverReference: [Double]? = nil
    var solverReferenceFriction: [Double]? = nil
    var solverImpedance: [Double]? = nil
    var margin: Double? = nil
    var gap: Double? = nil
    init(location: ModelError.Location) { self.location = location }
  }

  struct ContactExclusion: Sendable {
    var name = ""
    var location: ModelError.Location
    var body1 = ""
    var body2 = ""
    init(location: ModelError.Location) { self.location = location }
  }

  /// A keyframe; what is nil takes the model's default.
  struct Keyframe: Sendable {
    var name = ""
    var location: ModelError.Location
    var time = 0.0
    var position: [Double]? = nil
    var velocity: [Double]? = nil
    var activation: [Double]? = nil
    var control: [Double]? = nil
    /// Three and four numbers per mocap body.
    var mocapPosition: [Double]? = nil
    var mocapOrientation: [Double]? = nil
    init(location: ModelError.Location) { self.location = location }
  }

  struct Sensor: Sendable {
    var name = ""
    var location: ModelError.Location
    /// The element's name, for example `gyro`.
    var kind = ""
    init(location: ModelError.Location) { self.location = location }
  }
}
