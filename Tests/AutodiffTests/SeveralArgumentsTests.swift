import Autodiff
import TestSupport
import Testing

/// Functions of two to four arguments, and derivatives with respect to some of them.
@Suite struct SeveralArgumentsTests {
  private struct Parameters: TensorTree {
    var scale: Tensor
    var shift: Tensor
  }
  private let a: Tensor = [0.5, -1]
  private let b: Tensor = [2, 0.25]
  private let c = Tensor(0.75)
  private let p = Parameters(scale: 1.5, shift: [0.1, 0.2])
  private func value(_ a: Tensor, _ b: Tensor, _ c: Tensor, _ p: Parameters) -> Tensor {
    (sin(a) * b * c * p.scale + p.shift * a * a).sum()
  }
  private func distance(_ a: Tensor, _ b: Tensor) -> Double { abs(a - b).max().scalar }

  @Test func fourArguments() throws {
    let (value, gradient) = try valueAndGrad(value)(a, b, c, p)
    let expected = cos(a) * b * c * p.scale + 2.0 * p.shift * a
    #expect(distance(gradient.0, expected) < 1e-15 && distance(gradient.3.shift, a * a) < 1e-15)
    let compiled = try jit(valueAndGrad(self.value))(a, b, c, p)
    #expect(distance(compiled.value, value) < 1e-15 && distance(compiled.gradient.0, expected) < 1e-15)
    let slopes = try jit(grad(self.value))(a, b, c, p)
    #expect(distance(slopes.1, sin(a) * c * p.scale) < 1e-15 && slopes.3.scale.shape == [])
    // A batch of a, with everything else shared.
    let batch = try vmap(self.value, inputAxes: (0, nil, nil, nil))(stack([a, b]), b, c, p)
    #expect(distance(batch[0], value) < 1e-15 && batch.shape == [2])
    #expect(distance(try jit(self.value)(a, b, c, p), value) < 1e-15)
    let three = try jit(grad { (x: Tensor, y: Tensor, z: Tensor) in (x * y * z).sum() })(a, b, c)
    #expect(distance(three.2, (a * b).sum()) < 1e-15)
  }

  /// Two tensors as the result may be two gradients, or a value and a gradient with their labels.
  @Test func twoTensors() throws {
    let f = { (x: Tensor, y: Tensor) in (x * x * y).sum() }
    let (x, y) = try jit(grad(f))(a, b)
    #expect(distance(x, 2.0 * a * b) < 1e-15 && distance(y, a * a) < 1e-15)
    let inline = try jit(grad { (x: Tensor, y: Tensor) in (x * x * y).sum() })(a, b)
    #expect(distance(inline.1, a * a) < 1e-15)
    let both = try jit(valueAndGrad(f, argumentNumbers: [0]))(a, b)
    #expect(distance(both.value, f(a, b)) < 1e-15 && distance(both.gradient[0], 2.0 * a * b) < 1e-15)
  }

  /// Along a direction, backwards, and second order, for each number of arguments.
  @Test func atAPoint() throws {
    let two = { (x: Tensor, y: Tensor) in sin(x) * y * y }
    let three = { (x: Tensor, y: Tensor, z: Tensor) in two(x, y) * exp(z) }
    let four = { (x: Tensor, y: Tensor, z: Tensor, w: Tensor) in three(x, y, z) + w * x }
    func check(
      _ point: [Tensor], _ f: ([Tensor]) -> Tensor, _ tangent: Tensor, _ cotangents: [Tensor],
      _ curved: [Tensor]
    )
      throws
    {
      let direction = point.map { $0 * 0.5 + 1.0 }
      #expect(distance(tangent, try jvp(f, at: point, along: direction).tangent) < 1e-15)
      let expected = try vjp(f, at: point).pullback(Tensor.ones([2]))
      let products = try withoutActuallyEscaping(f) { f in
        try hvp({ f($0).sum() }, at: point, along: direction)
      }
      for k in point.indices {
        #expect(distance(cotangents[k], expected[k]) < 1e-15 && distance(curved[k], products[k]) < 1e-14)
      }
    }
    let (da, db, dc) = (a * 0.5 + 1.0, b * 0.5 + 1.0, c * 0.5 + 1.0)
    let ones = Tensor.ones([2])
    let v2 = try vjp(two, at: (a, b)).pullback(ones)
    let h2 = try hvp({ (x: Tensor, y: Tensor) in two(x, y).sum() }, at: (a, b), along: (da, db))
    try check(
      [a, b], { two($0[0], $0[1]) }, try jvp(two, at: (a, b), along: (da, db)).tangent, [v2.0, v2.1],
      [h2.0, h2.1])
    let v3 = try vjp(three, at: (a, b, c)).pullback(ones)
    let h3 = try hvp(
      { (x: Tensor, y: Tensor, z: Tensor) in three(x, y, z).sum() }, at: (a, b, c), along: (da, db, dc))
    try check(
      [a, b, c], { three($0[0], $0[1], $0[2]) }, try jvp(three, at: (a, b, c), along: (da, db, dc)).tangent,
      [v3.0, v3.1, v3.2], [h3.0, h3.1, h3.2])
    let v4 = try vjp(four, at: (a, b, c, b)).pullback(ones)
    let h4 = try hvp(
      { (x: Tensor, y: Tensor, z: Tensor, w: Tensor) in four(x, y, z, w).sum() }, at: (a, b, c, b),
      along: (da, db, dc, db))
    try check(
      [a, b, c, b], { four($0[0], $0[1], $0[2], $0[3]) },
      try jvp(four, at: (a, b, c, b), along: (da, db, dc, db)).tangent, [v4.0, v4.1, v4.2, v4.3],
      [h4.0, h4.1, h4.2, h4.3])
  }

  @Test func chosenArguments() throws {
    let f = { (x: Tensor, y: Tensor, z: Tensor) in (sin(x) * y * y * z).sum() }
    let all = try grad(f)(a, b, c)
    let some = try grad(f, argumentNumbers: [2, 0])(a, b, c)
    #expect(some.count == 2 && distance(some[0], all.2) < 1e-15 && distance(some[1], all.0) < 1e-15)
    let last = try jit(valueAndGrad(f, argumentNumbers: [-1]))(a, b, c)
    #expect(distance(last.gradient[0], all.2) < 1e-15 && distance(last.value, f(a, b, c)) < 1e-15)
    // Trees of one type, and an integer that is held.
    let trees = try grad(
      { (x: Parameters, y: Parameters) in (x.shift * y.shift).sum() }, argumentNumbers: [1])(p, p)
    #expect(trees[0].shift.values == p.shift.values)
    let power = { (x: Tensor, n: Tensor) in pow(x, n.converted(to: .float64)).sum() }
    #expect(try grad(power, argumentNumbers: [0])(a, Tensor(scalar: Int32(2)))[0].values == [1, -2])
    #expect(throws: TensorError.self) { try grad(power, argumentNumbers: [1])(a, Tensor(scalar: Int32(2))) }
    let four = try grad(
      { (x: Tensor, y: Tensor, z: Tensor, w: Tensor) in (x * y * z * w).sum() }, argumentNumbers: [3])(
        a, b, c, c)
    #expect(distance(four[0], (a * b * c).sum()) < 1e-15)
  }
  @Test func blocksOfJacobiansAndHessians() throws {
    let g = { (x: Tensor, y: Tensor) in sin(x) * y.sum() }
    let blocks = try jacobian(g)(a, b)
    #expect(distance(blocks[0], (cos(a) * b.sum()).asDiagonal) < 1e-15 && blocks[1].shape == [2, 2])
    #expect(try jacobian(g, argumentNumbers: [1], mode: .reverse)(a, b)[0].values == blocks[1].values)
    let f = { (x: Tensor, y: Tensor, z: Tensor) in (sin(x) * y * y).sum() * z }
    let h = try hessian(f)(a, b, c)
    #expect(h.count == 3 && h[0][2].shape == [2] && h[2][2].values == [0])
    #expect(distance(h[0][1], (cos(a) * 2.0 * b * c).asDiagonal) < 1e-15)
    #expect(distance(h[1][0], h[0][1].transposed) < 1e-15)
    // The same as of one argument.
    let whole = try hessian { (x: Tensor) in f(x[0..<2], x[2..<4], x[4]) }(
      concatenate([a, b, c.reshaped([1])]))
    #expect(distance(whole[0..<2, 2..<4], h[0][1]) < 1e-15 && distance(whole[4, 0..<2], h[2][0]) < 1e-15)
    let picked = try jit { (x: [Tensor]) in try hessian(f, argumentNumbers: [1])(x[0], x[1], x[2]) }([
      a, b, c,
    ])
    #expect(picked.count == 1 && distance(picked[0][0], h[1][1]) < 1e-15)
  }
  @Test(arguments: [[], [2], [-3], [0, 0], [1, -1]]) func badNumbers(_ numbers: [Int]) {
    let f = { (x: Tensor, y: Tensor) in (x * y).sum() }
    func reason(_ body: () throws -> Void) -> TensorError.Reason? {
      do { try body() } catch { return (error as? TensorError)?.reason }
      return nil
    }
    #expect(reason { _ = try grad(f, argumentNumbers: numbers)(a, b) } == .argument)
    #expect(reason { _ = try jacobian(f, argumentNumbers: numbers)(a, b) } == .argument)
    #expect(reason { _ = try hessian(f, argumentNumbers: numbers)(a, b) } == .argument)
  }
}
