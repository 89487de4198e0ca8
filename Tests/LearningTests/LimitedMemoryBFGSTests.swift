import Autodiff
import Foundation
import Learning
import Testing

@Suite struct LimitedMemoryBFGSTests {
  /// Rosenbrock's function in `n` dimensions; its minimum is 0 at ones.
  private func rosenbrock(_ x: [Double]) -> (value: Double, gradient: [Double]) {
    var value = 0.0
    var gradient = [Double](repeating: 0, count: x.count)
    for i in 0..<x.count - 1 {
      let a = x[i + 1] - x[i] * x[i]
      let b = 1 - x[i]
      value += 100 * a * a + b * b
      gradient[i] += -400 * a * x[i] - 2 * b
      gradient[i + 1] += 200 * a
    }
    return (value, gradient)
  }

  @Test(arguments: [2, 10]) func findsTheMinimum(dimension: Int) throws {
    var optimizer = LimitedMemoryBFGS()
    optimizer.maximumIterations = 500
    var values: [Double] = []
    let start = (0..<dimension).map { $0.isMultiple(of: 2) ? -1.2 : 1 }
    let result = try optimizer.minimize(from: start, evaluate: rosenbrock) { values.append($1) }
    #expect(result.converged)
    #expect(result.point.allSatisfy { abs($0 - 1) < 1e-5 })
    #expect(zip(values, values.dropFirst()).allSatisfy { $1 <= $0 })
  }

  @Test func stepsBackFromInfinity() throws {
    // -log x + x, which does not exist left of 0; minimum 1 at 1.
    let result = try LimitedMemoryBFGS(firstStepLength: 100).minimize(from: [5.0]) { (x: [Double]) in
      guard x[0] > 0 else { return (.infinity, [.nan]) }
      let y = log(x[0])
      return (x[0] - y, [1 - 1 / x[0]])
    }
    #expect(result.converged)
    #expect(abs(result.point[0] - 1) < 1e-5)
  }

  @Test func minimizesOverTrees() throws {
    struct Line: TensorTree {
      var slope: Tensor
      var offset: [Tensor]
    }
    let x = Tensor.linearSpace(from: -1, to: 1, count: 9)
    let loss = { (line: Line) in square(line.slope * x + line.offset[0] - (x * 3.0 - 0.5)).sum() }
    let result = try LimitedMemoryBFGS().minimize(
      from: Line(slope: 0.0, offset: [1.0]), jit(valueAndGrad(loss)))
    #expect(result.converged)
    #expect(abs(result.point.slope.scalar - 3) < 1e-6 && abs(result.point.offset[0].scalar + 0.5) < 1e-6)
  }

  @Test func beginsNowhere() throws {
    #expect(throws: TensorError.self) {
      try LimitedMemoryBFGS().minimize(from: [1.0]) { (_: [Double]) in (.nan, [0]) }
    }
    let stopped = try LimitedMemoryBFGS(maximumIterations: 0).minimize(from: [1.0]) { (x: [Double]) in
      (x[0] * x[0], [2 * x[0]])
    }
    #expect(stopped.iterations == 0 && !stopped.converged && stopped.point == [1])
  }
}
