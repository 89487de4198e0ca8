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
/// mode, of any order. The derivative with respect to the guess is zero. Under `vmap` the programs are solved one after the other.
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
///   - options: tolerance and limits.
/// - Throws: `TensorError`: shapes, crossed sides, no solution found (with the status); taking derivatives, a solution at which strict
///   complementarity fails (with the margin), or whose system is singular because active constraints depend on each other or the
///   minimum is flat.
public func nonlinearProgram(
  objective: @escaping (Tensor) throws -> Tensor, equalities: ((Tensor) throws -> Tensor)? = nil,
  inequalities: ((Tensor) throws -> Tensor)? = nil, lower: Tensor? = nil, upper: Tensor? = nil,
  lowerBounds: Tensor? = nil, upperBounds: Tensor? = nil, guess: Tensor,
  options: NonlinearProgramOptions = .init()
) throws -> NonlinearProgramTensors {
  let name = "nonlinearProgram"
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
  func complementarity(_ values: Tensor, _ multipliers: Tensor, _ low: Tensor, _ high: Tensor) -> Tensor {
    let free = (low .!= high).converted(to: .float64)
    let shifted = values + multipliers * free
    let inner = select(shifted .< low, values - low, -multipliers)
    let found = select((shifted .> high) .| (low .== high), values - high, inner)
    return bind1(RequireComplementarity(), found, shifted, low, high)
  }
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
      try grad(lagrangian)(x) + w, rows[0], complementarity(g, z, sides[0], sides[1]),
      complementarity(x, w, sides[2], sides[3]),
    ]
  }
  let start = [guess, Tensor.zeros([p]), Tensor.zeros([m]), Tensor.zeros([n])]
  let found = try customRoot(residual, guess: start) { _, start in
    try bindOrThrow(
      NonlinearProgramSolve(functions: FunctionsReference(functions), options: options),
      functions.captures + sides + [start[0]])
  }
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

/// The first operand, whose derivative exists only where the second keeps away from the other two.
struct RequireComplementarity: Primitive {
  var layer = "nonlinearProgram"
  var name: String { "complementarity" }
  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func evaluate(_ operands: [DenseArray]) -> [DenseArray] { [operands[0]] }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)[0]
    return (
      [result],
      [
        try tangents[0].map {
          try bindOrThrow(ComplementaryTangent(layer: layer), [$0] + primals.dropFirst())[0]
        }
      ]
    )
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (try bindOrThrow(self, zip(operands, isBatched).map { $0.batched($1, size) }), [true])
  }
}

/// The first operand, if the second keeps away from the third and fourth, the sides. Linear in the first.
struct ComplementaryTangent: Primitive {
  let layer: String
  var name: String { "complementarity" }
  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (values, low, high) = (
      operands[1].values(Double.self), operands[2].values(Double.self), operands[3].values(Double.self)
    )
    for k in values.indices where low[k] != high[k] {
      let margin = min((values[k] - low[k]).magnitude, (high[k] - values[k]).magnitude)
      if margin < 1e-7 {
        throw TensorError(
          .singular, layer,
          "the solution has no derivative: strict complementarity fails (margin \(margin)) at constraint \(k), which holds with "
            + "equality while its multiplier is zero, so that left and right derivatives differ")
      }
    }
    return [operands[0]]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)[0]
    return ([result], [try tangents[0].map { try bindOrThrow(self, [$0] + primals.dropFirst())[0] }])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil, nil, nil] }
    let known = try coefficients(operands.dropFirst(), "a coefficient")
    return [try bindOrThrow(self, [c] + known)[0], nil, nil, nil]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (try bindOrThrow(self, zip(operands, isBatched).map { $0.batched($1, size) }), [true])
  }
}
