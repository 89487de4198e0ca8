import Autodiff
import LinearSolvers

// The implicit function theorem. Where F(x(w), w) = 0 for all w near the given one, differentiation along ẇ gives F_x ẋ + F_w ẇ = 0. F_w ẇ is one
// forward derivative of the traced residual. F_x is an operator of the linear-solve module, whose solve is linear in the right-hand side
// and is differentiated with respect to the operator's own numbers: transposing gives the adjoint equation F_xᵀ λ = x̄, w̄ = −F_wᵀ λ, and
// differentiating again gives all higher orders, with x itself a function of w.
extension ImplicitLayer {
  /// The unknowns' tangents at a solution.
  /// - Parameter status: of a solve that reports: tangents of a point that is no solution are an error.
  func tangent(at root: [Tensor], parameters: [Tensor], moving: [Tensor?], status: Tensor?) throws -> [Tensor]
  {
    let (_, moved) = try residual.forwardMode(root + parameters, root.map { _ in nil } + moving)
    let zeros = unknownTypes.map { Tensor.zeros($0.shape, type: $0.elementType) }
    let flat = FlatResidual(program: residual, unknownTypes: unknownTypes, parameters: parameters)
    guard flat.count > 0 else { return zeros }
    let right = flat.joined(zip(moved, zeros).map { $0 ?? $1 })
    // What failed is said before its singular Jacobian is.
    func requireSolution(_ tensor: Tensor) throws -> Tensor {
      guard let status else { return tensor }
      return try bindOrThrow(RequireSolution(layer: self), [status, tensor])[0]
    }
    guard moved.contains(where: { $0 != nil }) else {
      return flat.separated(try requireSolution(flat.joined(zeros)))
    }
    let x = try requireSolution(flat.joined(root))
    var result: Tensor
    switch differentiation.method {
    case .implicit:
      result = try implicitTangent(flat, x, right)
    case .series(let terms, let damping):
      let scale = damping * seriesScale
      let first = right * scale
      // v ← v + λ F_x v.
      result = try forLoop(terms - 1, initial: [first, first]) { _, state in
        let term = state[0] + (try jvp(flat.callAsFunction, at: x, along: state[0]).tangent) * scale
        return [term, state[1] + term]
      }[1]
      if differentiation.checksSolution {
        result = try requireRoot(step: try flat.constant(stopGradient(x)) * seriesScale, from: x, result)
      }
    case .unrolled, .truncated:
      throw TensorError(.unsupportedDerivative, name, "an unrolled solve is differentiated step by step")
    }
    return flat.separated(try requireSolution(result))
  }

  private func implicitTangent(_ flat: FlatResidual, _ x: Tensor, _ right: Tensor) throws -> Tensor {
    let structure = try structure(flat, x)
    try requireTriangle(flat, x)
    var options = differentiation.linearSolve
    if structure == .matrixFree, !options.method.isIteration {
      options.method =
        tags.contains(.positiveDefinite)
        ? .conjugateGradients : tags.contains(.symmetric) ? .minres : .gmres()
    }
    let right = try requireSymmetricProducts(flat, x, structure, right)
    let prepared = try jacobianSystem(flat, x, structure, options)
    let tangent = -(try prepared.solve(right))
    guard differentiation.checksSolution else { return tangent }
    if structure == .matrixFree {
      // One digit of Newton's step tells whether it is short.
      var loose = options
      loose.stopping.relativeTolerance = max(loose.stopping.relativeTolerance, 0.1)
      let (constant, point) = (flat.constant, stopGradient(x))
      let step = try jacobianSystem(constant, point, structure, loose).solve(try constant(point))
      return try requireRoot(step: step, from: x, tangent)
    }
    let measures = try regularity(flat.constant, stopGradient(x), prepared, structure)
    return try bindOrThrow(RequireRegularRoot(layer: self), measures + [tangent])[0]
  }

  /// Of a triangular matrix one half is read: that the other one vanishes must be known for all unknowns, as derivatives of higher order
  /// belong to the half that is read too.
  private func requireTriangle(_ flat: FlatResidual, _ x: Tensor) throws {
    let isLower = tags.contains(.lowerTriangular)
    guard isLower || tags.contains(.upperTriangular) else { return }
    let pattern = try jacobianSparsity(of: flat.callAsFunction, at: x)
    for (row, column) in zip(pattern.rowIndices, pattern.columnIndices)
    where row != column && (column < row) != isLower {
      throw TensorError(
        .argument, name,
        "the Jacobian is said to be \(isLower ? "lower" : "upper") triangular, but element \(row) of the residual depends on "
          + "unknown \(column), or may do so")
    }
  }

  /// A Jacobian that is not dense is taken for symmetric if it is between two vectors; a dense one is looked at as a whole when it is factored.
  private func requireSymmetricProducts(
    _ flat: FlatResidual, _ x: Tensor, _ structure: JacobianStructure, _ right: Tensor
  ) throws -> Tensor {
    guard structure == .matrixFree || structure == .sparse, differentiation.tags.contains(.symmetric) else {
      return right
    }
    let (constant, point) = (flat.constant, stopGradient(x))
    let counts = Tensor((0..<flat.count).map(Double.init)).converted(to: x.elementType)
    let (u, v) = (sin(1.0 + 0.7 * counts), cos(2.0 + 1.3 * counts))
    let images = try [u, v].map { try jvp(constant.callAsFunction, at: point, along: $0).tangent }
    let asymmetry = abs((v * images[0]).sum() - (u * images[1]).sum())
    let size = (abs(v * images[0]) + abs(u * images[1])).sum()
    let measures = [asymmetry, size].map { $0.converted(to: .float64) }
    return try bindOrThrow(RequireSymmetry(layer: self), measures + [right])[0]
  }

  /// The tangents, if the step from the point is short.
  private func requireRoot(step: Tensor, from x: Tensor, _ tangent: Tensor) throws -> Tensor {
    let distance = stopGradient((abs(step).max() / (1.0 + abs(x).max())).converted(to: .float64))
    return try bindOrThrow(RequireRegularRoot(layer: self), [distance, Tensor(0), tangent])[0]
  }

  /// The structure that the Jacobian is given.
  private func structure(_ flat: FlatResidual, _ x: Tensor) throws -> JacobianStructure {
    guard differentiation.jacobian == .automatic else { return differentiation.jacobian }
    let n = flat.count
    if n <= 64 { return .dense }
    let pattern = try jacobianSparsity(of: flat.callAsFunction, at: x)
    if pattern.entryCount <= n * n / 10 { return .sparse }
    return n <= 2048 ? .dense : .matrixFree
  }

  private func jacobianSystem(
    _ flat: FlatResidual, _ x: Tensor, _ structure: JacobianStructure, _ options: LinearSolveOptions
  ) throws -> JacobianSystem {
    if isGradient, structure == .dense {
      // The unknowns of a fit have units of their own: entries of the Hessian may differ by more than rounding leaves.
      let matrix = try jacobian(flat.callAsFunction, mode: .forward)(x)
      let n = flat.count
      let diagonal = stopGradient((abs(matrix) * Tensor.identity(n, type: matrix.elementType)).sum(axis: 1))
      let scale = select(diagonal .> 0.0, 1.0 / Autodiff.sqrt(select(diagonal .> 0.0, diagonal, 1.0)), 1.0)
      return try JacobianSystem(matrix, rows: scale, columns: scale, tags, options)
    }
    if structure == .dense, tags.isEmpty, flat.count > 1 {
      // So have equations and unknowns.
      let matrix = try jacobian(flat.callAsFunction, mode: .forward)(x)
      let size = stopGradient(abs(matrix))
      func scale(_ largest: Tensor) -> Tensor { 1.0 / select(largest .> 1e-30, largest, 1.0) }
      let rows = scale(size.max(axis: 1))
      let columns = scale((rows.expandingAxis(1) * size).max(axis: 0))
      return try JacobianSystem(matrix, rows: rows, columns: columns, tags, options)
    }
    return JacobianSystem(try PreparedOperator(try jacobianOperator(flat, x, structure), options))
  }

  private func jacobianOperator(_ flat: FlatResidual, _ x: Tensor, _ structure: JacobianStructure) throws
    -> LinearOperator
  {
    switch structure {
    case .automatic, .dense:
      return .dense(try jacobian(flat.callAsFunction, mode: .forward)(x), tags: tags)
    case .sparse:
      let matrix = try sparseJacobian(flat.callAsFunction)(x)
      return .sparse(matrix.pattern, values: matrix.values, tags: tags)
    case .matrixFree: return try .jacobian(of: flat.callAsFunction, at: x, tags: tags)
    case .diagonal:
      return .diagonal(
        try jvp(flat.callAsFunction, at: x, along: Tensor.ones(x.shape, type: x.elementType)).tangent)
    }
  }

  /// How far the point is from a root, relative to 1 + ‖x‖∞, and how much of the Jacobian changes over that distance.
  ///
  /// A matrix that rounding left invertible can stand for a singular one: where x² = 0 is solved to x = 10⁻⁸, F_x = 2·10⁻⁸ has an inverse that
  /// means nothing. What tells is Newton's step d = −F_x⁻¹ F and c = F_x⁻¹ (F_x(x + d) − F_x(x)) d / ‖d‖, half the number h of Kantorovich's theorem:
  /// at a simple root it is of the order of ‖d‖, at a double root ½ however close x is. A step of the size of rounding along F_x⁻¹ 1, which is
  /// nearly the null direction of a nearly singular F_x, is added for solvers that end exactly where F vanishes in floating point.
  private func regularity(
    _ flat: FlatResidual, _ x: Tensor, _ prepared: JacobianSystem, _ structure: JacobianStructure
  ) throws -> [Tensor] {
    let ones = Tensor.ones(x.shape, type: x.elementType)
    let steps = stopGradient(try prepared.solve(stack([try flat(x), ones], axis: 1)))
    let (newton, other) = (steps[.all, 0], steps[.all, 1])
    let size = 1.0 + abs(x).max()
    let rounding = x.elementType == .float32 ? 1.2e-7 : 2.3e-16
    let probe = rounding * size * (other / maximum(abs(other).max(), 1e-30)) - newton
    let distance = abs(newton).max() / size
    let change: Tensor
    if structure == .diagonal {
      let there = try jvp(flat.callAsFunction, at: x + probe, along: ones).tangent
      let here = try jvp(flat.callAsFunction, at: x, along: ones).tangent
      change = (there - here) / here
    } else {
      let direction = probe / maximum(abs(probe).max(), 1e-30)
      let there = try jvp(flat.callAsFunction, at: x + probe, along: direction).tangent
      let here = try jvp(flat.callAsFunction, at: x, along: direction).tangent
      change = try prepared.solve(there - here)
    }
    return [distance, abs(change).max()].map { stopGradient($0.converted(to: .float64)) }
  }
}

/// A Jacobian A that is ready to be solved with, or R A C with diagonals R and C that are constant: A⁻¹ = C (R A C)⁻¹ R.
private struct JacobianSystem {
  private let prepared: PreparedOperator
  private var scales: (rows: Tensor, columns: Tensor)?

  init(_ prepared: PreparedOperator) { self.prepared = prepared }
  init(
    _ matrix: Tensor, rows: Tensor, columns: Tensor, _ tags: OperatorTags, _ options: LinearSolveOptions
  ) throws {
    let scaled = rows.expandingAxis(1) * matrix * columns
    prepared = try PreparedOperator(.dense(scaled, tags: tags), options)
    scales = (rows, columns)
  }

  func solve(_ right: Tensor) throws -> Tensor {
    guard let (rows, columns) = scales else { return try prepared.solve(right) }
    guard right.rank == 2 else { return columns * (try prepared.solve(rows * right)) }
    return columns.expandingAxis(1) * (try prepared.solve(rows.expandingAxis(1) * right))
  }
}

extension LinearMethod {
  /// Whether the method only multiplies with the operator.
  var isIteration: Bool {
    switch self {
    case .conjugateGradients, .minres, .bicgstab, .gmres, .fgmres: true
    default: false
    }
  }
}
