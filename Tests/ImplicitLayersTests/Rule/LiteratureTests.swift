import Autodiff
import Foundation
import ImplicitLayers
import LinearSolvers
import TestSupport
import Testing

/// The cases with which papers on implicit differentiation explain it, with the numbers that belong to them.
@Suite struct LiteratureTests {
  /// x² = ω has two roots, each with derivatives of its own: 1/(2x), −1/(4x³), 3/(8x⁵).
  @Test(arguments: [1.0, -1.0]) func squareRoots(sign: Double) throws {
    let x = { (omega: Tensor) in try root({ x in x * x - omega }, guess: Tensor(sign)) }
    for omega in [0.04, 2.0, 900.0] {
      let value = sign * omega.squareRoot()
      // The solver's tolerance is 1e-12 in x².
      #expect(abs(try x(Tensor(omega)).scalar - value) < 1.01e-12 / (2 * abs(value)) + 1e-15 * abs(value))
      let first = grad(x)
      let second = grad(first)
      let third = grad(second)
      #expect(relative(try first(Tensor(omega)).scalar, 1 / (2 * value)) < 2e-11)
      #expect(relative(try second(Tensor(omega)).scalar, -1 / (4 * pow(value, 3))) < 1e-10)
      #expect(relative(try third(Tensor(omega)).scalar, 3 / (8 * pow(value, 5))) < 1e-9)
    }
  }

  /// At ω = 0 the roots meet: there is a root, but no derivative.
  @Test(arguments: [1.0, -1.0, 0.0]) func squareRootOfZero(guess: Double) throws {
    let x = { (omega: Tensor) in try root({ x in x * x - omega }, guess: Tensor(guess)) }
    #expect(abs(try x(0.0).scalar) < 1e-5)
    #expect(tensorError { _ = try grad(x)(0.0) }?.reason == .singular)
    #expect(tensorError { _ = try jvp(x, at: 0.0, along: 1.0) }?.reason == .singular)
    let report = try rootWithReport({ x in x * x - Tensor(0.0) }, guess: Tensor(guess))
    #expect(try report.solverStatus() == .degenerate)
    // Also where an outside solver returns the exact root.
    let outside = { (omega: Tensor) in
      try implicitRoot({ x, w in x * x - w }, guess: 0.0, parameters: omega) { _, w in
        Tensor(w.scalar.squareRoot())
      }
    }
    #expect(tensorError { _ = try grad(outside)(0.0) }?.reason == .singular)
    #expect(abs(try grad(outside)(4.0).scalar - 0.25) < 1e-14)
  }

  /// sin(x + ω) = 0: all roots kπ − ω move with −1, whichever is found.
  @Test(arguments: -2...2) func shiftedSine(k: Int) throws {
    let omega = 0.3
    let expected = Double(k) * .pi - omega
    let x = { (w: Tensor) in try root({ x in sin(x + w) }, guess: Tensor(expected + 0.4)) }
    #expect(abs(try x(Tensor(omega)).scalar - expected) < 1e-12)
    #expect(abs(try grad(x)(Tensor(omega)).scalar + 1) < 1e-14)
    #expect(abs(try grad(grad(x))(Tensor(omega)).scalar) < 1e-12)
  }

  /// The linear system A x = b with A = [2 −2; −2 0], b = [1 0].
  @Test(arguments: [RootMethod.automatic, .newton(), .chord, .broyden, .dogleg, .levenbergMarquardt])
  func linearSystem(method: RootMethod) throws {
    let (a, b) = (Tensor([2, -2, -2, 0], shape: [2, 2]), Tensor([1.0, 0.0]))
    let x = { (a: Tensor) in
      try root({ x in matmul(a, x) - b }, guess: Tensor.zeros([2]), options: .init(method: method))
    }
    #expect(distance(try x(a), [0, -0.5]) < 1e-13)
    let derivative = try jacobian(x)(a)
    #expect(distance(derivative[0], [[0, 0], [0, -0.25]]) < 1e-13)
    #expect(distance(derivative[1], [[0, -0.25], [0, -0.25]]) < 1e-13)
  }

  /// Gradient descent on sin(xω) from 0 with steps of 0.1, at ω = 2. The minimum −π/(2ω) has the derivative π/(2ω²) = π/8; few unrolled
  /// steps give the wrong sign, or far too little.
  @Test func unrolledDescent() throws {
    let gradient = { (x: Tensor, omega: Tensor) in try grad { (x: Tensor) in sin(x * omega) }(x) }
    func descent(_ iterations: Int) -> (Tensor) throws -> Tensor {
      { omega in
        try fixedPoint(
          { x in x - 0.1 * (try gradient(x, omega)) }, guess: Tensor(0.0),
          options: .init(method: .picard(), differentiation: .unrolled(iterations: iterations)))
      }
    }
    for (iterations, golden) in [(2, -0.16095), (5, 0.05979), (25, 0.39264)] {
      let forward = try jvp(descent(iterations), at: 2.0, along: 1.0).tangent.scalar
      let reverse = try grad(descent(iterations))(2.0).scalar
      #expect(abs(forward - golden) < 6e-6, "\(iterations) steps: \(forward)")
      #expect(abs(reverse - forward) < 1e-14)
    }
    // Extrapolation from 0, far from the minimum, would leap to another stationary point.
    for (method, guess) in [(FixedPointMethod.picard(), 0.0), (.anderson(), -0.5)] {
      let x = { (omega: Tensor) in
        try fixedPoint(
          { x in x - 0.1 * (try gradient(x, omega)) }, guess: Tensor(guess), options: .init(method: method))
      }
      #expect(abs(try x(2.0).scalar + .pi / 4) < 1e-9)
      #expect(abs(try grad(x)(2.0).scalar - .pi / 8) < 1e-9)
    }
    let stationary = { (omega: Tensor) in
      try root({ x in try gradient(x, omega) }, guess: Tensor(-0.5))
    }
    #expect(abs(try grad(stationary)(2.0).scalar - .pi / 8) < 1e-13)
  }

  /// min xω over x² ≤ 1 at ω = 2 by its optimality conditions: dx/dω = 0 and dλ/dω = ½.
  @Test func ballConditions() throws {
    let solution = { (omega: Tensor) in
      try root(
        { z in stack([omega + 2.0 * z[1] * z[0], z[0] * z[0] - 1.0]) }, guess: Tensor([-0.8, 0.5]))
    }
    #expect(distance(try solution(2.0), [-1, 1]) < 1e-13)
    let forward = try jvp(solution, at: 2.0, along: 1.0).tangent
    #expect(distance(forward, [0, 0.5]) < 1e-14)
    #expect(distance(try jacobian(solution, mode: .reverse)(2.0), [0, 0.5]) < 1e-14)
  }

  /// OptNet's layer as its paper derives it: the program's multipliers and point are a root of its optimality conditions, whatever solver
  /// found them. The general rule agrees with the layer's own.
  @Test func optNet() throws {
    let (n, p, m) = (4, 1, 3)
    var random = SeededRandom(seed: 5)
    func matrix(_ rows: Int, _ columns: Int) -> Tensor {
      Tensor(random.uniform(-1, 1, count: rows * columns), shape: [rows, columns])
    }
    let factor = matrix(n, n)
    let data: [Tensor] = [
      factor, matrix(1, n)[0], matrix(p, n), matrix(1, p)[0], matrix(m, n), matrix(1, m)[0] * 0.1 - 0.05,
    ]
    func quadratic(_ d: [Tensor]) -> Tensor { matmul(d[0], d[0].transposed) + Tensor.identity(n) }
    let own = { (d: [Tensor]) throws -> Tensor in
      let s = try quadraticProgram(
        quadratic: quadratic(d), linear: d[1], equalities: d[2], equalityValues: d[3], inequalities: d[4],
        upper: d[5])
      return concatenate([s.x, s.equalityMultipliers, s.inequalityMultipliers])
    }
    let conditions = { (z: Tensor, d: [Tensor]) throws -> Tensor in
      let parts = z.split(sizes: [n, p, m])
      let (x, nu, lambda) = (parts[0], parts[1], parts[2])
      return concatenate([
        matmul(quadratic(d), x) + d[1] + matmul(d[2].transposed, nu) + matmul(d[4].transposed, lambda),
        matmul(d[2], x) - d[3], lambda * (matmul(d[4], x) - d[5]),
      ])
    }
    let layer = { (d: [Tensor]) throws -> Tensor in
      try implicitRoot(conditions, guess: Tensor.zeros([n + p + m]), parameters: d) { _, d in
        let s = try quadraticProgram(
          quadratic: matmul(d[0], d[0].transposed) + Tensor.identity(n), linear: d[1], equalities: d[2],
          equalityValues: d[3], inequalities: d[4], upper: d[5])
        return concatenate([s.x, s.equalityMultipliers, s.inequalityMultipliers])
      }
    }
    let z = try own(data)
    // Some rows are active, some are not.
    let active = z.values.suffix(m).filter { $0 > 1e-3 }.count
    #expect(active > 0 && active < m)
    #expect(distance(try layer(data), z) < 1e-9)
    let weight = Tensor(random.uniform(-1, 1, count: n + p + m))
    let general = try grad { (d: [Tensor]) in dot(weight, try layer(d)) }(data)
    let special = try grad { (d: [Tensor]) in dot(weight, try own(d)) }(data)
    for (a, b) in zip(general, special) {
      #expect(distance(a, b) < 1e-8 * max(1, abs(b).max().scalar))
      #expect(abs(b).max().scalar > 1e-2)
    }
  }

  /// Value iteration V = maxₐ (R + γ P V): the derivative by rewards is (I − γ P_π)⁻¹ for the best policy π.
  @Test(arguments: [FixedPointMethod.picard(), .anderson()])
  func valueIteration(method: FixedPointMethod) throws {
    let (states, actions, discount) = (5, 3, 0.9)
    var random = SeededRandom(seed: 11)
    let rewards = Tensor(random.uniform(0, 1, count: states * actions), shape: [states, actions])
    var transitions = Tensor(
      random.uniform(0, 1, count: states * actions * states), shape: [states, actions, states])
    transitions = transitions / transitions.sum(axis: 2, keepingAxes: true)
    let p = transitions
    let value = { (r: Tensor) in
      try fixedPoint(
        { v in (r + discount * (p * v).sum(axis: 2)).max(axis: 1) }, guess: Tensor.zeros([states]),
        options: .init(method: method, tolerance: 1e-12))
    }
    let v = try value(rewards)
    let choice = (rewards + discount * (p * v).sum(axis: 2)).argumentMaximum(axis: 1).values.map { Int($0) }
    let policy = stack((0..<states).map { p[$0, choice[$0]] })
    let inverse = try jacobian { (b: Tensor) in
      LinearSolvers.solve(.dense(Tensor.identity(states) - discount * policy), b)
    }(Tensor.zeros([states]))
    let derivative = try jacobian(value)(rewards)
    for s in 0..<states {
      for a in 0..<actions {
        let expected = a == choice[s] ? inverse[.all, s] : Tensor.zeros([states])
        #expect(distance(derivative[.all, s, a], expected) < 1e-10)
      }
    }
    // The sum of a row is 1/(1 − γ).
    #expect(distance(derivative.sum(axes: [1, 2]), Tensor(repeating: 10, shape: [states])) < 1e-9)
  }

  private func relative(_ a: Double, _ b: Double) -> Double { abs(a - b) / abs(b) }
}
