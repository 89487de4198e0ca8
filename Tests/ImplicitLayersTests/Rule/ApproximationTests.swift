import Autodiff
import Foundation
import ImplicitLayers
import LinearSolvers
import TestSupport
import Testing

/// Derivatives that are approximations by name have the values that their formulas say.
@Suite struct ApproximationTests {
  private let a: Tensor = [[0.3, 0.2, 0], [-0.1, 0.4, 0.2], [0.1, 0, -0.5]]
  private let b: Tensor = [1, -1, 0.5]
  /// y = A y + b + ½ sin(y), differentiated by b.
  private func fixed(_ differentiation: ImplicitDifferentiation, method: FixedPointMethod = .anderson())
    -> (Tensor) throws -> Tensor
  {
    { b in
      try fixedPoint(
        { y in matmul(self.a, y) + b + 0.4 * sin(y) }, guess: Tensor.zeros([3]),
        options: .init(
          method: method, tolerance: 1e-14, control: .init(maximumIterations: 2000),
          differentiation: differentiation))
    }
  }
  /// f_y at the fixed point.
  private func slope() throws -> Tensor { a + (0.4 * cos(try fixed(.implicit)(b))).asDiagonal }
  /// λ Σ ((1 − λ) I + λ f_y)ⁱ.
  private func series(_ terms: Int, _ damping: Double) throws -> Tensor {
    let step = Tensor.identity(3) * (1 - damping) + damping * (try slope())
    var (sum, power) = (Tensor.zeros([3, 3]), Tensor.identity(3))
    for _ in 0..<terms {
      sum = sum + damping * power
      power = matmul(power, step)
    }
    return sum
  }
  private func check(_ differentiation: ImplicitDifferentiation, equals expected: Tensor) throws {
    let y = fixed(differentiation)
    #expect(distance(try jacobian(y, mode: .forward)(b), expected) < 1e-12)
    #expect(distance(try jacobian(y, mode: .reverse)(b), expected) < 1e-12)
    // The value is the solution whatever the derivative.
    #expect(distance(try y(b), try fixed(.implicit)(b)) < 1e-13)
  }

  @Test(arguments: [1, 2, 3, 8]) func neumann(terms: Int) throws {
    try check(.neumann(terms: terms), equals: try series(terms, 1))
  }
  @Test(arguments: [(1, 0.5), (3, 0.5), (5, 0.9), (4, 1.0)]) func phantom(steps: Int, damping: Double) throws
  {
    try check(.phantom(steps: steps, damping: damping), equals: try series(steps, damping))
  }
  @Test func oneStep() throws { try check(.oneStep, equals: Tensor.identity(3)) }

  /// The error of k terms is f_yᵏ (I − f_y)⁻¹.
  @Test func seriesConverges() throws {
    let exact = try jacobian(fixed(.implicit))(b)
    let slope = try slope()
    #expect(distance(matmul(Tensor.identity(3) - slope, exact), Tensor.identity(3)) < 1e-12)
    var remainder = exact
    for terms in 1...12 {
      remainder = matmul(slope, remainder)
      let error = exact - (try jacobian(fixed(.neumann(terms: terms)))(b))
      #expect(distance(error, remainder) < 1e-12, "\(terms) terms")
    }
    #expect(distance(try jacobian(fixed(.neumann(terms: 300)))(b), exact) < 1e-12)
  }

  /// Series for a root of f(x) − x written as a residual, by an outside solver too.
  @Test func ofResiduals() throws {
    let solve = { (differentiation: ImplicitDifferentiation) in
      { (b: Tensor) in
        try implicitRoot(
          { x, b in matmul(self.a, x) + b + 0.4 * sin(x) - x }, guess: Tensor.zeros([3]), parameters: b,
          differentiation: differentiation
        ) { _, b in try self.fixed(.implicit)(b) }
      }
    }
    #expect(distance(try jacobian(solve(.neumann(terms: 4)))(b), try series(4, 1)) < 1e-12)
    #expect(distance(try jacobian(solve(.phantom(steps: 4, damping: 0.6)))(b), try series(4, 0.6)) < 1e-12)
    let system = { (b: Tensor) in
      try root(
        { x in matmul(self.a, x) + b + 0.4 * sin(x) - x }, guess: Tensor.zeros([3]),
        options: .init(differentiation: .neumann(terms: 4)))
    }
    #expect(distance(try jacobian(system)(b), try series(4, 1)) < 1e-11)
  }

  /// Damped Picard steps y ← y + β (f(y) − y) with f(y) = a y + w: yₖ = y* + rᵏ (y₀ − y*), r = 1 − β (1 − a).
  @Test(arguments: [0, 1, 2, 5, 20]) func unrolledPicard(k: Int) throws {
    let y = { (p: [Tensor]) in
      try fixedPoint(
        { y in p[0] * y + p[1] }, guess: p[2],
        options: .init(method: .picard(damping: p[3]), differentiation: .unrolled(iterations: k)))
    }
    let (a, w, start, beta) = (0.6, 1.5, 0.25, 0.8)
    let (root, rate) = (w / (1 - a), 1 - beta * (1 - a))
    let power = pow(rate, Double(k))
    let powerSlope = k == 0 ? 0 : Double(k) * pow(rate, Double(k - 1)) * (start - root)
    let point: [Tensor] = [Tensor(a), Tensor(w), Tensor(start), Tensor(beta)]
    let (value, gradient) = try valueAndGrad(y)(point)
    #expect(abs(value.scalar - (root + power * (start - root))) < 1e-13)
    let expected = [
      (1 - power) * root / (1 - a) + powerSlope * beta, (1 - power) / (1 - a), power, -powerSlope * (1 - a),
    ]
    for (g, e) in zip(gradient, expected) { #expect(abs(g.scalar - e) < 1e-12, "\(g) \(e)") }
    let forward = try (0..<4).map { i in
      try jvp(y, at: point, along: (0..<4).map { Tensor($0 == i ? 1.0 : 0.0) }).tangent.scalar
    }
    #expect(zip(forward, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    if k > 0 { #expect(try GradientLaws(tolerance: 1e-8).violations(of: y, at: point) == []) }
  }

  /// Step size and momentum of a heavy ball on ½ a x², with its state as the unknown: tensors that the step captures have their derivatives.
  @Test func unrolledMomentum() throws {
    let x = { (p: [Tensor]) in
      try fixedPoint(
        { (s: Tensor) in
          let speed = p[1] * s[1] - p[0] * p[2] * s[0]
          return stack([s[0] + speed, speed])
        }, guess: stack([p[3], Tensor(0.0)]),
        options: .init(method: .picard(), differentiation: .unrolled(iterations: 7)))[0]
    }
    let point: [Tensor] = [0.1, 0.8, 2.0, 1.5]
    let gradient = try grad(x)(point).map(\.scalar)
    for k in 0..<4 {
      let differences = try CentralDifferences(step: 1e-2) { e in
        // The same recursion in plain numbers.
        var p = try point.map { try Double($0) }
        p[k] += e
        var (position, speed) = (p[3], 0.0)
        for _ in 0..<7 {
          speed = p[1] * speed - p[0] * p[2] * position
          position += speed
        }
        return position
      }
      #expect(abs(gradient[k] - differences.extrapolated) < 1e-9 * max(1, abs(gradient[k])))
      #expect(abs(gradient[k]) > 1e-2)
    }
  }

  /// Newton's steps, unrolled: xₖ and its derivative by guess and parameter for x² = w.
  @Test(arguments: [0, 1, 2, 3]) func unrolledNewton(k: Int) throws {
    let x = { (p: [Tensor]) in
      try root(
        { x in x * x - p[1] }, guess: p[0],
        options: .init(
          method: .newton(lineSearch: false), differentiation: .unrolled(iterations: k)))
    }
    // Heron's rule with its derivatives.
    var (value, byGuess, byParameter) = (3.0, 1.0, 0.0)
    for _ in 0..<k {
      let next = 0.5 * (value + 2 / value)
      let slope = 0.5 * (1 - 2 / (value * value))
      (value, byGuess, byParameter) = (next, slope * byGuess, slope * byParameter + 0.5 / value)
    }
    let (result, gradient) = try valueAndGrad(x)([3.0, 2.0])
    #expect(abs(result.scalar - value) < 1e-14)
    #expect(abs(gradient[0].scalar - byGuess) < 1e-13)
    #expect(abs(gradient[1].scalar - byParameter) < 1e-13)
  }
  /// Converged steps have the implicit derivative, and forget the guess.
  @Test func unrolledConverges() throws {
    let x = { (p: [Tensor]) in
      try root({ x in x * x - p[1] }, guess: p[0], options: .init(differentiation: .unrolled(iterations: 8)))
    }
    let gradient = try grad(x)([3.0, 2.0])
    #expect(abs(gradient[0].scalar) < 1e-14)
    #expect(abs(gradient[1].scalar - 0.5 / 2.0.squareRoot()) < 1e-14)
  }

  /// Only the last steps are differentiated: with f(y) = a y + w the derivative by w is Σ over them, and the guess has none.
  @Test(arguments: [(6, 0), (6, 1), (6, 3), (6, 6)]) func truncated(all: Int, differentiated: Int) throws {
    let y = { (p: [Tensor]) in
      try fixedPoint(
        { y in 0.5 * y + p[0] }, guess: p[1],
        options: .init(
          method: .picard(), differentiation: .truncated(iterations: all, differentiated: differentiated)))
    }
    let gradient = try grad(y)([1.0, 0.3])
    #expect(abs(gradient[0].scalar - 2 * (1 - pow(0.5, Double(differentiated)))) < 1e-14)
    #expect(gradient[1].scalar == (differentiated == all ? pow(0.5, Double(all)) : 0))
    #expect(abs(try y([1.0, 0.3]).scalar - (2 - 1.7 * pow(0.5, Double(all)))) < 1e-14)
  }

  @Test func unrolledRefusals() throws {
    func isArgument(_ body: () throws -> Void) -> Bool {
      if case .argument = layerError(body) { return true }
      return false
    }
    let steps = ImplicitDifferentiation.unrolled(iterations: 3)
    // Methods with decisions are not unrolled.
    for method in [RootMethod.newton(), .chord, .broyden, .dogleg, .levenbergMarquardt] {
      #expect(
        isArgument {
          _ = try root({ x in x - 1.0 }, guess: 0.0, options: .init(method: method, differentiation: steps))
        })
    }
    #expect(
      isArgument {
        _ = try root({ x in x - 1.0 }, guess: 0.0, lower: -1.0, options: .init(differentiation: steps))
      })
    #expect(
      isArgument {
        _ = try rootWithReport({ x in x - 1.0 }, guess: 0.0, options: .init(differentiation: steps))
      })
    #expect(
      isArgument { _ = try fixedPoint({ y in 0.5 * y }, guess: 0.0, options: .init(differentiation: steps)) })
    #expect(
      isArgument {
        _ = try fixedPointWithReport(
          { y in 0.5 * y }, guess: 0.0, options: .init(method: .picard(), differentiation: steps))
      })
    for wrong in [
      ImplicitDifferentiation.unrolled(iterations: -1), .truncated(iterations: 2, differentiated: 3),
    ] {
      #expect(
        isArgument { _ = try root({ x in x - 1.0 }, guess: 0.0, options: .init(differentiation: wrong)) })
    }
  }
}
