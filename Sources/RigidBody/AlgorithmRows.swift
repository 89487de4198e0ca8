import Kinematics
import Lanes

/// The inputs of a call by address, a row per configuration; nil where there are none.
struct InputRows<Scalar: LaneScalar>: @unchecked Sendable {
  var positions: UnsafePointer<Scalar>?
  var velocities: UnsafePointer<Scalar>?
  var accelerations: UnsafePointer<Scalar>?
  var forces: UnsafePointer<Scalar>?
  var bodyForces: UnsafePointer<Scalar>?
}

/// Where results are written, a row per configuration; nil for those that are not wanted.
struct OutputRows<Scalar: LaneScalar>: @unchecked Sendable {
  /// Forces or accelerations.
  var vectors: UnsafeMutablePointer<Scalar>?
  /// Mass matrices or derivatives.
  var byPosition: UnsafeMutablePointer<Scalar>?
  var byVelocity: UnsafeMutablePointer<Scalar>?
  var byInput: UnsafeMutablePointer<Scalar>?
}

/// Runs an algorithm over consecutive lane groups: loads their rows, computes, stores the results. False if an input is
/// not finite; what else goes wrong is reported to `failure`.
///
/// All that happens for each group happens in here, because generic code outside pays for looking up types.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func runGroups<L: Lane>(
  _ algorithm: BatchAlgorithm, _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>,
  _ inputs: InputRows<L.Scalar>, _ outputs: OutputRows<L.Scalar>, groups: Range<Int>, count: Int,
  _ failure: FirstFailure
) -> Bool where L.Scalar: LaneScalar {
  let n = plan.velocityCount
  var inputsAreFinite = true
  var group = groups.lowerBound
  while group < groups.upperBound {
    let first = group * L.laneCount
    let lanes = min(L.laneCount, count - first)
    group += 1
    guard load(plan, w, inputs, first: first, lanes: lanes) else {
      inputsAreFinite = false
      continue
    }
    let appliesForces = inputs.bodyForces != nil
    let vector: UnsafeMutablePointer<L>
    switch algorithm {
    case .inverseDynamics:
      inverseDynamicsGroup(plan, w, subtractsBodyForces: appliesForces)
      vector = w.output
    case .massMatrix:
      massMatrixGroup(plan, w)
      vector = w.output
    case .forwardDynamics:
      accelerate(plan, w, subtractsBodyForces: appliesForces)
      vector = w.accelerations
    case .inverseDynamicsDerivatives:
      inverseDynamicsDerivativesGroup(plan, w, computesMassMatrix: outputs.byInput != nil)
      vector = w.output
    case .forwardDynamicsDerivatives:
      accelerate(plan, w, subtractsBodyForces: appliesForces)
      inverseDynamicsDerivativesGroup(plan, w, computesMassMatrix: true)
      solveDerivativesGroup(
        plan, w, byPosition: outputs.byPosition != nil, byVelocity: outputs.byVelocity != nil,
        byForce: outputs.byInput != nil)
      vector = w.output
    }
    var overflownLane = L.laneCount
    @inline(__always)
    func store(_ rows: UnsafeMutablePointer<L.Scalar>?, _ values: UnsafePointer<L>, _ width: Int) {
      guard let rows else { return }
      storeRows(values, count: width, lanes: lanes, into: rows + first * width, stride: width)
      if !areFinite(values, count: width) {
        overflownLane = min(overflownLane, firstLaneNotFinite(values, count: width))
      }
    }
    store(outputs.vectors, vector, n)
    if let rows = outputs.byPosition { store(rows, w.derivatives.byPosition.entries, n * n) }
    if let rows = outputs.byVelocity { store(rows, w.derivatives.byVelocity.entries, n * n) }
    if let rows = outputs.byInput { store(rows, w.massMatrix.entries, n * n) }
    if algorithm == .forwardDynamicsDerivatives { clearDerivatives(plan, w) }
    if w.isSingular {
      reportSingular(w, first: first, lanes: lanes, to: failure)
    } else if overflownLane < L.laneCount {
      // Lanes past the last configuration repeat it.
      failure.report(
        FirstFailure.Finding(configuration: first + min(overflownLane, lanes - 1), degreeOfFreedom: nil))
    }
  }
  return inputsAreFinite
}

/// Spreads a lane group's rows over lanes. False if a number is not finite.
@inline(__always)
private func load<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, _ inputs: InputRows<L.Scalar>, first: Int,
  lanes: Int
) -> Bool where L.Scalar: LaneScalar {
  let n = plan.velocityCount
  var isFinite = true
  @inline(__always)
  func load(_ rows: UnsafePointer<L.Scalar>?, _ target: UnsafeMutablePointer<L>, _ width: Int) {
    if let rows {
      loadRows(
        rows + first * width, stride: width, count: width, lanes: lanes, into: target, repeatsLast: true)
      if !areFinite(target, count: width) { isFinite = false }
    } else {
      target.update(repeating: L(0.0), count: width)
    }
  }
  load(inputs.positions, w.positions, plan.tree.positionCount)
  load(inputs.velocities, w.velocities, n)
  load(inputs.accelerations, w.accelerations, n)
  load(inputs.forces, w.forces, n)
  if let rows = inputs.bodyForces { load(rows, w.bodyForces, 6 * plan.dynamics.bodyCount) }
  return isFinite
}

/// Accelerations of the lane group in the workspace, by the algorithm that suits the tree.
@inline(__always)
private func accelerate<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, subtractsBodyForces: Bool
) where L.Scalar: LaneScalar {
  if plan.tree.hasMimic {
    factoredDynamicsGroup(plan, w, subtractsBodyForces: subtractsBodyForces)
  } else {
    articulatedBodyGroup(plan, w, subtractsBodyForces: subtractsBodyForces)
  }
}

/// Reports the lanes with a singular mass matrix.
@inline(never)
private func reportSingular<L: Lane>(
  _ w: AlgorithmWorkspace<L>, first: Int, lanes: Int, to failure: FirstFailure
) where L.Scalar: LaneScalar {
  for lane in 0..<lanes where w.singularDegreeOfFreedom[lane] >= 0 {
    failure.report(
      FirstFailure.Finding(
        configuration: first + lane, degreeOfFreedom: w.singularDegreeOfFreedom[lane]))
  }
  w.forgetSingular()
}

/// The first lane in which one of the numbers is not finite, given that there is one.
@inline(never)
private func firstLaneNotFinite<L: Lane>(_ values: UnsafePointer<L>, count: Int) -> Int {
  var finite = L.Mask(repeating: true)
  for i in 0..<count { finite = finite .& values[i].isFinite }
  return (0..<L.laneCount).first { !finite[lane: $0] } ?? 0
}
