import Autodiff
import TestSupport
import Testing

@Suite struct NestingTests {
  /// d/dx [x · d/dy (x + y)] = 1: the derivative with respect to y must not see that x is being differentiated.
  @Test func perturbationsAreNotConfused() throws {
    let outer = grad { (x: Tensor) throws in
      let inner = grad { (y: Tensor) in x + y }
      return x * (try inner(1.0))
    }
    #expect(try outer(3.0).scalar == 1)
    let forward = try jvp(
      { (x: Tensor) throws in x * (try jvp({ (y: Tensor) in x + y }, at: 1.0, along: 1.0).tangent) }, at: 3.0,
      along: 1.0)
    #expect(forward.tangent.scalar == 1)
    let mixed = grad { (x: Tensor) throws in
      x * (try jvp({ (y: Tensor) in x * y * y }, at: x, along: 1.0).tangent)
    }
    // x · 2x·x = 2x³.
    #expect(abs(try mixed(2.0).scalar - 24) < 1e-13)
  }

  @Test func gradOfVmapOfGrad() throws {
    let f = { (x: Tensor) in sin(x) * x }
    let g = grad { (x: Tensor) throws in try vmap(grad(f))(x).sum() }
    let x: Tensor = [0.3, -1.2, 2.5]
    let expected = 2.0 * cos(x) - x * sin(x)
    #expect(abs(try g(x) - expected).max().scalar < 1e-14)
    let compiled = try jit(g)(x)
    #expect(abs(compiled - expected).max().scalar < 1e-14)
  }

  @Test func higherOrders() throws {
    var f: (Tensor) throws -> Tensor = { exp(2.0 * $0) }
    for order in 1...6 {
      f = grad(f)
      #expect(
        abs(try f(0.25).scalar / (pow(2.0, Tensor(Double(order))).scalar * exp(Tensor(0.5)).scalar) - 1)
          < 1e-13)
    }
  }

  @Test func capturedValuesOfEveryLevel() throws {
    let a: Tensor = 3.0
    let result = try grad { (x: Tensor) throws in
      try vmap { (row: Tensor) throws in
        try grad { (y: Tensor) in (y * y * x * row * a).sum() }(row).sum()
      }([[1, 2], [3, 4]]).sum()
    }(2.0)
    // Σ d/dx 2 row² x a = 2 · 30 · 3.
    #expect(abs(result.scalar - 180) < 1e-12)
  }

  @Test func jacobianModesAgree() throws {
    let f = { (x: Tensor) in sin(x[0..<2]) * x[1..<3] * x.sum() }
    let x: Tensor = [0.3, 0.7, -0.4]
    let forward = try jacobian(f, mode: .forward)(x)
    let reverse = try jacobian(f, mode: .reverse)(x)
    #expect(forward.shape == [2, 3])
    #expect(abs(forward - reverse).max().scalar < 1e-15)
    let h = try hessian { (x: Tensor) in f(x).sum() }(x)
    #expect(abs(h - h.transposed).max().scalar < 1e-15)
    let v: Tensor = [1, -2, 0.5]
    let product = try hvp({ (x: Tensor) in f(x).sum() }, at: x, along: v)
    #expect(abs(product - (h * v).sum(axis: 1)).max().scalar < 1e-15)
  }

  @Test func linearizeMatchesJVP() throws {
    let f = { (x: Tensor) in exp(x) * x[0] }
    let x: Tensor = [0.3, 0.7]
    let (value, push) = try linearize(f, at: x)
    #expect(value.values == f(x).values)
    let t: Tensor = [1, 2]
    #expect(abs(try push(t) - jvp(f, at: x, along: t).tangent).max().scalar < 1e-15)
  }
}
