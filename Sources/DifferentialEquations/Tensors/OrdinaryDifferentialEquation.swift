public import Autodiff
import Foundation
import Synchronization

/// A system of ordinary differential equations y' = f(t, y, p) whose right-hand side is a function of tensors.
///
/// State and parameters are trees of tensors of any structure. The right-hand side is traced and compiled once for each structure
/// and shape; solutions are differentiable functions of initial state, parameters, initial time and times of output, in every
/// mode: `grad`, `jvp`, `vjp`, `vmap`, `jit`, `hvp`.
///
/// ```swift
/// let oscillator = OrdinaryDifferentialEquation { (t, y: Tensor, k: Tensor) in stack([y[1], -k * y[0]]) }
/// let slope = try grad { (k: Tensor) in
///   try oscillator.solve(from: [1.0, 0.0], parameters: k, times: [1.0])[0, 0]
/// }(4.0)
/// ```
///
/// Tensors that the closure captures are part of the parameters; inside a transformation, derivatives with respect to them are found.
///
/// The right-hand side is traced by one task at a time, so that the equation can be used by several.
public struct OrdinaryDifferentialEquation<State: TensorTree, Parameters: TensorTree>: Sendable {
  private let rate: Rate
  private let events: [EquationEvent<State, Parameters>]
  private let cache = Cache()

  /// The closure, which is called with the lock held: what it captures need not be `Sendable`.
  private final class Rate: @unchecked Sendable {
    let function: (Tensor, State, Parameters) throws -> State
    /// Recursive: a right-hand side may solve another equation.
    let lock = NSRecursiveLock()
    init(_ function: @escaping (Tensor, State, Parameters) throws -> State) { self.function = function }
  }

  /// Equations by the types of state and parameters.
  private final class Cache: Sendable {
    struct Entry {
      var types: [TensorType]
      var structure: [TreeNode]
      var equation: TracedEquation
    }
    let entries = Mutex<[Entry]>([])
  }

  /// - Parameters:
  ///   - events: where the state jumps, or the solution ends.
  ///   - rate: time (a scalar), state and parameters to the rates of change, of the state's structure and shapes.
  public init(
    events: [EquationEvent<State, Parameters>] = [],
    _ rate: @escaping (_ time: Tensor, _ state: State, _ parameters: Parameters) throws -> State
  ) {
    self.rate = Rate(rate)
    self.events = events
  }

  /// The solution at several times.
  ///
  /// - Parameters:
  ///   - initialState: at the initial time; floating-point tensors. The solution is computed in float64.
  ///   - parameters: of the right-hand side.
  ///   - startTime: a scalar.
  ///   - times: a vector: later and later, or earlier and earlier, than the initial time; the last is the end. None has to be a step's
  ///     end.
  ///   - options: method, tolerances and limits.
  ///   - gradient: how derivatives are computed.
  /// - Returns: the states, each tensor with the times along a new first axis.
  /// - Throws: `TensorError`: shapes that do not fit, or a solution that failed (with time, step and component); what `rate` throws.
  /// - Complexity: of a gradient, by ``GradientMethod/discreteAdjoint``, about three times the solution; memory of one state for each
  ///   step tried, of batches for each lane at work, or see ``SolverOptions/checkpoints``.
  ///
  /// Derivatives are those of the steps taken, with times and sizes of steps held constant. Derivatives with respect to times follow
  /// from the right-hand side there (to the fourth order).
  public func solve(
    from initialState: State, parameters: Parameters, startTime: Tensor = 0.0, times: Tensor,
    options: SolverOptions = SolverOptions(), gradient: GradientMethod = .discreteAdjoint
  ) throws -> State {
    try withTensorErrors {
      guard !events.contains(where: \.isTerminal) else {
        throw TensorError(.argument, "solve", "an event ends the solution; use solveToEvent")
      }
      guard times.rank == 1, times.count > 0 else {
        throw TensorError(.shape, "solve", "needs a vector of times, not the shape \(times.shape)")
      }
      let problem = try flat(initialState, parameters, startTime, options)
      let ends = times.converted(to: .float64)
      let kernel = EquationKernel(
        equation: problem.equation, options: options, gradient: gradient, timeCount: times.count)
      var result = try bindOrThrow(EquationCall(kernel: kernel, rows: 1, blocks: 1), problem.operands(ends))[
        0
      ]
      .reshaped([times.count, problem.state.count])
      if ends.isTraced {
        let rate = problem.equation.rate
        result = try vmap(
          { (a: [Tensor]) in try microStep(rate, a[0], a[2], a[3], by: a[1] - stopGradient(a[1])) },
          inputAxes: [0, 0, 0, nil])([stopGradient(ends), ends, result, problem.parameters])
      }
      return try initialState.taking(rows: result)
    }
  }

  /// The solution at the end of an interval.
  ///
  /// As ``solve(from:parameters:startTime:times:options:gradient:)``, without the axis of times.
  public func solve(
    from initialState: State, parameters: Parameters, startTime: Tensor = 0.0, endTime: Tensor,
    options: SolverOptions = SolverOptions(), gradient: GradientMethod = .discreteAdjoint
  ) throws -> State {
    try withTensorErrors {
      try solve(
        from: initialState, parameters: parameters, startTime: startTime, times: endTime.reshaped([1]),
        options: options, gradient: gradient
      ).mapLeaves { $0[0] }
    }
  }

  /// The time of the event that ends the solution, and the state there (before a jump).
  ///
  /// Both are differentiable: the time by the derivative of the event's function along the solution.
  /// - Parameters:
  ///   - initialState: at the initial time.
  ///   - parameters: of the right-hand side.
  ///   - startTime: a scalar.
  ///   - latestTime: the event must happen before it.
  ///   - options: method, tolerances and limits.
  /// - Throws: `TensorError`, also if the event does not happen. The equation must have one terminal event.
  public func solveToEvent(
    from initialState: State, parameters: Parameters, startTime: Tensor = 0.0, latestTime: Double,
    options: SolverOptions = SolverOptions()
  ) throws -> (time: Tensor, state: State) {
    try withTensorErrors {
      let terminal = events.indices.filter { events[$0].isTerminal }
      guard terminal.count == 1 else {
        throw TensorError(
          .argument, "solveToEvent", "needs one terminal event; the equation has \(terminal.count)")
      }
      let problem = try flat(initialState, parameters, startTime, options)
      var kernel = EquationKernel(
        equation: problem.equation, options: options, gradient: .discreteAdjoint, timeCount: 1)
      kernel.endsAtEvent = true
      let results = try bindOrThrow(
        EquationCall(kernel: kernel, rows: 1, blocks: 1), problem.operands(Tensor([latestTime])))
      let values = problem.equation.events!.values
      let function = try stage(
        { (a: [Tensor]) in [try values(a)[0][terminal[0]]] },
        [Tensor.zeros([]), Tensor.zeros(problem.state.shape), Tensor.zeros(problem.parameters.shape)]
      ).program
      let end = try TracedEvents.refined(
        problem.equation.rate, function, results[1][0], results[0][0, 0], problem.parameters)
      return (end.time, try initialState.taking(end.state, from: 0))
    }
  }

  /// The solution of one trajectory as numbers, with what it took, its events and its continuous extension.
  ///
  /// - Parameters:
  ///   - initialState: at the initial time.
  ///   - parameters: of the right-hand side.
  ///   - startTime: of the solution.
  ///   - times: of output; the last is the end.
  ///   - options: method, tolerances and limits.
  ///   - allowsFailures: what there is of a solution that fails is returned instead of an error.
  /// - Returns: a solution whose states are the numbers of the state's tensors, one tensor after the other.
  /// - Throws: ``DifferentialEquationError``; `TensorError` for shapes that do not fit; what the right-hand side throws.
  public func trajectory(
    from initialState: State, parameters: Parameters, startTime: Double = 0, times: [Double],
    options: SolverOptions = SolverOptions(), allowsFailures: Bool = false
  ) throws -> EquationSolution {
    let problem = try withTensorErrors {
      try flat(initialState, parameters, Tensor(startTime), options)
    }
    try problem.equation.prepare(pullback: true, for: options.method)
    return try problem.equation.solution(
      EquationData(
        initialStates: try problem.state.denseValue("trajectory").values(Double.self),
        parameters: try problem.parameters.denseValue("trajectory").values(Double.self),
        startTimes: [startTime], outputTimes: times, rows: 1, blocks: 1, hiddenParameters: 1),
      options, keepsRecord: true, allowsFailures: allowsFailures)
  }

  /// A problem on flat vectors.
  private struct FlatProblem {
    var equation: TracedEquation
    var state: Tensor
    var parameters: Tensor
    var start: Tensor

    func operands(_ times: Tensor) -> [Tensor] {
      [
        state.reshaped([1, state.count]), parameters.reshaped([1, parameters.count]), start.reshaped([1]),
        stopGradient(times).reshaped([1, times.count]),
      ]
    }
  }

  private func flat(
    _ initialState: State, _ parameters: Parameters, _ startTime: Tensor, _ options: SolverOptions
  ) throws -> FlatProblem {
    for leaf in initialState.leaves + parameters.leaves where !leaf.elementType.isFloatingPoint {
      throw TensorError(
        .elementType, "solve", "state and parameters must be floating-point tensors, not \(leaf.type)")
    }
    guard startTime.rank == 0 else {
      throw TensorError(.shape, "solve", "needs a scalar initial time, not the shape \(startTime.shape)")
    }
    func vector(_ leaves: [Tensor]) -> Tensor {
      let vectors = leaves.map { $0.converted(to: .float64).flattened }
      return vectors.count == 1 ? vectors[0] : concatenate(vectors)
    }
    guard !initialState.leaves.isEmpty else { throw TensorError(.shape, "solve", "the state has no tensors") }
    var y = vector(initialState.leaves)
    // A number that nothing uses stands first: equations without parameters need no rules of their own.
    var p = vector([Tensor.zeros([1])] + parameters.leaves)
    _ = try options.tolerances(y.count)
    let (equation, captures) = try traced(initialState, parameters, y, p)
    if !captures.isEmpty { p = vector([p] + captures) }
    let start = startTime.converted(to: .float64)
    // The operation itself takes times as constants. Where their derivatives may be wanted, a step of size zero (whose derivative is
    // not) moves the state to the time that is meant.
    if start.isTraced { y = try microStep(equation.rate, start, y, p, by: stopGradient(start) - start) }
    return FlatProblem(equation: equation, state: y, parameters: p, start: stopGradient(start))
  }

  /// The equation on flat vectors, and what the closure captured from enclosing traces: its parameters after the first ones.
  private func traced(_ state: State, _ parameters: Parameters, _ y: Tensor, _ p: Tensor) throws -> (
    equation: TracedEquation, captures: [Tensor]
  ) {
    let types = (state.leaves + parameters.leaves).map(\.type)
    var structure: [TreeNode] = []
    try state.appendStructure(to: &structure)
    try parameters.appendStructure(to: &structure)
    if let known = cache.entries.withLock({ entries in
      entries.first { $0.types == types && $0.structure == structure }?.equation
    }) {
      return (known, [])
    }
    rate.lock.lock()
    defer { rate.lock.unlock() }
    let staged = try stage(
      { (a: [Tensor]) throws -> [Tensor] in
        let result = try rate.function(a[0], state.taking(a[1], from: 0), parameters.taking(a[2], from: 1))
        let leaves = result.leaves
        guard leaves.map(\.shape) == state.leaves.map(\.shape) else {
          throw TensorError(
            .shape, "solve",
            "the right-hand side returns tensors of shapes \(leaves.map(\.shape)) for a state of \(state.leaves.map(\.shape))"
          )
        }
        return [concatenate(leaves.map { $0.converted(to: .float64).flattened })]
      }, [Tensor.zeros([]), Tensor.zeros(y.shape), Tensor.zeros(p.shape)])
    if staged.captures.isEmpty {
      let equation = TracedEquation(
        staged.program, events: try tracedEvents(state, parameters, staged.program))
      cache.entries.withLock { $0.append(.init(types: types, structure: structure, equation: equation)) }
      return (equation, [])
    }
    for capture in staged.captures where capture.elementType != .float64 {
      throw TensorError(
        .elementType, "solve",
        "the right-hand side captures a traced tensor of type \(capture.type); pass it as a parameter of type float64"
      )
    }
    let shapes = staged.captures.map(\.shape)
    let count = p.count
    let program = staged.program
    let extended = try stage(
      { (a: [Tensor]) throws -> [Tensor] in
        var offset = count
        let captured = shapes.map { shape -> Tensor in
          defer { offset += shape.elementCount }
          return a[2][offset..<offset + shape.elementCount].reshaped(shape)
        }
        return try program([a[0], a[1], a[2][0..<count]] + captured)
      },
      [
        Tensor.zeros([]), Tensor.zeros(y.shape),
        Tensor.zeros([count + shapes.reduce(0) { $0 + $1.elementCount }]),
      ])
    let events = try tracedEvents(state, parameters, extended.program)
    return (TracedEquation(extended.program, events: events), staged.captures)
  }

  /// The events as programs on flat vectors.
  private func tracedEvents(_ state: State, _ parameters: Parameters, _ rate: Program) throws -> TracedEvents?
  {
    if events.isEmpty { return nil }
    let types = rate.inputTypes.map { Tensor.zeros($0.shape) }
    func program(_ body: ([Tensor]) throws -> [Tensor]) throws -> Program {
      let staged = try stage(body, types)
      guard staged.captures.isEmpty else {
        throw TensorError(
          .argument, "solve", "an event captures a traced tensor; pass it as a parameter of the equation")
      }
      return staged.program
    }
    let functions = try events.map { event in
      try program { a in
        let value = try event.function(a[0], state.taking(a[1], from: 0), parameters.taking(a[2], from: 1))
        guard value.rank == 0 else {
          throw TensorError(
            .shape, "solve", "an event's function must return a scalar, not the shape \(value.shape)")
        }
        return [value.converted(to: .float64)]
      }
    }
    let maps = try zip(events, functions).map { event, function in
      guard let jump = event.jump else { return try program { [$0[1]] } }
      let after = try program { a in
        let result = try jump(a[0], state.taking(a[1], from: 0), parameters.taking(a[2], from: 1))
        guard result.leaves.map(\.shape) == state.leaves.map(\.shape) else {
          throw TensorError(.shape, "solve", "a jump must return a state of the same shapes")
        }
        return [concatenate(result.leaves.map { $0.converted(to: .float64).flattened })]
      }
      return try TracedEvents.map(rate, function, after)
    }
    return TracedEvents(
      values: try program { a in [stack(try functions.map { try $0(a)[0] })] }, maps: maps,
      directions: events.map(\.direction), isTerminal: events.map(\.isTerminal))
  }
}

extension TensorTree {
  /// The same structure with a new first axis, with its numbers taken from rows.
  fileprivate func taking(rows: Tensor) throws -> Self {
    var offset = 0
    return try mapLeaves { leaf in
      defer { offset += leaf.count }
      return rows[0..<rows.shape[0], offset..<offset + leaf.count].reshaped([rows.shape[0]] + leaf.shape)
        .converted(to: leaf.elementType)
    }
  }
  /// The same structure with its numbers taken from a vector.
  fileprivate func taking(_ vector: Tensor, from start: Int) throws -> Self {
    var offset = start
    return try mapLeaves { leaf in
      defer { offset += leaf.count }
      return vector[offset..<offset + leaf.count].reshaped(leaf.shape).converted(to: leaf.elementType)
    }
  }
}

/// One step of the classical Runge–Kutta method.
func microStep(_ rate: Program, _ time: Tensor, _ state: Tensor, _ parameters: Tensor, by step: Tensor) throws
  -> Tensor
{
  func f(_ t: Tensor, _ y: Tensor) throws -> Tensor { try rate([t, y, parameters])[0] }
  let half = step * 0.5
  let k1 = try f(time, state)
  let k2 = try f(time + half, state + k1 * half)
  let k3 = try f(time + half, state + k2 * half)
  let k4 = try f(time + step, state + k3 * step)
  return state + (k1 + k2 * 2.0 + k3 * 2.0 + k4) * (step / 6.0)
}
