import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// Estimates against exact values. With a fixed key each is one number: within four of its standard errors, which chance would allow in all but
/// one case of 16 000.
@Suite struct StochasticEstimateTests {
  private static let size = 24
  private func matrix(_ seed: UInt64, size: Int = size) -> Tensor {
    var random = SeededRandom(seed: seed)
    return Tensor(random.uniform(-1, 1, count: size * size), shape: [size, size])
  }
  private func definite(_ seed: UInt64) -> Tensor {
    let m = matrix(seed)
    return matmul(m, m.transposed) / Double(Self.size) + 0.5 * Tensor.identity(Self.size)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func traces(_ seed: UInt64) throws {
    let a = matrix(seed)
    let samples = 400
    let estimate = try LinearOperator.dense(a).estimatedTrace(samples: samples, key: RandomKey(seed: seed))
    let error = estimate.standardError.scalar
    let exact = (a * Tensor.identity(Self.size)).sum().scalar
    #expect(abs(estimate.value.scalar - exact) < 4 * error)
    // The standard error is the one that theory has.
    let part = (a + a.transposed) / 2.0
    let beside = square(part * (1.0 - Tensor.identity(Self.size))).sum().scalar
    let expected = (2 * beside / Double(samples)).squareRoot()
    #expect(abs(error / expected - 1) < 0.2)
    // The diagonal is exact without what stands beside it.
    let diagonal = try LinearOperator.diagonal([1, 5, -2]).estimatedTrace(
      samples: 2, key: RandomKey(seed: seed))
    #expect(diagonal.value.scalar == 4 && diagonal.standardError.scalar == 0)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func diagonals(_ seed: UInt64) throws {
    let a = matrix(seed)
    let estimate = try LinearOperator.dense(a).estimatedDiagonal(samples: 400, key: RandomKey(seed: seed))
    let exact = (a * Tensor.identity(Self.size)).sum(axis: 0)
    let score = abs((estimate.value - exact) / estimate.standardError).values
    #expect(score.count == Self.size && score.allSatisfy { $0 < 4 })
    let mean = square(estimate.standardError).mean().scalar
    let beside = square(a * (1.0 - Tensor.identity(Self.size))).sum().scalar
    #expect(abs(mean / (beside / 400 / Double(Self.size)) - 1) < 0.2)
  }

  /// Both are linear in the operator: their gradients are exact derivatives of the estimates, and estimates of the exact ones.
  @Test func gradientsOfTraces() throws {
    let key = RandomKey(seed: 3)
    let x = [matrix(1, size: 5)]
    for function in [
      { (x: [Tensor]) throws -> Tensor in
        try LinearOperator.dense(square(x[0])).estimatedTrace(samples: 7, key: key).value
      }, { x in try LinearOperator.dense(square(x[0])).estimatedDiagonal(samples: 7, key: key).value },
    ] {
      let violations = try GradientLaws().violations(of: function, at: x)
      #expect(violations.isEmpty, "\(violations)")
    }
    let gradient = try grad { (a: Tensor) in
      try LinearOperator.dense(a).estimatedTrace(samples: 900, key: key).value
    }(x[0])
    #expect(distance(gradient * Tensor.identity(5), Tensor.identity(5)) < 1e-14)
    // Elements beside the diagonal are means of 900 signs.
    #expect(distance(gradient, Tensor.identity(5)) < 4.0 / 30)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func logDeterminants(_ seed: UInt64) throws {
    let a = definite(seed)
    let exact = log(symmetricEigen(a).values).sum().scalar
    let estimate = try LinearOperator.dense(a, tags: .positiveDefinite).estimatedLogDeterminant(
      samples: 200, steps: Self.size, key: RandomKey(seed: seed))
    let error = estimate.standardError.scalar
    #expect(abs(estimate.value.scalar - exact) < 4 * error && error > 1e-3)
    // The variance of a sample is twice the sum of the squares beside the diagonal of log A.
    let parts = symmetricEigen(a)
    let logarithm = matmul(parts.vectors * log(parts.values), parts.vectors.transposed)
    let beside = square(logarithm * (1.0 - Tensor.identity(Self.size))).sum().scalar
    #expect(abs(error / (2 * beside / 200).squareRoot() - 1) < 0.25)
    // Few steps: the quadrature's bias falls with them, with the same vectors.
    let biases = try [2, 4, 8].map { steps in
      let few = try LinearOperator.dense(a, tags: .positiveDefinite).estimatedLogDeterminant(
        samples: 200, steps: steps, key: RandomKey(seed: seed))
      return abs(few.value.scalar - estimate.value.scalar)
    }
    #expect(biases[0] > 2 * biases[1] && biases[1] > 10 * biases[2] && biases[2] < 1e-4, "\(biases)")
  }

  /// With signs for vectors a diagonal matrix has its exact logarithm, and so have all derivatives. The process ends before the steps do.
  @Test func diagonalLogDeterminants() throws {
    let d: Tensor = [0.5, 2, 3, 0.5, 2, 3, 7, 7]
    let estimate = { (x: [Tensor]) throws -> Tensor in
      try LinearOperator.diagonal(x[0], tags: .positiveDefinite).estimatedLogDeterminant(
        samples: 3, steps: 20, key: RandomKey(seed: 1)
      ).value
    }
    #expect(abs(try estimate([d]).scalar - log(d).sum().scalar) < 1e-12)
    let gradient = try grad(estimate)([d])
    #expect(distance(gradient[0], 1.0 / d) < 1e-13)
    let laws = GradientLaws(step: 2e-3)
    let violations = try laws.violations(of: estimate, at: [d]) + laws.batchViolations(of: estimate, at: [d])
    #expect(violations.isEmpty, "\(violations)")
    let none = try LinearOperator.identity(0).estimatedLogDeterminant(
      samples: 2, steps: 3, key: RandomKey(seed: 1))
    #expect(none.value.scalar == 0)
  }

  /// First and second derivatives along a direction, over 60 keys.
  @Test func derivativesOfLogDeterminants() throws {
    let (a, m) = (definite(9), matrix(10))
    let direction = matmul(m, m.transposed) / Double(Self.size)
    let inverseTimes = solve(a, direction)
    let exact: [Double] = [
      (inverseTimes * Tensor.identity(Self.size)).sum().scalar,
      -(inverseTimes * inverseTimes.transposed).sum().scalar,
    ]
    var found: [[Double]] = [[], []]
    for seed in 0..<60 as Range<UInt64> {
      let slope = { (t: Tensor) throws -> Tensor in
        try grad { (t: Tensor) in
          try LinearOperator.dense(a + t * direction, tags: .positiveDefinite).estimatedLogDeterminant(
            samples: 4, steps: 3, key: RandomKey(seed: seed)
          ).value
        }(t)
      }
      let (first, second) = try jvp(slope, at: Tensor(0), along: Tensor(1))
      found[0].append(first.scalar)
      found[1].append(second.scalar)
    }
    for (values, exact) in zip(found, exact) {
      let mean: Double = values.reduce(0, +) / 60
      let squares: Double = values.reduce(0) { sum, value in sum + (value - mean) * (value - mean) }
      let error = (squares / 3540).squareRoot()
      #expect(abs(mean - exact) < 4 * error)
      #expect(error < 0.2 * abs(exact), "\(error) of \(exact) tells nothing")
    }
  }

  @Test func mistakes() throws {
    let key = RandomKey(seed: 1)
    let a = LinearOperator.identity(3)
    func reason(_ body: () throws -> StochasticEstimate) -> TensorError.Reason? {
      failure { _ = try body() }?.reason
    }
    #expect(reason { try a.estimatedTrace(samples: 1, key: key) } == .argument)
    #expect(
      reason { try LinearOperator.dense([[1, 2]]).estimatedDiagonal(samples: 5, key: key) } == .shape)
    #expect(reason { try a.estimatedLogDeterminant(samples: 5, steps: 0, key: key) } == .argument)
    #expect(
      reason {
        try LinearOperator.dense([[1.0]]).estimatedLogDeterminant(samples: 5, steps: 1, key: key)
      } == .argument)
    #expect(
      reason {
        try LinearOperator.dense([[1, 2], [2, 1]], tags: .positiveDefinite).estimatedLogDeterminant(
          samples: 5, steps: 2, key: key)
      } == .notPositiveDefinite)
    // Singular ones, exactly and to rounding.
    for singular in [
      LinearOperator.dense([[1, -1], [-1, 1]], tags: .positiveDefinite),
      .diagonal([0, 1], tags: .positiveDefinite),
    ] {
      #expect(
        reason { try singular.estimatedLogDeterminant(samples: 5, steps: 2, key: key) }
          == .notPositiveDefinite)
    }
    // What is not finite has no error bar of zero.
    let broken = try LinearOperator.diagonal(Tensor([Double.nan, 1])).estimatedTrace(samples: 5, key: key)
    #expect(broken.value.scalar.isNaN && broken.standardError.scalar.isNaN)
  }
}
