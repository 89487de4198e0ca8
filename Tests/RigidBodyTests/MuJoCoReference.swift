import RigidBody
import RobotModels
import TestSupport

/// Reference values of one model's dynamics (see Fixtures/README.md).
struct DynamicsReference: Decodable {
  var states: [ReferenceEvaluation]
  var trajectory: ReferenceTrajectory?
  var transitions: [ReferenceTransition]
}

struct ReferenceState: Decodable {
  var qpos: [Double]
  var qvel: [Double]
  var act: [Double]
  var ctrl: [Double]
  var qfrc_applied: [Double]
  var xfrc_applied: [Double]

  var batch: BatchState<Double> {
    BatchState(worldCount: 1, positions: qpos, velocities: qvel, activations: act)
  }

  /// What acts on the state; with other controls if given, `[step][actuator]`.
  func inputs(controls: [Double]? = nil, steps: Int = 1) -> SimulationInputs<Double> {
    SimulationInputs(
      controls: InputSequence(values: controls ?? ctrl, stepCount: steps),
      appliedForces: InputSequence(values: qfrc_applied),
      cartesianForces: InputSequence(values: xfrc_applied))
  }
}

struct ReferenceEvaluation: Decodable {
  var state: ReferenceState
  var result: Result

  struct Result: Decodable {
    var xpos: [Double]
    var xquat: [Double]
    var xipos: [Double]
    var geom_xpos: [Double]?
    var M: [Double]?
    var qfrc_bias: [Double]
    var qfrc_passive: [Double]
    var qfrc_actuator: [Double]
    var qfrc_smooth: [Double]
    var qacc_smooth: [Double]
    var act_dot: [Double]?
    var energy: [Double]
  }
}

struct ReferenceTrajectory: Decodable {
  var state: ReferenceState
  var steps: Int
  /// Rows of controls, each held for the same number of steps.
  var controls: [Double]
  var runs: [Run]

  struct Run: Decodable {
    var integrator: String
    var amplification: Double
    var points: [Point]
  }

  struct Point: Decodable {
    var step: Int
    var qpos: [Double]
    var qvel: [Double]
    var act: [Double]
  }
}

struct ReferenceTransition: Decodable {
  var state: ReferenceState
  /// Of the next state in tangent coordinates: positions, velocities, activations.
  var cotangent: [Double]
  var matrices: [String: Matrices]

  struct Matrices: Decodable {
    var A: [Double]
    var B: [Double]
    var A_error: Double
    var B_error: Double
    /// Of the product of `cotangent` and the next state, in one of the transitions.
    var gradient: ReferenceGradient?
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    state = try container.decode(ReferenceState.self, forKey: Key(stringValue: "state"))
    cotangent = try container.decode([Double].self, forKey: Key(stringValue: "cotangent"))
    matrices = [:]
    for key in container.allKeys where Integrator(rawValue: key.stringValue) != nil {
      matrices[key.stringValue] = try container.decode(Matrices.self, forKey: key)
    }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

/// Gradients by forces and by fields of the compiled model; some fields for some elements only.
struct ReferenceGradient: Decodable {
  /// Bodies of which `body_ipos` has entries, and joints of which `qpos_spring` has.
  var moved_bodies: [Int]
  var scalar_joints: [Int]
  var qfrc_applied: [Double]
  var xfrc_applied: [Double]
  var body_mass: [Double]
  var body_ipos: [Double]?
  var body_inertia: [Double]
  var dof_armature: [Double]
  var dof_damping: [Double]?
  var jnt_stiffness: [Double]
  var qpos_spring: [Double]?
  /// Tendons of which `tendon_armature` has entries; `tendon_lengthspring` has those of two lengths of rest.
  var heavy_tendons: [Int]?
  var tendon_stiffness: [Double]?
  var tendon_damping: [Double]?
  var tendon_armature: [Double]?
  var tendon_lengthspring: [Double]?
  var actuator_gear: [Double]?
  var actuator_gainprm: [Double]?
  var actuator_biasprm: [Double]?
  var gravity: [Double]
  var timestep: Double
  /// Estimated relative errors by name.
  var errors: [String: Double]
}
