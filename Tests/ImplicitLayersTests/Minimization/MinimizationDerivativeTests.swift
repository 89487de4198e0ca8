import Autodiff
import Foundation
import ImplicitLayers
import TestSupport
import Testing

/// Whether tensors agree.
func isNear(_ a: Tensor, _ b: Tensor, relative: Double = 1e-8, absolute: Double = 1e-8) -> Bool {
  a.shape == b.shape
    && zip(a.values, b.values).allSatisfy { abs($0 - $1) <= absolute + relative * abs($1) }
}

@Suite struct MinimizationDerivativeTests {
  /// A smooth strictly convex function of x and w whose minimiser has no closed form.
  private static func potential(_ x: Tensor, _ w: Tensor) -> Tensor {
    let quartic = (x * x * x * x).sum() / 4
    let coupled = exp(dot(x, w)) + 0.5 * (square(x - sin(w))).sum()
    return quartic + coupled
  }
  private static let methods: [(String, @Sendable () -> MinimizationMethod)] = [
    ("automatic", { .automatic }), ("line-searched gradient descent", { .gradientDescent() }),
    ("gradient descent", { .gradientDescent(stepSize: 0.1, momentum: 0.5) }),
    ("Hager–Zhang", { .conjugateGradients() }), ("Polak–Ribière", { .conjugateGradients(.polakRibiere) }),
    ("Fletcher–Reeves", { .conjugateGradients(.fletcherReeves) }), ("BFGS", { .bfgs }),
    ("L-BFGS", { .limitedMemoryBFGS() }), ("L-BFGS-B", { .boundedBFGS() }),
    ("Newton-CG", { .newtonConjugateGradients }), ("trust region", { .trustRegion }),
    ("trust region with CG", { .trustRegionConjugateGradients }),
  ]

  /// Differences, dot products, batches, compiled functions, and all of them for the gradient.
  @Test(arguments: methods.indices) func laws(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    let solve = { (w: [Tensor]) throws -> Tensor in
      try minimize(
        { x in Self.potential(x, w[0]) }, guess: Tensor([0.3, -0.2, 0.1]),
        options: MinimizationOptions(method: method(), tolerance: 1e-11))
    }
    let found = try GradientLaws(tolerance: 1e-6).violations(of: solve, at: [Tensor([0.8, -0.5, 0.3])])
    #expect(found.isEmpty, "\(name): \(found)")
  }

  /// The literature's golden value: sin(x ω) at ω = 2 from 0 has its minimum at −π/4, and dx/dω = π/8.
  @Test(arguments: methods.indices) func goldenValue(_ k: Int) throws {
    let (name, method) = Self.methods[k]
    let solve = { (omega: Tensor) throws -> Tensor in
      try minimize({ x in sin(x * omega) }, guess: 0.0, options: MinimizationOptions(method: method()))
    }
    #expect(abs(try solve(2.0).scalar + Double.pi / 4) < 1e-8, "\(name)")
    #expect(abs(try grad(solve)(2.0).scalar - Double.pi / 8) < 1e-7, "\(name)")
  }

  /// Ridge regression: x = (AᵀA + λ I)⁻¹ Aᵀ b, and its derivatives by A, b and λ.
  @Test func ridgeRegression() throws {
    var random = SeededRandom(seed: 5)
    let a = Tensor(random.uniform(-1, 1, count: 24), shape: [8, 3])
    let b = Tensor(random.uniform(-1, 1, count: 8))
    let weight = Tensor([0.7, -1.1, 0.4])
    let closed = { (p: [Tensor]) -> Tensor in
      let matrix = matmul(p[0].transposed, p[0]) + p[2] * Tensor.identity(3)
      return dot(weight, Autodiff.solve(matrix, matmul(p[0].transposed, p[1])))
    }
    let layers: [([Tensor]) throws -> Tensor] = [
      { p in
        let x = try minimize(
          { x in square(matmul(p[0], x) - p[1]).sum() + p[2] * square(x).sum() }, guess: Tensor.zeros([3]))
        return dot(weight, x)
      },
      { p in
        let x = try nonlinearLeastSquares(
          { (x: Tensor) in [matmul(p[0], x) - p[1], sqrt(p[2]) * x] }, guess: Tensor.zeros([3]))
        return dot(weight, x)
      },
    ]
    let point = [a, b, 0.3]
    let expected = try grad(closed)(point)
    for (k, layer) in layers.enumerated() {
      #expect(abs(try layer(point).scalar - closed(point).scalar) < 1e-10)
      for (place, (found, wanted)) in zip(try grad(layer)(point), expected).enumerated() {
        #expect(isNear(found, wanted, relative: 1e-9, absolute: 1e-9), "layer \(k), argument \(place)")
      }
      // Second order: of λ alone.
      let second = try grad { (l: Tensor) in try grad { (m: Tensor) in try layer([a, b, m]) }(l) }(0.3).scalar
      let other = try grad { (l: Tensor) in try grad { (m: Tensor) in closed([a, b, m]) }(l) }(0.3).scalar
      #expect(abs(second - other) < 1e-7 * abs(other), "layer \(k): \(second), \(other)")
    }
  }

  /// The derivative by the first guess is zero, whatever the method.
  @Test func guessHasNoDerivative() throws {
    let gradient = try grad { (guess: Tensor) in
      try minimize({ x in Self.potential(x, Tensor([0.8, -0.5])) }, guess: guess).sum()
    }(Tensor([0.4, 0.1]))
    #expect(gradient.values == [0, 0])
  }

  /// A tree of unknowns, one of them of float32.
  @Test func treesOfUnknowns() throws {
    let solve = { (w: Tensor) throws -> [Tensor] in
      try minimize(
        { (x: [Tensor]) in square(x[0] - w).sum() + square(x[1].converted(to: .float64) - 2 * w).sum() },
        guess: [Tensor.zeros([2]), Tensor.zeros([2], type: .float32)])
    }
    let result = try solve(Tensor([1.5, -0.5]))
    #expect(result[1].elementType == .float32 && isNear(result[1], Tensor([3.0, -1]), absolute: 1e-4))
    let tangents = try jvp(solve, at: Tensor([1.5, -0.5]), along: Tensor([1.0, 2])).tangent
    #expect(
      isNear(tangents[0], Tensor([1.0, 2])) && isNear(tangents[1], Tensor([2.0, 4]), absolute: 1e-4))
  }

  /// With a matrix-free derivative, and one by a truncated Neumann series of gradient steps.
  @Test func otherDerivatives() throws {
    let w = Tensor([0.8, -0.5, 0.3])
    func gradient(_ options: MinimizationOptions) throws -> Tensor {
      try grad { (w: Tensor) in
        try minimize({ x in Self.potential(x, w) }, guess: Tensor([0.3, -0.2, 0.1]), options: options).sum()
      }(w)
    }
    let exact = try gradient(MinimizationOptions(tolerance: 1e-11))
    let free = try gradient(
      MinimizationOptions(tolerance: 1e-11, differentiation: ImplicitDifferentiation(jacobian: .matrixFree)))
    #expect(isNear(free, exact, relative: 1e-7, absolute: 1e-8))
    let method = MinimizationMethod.gradientDescent(stepSize: 0.2)
    var errors: [Double] = []
    for terms in [20, 60] {
      let series = try gradient(
        MinimizationOptions(method: method, tolerance: 1e-11, differentiation: .neumann(terms: terms)))
      errors.append(abs(series - exact).max().scalar)
    }
    #expect(errors[0] < 0.05 && errors[1] < 1e-3 * errors[0], "\(errors)")
    #expect(throws: ImplicitLayerError.self) {
      try gradient(MinimizationOptions(method: .bfgs, differentiation: .neumann(terms: 5)))
    }
  }

  /// Every element of a batch is solved with its own data.
  @Test func batches() throws {
    let w = Tensor([0.8, -0.5, 0.3, 0.1, 0.2, -0.9], shape: [3, 2])
    let solve = { (w: Tensor) throws -> Tensor in
      try minimize({ x in Self.potential(x, w) }, guess: Tensor([0.3, -0.2]))
    }
    let batched = try vmap(grad { (w: Tensor) in try solve(w).sum() })(w)
    for k in 0..<3 {
      let single = try grad { (w: Tensor) in try solve(w).sum() }(w[k])
      #expect(isNear(batched[k], single, relative: 1e-10, absolute: 1e-10))
    }
    let report = try vmap { (w: Tensor) in
      try minimizeWithReport({ x in Self.potential(x, w) }, guess: Tensor([0.3, -0.2]), traceLength: 4)
    }(w)
    #expect(report.status.shape == [3] && report.trace.shape == [3, 4])
    #expect(report.status.values.allSatisfy { $0 == 0 })
  }

  /// Three sizes of differences along a line: the error falls as it must.
  @Test func differencesConverge() throws {
    let solve = { (t: Double) throws -> Double in
      try minimize(
        { x in Self.potential(x, Tensor([0.8, -0.5]) + t) }, guess: Tensor([0.3, -0.2]),
        options: MinimizationOptions(tolerance: 1e-12))[0].scalar
    }
    let quotients = try CentralDifferences(step: 0.1, solve)
    #expect(abs(quotients.convergence - 4) < 0.1)
    let tangent = try jvp(
      { (t: Tensor) in
        try minimize({ x in Self.potential(x, Tensor([0.8, -0.5]) + t) }, guess: Tensor([0.3, -0.2]))[0]
      }, at: Tensor(0.0), along: Tensor(1.0)
    ).tangent.scalar
    #expect(abs(tangent) > 0.05 && abs(tangent - quotients.extrapolated) < 1e-7 * abs(tangent))
  }
}
