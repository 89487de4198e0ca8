import BenchmarkSupport
import Costate
import Foundation

/// What a case in a process of its own prints, ours or SciPy's.
struct SparseResult: Codable {
  var name: String
  /// Nanoseconds from the matrix to the solution.
  var min: Double
  /// Nanoseconds from there to the gradient with respect to matrix and right-hand side.
  var backward: Double
  /// Steps of the solution, and where they are known of the gradient.
  var iterations: [Int]
  /// Memory above what the matrix took.
  var bytes: Int
  /// Entries of the factors.
  var entries: Int?
  /// Relative to the right-hand side.
  var residual: Double
  /// The loss and a number that stands for its gradient: the same in all programs.
  var sum: Double
  var slope: Double
}

/// The five-point Laplacian on a square grid.
func poisson(_ grid: Int) throws -> (pattern: SparsityPattern, values: [Double]) {
  var (offsets, columns, values): ([Int], [Int], [Double]) = ([0], [], [])
  for i in 0..<grid {
    for j in 0..<grid {
      let row = i * grid + j
      for (column, exists) in [
        (row - grid, i > 0), (row - 1, j > 0), (row, true), (row + 1, j < grid - 1),
        (row + grid, i < grid - 1),
      ] where exists {
        columns.append(column)
        values.append(column == row ? 4 : -1)
      }
      offsets.append(columns.count)
    }
  }
  let pattern = try SparsityPattern(
    rowCount: grid * grid, columnCount: grid * grid, rowOffsets: offsets, columnIndices: columns)
  return (pattern, values)
}

/// The Poisson equation, solved and differentiated, each method in a process of its own.
func measureSparse(grid: Int, methods: [String], _ scipy: Script?, _ report: Report) throws {
  report.heading("Poisson equation on \(grid) x \(grid) points, float64")
  guard let own = Peer(CommandLine.arguments[0]) else { throw BenchmarkError("cannot start itself") }
  let peers = ["cg": ["cg"], "cholesky": ["superlu-symmetric"], "lu": ["superlu"]]
  for method in methods {
    let ours = try own.run(["--probe", "sparse,\(method),\(grid)"], as: SparseResult.self)
    let theirs = try (peers[method] ?? []).flatMap {
      try scipy?.run(["\(grid)", $0], as: SparseResult.self) ?? []
    }
    for result in ours + theirs {
      report.add("\(result.name): solution", Timing([result.min]))
      report.add("\(result.name): gradient", Timing([result.backward]))
      report.add("\(result.name): memory", value: Double(result.bytes) / 1e6, unit: "MB")
      if let entries = result.entries {
        report.add("\(result.name): entries of the factors", value: Double(entries), unit: "")
      }
      for count in result.iterations {
        report.add("\(result.name): iterations", value: Double(count), unit: "")
      }
      report.add("\(result.name): relative residual, of 1e-8", value: result.residual / 1e-8, unit: "")
    }
    for result in ours {
      report.compare(
        "gradient over solution: \(result.name)", Timing([result.backward]), over: Timing([result.min]),
        .atMost(1.2))
      if result.iterations.count == 2 {
        // The two right-hand sides need different numbers of steps.
        let steps = result.iterations.map { Double($0) }
        report.compare(
          "the same for one iteration", Timing([result.backward / steps[1]]),
          over: Timing([result.min / steps[0]]))
      }
      for other in theirs {
        report.compare("\(other.name) over \(result.name)", Timing([other.min]), over: Timing([result.min]))
        report.compare(
          "\(other.name) over \(result.name), gradient", Timing([other.backward]),
          over: Timing([result.backward]))
        // Iterations that end at a residual of 1e-8 have errors of about that times the condition number.
        guard (other.sum / result.sum - 1).magnitude < 1e-3, (other.slope / result.slope - 1).magnitude < 1e-3
        else {
          throw BenchmarkError(
            "\(other.name) and \(result.name) differ: \(other.sum), \(other.slope) and \(result.sum), \(result.slope)"
          )
        }
      }
    }
  }
}

private func seconds<T>(_ body: () throws -> T) rethrows -> (T, Double) {
  let start = ContinuousClock.now
  let result = try body()
  let time = ContinuousClock.now - start
  return (result, Double(time.components.seconds) + 1e-18 * Double(time.components.attoseconds))
}

private func probeSparse(_ method: String, grid: Int) throws {
  let methods: [String: LinearMethod] = ["cg": .conjugateGradients, "cholesky": .cholesky, "lu": .lu]
  guard let chosen = methods[method] else { throw BenchmarkError("no method \(method)") }
  let (pattern, numbers) = try poisson(grid)
  let values = Tensor(numbers)
  let b = Tensor((0..<grid * grid).map { Foundation.sin(0.1 * Double($0) + 0.3) })
  let options = LinearSolveOptions(
    method: chosen, stopping: StoppingCriterion(relativeTolerance: 1e-8),
    preconditioner: method == "cg" ? .incompleteCholesky(modification: 1) : .none)
  let before = peakMemory() ?? 0
  let ((loss, pullback), forward) = try seconds {
    try vjp(
      { (values: Tensor, b: Tensor) in
        let x = solve(.sparse(pattern, values: values, tags: .positiveDefinite), b, options)
        return (x * x).sum()
      }, at: (values, b))
  }
  let (gradient, backward) = try seconds { try pullback(Tensor(1.0)) }
  let memory = (peakMemory() ?? 0) - before
  let slope = gradient.0.values.enumerated().reduce(0) {
    $0 + $1.element * Foundation.cos(0.2 * Double($1.offset))
  }
  // Once more for what the loss does not tell. The cotangent of the solution is twice the solution.
  let a = LinearOperator.sparse(pattern, values: values, tags: .positiveDefinite)
  let solution = try solveWithReport(a, b, options)
  let adjoint = method == "cg" ? try solveWithReport(a, 2 * solution.solution, options) : solution
  let x = solution.solution.values
  let product = try CompressedMatrix(pattern, values: numbers).multiply(x)
  let right = b.values
  let (difference, norm) = zip(product, right).reduce((0.0, 0.0)) {
    ($0.0 + ($1.0 - $1.1) * ($1.0 - $1.1), $0.1 + $1.1 * $1.1)
  }
  let result = SparseResult(
    name: "ours \(method)", min: 1e9 * forward, backward: 1e9 * backward,
    iterations: method == "cg" ? [solution, adjoint].map { Int($0.iterations.scalar) } : [], bytes: memory,
    entries: nil,
    residual: (difference / norm).squareRoot(), sum: loss.scalar, slope: slope)
  print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
}

/// One measurement in a process of its own: `sparse,METHOD,GRID` or `memory,KIND,TOLERANCE`.
func probe(_ request: String) throws {
  let parts = request.split(separator: ",").map(String.init)
  switch parts.first {
  case "sparse" where parts.count == 3: try probeSparse(parts[1], grid: Int(parts[2]) ?? 1000)
  case "memory" where parts.count == 3: try probeMemory(parts[1], exponent: Int(parts[2]) ?? 8)
  default: throw BenchmarkError("--probe takes sparse,METHOD,GRID or memory,KIND,EXPONENT")
  }
}
