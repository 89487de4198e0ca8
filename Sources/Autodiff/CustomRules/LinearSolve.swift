/// The solution x of A x = b for a linear map A that is a program, found by another program.
///
/// Operands: what the map captures, what the two solvers capture, b. With A x = b, differentiation gives
/// A ẋ = ḃ − Ȧ x, and the transpose of b ↦ x is c ↦ A⁻ᵀ c: both are linear solves again, so every order follows.
package struct LinearSolve: HigherOrderPrimitive {
  /// Captures and x to A x.
  let map: Program
  /// Captures and b to x.
  let solve: Program
  /// Captures and c to A⁻ᵀ c; nil if there is none.
  let transposedSolve: Program?
  let mapCaptures: Int
  let solveCaptures: Int
  let transposedCaptures: Int

  package var name: String { "linearSolve" }
  package var programs: [(role: String, program: Program)] {
    [("map", map), ("solve", solve)] + (transposedSolve.map { [("transposed solve", $0)] } ?? [])
  }
  private var solveStart: Int { mapCaptures }
  private var transposedStart: Int { mapCaptures + solveCaptures }
  private var start: Int { mapCaptures + solveCaptures + transposedCaptures }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let b = Array(operands.dropFirst(start))
    guard map.outputTypes == b, solve.outputTypes == b else {
      throw TensorError(
        .shape, name,
        "the map gives \(map.outputTypes) and the solver \(solve.outputTypes) for a right-hand side of \(b)")
    }
    return b
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try solve.interpret(Array(operands[solveStart..<transposedStart]) + Array(operands.dropFirst(start)))
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let x = try bindOrThrow(self, primals)
    var right = Array(tangents.dropFirst(start))
    if tangents.prefix(mapCaptures).contains(where: { $0 != nil }) {
      let (_, moved) = try map.forwardMode(
        primals.prefix(mapCaptures) + x, tangents.prefix(mapCaptures) + x.map { _ in nil })
      right = zip(right, moved).map { sum($0, $1.map { -$0 }) }
    }
    if right.allSatisfy({ $0 == nil }) { return (x, x.map { _ in nil }) }
    let filled = zip(right, x).map { $0 ?? Tensor.zeros($1.type) }
    return (x, try bindOrThrow(self, primals.prefix(start) + filled).map { $0 })
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let transposedSolve else {
      throw TensorError(
        .unsupportedDerivative, name,
        "reverse mode needs a solver for the transposed map; pass transposeSolve:")
    }
    let mapTransposed = try map.transposedProgram(isLinear: map.inputs.indices.map { $0 >= mapCaptures })
    let adjoint = LinearSolve(
      map: mapTransposed, solve: transposedSolve, transposedSolve: solve, mapCaptures: mapCaptures,
      solveCaptures: transposedCaptures, transposedCaptures: solveCaptures)
    let known = try coefficients(operands.prefix(start), "the map")
    let filled = zip(cotangents, solve.outputTypes).map { $0 ?? Tensor.zeros($1) }
    let reordered =
      known.prefix(mapCaptures) + known.dropFirst(transposedStart) + known[solveStart..<transposedStart]
    let results = try bindOrThrow(adjoint, reordered + filled)
    return operands.prefix(start).map { _ in nil }
      + zip(operands.dropFirst(start), results).map { $0.isLinear ? $1 : nil }
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let all = solve.outputs.map { _ in true }
    func batched(_ program: Program, _ captures: ArraySlice<Bool>) throws -> Program {
      try program.batchedProgram(isBatched: captures + all, size: size, forced: all).program
    }
    let primitive = LinearSolve(
      map: try batched(map, isBatched[0..<solveStart]),
      solve: try batched(solve, isBatched[solveStart..<transposedStart]),
      transposedSolve: try transposedSolve.map { try batched($0, isBatched[transposedStart..<start]) },
      mapCaptures: mapCaptures, solveCaptures: solveCaptures, transposedCaptures: transposedCaptures)
    let prepared = operands.enumerated().map { $0 < start ? $1 : $1.batched(isBatched[$0], size) }
    return (try bindOrThrow(primitive, prepared), all)
  }
}

/// The solution of a linear system whose matrix is only known as a function, with the derivative of a linear solve: what the
/// solver does inside is not differentiated.
///
/// - Parameters:
///   - map: x ↦ A x, linear in x. Tensors that it captures may be differentiated.
///   - rightSide: b.
///   - solve: takes the map and b to x. It may iterate.
///   - transposeSolve: takes the transposed map and c to A⁻ᵀ c, for reverse mode; `solve` itself if the map is
///     symmetric.
/// - Throws: ``TensorError``, or what the closures throw.
public func customLinearSolve<Vector: TensorTree>(
  _ map: (Vector) throws -> Vector, _ rightSide: Vector,
  solve: (_ map: (Vector) throws -> Vector, _ rightSide: Vector) throws -> Vector,
  transposeSolve: ((_ map: (Vector) throws -> Vector, _ rightSide: Vector) throws -> Vector)? = nil
) throws -> Vector {
  let right = try checkedLeaves(rightSide)
  let types = right.map(\.type)
  let traced = try stage(map, rightSide)
  func solver(
    _ solve: (_ map: (Vector) throws -> Vector, _ rightSide: Vector) throws -> Vector, _ program: Program,
    _ captures: [Tensor]
  ) throws -> TracedFunction<Void> {
    try trace(types) { inputs in
      let apply = { (x: Vector) throws -> Vector in
        try rightSide.replacing(leaves: try program(captures + x.leaves))
      }
      return ((), try solve(apply, try rightSide.replacing(leaves: inputs)).leaves)
    }
  }
  /// Captures first.
  func capturesFirst(_ function: Program, _ captures: [Tensor]) throws -> Program {
    try function.reading(captures.map(\.type) + types) {
      Array($0.dropFirst(captures.count)) + Array($0.prefix(captures.count))
    }
  }
  let mapProgram = try capturesFirst(traced.program, traced.captures)
  let forward = try solver(solve, mapProgram, traced.captures)
  let backward = try transposeSolve.map { transposed in
    let adjoint = try mapProgram.transposedProgram(
      isLinear: mapProgram.inputs.indices.map { $0 >= traced.captures.count })
    return try solver(transposed, adjoint, traced.captures)
  }
  let primitive = LinearSolve(
    map: mapProgram, solve: try capturesFirst(forward.program, forward.captures),
    transposedSolve: try backward.map { try capturesFirst($0.program, $0.captures) },
    mapCaptures: traced.captures.count, solveCaptures: forward.captures.count,
    transposedCaptures: backward?.captures.count ?? 0)
  let operands = traced.captures + forward.captures + (backward?.captures ?? []) + right
  return try rightSide.replacing(leaves: try bindOrThrow(primitive, operands))
}
