import Autodiff
import TestSupport
import Testing

let controlFlowCases: [DerivativeCase] = [
  DerivativeCase("cond, taken", [[3], [3]]) { x in
    try cond(x[0].sum() .> -10.0, then: { sin(x[0]) * x[1] }, else: { x[0] })
  },
  DerivativeCase("cond, not taken", [[3], [3]]) { x in
    try cond(x[0].sum() .> 10.0, then: { x[0] * x[1] }, else: { exp(x[1] * x[0]) * x[0] })
  },
  DerivativeCase("cond, branches use different values", [[3], [3], [2]]) { x in
    let y = sin(x[0])
    let parts = try cond(
      x[2][0] .> 0.0, then: { [y * y, x[1]] }, else: { [x[1] * 2.0 * x[2][1], y.cumulativeSum() * x[2][0]] })
    return parts[0] * parts[1]
  },
  DerivativeCase("scan over rows", [[2], [5, 2], [2, 2]]) { x in
    let (last, all) = try scan(initial: x[0], over: x[1]) { state, row in
      let next = tanh(matmul(x[2], state) + row)
      return (next, next * row)
    }
    return concatenate([last, all.flattened])
  },
  DerivativeCase("scan in reverse", [[2], [4, 2]]) { x in
    let (last, all) = try scan(initial: x[0], over: x[1], reverse: true) { state, row in
      (state * row + sin(row), state * state)
    }
    return concatenate([last, all.flattened])
  },
  DerivativeCase("scan whose state becomes active late", [[3, 2]]) { x in
    let (last, all) = try scan(initial: [Tensor.zeros([2]), Tensor.ones([2])], over: x[0]) {
      (state: [Tensor], row: Tensor) in
      let next = [state[0] + row, state[1] * 1.5 + state[0] * state[0]]
      return (next, state[1] * 2.0)
    }
    return concatenate([last[0], last[1], all.flattened])
  },
  DerivativeCase("scan of constants only", [[2]]) { x in
    let weights = sin(x[0])
    return try scan(initial: Tensor.ones([2]), over: Tensor.range(to: 4)) { state, t in
      (state * weights + cos(weights) * t, [Tensor]())
    }.state
  },
  DerivativeCase("nested scans", [[2]], holdsDoubles: true) { x in
    try scan(initial: x[0], over: Tensor.range(to: 3)) { state, t in
      let inner = try scan(initial: state, over: Tensor.range(to: 2)) { y, s in
        (sin(y) * x[0] + state * s + t * y, y.sum())
      }
      return (inner.state, inner.rows)
    }.state
  },
  DerivativeCase("forLoop", [[2]], holdsDoubles: true) { x in
    try forLoop(4, initial: x[0]) { index, y in sin(y) * x[0] + index * 0.1 }
  },
  DerivativeCase("cond in scan", [[2], [6]]) { x in
    try scan(initial: x[0], over: x[1]) { y, row in
      (try cond(row .> 0.0, then: { sin(y) * x[0] * row }, else: { y + row * y * y * 0.1 }), [Tensor]())
    }.state
  },
  DerivativeCase("checkpoint", [[3], [3]]) { x in
    try checkpoint { (y: [Tensor]) in sin(y[0] * y[1]) * exp(y[0]) * x[1] }(x) * x[0]
  },
  DerivativeCase("checkpoint in scan", [[2], [5, 2]]) { x in
    let step = checkpoint { (y: [Tensor]) in tanh(sin(y[0]) * y[1] + y[1]) }
    return try scan(initial: x[0], over: x[1]) { y, row in (try step([y, row]), [Tensor]()) }.state
  },
  DerivativeCase("customJVP", [[3]]) { x in
    let f = customJVP({ (y: Tensor) in exp(y) }) { y, t in
      let value = exp(y)
      return (value, t * value)
    }
    return try f(x[0]) * x[0]
  },
  DerivativeCase("vmap with captured values", [[3, 2], [2]]) { x in
    try vmap { (row: Tensor) in sin(row) * x[1] + row.sum() * x[1][0] }(x[0])
  },
  DerivativeCase("vmap with a shared argument, along other axes", [[2, 3], [2]]) { x in
    try vmap({ (a: Tensor, w: Tensor) in tanh(a * w) * w.sum() }, inputAxes: (1, nil), outputAxis: 1)(
      x[0], x[1])
  },
  DerivativeCase("nested vmap", [[2, 3], [3]]) { x in
    try vmap { (row: Tensor) throws in
      try vmap { (y: Tensor, w: Tensor) in sin(y * w) + row.sum() * y }(row, x[1])
    }(x[0])
  },
  DerivativeCase("gradients in a batch", [[3, 2], [2]]) { x in
    try vmap(grad { (row: Tensor) in (exp(row * x[1]) * row).sum() })(x[0])
  },
  DerivativeCase("vmap of large elements", [[2, 30], [30, 30]]) { x in
    try vmap { (row: Tensor) in tanh(matmul(matmul(x[1], matmul(x[1], x[1])), row) * 0.01) }(x[0]).sum(axes: [
      1
    ])
  },
  DerivativeCase("scan in vmap", [[2, 3], [2]]) { x in
    try vmap { (row: Tensor) throws in
      try scan(initial: x[1], over: row) { y, u in (sin(y) * u + y * x[1], y.sum()) }.rows
    }(x[0])
  },
  DerivativeCase("vmap in scan", [[2], [3, 2]]) { x in
    try scan(initial: x[0], over: x[1]) { y, row in
      (try vmap { (a: Tensor, b: Tensor) in sin(a * b) + a * y.sum() * 0.1 }(y, row), [Tensor]())
    }.state
  },
  DerivativeCase("cond in vmap", [[4]]) { x in
    try vmap { (y: Tensor) throws in try cond(y .> 0.0, then: { sin(y) * x[0][0] }, else: { y * y * 3.0 }) }(
      x[0])
  },
  DerivativeCase("linear solve in vmap", [[2, 3, 3], [3]]) { x in
    try vmap { (a: Tensor) in solve(a + 4.0 * Tensor.identity(3), x[1] * x[1]) }(x[0])
  },
  DerivativeCase("customLinearSolve", [[3, 3], [3]], holdsDoubles: true) { x in
    let a = x[0] + 4.0 * Tensor.identity(3)
    return try customLinearSolve(
      { (v: Tensor) in matmul(a, v) }, x[1] * x[1],
      solve: { map, b in solve(stopGradient(a), b) },
      transposeSolve: { map, b in solve(stopGradient(a).transposed, b) })
  },
  DerivativeCase("customRoot", [[2]], in: 1...2) { x in
    // x0 y = e^-y by Newton's method with a fixed number of steps.
    try customRoot({ (y: Tensor) in x[0] * y - exp(-y) }, guess: Tensor.ones([2])) { residual, guess in
      var y = guess
      for _ in 0..<8 {
        y = y - (try residual(y)) / (try jvp(residual, at: y, along: Tensor.ones([2])).tangent)
      }
      return y
    }
  },
]

@Suite struct ControlFlowTests {
  @Test(arguments: controlFlowCases) func derivatives(_ example: DerivativeCase) throws {
    for seed in UInt64(1)...2 {
      let violations = try example.violations(seed: seed)
      #expect(violations.isEmpty, "\(violations)")
    }
  }

  @Test func customVJP() throws {
    let clipped = Autodiff.customVJP(
      { (x: Tensor) in x * x }, forward: { x in (x * x, x) }, backward: { x, c in clamp(c * 2.0 * x, -1, 1) })
    #expect(try grad { (x: Tensor) throws in try clipped(x).sum() }([0.25, 3.0]).values == [0.5, 1])
    #expect(try vmap(grad { (x: Tensor) throws in try clipped(x) })([0.25, 3.0]).values == [0.5, 1])
    let second = try grad { (x: Tensor) throws in
      try grad { (y: Tensor) throws in try clipped(y).sum() }(x).sum()
    }([0.25, 3.0])
    #expect(second.values == [2, 0])
    do {
      _ = try jvp(clipped, at: 1.0, along: 1.0)
      Issue.record("forward mode must be refused")
    } catch { #expect((error as? TensorError)?.reason == .unsupportedDerivative) }
  }

  @Test func whileLoopForwards() throws {
    let f = { (x: Tensor) throws in
      try whileLoop(
        initial: [x, Tensor(0.0)], condition: { $0[0] .< 100.0 }, body: { [$0[0] * $0[0], $0[1] + x] })
    }
    let (value, tangent) = try jvp(f, at: 2.0, along: 1.0)
    #expect(value.map(\.scalar) == [256, 6])
    #expect(tangent.map(\.scalar) == [8 * 128, 3])
    let batch = try vmap(f)([2.0, 3.0, 200.0])
    #expect(batch[0].values == [256, 6561, 200] && batch[1].values == [6, 9, 0])
    do {
      _ = try grad { (x: Tensor) throws in try f(x)[0] }(2.0)
      Issue.record("reverse mode must be refused")
    } catch {
      let failure = error as? TensorError
      #expect(failure?.reason == .unsupportedDerivative)
      #expect(failure?.message.contains("scan") == true && failure?.message.contains("implicit") == true)
    }
  }

  /// Only the branch that is chosen runs: the other one's infinite derivative has no influence.
  @Test func branchesAreNotComputedAhead() throws {
    let f = { (x: Tensor) throws in try cond(x .> 0.0, then: { sqrt(x) }, else: { 2.0 * x }) }
    #expect(try grad(f)(0.0).scalar == 2)
    #expect(try jit(grad(f))(4.0).scalar == 0.25)
    #expect(try vmap(grad(f))([0.0, 4.0]).values == [2, 0.25])
  }

  /// The weights that a scan's body captures are residuals once, not once per step.
  @Test func invariantsAreHoisted() throws {
    let weights = Tensor.identity(7) * 0.5
    let gradient = try program(
      of: { (w: Tensor) throws in
        try grad { (w: Tensor) throws in
          try scan(initial: Tensor.ones([7]), over: Tensor.range(to: 50)) { x, _ in
            (tanh(matmul(sin(w), x)), [Tensor]())
          }.state.sum()
        }(w)
      }, at: weights)
    #expect(!gradient.description.contains("[50, 7, 7]"))
    #expect(gradient.description.contains("[50, 7]"))
  }

  @Test func mistakesAreNamed() {
    func reason(_ body: () throws -> Void) -> TensorError? {
      do {
        try body()
        return nil
      } catch { return error as? TensorError }
    }
    let branches = reason {
      _ = try grad { (x: Tensor) throws in
        try cond(x .> 0.0, then: { x }, else: { x.reshaped([1]) }).sum()
      }(1.0)
    }
    #expect(branches?.operation == "cond" && branches?.message.contains("float64[1]") == true)
    let state = reason {
      _ = try scan(initial: Tensor.ones([2]), over: Tensor.range(to: 3)) { x, _ in (x.sum(), x) }
    }
    #expect(state?.operation == "scan" && state?.reason == .shape)
    let captured = reason {
      _ = try grad { (w: Tensor) throws in
        try Autodiff.customJVP({ (x: Tensor) in x * w }) { x, t in (x * w, t * w) }(1.0)
      }(2.0)
    }
    #expect(captured?.reason == .unsupportedDerivative && captured?.operation == "customJVP")
  }
}
