public import Autodiff
public import LinearAlgebra

/// A linear map between vectors whose numbers are tensors: a matrix in one of many forms, a function, or a combination of such.
///
/// The form and the tags choose how systems with it are solved; derivatives are taken with respect to the numbers of the form itself
/// (the entries of a sparse matrix, the diagonals of a banded one, what a function captures).
///
/// ```swift
/// let a = LinearOperator.sparse(pattern, values: k, tags: .positiveDefinite)
/// let slope = try grad { k in solve(.sparse(pattern, values: k, tags: .positiveDefinite), b).sum() }(k)
/// ```
///
/// A mistake in the arguments (shapes that do not fit) is handed to the enclosing scope like that of any function of tensors.
public struct LinearOperator: Sendable {
  let node: OperatorNode
  let parameters: [Tensor]

  init(_ node: OperatorNode, _ parameters: [Tensor]) {
    self.node = node
    self.parameters = parameters
  }
  /// The operator, or after a mistake an operator that carries the error.
  private static func made(
    _ operation: String, _ node: OperatorNode, _ parameters: [Tensor]
  ) -> LinearOperator {
    for parameter in parameters where parameter.failure != nil { return broken(parameter) }
    for (parameter, shape) in zip(parameters, node.parameterShapes) where parameter.shape != shape {
      return broken(
        TensorError(
          .shape, operation,
          "a parameter of shape \(parameter.shape) where \(shape) is wanted (use vmap for batches)"
        ).report())
    }
    if case .function = node.kind { return LinearOperator(node, parameters) }
    for parameter in parameters where parameter.elementType == .bool {
      return broken(TensorError(.elementType, operation, "needs numbers, not \(parameter.type)").report())
    }
    let tags = node.tags
    if !tags.isEmpty, !node.isSquare {
      return broken(
        TensorError(
          .shape, operation,
          "the tags of an operator of \(node.rows) x \(node.columns): they are for square ones"
        )
        .report())
    }
    if tags.contains(.unitDiagonal), !tags.isTriangular {
      return broken(
        TensorError(
          .argument, operation, "unitDiagonal belongs to triangular operators; add the tag for the half"
        ).report())
    }
    if tags.contains([.lowerTriangular, .upperTriangular]) || (tags.isTriangular && tags.contains(.symmetric))
    {
      return broken(
        TensorError(
          .argument, operation, "a matrix that is triangular in two ways is diagonal; use diagonal(_:)"
        ).report())
    }
    return LinearOperator(node, parameters.map { $0.elementType == .int32 ? $0.converted(to: .float64) : $0 })
  }
  private static func broken(_ failed: Tensor) -> LinearOperator {
    LinearOperator(OperatorNode(.diagonal, 0, 0), [failed])
  }
  /// The error of a mistake that was made with the operator.
  var error: TensorError? { parameters.lazy.compactMap(\.failure).first }

  /// Number of rows.
  public var rows: Int { node.rows }
  /// Number of columns.
  public var columns: Int { node.columns }
  /// What is known of it.
  public var tags: OperatorTags { node.tags }

  /// A matrix `[rows, columns]`. Of one that is tagged triangular only that half counts.
  public static func dense(_ matrix: Tensor, tags: OperatorTags = []) -> LinearOperator {
    guard matrix.failure == nil else { return broken(matrix) }
    guard matrix.rank == 2 else {
      return broken(
        TensorError(
          .shape, "LinearOperator.dense",
          "needs a matrix; the shape is \(matrix.shape) (use vmap for batches)"
        ).report())
    }
    return made(
      "LinearOperator.dense", OperatorNode(.dense, matrix.shape[0], matrix.shape[1], tags), [matrix])
  }
  /// A sparse matrix: one value for each entry of the pattern, in compressed rows.
  ///
  /// Products, solutions and derivatives take time and memory in proportion to the entries (direct solutions: of the factors).
  public static func sparse(
    _ pattern: SparsityPattern, values: Tensor, tags: OperatorTags = []
  ) -> LinearOperator {
    made(
      "LinearOperator.sparse", OperatorNode(.sparse(pattern), pattern.rowCount, pattern.columnCount, tags),
      [values])
  }
  /// A sparse matrix from entries in any order (coordinates); values at the same place are added.
  public static func sparse(
    rowCount: Int, columnCount: Int, rows: [Int], columns: [Int], values: Tensor, tags: OperatorTags = []
  ) -> LinearOperator {
    gathered(values, tags) { () throws(LinearAlgebraError) in
      try SparsityPattern.coordinates(
        rowCount: rowCount, columnCount: columnCount, rows: rows, columns: columns)
    }
  }
  /// A sparse matrix from compressed columns.
  public static func sparseColumns(
    rowCount: Int, columnCount: Int, columnOffsets: [Int], rowIndices: [Int], values: Tensor,
    tags: OperatorTags = []
  ) -> LinearOperator {
    gathered(values, tags) { () throws(LinearAlgebraError) in
      try SparsityPattern.compressedColumns(
        rowCount: rowCount, columnCount: columnCount, columnOffsets: columnOffsets, rowIndices: rowIndices)
    }
  }
  private static func gathered(
    _ values: Tensor, _ tags: OperatorTags,
    _ form: () throws(LinearAlgebraError) -> (pattern: SparsityPattern, places: [Int])
  ) -> LinearOperator {
    do throws(LinearAlgebraError) {
      let (pattern, places) = try form()
      guard values.failure == nil else { return broken(values) }
      guard values.shape == [places.count] else {
        throw .shape("values of shape \(values.shape) for \(places.count) entries")
      }
      let summed = Tensor.zeros([pattern.entryCount], type: values.elementType)
        .addingRows(values, at: Tensor(places.map { Int32($0) }))
      return sparse(pattern, values: summed, tags: tags)
    } catch { return broken(tensorError(error, "LinearOperator.sparse").report()) }
  }
  /// A diagonal matrix.
  public static func diagonal(_ elements: Tensor, tags: OperatorTags = .symmetric) -> LinearOperator {
    made(
      "LinearOperator.diagonal",
      OperatorNode(.diagonal, elements.count, elements.count, tags.union(.symmetric)), [elements])
  }
  /// The identity.
  public static func identity(_ size: Int) -> LinearOperator {
    diagonal(Tensor.ones([size]), tags: .positiveDefinite)
  }
  /// A matrix whose entries lie in a band about the diagonal.
  /// - Parameters:
  ///   - diagonals: highest first, `[lower + upper + 1, size]`: element (i, j) of the matrix is
  ///     `diagonals[upper + i - j, j]`. Numbers outside of the matrix do not count.
  ///   - tags: what is known of the matrix.
  ///   - upper: the number of diagonals above the main one.
  ///   - lower: the number of diagonals below the main one.
  public static func banded(_ diagonals: Tensor, lower: Int, upper: Int, tags: OperatorTags = [])
    -> LinearOperator
  {
    let size = diagonals.rank == 2 ? diagonals.shape[1] : 0
    guard lower >= 0, upper >= 0, lower < max(size, 1), upper < max(size, 1) else {
      return broken(
        TensorError(
          .argument, "LinearOperator.banded",
          "\(lower) diagonals below and \(upper) above for a size of \(size)"
        ).report())
    }
    return made(
      "LinearOperator.banded", OperatorNode(.banded(lower: lower, upper: upper), size, size, tags),
      [diagonals])
  }
  /// A tridiagonal matrix: the elements below, on and above the diagonal.
  public static func tridiagonal(
    lower: Tensor, diagonal: Tensor, upper: Tensor, tags: OperatorTags = []
  ) -> LinearOperator {
    made(
      "LinearOperator.tridiagonal", OperatorNode(.tridiagonal, diagonal.count, diagonal.count, tags),
      [lower, diagonal, upper])
  }
  /// A triangular matrix: the other half of `matrix` is not read.
  public static func triangular(_ matrix: Tensor, isLower: Bool, isUnitDiagonal: Bool = false)
    -> LinearOperator
  {
    var tags: OperatorTags = isLower ? .lowerTriangular : .upperTriangular
    if isUnitDiagonal { tags.insert(.unitDiagonal) }
    return dense(matrix, tags: tags)
  }
  /// Blocks along the diagonal, `[count, block rows, block columns]`.
  public static func blockDiagonal(_ blocks: Tensor, tags: OperatorTags = []) -> LinearOperator {
    guard blocks.failure == nil else { return broken(blocks) }
    guard blocks.rank == 3 else {
      return broken(
        TensorError(
          .shape, "LinearOperator.blockDiagonal", "needs a stack of matrices; the shape is \(blocks.shape)"
        )
        .report())
    }
    let shape = blocks.shape
    return made(
      "LinearOperator.blockDiagonal",
      OperatorNode(.blockDiagonal(count: shape[0]), shape[0] * shape[1], shape[0] * shape[2], tags), [blocks])
  }
  /// B + U Vᵀ with U and V of few columns, solved through B by Woodbury's identity.
  public static func lowRankUpdate(
    of base: LinearOperator, _ u: Tensor, _ v: Tensor, tags: OperatorTags = []
  ) -> LinearOperator {
    let rank = u.rank == 2 ? u.shape[1] : 0
    return made(
      "LinearOperator.lowRankUpdate",
      OperatorNode(.lowRankUpdate(base.node, rank: rank), base.rows, base.columns, tags),
      base.parameters + [u, v])
  }
  /// The Kronecker product A₁ ⊗ A₂ ⊗ …: on a row-major array each factor acts along an axis of its own.
  ///
  /// Symmetric factors give a symmetric, positive definite ones a positive definite product.
  public static func kronecker(_ factors: [LinearOperator]) -> LinearOperator {
    let tags = factors.dropFirst().reduce(factors.first?.tags ?? []) { $0.intersection($1.tags) }
    return made(
      "LinearOperator.kronecker",
      OperatorNode(
        .kronecker(factors.map(\.node)), factors.reduce(1) { $0 * $1.rows },
        factors.reduce(1) { $0 * $1.columns },
        tags.intersection(.positiveDefinite)), factors.flatMap(\.parameters))
  }
  /// A linear function of a vector. Tensors that it captures are the operator's parameters.
  ///
  /// - Parameters:
  ///   - type: the type of elements.
  ///   - columns: length of the vectors it takes.
  ///   - tags: what is known of it. That a symmetric function is symmetric is not checked.
  ///   - function: takes a vector to a vector, linearly, with operations that can be transposed.
  /// - Throws: `TensorError` if the function is not linear or does not return a vector; what the function throws.
  public static func function(
    columns: Int, type: ElementType = .float64, tags: OperatorTags = [],
    _ function: (Tensor) throws -> Tensor
  ) throws -> LinearOperator {
    let staged = try stage(function, Tensor.zeros([columns], type: type))
    let result = staged.program.outputTypes[0]
    guard result.shape.count == 1, result.elementType == type else {
      throw TensorError(
        .shape, "LinearOperator.function",
        "the function gives \(result) where a vector of type \(type) is wanted")
    }
    do {
      return made(
        "LinearOperator.function",
        OperatorNode(.function(try FunctionMap(staged.program)), result.shape[0], columns, tags),
        staged.captures)
    } catch let error as TensorError {
      throw TensorError(
        error.reason, "LinearOperator.function",
        "the function cannot be transposed, so that it is not linear, or not known to be: \(error)")
    }
  }
  /// The Jacobian of a function at a point, as a map from tangents of the flattened argument to tangents of the flattened result. It
  /// is not formed.
  /// - Throws: `TensorError`, or what the function throws.
  public static func jacobian(
    of function: (Tensor) throws -> Tensor, at point: Tensor, tags: OperatorTags = []
  ) throws -> LinearOperator {
    let (_, pushforward) = try linearize(function, at: point)
    return try .function(columns: point.count, type: point.elementType, tags: tags) { tangent in
      try pushforward(tangent.reshaped(point.shape)).flattened
    }
  }

  /// The transposed operator.
  public var transposed: LinearOperator {
    if tags.contains(.symmetric) { return self }
    if case .transposed(let child) = node.kind { return LinearOperator(child, parameters) }
    return LinearOperator(OperatorNode(.transposed(node), columns, rows, tags.transposed), parameters)
  }
  /// The same operator with further tags.
  public func tagged(_ more: OperatorTags) -> LinearOperator {
    Self.made("LinearOperator.tagged", OperatorNode(node.kind, rows, columns, tags.union(more)), parameters)
  }
  /// The sum. Of symmetric operators it is symmetric, of positive definite ones positive definite.
  public static func + (a: LinearOperator, b: LinearOperator) -> LinearOperator {
    if let error = a.error ?? b.error { return broken(Tensor(failed: error)) }
    guard a.rows == b.rows, a.columns == b.columns else {
      return broken(
        TensorError(
          .shape, "LinearOperator.+",
          "operators of \(a.rows) x \(a.columns) and \(b.rows) x \(b.columns) have no sum"
        ).report())
    }
    let kept = a.tags.intersection(b.tags).intersection(.positiveDefinite)
    return LinearOperator(
      OperatorNode(.sum([a.node, b.node]), a.rows, a.columns, kept), a.parameters + b.parameters)
  }
  /// The difference. Of symmetric operators it is symmetric.
  public static func - (a: LinearOperator, b: LinearOperator) -> LinearOperator { a + (-1.0) * b }
  /// The product: first b, then a.
  public static func * (a: LinearOperator, b: LinearOperator) -> LinearOperator {
    if let error = a.error ?? b.error { return broken(Tensor(failed: error)) }
    guard a.columns == b.rows else {
      return broken(
        TensorError(
          .shape, "LinearOperator.*",
          "operators of \(a.rows) x \(a.columns) and \(b.rows) x \(b.columns) have no product"
        ).report())
    }
    return LinearOperator(
      OperatorNode(.product([a.node, b.node]), a.rows, b.columns), a.parameters + b.parameters)
  }
  /// The operator times a scalar. A positive number keeps a positive definite operator so.
  public static func * (factor: Tensor, a: LinearOperator) -> LinearOperator {
    made(
      "LinearOperator.*", OperatorNode(.scaled(a.node), a.rows, a.columns, a.tags.intersection(.symmetric)),
      [factor] + a.parameters)
  }
  /// The operator times a number. A positive one keeps a positive definite operator so.
  public static func * (factor: Double, a: LinearOperator) -> LinearOperator {
    let kept = a.tags.intersection(factor > 0 ? .positiveDefinite : .symmetric)
    return made(
      "LinearOperator.*", OperatorNode(.scaled(a.node), a.rows, a.columns, kept),
      [Tensor(factor)] + a.parameters)
  }

  /// A x, for a vector or a matrix of columns.
  public func callAsFunction(_ x: Tensor) -> Tensor { product(x, transposed: false) }

  private func product(_ x: Tensor, transposed: Bool) -> Tensor {
    if let error = error ?? x.failure { return Tensor(failed: error) }
    let length = transposed ? rows : columns
    guard x.rank == 1 || x.rank == 2, x.shape[0] == length else {
      return TensorError(
        .shape, "LinearOperator",
        "a vector of shape \(x.shape) does not fit an operator of \(rows) x \(columns)"
      ).report()
    }
    let (own, vectors) = matched([x])
    do {
      let result = try node.apply(
        own[...], x.rank == 1 ? vectors[0].expandingAxis(-1) : vectors[0], transposed: transposed)
      return x.rank == 1 ? result.squeezed(-1) : result
    } catch { return tensorError(error, "LinearOperator").report() }
  }
  /// All elements.
  /// - Complexity: a product with as many vectors as there are columns.
  public func denseMatrix() -> Tensor {
    self(Tensor.identity(columns, type: elementType))
  }

  var elementType: ElementType {
    parameters.map(\.elementType).filter(\.isFloatingPoint).max() ?? .float64
  }
  /// Parameters and vectors converted to the greatest of their types. Functions keep theirs.
  func matched(_ vectors: [Tensor]) -> (parameters: [Tensor], vectors: [Tensor]) {
    let type = vectors.map(\.elementType).filter(\.isFloatingPoint).reduce(elementType) { max($0, $1) }
    guard node.functions.isEmpty else { return (parameters, vectors.map { $0.converted(to: elementType) }) }
    return (parameters.map { $0.converted(to: type) }, vectors.map { $0.converted(to: type) })
  }
}
