import Autodiff
import Foundation
import Lanes
import Testing

@testable import DifferentialEquations

/// y' = y², which is infinite at t = 1/y(0); or, with a parameter below zero, a root of a negative number from t = 1 on.
private struct Explosion: VectorField {
  var stateCount: Int { 2 }
  var parameterCount: Int { 1 }
  @inline(__always)
  func rate<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>
  ) {
    rate[0] = L(0.0)
    rate[1] = (y[1] * y[1]).replacing(with: (1.0 - time).squareRoot, where: p[0] .< L(0.0))
  }
  @inline(__always)
  func pullback<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, cotangent c: UnsafePointer<L>,
    state s: UnsafeMutablePointer<L>, addingTo q: UnsafeMutablePointer<L>
  ) {
    s[0] = L(0.0)
    s[1] = (y[1] * c[1] * 2.0).replacing(with: L(0.0), where: p[0] .< L(0.0))
  }
}

@Suite struct FailureTests {
  static func failure(_ body: () throws -> Void) -> DifferentialEquationError? {
    do { try body() } catch { return error as? DifferentialEquationError }
    return nil
  }

  @Test(arguments: [1, 20]) func blowUp(_ count: Int) throws {
    let equation = NativeEquation(Explosion())
    let initial = (0..<count).flatMap { _ in [0.0, 1.0] }
    let error = try #require(
      Self.failure { _ = try equation.solve(from: initial, parameters: [1], times: [0.5, 2]) })
    #expect(error.reason == .stepUnderflow || error.reason == .nonFiniteRate, "\(error)")
    #expect(abs(error.time - 1) < 1e-3)
    #expect(error.component == 1)
    #expect(error.trajectory == (count > 1 ? 0 : nil))
    // The part of the solution that there is.
    let partial = try equation.solve(
      from: initial, parameters: [1], times: [0.5, 2], allowsFailures: true)
    #expect(partial.failures.count == count)
    #expect(abs(partial.state(time: 0)[1] - 2) < 1e-4)
    #expect(partial.state(time: 1)[1].isNaN)
    #expect(abs(partial.endTimes[0] - 1) < 1e-3)
    #expect(throws: DifferentialEquationError.self) { _ = try partial.pullback(partial.states) }
  }

  @Test(arguments: [1, 20]) func notFinite(_ count: Int) throws {
    let equation = NativeEquation(Explosion())
    let initial = (0..<count).flatMap { _ in [0.0, 1.0] }
    let error = try #require(
      Self.failure { _ = try equation.solve(from: initial, parameters: [-1], times: [2]) })
    #expect(error.reason == .nonFiniteRate)
    #expect(abs(error.time - 1) < 1e-6)
    #expect(error.component == 1)
    // With fixed steps too.
    let fixed = try #require(
      Self.failure {
        _ = try equation.solve(
          from: initial, parameters: [-1], times: [2],
          options: SolverOptions(method: .rungeKutta4, fixedStep: 1.0 / 64))
      })
    #expect(fixed.reason == .nonFiniteRate && fixed.component == 1 && abs(fixed.time - 1) < 0.05)
    let start = try #require(
      Self.failure { _ = try equation.solve(from: [0, .infinity], parameters: [1], times: [2]) })
    #expect(start.reason == .nonFiniteRate && start.time == 0 && start.component == 1)
    // In lanes it takes no longer to find out.
    let states = (0..<20).flatMap { row -> [Double] in [0, row == 3 ? .infinity : 0.5] }
    let batch = try equation.solve(from: states, parameters: [1], times: [0.5], allowsFailures: true)
    #expect(batch.failures.map(\.reason) == [.nonFiniteRate] && batch.failures[0].trajectory == 3)
    #expect(batch.statistics[3].rejectedSteps < 1000 && batch.endTimes[4] == 0.5)
  }

  // Derivatives that are not finite are named by the component that they are of.
  @Test(arguments: [SolverMethod.tsitouras5, .kvaerno3]) func componentOfSensitivities(_ method: SolverMethod)
    throws
  {
    let equation = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      stack([-p[0] * y[0], 1.0 / y[1], y[2]])
    }
    let error = #expect(throws: TensorError.self) {
      try equation.solve(
        from: [1.0, 0.0, 1.0], parameters: [1.0], endTime: 1, options: SolverOptions(method: method),
        gradient: .forwardSensitivity)
    }
    #expect(error?.description.contains("component 1") == true, "\(error as Any)")
  }

  // Also where state and derivatives are solved as one system: with events, of several steps, of many components, of symplectic methods. At
  // zero a root has a value, but no derivative.
  @Test(arguments: [SolverMethod.tsitouras5, .backwardDifferentiation, .kvaerno3, .leapfrog])
  func componentOfJointSensitivities(_ method: SolverMethod) throws {
    let n = method == .kvaerno3 ? 17 : 4
    let events = [
      EquationEvent<Tensor, Tensor>(.falling, of: { _, y, _ in y[0] + 1.0 }, jump: { _, y, _ in y })
    ]
    let equation = OrdinaryDifferentialEquation(events: method == .tsitouras5 ? events : []) {
      (_, y: Tensor, p: Tensor) in
      concatenate([-p[0] * y[0..<1], sqrt(p[1..<2]), y[2..<n]])
    }
    var options = SolverOptions(method: method)
    if method.isSymplectic { options.fixedStep = 0.1 }
    let (start, parameters) = (Tensor.ones([n]), Tensor([1, 0]))
    let value = try equation.solve(from: start, parameters: parameters, endTime: 1, options: options)
    #expect(abs(value[1].scalar - 1) < 1e-9)
    let error = #expect(throws: TensorError.self) {
      try equation.solve(
        from: start, parameters: parameters, endTime: 1, options: options, gradient: .forwardSensitivity)
    }
    #expect(error?.description.contains("component 1:") == true, "\(error as Any)")
  }

  // Tangents follow the state that they are of.
  @Test func componentOfTangents() throws {
    let equation = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      stack([-p[0] * y[0], sqrt(y[1]), y[2]])
    }
    let error = #expect(throws: TensorError.self) {
      try jvp(
        { (y: Tensor) in try equation.solve(from: y, parameters: [1.0], endTime: 1) },
        at: Tensor([1, 0, 1]), along: Tensor([0, 1, 0]))
    }
    #expect(error?.description.contains("component 1:") == true, "\(error as Any)")
  }

  // Without an absolute tolerance what is zero has no error.
  @Test(arguments: [1, 5], [2, 9]) func zerosWithoutAbsoluteTolerance(_ count: Int, _ n: Int) throws {
    let equation = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      concatenate([-p[0] * y[0..<1], 0.0 * y[1..<n]])
    }
    let options = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 0)
    let start = Tensor([1] + [Double](repeating: 0, count: n - 1))
    let found = try equation.trajectory(
      from: start, parameters: [1.0], times: [1.0], options: options)
    #expect(abs(found.states[0] - exp(-1)) < 1e-7 && found.states[1] == 0)
    let batch = try vmap { (y: Tensor) in
      try equation.solve(from: y, parameters: [1.0], endTime: 1, options: options)
    }(stack([Tensor](repeating: start, count: count)))
    #expect(abs(batch[count - 1][0].scalar - exp(-1)) < 1e-7)
    // A component that leaves zero.
    let oscillator = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in stack([y[1], -p[0] * y[0]]) }
    let turned = try oscillator.trajectory(from: [0, 1], parameters: [1.0], times: [1.0], options: options)
    #expect(abs(turned.states[0] - sin(1)) < 1e-6 && turned.statistics[0].acceptedSteps < 1000)
  }

  @Test(arguments: [1, 20]) func tooManySteps(_ count: Int) throws {
    let equation = NativeEquation(Explosion())
    var options = SolverOptions(relativeTolerance: 1e-10, absoluteTolerance: 1e-10)
    options.maximumSteps = 5
    let initial = (0..<count).flatMap { _ in [0.0, 1.0] }
    let error = try #require(
      Self.failure { _ = try equation.solve(from: initial, parameters: [1], times: [0.9], options: options) })
    #expect(error.reason == .tooManySteps)
    #expect(error.step == 5)
    #expect(error.description.contains("step 5"))
  }

  @Test func arguments() throws {
    let equation = NativeEquation(Explosion())
    func reason(_ body: () throws -> Void) -> DifferentialEquationError.Reason? { Self.failure(body)?.reason }
    #expect(reason { _ = try equation.solve(from: [0, 1, 2], parameters: [1], times: [1]) } == .argument)
    #expect(reason { _ = try equation.solve(from: [0, 1], parameters: [], times: [1]) } == .argument)
    #expect(reason { _ = try equation.solve(from: [0, 1], parameters: [1], times: []) } == .argument)
    #expect(
      reason { _ = try equation.solve(from: [0, 1], parameters: [1], times: [0.2, 0.1]) } == .argument)
    #expect(reason { _ = try equation.solve(from: [0, 1], parameters: [1], times: [.nan]) } == .argument)
    for change: (inout SolverOptions) -> Void in [
      { $0.relativeTolerance = -1 },
      {
        $0.relativeTolerance = 0; $0.absoluteTolerances = [0]
      },
      { $0.absoluteTolerances = [1, 1, 1] }, { $0.method = .euler }, { $0.fixedStep = 0 },
      { $0.maximumSteps = 0 }, { $0.checkpoints = 1 }, { $0.initialStep = -1 },
      {
        $0.method = .backwardDifferentiation; $0.fixedStep = 0.1
      },
      {
        $0.method = .backwardDifferentiation; $0.checkpoints = 8
      }, { $0.method = .rodas5P },
    ] {
      var options = SolverOptions()
      change(&options)
      #expect(
        reason { _ = try equation.solve(from: [0, 1], parameters: [1], times: [0.5], options: options) }
          == .argument)
    }
  }

  @Test func tensorErrors() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in y * y * p }
    do {
      _ = try equation.solve(from: [1.0], parameters: [1.0], times: [2.0])
      Issue.record("no error")
    } catch let error as TensorError {
      #expect(error.description.contains("time") && error.description.contains("component 0"))
    }
    let wrong = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in stack([y[0], y[0]]) }
    #expect(throws: TensorError.self) { _ = try wrong.solve(from: [1.0], parameters: [1.0], times: [2.0]) }
    #expect(throws: TensorError.self) {
      _ = try equation.solve(from: [1.0], parameters: [1.0], times: Tensor(2.0))
    }
  }

  // Sensitivities that would not fit in memory are an error that says how large they are.
  @Test func tooLarge() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in -y * p + y.sum() }
    let start = Tensor.ones([1_000_000])
    func message(_ method: SolverMethod, _ gradient: GradientMethod) -> String? {
      do {
        _ = try equation.solve(
          from: start, parameters: [1.0], endTime: 0.1, options: SolverOptions(method: method),
          gradient: gradient)
      } catch let error as TensorError { return error.description } catch { return "\(error)" }
      return nil
    }
    for method in [SolverMethod.tsitouras5, .kvaerno5, .backwardDifferentiation] {
      let text = try #require(message(method, .forwardSensitivity))
      #expect(text.contains("bytes") && text.contains("discreteAdjoint"), "\(text)")
    }
  }

  // Bounded memory: as few states as asked for, and the same gradient.
  @Test(arguments: [2, 5, 40]) func checkpoints(_ count: Int) throws {
    let equation = NativeEquation(Lorenz())
    func gradient(_ checkpoints: Int?) throws -> (EquationSolution, [Double]) {
      var options = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
      options.checkpoints = checkpoints
      let solution = try equation.solve(
        from: [1, 1, 1], parameters: [10, 28, 8 / 3], times: [0.7, 1.1, 2], options: options,
        keepsRecord: true)
      let (states, parameters) = try solution.pullback([Double](repeating: 1, count: 9))
      return (solution, states + parameters)
    }
    let (full, expected) = try gradient(nil)
    let (thin, found) = try gradient(count)
    #expect(full.steps!.records[0].stride == 1 && thin.steps!.records[0].stride > 1)
    #expect(thin.steps!.records[0].byteCount < full.steps!.records[0].byteCount)
    // With all states at hand several steps are taken back at once: sums have another order.
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-13 * max(1, abs($1)) })
  }
}

extension FailureTests {
  // The part of a traced equation's solution that there is, and its gradient's refusal.
  @Test func partialTrajectory() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in y * y * p }
    let solution = try equation.trajectory(
      from: [1.0], parameters: [1.0], times: [0.5, 2.0], allowsFailures: true)
    #expect(
      solution.failures.first?.reason == .stepUnderflow || solution.failures.first?.reason == .nonFiniteRate)
    #expect(abs(solution.state(time: 0)[0] - 2) < 1e-4 && solution.state(time: 1)[0].isNaN)
    #expect(abs(try solution.state(at: 0.75)[0] - 4) < 1e-3)
    #expect(throws: DifferentialEquationError.self) {
      _ = try equation.trajectory(from: [1.0], parameters: [1.0], times: [2.0])
    }
  }
}
