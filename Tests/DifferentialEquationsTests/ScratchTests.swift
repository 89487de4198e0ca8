import Autodiff
import DifferentialEquations
import Testing

@Suite struct ScratchTests {
  @Test func oscillator() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, k: Tensor) in stack([y[1], -k * y[0]]) }
    let o = SolverOptions(relativeTolerance: 1e-10, absoluteTolerance: 1e-12)
    for method in GradientMethod.allCases {
      let f = { (x: [Tensor]) in
        try equation.solve(
          from: x[0], parameters: x[1], startTime: x[2], times: x[3], options: o, gradient: method
        )
      }
      let x: [Tensor] = [[1.0, 0.5], 4.0, 0.25, [1.0, 1.5, 2.0]]
      let v = try f(x)
      let g = try grad { (x: [Tensor]) in try (f(x) * Tensor([1, 2, 3, 4, 5, 6.0], shape: [3, 2])).sum() }(x)
      print(method, v.values, g.map(\.values))
      let j = try jvp(f, at: x, along: [[0.3, 0.2], 1.0, 0.5, [0.1, 0.2, 0.3]])
      print((j.tangent * Tensor([1, 2, 3, 4, 5, 6.0], shape: [3, 2])).sum().scalar,
        g[0].values[0] * 0.3 + g[0].values[1] * 0.2 + g[1].scalar + 0.5 * g[2].scalar + 0.1 * g[3].values[0] + 0.2 * g[3].values[1] + 0.3 * g[3].values[2])
    }
    let e = 1e-5
    func F(_ x: [Tensor]) throws -> Double {
      try (equation.solve(
          from: x[0], parameters: x[1], startTime: x[2], times: x[3], options: o) * Tensor([1, 2, 3, 4, 5, 6.0], shape: [3, 2])).sum().scalar
    }
    print((try F([[1.0, 0.5], 4.0 + Tensor(e), 0.25, [1.0, 1.5, 2.0]]) - F([[1.0, 0.5], 4.0 - Tensor(e), 0.25, [1.0, 1.5, 2.0]])) / 2 / e)
    print((try F([[1.0, 0.5], 4.0, 0.25 + Tensor(e), [1.0, 1.5, 2.0]]) - F([[1.0, 0.5], 4.0, 0.25 - Tensor(e), [1.0, 1.5, 2.0]])) / 2 / e)
    print((try F([[1.0, 0.5], 4.0, 0.25, [1.0, Tensor(1.5 + e), 2.0]]) - F([[1.0, 0.5], 4.0, 0.25, [1.0, Tensor(1.5 - e), 2.0]])) / 2 / e)
    let h = try hessian { (x: Tensor) in
      try equation.solve(from: x[0..<2], parameters: x[2], startTime: x[3], times: x[4..<6], options: o)[1, 0]
    }([1.0, 0.5, 4.0, 0.25, 1.0, 2.0])
    print(h)
    let h2 = try jacobian(grad { (x: Tensor) in
      try equation.solve(from: x[0..<2], parameters: x[2], startTime: x[3], times: x[4..<6], options: o)[1, 0]
    }, mode: .reverse)([1.0, 0.5, 4.0, 0.25, 1.0, 2.0])
    print(h2)
    let b = try vmap { (k: Tensor) in
      try grad { (k: Tensor) in
      try equation.solve(from: [1.0, 0.5], parameters: k, times: [1.0], options: o)[0, 0] }(k) }(Tensor((0..<20).map { 3 + 0.1 * Double($0) }))
    print(b.values, try grad { (k: Tensor) in
      try equation.solve(from: [1.0, 0.5], parameters: k, times: [1.0], options: o)[0, 0] }(4.0).scalar)
  }
  @Test func tracedTimings() throws {
    let lorenz = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])
    }
    let o = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    let f = jit { (x: [Tensor]) in [try lorenz.solve(from: x[0], parameters: x[1], times: [2.0], options: o)] }
    let g = jit { (x: [Tensor]) in
      try grad { (x: [Tensor]) in
      try lorenz.solve(from: x[0], parameters: x[1], times: [2.0], options: o)[0, 0] }(x) }
    let x: [Tensor] = [[1.0, 1.0, 1.0], [10.0, 28.0, Tensor(8.0 / 3)]]
    let clock = ContinuousClock()
    var best = Duration.seconds(10)
    var bestBoth = Duration.seconds(10)
    for _ in 0..<100 {
      let start = clock.now
      _ = try f(x)
      best = min(best, clock.now - start)
      let again = clock.now
      _ = try g(x)
      bestBoth = min(bestBoth, clock.now - again)
    }
    print("traced", best, bestBoth, try g(x).map(\.values))
    let rows = 1024
    let initial = Tensor((0..<rows).flatMap { (row: Int) -> [Double] in [1 + 0.001 * Double(row), 1, 1] }, shape: [rows, 3])
    let gb = jit { (x: [Tensor]) in try vmap({ (x: [Tensor]) in
      try grad { (x: [Tensor]) in
      try lorenz.solve(from: x[0], parameters: x[1], times: [2.0], options: o)[0, 0] }(x) }, inputAxes: [0, nil])(x) }
    var bb = Duration.seconds(10)
    for _ in 0..<5 {
      let start = clock.now
      _ = try gb([initial, x[1]])
      bb = min(bb, clock.now - start)
    }
    print("traced batch", bb / rows)
  }
}
