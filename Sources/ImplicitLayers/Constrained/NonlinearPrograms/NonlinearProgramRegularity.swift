import COpenBLAS
import LinearAlgebra

extension QuadraticProgramRegularity {
  /// The margins of a solution of a nonlinear program: of the gradients of active constraints, each scaled to length one, the smallest singular
  /// value; and the smallest eigenvalue of the Lagrangian's Hessian on the directions that they leave free, over its largest element.
  /// - Parameters:
  ///   - hessian: of the Lagrangian, n x n.
  ///   - active: the gradients of active constraints, one after the other.
  ///   - complementarity: the smallest over all sides of the larger of slack and multiplier.
  init(
    hessian: [Double], active: [Double], variables n: Int, complementarity: Double
  ) throws(LinearAlgebraError) {
    self.init(
      complementarity: complementarity, independence: .infinity, curvature: .infinity,
      limits: (NonlinearProgramSystem.weakLimit, 1e-8, 1e-8))
    let count = n == 0 ? 0 : active.count / n
    var rows = active
    for row in 0..<count {
      let length = (row * n..<row * n + n).reduce(0) { $0 + rows[$1] * rows[$1] }.squareRoot()
      if length > 0 { for i in row * n..<row * n + n { rows[i] /= length } }
    }
    // Projects onto what the rows span.
    var projector = [Double](repeating: 0, count: n * n)
    var rank = 0
    if count > 0 {
      let factor = try SingularValueFactorization(
        rows, rows: count, columns: n, tolerance: limits.independence)
      independence = count > n ? 0 : factor.singularValues.last ?? 0
      rank = factor.rank
      var columns = [Double](repeating: 0, count: n * count)
      for row in 0..<count { for i in 0..<n { columns[i * count + row] = rows[row * n + i] } }
      factor.solve(columns, into: &projector, count: n, transposed: false)
    }
    guard rank < n else { return }
    let size = hessian.reduce(0) { max($0, $1.magnitude) }
    guard size > 0 else {
      curvature = 0
      return
    }
    // (1 − P) H (1 − P) / |H| + P has the eigenvalues that are sought, and one.
    var free = projector.map { -$0 }
    for i in 0..<n { free[i * n + i] += 1 }
    func product(_ a: [Double], _ b: [Double], _ factor: Double, adding c: [Double]) -> [Double] {
      var c = c
      let size = Int32(n)
      cblas_dgemm(
        CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, factor, a, size, b, size, 1, &c, size)
      return c
    }
    let half = product(hessian, free, 1 / size, adding: [Double](repeating: 0, count: n * n))
    var whole = product(free, half, 1, adding: projector)
    for i in 0..<n { for j in 0..<i { whole[j * n + i] = 0.5 * (whole[i * n + j] + whole[j * n + i]) } }
    var eigenvalues = [Double](repeating: 0, count: n)
    // The half above the diagonal, by rows.
    let info = LAPACKE_dsyevd(
      LAPACK_ROW_MAJOR, Int8(UInt8(ascii: "N")), Int8(UInt8(ascii: "U")), Int32(n), &whole, Int32(n),
      &eigenvalues)
    curvature = info == 0 ? eigenvalues[0] : .nan
  }
}
