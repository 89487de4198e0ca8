public import Lanes

/// What a gradient of poses is taken by. What is not named is not computed.
public struct KinematicsTargets: OptionSet, Sendable, Hashable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
  /// Joint positions.
  public static let positions = Self(rawValue: 1 << 0)
  /// Placements of bodies in their parents (URDF: joint origins).
  public static let bodyPositions = Self(rawValue: 1 << 1)
  public static let bodyOrientations = Self(rawValue: 1 << 2)
  /// Anchors of hinge and ball joints in their bodies (MJCF: `pos` of a joint).
  public static let jointPositions = Self(rawValue: 1 << 3)
  /// Directions of the axes of hinge and slide joints.
  public static let jointAxes = Self(rawValue: 1 << 4)
  /// Multipliers and offsets of mimic joints.
  public static let mimics = Self(rawValue: 1 << 5)
  /// Poses of the frames on their bodies.
  public static let framePositions = Self(rawValue: 1 << 6)
  public static let frameOrientations = Self(rawValue: 1 << 7)
  /// Everything but joint positions.
  public static let parameters: Self = [
    .bodyPositions, .bodyOrientations, .jointPositions, .jointAxes, .mimics, .framePositions,
    .frameOrientations,
  ]
  public static let all: Self = [.positions, .parameters]
}

/// The gradient of a cost of poses.
public struct KinematicsGradient<Scalar: LaneScalar>: Sendable, Equatable {
  /// By joint positions: `[configurations, nv]` or `[configurations, nq]` numbers; nil unless asked for.
  public var positions: [Scalar]?
  /// By parameters.
  public var parameters: KinematicsParameterGradient

  public init(positions: [Scalar]? = nil, parameters: KinematicsParameterGradient) {
    self.positions = positions
    self.parameters = parameters
  }
}

/// The gradient of a cost of poses by the fields of the model, and of the frames, that place things.
///
/// Summed over the configurations, which share the parameters: divide by their number for the gradient of a mean. What
/// was not asked for is nil.
public struct KinematicsParameterGradient: Sendable, Equatable {
  /// By body: `Body.position`, and small turns of `Body.orientation` in the body's own axes, that is the derivative of
  /// `orientation ⊗ exp(d)` by `d`. Zero for bodies with a free joint, which replaces both, for bodies that carry none of
  /// the frames, and for the world.
  public var bodyPositions: [Vector3<Double>]?
  public var bodyOrientations: [Vector3<Double>]?
  /// By joint: `Joint.position`; zero for slide and free joints, which have no anchor.
  public var jointPositions: [Vector3<Double>]?
  /// By joint: `Joint.axis`. An axis has unit length: this is the part of the derivative perpendicular to it, the
  /// gradient of a function that normalises its axes. Zero for free and ball joints.
  public var jointAxes: [Vector3<Double>]?
  /// By joint: `Mimic.multiplier` and `Mimic.offset`, chains of mimics being resolved; zero for joints that mimic none.
  public var mimicMultipliers: [Double]?
  public var mimicOffsets: [Double]?
  /// By frame: `Frame.position`, and small turns of `Frame.orientation` in the frame's own axes.
  public var framePositions: [Vector3<Double>]?
  public var frameOrientations: [Vector3<Double>]?

  public init() {}
}
