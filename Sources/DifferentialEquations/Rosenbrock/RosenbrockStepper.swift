import Lanes

/// A Rosenbrock method at work on one trajectory: its stages are linear systems with the exact Jacobian at the step's start, so that
/// there is no iteration that could fail, and the reverse sweep has the factors already.
final class RosenbrockStepper: Stepper {
  private let tableau: RosenbrockTableau
  private let errors: ErrorScale
  private let n: Int
  private let memory: StepMemory
  private let timeCell: UnsafeMutablePointer<Double>
  private let stepCell: UnsafeMutablePointer<Double>
  private let stageTime: UnsafeMutablePointer<Double>
  private let start: UnsafeMutablePointer<Double>
  private let finish: UnsafeMutablePointer<Double>
  private let startRates: UnsafeMutablePointer<Double>
  private let timeDerivative: UnsafeMutablePointer<Double>
  private let scratch: UnsafeMutablePointer<Double>
  private let cotangentScratch: UnsafeMutablePointer<Double>
  private let stages: UnsafeMutablePointer<Double>
  private let stageStates: UnsafeMutablePointer<Double>
  private let stageCotangents: UnsafeMutablePointer<Double>
  private let outputCotangents: UnsafeMutablePointer<Double>
  private let jacobian: UnsafeMutablePointer<Double>
  private let matrix: StageMatrix
  /// Whether rate, Jacobian and time derivative are those of the step's start, and the step that the factors belong to.
  private var isPrepared = false
  private var factoredStep = Double.nan
  /// ∂f/∂y, and ∂f/∂t.
  private let computeJacobian:
    (UnsafePointer<Double>, UnsafePointer<Double>, UnsafeMutablePointer<Double>) -> Void
  private let computeTimeDerivative:
    (UnsafePointer<Double>, UnsafePointer<Double>, UnsafeMutablePointer<Double>) -> Void

  /// - Parameter functions: with Jacobian and time derivative.
  init(
    _ tableau: RosenbrockTableau, _ functions: RateFunctions<Double>, relativeTolerance: Double,
    absoluteTolerances: [Double]
  ) {
    self.tableau = tableau
    errors = ErrorScale(relativeTolerance: relativeTolerance, tolerances: absoluteTolerances)
    let n = functions.stateCount
    self.n = n
    guard let computeJacobian = functions.jacobian, let derivative = functions.timeDerivative,
      functions.jacobianBlocks == nil
    else { preconditionFailure("a Rosenbrock method needs the whole Jacobian and the derivative by time") }
    self.computeJacobian = computeJacobian
    computeTimeDerivative = derivative
    matrix = StageMatrix(JacobianBlocks(size: n), stages: 1, pattern: functions.jacobianPattern)
    let memory = StepMemory(3 + (6 + 4 * tableau.stageCount) * n + matrix.entryCount)
    self.memory = memory
    let take = memory.take
    timeCell = take(1)
    stepCell = take(1)
    stageTime = take(1)
    start = take(n)
    finish = take(n)
    startRates = take(n)
    timeDerivative = take(n)
    scratch = take(n)
    cotangentScratch = take(n)
    stages = take(n * tableau.stageCount)
    stageStates = take(n * tableau.stageCount)
    stageCotangents = take(n * tableau.stageCount)
    outputCotangents = take(n * tableau.stageCount)
    jacobian = take(matrix.entryCount)
    super.init(functions)
  }

  override var errorExponent: Int { tableau.embeddedOrder + 1 }
  override var time: UnsafeMutablePointer<Double> { timeCell }
  override var step: UnsafeMutablePointer<Double> { stepCell }
  override var state: UnsafeMutablePointer<Double> { start }
  override var result: UnsafeMutablePointer<Double> { finish }
  override var startRate: UnsafeMutablePointer<Double> { startRates }

  override func begin() { prepare() }

  private func prepare() {
    functions.rate(timeCell, start, startRates)
    computeTimeDerivative(timeCell, start, timeDerivative)
    computeJacobian(timeCell, start, jacobian)
    isPrepared = true
    factoredStep = .nan
  }

  override func attempt() -> Double {
    let h = stepCell.pointee
    let gamma = tableau.gamma
    if !isPrepared { prepare() }
    if factoredStep != h {
      guard matrix.factor(jacobian, isShared: true, coefficient: { _, _ in h * gamma }) else {
        factoredStep = .nan
        return .infinity
      }
      factoredStep = h
    }
    for i in 0..<tableau.stageCount {
      let stage = stages + i * n
      let own = stageStates + i * n
      combine(tableau.a[i], start, into: own)
      if i == 0 {
        stage.update(from: startRates, count: n)
      } else {
        stageTime.pointee = timeCell.pointee + tableau.c[i] * h
        functions.rate(stageTime, own, stage)
      }
      let (scale, slope) = (gamma * h, gamma * h * h * tableau.d[i])
      for c in 0..<n { stage[c] = scale * stage[c] + slope * timeDerivative[c] }
      for (j, coupling) in tableau.stageCoupling[i].enumerated() {
        let (weight, other) = (gamma * coupling, stages + j * n)
        for c in 0..<n { stage[c] += weight * other[c] }
      }
      matrix.solve(stage, stride: n, isExact: true)
    }
    combine(tableau.b, start, into: finish)
    guard areFinite(UnsafePointer(finish), count: n) else { return .nan }
    return errors.norm(estimate, start, finish)
  }

  /// y plus weights times the first stages.
  private func combine(
    _ weights: [Double], _ base: UnsafePointer<Double>, into target: UnsafeMutablePointer<Double>
  ) {
    target.update(from: base, count: n)
    for (j, weight) in weights.enumerated() {
      let stage = stages + j * n
      for c in 0..<n { target[c] += weight * stage[c] }
    }
  }
  private var estimate: UnsafeMutablePointer<Double> { stages + (tableau.stageCount - 1) * n }
  override func worstComponent() -> Int { errors.worst(estimate, start) }

  override func accept() {
    start.update(from: finish, count: n)
    isPrepared = false
  }

  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    combine(tableau.weights(at: place), start, into: target)
  }

  // MARK: Reverse

  override func replay(all: Bool) {
    isPrepared = false
    _ = attempt()
  }
  override func clearOutputs() { outputCotangents.update(repeating: 0, count: tableau.stageCount * n) }
  override func addOutput(
    _ cotangent: UnsafePointer<Double>, at place: Double, to stateCotangent: UnsafeMutablePointer<Double>
  ) {
    for (j, weight) in tableau.weights(at: place).enumerated() {
      for c in 0..<n { outputCotangents[j * n + c] += weight * cotangent[c] }
    }
    for c in 0..<n { stateCotangent[c] += cotangent[c] }
  }

  // With M u_i = r_i, M = I − h γ J, the cotangent ū_i of a stage gives λ_i = M⁻ᵀ ū_i to what stands in r_i, and to the Jacobian and the time
  // derivative what λ_iᵀ (J h γ u_i + h² γ d_i ∂f/∂t) says: the derivative of a derivative of f along (h γ u_i, h² γ d_i).
  override func reverse(
    _ cotangent: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>,
    outputs: UnsafeMutablePointer<Double>?
  ) {
    guard let curvature = functions.curvature else {
      preconditionFailure("the reverse sweep of a Rosenbrock method needs second derivatives")
    }
    let h = stepCell.pointee
    let gamma = tableau.gamma
    for (i, weight) in tableau.b.enumerated() {
      for c in 0..<n {
        stageCotangents[i * n + c] =
          weight * cotangent[c] + (outputs == nil ? 0 : outputCotangents[i * n + c])
      }
    }
    if let outputs { for c in 0..<n { cotangent[c] += outputs[c] } }
    for i in (0..<tableau.stageCount).reversed() {
      let own = stageCotangents + i * n
      matrix.solve(own, stride: n, transposed: true, isExact: true)
      for (j, coupling) in tableau.stageCoupling[i].enumerated() {
        let (weight, other) = (gamma * coupling, stageCotangents + j * n)
        for c in 0..<n { other[c] += weight * own[c] }
      }
      // Through the matrix.
      for c in 0..<n { scratch[c] = gamma * h * stages[i * n + c] }
      stageTime.pointee = gamma * h * h * tableau.d[i]
      curvature(timeCell, start, stageTime, scratch, own, cotangentScratch, parameters)
      for c in 0..<n { cotangent[c] += cotangentScratch[c] }
      // Through the stage's rate.
      for c in 0..<n { own[c] *= gamma * h }
      stageTime.pointee = timeCell.pointee + tableau.c[i] * h
      functions.pullback(stageTime, stageStates + i * n, own, cotangentScratch, parameters)
      for c in 0..<n { cotangent[c] += cotangentScratch[c] }
      for (j, weight) in tableau.a[i].enumerated() {
        let other = stageCotangents + j * n
        for c in 0..<n { other[c] += weight * cotangentScratch[c] }
      }
    }
  }
}
