import Autodiff
import LinearAlgebra

/// Solves the linear systems of a nonlinear program's derivatives. Operands: the derivative K of the optimality conditions by (x, y, z, w), or its
/// transpose, [N, N], and right-hand sides [N, 1]; or stacks of them. The conditions of sides come one to a row, so that K has the gradient of an
/// active one, or −1 on the diagonal.
///
/// Of least norm is the solution by the pseudo-inverse: of the vectors that come closest to satisfying the system, the shortest. The pseudo-inverse
/// of the transposed matrix is the transposed pseudo-inverse, so that forward and reverse mode agree.
struct NonlinearProgramSystem: Primitive {
  /// Variables, equations, inequalities.
  let variables, equations, inequalities: Int
  let policy: DegeneracyPolicy
  let isSmoothed: Bool
  /// A side whose slack and multiplier are both below this is weakly active.
  static let weakLimit = 1e-7

  var name: String { "nonlinearProgramDerivative" }
  var attributes: String { "\(variables) variables, \(equations) + \(inequalities) rows" }
  private var size: Int { 2 * variables + equations + inequalities }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] { [operands[1]] }

  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let size = size
    let (matrices, right) = (operands[0].values(Double.self), operands[1].values(Double.self))
    var found: [Double] = []
    found.reserveCapacity(right.count)
    let count = size == 0 ? 0 : right.count / size
    for k in 0..<count {
      let matrix = Array(matrices[k * size * size..<(k + 1) * size * size])
      do {
        found += try solve(matrix, Array(right[k * size..<(k + 1) * size]))
      } catch {
        let place = operands[0].rank == 3 ? "program \(k) of the batch: " : ""
        guard let error = error as? TensorError else {
          throw TensorError(.nonFinite, "nonlinearProgram", place + "the system of the derivative: \(error)")
        }
        throw TensorError(error.reason, "nonlinearProgram", place + error.message)
      }
    }
    return [DenseArray(found, shape: operands[1].shape)]
  }

  private func solve(_ matrix: [Double], _ right: [Double]) throws -> [Double] {
    let n = size
    let (rowScale, columnScale) = equilibration(matrix)
    var scaled = matrix
    for i in 0..<n { for j in 0..<n { scaled[i * n + j] *= rowScale[i] * columnScale[j] } }
    if let factor = try regularFactor(scaled) {
      let solved = try factor.solve(zip(right, rowScale).map { $0 * $1 })
      return zip(solved, columnScale).map { $0 * $1 }
    }
    if policy == .error || isSmoothed { throw try degeneracy(matrix) }
    // The rank is decided where rows and columns are of one size.
    let rank = try SingularValueFactorization(scaled, rows: n, columns: n, tolerance: 1e-9).rank
    let all = try SingularValueFactorization(matrix, rows: n, columns: n)
    let values = all.singularValues
    if rank >= all.rank { return try all.solve(right) }
    let tolerance = values[rank] / values[0] * (1 + 1e-12)
    return try SingularValueFactorization(matrix, rows: n, columns: n, tolerance: tolerance).solve(right)
  }

  /// Nil for a matrix that is singular, or nearly so. The smoothed conditions are never degenerate, only hard for rounding.
  private func regularFactor(_ matrix: [Double]) throws(LinearAlgebraError) -> LUFactorization? {
    let limit = isSmoothed ? 1e-16 : 1e-11
    do throws(LinearAlgebraError) {
      let factor = try LUFactorization(matrix, size: size, minimumReciprocalCondition: 0)
      return factor.reciprocalCondition() ?? 0 >= limit ? factor : nil
    } catch {
      if case .singular = error { return nil }
      throw error
    }
  }

  /// What is wrong with a singular system.
  private func degeneracy(_ matrix: [Double]) throws -> TensorError {
    let (n, p, total) = (variables, equations, size)
    var hessian: [Double] = []
    var active: [Double] = []
    for i in 0..<total {
      let row = matrix[i * total..<i * total + n]
      if i < n {
        hessian += row
      } else if i < n + p || matrix[i * total + i] == 0 {
        active += row
      }
    }
    let regularity = try QuadraticProgramRegularity(
      hessian: hessian, active: active, variables: n, complementarity: .infinity)
    let reason =
      regularity.isDegenerate ? regularity.description : "its system is singular to working precision"
    return TensorError(
      .singular, name,
      "the solution has no derivative: \(reason). Choose the derivative of least norm, or smooth with a barrier"
    )
  }

  /// Factors that bring the largest elements of rows and columns to about one.
  private func equilibration(_ matrix: [Double]) -> (rows: [Double], columns: [Double]) {
    let n = size
    var (rows, columns) = ([Double](repeating: 1, count: n), [Double](repeating: 1, count: n))
    for _ in 0..<4 {
      var (rowSizes, columnSizes) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
      for i in 0..<n {
        for j in 0..<n {
          let size = (matrix[i * n + j] * rows[i] * columns[j]).magnitude
          rowSizes[i] = max(rowSizes[i], size)
          columnSizes[j] = max(columnSizes[j], size)
        }
      }
      for i in 0..<n {
        if rowSizes[i] > 0 { rows[i] /= rowSizes[i].squareRoot() }
        if columnSizes[i] > 0 { columns[i] /= columnSizes[i].squareRoot() }
      }
    }
    return (rows, columns)
  }

  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    throw TensorError(.unsupportedDerivative, name, "is differentiated as a linear solve")
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    // A batch of stacks is one longer stack.
    let prepared = zip(operands, isBatched).map { $0.batched($1, size) }
    let shape = prepared[1].shape
    let stacks = prepared.map { $0.reshaped([-1] + $0.shape.suffix(2)) }
    return ([try bindOrThrow(self, stacks)[0].reshaped(shape)], [true])
  }
}
