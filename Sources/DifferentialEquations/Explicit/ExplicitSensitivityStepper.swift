import Autodiff
import Lanes

/// An explicit method at work on a state and its derivatives along several directions: each lane takes one of them, and one more group of
/// lanes has the state.
///
/// The error is the mean of those of all directions, each together with the state.
final class ExplicitSensitivityStepper: Stepper {
  typealias Group = SIMD8<Double>
  private let kernel: ExplicitKernel<Group>
  private let layout: SensitivityLayout
  private let hasEstimate: Bool
  /// Time and step; lanes that all have the same number.
  private let timeCell: UnsafeMutablePointer<Double>
  private let lanes: UnsafeMutablePointer<Group>
  private let memory: LaneMemory

  /// - Parameters:
  ///   - functions: of state and derivatives as the layout has them.
  ///   - tolerances: of a state.
  init(
    _ tableau: RungeKuttaTableau, _ functions: RateFunctions<Group>, _ layout: SensitivityLayout,
    relativeTolerance: Double, tolerances: [Double]
  ) {
    self.layout = layout
    hasEstimate = tableau.embeddedOrder > 0
    kernel = ExplicitKernel(
      tableau, functions, relativeTolerance: relativeTolerance, absoluteTolerances: tolerances)
    let (p, width) = (layout.parameterCount, layout.width)
    let memory = LaneMemory(1 + width + p)
    self.memory = memory
    timeCell = UnsafeMutableRawPointer(memory.take(1)).assumingMemoryBound(to: Double.self)
    let (lanes, parameters) = (memory.take(width), memory.take(p))
    self.lanes = lanes
    super.init(
      RateFunctions<Double>(
        stateCount: layout.count, parameterCount: p, width: 1,
        bind: { values in
          for k in 0..<p { parameters[k] = Group(repeating: values[k]) }
          functions.bind(parameters)
        },
        rate: { time, state, result in
          lanes.update(repeating: Group(repeating: time.pointee), count: width)
          functions.rate(
            lanes, UnsafeRawPointer(state).assumingMemoryBound(to: Group.self),
            UnsafeMutableRawPointer(result).assumingMemoryBound(to: Group.self))
        },
        pullback: { _, _, _, _, _ in preconditionFailure("sensitivities are not differentiated") },
        failure: functions.failure))
  }

  override var errorExponent: Int {
    hasEstimate ? min(kernel.tableau.order, kernel.tableau.embeddedOrder) + 1 : 0
  }
  override var time: UnsafeMutablePointer<Double> { timeCell }
  override var step: UnsafeMutablePointer<Double> { timeCell + 1 }
  override var state: UnsafeMutablePointer<Double> { numbers(kernel.state) }
  override var result: UnsafeMutablePointer<Double> { numbers(kernel.result) }
  override var startRate: UnsafeMutablePointer<Double> { numbers(kernel.rates) }

  override func begin() {
    kernel.time.update(repeating: Group(repeating: time.pointee), count: layout.width)
    kernel.begin()
  }
  override func attempt() -> Double {
    kernel.time.update(repeating: Group(repeating: time.pointee), count: layout.width)
    kernel.step.update(repeating: Group(repeating: step.pointee), count: layout.width)
    kernel.advance()
    guard hasEstimate else { return areFinite(UnsafePointer(result), count: layout.count) ? 0 : .nan }
    kernel.estimateError()
    var sum = Group()
    for g in 0..<layout.groupCount {
      sum += (kernel.errorNorm[g] * kernel.errorNorm[g]).replacing(with: 0, where: .!layout.isUsed(group: g))
    }
    let ofState = kernel.errorNorm[layout.groupCount][0]
    return ((sum.sum() / Double(layout.directionCount) + ofState * ofState) / 2).squareRoot()
  }
  override func component(at place: Int) -> Int { layout.component(at: place) }
  override func worstComponent() -> Int {
    // That of the group and lane with the largest error.
    var worst = (error: -1.0, group: 0, lane: 0)
    for g in 0..<layout.width {
      for lane in 0..<SensitivityLayout.laneCount {
        let error = hasEstimate ? kernel.errorNorm[g][lane] : 0
        if !error.isFinite { return kernel.worstComponent(group: g, lane: lane) }
        if error > worst.error { worst = (error, g, lane) }
      }
    }
    return kernel.worstComponent(group: worst.group, lane: worst.lane)
  }
  override func accept() {
    kernel.state.update(from: kernel.result, count: kernel.size)
    kernel.rates.update(from: kernel.rates + (kernel.stageCount - 1) * kernel.size, count: kernel.size)
  }
  override func prepareOutputs() { kernel.advanceExtraStages() }
  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    lanes.update(repeating: Group(repeating: place), count: layout.width)
    kernel.setWeights(at: lanes)
    kernel.interpolate(into: UnsafeMutableRawPointer(target).assumingMemoryBound(to: Group.self))
  }
}
