import Autodiff
import Lanes

/// An explicit Runge–Kutta method at work on the adjoint equation λ' = −(∂f/∂y)ᵀ λ along a known solution.
///
/// What is integrated along, the parameters' cotangents, needs no states of stages: the rates of those stages that have a weight in the
/// result are kept, and summed when a step is accepted.
final class ExplicitAdjointStepper: Stepper {
  private let kernel: ExplicitKernel<Double>
  private let hasEstimate: Bool
  private let rates: Rates
  private let integrals: UnsafeMutablePointer<Double>

  /// The right-hand side, which stages call in turn.
  private final class Rates {
    let trajectory: InterpolatedTrajectory
    let state: UnsafeMutablePointer<Double>
    /// Rates of the integrals of all stages, and those that nobody asks for.
    let integrals: UnsafeMutablePointer<Double>
    let memory: StepMemory
    let parameterCount: Int
    /// Programs of λ' alone and with the integrals.
    let plain: ResidentProgram<Double>
    let full: ResidentProgram<Double>
    /// Which stages have a weight in the result; the last is the next step's first.
    let isWeighted: [Bool]
    /// The stage that calls next; −1: none.
    var stage = -1

    init(
      _ trajectory: InterpolatedTrajectory, _ plain: ResidentSource, _ full: ResidentSource,
      stateCount: Int, parameterCount: Int, _ tableau: RungeKuttaTableau
    ) {
      self.trajectory = trajectory
      self.parameterCount = parameterCount
      let b = tableau.b
      let stages = tableau.stageCount
      isWeighted = (0..<stages).map { b[$0] != 0 || $0 == stages - 1 }
      let memory = StepMemory(stateCount + (stages + 1) * parameterCount)
      self.memory = memory
      let state = memory.take(stateCount)
      self.state = state
      integrals = memory.take((stages + 1) * parameterCount)
      func program(_ source: ResidentSource) -> ResidentProgram<Double> {
        let program = ResidentProgram<Double>(
          source, width: 1, isFixed: [false, false, true, false], inPlace: source.outputTypes.map { _ in nil }
        )
        program.inputs[1] = UnsafePointer(state)
        return program
      }
      self.plain = program(plain)
      self.full = program(full)
    }

    func bind(_ parameters: UnsafePointer<Double>) {
      for program in [plain, full] {
        program.inputs[2] = parameters
        program.load()
      }
    }
    func run(
      _ time: UnsafePointer<Double>, _ cotangent: UnsafePointer<Double>,
      _ result: UnsafeMutablePointer<Double>
    ) {
      trajectory.state(at: time.pointee, into: state)
      if stage >= 0 && isWeighted[stage] {
        full.outputs[1] = integrals + stage &* parameterCount
        run(full, time, cotangent, result)
      } else {
        run(plain, time, cotangent, result)
      }
      if stage >= 0 { stage &+= 1 }
    }
    @inline(__always)
    private func run(
      _ program: ResidentProgram<Double>, _ time: UnsafePointer<Double>, _ cotangent: UnsafePointer<Double>,
      _ result: UnsafeMutablePointer<Double>
    ) {
      program.inputs[0] = time
      program.inputs[3] = cotangent
      program.outputs[0] = result
      program.runSingle()
    }
  }

  /// - Parameters:
  ///   - equation: that was solved, with its adjoint's programs prepared.
  ///   - integrals: to which the integrals of (∂f/∂p)ᵀ λ are added.
  init(
    _ tableau: RungeKuttaTableau, _ equation: TracedEquation, _ trajectory: InterpolatedTrajectory,
    relativeTolerance: Double, absoluteTolerances: [Double], integrals: UnsafeMutablePointer<Double>
  ) {
    guard let plain = try? equation.adjoint.rateSource(equation, integrals: false),
      let full = try? equation.adjoint.rateSource(equation, integrals: true)
    else { preconditionFailure("the adjoint equation was not prepared") }
    let rates = Rates(
      trajectory, plain, full, stateCount: equation.stateCount,
      parameterCount: equation.parameterCount, tableau)
    self.rates = rates
    self.integrals = integrals
    let functions = RateFunctions<Double>(
      stateCount: equation.stateCount, parameterCount: 0, width: 1, bind: { rates.bind($0) },
      rate: { rates.run($0, $1, $2) },
      pullback: { _, _, _, _, _ in preconditionFailure("the adjoint equation is not differentiated") },
      failure: { rates.full.failure ?? rates.plain.failure })
    kernel = ExplicitKernel(
      tableau, functions, relativeTolerance: relativeTolerance, absoluteTolerances: absoluteTolerances)
    hasEstimate = tableau.embeddedOrder > 0
    super.init(functions)
  }

  override var errorExponent: Int {
    hasEstimate ? min(kernel.tableau.order, kernel.tableau.embeddedOrder) + 1 : 0
  }
  override var time: UnsafeMutablePointer<Double> { kernel.time }
  override var step: UnsafeMutablePointer<Double> { kernel.step }
  override var state: UnsafeMutablePointer<Double> { kernel.state }
  override var result: UnsafeMutablePointer<Double> { kernel.result }
  override var startRate: UnsafeMutablePointer<Double> { kernel.rates }

  override func begin() {
    rates.stage = 0
    kernel.begin()
    rates.stage = -1
  }
  override func attempt() -> Double {
    rates.stage = 1
    kernel.advance()
    rates.stage = -1
    if hasEstimate {
      kernel.estimateError()
      return kernel.errorNorm[0]
    }
    return areFinite(UnsafePointer(kernel.result), count: stateCount) ? 0 : .nan
  }
  override func worstComponent() -> Int { kernel.worstComponent() }
  override func accept() {
    let (p, h, b) = (rates.parameterCount, step.pointee, kernel.tableau.b)
    for stage in 0..<kernel.stageCount where b[stage] != 0 {
      let (weight, source) = (h * b[stage], rates.integrals + stage * p)
      var k = 0
      while k < p {
        integrals[k] += weight * source[k]
        k = k &+ 1
      }
    }
    let last = kernel.stageCount - 1
    kernel.state.update(from: kernel.result, count: stateCount)
    kernel.rates.update(from: kernel.rates + last * stateCount, count: stateCount)
    rates.integrals.update(from: rates.integrals + last * p, count: p)
  }
}
