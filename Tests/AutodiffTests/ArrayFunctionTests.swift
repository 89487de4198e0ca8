import Autodiff
import Foundation
import TestSupport
import Testing

/// Functions made of others: rearranging, statistics, searching. Expected numbers are NumPy's.
@Suite struct ArrayFunctionTests {
  private let m = Tensor.range(to: 6).reshaped([2, 3])

  @Test func rearranging() {
    #expect(m.rolled(by: 1, axis: 1).values == [2, 0, 1, 5, 3, 4])
    #expect(
      m.rolled(by: -4, axis: 1).values == [1, 2, 0, 4, 5, 3] && m.rolled(by: 3, axis: -1).values == m.values)
    #expect(Tensor.zeros([0]).rolled(by: 2, axis: 0).shape == [0])
    #expect(m.tiled([2]).values == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5] && m.tiled([2]).shape == [2, 6])
    #expect(m.tiled([2, 1, 1]).shape == [2, 2, 3] && m.tiled([0, 1]).shape == [0, 3])
    #expect(Tensor(2.0).tiled([3]).values == [2, 2, 2])
    #expect(m.repeated(2, axis: 0).values == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5])
    #expect(m.repeated(2, axis: 1).values == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    #expect(m.repeated(0, axis: 1).shape == [2, 0])
    #expect(m.swappingAxes(0, -1).values == m.transposed.values)
    #expect(Tensor.identity(3).trace.scalar == 3 && stack([m, m]).trace.values == [4, 4])
    let grid = meshGrid([[1, 2], [3, 4, 5]])
    #expect(
      grid[0].values == [1, 1, 1, 2, 2, 2] && grid[1].values == [3, 4, 5, 3, 4, 5] && grid[1].shape == [2, 3])
    let product = kroneckerProduct([[1, 2]], [[0, 1], [1, 0]])
    #expect(product.values == [0, 1, 0, 2, 1, 0, 2, 0] && product.shape == [2, 4])
  }
  @Test func elementary() throws {
    #expect(abs(log2(8.0).scalar - 3) < 1e-14 && abs(log10(1000.0).scalar - 3) < 1e-14)
    #expect(exp2(10.0).scalar == 1024)
    #expect(abs(cbrt([-27, 8]) - Tensor([-3.0, 2])).max().scalar < 1e-15)
    #expect(hypot(3.0, 4.0).scalar == 5 && hypot([1e200, 0], [1e200, 0])[0].scalar > 1.4e200)
    #expect(try grad { (x: Tensor) in hypot(x[0], x[1]) }([0, 0]).values == [0, 0])
    #expect(floorDivide([7, -7], 2.0).values == [3, -4])
    let integers = floorDivide(Tensor([Int32(7), -7]), Tensor(scalar: Int32(2)))
    #expect(integers.values == [3, -4] && integers.elementType == .int32)
    #expect(throws: TensorError.self) {
      try withTensorErrors { floorDivide(Tensor(scalar: Int32(1)), Tensor(scalar: Int32(0))) }
    }
    #expect(polynomial([2, 0, -1], at: [1, 3]).values == [1, 17] && polynomial([], at: 2.0).scalar == 0)
    #expect(polynomial([3], at: Tensor([Double.infinity, 1])).values == [3, 3])
  }
  @Test func statistics() throws {
    let x: Tensor = [[3, 1, 2], [10, 30, 20]]
    #expect(x.median().values == [2, 20] && x.median(axis: 0).values == [6.5, 15.5, 11])
    #expect(Tensor([4.0, 1, 3, 2]).median().scalar == 2.5)
    #expect(
      x.quantile(0.25).values == [1.5, 15] && x.quantile(1).values == [3, 30]
        && x.quantile(0).values == [1, 10])
    #expect(Tensor([1, .nan, 2]).median().scalar.isNaN)
    #expect(Tensor([1.0, 3]).standardDeviation().scalar == 1)
    #expect(try grad { (x: Tensor) in x.standardDeviation() }([2, 2]).values == [0, 0])
    #expect(try grad { (x: Tensor) in x.median() }([4, 1, 3, 2]).values == [0, 0, 0.5, 0.5])
    let close = isClose(
      [1, 1, .init(Double.infinity), .init(Double.nan)], [1.000001, 1.1, .init(Double.infinity), 1])
    #expect(close.values == [1, 0, 1, 0])
    #expect(
      try Bool(allClose(x, x + 1e-9)) && !Bool(allClose(x, x + 1)) && Bool(allClose(Tensor.zeros([0]), 0.0)))
    #expect(isClose(Tensor([Double.infinity]), Tensor([-Double.infinity])).values == [0])
  }
  @Test func searching() throws {
    let points: Tensor = [1, 2, 2, 4]
    #expect(searchSorted(points, [0, 2, 3, 9]).values == [0, 1, 3, 4])
    #expect(searchSorted(points, [0, 2, 3, 9], right: true).values == [0, 3, 3, 4])
    let (xs, ys) = (Tensor([0.0, 1, 3]), Tensor([5.0, 7, -1]))
    #expect(
      interpolate([-1, 0, 0.5, 1, 2, 3, 8], abscissas: xs, ordinates: ys).values == [5, 5, 6, 7, 3, -1, -1])
    #expect(interpolate([2, 3], abscissas: [1], ordinates: [4]).values == [4, 4])
    let laws = try GradientLaws(tolerance: 1e-8, step: 1e-3).violations(
      of: { interpolate($0[0], abscissas: $0[1], ordinates: $0[2]) }, at: [[0.4, 2.2, -1, 5], xs, ys])
    #expect(laws.isEmpty, "\(laws)")
  }
  /// First and second order, batches and compiled forms.
  static let cases: [DerivativeCase] = [
    DerivativeCase("rolled, tiled, repeated", [[2, 3]]) { x in
      sin(x[0]).rolled(by: 2, axis: 1).tiled([2, 1]).repeated(2, axis: 1) * exp(x[0]).tiled([2, 2])
    },
    DerivativeCase("kronecker, trace", [[2, 2], [3, 2]]) { x in
      kroneckerProduct(x[0], square(x[1])) * matmul(x[0], x[0]).trace
    },
    DerivativeCase("statistics", [[3, 4]]) { x in
      x[0].standardDeviation(axes: [1]) * x[0].quantile(0.3) + x[0].median()
    },
    DerivativeCase("elementary", [[4]], in: 0.5...2) { x in
      log2(x[0]) * log10(x[0]) + exp2(x[0]) * cbrt(x[0]) + hypot(x[0], square(x[0]))
        + polynomial([1, -2, 0.5], at: x[0])
    },
  ]
  @Test(arguments: cases) func derivatives(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test func mistakes() {
    func reason(_ body: () -> Tensor) -> TensorError.Reason? {
      do { _ = try withTensorErrors(body) } catch { return (error as? TensorError)?.reason }
      return nil
    }
    #expect(reason { m.rolled(by: 1, axis: 2) } == .range && reason { m.repeated(-1, axis: 0) } == .argument)
    #expect(reason { m.tiled([-1]) } == .argument && reason { m.quantile(1.5) } == .argument)
    #expect(reason { Tensor.zeros([0]).median() } == .argument && reason { meshGrid([m])[0] } == .shape)
    #expect(reason { kroneckerProduct(m, [1, 2]) } == .shape && reason { searchSorted(m, 1.0) } == .shape)
    #expect(reason { interpolate(1.0, abscissas: [1, 2], ordinates: [1]) } == .shape)
    #expect(reason { m.swappingAxes(0, 5) } == .range && reason { hypot(m, [1, 2]) } == .shape)
  }
}
