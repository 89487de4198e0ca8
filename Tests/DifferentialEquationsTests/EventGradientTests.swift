import Autodiff
import DifferentialEquations
import Foundation
import TestSupport
import Testing

/// Derivatives through events against closed forms, by every gradient method that has them.
@Suite struct EventGradientTests {
  static let methods: [SolverMethod] = [
    .tsitouras5, .dormandPrince8, .radau5, .kvaerno5, .backwardDifferentiation,
  ]
  static let gradients: [GradientMethod] = [.discreteAdjoint, .forwardSensitivity, .continuousAdjoint]

  /// The gradient of a closed form by differences.
  private func differences(_ point: [Double], _ f: ([Double]) -> Double) -> [Double] {
    point.indices.map { k in
      CentralDifferences(step: 1e-3 * max(abs(point[k]), 0.1)) { s in
        var moved = point
        moved[k] += s
        return f(moved)
      }.extrapolated
    }
  }

  // Height and velocity of a ball at times before, between and after several bounces; the first output is the initial state.
  @Test(arguments: methods, gradients) func bouncingBall(_ method: SolverMethod, _ gradient: GradientMethod)
    throws
  {
    let point = [1.3, 0.4, 9.81, 0.8]
    let times = [0.0, 0.3, 1.1, 2.0, 2.9]
    #expect(EventTests.exact(1.3, 0.4, 9.81, 0.8, 2.9).bounces >= 4)
    let weights = [0.3, 0.1, 1, -0.2, 0.7, 0.4, -1, 0.6, 2, 0.5]
    func exact(_ x: [Double]) -> Double {
      times.enumerated().reduce(0) { sum, item in
        let y = EventTests.exact(x[0], x[1], x[2], x[3], item.element).y
        return sum + weights[2 * item.offset] * y[0] + weights[2 * item.offset + 1] * y[1]
      }
    }
    let options = SolverOptions(method: method, relativeTolerance: 1e-9, absoluteTolerance: 1e-11)
    let found = try grad { (x: [Tensor]) in
      let y = try EventTests.ball.solve(
        from: x[0], parameters: x[1], times: Tensor(times), options: options, gradient: gradient)
      return (y * Tensor(weights, shape: [times.count, 2])).sum()
    }([[1.3, 0.4], [9.81, 0.8]]).flatMap(\.values)
    let expected = differences(point, exact)
    let accuracy = method == .backwardDifferentiation ? 2e-5 : 2e-7
    #expect(
      zip(found, expected).allSatisfy { abs($0 - $1) < accuracy * max(1, abs($1)) && abs($1) > 1e-3 },
      "\(found) \(expected)")
  }

  /// A drug that is used up at a rate, and given again by a dose whenever there is less than a limit: parameters are rate, limit and dose.
  static let dosing = OrdinaryDifferentialEquation(
    events: [
      EquationEvent<Tensor, Tensor>(
        .falling, of: { t, y, p in y[0] - p[1] }, jump: { t, y, p in y + p[2].reshaped([1]) })
    ]
  ) { t, y, p in -p[0] * y }
  private static func amount(_ start: Double, _ rate: Double, _ limit: Double, _ dose: Double, _ end: Double)
    -> (value: Double, doses: Int)
  {
    var (y, t, doses) = (start, 0.0, 0)
    while true {
      let next = t + Foundation.log(y / limit) / rate
      if next > end { return (y * Foundation.exp(-rate * (end - t)), doses) }
      (y, t, doses) = (limit + dose, next, doses + 1)
    }
  }

  // The limit moves the time of each event; the flow is not a polynomial.
  @Test(arguments: methods, gradients) func doses(_ method: SolverMethod, _ gradient: GradientMethod) throws {
    let point = [2.0, 0.7, 0.5, 1.4]
    #expect(Self.amount(2, 0.7, 0.5, 1.4, 7).doses == 3)
    let options = SolverOptions(method: method, relativeTolerance: 1e-9, absoluteTolerance: 1e-11)
    let f = { (x: [Tensor]) in
      try Self.dosing.solve(
        from: x[0], parameters: x[1], endTime: 7.0, options: options, gradient: gradient)[0]
    }
    let x: [Tensor] = [[2.0], [0.7, 0.5, 1.4]]
    let found = try grad(f)(x).flatMap(\.values)
    let expected = differences(point) { Self.amount($0[0], $0[1], $0[2], $0[3], 7).value }
    let accuracy = method == .backwardDifferentiation ? 2e-5 : 2e-7
    #expect(
      zip(found, expected).allSatisfy { abs($0 - $1) < accuracy * max(1, abs($1)) && abs($1) > 1e-3 },
      "\(found) \(expected)")
    if method != .tsitouras5 { return }
    // Batches, and forward mode.
    let states: [Double] = [2.0, 1.1, 3.3]
    let rows = try vmap({ (y: [Tensor]) in try grad(f)([y[0], x[1]]) })([Tensor(states, shape: [3, 1])])
    for (k, start) in states.enumerated() {
      let expected = differences([start] + point.dropFirst()) {
        Self.amount($0[0], $0[1], $0[2], $0[3], 7).value
      }
      let found = rows.flatMap { $0[k].values }
      #expect(
        zip(found, expected).allSatisfy { abs($0 - $1) < 2e-7 * max(1, abs($1)) }, "\(found) \(expected)")
    }
    let tangent = try jvp(f, at: x, along: [[0.0], [0.0, 1.0, 0.0]]).tangent.scalar
    #expect(abs(tangent - expected[2]) < 2e-7)
  }

  // Two states on both sides of an event differ by the jump, so that what is before it must be known.
  @Test func backsolveRefusesEvents() throws {
    let error = #expect(throws: TensorError.self) {
      _ = try grad { (x: Tensor) in
        try Self.dosing.solve(
          from: x, parameters: [0.7, 0.5, 1.4], endTime: 7.0, gradient: .backsolve)[0]
      }([2.0])
    }
    #expect(error?.description.contains("backsolve") == true)
  }
}
