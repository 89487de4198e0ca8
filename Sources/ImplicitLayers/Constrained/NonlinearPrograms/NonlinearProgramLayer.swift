public import Autodiff

/// What a nonlinear program of tensors gave.
public struct NonlinearProgramTensors: Sendable {
  /// The minimiser, [n].
  public var x: Tensor
  /// The multipliers y of h(x) = 0, [p].
  public var equalityMultipliers: Tensor
  /// The multipliers z of the inequalities, [m]: positive where the upper side holds.
  public var inequalityMultipliers: Tensor
  /// The multipliers w of the bounds, [n], likewise.
  public var boundMultipliers: Tensor
}

/// minimise f(x) subject to h(x) = 0, lower ≤ g(x) ≤ upper and bounds: a local minimiser and its multipliers as differentiable functions of
/// the sides and of whatever tensors the closures capture.
///
/// The solution is a root of F(x, y, z, w) = (∇f + Jhᵀ y + Jgᵀ z + w; h; R(g, z); R(x, w)), where R(v, z) is v − upper if v + z lies above
/// the upper side, v − lower if below the lower one, and −z between: by the implicit function theorem (`customRoot` of `Autodiff`) in forward and reverse
/// mode, of any order. With a barrier μ, R(v, z) = z − μ / (upper − v) + μ / (v − lower) instead, which is smooth. The derivative with respect to
/// the guess is zero. Under `vmap` the programs are solved one after the other.
///
/// - Parameters:
///   - objective: f, [n] to a scalar.
///   - equalities: h, [n] to [p].
///   - inequalities: g, [n] to [m].
///   - lower: the lower sides of g; nil for none.
///   - upper: the upper sides of g; nil for none.
///   - lowerBounds: the lower bounds of x; nil for none.
///   - upperBounds: the upper bounds of x; nil for none.
///   - guess: where to start, [n].
///   - options: tolerance and limits; a barrier that smooths.
///   - policy: what derivatives do at solutions where they do not exist. Of least norm is the solution of F's differentiated equations by the
///     pseudo-inverse, at every order: of the directions that come closest to satisfying them, the shortest in (x, y, z, w). Sides without force
///     (slack and multiplier below 1e-7) do not constrain it.
/// - Throws: `TensorError`: shapes, crossed sides, no solution found (with the status); taking derivatives, a solution at which strict
///   complementarity fails, active constraints depend on each other, or the minimum is flat (with the margin).
public func nonlinearProgram(
  objective: @escaping (Tensor) throws -> Tensor, equalities: ((Tensor) throws -> Tensor)? = nil,
  inequalities: ((Tensor) throws -> Tensor)? = nil, lower: Tensor? = nil, upper: Tensor? = nil,
  lowerBounds: Tensor? = nil, upperBounds: Tensor? = nil, guess: Tensor,
  options: NonlinearProgramOptions = .init(), policy: DegeneracyPolicy = .error
) throws -> NonlinearProgramTensors {
  let name = "nonlinearProgram"
  try options.check(name)
  guard guess.rank == 1, guess.elementType == .float64 else {
    throw TensorError(.shape, name, "the guess is \(guess.type), not a float64 vector")
  }
  let n = guess.shape[0]
  let functions = try NonlinearFunctions(
    objective: objective, equalities: equalities, inequalities: inequalities, variables: n)
  let (p, m) = (functions.equationCount, functions.rowCount - functions.equationCount)
  func side(_ x: Tensor?, _ count: Int, _ absent: Double) -> Tensor {
    x ?? Tensor(repeating: absent, shape: [count])
  }
  let sides = [
    side(lower, m, -.infinity), side(upper, m, .infinity), side(lowerBounds, n, -.infinity),
    side(upperBounds, n, .infinity),
  ]
  for (side, count) in zip(sides, [m, m, n, n]) where side.shape != [count] || side.elementType != .float64 {
    throw TensorError(.shape, name, "sides \(side.type) where float64 of shape \([count]) is wanted")
  }
  let conditions = SideConditions(options: options, policy: policy)
  let residual = { (unknowns: [Tensor]) throws -> [Tensor] in
    let (x, y, z, w) = (unknowns[0], unknowns[1], unknowns[2], unknowns[3])
    var rows: [Tensor] = []
    if let equalities { rows.append(try equalities(x)) } else { rows.append(Tensor.zeros([0])) }
    let g = try inequalities?(x) ?? Tensor.zeros([0])
    let lagrangian = { (x: Tensor) throws -> Tensor in
      var sum = try objective(x)
      if let equalities { sum = sum + dot(try equalities(x), y) }
      if let inequalities { sum = sum + dot(try inequalities(x), z) }
      return sum
    }
    return [
      try grad(lagrangian)(x) + w, rows[0], conditions(g, z, sides[0], sides[1]),
      conditions(x, w, sides[2], sides[3]),
    ]
  }
  let start = [guess, Tensor.zeros([p]), Tensor.zeros([m]), Tensor.zeros([n])]
  let system = NonlinearProgramSystem(
    variables: n, equations: p, inequalities: m, policy: policy, isSmoothed: options.barrier > 0)
  let found = try customRoot(
    residual, guess: start,
    solve: { _, start in
      try bindOrThrow(
        NonlinearProgramSolve(functions: FunctionsReference(functions), options: options),
        functions.captures + sides + [start[0]])
    }, matrixSolve: { try bindOrThrow(system, [$0, $1])[0] })
  return NonlinearProgramTensors(
    x: found[0], equalityMultipliers: found[1], inequalityMultipliers: found[2], boundMultipliers: found[3])
}

/// Told apart by identity.
struct FunctionsReference: Hashable, Sendable {
  let functions: NonlinearFunctions
  init(_ functions: NonlinearFunctions) { self.functions = functions }
  static func == (a: Self, b: Self) -> Bool { a.functions === b.functions }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(functions)) }
}

/// Solves a nonlinear program. Operands: what its functions capture, four sides, the guess. Its derivative is that of the root.
struct NonlinearProgramSolve: Primitive {
  let functions: FunctionsReference
  let options: NonlinearProgramOptions
  /// Which operands have an axis of programs in front; empty for a single program.
  var isStacked: [Bool] = []

  var name: String { "nonlinearProgram" }
  var attributes: String {
    "\(functions.functions.variableCount) variables, \(functions.functions.rowCount) rows"
  }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let f = functions.functions
    let lead = isStacked.firstIndex(of: true).map { [operands[$0].shape[0]] } ?? []
    return [f.variableCount, f.equationCount, f.rowCount - f.equationCount, f.variableCount].map {
      TensorType(.float64, lead + [$0])
    }
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(operands.map(\.type))
    let count = isStacked.firstIndex(of: true).map { operands[$0].shape[0] }
    var results = [[Double]](repeating: [], count: 4)
    for k in 0..<(count ?? 1) {
      let own = operands.enumerated().map {
        isStacked.isEmpty || !isStacked[$0] ? $1 : $1.row(k).contiguous()
      }
      let captures = functions.functions.captures.count
      let sides = own[captures...].map { $0.values(Double.self) }
      let place = count == nil ? "" : "program \(k) of the batch: "
      if let element = sides[4].firstIndex(where: { !$0.isFinite }) {
        throw TensorError(.nonFinite, name, place + "element \(element) of the guess is \(sides[4][element])")
      }
      let solution: NonlinearProgramSolution
      do {
        let problem = try functions.functions.problem(
          captures: Array(own[..<captures]), lower: sides[0], upper: sides[1], lowerBounds: sides[2],
          upperBounds: sides[3])
        var solver = NonlinearInteriorPoint(problem, options)
        solution = try solver.solve(from: sides[4])
      } catch { throw (error as? TensorError) ?? TensorError(.argument, name, place + "\(error)") }
      guard solution.status == .converged else {
        throw TensorError(
          .notConverged, name,
          place
            + "\(solution.status) (after \(solution.iterations) iterations, with residuals \(solution.primalResidual) of "
            + "constraints and \(solution.dualResidual) of stationarity)")
      }
      let parts = [
        solution.x, solution.equalityMultipliers, solution.inequalityMultipliers, solution.boundMultipliers,
      ]
      for (part, values) in parts.enumerated() { results[part] += values }
    }
    return zip(results, types).map { DenseArray($0, shape: $1.shape) }
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    throw TensorError(.unsupportedDerivative, name, "is differentiated as a root")
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    guard isStacked.isEmpty else {
      throw TensorError(
        .unsupportedDerivative, name, "a batch of batches is not supported; use one vmap over both axes")
    }
    let stacked = NonlinearProgramSolve(functions: functions, options: options, isStacked: isBatched)
    let results = try bindOrThrow(stacked, operands)
    return (results, results.map { _ in true })
  }
}
