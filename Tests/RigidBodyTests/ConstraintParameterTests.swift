import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Gradients by the model's parameters with constraints active, against differences of edited models.
@Suite struct ConstraintParameterTests {
  /// Numbers of a model: how many, a typical size, what the gradient says, and how they are changed.
  struct Numbers {
    var name: String
    var values: (ParameterGradient) -> [Double]
    var change: (inout Model, Int, Double) -> Void
    var size = 1.0
    /// Not all models have it.
    var isRare: Bool {
      [
        "stiffness", "friction solref", "friction solimp", "tendon friction solref",
        "tendon friction solimp", "pair solreffriction",
      ].contains(name)
    }
  }

  static func vectors(
    _ name: String, size: Double = 1, _ values: @escaping (ParameterGradient) -> [Vector3<Double>],
    _ change: @escaping (inout Model, Int, Int, Double) -> Void
  ) -> Numbers {
    Numbers(
      name: name, values: { values($0).flatMap(\.array) },
      change: { change(&$0, $1 / 3, $1 % 3, $2) }, size: size)
  }

  static func solvers(
    _ name: String, _ values: @escaping (ParameterGradient) -> [SolverParameterGradient],
    _ reference: @escaping (inout Model, Int, Int, Double) -> Void,
    _ impedance: @escaping (inout Model, Int, Int, Double) -> Void
  ) -> [Numbers] {
    [
      Numbers(
        name: "\(name) solref", values: { values($0).flatMap(\.reference) },
        change: { reference(&$0, $1 / 2, $1 % 2, $2) }, size: 0.01),
      Numbers(
        name: "\(name) solimp", values: { values($0).flatMap(\.impedance) },
        change: { impedance(&$0, $1 / 5, $1 % 5, $2) }, size: 0.01),
    ]
  }

  static var bodyNumbers: [Numbers] {
    [
      Numbers(name: "mass", values: \.mass, change: { $0.bodies[$1].mass += $2 }),
      vectors("com", size: 0.1, \.inertialPosition) { $0.bodies[$1].inertialPosition[$2] += $3 },
      vectors("inertia", size: 0.01, \.inertia) { $0.bodies[$1].inertia[$2] += $3 },
      Numbers(
        name: "armature", values: \.armature, change: { $0.degreesOfFreedom[$1].armature += $2 }, size: 0.01),
      Numbers(
        name: "damping", values: \.damping, change: { $0.degreesOfFreedom[$1].damping += $2 }, size: 0.1),
      Numbers(name: "stiffness", values: \.stiffness, change: { $0.joints[$1].stiffness += $2 }),
      Numbers(
        name: "timestep", values: { [$0.timestep] }, change: { m, _, d in m.options.timestep += d },
        size: 0.004
      ),
    ]
  }

  static var geomNumbers: [Numbers] {
    [
      vectors("friction", size: 0.1, \.constraints.geomFriction) { $0.geoms[$1].friction[$2] += $3 },
      Numbers(
        name: "margin", values: \.constraints.geomMargin, change: { $0.geoms[$1].margin += $2 }, size: 0.01),
      vectors("size", size: 0.01, \.constraints.geomSize) { $0.geoms[$1].size[$2] += $3 },
      vectors("position", size: 0.01, \.constraints.geomPosition) { $0.geoms[$1].position[$2] += $3 },
      vectors("rotation", size: 0.01, \.constraints.geomRotation) { model, geom, axis, d in
        var turn = Vector3<Double>.zero
        turn[axis] = d
        model.geoms[geom].orientation = model.geoms[geom].orientation * Quaternion(rotationVector: turn)
      },
      Numbers(
        name: "pair friction", values: { $0.constraints.pairFriction.flatMap { $0 } },
        change: { $0.contactPairs[$1 / 5].friction[$1 % 5] += $2 }, size: 0.1),
      Numbers(
        name: "pair margin", values: \.constraints.pairMargin,
        change: { $0.contactPairs[$1].margin += $2 }, size: 0.01),
      Numbers(
        name: "pair solreffriction", values: { $0.constraints.pairSolverReferenceFriction.flatMap { $0 } },
        change: { $0.contactPairs[$1 / 2].solverReferenceFriction[$1 % 2] += $2 }, size: 0.01),
    ]
      + solvers("geom", \.constraints.geomSolver) {
        $0.geoms[$1].solverReference[$2] += $3
      } _: {
        $0.geoms[$1].solverImpedance[$2] += $3
      }
      + solvers("pair", \.constraints.pairSolver) {
        $0.contactPairs[$1].solverReference[$2] += $3
      } _: {
        $0.contactPairs[$1].solverImpedance[$2] += $3
      }
  }

  static var rowNumbers: [Numbers] {
    [
      Numbers(
        name: "friction loss", values: \.constraints.frictionLoss,
        change: { $0.degreesOfFreedom[$1].frictionLoss += $2 }, size: 25),
      Numbers(
        name: "range", values: { $0.constraints.jointRange.flatMap { $0 } },
        change: { $0.joints[$1 / 2].range[$1 % 2] += $2 }, size: 0.1),
      Numbers(
        name: "joint margin", values: \.constraints.jointMargin, change: { $0.joints[$1].margin += $2 },
        size: 0.1),
      Numbers(
        name: "tendon friction loss", values: \.constraints.tendonFrictionLoss,
        change: { $0.tendons[$1].frictionLoss += $2 }, size: 25),
      Numbers(
        name: "tendon range", values: { $0.constraints.tendonRange.flatMap { $0 } },
        change: { $0.tendons[$1 / 2].range[$1 % 2] += $2 }, size: 0.1),
      Numbers(
        name: "tendon margin", values: \.constraints.tendonMargin, change: { $0.tendons[$1].margin += $2 },
        size: 0.1),
    ]
      + solvers("friction", \.constraints.frictionSolver) {
        $0.degreesOfFreedom[$1].frictionSolverReference[$2] += $3
      } _: {
        $0.degreesOfFreedom[$1].frictionSolverImpedance[$2] += $3
      }
      + solvers("limit", \.constraints.jointLimitSolver) {
        $0.joints[$1].limitSolverReference[$2] += $3
      } _: {
        $0.joints[$1].limitSolverImpedance[$2] += $3
      }
      + solvers("tendon friction", \.constraints.tendonFrictionSolver) {
        $0.tendons[$1].frictionSolverReference[$2] += $3
      } _: {
        $0.tendons[$1].frictionSolverImpedance[$2] += $3
      }
      + solvers("tendon limit", \.constraints.tendonLimitSolver) {
        $0.tendons[$1].limitSolverReference[$2] += $3
      } _: {
        $0.tendons[$1].limitSolverImpedance[$2] += $3
      }
      + solvers("equality", \.constraints.equalitySolver) {
        $0.equalities[$1].solverReference[$2] += $3
      } _: {
        $0.equalities[$1].solverImpedance[$2] += $3
      }
  }

  @Test(
    arguments: ["contactsPyramidal", "contactsElliptic", "limits"], ConstraintGradientTests.integrators)
  func againstDifferences(name: String, integrator: Integrator) throws {
    let model = try ConstraintModels.model(name, integrator)
    var problem = RolloutProblem(model, seed: 7, steps: 2)
    problem.ignored = []
    problem.inputs = SimulationInputs()
    problem.state.positions = model.defaultPosition
    var random = SeededRandom(seed: 8)
    if name == "limits" {
      problem.state.positions = model.moved(
        model.defaultPosition, by: random.uniform(-0.2, 0.2, count: model.velocityCount))
    } else {
      problem.state.velocities = problem.state.velocities.map { 0.3 * $0 }
    }
    let nominal = try problem.final()
    let tape = try problem.simulator().record(from: problem.state, steps: problem.steps)
    let gradient = try #require(try tape.gradient(final: problem.cotangents, targets: .parameters).parameters)
    let all = Self.bodyNumbers + (name == "limits" ? Self.rowNumbers : Self.geomNumbers)
    var (total, rejected) = (0, 0)
    for numbers in all {
      let values = numbers.values(gradient)
      var tested = 0
      for (index, value) in values.enumerated() where abs(value) > 1e-5 {
        let differences = try CentralDifferences(step: 2e-3 * numbers.size) { step in
          var moved = problem
          numbers.change(&moved.model, index, step)
          return try moved.cost(relativeTo: nominal)
        }
        // Where a kink is within the steps, or rounding, the two extrapolations disagree.
        let found = differences.values
        guard abs(5 * found[1] - found[0] - 4 * found[2]) < 3e-6 * abs(value) else {
          rejected += 1
          continue
        }
        tested += 1
        let error = abs(value - differences.extrapolated)
        #expect(error < 5e-6 * abs(value), "\(numbers.name) \(index): \(value), \(found)")
      }
      total += tested
      #expect(tested > 0 || numbers.isRare, "\(numbers.name)")
    }
    #expect(total > (name == "limits" ? 100 : 120) && rejected < total / 4, "\(rejected) of \(total)")
  }
}
