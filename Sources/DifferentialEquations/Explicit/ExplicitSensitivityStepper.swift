import Lanes

/// An explicit method at work on a state and its derivatives along several directions: each lane takes one of them, and all have the state,
/// so that eight derivatives take one evaluation of the equation of tangents.
///
/// The state of this stepper is that of the groups of lanes, one after the other: components of state and tangent, eight lanes each. The error
/// is the mean of all directions.
final class ExplicitSensitivityStepper: Stepper {
  typealias Group = SIMD8<Double>
  private let kernels: [ExplicitKernel<Group>]
  private let layout: SensitivityLayout
  private let hasEstimate: Bool
  private let memory: StepMemory
  private let timeCell: UnsafeMutablePointer<Double>
  private let stepCell: UnsafeMutablePointer<Double>
  private let start: UnsafeMutablePointer<Double>
  private let finish: UnsafeMutablePointer<Double>
  private let startRates: UnsafeMutablePointer<Double>
  private let place = UnsafeMutablePointer<Group>.allocate(capacity: 1)

  /// Owns the parameters and directions of the groups.
  private final class Parameters {
    let values: UnsafeMutablePointer<Group>
    init(_ count: Int) { values = .allocate(capacity: max(count, 1)) }
    deinit { values.deallocate() }
  }

  /// - Parameters:
  ///   - equation: of state and tangent.
  ///   - tolerances: of a state.
  init(
    _ tableau: RungeKuttaTableau, _ equation: TracedEquation, _ layout: SensitivityLayout,
    relativeTolerance: Double, tolerances: [Double]
  ) {
    self.layout = layout
    hasEstimate = tableau.embeddedOrder > 0
    let functions = (0..<layout.groupCount).map { _ in
      equation.groupFunctions(trajectories: SensitivityLayout.laneCount)
    }
    kernels = functions.map {
      ExplicitKernel(
        tableau, $0, relativeTolerance: relativeTolerance, absoluteTolerances: tolerances + tolerances)
    }
    let memory = StepMemory(2 + 3 * layout.count)
    self.memory = memory
    // Lanes first: they are aligned there.
    start = memory.take(layout.count)
    finish = memory.take(layout.count)
    startRates = memory.take(layout.count)
    timeCell = memory.take(1)
    stepCell = memory.take(1)
    let p = layout.parameterCount
    let parameters = Parameters(layout.groupCount * 2 * p)
    super.init(
      RateFunctions<Double>(
        stateCount: layout.count, parameterCount: p, width: 1,
        bind: { values in
          for (g, function) in functions.enumerated() {
            let own = parameters.values + g * 2 * p
            for k in 0..<p {
              own[k] = Group(repeating: values[k])
              own[p + k] = layout.directions(group: g, parameter: k)
            }
            function.bind(own)
          }
        },
        rate: { time, state, result in
          var times = Group(repeating: time.pointee)
          for (g, function) in functions.enumerated() {
            let from = UnsafeRawPointer(state + g * layout.groupSize).assumingMemoryBound(to: Group.self)
            let to = UnsafeMutableRawPointer(result + g * layout.groupSize).assumingMemoryBound(
              to: Group.self)
            function.rate(&times, from, to)
          }
        },
        pullback: { _, _, _, _, _ in preconditionFailure("sensitivities are not differentiated") },
        failure: { functions.lazy.compactMap { $0.failure() }.first }))
  }
  deinit { place.deallocate() }

  override var errorExponent: Int {
    hasEstimate ? min(kernels[0].tableau.order, kernels[0].tableau.embeddedOrder) + 1 : 0
  }
  override var time: UnsafeMutablePointer<Double> { timeCell }
  override var step: UnsafeMutablePointer<Double> { stepCell }
  override var state: UnsafeMutablePointer<Double> { start }
  override var result: UnsafeMutablePointer<Double> { finish }
  override var startRate: UnsafeMutablePointer<Double> { startRates }

  private func copy(
    _ source: UnsafeMutablePointer<Group>, group: Int, to target: UnsafeMutablePointer<Double>
  ) {
    UnsafeMutableRawPointer(target + group * layout.groupSize)
      .copyMemory(from: source, byteCount: 8 * layout.groupSize)
  }

  override func begin() {
    for (g, kernel) in kernels.enumerated() {
      kernel.time.pointee = Group(repeating: timeCell.pointee)
      UnsafeMutableRawPointer(kernel.state)
        .copyMemory(from: start + g * layout.groupSize, byteCount: 8 * layout.groupSize)
      kernel.begin()
      copy(kernel.rates, group: g, to: startRates)
    }
  }
  override func attempt() -> Double {
    var sum = Group()
    for (g, kernel) in kernels.enumerated() {
      kernel.time.pointee = Group(repeating: timeCell.pointee)
      kernel.step.pointee = Group(repeating: stepCell.pointee)
      kernel.advance()
      if hasEstimate {
        kernel.estimateError()
        sum += (kernel.errorNorm[0] * kernel.errorNorm[0])
          .replacing(with: 0, where: .!layout.isUsed(group: g))
      }
      copy(kernel.result, group: g, to: finish)
    }
    if hasEstimate {
      return (sum.sum() / Double(layout.directionCount)).squareRoot()
    }
    return areFinite(UnsafePointer(finish), count: layout.count) ? 0 : .nan
  }
  override func worstComponent() -> Int {
    // That of the group and lane with the largest error.
    var worst = (error: -1.0, group: 0, lane: 0)
    for (g, kernel) in kernels.enumerated() {
      for lane in 0..<SensitivityLayout.laneCount {
        let error = hasEstimate ? kernel.errorNorm[0][lane] : 0
        if !error.isFinite { return kernel.worstComponent(lane: lane) % layout.stateCount }
        if error > worst.error { worst = (error, g, lane) }
      }
    }
    return kernels[worst.group].worstComponent(lane: worst.lane) % layout.stateCount
  }
  override func accept() {
    start.update(from: finish, count: layout.count)
    for (g, kernel) in kernels.enumerated() {
      let size = 2 * layout.stateCount
      kernel.state.update(from: kernel.result, count: size)
      kernel.rates.update(from: kernel.rates + (kernel.stageCount - 1) * size, count: size)
      copy(kernel.rates, group: g, to: startRates)
    }
  }
  override func prepareOutputs() { for kernel in kernels { kernel.advanceExtraStages() } }
  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    self.place.pointee = Group(repeating: place)
    for (g, kernel) in kernels.enumerated() {
      kernel.setWeights(at: self.place)
      kernel.interpolate(
        into: UnsafeMutableRawPointer(target + g * layout.groupSize).assumingMemoryBound(to: Group.self))
    }
  }
}
