import Lanes
import LinearAlgebra

/// Solves quadratic programs of one structure: memory, and for sparse ones the order of elimination, are kept from solve to solve.
///
/// Not thread-safe: one for each thread.
public final class QuadraticProgramSolver {
  /// How the matrices are stored and factored.
  public enum Storage: Sendable, Hashable {
    /// Dense where programs are small or most entries are there.
    case automatic
    /// Cholesky decomposition of the condensed system.
    case dense
    /// L D Lᵀ decomposition of the whole system.
    case sparse
  }
  enum Core {
    case dense(ProximalInteriorPoint<PackedProgramMatrices>)
    case sparse(ProximalInteriorPoint<SparseProgramMatrices>)
  }
  /// The options.
  public let options: QuadraticProgramOptions
  let core: Core
  private(set) var hasSolution = false
  private(set) var wasPolished = false
  var regularityOfSolution: QuadraticProgramRegularity?
  let quadraticPattern, equalityPattern, inequalityPattern: SparsityPattern
  /// Equations, rows and bounds.
  var constraintCount: Int {
    equalityPattern.rowCount + inequalityPattern.rowCount + quadraticPattern.rowCount
  }

  /// - Parameters:
  ///   - program: what has the structure; its numbers are not used yet.
  ///   - storage: of the matrices.
  ///   - options: tolerances and limits.
  /// - Throws: ``QuadraticProgramError`` if the program is malformed.
  public init(
    for program: QuadraticProgram, storage: Storage = .automatic, options: QuadraticProgramOptions = .init()
  ) throws(QuadraticProgramError) {
    try program.validate()
    guard options.barrier >= 0, options.barrier.isFinite else {
      throw .nonFinite("the barrier is \(options.barrier); it is zero, or positive")
    }
    self.options = options
    quadraticPattern = program.quadratic.pattern
    equalityPattern = program.equalities.pattern
    inequalityPattern = program.inequalities.pattern
    let (n, p, m) = (program.variableCount, program.equalityCount, program.inequalityCount)
    let entries = quadraticPattern.entryCount + equalityPattern.entryCount + inequalityPattern.entryCount
    let isSmall = n + p <= 40 || (n + p <= 1500 && Double(entries) > 0.3 * Double(n * (n + p + m)))
    if storage == .dense || (storage == .automatic && isSmall) {
      let size = ProgramSize(variables: n, rows: p + m, equalities: p)
      let scratch = LaneMemory<Pack>(PackedProgramMatrices.scratchCount(size))
      core = .dense(
        ProximalInteriorPoint(PackedProgramMatrices(size, scratch: scratch), scratch: scratch))
    } else {
      do throws(LinearAlgebraError) {
        core = .sparse(
          ProximalInteriorPoint(
            try SparseProgramMatrices(
              SparseProgramStructure(
                quadratic: quadraticPattern, equalities: equalityPattern, inequalities: inequalityPattern))))
      } catch { throw .shape(error.description) }
    }
  }

  /// Solves.
  /// - Parameters:
  ///   - program: of the solver's structure.
  ///   - warmStart: a solution of a program nearby.
  ///   - isCancelled: asked in every iteration.
  /// - Returns: the solution, whatever its status. ``QuadraticProgram/solve(storage:options:)`` throws instead.
  /// - Throws: ``QuadraticProgramError`` if the program is malformed, has another structure, or is not convex.
  public func solve(
    _ program: QuadraticProgram, warmStart: QuadraticProgramSolution? = nil,
    isCancelled: () -> Bool = { false }
  ) throws(QuadraticProgramError) -> QuadraticProgramSolution {
    try program.validate()
    // Derivatives need the solution that comes; what was known of the last one ends here, even if this solve fails.
    (hasSolution, regularityOfSolution) = (false, nil)
    guard program.quadratic.pattern == quadraticPattern, program.equalities.pattern == equalityPattern,
      program.inequalities.pattern == inequalityPattern
    else {
      throw .shape("the program's matrices have other patterns than those that the solver was made for")
    }
    switch core {
    case .dense(let core):
      core.matrices.load(program)
      return try solve(core, program, warmStart, isCancelled)
    case .sparse(let core):
      core.matrices.loadValues(
        quadratic: program.quadratic.values, rows: program.equalities.values + program.inequalities.values)
      return try solve(core, program, warmStart, isCancelled)
    }
  }

  private func solve<M: ProgramMatrices>(
    _ core: ProximalInteriorPoint<M>, _ program: QuadraticProgram, _ warmStart: QuadraticProgramSolution?,
    _ isCancelled: () -> Bool
  ) throws(QuadraticProgramError) -> QuadraticProgramSolution {
    let (n, p, m) = (program.variableCount, program.equalityCount, program.inequalityCount)
    core.matrices.loadVariables(program.linear, place: 0, programs: 1, into: core.linear)
    core.load(
      lower: program.equalityValues + program.lower + program.lowerBounds,
      upper: program.equalityValues + program.upper + program.upperBounds, programs: 1,
      infinity: options.infinity)
    core.equilibrate(rounds: options.equilibrationRounds)
    if !core.isConvex().allTrue {
      if n > 1000, let failure = (core.matrices as? SparseProgramMatrices)?.failure {
        // In the order of least fill, as a dense elimination would take too long.
        let scale = core.columnScale[failure.row][lane: 0]
        throw .notConvex(
          variable: failure.row, pivot: failure.pivot / (scale * scale * core.objectiveScale[lane: 0]))
      }
      let (variable, pivot) = firstNegativePivot(program.quadratic)
      throw .notConvex(variable: variable, pivot: pivot)
    }
    if let warmStart, warmStart.x.count == n, warmStart.equalityMultipliers.count == p,
      warmStart.inequalityMultipliers.count == m, warmStart.boundMultipliers.count == n,
      (warmStart.x + warmStart.equalityMultipliers + warmStart.inequalityMultipliers
        + warmStart.boundMultipliers)
        .allSatisfy(\.isFinite)
    {
      core.loadStart(
        x: warmStart.x,
        multipliers: warmStart.equalityMultipliers + warmStart.inequalityMultipliers
          + warmStart.boundMultipliers,
        programs: 1)
      core.initializeWarm()
    } else {
      core.initialize()
    }
    let outcome = core.solveAndPolish(options, isAlone: true, isCancelled: isCancelled)
    let (residuals, isPolished) = (outcome.residuals, outcome.isPolished[0])
    hasSolution = outcome.status[0] == .converged
    wasPolished = isPolished
    let (x, multipliers) = core.solution(variables: n, constraints: p + m + n)
    var solution = QuadraticProgramSolution(
      status: outcome.status[0], x: x, equalityMultipliers: Array(multipliers[..<p]),
      inequalityMultipliers: Array(multipliers[p..<p + m]), boundMultipliers: Array(multipliers[(p + m)...]),
      objective: program.objective(x), iterations: outcome.iterations[0],
      residuals: .init(
        primal: residuals.primal[lane: 0], dual: residuals.dual[lane: 0], gap: residuals.gap[lane: 0]),
      isPolished: isPolished, certificate: nil)
    switch solution.status {
    case .infeasible:
      let support = core.support()[lane: 0]
      solution.certificate = .infeasible(
        equalities: solution.equalityMultipliers.map { $0 / -support },
        inequalities: solution.inequalityMultipliers.map { $0 / -support },
        bounds: solution.boundMultipliers.map { $0 / -support })
    case .unbounded:
      let slope = zip(x, program.linear).reduce(0) { $0 + $1.0 * $1.1 }
      solution.certificate = .unbounded(direction: x.map { $0 / -slope })
    default: break
    }
    return solution
  }
}

extension QuadraticProgram {
  /// The solution.
  /// - Throws: ``QuadraticProgramError`` if the program is malformed or not convex, or was not solved.
  public func solve(
    storage: QuadraticProgramSolver.Storage = .automatic, options: QuadraticProgramOptions = .init()
  ) throws(QuadraticProgramError) -> QuadraticProgramSolution {
    let solution = try QuadraticProgramSolver(for: self, storage: storage, options: options).solve(self)
    guard solution.status == .converged else {
      let r = solution.residuals
      throw .notSolved(
        solution.status,
        "after \(solution.iterations) iterations the residuals are \(r.primal) (constraints), \(r.dual) (stationarity), "
          + "\(r.gap) (gap)")
    }
    return solution
  }
}

extension ProximalInteriorPoint {
  /// Whether Q has no negative eigenvalue beyond rounding, lane by lane; scaled already.
  func isConvex() -> L.Mask {
    // Its factor and weights take the place of those of a program that was solved before.
    hasActiveFactor = false
    for i in 0..<n { diagonal[i] = L(0.0) }
    // Scaled once more by one: in `weights`, which is free yet.
    weights.update(repeating: L(1.0), count: n)
    matrices.quadraticNorms(diagonal, columnScale: weights)
    var largest = L(0.0)
    for i in 0..<n { largest = L.maximum(largest, diagonal[i]) }
    let shift = Matrices.largest(largest) * 1e-10 + 1e-300
    for i in 0..<n { diagonal[i] = shift }
    weights.update(repeating: L(0.0), count: constraintCount)
    return matrices.factorize(diagonal: diagonal, weights: weights) .& matrices.hasPositivePivots
  }
}
/// The first negative pivot of an elimination without exchanges of rows, after Q was found to have one. Rows of zeros are passed over.
private func firstNegativePivot(_ matrix: CompressedMatrix) -> (variable: Int, pivot: Double) {
  let n = matrix.rows
  var a = [Double](repeating: 0, count: n * n)
  let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
  for row in 0..<n {
    for k in offsets[row]..<offsets[row + 1] { a[row * n + columns[k]] += matrix.values[k] }
  }
  let size = a.reduce(0) { max($0, $1.magnitude) }
  var least = (variable: 0, pivot: Double.infinity)
  for k in 0..<n {
    let pivot = a[k * n + k]
    if pivot < least.pivot { least = (k, pivot) }
    if pivot < -1e-10 * size { return (k, pivot) }
    if pivot <= 1e-12 * size {
      // [0 b; b c] has the eigenvalues of both signs that b brings.
      if let j = (k + 1..<n).first(where: { a[k * n + $0].magnitude > 1e-9 * size }) {
        return (j, -a[k * n + j].magnitude)
      }
      continue
    }
    for i in k + 1..<n where a[i * n + k] != 0 {
      let factor = a[i * n + k] / pivot
      for j in k + 1..<n { a[i * n + j] -= factor * a[k * n + j] }
    }
  }
  return least
}
