import BenchmarkSupport
import Costate
import Foundation
import TextFigures

/// A problem with the methods that suit it.
struct PrecisionProblem {
  var problem: Problem
  var methods: [SolverMethod]
  /// Of the solution that the others are measured against.
  var reference: SolverMethod
  /// Absolute tolerances are this part of relative ones.
  var absolute = 1.0
}

extension PrecisionProblem {
  /// Van der Pol's oscillator at μ = 1000, where it is stiff, over half of a period.
  private static let vanDerPol = Problem(
    name: "van-der-pol",
    equation: OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      stack([y[1], p[0] * (1.0 - y[0] * y[0]) * y[1] - y[0]])
    },
    initial: Tensor([2, 0]), parameters: Tensor([1000]), end: 1000, options: SolverOptions(), repetitions: 2)

  static let all = [
    PrecisionProblem(
      problem: .lorenz, methods: [.bogackiShampine3, .dormandPrince5, .tsitouras5, .dormandPrince8],
      reference: .dormandPrince8),
    PrecisionProblem(
      problem: .pleiades, methods: [.bogackiShampine3, .dormandPrince5, .tsitouras5, .dormandPrince8],
      reference: .dormandPrince8),
    PrecisionProblem(
      problem: .robertson, methods: [.kvaerno3, .kvaerno5, .radau5, .rodas5P, .backwardDifferentiation],
      reference: .radau5, absolute: 1e-4),
    PrecisionProblem(
      problem: vanDerPol, methods: [.kvaerno3, .kvaerno5, .radau5, .rodas5P, .backwardDifferentiation],
      reference: .radau5),
  ]
}

/// How long methods take to be how precise: tolerances from 1e-3 to 1e-11, errors at the end against a solution of much tighter ones.
///
/// One figure for each problem, with the peers, is written into a folder.
func measurePrecision(_ peers: Peers, rounds: Int, folder: String, _ report: Report) throws {
  for entry in PrecisionProblem.all {
    let problem = entry.problem
    report.heading("\(problem.name), time by error")
    func options(_ method: SolverMethod, _ tolerance: Double) -> SolverOptions {
      var options = SolverOptions(
        method: method, relativeTolerance: tolerance, absoluteTolerance: tolerance * entry.absolute)
      options.maximumSteps = 10_000_000
      return options
    }
    func finalState(_ options: SolverOptions) -> ([Tensor]) throws -> Tensor {
      jit { (x: [Tensor]) in
        try problem.equation.solve(
          from: x[0], parameters: x[1], endTime: Tensor(problem.end), options: options)
      }
    }
    let point = [problem.initial, problem.parameters]
    let exact = try finalState(options(entry.reference, 1e-13))(point)
    var figure = VectorFigure(
      title: "\(problem.name): time of a solution by its error",
      horizontal: .init("relative error at the end", isLogarithmic: true),
      vertical: .init("time [ms]", isLogarithmic: true))
    for method in entry.methods {
      var points: [(Double, Double)] = []
      for exponent in 3...11 {
        // Methods of order 3 need ten times the steps for each three digits.
        if method.order <= 3 && exponent > 8 { continue }
        let solution = finalState(options(method, pow(10, -Double(exponent))))
        let error = (norm(try solution(point) - exact) / norm(exact)).scalar
        let timings = try interleave(
          rounds: rounds, [{ [try repeatedly(problem.repetitions, clock: .thread) { try solution(point) }] }])
        let label = "\(method.rawValue), tolerance 1e-\(exponent)"
        report.add(label, timings[0])
        report.add("\(label), relative error", value: error, unit: "")
        if error > 0 && error.isFinite {
          points.append((error, timings[0].minimum / 1e6))
        }
      }
      figure.add(method.rawValue, points, as: .markedLine)
    }
    var curves: [(name: String, points: [(Double, Double)])] = []
    for line in try peers.precision(problem.name) {
      let state = Tensor(line.state)
      let error = (norm(state - exact) / norm(exact)).scalar
      let label = "\(line.name), tolerance \(line.tolerance)"
      report.add(label, value: line.min, unit: "ns")
      report.add("\(label), relative error", value: error, unit: "")
      if curves.last?.name != line.name { curves.append((line.name, [])) }
      if error > 0 && error.isFinite { curves[curves.count - 1].points.append((error, line.min / 1e6)) }
    }
    for curve in curves { figure.add(curve.name, curve.points, as: .markedLine) }
    try figure.write(to: "\(folder)/precision-\(problem.name).svg")
  }
}
