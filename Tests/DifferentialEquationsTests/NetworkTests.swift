import TestSupport
import Testing

@testable import Autodiff
@testable import DifferentialEquations

/// Single trajectories of right-hand sides that are networks: states of one step after another, with stages from the record.
@Suite struct NetworkTests {
  /// y' = C tanh(B tanh(A y)) − y / 10, of `n` components and `h` neurons in each layer.
  private static func network(_ n: Int, _ h: Int) -> OrdinaryDifferentialEquation<Tensor, Tensor> {
    OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      let first = p[0..<n * h].reshaped([h, n])
      let second = p[n * h..<n * h + h * h].reshaped([h, h])
      let third = p[n * h + h * h..<2 * n * h + h * h].reshaped([n, h])
      return matmul(third, tanh(matmul(second, tanh(matmul(first, y))))) - 0.1 * y
    }
  }
  private static func point(_ n: Int, _ h: Int) -> [Tensor] {
    var random = SeededRandom(seed: UInt64(10 * n + h))
    return [n, 2 * n * h + h * h].map { Tensor(random.uniform(-0.5, 0.5, count: $0)) }
  }
  private static func gradient(
    _ n: Int, _ h: Int, _ times: Tensor, _ options: SolverOptions, _ method: GradientMethod = .discreteAdjoint
  ) throws -> [Tensor] {
    let equation = network(n, h)
    return try grad { (x: [Tensor]) throws -> Tensor in
      let y = try equation.solve(
        from: x[0], parameters: x[1], times: times, options: options, gradient: method)
      return (y * y).sum()
    }(point(n, h))
  }
  private static func distance(_ a: [Tensor], _ b: [Tensor]) -> Double {
    var (difference, size) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      difference = max(difference, abs(x - y).max().scalar)
      size = max(size, abs(y).max().scalar)
    }
    return difference / size
  }

  // Where the record is short of memory, the sweep makes all stages again: gradients are the same. Outputs lie within steps and are few
  // or many, so that one step or many go back at once.
  @Test(
    arguments: [SolverMethod.tsitouras5, .dormandPrince5, .dormandPrince8, .bogackiShampine3], [2, 3, 7])
  func stagesFromTheRecord(_ method: SolverMethod, _ n: Int) throws {
    for (h, times) in [
      (4, [0.0, 3.1, 7.3, 7.4, 9]), (6, [30.0]), (6, [11, 30.0]), (19, [2.2, 5]), (19, [40.0]),
    ] {
      var options = SolverOptions(method: method, relativeTolerance: 1e-5, absoluteTolerance: 1e-7)
      let found = try Self.gradient(n, h, Tensor(times), options)
      options.checkpoints = 100_000
      let expected = try Self.gradient(n, h, Tensor(times), options)
      #expect(Self.distance(found, expected) < 1e-11, "\(h) neurons, \(times.count) outputs")
    }
  }

  // Layers of more numbers than are expanded to scalar instructions.
  @Test(arguments: [(2, 40), (3, 72)]) func largeLayers(_ n: Int, _ h: Int) throws {
    let times = Tensor([0.5, 2, 3])
    let tight = SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-11, absoluteTolerance: 1e-12)
    let found = try Self.gradient(n, h, times, tight)
    for method in [GradientMethod.continuousAdjoint, .backsolve] {
      #expect(Self.distance(try Self.gradient(n, h, times, tight, method), found) < 1e-7)
    }
    // By central differences along one direction.
    let (equation, point) = (Self.network(n, h), Self.point(n, h))
    var random = SeededRandom(seed: 5)
    let directions = point.map { Tensor(random.uniform(-1, 1, count: $0.count)) }
    func loss(_ step: Double) throws -> Double {
      let x: [Tensor] = zip(point, directions).map { (a: Tensor, b: Tensor) in a + step * b }
      let y = try equation.solve(from: x[0], parameters: x[1], times: times, options: tight)
      return (y * y).sum().scalar
    }
    let difference = (try loss(1e-5) - loss(-1e-5)) / 2e-5
    var slope = 0.0
    for (a, b) in zip(found, directions) { slope += (a * b).sum().scalar }
    #expect(abs(difference - slope) < 1e-6 * max(1, abs(slope)))
  }
}
