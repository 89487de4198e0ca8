import Autodiff
import Lanes
import LinearAlgebra
import Synchronization

/// A differential equation whose right-hand side is a program from time, state and parameters to rates, with what follows from it:
/// its pullback, and the equation of its tangents.
final class TracedEquation: Equation {
  /// From `[]`, `[stateCount]`, `[parameterCount]` to `[stateCount]`.
  let rate: Program
  let stateCount: Int
  let parameterCount: Int
  /// Components of the state of which this is one, or one with its tangent.
  let phaseCount: Int
  let events: TracedEvents?
  /// The equation of the leading components, whose Jacobian Newton's method takes for all groups of as many.
  private let leading: TracedEquation?
  private let made = Mutex(Made())
  /// What adjoint equations need.
  let adjoint = AdjointPrograms()

  /// What has been asked for so far.
  private struct Made: Sendable {
    var rate: ResidentSource?
    var pullback: ResidentSource?
    var jacobian: Jacobian?
    var timeDerivative: ResidentSource?
    var curvature: ResidentSource?
    var tangent: TracedEquation?
    var sensitivity: TracedEquation?
  }

  init(_ rate: Program, phaseCount: Int? = nil, events: TracedEvents? = nil, leading: TracedEquation? = nil) {
    self.leading = leading
    self.rate = rate
    self.events = events
    stateCount = rate.inputTypes[1].count
    self.phaseCount = phaseCount ?? rate.inputTypes[1].count
    parameterCount = rate.inputTypes[2].count
  }

  private func types(_ counts: Int...) -> [Tensor] { [Tensor.zeros([])] + counts.map { Tensor.zeros([$0]) } }

  func rateSource() throws -> ResidentSource {
    if let known = made.withLock({ $0.rate }) { return known }
    let source = try ResidentSource(rate)
    made.withLock { $0.rate = source }
    return source
  }
  /// Whether rates take much longer to compute than to copy.
  var hasLongRates: Bool {
    guard let source = try? rateSource() else { return false }
    return source.instructionCount.map { $0 >= 32 } ?? true
  }
  /// Which inputs of the pullback stay the same.
  fileprivate static let pullbackIsFixed = [false, false, true, false, false]
  /// Time, state, parameters, cotangent of the rates, a cotangent of the parameters so far; to the state's cotangent and the sum of
  /// the parameters'.
  func pullbackSource() throws -> ResidentSource {
    if let known = made.withLock({ $0.pullback }) { return known }
    let rate = rate
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (_, pullback) = try vjp({ (x: [Tensor]) in try rate([a[0]] + x)[0] }, at: [a[1], a[2]])
          let cotangents = try pullback(a[3])
          return [cotangents[0], a[4] + cotangents[1]]
        }, types(stateCount, parameterCount, stateCount, parameterCount))
    }
    let source = try ResidentSource(staged.program)
    made.withLock { $0.pullback = source }
    return source
  }

  /// The Jacobian ∂f/∂y as a program of time, state and parameters.
  struct Jacobian: Sendable {
    var source: ResidentSource
    /// Where the results belong, if most of the matrix is zero.
    var pattern: SparsityPattern?
  }
  /// Matrices of at least this size are kept sparse if no more than a fifth is not zero.
  private static let leastSparseSize = 32

  func jacobianSource() throws -> Jacobian {
    if let leading { return try leading.jacobianSource() }
    if let known = made.withLock({ $0.jacobian }) { return known }
    let rate = rate
    let size = stateCount
    var pattern: SparsityPattern?
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let function = { (y: Tensor) in try rate([a[0], y, a[2]])[0] }
          if size >= Self.leastSparseSize {
            do {
              let matrix = try sparseJacobian(function)(a[1])
              if matrix.pattern.entryCount * 5 <= size * size {
                pattern = matrix.pattern
                return [matrix.values]
              }
            } catch let error as TensorError {
              // Too many dependences for a pattern: dense, if that is possible.
              guard error.reason == .range else { throw error }
            }
            try requireDenseMatrices(size: size)
          }
          return [try jacobian(function, mode: .forward)(a[1])]
        }, types(stateCount, parameterCount))
    }
    let result = Jacobian(source: try ResidentSource(staged.program), pattern: pattern)
    made.withLock { $0.jacobian = result }
    return result
  }

  /// ∂f/∂t, of time, state and parameters.
  func timeDerivativeSource() throws -> ResidentSource {
    if let known = made.withLock({ $0.timeDerivative }) { return known }
    let rate = rate
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          [try jvp({ (t: Tensor) in try rate([t, a[1], a[2]])[0] }, at: a[0], along: 1.0).tangent]
        }, types(stateCount, parameterCount))
    }
    let source = try ResidentSource(staged.program)
    made.withLock { $0.timeDerivative = source }
    return source
  }
  /// Time, state, parameters, changes of time and state, cotangent, a cotangent of the parameters so far; to the gradient by the state of
  /// the cotangent times the derivative along the changes, and the sum of that by the parameters.
  func curvatureSource() throws -> ResidentSource {
    if let known = made.withLock({ $0.curvature }) { return known }
    let (rate, n, p) = (rate, stateCount, parameterCount)
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (_, pullback) = try vjp(
            { (x: [Tensor]) throws -> Tensor in
              try jvp(
                { (y: [Tensor]) in try rate([y[0], y[1], x[1]])[0] }, at: [a[0], x[0]], along: [a[3], a[4]]
              ).tangent
            }, at: [a[1], a[2]])
          let cotangents = try pullback(a[5])
          return [cotangents[0], a[6] + cotangents[1]]
        },
        [
          Tensor.zeros([]), Tensor.zeros([n]), Tensor.zeros([p]), Tensor.zeros([]), Tensor.zeros([n]),
          Tensor.zeros([n]), Tensor.zeros([p]),
        ])
    }
    let source = try ResidentSource(staged.program)
    made.withLock { $0.curvature = source }
    return source
  }

  /// The equation of state and tangent, `(y, ẏ)' = (f, ∂f/∂y ẏ + ∂f/∂p ṗ)`, with the parameters `(p, ṗ)`.
  func tangentEquation() throws -> TracedEquation {
    if let known = made.withLock({ $0.tangent }) { return known }
    let (rate, n, p) = (rate, stateCount, parameterCount)
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (value, tangent) = try jvp(
            { (x: [Tensor]) in try rate([a[0]] + x)[0] }, at: [a[1][0..<n], a[2][0..<p]],
            along: [a[1][n..<2 * n], a[2][p..<2 * p]])
          return [concatenate([value, tangent])]
        }, types(2 * n, 2 * p))
    }
    let events = try events.map { events in
      try withTensorErrors { try events.tangents(stateCount: n, parameterCount: p) }
    }
    let equation = TracedEquation(staged.program, phaseCount: phaseCount, events: events)
    made.withLock { $0.tangent = equation }
    return equation
  }

  /// Directions of sensitivities: those of the initial states, and of the parameters but the first, which nothing uses.
  var sensitivityCount: Int { stateCount + parameterCount - 1 }
  /// Their parts of the parameters, `[sensitivityCount, parameterCount]`.
  static func sensitivityDirections(_ n: Int, _ p: Int) -> Tensor {
    let none = Tensor.zeros([n, p])
    return p == 1 ? none : concatenate([none, Tensor.identity(p)[1..<p, 0..<p]])
  }

  /// The equation of the state and its derivatives with respect to the initial state and the parameters: after the state follow
  /// the columns of derivatives.
  func sensitivityEquation() throws -> TracedEquation {
    if let known = made.withLock({ $0.sensitivity }) { return known }
    let (rate, n, p, count) = (rate, stateCount, parameterCount, sensitivityCount)
    let staged = try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let state = a[1][0..<n]
          let columns = a[1][n..<n * (1 + count)].reshaped([count, n])
          let directions = Self.sensitivityDirections(n, p)
          let tangents = try vmap { (x: [Tensor]) throws -> Tensor in
            try jvp({ (y: [Tensor]) in try rate([a[0]] + y)[0] }, at: [state, a[2]], along: x).tangent
          }([columns, directions])
          return [concatenate([try rate([a[0], state, a[2]])[0], tangents.flattened])]
        }, types(n * (1 + count), p))
    }
    let events = try events.map { events in
      try withTensorErrors { try events.sensitivities(stateCount: n, parameterCount: p) }
    }
    let equation = TracedEquation(staged.program, phaseCount: phaseCount, events: events, leading: self)
    made.withLock { $0.sensitivity = equation }
    return equation
  }

  var isTraced: Bool { true }
  func prepare(pullback: Bool, for method: SolverMethod) throws {
    _ = try rateSource()
    if pullback { _ = try pullbackSource() }
    if method.isImplicit { _ = try jacobianSource() }
    if method.rosenbrockTableau != nil {
      _ = try timeDerivativeSource()
      if pullback { _ = try curvatureSource() }
    }
    try events?.prepare(pullback: pullback)
  }
  /// The Jacobian's pattern, once that has been prepared.
  var knownPattern: SparsityPattern? { leading?.knownPattern ?? made.withLock { $0.jacobian?.pattern } }
  var jacobianBlocks: JacobianBlocks? {
    leading.map { JacobianBlocks(size: $0.stateCount, copies: stateCount / $0.stateCount) }
  }
  var stepSource: ResidentSource? { adjoint.stepSource(self) }
  var hasEvents: Bool { events != nil }
  func eventFunctions(parameters: UnsafePointer<Double>) -> EventFunctions? {
    events?.functions(parameters: parameters)
  }
  func singleFunctions() -> RateFunctions<Double> { TracedFunctions<Double>(self, width: 1).functions }
  func groupFunctions(trajectories: Int) -> RateFunctions<SIMD8<Double>> {
    let width = laneWidth(trajectories: trajectories)
    return TracedFunctions<SIMD8<Double>>(self, width: width).functions
  }
  func stepFunctions(width: Int) -> RateFunctions<SIMD8<Double>>? {
    guard let rate = try? rateSource(), let pullback = try? pullbackSource(), rate.isScalar, pullback.isScalar
    else { return nil }
    // The numbers of several lane groups would leave the caches, where single runs are fast.
    let isLong = (pullback.instructionCount ?? 0) > 300
    if isLong && pullback.usesArrays(isFixed: Self.pullbackIsFixed) { return nil }
    return TracedFunctions<SIMD8<Double>>(self, width: width).functions
  }
}

/// Runs a program of known lanes.
@inline(__always)
private func execute<L: Lane>(_ program: ResidentProgram<L>) {
  if L.self == Double.self {
    unsafeDowncast(program, to: ResidentProgram<Double>.self).runSingle()
  } else {
    unsafeDowncast(program, to: ResidentProgram<SIMD8<Double>>.self).runGroups()
  }
}

/// One thread's programs of a traced equation.
private final class TracedFunctions<L: Lane> {
  private let equation: TracedEquation
  private let width: Int
  private let rate: ResidentProgram<L>
  /// Made when it is first needed.
  private var pullback: ResidentProgram<L>?
  private var jacobian: ResidentProgram<L>?
  private var timeDerivative: ResidentProgram<L>?
  private var curvature: ResidentProgram<L>?
  private var parameters: UnsafePointer<L>?

  init(_ equation: TracedEquation, width: Int) {
    self.equation = equation
    self.width = width
    guard let source = try? equation.rateSource() else {
      preconditionFailure("the equation was not prepared")
    }
    rate = ResidentProgram(source, width: width, isFixed: [false, false, true], inPlace: [nil])
  }

  var functions: RateFunctions<L> {
    let rate = rate
    let (inputs, outputs) = (rate.inputs, rate.outputs)
    var functions = RateFunctions<L>(
      stateCount: equation.stateCount, parameterCount: equation.parameterCount, width: width,
      phaseCount: equation.phaseCount, bind: { self.bind($0) },
      rate: { time, state, result in
        inputs[0] = time
        inputs[1] = state
        outputs[0] = result
        execute(rate)
      },
      pullback: { self.pull($0, $1, $2, $3, $4) }, jacobian: { self.differentiate($0, $1, $2) },
      jacobianPattern: equation.knownPattern, jacobianBlocks: equation.jacobianBlocks,
      failure: {
        rate.failure ?? self.pullback?.failure ?? self.jacobian?.failure ?? self.timeDerivative?.failure
          ?? self.curvature?.failure
      })
    if L.self == Double.self {
      functions.placedRate = { time, state, results in
        inputs[0] = time
        inputs[1] = state
        return unsafeDowncast(rate, to: ResidentProgram<Double>.self).placed(sets: results.count) {
          outputs[0] = results[$0]
        }
      }
    }
    functions.timeDerivative = { time, state, result in
      let program = self.made(
        &self.timeDerivative, { try self.equation.timeDerivativeSource() }, isFixed: [false, false, true])
      program.inputs[0] = time
      program.inputs[1] = state
      program.outputs[0] = result
      program.run()
    }
    functions.curvature = { time, state, timeChange, stateChange, cotangent, stateCotangent, parameters in
      let program = self.made(
        &self.curvature, { try self.equation.curvatureSource() },
        isFixed: [false, false, true, false, false, false, false])
      program.inputs[0] = time
      program.inputs[1] = state
      program.inputs[3] = timeChange
      program.inputs[4] = stateChange
      program.inputs[5] = cotangent
      program.inputs[6] = UnsafePointer(parameters)
      program.outputs[0] = stateCotangent
      program.outputs[1] = parameters
      program.run()
    }
    return functions
  }

  /// A program with the bound parameters, made when it is first needed.
  @inline(__always)
  private func made(
    _ program: inout ResidentProgram<L>?, _ source: () throws -> ResidentSource,
    isFixed: @autoclosure () -> [Bool], inPlace: @autoclosure () -> [Int?]? = nil
  ) -> ResidentProgram<L> {
    if let program { return program }
    guard let source = try? source() else { preconditionFailure("the equation was not prepared") }
    let new = ResidentProgram<L>(source, width: width, isFixed: isFixed(), inPlace: inPlace())
    new.inputs[2] = parameters!
    new.load()
    program = new
    return new
  }

  private func bind(_ parameters: UnsafePointer<L>) {
    self.parameters = parameters
    rate.inputs[2] = parameters
    rate.load()
    for program in [pullback, jacobian, timeDerivative, curvature] {
      guard let program else { continue }
      program.inputs[2] = parameters
      program.load()
    }
  }
  private func pull(
    _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ cotangent: UnsafePointer<L>,
    _ stateCotangent: UnsafeMutablePointer<L>, _ parameterCotangent: UnsafeMutablePointer<L>
  ) {
    let program = made(
      &pullback, { try equation.pullbackSource() }, isFixed: TracedEquation.pullbackIsFixed,
      inPlace: [nil, 4])
    program.inputs[0] = time
    program.inputs[1] = state
    program.inputs[3] = cotangent
    program.inputs[4] = UnsafePointer(parameterCotangent)
    program.outputs[0] = stateCotangent
    program.outputs[1] = parameterCotangent
    execute(program)
  }
  private func differentiate(
    _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ matrix: UnsafeMutablePointer<L>
  ) {
    let program = made(&jacobian, { try equation.jacobianSource().source }, isFixed: [false, false, true])
    program.inputs[0] = time
    program.inputs[1] = state
    program.outputs[0] = matrix
    program.run()
  }
}
