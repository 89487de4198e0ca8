import COpenBLAS
import Foundation

/// The decomposition A = V diag(λ) V⁻¹ of a matrix that need not be symmetric, complex, in real and imaginary parts.
///
/// Results: parts of λ, of V, and of U = V⁻¹, all zero where there is no inverse (``DistinctEigenvalues`` refuses that).
package struct GeneralEigen: MatrixPrimitive {
  package var name: String { "eigenvalues" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    let vector = TensorType(operands[0].elementType, operands[0].shape.dropLast())
    return [vector, vector] + [TensorType](repeating: operands[0], count: 4)
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let work = try MatrixStack(copying: operands[0])
    let n = work.rows
    let values = (0..<2).map { _ in DenseArray(uninitialized: .float64, operands[0].shape.dropLast()) }
    let parts = (0..<4).map { _ in MatrixStack(uninitialized: operands[0].shape) }
    var (left, right) = ([Double](repeating: 0, count: n * n), [Double](repeating: 0, count: n * n))
    for index in 0..<work.count {
      let (re, im) = (values[0].pointer(Double.self) + index * n, values[1].pointer(Double.self) + index * n)
      let a = work.matrix(index)
      let isFinite = (0..<n * n).allSatisfy { a[$0].isFinite }
      let info =
        !isFinite
        ? 1
        : LAPACKE_dgeev(
          LAPACK_ROW_MAJOR, 86 /* V */, 86, Int32(n), a, Int32(max(n, 1)), re, im, &left, Int32(max(n, 1)),
          &right, Int32(max(n, 1)))
      if info != 0 {
        throw failure(index, work.count, "has no eigenvalues that LAPACK finds (is it finite?)")
      }
      unpack(re, im, left, right, n, parts.map { $0.matrix(index) })
    }
    let type = operands[0].elementType
    var results: [DenseArray] = []
    for array in values + parts.map(\.array) { results.append(try array.converted(to: type)) }
    return results
  }
  /// LAPACK gives a conjugate pair as real and imaginary part of the first; a row of V⁻¹ is wᴴ / (wᴴ v) with the left vector w.
  private func unpack(
    _ re: UnsafePointer<Double>, _ im: UnsafePointer<Double>, _ left: [Double], _ right: [Double], _ n: Int,
    _ parts: [UnsafeMutablePointer<Double>]
  ) {
    var k = 0
    while k < n {
      let isPair = im[k] != 0 && k + 1 < n
      for member in 0..<(isPair ? 2 : 1) {
        let sign = member == 0 ? 1.0 : -1.0
        var (x, y) = (0.0, 0.0)
        for i in 0..<n {
          let (v, w) = (right[i * n + k], left[i * n + k])
          let (vi, wi) = isPair ? (sign * right[i * n + k + 1], sign * left[i * n + k + 1]) : (0, 0)
          (parts[0][i * n + k + member], parts[1][i * n + k + member]) = (v, vi)
          (parts[2][(k + member) * n + i], parts[3][(k + member) * n + i]) = (w, -wi)
          x += w * v + wi * vi
          y += w * vi - wi * v
        }
        let size = x * x + y * y
        for i in 0..<n {
          let place = (k + member) * n + i
          let (p, q) = (parts[2][place], parts[3][place])
          parts[2][place] = size == 0 ? 0 : (p * x + q * y) / size
          parts[3][place] = size == 0 ? 0 : (q * x - p * y) / size
        }
      }
      k += isPair ? 2 : 1
    }
  }

  /// With M = U dA V: dλ = diag M, dV = V K and dU = −K U, where K_ij = M_ij / (λ_j − λ_i) off the diagonal and zero on it. How V is
  /// scaled has no influence on λ, so that its diagonal may be left out.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = try bindOrThrow(self, primals)
    guard let t = tangents[0] else { return (results, results.map { _ in nil }) }
    let gaps = try bindOrThrow(DistinctEigenvalues(), results)
    let (v, u) = (Complex(results[2], results[3]), Complex(results[4], results[5]))
    let m = u * Complex(matmul(t, v.re), matmul(t, v.im))
    let k = Complex(m.re * gaps[0] - m.im * gaps[1], m.re * gaps[1] + m.im * gaps[0])
    let (dv, du) = (v * k, k * u)
    // Ones, without which the check would be left out as not needed.
    let checked = gaps[2]
    return (results, [m.re.diagonal * checked, m.im.diagonal * checked, dv.re, dv.im, -du.re, -du.im])
  }
}

/// Stacks of complex matrices.
private struct Complex {
  var re: Tensor
  var im: Tensor

  init(_ re: Tensor, _ im: Tensor) {
    self.re = re
    self.im = im
  }
  static func * (a: Complex, b: Complex) -> Complex {
    Complex(matmul(a.re, b.re) - matmul(a.im, b.im), matmul(a.re, b.im) + matmul(a.im, b.re))
  }
}

/// 1 / (λ_j − λ_i), zero on the diagonal, in real and imaginary parts, and ones for eigenvalues that have a derivative; an error where
/// one has none. Operands: the results of ``GeneralEigen``.
package struct DistinctEigenvalues: MatrixPrimitive {
  package var name: String { "eigenvalues" }
  package var attributes: String { "reciprocal differences" }
  /// The least angle, as its cosine, between left and right eigenvectors: perturbations grow by its inverse, and a multiple eigenvalue
  /// that rounding has split has one of about the square root of the precision.
  private static let smallestCosine = 1e-6

  package func resultTypes(_ operands: [TensorType]) -> [TensorType] {
    [operands[2], operands[2], operands[0]]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var wide: [[Double]] = []
    for operand in operands { wide.append(try operand.converted(to: .float64).values(Double.self)) }
    let (re, im) = (wide[0], wide[1])
    let n = operands[0].shape.last ?? 0
    let isSingle = operands[0].elementType == .float32
    let count = n == 0 ? 0 : re.count / n
    var gaps = [[Double]](repeating: [Double](repeating: 0, count: count * n * n), count: 2)
    for index in 0..<count {
      func magnitude(_ k: Int) -> Double { hypot(re[index * n + k], im[index * n + k]) }
      let tolerance = (0..<n).map(magnitude).max()! * (isSingle ? 1e-5 : 1e-10)
      func refuse(_ text: String) -> TensorError {
        TensorError(
          .unsupportedDerivative, name,
          (count > 1 ? "matrix \(index) of \(count): " : "") + text
            + "; eigenvalues of a matrix that is not symmetric are differentiable only where they are distinct"
        )
      }
      for i in 0..<n {
        var (right, left) = (0.0, 0.0)
        for k in 0..<n {
          let (column, row) = ((index * n + k) * n + i, (index * n + i) * n + k)
          right += wide[2][column] * wide[2][column] + wide[3][column] * wide[3][column]
          left += wide[4][row] * wide[4][row] + wide[5][row] * wide[5][row]
        }
        let size = (right * left).squareRoot()
        if size == 0 || !(1 / size >= (isSingle ? 1e-3 : Self.smallestCosine)) {
          throw refuse("eigenvalue \(i) is multiple, or so nearly that its derivative means nothing")
        }
        for j in 0..<n where j != i {
          let (x, y) = (re[index * n + j] - re[index * n + i], im[index * n + j] - im[index * n + i])
          if hypot(x, y) <= tolerance { throw refuse("eigenvalues \(min(i, j)) and \(max(i, j)) are equal") }
          let place = (index * n + i) * n + j
          let square = x * x + y * y
          (gaps[0][place], gaps[1][place]) = (x / square, -y / square)
        }
      }
    }
    var results: [DenseArray] = []
    for gap in gaps {
      results.append(
        try DenseArray(gap, shape: operands[2].shape).converted(to: operands[0].elementType))
    }
    return results + [DenseArray(filling: 1, operands[0].type)]
  }
  /// d (1 / Δ) = −(dλ_j − dλ_i) / Δ².
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = try bindOrThrow(self, primals)
    guard tangents[0] != nil || tangents[1] != nil else { return (results, [nil, nil, nil]) }
    func difference(_ t: Tensor?, _ like: Tensor) -> Tensor {
      let t = t ?? Tensor.zeros(like.type)
      return t.expandingAxis(-2) - t.expandingAxis(-1)
    }
    let (x, y) = (difference(tangents[0], primals[0]), difference(tangents[1], primals[1]))
    let (p, q) = (results[0], results[1])
    let (re, im) = (p * p - q * q, 2.0 * p * q)
    return (results, [y * im - x * re, -(x * im) - y * re, nil])
  }
}

/// Eigenvalues of each matrix, which need not be symmetric, in real and imaginary parts, in the order in which LAPACK finds them:
/// conjugate pairs follow each other, positive imaginary part first.
///
/// For symmetric matrices ``symmetricEigen(_:)`` is faster, ordered, and gives vectors. Derivatives of any order exist where
/// eigenvalues are distinct; where they are not (closer than 1e-10 of the largest, or so badly conditioned that rounding may have split
/// them), asking for one is a mistake, with reason ``TensorError/Reason/unsupportedDerivative``.
/// - Complexity: O(n³) for each matrix.
public func eigenvalues(_ a: Tensor) -> (real: Tensor, imaginary: Tensor) {
  guard a.rank >= 2 else {
    let result = TensorError(.shape, "eigenvalues", "needs matrices; the shape is \(a.shape)").report()
    return (result, result)
  }
  let results = bind(GeneralEigen(), [a.elementType.isFloatingPoint ? a : a.converted(to: .float64)])
  return (results[0], results[Swift.min(1, results.count - 1)])
}
