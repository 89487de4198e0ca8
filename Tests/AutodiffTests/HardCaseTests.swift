import Autodiff
import Testing

/// Places where a derivative rule written down naively gives NaN.
@Suite struct HardCaseTests {
  @Test func normAtZero() throws {
    #expect(try grad { (x: Tensor) in norm(x) }(Tensor.zeros([3])).values == [0, 0, 0])
    #expect(
      try hvp({ (x: Tensor) in norm(x) }, at: Tensor.zeros([3]), along: Tensor.ones([3])).values == [0, 0, 0])
    #expect(abs(norm(Tensor([3e200, 4e200])).scalar / 5e200 - 1) < 1e-15)
    #expect(abs(norm(Tensor([3e-200, 4e-200])).scalar / 5e-200 - 1) < 1e-15)
    let g = try grad { (x: Tensor) in norm(x) }(Tensor([3e-200, 4e-200]))
    #expect(abs(g[0].scalar - 0.6) < 1e-15 && abs(g[1].scalar - 0.8) < 1e-15)
  }
  @Test func squareRootAtZero() throws {
    // The derivative is infinite, and says so.
    #expect(try grad { (x: Tensor) in sqrt(x) }(0.0).scalar == .infinity)
    #expect(try jvp({ (x: Tensor) in sqrt(x) }, at: 0.0, along: 1.0).tangent.scalar == .infinity)
  }
  @Test(arguments: [0.0, -1.0]) func branchThatIsNotTaken(_ x: Double) throws {
    let point = Tensor([x, 2.0])
    let functions: [(Tensor) -> Tensor] = [
      { select($0 .> 0.0, log($0), $0 * 3.0).sum() },
      { select($0 .> 0.0, sqrt($0), $0 * 3.0).sum() },
      { select($0 .> 0.0, $0 * log($0) / sqrt($0), $0 * 3.0).sum() },
      { select($0 .> 0.0, pow($0, -0.5) * 2.0, $0 * 3.0).sum() },
      { x in
        // The infinite value is used twice, and lies behind a reshape and a sum.
        let y = 1.0 / x
        return select(x .> 0.0, (y * y + y).reshaped([2, 1]).sum(axis: 1), x * 3.0).sum()
      },
    ]
    for f in functions {
      let g = try grad(f)(point)
      #expect(g[0].scalar == 3, "\(g)")
      #expect(g[1].scalar.isFinite)
      let second = try hvp(f, at: point, along: Tensor([1.0, 1.0]))
      #expect(second[0].scalar == 0, "\(second)")
      #expect(second[1].scalar.isFinite)
      #expect(try jvp(f, at: point, along: Tensor([1.0, 0.0])).tangent.scalar == 3)
    }
  }
  @Test func logSumExpWithInfinity() throws {
    let f = { (x: Tensor) in logSumExp(x) }
    let g = try grad(f)(Tensor([0.0, -.infinity, 0.0]))
    #expect(g.values == [0.5, 0, 0.5])
    let empty = Tensor([-Double.infinity, -.infinity])
    #expect(f(empty).scalar == -.infinity)
    #expect(try grad(f)(empty).values == [0, 0])
    #expect(f(Tensor([1000.0, 1000.0])).scalar == 1000 + log(Tensor(2.0)).scalar)
  }
  @Test func sincAtZero() throws {
    #expect(sinc(Tensor(0.0)).scalar == 1)
    #expect(try grad { (x: Tensor) in sinc(x) }(0.0).scalar == 0)
    #expect(abs(try grad(grad { (x: Tensor) in sinc(x) })(0.0).scalar + 1.0 / 3) < 1e-15)
  }
  @Test func powerAtZero() throws {
    #expect(try grad { (x: Tensor) in pow(x, 2.0) }(0.0).scalar == 0)
    let (value, g) = try valueAndGrad { (x: Tensor, y: Tensor) in pow(x, y) }(0.0, 2.0)
    #expect(value.scalar == 0 && g.0.scalar == 0 && g.1.scalar == 0)
    #expect(try grad { (x: Tensor) in pow(x, Tensor(0.0)) }(0.0).scalar == 0)
  }
  @Test func productWithZeros() throws {
    #expect(try grad { (x: Tensor) in x.product() }([2.0, 0.0, 3.0]).values == [0, 6, 0])
    #expect(try grad { (x: Tensor) in x.cumulativeProduct().sum() }([0.0, 2.0, 3.0]).values == [9, 0, 0])
  }
  @Test func extremaShareTheirDerivative() throws {
    #expect(try grad { (x: Tensor) in x.max() }([1.0, 3.0, 3.0]).values == [0, 0.5, 0.5])
    #expect(try grad { (x: Tensor) in maximum(x, 1.0).sum() }([1.0, 3.0]).values == [0.5, 1])
    #expect(Tensor([1.0, .nan]).max().scalar.isNaN && maximum(Tensor(.nan), 1.0).scalar.isNaN)
  }
  @Test func arcTangent2AtTheAxes() throws {
    let f = { (p: Tensor) in atan2(p[1], p[0]) }
    #expect(try grad(f)([1.0, 0.0]).values == [0, 1])
    #expect(try grad(f)([-1.0, 0.0]).values == [0, -1])
    #expect(try grad(f)([0.0, 2.0]).values == [-0.5, 0])
  }
}
