import Autodiff
import LinearAlgebra

/// The linear systems of Newton's method: evaluates the residual's Jacobian in the form that is chosen, and solves with it.
final class NewtonSystem {
  enum Form {
    case dense
    case sparse(SparsityPattern)
    /// GMRES with products J v.
    case matrixFree(StoppingCriterion)
  }
  let function: VectorFunction
  let form: Form
  private var entries: [Double]
  private let small: UnsafeMutableRawPointer?
  private var isSmallValid = false
  private var factorization: (any Factorization)?
  /// Factors of the equations; empty for ones.
  private var rowScale: [Double] = []
  private var point: [Double] = []

  init(_ function: VectorFunction, _ form: Form) {
    self.function = function
    self.form = form
    let n = function.n
    switch form {
    case .dense:
      entries = zeros(n * n)
      small =
        n <= SmallLUFactorization.largestSize
        ? .allocate(byteCount: max(SmallLUFactorization.byteCount(n), 64), alignment: 64) : nil
    case .sparse(let pattern):
      entries = zeros(pattern.entryCount)
      small = nil
    case .matrixFree:
      entries = []
      small = nil
    }
  }
  deinit { small?.deallocate() }

  /// The form that a structure asks for.
  static func form(_ structure: JacobianStructure, _ programs: VectorPrograms) throws -> Form {
    let n = programs.unknownCount
    switch structure {
    case .dense: return .dense
    case .sparse, .diagonal: return .sparse(try programs.pattern())
    case .matrixFree: return .matrixFree(StoppingCriterion(relativeTolerance: 1e-6))
    case .automatic:
      if n <= 64 { return .dense }
      let pattern = try programs.pattern()
      if pattern.entryCount <= n * n / 10 { return .sparse(pattern) }
      return n <= 2048 ? .dense : .matrixFree(StoppingCriterion(relativeTolerance: 1e-6))
    }
  }

  /// Evaluates F and J, and factors J.
  /// - Parameter scalesEquations: whether a Jacobian whose condition comes from the sizes of equations has a factor.
  /// - Returns: false if J is not finite, or singular.
  func factor(at x: [Double], into value: inout [Double], scalesEquations: Bool) throws -> Bool {
    let n = function.n
    isSmallValid = false
    factorization = nil
    rowScale = []
    switch form {
    case .dense:
      try function.valueAndJacobian(x, into: &value, &entries)
      if let small, SmallLUFactorization.factor(entries, size: n, into: small) {
        isSmallValid = true
        return true
      }
      factorization = try? LUFactorization(entries, size: n, minimumReciprocalCondition: 1e-15)
      return factorization != nil || (scalesEquations && factorScaled())
    case .sparse(let pattern):
      try function.valueAndSparseJacobian(x, into: &value, &entries)
      guard areFinite(entries) else { return false }
      factorization = try? SparseLUFactorization(
        CompressedMatrix(pattern, values: entries), minimumReciprocalCondition: 1e-15)
      return factorization != nil
    case .matrixFree:
      try function.value(x, into: &value)
      point = x
      return true
    }
  }
  /// Equations of very different sizes, as far from a root as products grow, hide that the Jacobian is regular.
  private func factorScaled() -> Bool {
    let n = function.n
    guard areFinite(entries) else { return false }
    var (scaled, scale) = (entries, [Double](repeating: 1, count: n))
    for i in 0..<n {
      let largest = (0..<n).reduce(0.0) { max($0, entries[i * n + $1].magnitude) }
      guard largest > 0 else { return false }
      // A power of two rounds nothing.
      scale[i] = Double(sign: .plus, exponent: -max(largest.exponent, -1000), significand: 1)
      for j in 0..<n { scaled[i * n + j] *= scale[i] }
    }
    factorization = try? LUFactorization(scaled, size: n, minimumReciprocalCondition: 1e-15)
    rowScale = scale
    return factorization != nil
  }
  /// Whether the last solution solves its system to the tolerance that was asked for.
  private(set) var isSolved = true
  /// d = J⁻¹ b, or of an iteration that ends early a direction of descent.
  /// - Returns: false if an iteration does not find it.
  func solve(_ b: [Double], into d: inout [Double]) throws -> Bool {
    isSolved = true
    if isSmallValid, let small {
      SmallLUFactorization.solve(small, size: function.n, b, into: &d, transposed: false)
      return areFinite(d)
    }
    if let factorization {
      let right = rowScale.isEmpty ? b : zip(b, rowScale).map { $0 * $1 }
      try factorization.solve(right, into: &d, count: 1, transposed: false)
      return areFinite(d)
    }
    guard case .matrixFree(let stopping) = form else { return false }
    for k in d.indices { d[k] = 0 }
    let report = try generalizedMinimumResidual(
      JacobianProducts(function, point), b, &d, stopping: stopping)
    // A direction that reduces the linear model by half is good enough for a step with a line search.
    isSolved = report.isConverged
    return report.isConverged || report.residual <= 0.5 * norm2(b)
  }
  /// The dense Jacobian of the last factorisation; nil in other forms.
  var denseJacobian: [Double]? {
    if case .dense = form { return entries }
    return nil
  }
}

/// Products with the Jacobian at a point, for the one thread that iterates.
final class JacobianProducts: LinearMap, @unchecked Sendable {
  private let function: VectorFunction
  private let point: [Double]
  private var input: [Double] = []
  private var output: [Double] = []
  var rows: Int { function.m }
  var columns: Int { function.n }

  init(_ function: VectorFunction, _ point: [Double]) {
    self.function = function
    self.point = point
  }
  func multiply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) throws {
    let (length, size) = transposed ? (rows, columns) : (columns, rows)
    input = Array(UnsafeBufferPointer(start: x, count: length))
    output = zeros(size)
    if transposed {
      try function.pullback(point, input, into: &output)
    } else {
      try function.pushforward(point, input, into: &output)
    }
    for k in 0..<size { y[k] = output[k] }
  }
}
