import Foundation
import Lanes
import Synchronization
import TestSupport
import Testing

@testable import Autodiff
@testable import DifferentialEquations

/// Right-hand sides of n components: with time, products of neighbours, and a rate that is a component of the state.
private func chain(_ n: Int) -> OrdinaryDifferentialEquation<Tensor, Tensor> {
  OrdinaryDifferentialEquation { (t, y: Tensor, p: Tensor) in
    stack(
      (0..<n).map { c in
        let next = y[(c + 1) % n]
        return c == 1 ? next : sin(t + y[c]) * p[0] - next * y[c] * p[1]
      })
  }
}

/// Small states are one vector, or a pair of them.
@Suite struct VectorStepperTests {
  static let methods = SolverMethod.allCases.filter { $0.explicitTableau != nil }

  // Each step is that of the kernel, to the last bit but for the norm's sum.
  @Test(arguments: methods, 1...16) func stepsAreTheKernels(_ method: SolverMethod, _ n: Int) throws {
    let p = Tensor([1.5, 0.25])
    let y = Tensor((0..<n).map { 0.3 + 0.2 * Double($0) })
    let traced = try #require(try equation(of: chain(n), y, p))
    try traced.prepare(pullback: false, for: method)
    let tableau = try #require(method.explicitTableau)
    let tolerances = (0..<n).map { 1e-7 * Double($0 + 1) }
    func stepper(_ functions: RateFunctions<Double>, isVector: Bool) -> ExplicitStepper {
      let kind = isVector ? Self.kind(n) : ExplicitStepper.self
      return kind.init(tableau, functions, relativeTolerance: 1e-5, absoluteTolerances: tolerances)
    }
    // By code that is made for its places, and by calls.
    var called = traced.singleFunctions()
    called.placedRate = nil
    let functions = [traced.singleFunctions(), traced.singleFunctions(), called]
    #expect(functions[0].placedRate != nil)
    let steppers = functions.enumerated().map { stepper($1, isVector: $0 > 0) }
    let parameters = [0] + p.values
    try parameters.withUnsafeBufferPointer { parameters in
      let base = try #require(parameters.baseAddress)
      for stepper in steppers {
        stepper.functions.bind(base)
        for (c, value) in y.values.enumerated() { stepper.state[c] = value }
        stepper.time.pointee = 0.25
        stepper.begin()
      }
      for h in [0.125, 0.25, -0.0625, 0.5] {
        var found: [[Double]] = []
        var errors: [Double] = []
        for stepper in steppers {
          stepper.step.pointee = h
          errors.append(stepper.attempt())
          stepper.prepareOutputs()
          var numbers = (0..<n).map { stepper.result[$0] }
          numbers += (0..<tableau.a.count * n).map { stepper.startRate[$0] }
          var output = [Double](repeating: 0, count: n)
          stepper.output(at: 0.3, into: &output)
          found.append(numbers + output + [Double(stepper.worstComponent())])
          stepper.accept()
          stepper.time.pointee += h
          found[found.count - 1] += (0..<n).flatMap { [stepper.state[$0], stepper.startRate[$0]] }
        }
        #expect(found[1] == found[0] && found[2] == found[0])
        #expect(errors[1] == errors[2] && abs(errors[1] - errors[0]) <= 4e-15 * errors[0])
        #expect(errors[0].isFinite && (tableau.error.isEmpty || errors[0] > 0))
      }
    }
  }

  private static func kind(_ n: Int) -> ExplicitStepper.Type {
    n <= 8 ? EightStepper.self : n <= 16 ? SixteenStepper.self : ExplicitStepper.self
  }

  @Test(arguments: methods, [1, 8, 9, 16, 17]) func kindsFitStates(_ method: SolverMethod, _ n: Int) throws {
    let traced = try #require(try equation(of: chain(n), Tensor.ones([n]), Tensor([1.0, 2.0])))
    try traced.prepare(pullback: false, for: method)
    let stepper = method.stepper(
      traced.singleFunctions(), SolverOptions(method: method), tolerances: [Double](repeating: 1, count: n))
    #expect(type(of: stepper) == Self.kind(n))
  }

  // Outputs within steps and events, steps accepted and refused.
  @Test(arguments: methods, [8, 9, 12, 13, 16, 17]) func solutionsAreTheKernels(
    _ method: SolverMethod, _ n: Int
  ) throws {
    // The last component jumps, and the first ones see it.
    let problem = OrdinaryDifferentialEquation(
      events: [
        EquationEvent<Tensor, Tensor>(
          .falling, of: { _, y, p in y[n - 1] - p[1] },
          jump: { _, y, _ in concatenate([y[0..<n - 1], y[n - 1..<n] + 2.0]) })
      ]
    ) { (t, y: Tensor, p: Tensor) in
      stack(
        (0..<n).map { c in
          let drive = c == n - 1 ? -exp(p[0] * sin(4.0 * t)) : (y[c + 1] - y[(c + n - 2) % n]) * p[0]
          return drive - y[c] * y[(c + 1) % n] * 0.1
        })
    }
    let y = Tensor((0..<n).map { 1 + 0.2 * Double($0 % 5) })
    let p = Tensor([1.5, 0.25])
    let traced = try #require(try equation(of: problem, y, p))
    try traced.prepare(pullback: false, for: method)
    let tableau = try #require(method.explicitTableau)
    var options = SolverOptions(method: method, relativeTolerance: 1e-6, absoluteTolerance: 1e-7)
    if !method.hasErrorEstimate { options.fixedStep = 0.01 }
    options.initialStep = 0.5
    let tolerances = try options.tolerances(n)
    let times = (1...40).map { 0.05 * Double($0) }
    func solved(_ kind: ExplicitStepper.Type) throws -> (TrajectorySolver.Outcome, [Double]) {
      let stepper = kind.init(
        tableau, traced.singleFunctions(), relativeTolerance: options.relativeTolerance,
        absoluteTolerances: tolerances)
      let solver = TrajectorySolver(stepper, options, tolerances: tolerances)
      var outputs = [Double](repeating: 0, count: times.count * n)
      let parameters = [0] + p.values
      let outcome = try parameters.withUnsafeBufferPointer { parameters in
        let parameters = try #require(parameters.baseAddress)
        stepper.functions.bind(parameters)
        return times.withUnsafeBufferPointer {
          solver.solve(
            from: 0, y.values, outputTimes: $0, outputs: &outputs,
            events: traced.eventFunctions(parameters: parameters))
        }
      }
      return (outcome, outputs)
    }
    let (found, outputs) = try solved(Self.kind(n))
    let (expected, numbers) = try solved(ExplicitStepper.self)
    #expect(found.statistics == expected.statistics && found.statistics.acceptedSteps > 5)
    #expect(!method.hasErrorEstimate || found.statistics.rejectedSteps > 0)
    #expect(found.failure == nil && expected.failure == nil && found.outputCount == times.count)
    let moments = (found.events.map(\.time), expected.events.map(\.time))
    #expect(moments.0.count == moments.1.count && !moments.0.isEmpty)
    #expect(zip(moments.0, moments.1).allSatisfy { abs($0 - $1) <= 1e-10 })
    #expect(zip(outputs, numbers).allSatisfy { abs($0 - $1) <= 1e-10 * (1 + abs($1)) })
    #expect(Set(outputs).count > times.count * n / 2)
  }

  // A component without a number in it must be noticed, however few there are.
  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16]) func anyComponentThatIsNoNumber(_ n: Int) throws {
    for bad in 0..<n {
      let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, _: Tensor) in
        stack((0..<n).map { $0 == bad ? sqrt(0.5 - t) : -y[$0] })
      }
      let error = #expect(throws: TensorError.self) {
        try equation.solve(from: Tensor.ones([n]), parameters: Tensor(1.0), endTime: 1)
      }
      #expect(error?.reason == .nonFinite && "\(error!)".contains("component \(bad)"))
    }
  }

  // The one whose error is largest, where steps become too small.
  @Test(arguments: [8, 9, 12, 16]) func componentThatGrowsWithoutEnd(_ n: Int) throws {
    for bad in [0, n / 2, n - 1] {
      let equation = OrdinaryDifferentialEquation { (_, y: Tensor, _: Tensor) in
        stack((0..<n).map { $0 == bad ? y[$0] * y[$0] : -y[$0] })
      }
      let error = #expect(throws: TensorError.self) {
        try equation.solve(from: Tensor.ones([n]), parameters: Tensor(1.0), endTime: 2)
      }
      #expect(error?.reason == .notConverged && "\(error!)".contains("component \(bad)"))
    }
  }
}

/// The equation that a solution calls.
private func equation(
  of problem: OrdinaryDifferentialEquation<Tensor, Tensor>, _ y: Tensor, _ p: Tensor
) throws -> TracedEquation? {
  let traced = try program(
    of: { [try problem.solve(from: $0[0], parameters: $0[1], endTime: 1)] }, at: [y, p])
  return traced.primitives.lazy.compactMap { ($0 as? EquationCall)?.kernel.equation }.first
}

/// Compiled solutions of one trajectory, whose solvers are kept.
@Suite struct CompiledSolutionTests {
  private static func solved(_ options: SolverOptions = SolverOptions(relativeTolerance: 1e-8)) -> (
    [Tensor]
  ) throws -> Tensor {
    { try lorenz.solve(from: $0[0], parameters: $0[1], times: [0.5, 1.0], options: options) }
  }
  private static func point(_ k: Int) -> [Tensor] {
    [Tensor([1, 1 + 0.1 * Double(k), 1]), Tensor([10, 28 - 0.2 * Double(k), 8.0 / 3])]
  }

  @Test(arguments: VectorStepperTests.methods) func compiledIsAsItStands(_ method: SolverMethod) throws {
    var options = SolverOptions(method: method, relativeTolerance: 1e-6)
    if !method.hasErrorEstimate { options.fixedStep = 1e-3 }
    let f = Self.solved(options)
    let compiled = jit(f)
    for k in [0, 1, 0, 2] { #expect(try compiled(Self.point(k)).values == f(Self.point(k)).values) }
  }

  // A state of several tensors, an initial time that is an argument, no parameters, times that go backwards.
  @Test func statesOfSeveralTensors() throws {
    struct Pair: TensorTree {
      var position: Tensor
      var velocity: Tensor
    }
    let equation = OrdinaryDifferentialEquation { (t, s: Pair, _: [Tensor]) in
      Pair(position: s.velocity, velocity: -s.position * t)
    }
    let f = { (x: [Tensor]) throws -> Tensor in
      let end = try equation.solve(
        from: Pair(position: x[0], velocity: x[1]), parameters: [], startTime: x[2], times: [1.0, 0.5])
      return concatenate([end.position.flattened, end.velocity.flattened])
    }
    let compiled = jit(f)
    for start in [2.0, 1.5] {
      let x = [Tensor([1, 2]), Tensor([0, 1]), Tensor(start)]
      let expected = try f(x).values
      #expect(try compiled(x).values == expected && expected.count == 8)
    }
    // Times must go one way.
    #expect(throws: TensorError.self) { try compiled([Tensor([1, 2]), Tensor([0, 1]), 0.75]) }
  }

  @Test(arguments: [nil] + GradientMethod.allCases.filter { $0 != .backsolve })
  func threadsHaveSolversOfTheirOwn(_ gradient: GradientMethod?) throws {
    let f = Self.solved()
    // The value, or a derivative.
    func g(_ x: [Tensor]) throws -> Tensor {
      guard let gradient else { return try f(x) }
      return try grad { (p: Tensor) in
        try lorenz.solve(
          from: x[0], parameters: p, times: [0.5, 1.0], options: SolverOptions(relativeTolerance: 1e-8),
          gradient: gradient
        ).sum()
      }(x[1])
    }
    let compiled = jit(g)
    let expected = try (0..<8).map { try g(Self.point($0)).values }
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 160) { k in
      let found = try? compiled(Self.point(k % 8)).flattened.values
      let isRight = found.map { zip($0, expected[k % 8]).allSatisfy { abs($0 - $1) <= 1e-13 * abs($1) } }
      if isRight != true || (gradient == nil && found != expected[k % 8]) {
        wrong.add(1, ordering: .relaxed)
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(Set(expected.map { $0[2] }).count == 8 && expected.allSatisfy { $0[2] != 0 })
  }

  // After a failure the next solution is as if there had been none.
  @Test func solutionsAfterFailures() throws {
    let equation = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in y * y * p }
    let f = { (p: Tensor) in try equation.solve(from: [1.0, 0.5], parameters: p, endTime: 2) }
    let compiled = jit(f)
    let expected = try f(0.4).values
    for _ in 0..<3 {
      #expect(try compiled(0.4).values == expected)
      let error = #expect(throws: TensorError.self) { try compiled(0.6) }
      #expect(error.map { "\($0)" } == (#expect(throws: TensorError.self) { try f(0.6) }).map { "\($0)" })
      #expect(throws: TensorError.self) { try compiled(Tensor(Double.nan)) }
    }
    #expect(try compiled(0.4).values == expected)
  }

  // A right-hand side that solves another equation, from several threads.
  @Test func rightHandSidesThatSolve() throws {
    let inner = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in -p * y }
    let outer = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      try -y * inner.solve(from: p, parameters: y.sum() * 0.1, endTime: 0.5).sum()
    }
    let f = { (x: [Tensor]) in try outer.solve(from: x[0], parameters: x[1], endTime: 0.5) }
    let compiled = jit(f)
    let points = (0..<4).map { [Tensor([1, 0.5]), Tensor([1 + 0.1 * Double($0), 0.3])] }
    let expected = try points.map { try f($0).values }
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 16) { k in
      if (try? compiled(points[k % 4]).values) != expected[k % 4] { wrong.add(1, ordering: .relaxed) }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(expected[0] != expected[1])
  }

  @Test func statesOfNoComponents() throws {
    let compiled = jit { (y: Tensor) in
      try OrdinaryDifferentialEquation { (_, y: Tensor, _: Tensor) in y }.solve(
        from: y, parameters: 1.0, endTime: 1)
    }
    #expect(throws: TensorError.self) { try compiled(Tensor.zeros([0])) }
  }

  @Test func solversGoWithTheProgram() throws {
    weak var released: TracedEquation?
    var isAlive = false
    do {
      let problem = chain(3)
      let (y, p) = (Tensor([0.1, 0.2, 0.3]), Tensor([1, 2]))
      let compiled = jit { (x: [Tensor]) in try problem.solve(from: x[0], parameters: x[1], endTime: 1) }
      let slope = jit(
        grad { (x: [Tensor]) in try problem.solve(from: x[0], parameters: x[1], endTime: 1).sum() })
      _ = try (compiled([y, p]), slope([y, p]))
      released = try equation(of: problem, y, p)
      isAlive = released != nil
      _ = try (compiled([y, p]), slope([y, p]))
    }
    #expect(isAlive && released == nil)
  }
}
