import Autodiff
import Foundation
import Testing

@testable import DifferentialEquations

@Suite struct StepControlTests {
  static let vanDerPol = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
    stack([y[1], p[0] * (1.0 - y[0] * y[0]) * y[1] - y[0]])
  }

  @Test(
    arguments: [
      StepControl.integral, .proportionalIntegral, .proportionalIntegralDerivative,
    ], [1, 12])
  func controllers(_ control: StepControl, _ count: Int) throws {
    var options = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 1e-10)
    options.control = control
    let reference = try #require(ReferenceSolutions.all.detest["E2"])
    let f = { (y: Tensor) in
      try Self.vanDerPol.solve(from: y, parameters: [1.0], endTime: 20, options: options)
    }
    let start = Tensor(reference.initial!)
    let found =
      count == 1
      ? try f(start) : try vmap(f)(stack([Tensor](repeating: start, count: count)))[count - 1]
    #expect(zip(found.values, reference.final).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  // The same trajectory takes the same steps by itself and in lanes.
  @Test func lanesTakeTheSameSteps() throws {
    let equation = NativeEquation(Lorenz())
    let options = SolverOptions(relativeTolerance: 1e-7, absoluteTolerance: 1e-7)
    func statistics(_ count: Int) throws -> [SolverStatistics] {
      try equation.solve(
        from: (0..<count).flatMap { _ in [1.0, 1, 1] }, parameters: [10, 28, 8 / 3], times: [1, 3],
        options: options
      ).statistics
    }
    let alone = try statistics(1)[0]
    for each in try statistics(21) {
      #expect(abs(each.acceptedSteps - alone.acceptedSteps) <= 1)
      #expect(abs(each.rejectedSteps - alone.rejectedSteps) <= 1)
    }
    #expect(alone.acceptedSteps > 100)
  }

  // A tolerance for each component: what may be wrong by one needs no steps.
  @Test func tolerancesOfComponents() throws {
    let oscillators = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([y[1], -y[0], y[3] * 30.0, y[2] * -30.0])
    }
    func run(_ tolerances: [Double]) throws -> (steps: Int, error: Double) {
      var options = SolverOptions(relativeTolerance: 0)
      options.absoluteTolerances = tolerances
      let solution = try oscillators.trajectory(
        from: [0.0, 1.0, 0.0, 1.0], parameters: [0.0], times: [3.0], options: options)
      return (solution.statistics[0].acceptedSteps, abs(solution.states[0] - sin(3)))
    }
    let tight = try run([1e-9])
    let loose = try run([1e-9, 1e-9, 1, 1])
    #expect(loose.steps * 3 < tight.steps)
    #expect(loose.error < 1e-7 && tight.error < 1e-7)
  }

  @Test func stepSizes() throws {
    let line = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in p + 0.0 * y }
    var options = SolverOptions()
    let free = try line.trajectory(from: [0.0], parameters: [1.0], times: [10.0], options: options)
    #expect(free.statistics[0].acceptedSteps < 15)
    options.maximumStep = 0.1
    let bounded = try line.trajectory(from: [0.0], parameters: [1.0], times: [10.0], options: options)
    #expect(bounded.statistics[0].acceptedSteps >= 100)
    // The first step suits the equation, whatever its scale.
    for rate in [1e-6, 1, 1e6] {
      let decay = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in -p * y }
      let solution = try decay.trajectory(from: [1.0], parameters: Tensor([rate]), times: [1 / rate])
      #expect(solution.statistics[0].rejectedSteps <= 1)
      #expect(abs(solution.states[0] - exp(-1)) < 1e-5)
    }
    options.maximumStep = .infinity
    options.fixedStep = 0.3
    let fixed = try line.trajectory(from: [0.0], parameters: [1.0], times: [1.0], options: options)
    #expect(fixed.statistics[0].acceptedSteps == 4)
    #expect(abs(fixed.states[0] - 1) < 1e-14)
  }

  // Memory that the reverse sweep needs does not grow with the horizon where checkpoints are bounded, but for the times of steps.
  @Test func memory() throws {
    let equation = NativeEquation(Lorenz())
    func bytes(_ horizon: Double, _ checkpoints: Int?) throws -> (steps: Int, bytes: Int) {
      var options = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
      options.checkpoints = checkpoints
      let solution = try equation.solve(
        from: [1, 1, 1], parameters: [10, 28, 8 / 3], times: [horizon], options: options, keepsRecord: true)
      let record = solution.steps!.records[0]
      return (record.stepCount, record.byteCount - 8 * record.timeCount)
    }
    let (short, long) = (try bytes(2, 32), try bytes(40, 32))
    #expect(long.steps > 15 * short.steps)
    // Times take up to twice their room.
    #expect(long.bytes <= short.bytes + 8 * long.steps)
    #expect(try bytes(40, nil).bytes > 10 * bytes(2, nil).bytes)
  }
}
