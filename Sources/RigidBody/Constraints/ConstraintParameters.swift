import Kinematics
import Lanes
import RobotModels

// From the cotangents of rows, candidates and geoms (ConstraintParameters+Adjoint.swift) to those of the model's fields.

extension RowGains {
  /// Derivatives of K and B by the two numbers of `solref`, by the impedance's end, and by the least time constant.
  static func slopes(
    _ reference: [Double], endImpedance: Double, smallestTime: Double
  ) -> (stiffness: [Double], damping: [Double]) {
    let gains = RowGains(reference, endImpedance: endImpedance, smallestTime: smallestTime)
    let (k, b) = (gains.stiffness, gains.damping)
    let end = min(0.9999, max(0.0001, endImpedance))
    let byEnd = end == endImpedance ? (-2 * k / end, -b / end) : (0, 0)
    guard (reference[0] > 0) == (reference[1] > 0) else {
      // The default stands in for mixed signs, also below the least time constant.
      let isShort = 0.02 < smallestTime
      return (
        [0, 0, byEnd.0, isShort ? -2 * k / smallestTime : 0],
        [0, 0, byEnd.1, isShort ? -b / smallestTime : 0]
      )
    }
    guard reference[0] > 0 else { return ([-1 / (end * end), 0, byEnd.0, 0], [0, -1 / end, byEnd.1, 0]) }
    let time = max(reference[0], smallestTime)
    let isShort = reference[0] < smallestTime
    let byTime = (-2 * k / time, -b / time)
    return (
      [isShort ? 0 : byTime.0, -2 * k / reference[1], byEnd.0, isShort ? byTime.0 : 0],
      [isShort ? 0 : byTime.1, 0, byEnd.1, isShort ? byTime.1 : 0]
    )
  }
}

/// Cotangents of K, B and the impedance's numbers, as those of `solref`, `solimp` and the timestep.
private struct SolverParameterMap {
  let reference: [Double]
  let impedance: [Double]
  let smallestTime: Double
  /// Derivative of the least time constant by the timestep.
  let timeSlope: Double

  init(_ reference: [Double], _ impedance: [Double], _ options: SimulationOptions) {
    self.reference = reference
    self.impedance = impedance
    smallestTime = options.smallestTimeConstant
    timeSlope = options.disabled.contains(.referenceSafe) ? 0 : 2
  }

  func callAsFunction(
    stiffness: Double, damping: Double, impedance own: [Double]
  ) -> (solver: SolverParameterGradient, timestep: Double) {
    let slopes = RowGains.slopes(reference, endImpedance: impedance[1], smallestTime: smallestTime)
    let total = (0..<4).map { stiffness * slopes.stiffness[$0] + damping * slopes.damping[$0] }
    var result = SolverParameterGradient()
    result.reference = [total[0], total[1]]
    // Limits of KernelImpedance.
    let limits = [
      0.0001...0.9999, 0.0001...0.9999, 0...Double.infinity, 0.0001...0.9999, 1...Double.infinity,
    ]
    for k in 0..<5 where limits[k].contains(impedance[k]) { result.impedance[k] = own[k] }
    result.impedance[1] += total[2]
    return (result, total[3] * timeSlope)
  }
}

extension ModelConstraints {
  var parameterLayout: ConstraintParameterLayout {
    ConstraintParameterLayout(
      unitRowCount: plan.pattern.unitRows.count, sparseRowCount: plan.pattern.sparseRows.count,
      candidateCount: plan.collision.candidates.count, geomCount: plan.collision.geoms.count)
  }

  var parameterCount: Int { parameterLayout.count }

  func addParameters(_ sums: [Double], to gradient: inout ParameterGradient, _ model: Model) {
    addRows(sums, &gradient, model)
    addCandidates(sums, &gradient, model)
    let layout = parameterLayout
    let tree = plan.tree
    for (index, geom) in model.geoms.enumerated() {
      let at = layout.geom(index)
      func vector(_ k: Int) -> Vector3<Double> { Vector3(sums[at + k], sums[at + k + 1], sums[at + k + 2]) }
      let body = tree.bodyOrientation[geom.body].matrix
      gradient.constraints.geomSize[index] += vector(0)
      gradient.constraints.geomPosition[index] += body.transposedTimes(vector(3))
      gradient.constraints.geomRotation[index] +=
        geom.orientation.normalized.matrix.transposedTimes(body.transposedTimes(vector(6)))
    }
  }

  private func addRows(_ sums: [Double], _ gradient: inout ParameterGradient, _ model: Model) {
    let layout = parameterLayout
    var seen: Set<[Int]> = []
    for source in plan.rows {
      let at = source.isUnit ? layout.unitRow(source.row) : layout.sparseRow(source.row)
      let numbers = Array(sums[at..<at + ConstraintParameterLayout.rowStride])
      func solver(_ reference: [Double], _ impedance: [Double]) -> SolverParameterGradient {
        let result = SolverParameterMap(reference, impedance, model.options)(
          stiffness: numbers[0], damping: numbers[1], impedance: Array(numbers[2..<7]))
        gradient.timestep += result.timestep
        return result.solver
      }
      // Rows come in pairs, the lower end first.
      let isUpper = !seen.insert([source.type.rawValue, source.id]).inserted
      let id = source.id
      switch source.type {
      case .equality:
        let equality = model.equalities[id]
        gradient.constraints.equalitySolver[id] += solver(
          equality.solverReference, equality.solverImpedance)
      case .jointFriction:
        let dof = model.degreesOfFreedom[id]
        gradient.constraints.frictionLoss[id] += numbers[8]
        gradient.constraints.frictionSolver[id] += solver(
          dof.frictionSolverReference, dof.frictionSolverImpedance)
      case .tendonFriction:
        let tendon = model.tendons[id]
        gradient.constraints.tendonFrictionLoss[id] += numbers[8]
        gradient.constraints.tendonFrictionSolver[id] += solver(
          tendon.frictionSolverReference, tendon.frictionSolverImpedance)
      case .jointLimit:
        let joint = model.joints[id]
        let side = joint.type == .ball ? (joint.range[1] >= joint.range[0] ? 1 : 0) : isUpper ? 1 : 0
        gradient.constraints.jointRange[id][side] +=
          joint.type == .ball || isUpper ? numbers[7] : -numbers[7]
        gradient.constraints.jointMargin[id] -= numbers[7]
        gradient.constraints.jointLimitSolver[id] += solver(
          joint.limitSolverReference, joint.limitSolverImpedance)
      case .tendonLimit:
        let tendon = model.tendons[id]
        gradient.constraints.tendonRange[id][isUpper ? 1 : 0] += isUpper ? numbers[7] : -numbers[7]
        gradient.constraints.tendonMargin[id] -= numbers[7]
        gradient.constraints.tendonLimitSolver[id] += solver(
          tendon.limitSolverReference, tendon.limitSolverImpedance)
      case .frictionlessContact, .pyramidalContact, .ellipticContact: break
      }
    }
  }

  private func addCandidates(_ sums: [Double], _ gradient: inout ParameterGradient, _ model: Model) {
    let layout = parameterLayout
    for (index, candidate) in plan.collision.candidates.array.enumerated() {
      let at = layout.candidate(index)
      let numbers = Array(sums[at..<at + ConstraintParameterLayout.candidateStride])
      guard numbers.contains(where: { $0 != 0 }) else { continue }
      let set = plan.collision.parameters[Int(candidate.parameters)]
      let other = set.solverReferenceFriction
      let hasOther =
        model.options.cone == .elliptic && (other[0] > 0) == (other[1] > 0) && other != [0, 0]
      let result = SolverParameterMap(set.solverReference, set.solverImpedance, model.options)(
        stiffness: numbers[0], damping: numbers[1] + (hasOther ? 0 : numbers[2]),
        impedance: Array(numbers[3..<8]))
      var solver = result.solver
      gradient.timestep += result.timestep
      var ownFriction = SolverParameterGradient()
      if hasOther {
        let own = SolverParameterMap(other, set.solverImpedance, model.options)(
          stiffness: 0, damping: numbers[2], impedance: [0, 0, 0, 0, 0])
        ownFriction = own.solver
        solver.impedance[1] += own.solver.impedance[1]
        gradient.timestep += own.timestep
      }
      let friction = Array(numbers[9..<14])
      if candidate.namedPair >= 0 {
        let pair = Int(candidate.namedPair)
        gradient.constraints.pairMargin[pair] += numbers[8]
        gradient.constraints.pairSolver[pair] += solver
        for k in 0..<2 {
          gradient.constraints.pairSolverReferenceFriction[pair][k] += ownFriction.reference[k]
        }
        for k in 0..<5 where model.contactPairs[pair].friction[k] >= 1e-5 {
          gradient.constraints.pairFriction[pair][k] += friction[k]
        }
      } else {
        let (one, two) = (Int(candidate.geom1), Int(candidate.geom2))
        gradient.constraints.geomMargin[one] += numbers[8]
        gradient.constraints.geomMargin[two] += numbers[8]
        let shares = ContactMixture(model.geoms[one], model.geoms[two])
        for (geom, own) in [(one, shares.first), (two, shares.second)] {
          var part = solver.scaled(by: own.solver)
          for k in 0..<2 { part.reference[k] = solver.reference[k] * own.reference[k] }
          gradient.constraints.geomSolver[geom] += part
          let byFriction = Vector3(friction[0] + friction[1], friction[2], friction[3] + friction[4])
          gradient.constraints.geomFriction[geom] += byFriction.scaled(by: own.friction)
        }
      }
    }
  }
}

/// The shares of two geoms in what ``ContactParameters/init(_:_:)`` mixes.
private struct ContactMixture {
  struct Share {
    var friction: Vector3<Double>
    var reference: [Double]
    var solver: Double
  }
  var first: Share
  var second: Share

  init(_ one: Geom, _ two: Geom) {
    // Coefficients below the least one have no effect.
    func isFree(_ friction: Double) -> Double { friction >= 1e-5 ? 1 : 0 }
    if one.priority != two.priority {
      let winner = one.priority > two.priority ? one : two
      let f = winner.friction
      let all = Share(
        friction: Vector3(isFree(f.x), isFree(f.y), isFree(f.z)), reference: [1, 1], solver: 1)
      let none = Share(friction: .zero, reference: [0, 0], solver: 0)
      (first, second) = one.priority > two.priority ? (all, none) : (none, all)
      return
    }
    func share(_ a: Double, _ b: Double) -> Double { a == b ? 0.5 : a > b ? 1 : 0 }
    let larger = Vector3(
      share(one.friction.x, two.friction.x), share(one.friction.y, two.friction.y),
      share(one.friction.z, two.friction.z))
    let free = Vector3(
      isFree(max(one.friction.x, two.friction.x)), isFree(max(one.friction.y, two.friction.y)),
      isFree(max(one.friction.z, two.friction.z)))
    let weight = ContactParameters.weight(one.solverMix, two.solverMix)
    let (a, b) = (one.solverReference, two.solverReference)
    let isStandard = a[0] > 0 && b[0] > 0
    let reference = isStandard ? [weight, weight] : (0..<2).map { share(b[$0], a[$0]) }
    first = Share(friction: larger.scaled(by: free), reference: reference, solver: weight)
    second = Share(
      friction: (Vector3(1, 1, 1) - larger).scaled(by: free), reference: reference.map { 1 - $0 },
      solver: 1 - weight)
  }
}
