import Autodiff
@testable import DifferentialEquations
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

  /// Outputs within rounding of the ends of steps, which lie at zero too, where times are finer than elsewhere.
  @Test(arguments: [SolverMethod.tsitouras5, .dormandPrince8], [1.0, -1.0])
  func outputsNextToEnds(_ method: SolverMethod, _ direction: Double) throws {
    var options = SolverOptions(method: method)
    options.fixedStep = 0.5
    let decay = Equation { (t: Tensor, y: Tensor, p: Tensor) in -p[0] * y + 0.1 * sin(t) * cos(y) }
    for k in -9...9 {
      let end = direction * 0.5 * Double(k)
      let near = [end.nextDown, end, end.nextUp, end + direction * 1e-17, end - direction * 1e-17].sorted {
        $0 * direction < $1 * direction
      }
      let times: [Double] = near + [5 * direction]
      func slopes(_ checkpoints: Int?) throws -> [Double] {
        options.checkpoints = checkpoints
        let slopes: [Tensor] = try grad { (x: [Tensor]) in
          let y = try decay.solve(
            from: x[0], parameters: x[1], startTime: Tensor(-5 * direction), times: Tensor(times, shape: [6]),
            options: options)
          return (y.flattened * Tensor.range(1, to: 6.5)).sum()
        }([[1.0], [0.3]])
        return slopes.flatMap { $0.values }
      }
      let (found, expected) = (try slopes(nil), try slopes(6))
      #expect(isNear(found, expected, 1e-12), "\(end) \(found) \(expected)")
    }
  }

  /// What is not finite is an error, not a step that is divided for ever.
  @Test(.timeLimit(.minutes(5)), arguments: [SolverMethod.tsitouras5, .dormandPrince8, .rungeKutta4])
  func adjointsThatAreNotFinite(_ method: SolverMethod) throws {
    var options = SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    options.maximumStep = 0.5
    if method == .rungeKutta4 { options.fixedStep = 0.5 }
    let oscillation = Equation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([-p[0] * sin(9.0 * t) * y[0], p[1] * y[1]])
    }
    let root = Equation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([-p[0] * sin(9.0 * t) * y[0], sqrt(y[1])])
    }
    let late = Equation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([-p[0] * sin(9.0 * t) * y[0], sqrt(maximum(5.0 - t, 0.0) * y[1] * y[1])])
    }
    func slope(_ equation: Equation, _ start: Tensor, _ parameters: Tensor, _ weight: Double = 1) throws
      -> [Double]
    {
      let slopes: [Tensor] = try grad { (x: [Tensor]) in
        (try equation.solve(
          from: x[0], parameters: x[1], times: [3.0, 20.0], options: options, gradient: .continuousAdjoint)
          * weight).sum()
      }([start, parameters])
      return slopes.flatMap { $0.values }
    }
    #expect(throws: TensorError.self) { try slope(root, [1, 0], [1, 0]) }
    #expect(throws: TensorError.self) { try slope(late, [1, 0.1], [1, 0]) }
    // λ overflows where the state, which is zero, does not.
    for growth in [1e3, 1e30, 1e60] {
      #expect(throws: TensorError.self) { try slope(oscillation, [1, 0], [1, Tensor(growth)]) }
    }
    // What comes in is not finite: nor is what comes out, if it is not an error.
    for weight in [Double.nan, .infinity] {
      let found = try? slope(oscillation, [1, 0.1], [1, 0.1], weight)
      #expect(found?.allSatisfy(\.isFinite) != true)
    }
  }

  /// The record of a trajectory goes with its tape, whatever is kept for the next gradient.
  @Test(arguments: [GradientMethod.continuousAdjoint, .discreteAdjoint], [false, true])
  func recordsAreNotKept(_ gradient: GradientMethod, _ isStiff: Bool) throws {
    let rate = { (a: [Tensor]) throws -> [Tensor] in [-a[2] * a[1] * a[1]] }
    let program = try stage(rate, [Tensor.zeros([]), Tensor.zeros([2]), Tensor.zeros([2])]).program
    let options = SolverOptions(
      method: isStiff ? .kvaerno5 : .tsitouras5, relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    let kernel = EquationKernel(
      equation: TracedEquation(program), options: options, gradient: gradient, timeCount: 1)
    let operands = [
      DenseArray([1.0, 2], shape: [1, 2]), DenseArray([0.3, 0.4], shape: [1, 2]),
      DenseArray([0.0], shape: [1]),
      DenseArray([9.0], shape: [1, 1]),
    ]
    weak var record: StepRecord?
    do {
      let solution = try kernel.solve(operands, rows: 1, blocks: 1, keepsTape: true)
      record = solution.tape?.steps?.records[0]
      #expect(record != nil)
      _ = try kernel.pullback(
        solution.tape!, DenseArray([1.0, 1], shape: [1, 1, 2]), states: solution.states)
    }
    #expect(record == nil)
  }
}
