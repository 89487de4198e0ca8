import Autodiff
import DifferentialEquations
import Foundation
import Testing

/// Derivatives from CVODES (Tools/write_sensitivity_fixtures.py).
private struct ReferenceSensitivities: Decodable, Sendable {
  var initial: [Double]
  var parameters: [Double]
  var end: Double
  var final: [Double]
  /// A row for each component of the final state.
  var byInitialState: [[Double]]
  var byParameters: [[Double]]
  /// How far two solutions with different tolerances are apart, in parts of a column's largest entry.
  var uncertainty: Double

  static let all: [String: ReferenceSensitivities] = {
    let url = Bundle.module.resourceURL!.appending(path: "Fixtures/sensitivities.json")
    do {
      return try JSONDecoder().decode([String: ReferenceSensitivities].self, from: Data(contentsOf: url))
    } catch { fatalError("\(error)") }
  }()
}

private func rightHandSide(_ name: String) -> RightHandSide {
  switch name {
  case "Lorenz":
    { y, p in stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]]) }
  case "Robertson":
    { y, k in
      let (a, b, c) = (k[0] * y[0], k[1] * y[1] * y[1], k[2] * y[1] * y[2])
      return stack([c - a, a - b - c, b])
    }
  case "Van der Pol": { y, p in stack([y[1], p[0] * (1.0 - y[0] * y[0]) * y[1] - y[0]]) }
  case "HIRES":
    { y, k in
      let product = k[1] * y[5] * y[7]
      return stack([
        -k[0] * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007,
        k[0] * y[0] - 8.75 * y[1],
        -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4],
        8.32 * y[1] + k[0] * y[2] - 1.12 * y[3],
        -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6],
        -product + 0.69 * y[3] + k[0] * y[4] - 0.43 * y[5] + 0.69 * y[6],
        product - k[2] * y[6],
        -product + k[2] * y[6],
      ])
    }
  default:
    { y, p in
      let n = 10
      let left = concatenate([p[2].reshaped([1]), y[0..<n - 1]])
      let right = concatenate([y[1..<n], Tensor.zeros([1])])
      return p[0] * 121.0 * (left + right - 2.0 * y) + p[1] * y * (1.0 - y)
    }
  }
}

@Suite struct SensitivityReferenceTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var problem: String
    var method: SolverMethod
    var gradient: GradientMethod
    var testDescription: String { "\(problem), \(method.rawValue), \(gradient.rawValue)" }
  }
  static let cases: [Case] = {
    let stiff: [SolverMethod] = [.kvaerno5, .radau5, .backwardDifferentiation, .rodas5P]
    let problems: [(name: String, methods: [SolverMethod])] = [
      ("Lorenz", [.tsitouras5, .dormandPrince8]), ("Van der Pol", [.dormandPrince5, .tsitouras5]),
      ("Robertson", stiff), ("HIRES", stiff), ("Heat", [.kvaerno5, .backwardDifferentiation, .tsitouras5]),
    ]
    var cases: [Case] = []
    for problem in problems {
      for method in problem.methods {
        for gradient in GradientMethod.allCases {
          // Linearly implicit steps have one gradient method, and dissipative problems cannot be solved backwards.
          if method == .rodas5P && gradient != .discreteAdjoint { continue }
          if gradient == .backsolve && problem.name != "Lorenz" { continue }
          cases.append(Case(problem: problem.name, method: method, gradient: gradient))
        }
      }
    }
    return cases
  }()

  // The whole Jacobian of the final state by initial state and parameters, row by row.
  @Test(arguments: cases) func jacobians(_ test: Case) throws {
    let reference = try #require(ReferenceSensitivities.all[test.problem])
    #expect(reference.uncertainty < 1e-7)
    let rate = rightHandSide(test.problem)
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in try rate(y, p) }
    let isStiff = test.method.isImplicit
    var options = SolverOptions(
      method: test.method, relativeTolerance: 1e-9, absoluteTolerance: isStiff ? 1e-13 : 1e-10)
    options.maximumSteps = 1_000_000
    let point = [Tensor(reference.initial), Tensor(reference.parameters)]
    let (value, pullback) = try vjp(
      { (x: [Tensor]) in
        try equation.solve(
          from: x[0], parameters: x[1], endTime: Tensor(reference.end), options: options,
          gradient: test.gradient)
      }, at: point)
    #expect(
      zip(value.values, reference.final).allSatisfy { abs($0 - $1) < 1e-6 * max(1, abs($1)) }, "\(value)")
    let n = reference.initial.count
    var rows: [[Double]] = []
    for i in 0..<n {
      rows.append(try pullback(Tensor((0..<n).map { $0 == i ? 1.0 : 0 })).flatMap(\.values))
    }
    let expected = zip(reference.byInitialState, reference.byParameters).map { $0 + $1 }
    for column in 0..<expected[0].count {
      let scale = expected.map { abs($0[column]) }.max()!
      let error = (0..<n).map { abs(rows[$0][column] - expected[$0][column]) }.max()!
      #expect(error < 1e-5 * scale && scale > 0, "column \(column): \(error / scale)")
    }
  }
}
