import Autodiff
import DifferentialEquations
import Lanes
import Testing

/// y_c' = p_(c mod count) y_(c+1) − y_c³ / 3 + sin t, in a ring.
private struct Ring: VectorField {
  var stateCount: Int
  var parameterCount: Int

  @inline(__always)
  func rate<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>
  ) {
    for c in 0..<stateCount {
      rate[c] = p[c % parameterCount] * y[(c + 1) % stateCount] - y[c] * y[c].squared / 3.0 + time.sine
    }
  }
  @inline(__always)
  func pullback<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, cotangent r: UnsafePointer<L>,
    state s: UnsafeMutablePointer<L>, addingTo q: UnsafeMutablePointer<L>
  ) {
    for c in 0..<stateCount { s[c] = -(y[c].squared * r[c]) }
    for c in 0..<stateCount {
      let next = (c + 1) % stateCount
      s[next] += p[c % parameterCount] * r[c]
      q[c % parameterCount] += y[next] * r[c]
    }
  }
}

/// Trajectories in lanes against the same ones alone.
@Suite struct BatchTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var method: SolverMethod
    var stateCount = 3
    var parameterCount = 2
    var count = 37
    var testDescription: String {
      "\(method), \(stateCount) components, \(parameterCount) parameters, \(count)"
    }
  }
  static let cases =
    [
      SolverMethod.euler, .heun, .rungeKutta4, .bogackiShampine3, .dormandPrince5, .tsitouras5,
      .dormandPrince8,
    ]
    .map { Case(method: $0) }
    + [(1, 1), (2, 1), (4, 8), (5, 2), (8, 8), (3, 9), (9, 4)].flatMap { n, p in
      [SolverMethod.tsitouras5, .dormandPrince8].map { Case(method: $0, stateCount: n, parameterCount: p) }
    } + [3, 8, 16, 40, 130, 400].map { Case(method: .tsitouras5, count: $0) }

  /// States kept of trajectories that have many more.
  private static let few = 8

  /// Solutions and cotangents of trajectories that take different numbers of steps.
  private func solve(_ each: Case, rows: Range<Int>, _ options: SolverOptions, times: [Double]) throws -> (
    states: [Double], initial: [Double], parameters: [Double], middle: [Double]
  ) {
    let (n, p) = (each.stateCount, each.parameterCount)
    var initial: [Double] = []
    var parameters: [Double] = []
    for row in rows {
      for c in 0..<n { initial.append(0.5 + 0.1 * Double((7 * row + 3 * c) % 11)) }
      for k in 0..<p { parameters.append(0.3 + Double((5 * row + k) % 17)) }
    }
    let solution = try NativeEquation(Ring(stateCount: n, parameterCount: p)).solve(
      from: initial, parameters: parameters, times: times, options: options, keepsRecord: true)
    let width = n * times.count
    let weights = solution.states.indices.map { (k: Int) -> Double in 1 + 0.1 * Double(k % width) }
    let found = try solution.pullback(weights)
    let middle =
      options.checkpoints == Self.few
      ? []
      : try (0..<rows.count).flatMap {
        try solution.state(trajectory: $0, at: (times[0] + times[1]) / 2)
      }
    return (solution.states, found.initialStates, found.parameters, middle)
  }
  private func options(_ method: SolverMethod) -> SolverOptions {
    var options = SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    if !method.hasErrorEstimate { options.fixedStep = 0.01 }
    return options
  }
  private func difference(_ a: [Double], _ b: [Double]) -> Double {
    a.count == b.count ? zip(a, b).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? 0 : .infinity
  }

  @Test(arguments: cases) func lanesAgainstTrajectoriesAlone(_ each: Case) throws {
    // With outputs at the start, between the ends of steps, and at the end.
    let times = [0, 0.37, 0.81, 1.5]
    let options = options(each.method)
    let batch = try solve(each, rows: 0..<each.count, options, times: times)
    let alone = try (0..<each.count).map { try solve(each, rows: $0..<$0 + 1, options, times: times) }
    let tolerance = each.method.hasErrorEstimate ? 1e-6 : 1e-11
    #expect(difference(batch.states, alone.flatMap(\.states)) < tolerance)
    #expect(difference(batch.middle, alone.flatMap(\.middle)) < tolerance)
    #expect(difference(batch.initial, alone.flatMap(\.initial)) < 10 * tolerance)
    #expect(difference(batch.parameters, alone.flatMap(\.parameters)) < 10 * tolerance)
    #expect(batch.initial.allSatisfy { $0 != 0 } && batch.parameters.contains { abs($0) > 0.1 })
  }

  // Records of each trajectory, filled block by block, and those with some of the states only hold the same steps as tapes do.
  @Test(arguments: [3, 9]) func recordsAndTapes(_ n: Int) throws {
    let each = Case(method: .bogackiShampine3, stateCount: n, count: 70)
    var options = options(each.method)
    let tapes = try solve(each, rows: 0..<each.count, options, times: [0.5, 2])
    options.checkpoints = 100_000
    let records = try solve(each, rows: 0..<each.count, options, times: [0.5, 2])
    options.checkpoints = Self.few
    let some = try solve(each, rows: 0..<each.count, options, times: [0.5, 2])
    #expect(records.states == tapes.states && some.states == tapes.states)
    #expect(difference(some.initial, tapes.initial) < 1e-11)
    #expect(difference(some.parameters, tapes.parameters) < 1e-11)
    #expect(difference(records.middle, tapes.middle) < 1e-13)
    #expect(difference(records.initial, tapes.initial) < 1e-11)
    #expect(difference(records.parameters, tapes.parameters) < 1e-11)
  }

  // Backwards in time, with fewer trajectories than lanes, with records and with tapes.
  @Test(arguments: [nil, 1000, 8] as [Int?]) func backwardsInTime(_ checkpoints: Int?) throws {
    let each = Case(method: .tsitouras5, count: 5)
    var options = options(each.method)
    let alone = try (0..<each.count).map { try solve(each, rows: $0..<$0 + 1, options, times: [-0.1, -0.2]) }
    options.checkpoints = checkpoints
    let batch = try solve(each, rows: 0..<each.count, options, times: [-0.1, -0.2])
    #expect(difference(batch.states, alone.flatMap(\.states)) < 1e-6)
    #expect(difference(batch.initial, alone.flatMap(\.initial)) < 1e-5)
    #expect(difference(batch.parameters, alone.flatMap(\.parameters)) < 1e-5)
  }

  // Horizons of zero among others, and one that is hundreds of times as long as the rest: most lanes have nothing to do then.
  @Test(arguments: [20, 300]) func differentHorizons(_ count: Int) throws {
    let equation = OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      stack([y[1] * p[0], -sin(y[0]) * p[1]])
    }
    var options = options(.bogackiShampine3)
    options.maximumSteps = 1_000_000
    let loss = { (x: [Tensor]) in
      let end = try equation.solve(from: x[0], parameters: x[1], endTime: x[2], options: options)
      return dot(Tensor([1, 2]), end)
    }
    let rows = (0..<count).flatMap { (row: Int) -> [Double] in [0.1 + 0.001 * Double(row), 0.2] }
    let parameters = (0..<count).flatMap { (row: Int) -> [Double] in [1 + 0.002 * Double(row), 0.9] }
    let horizons = (0..<count).map { (row: Int) -> Double in
      if row == 7 { return 300 }
      return row % 5 == 0 ? 0 : 0.2 + 0.01 * Double(row % 9)
    }
    let point = [
      Tensor(rows, shape: [count, 2]), Tensor(parameters, shape: [count, 2]), Tensor(horizons),
    ]
    let losses = vmap(loss)
    let batch = try grad { (x: [Tensor]) in try losses(x).sum() }(point)
    let tangents = try jvp({ (x: [Tensor]) in try losses(x) }, at: point, along: batch).tangent
    var sum = 0.0
    for row in 0..<count {
      let alone = try grad(loss)(point.map { $0[row] })
      for (all, own) in zip(batch, alone) {
        let values = all[row].values
        #expect(difference(values, own.values) < 1e-6)
        for value in values { sum += value * value }
      }
    }
    #expect(abs(tangents.sum().scalar - sum) < 1e-8 * sum)
  }

  // What there is of trajectories that fail can be read where it was recorded.
  @Test func failuresAreRecorded() throws {
    let field = NativeEquation(Ring(stateCount: 1, parameterCount: 1))
    // Without the cube's damping y' = p y grows until it is no number; the cube of huge states is infinite at once.
    let solution = try field.solve(
      from: [1e200, 1, 1, 2, 3], parameters: [1], times: [0.5, 1], keepsRecord: true, allowsFailures: true)
    #expect(solution.failures.map(\.trajectory) == [0])
    #expect(solution.endTimes[0] < 0.5 && solution.endTimes[1] == 1)
    #expect(throws: DifferentialEquationError.self) { _ = try solution.pullback(solution.states) }
    #expect(try solution.state(trajectory: 0, at: 0) == [1e200])
    let early = try solution.state(trajectory: 3, at: 0.5)
    #expect(abs(early[0] - solution.state(trajectory: 3, time: 0)[0]) < 1e-12)
    #expect(throws: DifferentialEquationError.self) { _ = try solution.state(trajectory: 5, at: 0) }
  }
}
