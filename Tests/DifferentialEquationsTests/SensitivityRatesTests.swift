import Autodiff
import Lanes
import TestSupport
import Testing

@testable import DifferentialEquations

/// Rates of derivatives along all directions at once, by matrices and by the equation of tangents.
@Suite struct SensitivityRatesTests {
  /// Stars in the plane, with masses that follow a number that nothing uses, and a force that depends on time.
  private static func stars(_ count: Int) -> ([Tensor]) throws -> [Tensor] {
    { a in
      let (x, y) = (a[1][0..<count], a[1][count..<2 * count])
      let u = x.reshaped([1, count]) - x.reshaped([count, 1])
      let v = y.reshaped([1, count]) - y.reshaped([count, 1])
      let square = u * u + v * v + 0.1
      let pull = a[2][1..<count + 1].reshaped([1, count]) / (square * sqrt(square))
      return [
        concatenate([
          a[1][2 * count..<4 * count], (pull * u).sum(axes: [1]) + sin(a[0]),
          (pull * v).sum(axes: [1]) - a[2][count] * y,
        ])
      ]
    }
  }
  /// All depend on all, through a sum.
  private static func coupled(_ a: [Tensor]) -> [Tensor] { [-a[1] * tanh(a[1]).sum() * a[2][1] + a[2][2]] }

  private static func equation(_ n: Int, _ p: Int, _ rate: @escaping ([Tensor]) throws -> [Tensor]) throws
    -> TracedEquation
  {
    TracedEquation(
      try withTensorErrors {
        try stage(rate, [Tensor.zeros([]), Tensor.zeros([n]), Tensor.zeros([p])]).program
      })
  }

  // Two, three and five groups of lanes, of which the last one is not full.
  @Test(arguments: [2, 4, 7]) func matrices(_ count: Int) throws {
    let (n, p) = (4 * count, count + 1)
    let equation = try Self.equation(n, p, Self.stars(count))
    let layout = SensitivityLayout(stateCount: n, parameterCount: p, isStateInLanes: true)
    let source = try #require(
      try equation.adjoint.sensitivitySource(equation, groupCount: layout.groupCount))
    // The matrix of positions by velocities is the identity, and much is zero.
    #expect(source.constants.filter { $0 == 1 }.count == n / 2)
    #expect(source.constants.filter { $0 == 0 }.count > n * (n + p) / 3)
    let tangents = try equation.tangentEquation()
    try tangents.prepare(pullback: false, for: .dormandPrince8)
    let both = [SensitivityRates(source, layout).functions, SensitivityRates.functions(tangents, layout)]
    var random = SeededRandom(seed: UInt64(count))
    let memory = LaneMemory(3 * n * layout.width + p + layout.width)
    let (state, parameters) = (memory.take(n * layout.width), memory.take(p))
    let results = [0, 1].map { _ in memory.take(n * layout.width) }
    let numbers = layout.initial(random.uniform(-1, 1, count: n))
    for (k, _) in numbers.enumerated() {
      // Derivatives are random; lanes that are left over and all lanes of the state agree.
      let (group, lane) = (k / 8, k % 8)
      let isState = group % layout.width == layout.groupCount
      state[group][lane] = isState ? numbers[k] : random.uniform(-1, 1, count: 1)[0]
    }
    for (k, value) in random.uniform(0.5, 2, count: p).enumerated() {
      parameters[k] = SIMD8(repeating: value)
    }
    let times = memory.take(layout.width)
    times.update(repeating: SIMD8(repeating: 0.3), count: layout.width)
    for (functions, result) in zip(both, results) {
      functions.bind(parameters)
      functions.rate(times, state, result)
    }
    for c in 0..<n {
      for g in 0..<layout.width {
        for lane in 0..<8 where g == layout.groupCount || 8 * g + lane < layout.directionCount {
          let (found, expected) = (
            results[0][c * layout.width + g][lane], results[1][c * layout.width + g][lane]
          )
          #expect(abs(found - expected) < 1e-12 * max(1, abs(expected)))
        }
      }
    }
    withExtendedLifetime(memory) {}
  }

  // A matrix without zeros takes more work than the derivatives themselves.
  @Test func withoutMatrices() throws {
    let equation = try Self.equation(40, 3, { Self.coupled($0) })
    #expect(try equation.adjoint.sensitivitySource(equation, groupCount: 6) == nil)
  }

  // Gradients are those of the adjoint, to the solution's accuracy.
  @Test(arguments: [SolverMethod.tsitouras5, .dormandPrince8], [true, false])
  func gradients(_ method: SolverMethod, _ hasMatrices: Bool) throws {
    let n = hasMatrices ? 16 : 40
    let p = hasMatrices ? 4 : 2
    let rate = hasMatrices ? Self.stars(4) : { Self.coupled($0) }
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, q: Tensor) in
      try rate([t, y, concatenate([Tensor.zeros([1]), q])])[0]
    }
    var random = SeededRandom(seed: 3)
    let point = [Tensor(random.uniform(-1, 1, count: n)), Tensor(random.uniform(0.5, 1.5, count: p))]
    let weights = Tensor(random.uniform(-1, 1, count: 3 * n), shape: [3, n])
    let options = SolverOptions(method: method, relativeTolerance: 1e-11, absoluteTolerance: 1e-11)
    func gradient(_ kind: GradientMethod) throws -> [Double] {
      try grad { (x: [Tensor]) in
        let states = try equation.solve(
          from: x[0], parameters: x[1], times: [0.2, 0.5, 0.8], options: options, gradient: kind)
        return (states * weights).sum()
      }(point).flatMap(\.values)
    }
    let (found, expected) = (try gradient(.forwardSensitivity), try gradient(.discreteAdjoint))
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-8 * max(1, abs($1)) })
    #expect(expected.filter { abs($0) > 1e-3 }.count > n / 2)
  }
}
