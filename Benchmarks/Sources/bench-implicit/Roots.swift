import BenchmarkSupport
import Costate
import Foundation

/// One solver on one problem; what the peers' script prints.
private struct SolvedProblem: Decodable {
  var group: String
  var solver: String
  var problem: String
  var solved: Bool
  var evaluations: Int
  var jacobians: Int
  /// Nanoseconds.
  var min: Double
}

/// Solves a problem, compiled.
/// - Parameters:
///   - solve: from the start to the solution.
///   - report: the same with its counts.
private func measure(
  _ group: String, _ solver: String, _ problem: TestProblem, rounds: Int, isSolved: (Tensor) -> Bool,
  solve: @escaping (Tensor) throws -> Tensor, report: (Tensor) throws -> ImplicitSolution<Tensor>
) throws -> SolvedProblem {
  let start = Tensor(problem.start)
  let compiled = jit(solve)
  let counts = try report(start)
  var best = Double.infinity
  let isFound = (try? compiled(start)).map(isSolved) ?? false
  for _ in 0..<rounds { best = min(best, repeatedly(4) { try? compiled(start) }) }
  return SolvedProblem(
    group: group, solver: solver, problem: problem.name, solved: isFound,
    evaluations: Int(counts.evaluations.scalar), jacobians: Int(counts.derivativeEvaluations.scalar),
    min: best)
}

private func measuredRoots(rounds: Int) throws -> [SolvedProblem] {
  let methods: [(String, RootMethod)] = [
    ("Newton", .newton()), ("Newton without a line search", .newton(lineSearch: false)), ("chord", .chord),
    ("Broyden", .broyden), ("dogleg", .dogleg),
    ("Levenberg–Marquardt", .levenbergMarquardt),
  ]
  return try methods.flatMap { name, method in
    let options = RootOptions(method: method, control: SolveControl(maximumIterations: 1000))
    return try TestProblem.systems.map { problem in
      try measure(
        "roots", name, problem, rounds: rounds, isSolved: problem.isRoot,
        solve: { start in try root({ x in try problem.residual(x) }, guess: start, options: options) },
        report: { start in
          try rootWithReport({ x in try problem.residual(x) }, guess: start, options: options)
        })
    }
  }
}

private func measuredFits(rounds: Int) throws -> [SolvedProblem] {
  let methods: [(String, LeastSquaresMethod)] = [
    ("Levenberg–Marquardt", .levenbergMarquardt), ("dogleg", .dogleg), ("Gauss–Newton", .gaussNewton),
  ]
  return try methods.flatMap { name, method in
    let options = LeastSquaresOptions(method: method)
    return try TestProblem.fits.map { problem in
      try measure(
        "leastSquares", name, problem, rounds: rounds, isSolved: problem.isMinimum,
        solve: { start in
          try nonlinearLeastSquares({ x in try problem.residual(x) }, guess: start, options: options)
        },
        report: { start in
          try nonlinearLeastSquaresWithReport(
            { x in try problem.residual(x) }, guess: start, options: options)
        })
    }
  }
}

/// Systems of equations or least squares: what each solver solves, evaluations, and the time of what it solves. Each of ours is set beside the
/// peers of the same kind on the problems that both solve.
func measureTestProblems(_ group: String, _ peers: Script?, rounds: Int, _ report: Report) throws {
  let isRoots = group == "roots"
  let problems = isRoots ? TestProblem.systems : TestProblem.fits
  report.heading(
    "\(isRoots ? "Systems of equations" : "Least squares") of Moré, Garbow and Hillstrom: \(problems.count) problems"
  )
  let ours = try isRoots ? measuredRoots(rounds: rounds) : measuredFits(rounds: rounds)
  let theirs = try peers?.run([group], as: SolvedProblem.self) ?? []
  func solvers(_ all: [SolvedProblem]) -> [String] {
    all.reduce(into: []) { if !$0.contains($1.solver) { $0.append($1.solver) } }
  }
  let all = ours + theirs
  for solver in solvers(all) {
    let mine = all.filter { $0.solver == solver }
    let solved = mine.filter(\.solved)
    report.add("\(solver): solved", value: Double(solved.count), unit: "of \(problems.count)")
    report.add(
      "\(solver): residuals", value: Double(mine.reduce(0) { $0 + $1.evaluations }),
      unit: solver.hasPrefix("optimistix") ? "steps" : "")
    report.add("\(solver): Jacobians", value: Double(mine.reduce(0) { $0 + $1.jacobians }), unit: "")
    report.add("\(solver): all that it solves", Timing([solved.reduce(0.0) { $0 + $1.min }]))
    for problem in mine where !problem.solved { print("    not solved: \(problem.problem)") }
  }
  for mine in solvers(ours) {
    for peer in solvers(theirs) {
      var (ownTime, peerTime) = (0.0, 0.0)
      for a in ours where a.solver == mine && a.solved {
        guard let b = theirs.first(where: { $0.solver == peer && $0.problem == a.problem }), b.solved else {
          continue
        }
        ownTime += a.min
        peerTime += b.min
      }
      report.compare("\(peer) / \(mine), solved by both", peerTime / ownTime, nil)
    }
  }
  for line in all {
    report.record(
      "\(group), \(line.solver), \(line.problem)\(line.solved ? "" : ", not solved")", Timing([line.min]))
  }
}
