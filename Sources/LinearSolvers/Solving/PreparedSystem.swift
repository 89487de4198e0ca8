import Autodiff
import LinearAlgebra
import Synchronization

/// One system that is ready to be solved.
protocol SolvableSystem: Sendable {
  /// Solves for vectors that lie one after the other; `x` holds first guesses.
  func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool,
    stopping: StoppingCriterion
  ) throws -> [IterationReport]
}

/// An operator made ready to be solved with: factored, or with its preconditioner.
final class PreparedSystem: SolvableSystem {
  let map: NumericOperator
  let options: LinearSolveOptions
  let isLeastSquares: Bool
  private let factorization: (any Factorization)?
  private let preconditioner: (any Preconditioner)?

  /// - Parameter inverse: the user's approximate inverse.
  init(_ map: NumericOperator, inverse: NumericOperator?, _ given: LinearSolveOptions, isLeastSquares: Bool)
    throws
  {
    self.map = map
    self.isLeastSquares = isLeastSquares
    var options = given
    options.method = map.node.chosenMethod(given.method, isLeastSquares: isLeastSquares)
    self.options = options
    try map.requireFinite()
    if options.method.isIterative {
      guard isLeastSquares == (options.method == .lsmr) else {
        throw LinearAlgebraError.argument(
          isLeastSquares
            ? "least squares are solved by qr, svd or lsmr, not by \(options.method)"
            : "lsmr solves least squares; call leastSquares(_:_:) for that")
      }
      guard isLeastSquares || map.node.isSquare else {
        throw LinearAlgebraError.shape(
          "an operator of \(map.rows) x \(map.columns) has no inverse; use leastSquares(_:_:) for the best solution"
        )
      }
      try map.requireTags(of: options.method)
      factorization = nil
      preconditioner = try inverse.map { MapPreconditioner($0) } ?? map.preconditioner(options.preconditioner)
      return
    }
    preconditioner = nil
    let base: any Factorization
    if isLeastSquares {
      guard options.method == .qr || options.method == .svd else {
        throw LinearAlgebraError.argument(
          "least squares are solved by qr, svd or lsmr, not by \(options.method)")
      }
      base = try map.pseudoInverse(options)
    } else {
      try map.requireTagsOfBands(options.method)
      base = try map.factorization(options)
    }
    factorization =
      options.refinementSteps > 0 && !isLeastSquares
      ? RefinedFactorization(base, of: map, steps: options.refinementSteps) : base
  }

  func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool,
    stopping: StoppingCriterion
  ) throws -> [IterationReport] {
    let (length, size) = transposed ? (map.columns, map.rows) : (map.rows, map.columns)
    if let factorization {
      try factorization.solve(b, into: x, count: count, transposed: transposed)
      return []
    }
    // The transpose of a symmetric operator is itself; functions then need none.
    let turned = transposed && !map.node.isSymmetric
    return try (0..<count).map { k in
      let (right, left) = (b + k * length, x + k * size)
      switch options.method {
      case .conjugateGradients:
        return try conjugateGradients(
          map, right, left, preconditioner: preconditioner, stopping: stopping, transposed: turned)
      case .minres:
        return try minimumResidual(
          map, right, left, preconditioner: preconditioner, stopping: stopping, transposed: turned)
      case .bicgstab:
        return try stabilizedBiconjugateGradients(
          map, right, left, preconditioner: preconditioner, stopping: stopping, transposed: turned)
      case .gmres(let restart), .fgmres(let restart):
        let isFlexible = if case .fgmres = options.method { true } else { false }
        return try generalizedMinimumResidual(
          map, right, left, restart: restart, preconditioner: preconditioner,
          side: isFlexible ? .right : options.preconditionerSide, isFlexible: isFlexible, stopping: stopping,
          transposed: turned)
      case .richardson:
        return try richardsonIteration(
          map, right, left, preconditioner: preconditioner, stopping: stopping, transposed: turned)
      default:
        return try leastSquaresMinimumResidual(map, right, left, stopping: stopping, transposed: turned)
      }
    }
  }
}

extension NumericOperator {
  /// Throws if a parameter is not finite, naming it.
  func requireFinite() throws(LinearAlgebraError) {
    for (k, array) in parameters.enumerated() {
      // Of triangular matrices only one half counts; the factorisation looks at it.
      if case .dense = node.kind, node.tags.isTriangular { continue }
      try LinearAlgebra.requireFinite(
        array.values(Double.self),
        parameters.count == 1
          ? "an element of the \(node.label) operator"
          : "an element of parameter \(k) of the \(node.label) operator")
    }
  }
  /// Checks the tags of forms that are solved without a decomposition that would notice: symmetry, and that a diagonal is positive.
  func requireTagsOfBands(_ method: LinearMethod) throws {
    guard node.isSymmetric else { return }
    switch node.kind {
    case .diagonal: break
    case .banded, .tridiagonal:
      // Cholesky decompositions look for themselves.
      if node.isPositiveDefinite, method == .automatic || method == .cholesky { return }
    default: return
    }
    guard let sparse = try sparseMatrix() else { return }
    try sparse.requireSymmetric()
    guard node.isPositiveDefinite else { return }
    if let place = try diagonal().firstIndex(where: { !($0 > 0) }) {
      throw LinearAlgebraError.notPositiveDefinite("element \(place) of its diagonal is not positive")
    }
  }
  /// Checks what a method assumes, where that costs no more than a product.
  func requireTags(of method: LinearMethod) throws {
    if method == .conjugateGradients, !node.isPositiveDefinite {
      throw LinearAlgebraError.argument(
        "conjugate gradients are for operators tagged positiveDefinite; this \(node.label) one is not")
    }
    if method == .minres, !node.isSymmetric {
      throw LinearAlgebraError.argument(
        "MINRES is for operators tagged symmetric; this \(node.label) one is not")
    }
    if node.isSymmetric {
      if case .dense = node.kind {
        try requireSymmetricMatrix(parameters[0].pointer(Double.self), size: rows)
      } else if let sparse = try sparseMatrix() {
        try sparse.requireSymmetric()
      }
    }
    if !node.functions.isEmpty {
      // Linear functions take zero to zero; affine ones do not.
      let zero = NumberBuffer(zeros: columns)
      let image = NumberBuffer(count: rows)
      try multiply(zero.base, into: image.base, transposed: false)
      if let place = image.values.firstIndex(where: { $0 != 0 }) {
        throw LinearAlgebraError.argument(
          "the function is not linear: it takes zero to \(image.base[place]) (element \(place)). Subtract its value at zero "
            + "and move it to the right-hand side")
      }
    }
  }
}

/// Numbers that stand for prepared systems in programs.
enum PreparedNumbers {
  private static let last = Atomic<UInt32>(0)
  /// The first of so many consecutive numbers that have not been given out before (in four billion).
  static func next(_ count: Int = 1) -> Int32 {
    Int32(bitPattern: last.add(UInt32(truncatingIfNeeded: count), ordering: .relaxed).oldValue)
  }
}

/// The error of an operation on tensors that an error of linear algebra is.
func tensorError(_ error: any Error, _ operation: String, system: Int? = nil) -> TensorError {
  let place = system.map { "system \($0) of the batch: " } ?? ""
  if let error = error as? TensorError { return error }
  guard let error = error as? LinearAlgebraError else {
    return TensorError(.argument, operation, place + "\(error)")
  }
  let reason: TensorError.Reason =
    switch error {
    case .shape: .shape
    case .argument, .notSymmetric: .argument
    case .nonFinite: .nonFinite
    case .singular: .singular
    case .nearlySingular: .nearlySingular
    case .structurallySingular: .structurallySingular
    case .notPositiveDefinite: .notPositiveDefinite
    case .notConverged, .breakdown: .notConverged
    case .format: .format
    }
  return TensorError(reason, operation, place + error.description)
}
