import LinearAlgebra
import TestSupport
import Testing

@Suite struct BatchedFactorizationTests {
  /// Systems whose pivots differ from lane to lane.
  private func matrices(_ n: Int, _ count: Int, definite: Bool) -> [Double] {
    var random = SeededRandom(seed: UInt64(n))
    return (0..<count).flatMap { _ -> [Double] in
      let a = random.uniform(-1, 1, count: n * n)
      guard definite else { return a }
      let turned = (0..<n * n).map { a[$0 % n * n + $0 / n] }
      var product = matrixProduct(a, turned, rows: n, inner: n, columns: n)
      for i in 0..<n { for j in 0..<i { product[i * n + j] = product[j * n + i] } }
      for k in 0..<n { product[k * (n + 1)] += 0.5 }
      return product
    }
  }

  @Test(
    arguments: [(1, 9), (2, 8), (5, 19), (8, 3), (16, 33), (33, 10), (64, 5), (64, 261), (130, 9)],
    [BatchedFactorization.Kind.lu, .cholesky])
  func solvesEachSystem(shape: (Int, Int), kind: BatchedFactorization.Kind) throws {
    let (n, count) = shape
    let a = matrices(n, count, definite: kind == .cholesky)
    let factor = try BatchedFactorization(a, size: n, count: count, kind: kind, minimumReciprocalCondition: 0)
    var random = SeededRandom(seed: 4)
    for columns in [1, 3] {
      let b = random.uniform(-1, 1, count: n * columns * count)
      for transposed in [false, true] {
        var x = [Double](repeating: .nan, count: b.count)
        factor.solve(b, into: &x, columns: columns, transposed: transposed)
        for system in 0..<count {
          let matrix = Array(a[system * n * n..<(system + 1) * n * n])
          for c in 0..<columns {
            let column = { (v: [Double]) in (0..<n).map { v[(system * n + $0) * columns + c] } }
            let own = column(x)
            let product = multiply(matrix, own, rows: n, columns: n, transposed: transposed)
            #expect(distance(product, column(b)) < 1e-11 * max(1, norm(own)))
          }
        }
      }
    }
  }

  @Test func failuresNameTheSystem() throws {
    var a = matrices(3, 11, definite: true)
    for k in 0..<3 { a[9 * 9 + 2 * 3 + k] = a[9 * 9 + k] }
    func failed(_ kind: BatchedFactorization.Kind) -> BatchedFactorizationError? {
      do {
        _ = try BatchedFactorization(a, size: 3, count: 11, kind: kind)
        return nil
      } catch { return error }
    }
    #expect(failed(.lu)?.system == 9)
    #expect(failed(.cholesky)?.system == 9)
    guard case .notSymmetric = failed(.cholesky)?.error else {
      Issue.record("an unsymmetric matrix has a Cholesky decomposition")
      return
    }
    a = matrices(3, 11, definite: true)
    a[4] = -1
    guard case .notPositiveDefinite = failed(.cholesky)?.error else {
      Issue.record("an indefinite matrix has a Cholesky decomposition")
      return
    }
    // Small pivots alone are no failure.
    let graded: [Double] = (0..<4).flatMap { _ -> [Double] in [1e10, 0, 0, 1e-3] }
    _ = try BatchedFactorization(graded, size: 2, count: 4, kind: .lu)
  }

  /// Pivots that are zero, that overflow, and whose reciprocals do, among systems that are sound.
  @Test(arguments: [
    [0.0], [1e-300 * 1e-10], [1e302, -0.9e302, 1.2e308, 1.2e308], [1e-305, 0, 0, 1e-300 * 1e-9],
    [1e-300 * 1e-10, 0, 0, 1e-300 * 1e-10],
    [0, 0, 0, 0], [1, 2, 2, 4],
  ])
  func pivotsWithoutReciprocal(matrix: [Double]) throws {
    let n = matrix.count == 1 ? 1 : 2
    let unit = n == 1 ? [1.0] : [1.0, 0, 0, 1]
    let all = (0..<13).flatMap { $0 == 10 ? matrix : unit }
    for limit in [0, workingPrecision] {
      do {
        _ = try BatchedFactorization(all, size: n, count: 13, kind: .lu, minimumReciprocalCondition: limit)
        Issue.record("\(matrix) was decomposed")
      } catch { #expect(error.system == 10) }
    }
  }
}
