/// A point where a residual is zero, with the derivative of the implicit function: F_x ẋ = −F_w ẇ.
///
/// Operands: what the residual captures (the parameters w), what the solver captures, the first guess.
package struct RootSolve: HigherOrderPrimitive {
  /// Parameters and x to F.
  let residual: Program
  /// Captures and first guess to x.
  let solve: Program
  let parameterCount: Int
  let solveCaptures: Int
  let linearSolve: LinearSolveClosure

  package var name: String { "root" }
  package var programs: [(role: String, program: Program)] { [("residual", residual), ("solve", solve)] }
  private var start: Int { parameterCount + solveCaptures }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let guess = Array(operands.dropFirst(start))
    guard residual.outputTypes == guess, solve.outputTypes == guess else {
      throw TensorError(
        .shape, name,
        "the residual gives \(residual.outputTypes) and the solver \(solve.outputTypes) for a guess of \(guess)"
      )
    }
    return guess
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try solve.interpret(Array(operands[parameterCount..<start]) + Array(operands.dropFirst(start)))
  }
  /// The first guess and what only the solver captures have no influence on the root.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let root = try bindOrThrow(self, primals)
    let parameters = Array(primals.prefix(parameterCount))
    let (_, moved) = try residual.forwardMode(
      parameters + root, tangents.prefix(parameterCount) + root.map { _ in nil })
    guard moved.contains(where: { $0 != nil }) else { return (root, root.map { _ in nil }) }
    let right = zip(moved, root).map { $0.map { -$0 } ?? Tensor.zeros($1.type) }
    let jacobian = { (x: [Tensor]) throws -> [Tensor] in
      let (_, results) = try residual.forwardMode(
        parameters + root, parameters.map { _ in nil } + x.map { $0 })
      return zip(results, root).map { $0 ?? Tensor.zeros($1.type) }
    }
    let direction = try customLinearSolve(
      jacobian, right, solve: linearSolve.body, transposeSolve: linearSolve.body)
    return (root, direction.map { $0 })
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let all = solve.outputs.map { _ in true }
    let primitive = RootSolve(
      residual: try residual.batchedProgram(
        isBatched: isBatched.prefix(parameterCount) + all, size: size, forced: all
      ).program,
      solve: try solve.batchedProgram(
        isBatched: isBatched[parameterCount..<start] + all, size: size, forced: all
      ).program, parameterCount: parameterCount, solveCaptures: solveCaptures,
      linearSolve: linearSolve.batched(size))
    let prepared = operands.enumerated().map { $0 < start ? $1 : $1.batched(isBatched[$0], size) }
    return (try bindOrThrow(primitive, prepared), all)
  }
}

/// How the tangent system is solved; told apart by identity.
package final class LinearSolveClosure: @unchecked Sendable, Hashable {
  typealias Body = (_ map: ([Tensor]) throws -> [Tensor], _ rightSide: [Tensor]) throws -> [Tensor]
  /// Takes matrices [n, n] and right-hand sides [n, 1], or stacks of them, to solutions.
  package typealias MatrixSolve = (_ matrix: Tensor, _ rightSide: Tensor) throws -> Tensor
  let body: Body
  private let matrixSolve: MatrixSolve

  /// - Parameter body: solves a single system; by its dense matrix if left out.
  init(matrixSolve: @escaping MatrixSolve, body: Body? = nil) {
    self.matrixSolve = matrixSolve
    self.body = body ?? { map, right in try solveDense(map, right, matrixSolve) }
  }
  package static func == (a: LinearSolveClosure, b: LinearSolveClosure) -> Bool { a === b }
  package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

  /// The solver for a batch of independent systems: the map acts on each element by itself, so that it can be asked for one
  /// element's columns for all elements at once. Dense by construction.
  func batched(_ size: Int) -> LinearSolveClosure {
    LinearSolveClosure(matrixSolve: matrixSolve) { [matrixSolve] map, right in
      try solveDense(map, right, batch: size, matrixSolve)
    }
  }
}

/// Solves a linear system by its dense matrix, found column by column as one batch; with a `batch`, independent systems
/// along axis 0.
func solveDense(
  _ map: ([Tensor]) throws -> [Tensor], _ right: [Tensor], batch: Int? = nil,
  _ matrixSolve: LinearSolveClosure.MatrixSolve
) throws -> [Tensor] {
  let lead = batch.map { [$0] } ?? []
  let shapes = right.map { Array($0.shape.dropFirst(lead.count)) }
  let sizes = shapes.map(\.elementCount)
  let total = sizes.reduce(0, +)
  func split(_ x: Tensor, _ extra: [Int]) -> [Tensor] {
    zip(x.split(sizes: sizes, axis: -1), shapes).map { $0.reshaped(extra + $1) }
  }
  let identity = Tensor.identity(total, type: right[0].elementType)
  let staged = try trace(right.map(\.type)) { try map($0) }
  // Column k of every system: unit vectors, the same for all systems of a batch.
  let basis = split(identity, [total]).map { part in
    batch == nil ? part : part.expandingAxis(1).broadcast(to: [part.shape[0]] + lead + part.shape.dropFirst())
  }
  let (columns, flags) = try staged.program.batched(
    basis + staged.captures, basis.map { _ in true } + staged.captures.map { _ in false }, size: total)
  let flat = zip(columns, flags).map { column, flag in
    let full = column.batched(flag, total)
    return full.reshaped([total] + lead + [full.shape.dropFirst(1 + lead.count).reduce(1, *)])
  }
  let joined = concatenate(flat, axis: -1)
  // [column, batch, row] to [batch, row, column].
  let matrix = batch == nil ? joined.transposed : joined.transposed([1, 2, 0])
  let b = concatenate(right.map { $0.reshaped(lead + [-1]) }, axis: -1)
  return split(try matrixSolve(matrix, b.expandingAxis(-1)).squeezed(-1), lead)
}

/// A root of a residual, differentiated by the implicit function theorem: whatever the solver does, its steps are not
/// differentiated.
///
/// ```swift
/// let x = try customRoot({ x in x * x - a }, guess: 1.0) { residual, guess in
///   try newton(residual, guess)
/// }
/// ```
///
/// - Parameters:
///   - residual: zero at the root. Tensors that it captures are the parameters that the root depends on.
///   - guess: where the solver starts; the root's derivative with respect to it is zero.
///   - solve: takes residual and guess to the root.
///   - tangentSolve: solves the linear system of the derivative; by its dense matrix if left out. It must work for the
///     transposed map too, and must not capture traced tensors. Under `vmap` the dense solver is used.
/// - Throws: ``TensorError``, or what the closures throw.
public func customRoot<Vector: TensorTree>(
  _ residual: (Vector) throws -> Vector, guess: Vector,
  solve: (_ residual: (Vector) throws -> Vector, _ guess: Vector) throws -> Vector,
  tangentSolve: ((_ map: (Vector) throws -> Vector, _ rightSide: Vector) throws -> Vector)? = nil
) throws -> Vector {
  try root(
    residual, guess: guess, solve: solve,
    linearSolve: LinearSolveClosure(
      matrixSolve: { matrix, right in Autodiff.solve(matrix, right) },
      body: tangentSolve.map { tangentSolve in
        { map, right in
          let template = try guess.replacing(leaves: right)
          return try tangentSolve({ x in try guess.replacing(leaves: try map(x.leaves)) }, template).leaves
        }
      }))
}

/// The same with a solver for the dense matrices of the derivative's systems, for their transposes, and for stacks of them.
package func customRoot<Vector: TensorTree>(
  _ residual: (Vector) throws -> Vector, guess: Vector,
  solve: (_ residual: (Vector) throws -> Vector, _ guess: Vector) throws -> Vector,
  matrixSolve: @escaping LinearSolveClosure.MatrixSolve
) throws -> Vector {
  try root(
    residual, guess: guess, solve: solve, linearSolve: LinearSolveClosure(matrixSolve: matrixSolve))
}

private func root<Vector: TensorTree>(
  _ residual: (Vector) throws -> Vector, guess: Vector,
  solve: (_ residual: (Vector) throws -> Vector, _ guess: Vector) throws -> Vector,
  linearSolve: LinearSolveClosure
) throws -> Vector {
  let start = try checkedLeaves(guess)
  let types = start.map(\.type)
  let traced = try stage(residual, guess)
  let parameters = traced.captures
  func capturesFirst(_ function: Program, _ captures: [Tensor]) throws -> Program {
    try function.reading(captures.map(\.type) + types) {
      Array($0.dropFirst(captures.count)) + Array($0.prefix(captures.count))
    }
  }
  let residualProgram = try capturesFirst(traced.program, parameters)
  // With numbers only, the solver may look at them (and branch on them).
  let apply = { (x: Vector) throws -> Vector in
    try guess.replacing(leaves: try residualProgram(parameters + x.leaves))
  }
  if (parameters + start).allSatisfy({ $0.dense != nil }) { return try solve(apply, guess) }
  let solver = try trace(types) { inputs in
    ((), try solve(apply, try guess.replacing(leaves: inputs)).leaves)
  }
  let primitive = RootSolve(
    residual: residualProgram, solve: try capturesFirst(solver.program, solver.captures),
    parameterCount: parameters.count, solveCaptures: solver.captures.count, linearSolve: linearSolve)
  return try guess.replacing(leaves: try bindOrThrow(primitive, parameters + solver.captures + start))
}
