import Testing

@testable import ImplicitLayers
import TestSupport

@Suite struct JacobiEigenvaluesTests {
  /// A V = V Λ, V orthogonal, values in order; also for matrices that are diagonal, of equal eigenvalues, badly scaled and zero.
  @Test(arguments: 0...8, ["random", "diagonal", "equal", "scaled", "zero"])
  func decomposition(_ n: Int, _ kind: String) {
    var random = SeededRandom(seed: UInt64(17 + n))
    var a = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0...i {
        var value = random.uniform(-1, 1)
        switch kind {
        case "diagonal": value = i == j ? value : 0
        case "equal": value = i == j ? 2 : 1
        case "scaled": for _ in 0..<(i + j) { value *= 1e-3 }
        case "zero": value = 0
        default: break
        }
        (a[i * n + j], a[j * n + i]) = (value, value)
      }
    }
    let matrix = a
    let size = max(normInfinity(matrix), 1e-300)
    var (values, vectors) = ([Double](repeating: 0, count: n), matrix)
    JacobiEigenvalues.compute(&a, into: &values, vectors: &vectors)
    for k in 0..<n {
      if k > 0 { #expect(values[k] >= values[k - 1]) }
      for i in 0..<n {
        var (image, product) = (0.0, 0.0)
        for j in 0..<n {
          image += matrix[i * n + j] * vectors[k * n + j]
          product += vectors[i * n + j] * vectors[k * n + j]
        }
        #expect(abs(image - values[k] * vectors[k * n + i]) < 1e-14 * size)
        #expect(abs(product - (i == k ? 1 : 0)) < 1e-14)
      }
    }
    if kind == "equal", n > 1 {
      #expect(abs(values[n - 1] - Double(n + 1)) < 1e-13 && abs(values[0] - 1) < 1e-13)
    }
  }
}
