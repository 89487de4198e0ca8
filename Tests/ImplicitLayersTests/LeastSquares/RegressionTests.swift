import Autodiff
import Foundation
import ImplicitLayers
import Testing

/// NIST's Statistical Reference Datasets for nonlinear regression, from both published starts: the far one and the near one.
@Suite struct RegressionTests {
  /// The least number of digits, of all parameters, that agree with the certified ones.
  private func digits(_ problem: RegressionProblem, _ b: [Double]) -> Double {
    zip(b, problem.parameters).map { -log10(max(abs($0 - $1) / abs($1), 1e-11)) }.min()!
  }
  private func fit(_ problem: RegressionProblem, _ start: [Double], _ method: LeastSquaresMethod) throws
    -> ImplicitSolution<Tensor>
  {
    let y = problem.observations
    return try nonlinearLeastSquaresWithReport(
      { (b: Tensor) in problem.residual(b, y) }, guess: Tensor(start),
      options: LeastSquaresOptions(method: method))
  }

  @Test func everyProblemIsThere() {
    let all = RegressionProblem.all
    #expect(all.count == 27)
    for level in ["lower", "average", "higher"] { #expect(all.filter { $0.level == level }.count >= 8) }
  }

  @Test(arguments: RegressionProblem.all) func sixDigits(_ problem: RegressionProblem) throws {
    for start in problem.starts {
      let result = try fit(problem, start, .levenbergMarquardt)
      #expect(try result.solverStatus() == .converged)
      let found = digits(problem, result.solution.values)
      #expect(found >= 6, "\(problem) from \(start): \(found) digits")
      let sum = 2 * result.value.scalar
      // The certified sum of the first problem of Lanczos is rounding of data that fit exactly.
      #expect(
        problem.name == "Lanczos1"
          ? sum < 1e-20 : abs(sum - problem.sumOfSquares) <= 1e-9 * problem.sumOfSquares)
    }
  }

  /// Other methods fail on some from the far start, and say so or end in a worse local minimum.
  @Test(arguments: [
    (LeastSquaresMethod.dogleg, ["MGH09", "MGH17"]),
    (.gaussNewton, ["Eckerle4", "MGH09", "MGH10", "MGH17", "Rat43"]),
  ]) func otherMethods(_ method: LeastSquaresMethod, _ failing: [String]) throws {
    for problem in RegressionProblem.all {
      let near = try fit(problem, problem.starts[1], method)
      #expect(try near.solverStatus() == .converged, "\(problem)")
      #expect(digits(problem, near.solution.values) >= 6, "\(problem)")
      let end = try fit(problem, problem.starts[0], method)
      let far = digits(problem, end.solution.values)
      let isHonest =
        try end.solverStatus() != .converged || 2 * end.value.scalar > 1.001 * problem.sumOfSquares
      #expect(far >= 6 || failing.contains(problem.name) && isHonest, "\(problem): \(far)")
    }
  }

  /// Observations that all grow by the same factor make amplitudes grow by it, and nothing else; those of Nelson (the logarithm) and
  /// Roszman that grow by a constant change the constant only. Unknowns of these fits differ by up to ten orders of magnitude.
  @Test(arguments: RegressionProblem.all) func derivativeByObservations(_ problem: RegressionProblem) throws {
    let y = problem.observations
    let solve = { (y: Tensor) in
      try nonlinearLeastSquares(
        { (b: Tensor) in problem.residual(b, y) }, guess: Tensor(problem.starts[1]))
    }
    let b = try solve(y).values
    var expected = [Double](repeating: 0, count: b.count)
    var direction = y
    if let (places, power) = problem.amplitudes {
      for k in places { expected[k] = power * b[k] }
    } else {
      direction = Tensor.ones(y.shape)
      expected[0] = 1
    }
    let tangent = try jvp(solve, at: y, along: direction).tangent.values
    // In units of the unknown. The third problem of Lanczos is so ill-conditioned that its solution has no more than six digits.
    let tolerance = problem.name == "Lanczos3" ? 3e-4 : 2e-6
    for k in b.indices {
      #expect(abs(tangent[k] - expected[k]) <= tolerance * abs(b[k]), "\(problem), parameter \(k)")
    }
    // The same in reverse.
    let gradient = try vjp(solve, at: y).pullback(Tensor(b.map { 1 / $0 }))
    let backward = (gradient * direction).sum().scalar
    let forward = zip(tangent, b).reduce(0) { $0 + $1.0 / $1.1 }
    #expect(abs(backward - forward) <= 1e-6 * max(1, abs(forward)), "\(problem): \(forward), \(backward)")
  }
}
