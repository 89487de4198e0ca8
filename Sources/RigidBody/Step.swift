import Kinematics
import Lanes
import RobotModels

/// The state of one lane group.
struct StateBuffers<L: Lane> {
  let positions: UnsafeMutablePointer<L>
  let velocities: UnsafeMutablePointer<L>
  let activations: UnsafeMutablePointer<L>
  /// With constraints, the accelerations at which their solver starts.
  let warmStart: UnsafeMutablePointer<L>

  init(_ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena) {
    warmStart = arena.take(L.self, plan.warmStartCount)
    positions = arena.take(L.self, plan.positionCount)
    velocities = arena.take(L.self, plan.velocityCount)
    activations = arena.take(L.self, plan.activationCount)
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>) -> Int {
    var measure = ArenaMeasure()
    measure.take(L.self, plan.warmStartCount)
    measure.take(L.self, plan.positionCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.activationCount)
    return measure.byteCount
  }
}

/// Runge–Kutta's classical coefficients: how far each stage looks ahead, and its weight in the step.
enum RungeKutta4 {
  @inline(__always) static func ahead(_ stage: Int) -> Double { stage == 3 ? 1 : 0.5 }
  @inline(__always) static func weight(_ stage: Int) -> Double {
    stage == 0 || stage == 3 ? 1.0 / 6 : 1.0 / 3
  }
}

extension DynamicsPlan {
  /// Evaluations of the forward dynamics in one step.
  var stageCount: Int { integrator == .rungeKutta4 ? 4 : 1 }

  var warmStartCount: Int { constraints == nil ? 0 : velocityCount }
}

/// One step of the model's integrator: `state` is replaced by the next state.
///
/// `records` has ``DynamicsPlan/stageCount`` entries, which receive what the reverse sweep needs; their positions,
/// velocities and activations are the stages' inputs, the first being the state before the step.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func stepForward<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ records: UnsafePointer<StepRecord<L>>, _ scratch: Scratch<L>,
  _ inputs: StepInputs<L>, timestep h: L, state: StateBuffers<L>
) {
  let first = records[0]
  copyValues(first.positions, state.positions, plan.positionCount)
  copyValues(first.velocities, state.velocities, plan.velocityCount)
  copyValues(first.activations, state.activations, plan.activationCount)
  // One call site for the stages keeps the large kernel from being compiled four times.
  var stage = 0
  if let constraints = scratch.constraints {
    copyValues(constraints.accelerations, state.warmStart, plan.velocityCount)
  }
  while stage < plan.stageCount {
    if stage > 0 {
      let before = records[stage - 1]
      let now = records[stage]
      let ahead = h * RungeKutta4.ahead(stage)
      integratePositions(
        plan.tree, positions: first.positions, velocities: before.velocities, timestep: ahead,
        next: now.positions)
      addScaled(first.velocities, before.accelerations, ahead, plan.velocityCount, now.velocities)
      addScaled(first.activations, before.activationRates, ahead, plan.activationCount, now.activations)
    }
    forwardDynamics(plan, records[stage], scratch, inputs, timestep: h)
    stage += 1
  }
  if let constraints = scratch.constraints {
    copyValues(state.warmStart, constraints.accelerations, plan.velocityCount)
  }
  if plan.stageCount == 1 {
    addScaled(first.velocities, first.accelerations, h, plan.velocityCount, state.velocities)
    integratePositions(
      plan.tree, positions: first.positions, velocities: state.velocities, timestep: h, next: state.positions)
    advanceActivations(plan, first.activations, rates: first.activationRates, h, state.activations)
  } else {
    // Weighted means of the stages' velocities, accelerations and activation rates.
    let meanVelocity = scratch.bias
    let meanRate = scratch.activationScratch
    meanOfStages(plan.velocityCount, meanVelocity) { records[$0].velocities }
    integratePositions(
      plan.tree, positions: first.positions, velocities: meanVelocity, timestep: h, next: state.positions)
    meanOfStages(plan.velocityCount, meanVelocity) { records[$0].accelerations }
    addScaled(first.velocities, meanVelocity, h, plan.velocityCount, state.velocities)
    meanOfStages(plan.activationCount, meanRate) { records[$0].activationRates }
    advanceActivations(plan, first.activations, rates: meanRate, h, state.activations)
  }
}

@inline(__always)
func meanOfStages<L: Lane>(
  _ count: Int, _ result: UnsafeMutablePointer<L>, _ values: (Int) -> UnsafeMutablePointer<L>
) {
  let a = values(0)
  let b = values(1)
  let c = values(2)
  let d = values(3)
  var i = 0
  while i < count {
    result[i] = (a[i] + d[i]) * (1.0 / 6) + (b[i] + c[i]) * (1.0 / 3)
    i += 1
  }
}

@inline(__always)
func copyValues<L: Lane>(_ target: UnsafeMutablePointer<L>, _ source: UnsafePointer<L>, _ count: Int) {
  target.update(from: source, count: count)
}

/// `result = a + scale * b`.
@inline(__always)
func addScaled<L: Lane>(
  _ a: UnsafePointer<L>, _ b: UnsafePointer<L>, _ scale: L, _ count: Int, _ result: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < count {
    result[i] = L.multiplyAdd(b[i], scale, a[i])
    i += 1
  }
}

/// Activations after the step. With actuation switched off they stay; that of a switched-off actuator has no rate, but
/// is brought into its range.
@inline(__always)
func advanceActivations<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ activations: UnsafePointer<L>, rates: UnsafePointer<L>, _ h: L,
  _ next: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < plan.actuators.count {
    let a = plan.actuators.pointer(i)
    let address = Int(a.pointee.activationAddress)
    if address >= 0 && !plan.actuationDisabled {
      let rate = a.pointee.isOff ? L(0.0) : rates[address]
      next[address] = nextActivation(a, activation: activations[address], rate: rate, timestep: h)
    }
    i += 1
  }
}
