import Autodiff
import LinearAlgebra

extension OperatorNode {
  /// The method that the form and the tags ask for. Direct where the operator has explicit parts to factor, iterative otherwise.
  func chosenMethod(_ method: LinearMethod, isLeastSquares: Bool) -> LinearMethod {
    guard method == .automatic else { return method }
    if isLeastSquares { return hasSparseForm || !functions.isEmpty ? .lsmr : .qr }
    if functions.isEmpty { return .automatic }
    if isPositiveDefinite { return .conjugateGradients }
    return isSymmetric ? .minres : .gmres()
  }
}

extension NumericOperator {
  /// Solves with the operator, and with its transpose.
  func factorization(_ options: LinearSolveOptions) throws -> any Factorization {
    let limit = options.minimumReciprocalCondition
    guard node.isSquare else {
      throw LinearAlgebraError.shape(
        "a \(node.label) operator of \(rows) x \(columns) has no inverse; use leastSquares(_:_:) for the best solution"
      )
    }
    switch options.method {
    case .lu:
      if let sparse = try sparseMatrix() {
        return try SparseLUFactorization(sparse, minimumReciprocalCondition: limit)
      }
      return try dense { try LUFactorization($0, size: rows, minimumReciprocalCondition: limit) }
    case .cholesky:
      guard node.isPositiveDefinite else {
        throw LinearAlgebraError.argument(
          "Cholesky decompositions are for operators tagged positiveDefinite; this \(node.label) one is not")
      }
      switch node.kind {
      case .banded, .tridiagonal: return try structured(options)
      default: break
      }
      if let sparse = try sparseMatrix() {
        return try SparseCholeskyFactorization(sparse, minimumReciprocalCondition: limit)
      }
      return try dense { try CholeskyFactorization($0, size: rows, minimumReciprocalCondition: limit) }
    case .symmetricIndefinite:
      guard node.isSymmetric else {
        throw LinearAlgebraError.argument(
          "LDLᵀ decompositions are for operators tagged symmetric; this \(node.label) one is not")
      }
      return try dense { try SymmetricFactorization($0, size: rows, minimumReciprocalCondition: limit) }
    case .qr, .svd:
      let result = try pseudoInverse(options)
      let rank =
        (result as? OrthogonalFactorization)?.rank ?? (result as? SingularValueFactorization)?.rank ?? rows
      guard rank == rows else {
        throw LinearAlgebraError.singular(
          "its rank is \(rank) of \(rows); leastSquares(_:_:) takes it as it is")
      }
      return result
    default: return try structured(options)
    }
  }

  /// Along the operator's structure.
  private func structured(_ options: LinearSolveOptions) throws -> any Factorization {
    let limit = options.minimumReciprocalCondition
    func part(_ child: OperatorNode, _ parameters: ArraySlice<DenseArray>) throws -> any Factorization {
      try NumericOperator(child, Array(parameters)).factorization(options)
    }
    switch node.kind {
    case .dense:
      return try withExtendedLifetime(parameters) {
        let matrix = UnsafePointer(parameters[0].pointer(Double.self))
        if node.tags.isTriangular {
          return try TriangularFactorization(
            matrix, size: rows, isLower: node.tags.contains(.lowerTriangular),
            isUnitDiagonal: node.tags.contains(.unitDiagonal), minimumReciprocalCondition: limit)
        }
        if node.isPositiveDefinite {
          return try CholeskyFactorization(matrix, size: rows, minimumReciprocalCondition: limit)
        }
        if node.isSymmetric {
          return try SymmetricFactorization(matrix, size: rows, minimumReciprocalCondition: limit)
        }
        return try LUFactorization(matrix, size: rows, minimumReciprocalCondition: limit)
      }
    case .diagonal:
      return try DiagonalFactorization(parameters[0].values(Double.self), minimumReciprocalCondition: limit)
    case .banded(let lower, let upper):
      return try withExtendedLifetime(parameters) {
        let bands = UnsafePointer(parameters[0].pointer(Double.self))
        return node.isPositiveDefinite
          ? try BandedCholeskyFactorization(
            bands, size: rows, lower: lower, upper: upper, minimumReciprocalCondition: limit)
          : try BandedFactorization(
            bands, size: rows, lower: lower, upper: upper, minimumReciprocalCondition: limit)
      }
    case .tridiagonal:
      let p = parameters.map { $0.values(Double.self) }
      if node.isPositiveDefinite {
        return try TridiagonalCholeskyFactorization(
          lower: p[0], diagonal: p[1], upper: p[2], minimumReciprocalCondition: limit)
      }
      return try TridiagonalFactorization(
        lower: p[0], diagonal: p[1], upper: p[2], minimumReciprocalCondition: limit)
    case .blockDiagonal(let count):
      let size = rows / max(count, 1)
      let base = UnsafePointer(parameters[0].pointer(Double.self))
      return try withExtendedLifetime(parameters) {
        BlockDiagonalFactorization(
          try (0..<count).map { block -> any Factorization in
            let matrix = base + block * size * size
            return node.isPositiveDefinite
              ? try CholeskyFactorization(matrix, size: size, minimumReciprocalCondition: limit)
              : try LUFactorization(matrix, size: size, minimumReciprocalCondition: limit)
          })
      }
    case .lowRankUpdate(let base, let rank):
      // One column of U and V after the other.
      let updates = parameters.suffix(2).map { array -> [Double] in
        let turned = NumberBuffer(count: rows * rank)
        transposeMatrix(array.pointer(Double.self), rows: rows, columns: rank, into: turned.base)
        return turned.values
      }
      return try LowRankUpdateFactorization(
        try part(base, parameters.dropLast(2)), u: updates[0], v: updates[1], rank: rank,
        minimumReciprocalCondition: limit)
    case .kronecker(let children) where children.allSatisfy(\.isSquare):
      return KroneckerFactorization(
        try OperatorNode.pairs(children, parameters[...]).map { try part($0, $1) })
    case .product(let children) where children.allSatisfy(\.isSquare):
      return try ProductFactorization(
        try OperatorNode.pairs(children, parameters[...]).map { try part($0, $1) })
    case .scaled(let child):
      return try ModifiedFactorization(
        try part(child, parameters.dropFirst()), scale: parameters[0].pointer(Double.self).pointee)
    case .transposed(let child):
      return try ModifiedFactorization(try part(child, parameters[...]), isTransposed: true)
    default:
      if let sparse = try sparseMatrix() {
        return node.isPositiveDefinite
          ? try SparseCholeskyFactorization(sparse, minimumReciprocalCondition: limit)
          : try SparseLUFactorization(sparse, minimumReciprocalCondition: limit)
      }
      return try dense { matrix in
        if node.isPositiveDefinite {
          return try CholeskyFactorization(matrix, size: rows, minimumReciprocalCondition: limit)
        }
        if node.isSymmetric {
          return try SymmetricFactorization(matrix, size: rows, minimumReciprocalCondition: limit)
        }
        return try LUFactorization(matrix, size: rows, minimumReciprocalCondition: limit)
      }
    }
  }

  /// Multiplies with the pseudo-inverse, and with its transpose.
  func pseudoInverse(_ options: LinearSolveOptions) throws -> any Factorization {
    try dense { matrix in
      if options.method == .svd {
        return try SingularValueFactorization(
          matrix, rows: rows, columns: columns, tolerance: options.rankTolerance)
      }
      return try OrthogonalFactorization(
        matrix, rows: rows, columns: columns, tolerance: options.rankTolerance)
    }
  }
  private func dense(_ make: (UnsafePointer<Double>) throws -> any Factorization) throws -> any Factorization
  {
    let matrix = try denseMatrix()
    return try withExtendedLifetime(matrix) { try make(matrix.pointer(Double.self)) }
  }

  /// The preconditioner that was chosen.
  func preconditioner(_ choice: PreconditionerChoice) throws -> (any Preconditioner)? {
    func sparse() throws -> CompressedMatrix {
      if let matrix = try sparseMatrix() { return matrix }
      guard node.functions.isEmpty else {
        throw LinearAlgebraError.argument(
          "the preconditioner \(choice) needs the elements of the operator, which is known as a function only; pass one "
            + "of your own (preconditioner:)")
      }
      let matrix = try denseMatrix().values(Double.self)
      let (m, n) = (rows, columns)
      let (pattern, _) = try SparsityPattern.coordinates(
        rowCount: m, columnCount: n, rows: (0..<m * n).map { $0 / n }, columns: (0..<m * n).map { $0 % n })
      return try CompressedMatrix(pattern, values: matrix)
    }
    func elementsOfDiagonal() throws -> [Double] {
      if !node.functions.isEmpty { _ = try sparse() }
      return try diagonal()
    }
    guard node.isSquare || choice == .none else {
      throw LinearAlgebraError.argument("the preconditioner \(choice) needs a square operator")
    }
    switch choice {
    case .none: return nil
    case .jacobi: return try JacobiPreconditioner(diagonal: try elementsOfDiagonal())
    case .blockJacobi(let size): return try BlockJacobiPreconditioner(sparse(), blockSize: size)
    case .ssor(let relaxation): return try SSORPreconditioner(sparse(), relaxation: relaxation)
    case .incompleteCholesky(let tolerance, let modification):
      return try IncompleteCholeskyPreconditioner(
        sparse(), dropTolerance: tolerance, modification: modification)
    case .incompleteLU: return try IncompleteLUPreconditioner(sparse())
    }
  }
}
