import Lanes

extension ModelSpecification {
  struct Body: Sendable {
    var name = ""
    var location: ModelError.Location
    /// Index of the parent, smaller than the body's own; 0 for the world itself.
    var parent = 0
    /// The enclosing `<frame>` elements' pose in the parent body; `pose` is given in it.
    var frame = Pose()
    var pose = Pose()
    var inertial: Inertial? = nil
    var gravityCompensation = 0.0
    var isMocap = false
    var joints: [Joint] = []
    var geoms: [Geom] = []
    var sites: [Site] = []
    init(location: ModelError.Location) { self.location = location }
  }

  /// Mass and inertia that the file states.
  struct Inertial: Sendable {
    var location: ModelError.Location
    var position: Vector3<Double> = .zero
    var orientation: Quaternion<Double> = .identity
    var mass = 0.0
    var inertia: Inertia = .diagonal(.zero)

    enum Inertia: Sendable {
      /// Moments about the axes of the inertial frame.
      case diagonal(Vector3<Double>)
      /// A symmetric matrix in the inertial frame about its origin: xx, yy, zz, xy, xz, yz. The compiler
      /// turns the frame to its principal axes.
      case full([Double])
    }
    init(location: ModelError.Location) { self.location = location }
  }

  struct Joint: Sendable {
    var name = ""
    var location: ModelError.Location
    var type = JointType.hinge
    /// The enclosing `<frame>` elements' pose in the body; position and axis are given in it.
    var frame = Pose()
    var position: Vector3<Double> = .zero
    var axis: Vector3<Double> = Vector3(0, 0, 1)
    /// Radians for a hinge, metres for a slide.
    var reference = 0.0
    var springReference = 0.0
    var stiffness = 0.0
    var damping = 0.0
    /// Time constant and damping ratio that stiffness and damping are computed from, where both are positive.
    var springDamper: [Double] = [0, 0]
    var armature = 0.0
    var frictionLoss = 0.0
    var limited = Limited.automatic
    /// Radians for hinge and ball, metres for slide.
    var range: [Double] = [0, 0]
    var margin = 0.0
    var limitSolverReference: [Double] = [0.02, 1]
    var limitSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
    var frictionSolverReference: [Double] = [0.02, 1]
    var frictionSolverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
    var actuatorForceLimited = Limited.automatic
    var actuatorForceRange: [Double] = [0, 0]
    var actuatorGravityCompensation = false
    /// For a free joint: whether the body frame is moved to the inertial frame; nil follows the compiler
    /// setting.
    var alignFree: Bool? = nil
    var mimic: Mimic? = nil
    init(location: ModelError.Location) { self.location = location }
  }

  /// The joint that drives a joint, by name.
  struct Mimic: Sendable {
    var location: ModelError.Location
    var source: String
    var multiplier = 1.0
    var offset = 0.0
  }

  struct Geom: Sendable {
    var name = ""
    var location: ModelError.Location
    var type = GeomType.sphere
    /// The enclosing `<frame>` elements' pose in the body; `pose` and `segment` are given in it.
    var frame = Pose()
    var pose = Pose()
    /// `fromto`: the end points (six numbers) that replace the pose and the length.
    var segment: [Double]? = nil
    /// As the file gives it, up to three numbers, zeros for those it does not give.
    var size: Vector3<Double> = .zero
    var mass: Double? = nil
    var density = 1000.0
    /// The mass is spread over the surface.
    var hasShellInertia = false
    /// For meshes, and for primitives that are fitted to a mesh.
    var mesh: String? = nil
    var meshFitScale = 1.0
    var contactType = 1
    var contactAffinity = 1
    var contactDimension = 3
    var priority = 0
    var group = 0
    var friction: Vector3<Double> = Vector3(1, 0.005, 0.0001)
    var solverMix = 1.0
    var solverReference: [Double] = [0.02, 1]
    var solverImpedance: [Double] = [0.9, 0.95, 0.001, 0.5, 2]
    var margin = 0.0
    var gap = 0.0
    /// `fluidshape="ellipsoid"`, and its coefficients.
    var usesEllipsoidFluid = false
    var fluidCoefficients: [Double] = [0.5, 0.25, 1.5, 1, 1]
    init(location: ModelError.Location) { self.location = location }
  }

  struct Site: Sendable {
    var name = ""
    var location: ModelError.Location
    /// The enclosing `<frame>` elements' pose in the body; `pose` and `segment` are given in it.
    var frame = Pose()
    var pose = Pose()
    /// `fromto`: the end points (six numbers) that replace the pose.
    var segment: [Double]? = nil
    init(location: ModelError.Location) { self.location = location }
  }
}
