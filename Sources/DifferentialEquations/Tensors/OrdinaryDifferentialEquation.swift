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

  /// - Parameter rate: time (a scalar), state and parameters to the rates of change, of the state's structure and shapes.
  public init(_ rate: @escaping (_ time: Tensor, _ state: State, _ parameters: Parameters) throws -> State) {
    self.rate = Rate(rate)
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
  ///   step, or see ``SolverOptions/checkpoints``.
  ///
  /// Derivatives are those of the steps taken, with times and sizes of steps held constant. Derivatives with respect to times follow
  /// from the right-hand side there (to the fourth order).
  public func solve(
    from initialState: State, parameters: Parameters, startTime: Tensor = 0.0, times: Tensor,
    options: SolverOptions = SolverOptions(), gradient: GradientMethod = .discreteAdjoint
  ) throws -> State {
    try withTensorErrors {
      let states = initialState.leaves
      for leaf in states + parameters.leaves where !leaf.elementType.isFloatingPoint {
        throw TensorError(
          .elementType, "solve", "state and parameters must be floating-point tensors, not \(leaf.type)")
      }
      guard times.rank == 1, times.count > 0, startTime.rank == 0 else {
        throw TensorError(
          .shape, "solve",
          "needs a scalar initial time and a vector of times, not the shapes \(startTime.shape) and \(times.shape)"
        )
      }
      var y = concatenate(states.map { $0.converted(to: .float64).flattened })
      var p = concatenate(
        [Tensor.zeros([1])] + parameters.leaves.map { $0.converted(to: .float64).flattened })
      let (equation, captures) = try traced(initialState, parameters, y, p)
      if !captures.isEmpty { p = concatenate([p] + captures.map(\.flattened)) }
      let kernel = EquationKernel(
        equation: equation, options: options, gradient: gradient, timeCount: times.count)
      _ = try options.tolerances(y.count)
      let start = startTime.converted(to: .float64)
      let ends = times.converted(to: .float64)
      let rate = equation.rate
      // The operation itself takes times as constants. Where their derivatives may be wanted, a step of size zero (whose derivative is
      // not) moves the state to the time that is meant.
      if start.isTraced {
        y = try microStep(rate, start, y, p, by: stopGradient(start) - start)
      }
      let operands = [
        y.reshaped([1, y.count]), p.reshaped([1, p.count]), stopGradient(start).reshaped([1]),
        stopGradient(ends).reshaped([1, times.count]),
      ]
      var result = try bindOrThrow(EquationCall(kernel: kernel, rows: 1, blocks: 1), operands)[0].reshaped([
        times.count, y.count,
      ])
      if ends.isTraced {
        result = try vmap(
          { (a: [Tensor]) in try microStep(rate, a[0], a[2], a[3], by: a[1] - stopGradient(a[1])) },
          inputAxes: [0, 0, 0, nil])([stopGradient(ends), ends, result, p])
      }
      var offset = 0
      return try initialState.mapLeaves { leaf in
        defer { offset += leaf.count }
        return result[0..<times.count, offset..<offset + leaf.count].reshaped([times.count] + leaf.shape)
          .converted(to: leaf.elementType)
      }
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
      let equation = TracedEquation(staged.program)
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
    return (TracedEquation(extended.program), staged.captures)
  }
}

extension TensorTree {
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
