import BenchmarkSupport
import Costate
import Foundation

/// What a peer prints of all fits together.
private struct FitLine: Decodable {
  var name: String
  var min: Double
  var solvedFar: Int
  var solvedNear: Int
  var evaluations: Int
}

/// A compiled fit of one problem: its starting point to its parameters.
private struct CompiledFit {
  let problem: RegressionProblem
  let fit: @Sendable (Tensor) throws -> Tensor

  init(_ problem: RegressionProblem, _ method: LeastSquaresMethod) {
    self.problem = problem
    let y = problem.observations
    let options = LeastSquaresOptions(method: method)
    fit = jit { (start: Tensor) in
      try nonlinearLeastSquares({ (b: Tensor) in problem.model(b) - y }, guess: start, options: options)
    }
  }
  /// Six digits of all parameters, as the peers' script counts.
  func isSolved(_ start: [Double]) -> Bool {
    guard let b = try? fit(Tensor(start)).values else { return false }
    return zip(b, problem.parameters).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) }
  }
}

/// NIST's 27 problems of nonlinear regression from both starts: how many reach six digits, and the time of all 54 fits.
func measureRegression(_ folder: String, _ peers: Script?, rounds: Int, _ report: Report) throws {
  let problems = try JSONDecoder().decode(
    [RegressionProblem].self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/nist_regression.json")))
  report.heading("NIST nonlinear regression: 27 problems from two starts, all 54 fits")
  for (name, method) in [
    ("Levenberg–Marquardt", LeastSquaresMethod.levenbergMarquardt), ("dogleg", .dogleg),
    ("Gauss–Newton", .gaussNewton),
  ] {
    var solved = [0, 0]
    var total = 0.0
    for problem in problems {
      let fit = CompiledFit(problem, method)
      for (k, start) in problem.starts.enumerated() {
        if fit.isSolved(start) { solved[k] += 1 }
        let guess = Tensor(start)
        // Some fits fail, which takes time too.
        total += (0..<rounds).map { _ in repeatedly(1) { try? fit.fit(guess) } }.min() ?? .nan
      }
    }
    report.add("\(name), all fits", Timing([total]))
    report.add("\(name), solved from far", value: Double(solved[0]), unit: "of 27")
    report.add("\(name), solved from near", value: Double(solved[1]), unit: "of 27")
  }
  for line in try peers?.run([], as: FitLine.self) ?? [] {
    report.add("\(line.name), all fits", Timing([line.min]))
    report.add("\(line.name), solved from far", value: Double(line.solvedFar), unit: "of 27")
    report.add("\(line.name), solved from near", value: Double(line.solvedNear), unit: "of 27")
  }
}
