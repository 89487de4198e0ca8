import Autodiff
import TestSupport
import Testing

/// Derivatives of functions of eigen- and singular values and vectors where values are equal: right, or refused.
@Suite struct EqualEigenvalueTests {
  private static let weights: Tensor = [[1, 2, -1, 3], [2, 5, 4, 1], [-1, 4, 2, 0.5], [3, 1, 0.5, -2]]

  /// Q diag(values) Qᵀ with a random orthogonal Q.
  private func matrix(_ values: [Double], seed: UInt64 = 3) -> Tensor {
    var random = SeededRandom(seed: seed)
    let n = values.count
    let (q, _) = qrDecomposition(Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n]))
    return matmul(q * Tensor(values), q.transposed)
  }
  private func direction(_ n: Int, seed: UInt64 = 9) -> Tensor {
    var random = SeededRandom(seed: seed)
    let x = Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n])
    return 0.5 * (x + x.transposed)
  }
  private func differences(_ f: (Tensor) throws -> Tensor, _ x: Tensor, _ e: Tensor, step h: Double = 1e-3)
    throws
    -> Tensor
  {
    func quotient(_ h: Double) throws -> Tensor { (try f(x + h * e) - f(x - h * e)) / (2 * h) }
    return (4.0 * (try quotient(h / 2)) - (try quotient(h))) / 3.0
  }
  private func reason(_ body: () throws -> Void) -> TensorError.Reason? {
    do {
      try withTensorErrors(body)
      return nil
    } catch { return (error as? TensorError)?.reason }
  }
  private func size(_ x: Tensor) -> Double { abs(x).max().scalar }

  static let spectra: [[Double]] = [
    [2, 2, 2, 2], [1, 1, 3, 3], [1, 2, 2, 5], [1, 1 + 1e-12, 1 + 1e-7, 1 + 1e-3], [0.5, 0.52, 0.54, 4],
  ]
  static let functions: [@Sendable (Tensor) -> Tensor] = [
    { symmetricExponential($0) }, { symmetricLogarithm($0) }, { symmetricSquareRoot($0) },
    { symmetricInverseSquareRoot($0) }, { symmetricPower($0, 2.5) },
  ]

  @Test(arguments: spectra, functions.indices) func functionsOfMatrices(_ values: [Double], _ index: Int)
    throws
  {
    let f = Self.functions[index]
    let (a, e, g) = (matrix(values), direction(4), direction(4, seed: 10))
    let slope = { (x: Tensor) in try jvp(f, at: x, along: e).tangent }
    let expected = try differences(f, a, e)
    #expect(size(try slope(a) - expected) < 1e-9 * size(expected))
    let weighted = grad { (x: Tensor) in (f(x) * Self.weights).sum() }
    let pull = (try weighted(a) * e).sum().scalar
    let push = (try slope(a) * Self.weights).sum().scalar
    #expect(abs(pull - push) < 1e-12 * size(expected) * 40)
    // Second order: differences of the gradient, symmetry, and the compiled program.
    let second = try jvp(weighted, at: a, along: g).tangent
    let secondExpected = try differences(weighted, a, g)
    #expect(size(second - secondExpected) < 1e-8 * size(secondExpected))
    let other = try jvp(weighted, at: a, along: e).tangent
    #expect(abs((second * e).sum().scalar - (other * g).sum().scalar) < 1e-10 * size(second) * 16)
    #expect(size(try jit(weighted)(a) - weighted(a)) < 1e-12 * size(expected) * 10)
  }
  @Test func knownMatrixFunctions() throws {
    // At a multiple of the identity the derivative is f′(λ) times the direction, for the square f(A) = A A everywhere.
    let e = direction(3)
    let at = Tensor.identity(3) * 4.0
    #expect(size(try jvp({ symmetricSquareRoot($0) }, at: at, along: e).tangent - e * 0.25) < 1e-14)
    let a = matrix([1, 1, 3])
    let squared = try jvp({ try symmetricMatrixFunction($0) { $0 * $0 } }, at: a, along: e).tangent
    #expect(size(squared - matmul(a, e) - matmul(e, a)) < 1e-13)
    #expect(size(symmetricExponential(symmetricLogarithm(a)) - a) < 1e-13)
    #expect(reason { _ = symmetricLogarithm(matrix([-1, 1, 2])) } == .nonFinite)
    #expect(
      reason { _ = try grad { (x: Tensor) in symmetricSquareRoot(x).sum() }(matrix([1, 0, 2]) * 0.0) }
        == .nonFinite)
  }

  @Test(arguments: [[2.0, 2, 2, 2], [1, 1, 3, 3], [1, 2, 2, 5]]) func joinedValuesAndVectorsAreRefused(
    _ values: [Double]
  ) throws {
    let a = matrix(values)
    let eigen = { (x: Tensor) -> Tensor in
      let (values, vectors) = symmetricEigen(x)
      return (matmul(vectors * values, vectors.transposed) * Self.weights).sum()
    }
    let singular = { (x: Tensor) -> Tensor in
      let (u, s, vt) = singularValueDecomposition(x)
      return (matmul(u * s, vt) * Self.weights).sum()
    }
    for f in [eigen, singular] {
      // Where values are distinct they are right.
      #expect(size(try grad(f)(matrix([1, 2, 3, 5])) - Self.weights) < 1e-12)
      #expect(reason { _ = try grad(f)(a) } == .unsupportedDerivative)
      #expect(reason { _ = try jit(grad(f))(a) } == .unsupportedDerivative)
      #expect(reason { _ = try jvp(f, at: a, along: direction(4)) } == .unsupportedDerivative)
      #expect(reason { _ = try vmap(grad(f))(stack([matrix([1, 2, 3, 5]), a])) } == .unsupportedDerivative)
    }
    // The identity, where the cotangents of the values happen to be zero or equal, is refused too.
    let one = { (x: Tensor) -> Tensor in
      let (values, vectors) = symmetricEigen(x)
      return matmul(vectors * values, vectors.transposed)[0, 1]
    }
    #expect(reason { _ = try grad(one)(Tensor.identity(2)) } == .unsupportedDerivative)
    // Single values and vectors.
    #expect(
      reason { _ = try grad { (x: Tensor) in symmetricEigen(x).values[1] }(Tensor.identity(3)) }
        == .unsupportedDerivative)
    #expect(
      reason { _ = try grad { (x: Tensor) in symmetricEigen(x).vectors[0, 1] }(Tensor.identity(3)) }
        == .unsupportedDerivative)
    do {
      _ = try grad(eigen)(Tensor.identity(4) * 2.0)
    } catch let error as TensorError {
      #expect(error.message.contains("2.0") && error.message.contains("symmetricMatrixFunction"))
    }
  }

  @Test func whatDoesNotTurnTheVectorsIsExact() throws {
    let a = matrix([1, 1, 3, 3])
    let e = direction(4)
    let projector = { (x: Tensor) -> Tensor in
      let v = symmetricEigen(x).vectors[0..., 0..<2]
      return (matmul(v, v.transposed) * Self.weights).sum()
    }
    let expected = try differences(projector, a, e).scalar
    for gradient in [grad(projector), jit(grad(projector))] {
      #expect(abs((try gradient(a) * e).sum().scalar - expected) < 1e-9 * abs(expected))
    }
    let sums = { (x: Tensor) -> Tensor in
      let values = symmetricEigen(x).values
      return square(values[0..<2].sum()) + exp(values[2..<4].sum() * 0.1)
    }
    let sumExpected = try differences(sums, a, e).scalar
    #expect(abs((try grad(sums)(a) * e).sum().scalar - sumExpected) < 1e-9 * abs(sumExpected))
    // The second derivative needs distinct values, and says so.
    #expect(reason { _ = try hvp(projector, at: a, along: e) } == .unsupportedDerivative)
    // Along a direction that keeps equal values together, forward mode is exact.
    let shift = Tensor.identity(4)
    let tangent = try jvp({ symmetricEigen($0).values }, at: a, along: shift).tangent
    #expect(size(tangent - 1.0) < 1e-13)
    // The polar factor U Vᵀ at equal singular values, tall and square.
    var random = SeededRandom(seed: 21)
    for rows in [3, 5] {
      let (q, _) = qrDecomposition(Tensor(random.uniform(-1, 1, count: rows * 3), shape: [rows, 3]))
      let w = Tensor(random.uniform(-1, 1, count: rows * 3), shape: [rows, 3])
      let d = Tensor(random.uniform(-1, 1, count: rows * 3), shape: [rows, 3])
      let polar = { (x: Tensor) -> Tensor in
        let (u, _, vt) = singularValueDecomposition(x)
        return (matmul(u, vt) * w).sum()
      }
      let value = try differences(polar, q * 2.0, d).scalar
      #expect(abs((try grad(polar)(q * 2.0) * d).sum().scalar - value) < 1e-9 * max(abs(value), 0.1))
    }
  }
}
