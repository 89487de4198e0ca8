import Autodiff
import DifferentialEquations
import Foundation
import TestSupport
import Testing

@Suite struct EventTests {
  /// A ball above a floor: parameters are gravity and restitution.
  static let ball = OrdinaryDifferentialEquation(
    events: [
      EquationEvent<Tensor, Tensor>(
        .falling, of: { t, y, p in y[0] }, jump: { t, y, p in stack([y[0], -p[1] * y[1]]) })
    ]
  ) { t, y, p in stack([y[1], 0.0 * t - p[0]]) }

  /// Height and velocity in closed form, bounce by bounce.
  static func exact(_ h: Double, _ v: Double, _ g: Double, _ e: Double, _ end: Double) -> (
    y: [Double], bounces: Int
  ) {
    var (y, v, t) = (h, v, 0.0)
    var bounces = 0
    while true {
      let fall = (v + (v * v + 2 * g * y).squareRoot()) / g
      if t + fall > end { break }
      v = -e * (v - g * fall)
      y = 0
      t += fall
      bounces += 1
    }
    let rest = end - t
    return ([y + v * rest - g * rest * rest / 2, v - g * rest], bounces)
  }

  @Test(arguments: [
    SolverMethod.tsitouras5, .dormandPrince8, .dormandPrince5, .radau5, .kvaerno5, .rodas5P,
    .backwardDifferentiation,
  ])
  func bouncingBall(_ method: SolverMethod) throws {
    let options = SolverOptions(method: method, relativeTolerance: 1e-9, absoluteTolerance: 1e-11)
    let expected = Self.exact(1.3, 0.4, 9.81, 0.8, 2.0)
    #expect(expected.bounces == 2)
    let f = { (x: [Tensor]) in
      try Self.ball.solve(from: x[0], parameters: x[1], times: [0.3, 1.1, 2.0], options: options)
    }
    let x: [Tensor] = [[1.3, 0.4], [9.81, 0.8]]
    let value = try f(x)
    // Parabolas are solved exactly by these methods.
    // (Backward differentiation begins with a step of the first order.)
    let isMultistep = method == .backwardDifferentiation
    let accuracy = isMultistep ? 1e-6 : 1e-10
    #expect(zip(value[2].values, expected.y).allSatisfy { abs($0 - $1) < accuracy })
    let gradient = try grad { (x: [Tensor]) in try f(x)[2, 0] }(x)
    var difference: [Double] = []
    let point = [1.3, 0.4, 9.81, 0.8]
    for k in 0..<4 {
      difference.append(
        CentralDifferences(step: 1e-3) { s in
          var q = point
          q[k] += s
          return Self.exact(q[0], q[1], q[2], q[3], 2.0).y[0]
        }.extrapolated)
    }
    let found = gradient.flatMap(\.values)
    #expect(
      zip(found, difference).allSatisfy { abs($0 - $1) < (isMultistep ? 1e-5 : 1e-7) * max(1, abs($1)) },
      "\(found) \(difference)")
    for (k, expected) in difference.enumerated() {
      let unit = (0..<4).map { $0 == k ? 1.0 : 0 }
      let tangent = try jvp(
        { (x: [Tensor]) in try f(x)[2, 0] }, at: x,
        along: [Tensor(Array(unit[0..<2])), Tensor(Array(unit[2..<4]))]
      )
      .tangent.scalar
      #expect(
        abs(tangent - expected) < (isMultistep ? 1e-5 : 1e-7) * max(1, abs(expected)),
        "\(k) \(tangent) \(expected)")
    }
    if method == .tsitouras5 {
      #expect(try GradientLaws(tolerance: 1e-6, step: 1e-3).violations(of: f, at: x) == [])
    }
  }

  // No gravity, restitution one: after the bounce the height is the opposite of what it would have been, and so are its derivatives.
  @Test func elasticBounce() throws {
    let options = SolverOptions(relativeTolerance: 1e-9, absoluteTolerance: 1e-11)
    let gradient = try grad { (x: Tensor) in
      try Self.ball.solve(from: x, parameters: [0.0, 1.0], times: [1.0], options: options)[0, 0]
    }([0.9, -2.0])
    #expect(abs(gradient - Tensor([-1.0, -1.0])).values.max()! < 1e-12)
  }

  // A projectile's range: 2 v² sin cos / g, with all derivatives.
  @Test func terminalEvent() throws {
    let projectile = OrdinaryDifferentialEquation(
      events: [EquationEvent<Tensor, Tensor>(ending: .falling, of: { t, y, p in y[1] })]
    ) { t, y, g in stack([y[2], y[3], 0.0 * g, -g]) }
    let f = { (x: [Tensor]) -> Tensor in
      let (speed, angle) = (x[0], x[1])
      let (time, state) = try projectile.solveToEvent(
        from: stack([0.0, 0.0, speed * cos(angle), speed * sin(angle)]), parameters: x[2], startTime: x[3],
        latestTime: 100)
      return stack([time, state[0]])
    }
    let x: [Tensor] = [7.0, 0.6, 9.81, 0.5]
    let exact = { (x: [Tensor]) -> Tensor in
      let time = 2.0 * x[0] * sin(x[1]) / x[2]
      return stack([x[3] + time, time * x[0] * cos(x[1])])
    }
    #expect(abs(try f(x) - exact(x)).values.max()! < 1e-12)
    for row in 0..<2 {
      let found = try grad { (x: [Tensor]) in try f(x)[row] }(x).map(\.scalar)
      let expected = try grad { (x: [Tensor]) in exact(x)[row] }(x).map(\.scalar)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-11 * max(1, abs($1)) })
    }
    #expect(try GradientLaws(tolerance: 1e-6).violations(of: f, at: x) == [])
  }

  @Test func eventsThatDoNotHappen() throws {
    let line = OrdinaryDifferentialEquation(
      events: [EquationEvent<Tensor, Tensor>(ending: .falling, of: { t, y, p in y[0] })]
    ) { t, y, p in p + 0.0 * y }
    #expect(throws: TensorError.self) {
      _ = try line.solveToEvent(from: [1.0], parameters: [1.0], latestTime: 5)
    }
    do {
      _ = try line.solveToEvent(from: [1.0], parameters: [1.0], latestTime: 5)
    } catch let error as TensorError {
      #expect(error.description.contains("no event ended the solution before time 5"))
    }
    #expect(throws: TensorError.self) { _ = try line.solve(from: [1.0], parameters: [1.0], times: [1.0]) }
    let (time, _) = try line.solveToEvent(from: [1.0], parameters: [-0.25], latestTime: 5)
    #expect(abs(time.scalar - 4) < 1e-12)
  }

  // A pendulum whose damping changes where it swings through: the period against an integral.
  @Test func directions() throws {
    let count = OrdinaryDifferentialEquation(
      events: [
        EquationEvent<Tensor, Tensor>(
          .rising, of: { t, y, p in y[0] }, jump: { t, y, p in y + Tensor([0.0, 0.0, 1, 0]) }),
        EquationEvent<Tensor, Tensor>(
          .either, of: { t, y, p in y[0] - 0.2 }, jump: { t, y, p in y + Tensor([0.0, 0.0, 0, 1]) }),
      ]
    ) { t, y, p in stack([y[1], -y[0], 0.0 * t, 0.0 * t]) }
    let end = try count.solve(from: [1.0, 0.0, 0.0, 0.0], parameters: [0.0], times: [20 * Tensor(Double.pi)])
    #expect(end[0, 2].scalar == 10)
    #expect(end[0, 3].scalar == 20)
  }
}

extension EventTests {
  // The continuous extension between bounces, and the list of them.
  @Test func trajectory() throws {
    let solution = try Self.ball.trajectory(
      from: [1.3, 0.4], parameters: [9.81, 0.8], times: [2.0],
      options: SolverOptions(relativeTolerance: 1e-9, absoluteTolerance: 1e-11))
    #expect(solution.events[0].map(\.index) == [0, 0])
    let fall = (0.4 + (0.16 + 2 * 9.81 * 1.3).squareRoot()) / 9.81
    #expect(abs(solution.events[0][0].time - fall) < 1e-12)
    for time in stride(from: 0.0, through: 2, by: 0.05) {
      let expected = Self.exact(1.3, 0.4, 9.81, 0.8, time).y
      let found = try solution.state(at: time)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-10 })
    }
    #expect(throws: DifferentialEquationError.self) { _ = try solution.state(at: 2.1) }
    #expect(solution.statistics[0].acceptedSteps > 2)
    let (states, parameters) = try solution.pullback([1, 0])
    let gradient = try grad { (x: [Tensor]) in
      try Self.ball.solve(
        from: x[0], parameters: x[1], times: [2.0],
        options: SolverOptions(relativeTolerance: 1e-9, absoluteTolerance: 1e-11))[0, 0]
    }([[1.3, 0.4], [9.81, 0.8]])
    #expect(states == gradient[0].values && parameters == gradient[1].values)
  }
}
