import Autodiff
import DifferentialEquations
import Foundation
import Testing

/// Adjoints of small systems as matrices of many steps at once.
@Suite struct StepMapsTests {
  private typealias Equation = OrdinaryDifferentialEquation<Tensor, Tensor>

  /// Rates that depend on time, with constant and zero derivatives among the others.
  private static func ring(_ n: Int) -> Equation {
    Equation { (t: Tensor, y: Tensor, p: Tensor) in
      sin(y.rolled(by: 1, axis: 0) * p[0] + t) - p[1] * y + 0.5 * y.rolled(by: -1, axis: 0) + p[3] * p[3]
    }
  }
  private static func start(_ n: Int) -> Tensor {
    var values: [Double] = []
    for k in 0..<n { values.append(0.3 + 0.2 * Double(k % 3)) }
    return Tensor(values, shape: [n])
  }
  private func slope(
    _ equation: Equation, _ start: Tensor, _ parameters: Tensor, _ times: [Double], _ options: SolverOptions,
    _ gradient: GradientMethod
  ) throws -> [Double] {
    let slopes: [Tensor] = try grad { (x: [Tensor]) in
      let y = try equation.solve(
        from: x[0], parameters: x[1], times: Tensor(times), options: options, gradient: gradient)
      return (y * y * Tensor.range(1, to: Double(y.count) + 0.5).reshaped(y.shape)).sum()
    }([start, parameters])
    return slopes.flatMap { $0.values }
  }
  private func isNear(_ a: [Double], _ b: [Double], _ tolerance: Double) -> Bool {
    var scale = 0.0
    for value in b { scale = max(scale, abs(value)) }
    return zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * scale }
  }

  /// The matrices' gradient is that of one step after the other, which checkpoints ask for; and that of the adjoint equation agrees with it.
  @Test(
    arguments: [1, 2, 3, 4, 5, 8, 12, 13],
    [SolverMethod.bogackiShampine3, .tsitouras5, .dormandPrince5, .dormandPrince8])
  func sizes(_ n: Int, _ method: SolverMethod) throws {
    let (equation, start) = (Self.ring(n), Self.start(n))
    let parameters: Tensor = [1.3, 0.4, 0.0, 0.7]
    let accuracy = method.order < 4 ? 1e-6 : 1e-9
    var options = SolverOptions(method: method, relativeTolerance: accuracy, absoluteTolerance: accuracy)
    for times in [[5.0], [0, 1.1, 1.1, 4.9, 5], [-0.3, -4]] {
      let found = try slope(equation, start, parameters, times, options, .discreteAdjoint)
      let continuous = try slope(equation, start, parameters, times, options, .continuousAdjoint)
      options.checkpoints = 6
      let expected = try slope(equation, start, parameters, times, options, .discreteAdjoint)
      options.checkpoints = nil
      #expect(isNear(found, expected, 1e-12), "\(found) \(expected)")
      #expect(isNear(continuous, expected, 1000 * accuracy), "\(continuous) \(expected)")
    }
  }

  /// Steps of one size, with methods that have no error estimate and those that have one.
  @Test(arguments: [SolverMethod.euler, .heun, .rungeKutta4, .tsitouras5], GradientMethod.allCases)
  func fixedSteps(_ method: SolverMethod, _ gradient: GradientMethod) throws {
    let (equation, start) = (Self.ring(3), Self.start(3))
    let parameters: Tensor = [1.3, 0.4, 0.0, 0.7]
    var options = SolverOptions(method: method)
    options.fixedStep = method.order < 3 ? 1e-4 : 0.02
    let found = try slope(equation, start, parameters, [0.5, 0.77, 1], options, gradient)
    let expected = try slope(
      equation, start, parameters, [0.5, 0.77, 1],
      SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-12, absoluteTolerance: 1e-12),
      .discreteAdjoint)
    #expect(isNear(found, expected, method.order < 3 ? 1e-3 : 1e-6), "\(found) \(expected)")
  }

  /// y' = cos(ω t) y from 0: steps of the solution are as long as they may be, and say nothing of λ. These must be divided, a little or so
  /// much that they are taken one after the other.
  @Test(
    arguments: [SolverMethod.bogackiShampine3, .tsitouras5, .dormandPrince8], [0.5, 3, 8, 40])
  func dividedSteps(_ method: SolverMethod, _ frequency: Double) throws {
    let equation = Equation { (t: Tensor, y: Tensor, p: Tensor) in
      p[0] * cos(frequency * t) * y + 0.0 * p[1]
    }
    var options = SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    options.maximumStep = 0.5
    let accuracy = method.order < 4 ? 5e-5 : 1e-5
    for end in [20.0, 20.3] {
      let times: [Double] = [7.2, end]
      let slopes: [Tensor] = try grad { (x: [Tensor]) in
        try equation.solve(
          from: x[0], parameters: x[1], times: Tensor(times, shape: [2]), options: options,
          gradient: .continuousAdjoint
        )[1].sum()
      }([[0.0, 0.0], [1.0, 0.0]])
      let expected = Foundation.exp(Foundation.sin(frequency * end) / frequency)
      for value in slopes[0].values {
        #expect(abs(value - expected) < accuracy * expected, "\(value) \(expected)")
      }
    }
  }

  /// What sweeps keep between gradients does not depend on the trajectories before: lengths, outputs, parameters and scales change from one to the next.
  @Test(arguments: [GradientMethod.discreteAdjoint, .continuousAdjoint, .backsolve])
  func gradientsInTurn(_ gradient: GradientMethod) throws {
    let equation = Self.ring(3)
    let options = SolverOptions(method: .tsitouras5, relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    func loss(_ x: [Tensor]) throws -> Tensor {
      let y = try equation.solve(
        from: x[0], parameters: x[1], times: x[2], options: options, gradient: gradient)
      return (y * x[3]).sum()
    }
    let kept = jit(grad { (x: [Tensor]) in try loss(x) })
    var points: [[Tensor]] = []
    for (k, end) in [9.0, 0.01, 3, 9, 0.5, -2, 9].enumerated() {
      let size: Double = Foundation.pow(10, Double(3 * k - 9))
      let parameters: [Double] = [1.3 + 0.1 * Double(k), 0.4, 0, 0.7]
      let times: [Double] = [end / 3, end]
      let weights: [Double] = [size, -size, 0, size, 2 * size, size]
      points.append([
        Self.start(3), Tensor(parameters, shape: [4]),
        Tensor(times, shape: [2]),
        Tensor(weights, shape: [2, 3]),
      ])
    }
    for point in points + points.reversed() {
      let found = try kept(point).prefix(2).flatMap { $0.values }
      let expected = try grad({ (x: [Tensor]) in try loss(x) })(point).prefix(2).flatMap { $0.values }
      #expect(found == expected)
    }
  }

  /// Events between the steps that are taken at once; a jump's own derivative, and outputs on both sides of it.
  @Test func events() throws {
    let equation = Equation(
      events: [
        EquationEvent<Tensor, Tensor>(
          .falling, of: { (_, y: Tensor, p: Tensor) in y[0] - p[1] },
          jump: { (_, y: Tensor, p: Tensor) in y + p[2] })
      ]
    ) { (t: Tensor, y: Tensor, p: Tensor) in -p[0] * y + 0.1 * sin(t) }
    let options = SolverOptions(method: .tsitouras5, relativeTolerance: 1e-10, absoluteTolerance: 1e-10)
    let parameters: Tensor = [0.8, 0.4, 1.1]
    let times: [Double] = [0.7, 2, 3.3, 6, 10]
    let found = try slope(equation, [1.0, 0.6], parameters, times, options, .continuousAdjoint)
    let expected = try slope(equation, [1.0, 0.6], parameters, times, options, .discreteAdjoint)
    #expect(isNear(found, expected, 1e-7), "\(found) \(expected)")
  }
}
