import Lanes

/// A method at work on one trajectory: it tries steps, and takes cotangents back through them.
class Stepper {
  let functions: RateFunctions<Double>
  var stateCount: Int { functions.stateCount }
  /// One more than the order of the less accurate result; 0 if there is no error estimate.
  var errorExponent: Int { 0 }
  /// Whether outputs between the ends of steps would be much less accurate than at these.
  var landsOnOutputs: Bool { false }
  /// Whether a new step size costs more than what a slightly larger one gains.
  var prefersEqualSteps: Bool { false }
  init(_ functions: RateFunctions<Double>) { self.functions = functions }

  /// The step's start, its size, and the state there.
  var time: UnsafeMutablePointer<Double> { fatalError("abstract") }
  var step: UnsafeMutablePointer<Double> { fatalError("abstract") }
  var state: UnsafeMutablePointer<Double> { fatalError("abstract") }
  /// The state at the step's end.
  var result: UnsafeMutablePointer<Double> { fatalError("abstract") }
  /// The rate at the step's start, once begun.
  var startRate: UnsafeMutablePointer<Double> { fatalError("abstract") }

  /// The order of the last step tried, of methods whose steps use those before; 0: a step needs its start only.
  var stepOrder: Int { 0 }
  /// The order of the next step to be tried, of such a method.
  func prescribe(order: Int) {}
  /// Whether ``stepFactor(error:isAccepted:)`` is to be asked, instead of the options' control.
  var choosesFactors: Bool { false }
  /// What the step is to be multiplied with after it was tried with this error.
  func stepFactor(error: Double, isAccepted: Bool) -> Double { fatalError("abstract") }
  /// Stages whose rates follow that at the step's start, itself included, and make the step's outputs; 0: others.
  var stageRateCount: Int { 0 }
  /// The degree of the continuous extension as a polynomial in the place; 0: it is none of rates.
  var outputDegree: Int { 0 }
  /// The coefficients of the continuous extension of the step that was restored: those of the place, its square, and so on.
  func setOutputCoefficients(_ target: UnsafeMutablePointer<Double>) {}
  /// Makes a recorded step again, with all that outputs need, and the result unless outputs are polynomials.
  func restore(_ record: StepRecord, row: Int) {
    restoreStart(record, row: row)
    replay(all: true)
  }
  /// Sets time, step and state.
  final func restoreStart(_ record: StepRecord, row: Int) {
    state.update(from: record.states + row * record.stateCount, count: record.stateCount)
    time.pointee = record.times[row]
    step.pointee = record.times[row + 1] - record.times[row]
  }

  /// Prepares for steps from `time` and `state`, after these were set.
  func begin() {}
  /// Tries a step of size `step`.
  /// - Returns: the error norm (0 if there is no estimate), or NaN if the step could not be made.
  func attempt() -> Double { .nan }
  /// The same, with `time` and `step` set first.
  func attempt(from time: Double, by step: Double) -> Double {
    self.time.pointee = time
    self.step.pointee = step
    return attempt()
  }
  /// The component that is to blame for a large error.
  func worstComponent() -> Int { 0 }
  /// The component that a number of the state belongs to.
  func component(at place: Int) -> Int { place }
  /// The step's end becomes the next one's start.
  func accept() {}
  /// To be called before outputs are read between the ends of a step.
  func prepareOutputs() {}
  /// The solution at a place of the step (0 its start, 1 its end).
  func output(at place: Double, into target: UnsafeMutablePointer<Double>) {}

  /// Makes the step again from `time`, `step` and `state`, as far as the reverse sweep needs it, or with all that outputs and the result
  /// need.
  func replay(all: Bool) {}
  /// The same with the rates of the step's stages, if they were kept. The result is not set then.
  func replay(all: Bool, rates: UnsafePointer<Double>?) { replay(all: all) }
  /// Forgets the cotangents of the last step's outputs.
  func clearOutputs() {}
  /// Adds the cotangent of an output within the step.
  func addOutput(
    _ cotangent: UnsafePointer<Double>, at place: Double, to stateCotangent: UnsafeMutablePointer<Double>
  ) {}
  /// Takes the cotangent of the result to that of the start, and adds to that of the parameters.
  func reverse(
    _ cotangent: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>,
    outputs: UnsafeMutablePointer<Double>?
  ) {}
}

/// An explicit method.
class ExplicitStepper: Stepper {
  final let kernel: ExplicitKernel<Double>
  private let hasEstimate: Bool
  private var place = UnsafeMutablePointer<Double>.allocate(capacity: 1)

  required init(
    _ tableau: RungeKuttaTableau, _ functions: RateFunctions<Double>, relativeTolerance: Double,
    absoluteTolerances: [Double]
  ) {
    kernel = ExplicitKernel(
      tableau, functions, relativeTolerance: relativeTolerance, absoluteTolerances: absoluteTolerances)
    hasEstimate = tableau.embeddedOrder > 0
    super.init(functions)
  }
  deinit { place.deallocate() }

  override var errorExponent: Int {
    hasEstimate ? min(kernel.tableau.order, kernel.tableau.embeddedOrder) + 1 : 0
  }
  override var time: UnsafeMutablePointer<Double> { kernel.time }
  override var step: UnsafeMutablePointer<Double> { kernel.step }
  override var state: UnsafeMutablePointer<Double> { kernel.state }
  override var result: UnsafeMutablePointer<Double> { kernel.result }
  override var startRate: UnsafeMutablePointer<Double> { kernel.rates }

  override var stageRateCount: Int { kernel.stageCount }
  override var outputDegree: Int { kernel.tableau.interpolation[0].count }
  override func setOutputCoefficients(_ target: UnsafeMutablePointer<Double>) {
    kernel.tableau.setOutputCoefficients(
      UnsafePointer(kernel.rates), step: step.pointee, stateCount: stateCount, target)
  }
  override func restore(_ record: StepRecord, row: Int) {
    guard let rates = record.stages(ofStep: row) else { return super.restore(record, row: row) }
    restoreStart(record, row: row)
    kernel.rates.update(from: rates, count: stageRateCount * stateCount)
    kernel.advanceExtraStages()
  }

  override func begin() { kernel.begin() }
  override func attempt() -> Double {
    kernel.advance()
    if hasEstimate {
      kernel.estimateError()
      return kernel.errorNorm[0]
    }
    return areFinite(UnsafePointer(kernel.result), count: stateCount) ? 0 : .nan
  }
  override func worstComponent() -> Int { kernel.worstComponent() }
  override func accept() {
    kernel.state.update(from: kernel.result, count: stateCount)
    kernel.rates.update(
      from: kernel.rates + (kernel.stageCount - 1) * stateCount, count: stateCount)
  }
  override func prepareOutputs() { kernel.advanceExtraStages() }
  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    self.place.pointee = place
    kernel.setWeights(at: self.place)
    kernel.interpolate(into: target)
  }

  override func replay(all: Bool) { kernel.replay(all: all) }
  override func replay(all: Bool, rates: UnsafePointer<Double>?) {
    if let rates { kernel.replay(all: all, rates: rates) } else { replay(all: all) }
  }
  override func clearOutputs() { kernel.clearOutputs() }
  override func addOutput(
    _ cotangent: UnsafePointer<Double>, at place: Double, to stateCotangent: UnsafeMutablePointer<Double>
  ) {
    self.place.pointee = place
    kernel.setWeights(at: self.place)
    kernel.addOutput(cotangent, to: stateCotangent)
  }
  override func reverse(
    _ cotangent: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>,
    outputs: UnsafeMutablePointer<Double>?
  ) { kernel.reverse(cotangent, parameters: parameters, outputs: outputs) }
}
