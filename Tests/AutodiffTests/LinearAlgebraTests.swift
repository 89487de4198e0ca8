import Autodiff
import TestSupport
import Testing

/// A matrix that is safely regular.
private func shifted(_ x: Tensor) -> Tensor {
  let (m, n) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
  return x + Tensor((0..<m * n).map { $0 / n == $0 % n ? 3.0 + Double($0 % n) : 0 }, shape: [m, n])
}

let linearAlgebraCases: [DerivativeCase] = [
  DerivativeCase("solve", [[3, 3], [3]]) { solve(shifted($0[0]), $0[1]) },
  DerivativeCase("solve of stacks", [[2, 3, 3], [3, 2]]) { solve(shifted($0[0]), $0[1]) },
  DerivativeCase("triangularSolve", [[3, 3], [3, 2]]) {
    triangularSolve(shifted($0[0]), $0[1], lower: true)
      * triangularSolve(shifted($0[0]), $0[1], lower: false, transposed: true)
      + triangularSolve($0[0], $0[1], lower: true, unitDiagonal: true)
  },
  DerivativeCase("inverse, determinant", [[2, 3, 3]]) {
    inverse(shifted($0[0])) * determinant(shifted($0[0])).reshaped([2, 1, 1])
  },
  DerivativeCase("signAndLogDeterminant", [[4, 4]]) { signAndLogDeterminant(shifted($0[0])).logarithm },
  DerivativeCase("luDecomposition", [[3, 3]]) { x in
    let (p, l, u) = luDecomposition(shifted(x[0]))
    return matmul(p, square(l)) * sin(u)
  },
  DerivativeCase("cholesky", [[3, 3]]) {
    cholesky(matmul($0[0], $0[0].transposed) + 2.0 * Tensor.identity(3))
  },
  DerivativeCase("choleskySolve", [[3, 3], [3]]) {
    choleskySolve(cholesky(shifted($0[0]) + 3.0 * Tensor.identity(3)), $0[1])
  },
  DerivativeCase("qrDecomposition", [[4, 3]]) { x in
    let (q, r) = qrDecomposition(shifted(x[0]))
    return matmul(square(q), sin(r))
  },
  DerivativeCase("leastSquares, tall", [[5, 3], [5]]) { leastSquares(shifted($0[0]), $0[1]) },
  DerivativeCase("leastSquares, wide", [[3, 5], [3]]) { leastSquares(shifted($0[0]), $0[1]) },
  DerivativeCase("symmetricEigen", [[3, 3]]) { x in
    let (values, vectors) = symmetricEigen(shifted(x[0]))
    return values + square(vectors)[0] * square(vectors)[1]
  },
  DerivativeCase("eigenvalues", [[3, 3]]) { x in
    let (re, im) = eigenvalues(shifted(x[0]))
    return stack([square(re).sum(), (square(im) * re).sum(), re.max()])
  },
  DerivativeCase("singularValueDecomposition, tall", [[4, 3]], laws: GradientLaws(step: 4e-3)) { x in
    let (u, s, vt) = singularValueDecomposition(shifted(x[0]))
    return s + square(u)[0] * square(vt)[1]
  },
  DerivativeCase("singularValueDecomposition, wide", [[2, 4]], laws: GradientLaws(step: 4e-3)) { x in
    let (u, s, vt) = singularValueDecomposition(shifted(x[0]))
    return s + square(u)[0] * square(vt)[0..., 3]
  },
  DerivativeCase("symmetricMatrixFunction", [[3, 3]]) { x in
    try symmetricMatrixFunction(shifted(x[0])) { tanh(0.5 * $0) * $0 }
  },
  DerivativeCase("ready functions of symmetric matrices", [[3, 3]]) { x in
    let a = matmul(x[0], x[0].transposed) + 2.0 * Tensor.identity(3, type: x[0].elementType)
    return symmetricExponential(x[0]) + symmetricLogarithm(a) * symmetricSquareRoot(a)
      + symmetricInverseSquareRoot(a) * symmetricPower(a, 1.5)
  },
]

@Suite struct LinearAlgebraTests {
  @Test(arguments: linearAlgebraCases) func derivatives(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test func identities() {
    var random = SeededRandom(seed: 5)
    let a = shifted(Tensor(random.uniform(-1, 1, count: 50), shape: [2, 5, 5]))
    let b = Tensor(random.uniform(-1, 1, count: 10), shape: [5, 2])
    func close(_ x: Tensor, _ y: Tensor) -> Bool { abs(x - y).max().scalar < 1e-12 }
    #expect(close(matmul(a, solve(a, b)), b.broadcast(to: [2, 5, 2])))
    #expect(close(matmul(a, inverse(a)), Tensor.identity(5).broadcast(to: [2, 5, 5])))
    let (p, l, u) = luDecomposition(a.reversed(axis: 1))
    #expect(close(matmul(matmul(p, l), u), a.reversed(axis: 1)))
    let (q, r) = qrDecomposition(a)
    #expect(
      close(matmul(q, r), a)
        && close(matmul(q.matrixTransposed, q), Tensor.identity(5).broadcast(to: [2, 5, 5])))
    let spd = matmul(a, a.matrixTransposed)
    let c = cholesky(spd)
    #expect(abs(matmul(c, c.matrixTransposed) - spd).max().scalar < 1e-11)
    let (values, vectors) = symmetricEigen(spd)
    #expect(
      abs(matmul(vectors * values.expandingAxis(-2), vectors.matrixTransposed) - spd).max().scalar < 1e-11)
    let (s, v, wt) = singularValueDecomposition(a[0..., .all, 0..<3])
    #expect(close(matmul(s * v.expandingAxis(-2), wt), a[0..., .all, 0..<3]))
    // The permutation's sign.
    let swapped: Tensor = [[0, 1, 0], [0, 0, 2], [3, 0, 0]]
    #expect(abs(determinant(swapped).scalar - 6) < 1e-14)
    #expect(determinant([[0, 2], [3, 0]]).scalar == -6)
    #expect(signAndLogDeterminant([[0, 2], [3, 0]]).sign.scalar == -1)
    #expect(close(matmul(a[0, 0..<3], pseudoInverse(a[0, 0..<3])), Tensor.identity(3)))
  }

  /// The design's golden values: A = [2 −2; −2 0], b = [1 0].
  @Test func linearSystemGradient() throws {
    let a: Tensor = [[2, -2], [-2, 0]]
    let b: Tensor = [1, 0]
    for (index, expected) in [[0, 0, 0, -0.25], [0, -0.25, 0, -0.25]].enumerated() {
      let gradient = try grad { (a: Tensor) in solve(a, b)[index] }(a)
      #expect(zip(gradient.values, expected).allSatisfy { abs($0 - $1) < 1e-15 })
    }
  }

  @Test func equalSingularValues() throws {
    // The nuclear norm at the identity: its gradient is U Vᵀ.
    let gradient = try grad { (x: Tensor) in singularValueDecomposition(x).s.sum() }(Tensor.identity(3))
    #expect(abs(gradient - Tensor.identity(3)).max().scalar < 1e-15)
    let trace = try grad { (x: Tensor) in symmetricEigen(x).values.sum() }(Tensor.identity(3))
    #expect(abs(trace - Tensor.identity(3)).max().scalar < 1e-15)
  }

  @Test func singularMatricesAreNamed() {
    func reason(_ body: () throws -> Tensor) -> TensorError.Reason? {
      do {
        _ = try withTensorErrors(body)
        return nil
      } catch { return (error as? TensorError)?.reason }
    }
    #expect(reason { solve([[1, 2], [2, 4]], [1, 1]) } == .singular)
    #expect(reason { cholesky([[1, 2], [2, 1]]) } == .singular)
    #expect(reason { triangularSolve([[1, 2], [2, 0]], [1, 1], lower: false) } == .singular)
    #expect(reason { solve([[1, 2], [2, 4]], [1, 1, 1]) } == .shape)
  }
}
