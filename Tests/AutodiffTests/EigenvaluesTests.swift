import Autodiff
import Foundation
import TestSupport
import Testing

/// Eigenvalues of matrices that are not symmetric.
@Suite struct EigenvaluesTests {
  private static func matrix(_ n: Int, seed: UInt64) -> Tensor {
    var random = SeededRandom(seed: seed)
    return Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n])
  }
  private func error(_ body: () throws -> Void) -> TensorError? {
    do { try withTensorErrors(body) } catch { return error as? TensorError }
    return nil
  }

  @Test func knownValues() {
    let (re, im) = eigenvalues([[0, -2], [2, 0]])
    #expect(re.values.allSatisfy { abs($0) < 1e-15 } && abs(im - Tensor([2.0, -2])).max().scalar < 1e-14)
    let upper = eigenvalues([[1, 5, 7], [0, 2, 9], [0, 0, -3]])
    #expect(upper.real.sorted().values == [-3, 1, 2] && upper.imaginary.values == [0, 0, 0])
    #expect(eigenvalues(Tensor.zeros([0, 0])).real.shape == [0])
    #expect(eigenvalues(Tensor.zeros([2, 3, 3])).imaginary.shape == [2, 3])
    #expect(eigenvalues(Tensor([Int32(1), 0, 0, 2], shape: [2, 2])).real.sorted().values == [1, 2])
  }
  /// Trace and determinant, and those of the square.
  @Test(arguments: 0..<8) func invariants(_ seed: Int) {
    let n = 2 + seed % 5
    let a = Self.matrix(n, seed: UInt64(seed))
    let (re, im) = eigenvalues(a)
    #expect(abs(re.sum() - a.diagonal.sum()).scalar < 1e-13 && abs(im.sum()).scalar < 1e-13)
    #expect(abs((re * re - im * im).sum() - matmul(a, a).diagonal.sum()).scalar < 1e-12)
    let logs = (log(re * re + im * im) * 0.5).sum()
    #expect(abs(logs - signAndLogDeterminant(a).logarithm).scalar < 1e-11)
  }
  /// Real and complex ones, to second order; for stacks too.
  @Test(arguments: [1, 2, 5, 8, 13] as [UInt64]) func derivatives(_ seed: UInt64) throws {
    let a = Self.matrix(4, seed: seed)
    var laws = GradientLaws(tolerance: 1e-6, step: 2e-3)
    laws.identityTolerance = 1e-11
    let found = try laws.violations(
      of: { x in
        let (re, im) = eigenvalues(x[0])
        return stack([(re * re).sum(), (im * im * re).sum(), re.max(), im.max()])
      }, at: [a], seed: seed)
    #expect(found.isEmpty, "\(found)")
    let stacked = try laws.violations(
      of: { x in square(eigenvalues(x[0]).imaginary).sum(axis: -1) },
      at: [stack([a, Self.matrix(4, seed: seed + 50)])])
    #expect(stacked.isEmpty, "\(stacked)")
  }
  /// Σ λ is the trace, Σ λ² that of the square: their derivatives are known.
  @Test func knownDerivatives() throws {
    let a = Self.matrix(5, seed: 4)
    let trace = try jit(grad { eigenvalues($0).real.sum() })(a)
    #expect(abs(trace - Tensor.identity(5)).max().scalar < 1e-12)
    let squares = grad { (x: Tensor) in
      let (re, im) = eigenvalues(x)
      return (re * re - im * im).sum()
    }
    #expect(abs(try squares(a) - 2.0 * a.transposed).max().scalar < 1e-11)
  }
  @Test func multipleValues() throws {
    let defective: Tensor = [[1, 1], [0, 1]]
    let rotation = Self.matrix(2, seed: 9)
    let hidden = matmul(matmul(rotation, defective), inverse(rotation))
    for a in [defective, Tensor.identity(3), hidden, Tensor.zeros([2, 2])] {
      let found = error { _ = try grad { eigenvalues($0).real[0] }(a) }
      #expect(found?.reason == .unsupportedDerivative && found?.operation == "eigenvalues", "\(a)")
      #expect(error { _ = eigenvalues(a) } == nil)
    }
    let batch = error { _ = try vmap(grad { eigenvalues($0).real[0] })(stack([rotation, defective])) }
    #expect(batch?.message.contains("matrix 1 of 2") == true)
    #expect(error { _ = eigenvalues([[1, .init(Double.nan)], [0, 1]]) }?.reason == .singular)
    #expect(error { _ = eigenvalues(Tensor.zeros([2, 3])) }?.reason == .shape)
    #expect(error { _ = eigenvalues(Tensor.zeros([3])) }?.reason == .shape)
  }
}
