import Autodiff
import Synchronization

/// Programs of a traced equation's adjoint equations and sensitivities, each made when it is first asked for.
final class AdjointPrograms: Sendable {
  private let made = Mutex(Made())

  private struct Made: Sendable {
    var rate: ResidentSource?
    var rateWithIntegrals: ResidentSource?
    var joint: TracedEquation?
    var derivatives: ResidentSource?
    /// Nil inside: there is none.
    var sensitivities: ResidentSource??
    var step: ResidentSource??
  }

  /// Time, state, parameters and cotangent λ to −(∂f/∂y)ᵀ λ and, with the integrals, −(∂f/∂p)ᵀ λ.
  func rateSource(_ equation: TracedEquation, integrals: Bool) throws -> ResidentSource {
    if let known = made.withLock({ integrals ? $0.rateWithIntegrals : $0.rate }) { return known }
    let (rate, n, p) = (equation.rate, equation.stateCount, equation.parameterCount)
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          if !integrals {
            let (_, pullback) = try vjp({ (y: Tensor) in try rate([a[0], y, a[2]])[0] }, at: a[1])
            return [try pullback(-a[3])]
          }
          let (_, pullback) = try vjp({ (x: [Tensor]) in try rate([a[0]] + x)[0] }, at: [a[1], a[2]])
          // One sign for λ, not for each result.
          return try pullback(-a[3])
        }, [Tensor.zeros([])] + [n, p, n].map { Tensor.zeros([$0]) })
    }
    let source = try ResidentSource(staged.program)
    made.withLock { if integrals { $0.rateWithIntegrals = source } else { $0.rate = source } }
    return source
  }

  /// Time, state and parameters to ∂f/∂y and ∂f/∂p, in rows of both.
  func derivativeSource(_ equation: TracedEquation) throws -> ResidentSource {
    if let known = made.withLock({ $0.derivatives }) { return known }
    let (rate, n, p) = (equation.rate, equation.stateCount, equation.parameterCount)
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let function = { (x: Tensor) in try rate([a[0], x[0..<n], x[n..<n + p]])[0] }
          return [try jacobian(function, mode: .forward)(concatenate([a[1], a[2]]))]
        }, [Tensor.zeros([])] + [n, p].map { Tensor.zeros([$0]) })
    }
    let source = try ResidentSource(staged.program)
    made.withLock { $0.derivatives = source }
    return source
  }

  /// Operations that are worth expanding for ``sensitivitySource(_:)``, most of which turn out to be on zeros.
  private static let largestExpansion = 250_000

  /// Time, state and parameters to the rates, and to those entries of ∂f/∂y and ∂f/∂p, in rows of both, that are not constant; nil where
  /// derivatives along all directions of sensitivities take less work in lanes, without the matrices.
  func sensitivitySource(_ equation: TracedEquation, groupCount: Int) throws -> ResidentSource? {
    if let known = made.withLock({ $0.sensitivities }) { return known }
    let (rate, n, p) = (equation.rate, equation.stateCount, equation.parameterCount)
    let lanes = try equation.tangentEquation().rateSource().instructionCount.map { $0 * groupCount }
    var source: ResidentSource?
    if let lanes, n * (n + p) <= Self.largestExpansion / 8 {
      let staged = try withTensorErrors {
        try stage(
          { (a: [Tensor]) throws -> [Tensor] in
            let function = { (x: Tensor) in try rate([a[0], x[0..<n], x[n..<n + p]])[0] }
            return [
              try rate(a)[0], try jacobian(function, mode: .forward)(concatenate([a[1], a[2]])).flattened,
            ]
          }, [Tensor.zeros([])] + [n, p].map { Tensor.zeros([$0]) })
      }
      source = try ResidentSource(staged.program, limit: Self.largestExpansion, withoutConstantsOf: 1)
      if let found = source {
        let entries = found.constants.filter { $0 != 0 }.count
        // Vectors take several instructions at once, and products take entries without a look at what they are.
        if found.instructionCount! / 4 + entries * groupCount > 2 * lanes { source = nil }
      }
    }
    let result = source
    made.withLock { $0.sensitivities = .some(result) }
    return result
  }

  /// Time, state and parameters to those entries of ∂f/∂y and ∂f/∂p, in rows of both, that are not constant; nil where ``StepDerivatives`` would
  /// take more work than the equation itself, step by step.
  func stepSource(_ equation: TracedEquation) -> ResidentSource? {
    if let known = made.withLock({ $0.step }) { return known }
    let source = try? newStepSource(equation)
    made.withLock { $0.step = .some(source) }
    return source
  }
  private func newStepSource(_ equation: TracedEquation) throws -> ResidentSource? {
    let (rate, n, p) = (equation.rate, equation.stateCount, equation.parameterCount)
    guard n > 0, n <= StepDerivatives.largestState, n * (n + p) <= Self.largestExpansion / 8,
      let own = try equation.pullbackSource().instructionCount, try equation.rateSource().isScalar
    else { return nil }
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let function = { (x: Tensor) in try rate([a[0], x[0..<n], x[n..<n + p]])[0] }
          return [try jacobian(function, mode: .reverse)(concatenate([a[1], a[2]])).flattened]
        }, [Tensor.zeros([])] + [n, p].map { Tensor.zeros([$0]) })
    }
    guard let source = try ResidentSource(staged.program, limit: Self.largestExpansion, withoutConstantsOf: 0)
    else { return nil }
    let entries = source.constants.filter { $0 == nil }.count
    // Lanes do eight steps in the time of one.
    return entries <= StepDerivatives.mostEntries && source.instructionCount! <= 6 * own + 200 ? source : nil
  }

  /// The equation of the state, its cotangent λ and the parameters' cotangents q: `(y, λ, q)' = (f, −(∂f/∂y)ᵀ λ, −(∂f/∂p)ᵀ λ)`.
  func jointEquation(_ equation: TracedEquation) throws -> TracedEquation {
    if let known = made.withLock({ $0.joint }) { return known }
    let (rate, n, p) = (equation.rate, equation.stateCount, equation.parameterCount)
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (value, pullback) = try vjp(
            { (x: [Tensor]) in try rate([a[0]] + x)[0] }, at: [a[1][0..<n], a[2]])
          // One sign for each λ, not for each result.
          return [concatenate([value] + (try pullback(-a[1][n..<2 * n])))]
        }, [Tensor.zeros([])] + [2 * n + p, p].map { Tensor.zeros([$0]) })
    }
    let joint = TracedEquation(staged.program)
    made.withLock { $0.joint = joint }
    return joint
  }
}
