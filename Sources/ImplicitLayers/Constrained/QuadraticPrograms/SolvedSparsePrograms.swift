import Foundation
import Lanes
import LinearAlgebra
import Synchronization

/// Memory of which one program makes use at a time.
private final class SharedMemory: @unchecked Sendable {
  let memory: LaneMemory<Double>
  let lock = NSLock()
  init(_ count: Int) { memory = LaneMemory(count) }
}

/// A sparse program that was solved, kept for derivatives.
private final class SolvedSparseProgram: @unchecked Sendable {
  private let core: ProximalInteriorPoint<SparseProgramMatrices>
  private let scratch: SharedMemory
  private(set) var status = SolverStatus.converged
  private(set) var iterations = 0
  /// The variable at which elimination met a pivot that shows that Q is not positive semidefinite.
  private(set) var nonConvexVariable: Int?
  private var regularity: QuadraticProgramRegularity?

  /// - Parameter scratch: shared with the programs that the same thread solves.
  init(_ structure: SparseProgramStructure, _ scratch: SharedMemory) throws(LinearAlgebraError) {
    self.scratch = scratch
    let matrices = try SparseProgramMatrices(structure)
    scratch.lock.lock()
    defer { scratch.lock.unlock() }
    scratch.memory.restart()
    core = ProximalInteriorPoint(matrices, scratch: scratch.memory)
  }
  static func scratch(_ structure: SparseProgramStructure) -> SharedMemory {
    SharedMemory(
      ProximalInteriorPoint<SparseProgramMatrices>.scratchCount(
        n: structure.quadratic.rowCount, m: structure.rows.rowCount))
  }

  /// Takes one of several programs that lie one after the other, and solves it.
  func solve(
    _ data: ProgramPointers, program k: Int, _ structure: SparseProgramStructure,
    _ options: QuadraticProgramOptions, _ demands: ProgramDemands, into results: ProgramResults
  ) {
    scratch.lock.lock()
    defer { scratch.lock.unlock() }
    let n = core.n
    let constraints = core.constraintCount
    core.matrices.loadValues(
      quadratic: data.quadratic + k * structure.quadratic.entryCount,
      rows: data.rows + k * structure.rows.entryCount)
    core.matrices.loadVariables(data.linear + k * n, place: 0, programs: 1, into: core.linear)
    core.load(
      lower: data.lower + k * constraints, upper: data.upper + k * constraints, programs: 1,
      infinity: options.infinity)
    core.equilibrate(rounds: options.equilibrationRounds)
    nonConvexVariable = core.isConvex() ? nil : core.matrices.failure?.row ?? 0
    if nonConvexVariable != nil { return }
    core.initialize()
    let outcome = core.solveAndPolish(options, isAlone: true)
    (status, iterations) = (outcome.status[0], outcome.iterations[0])
    core.storeSolution(
      x: results.x + k * n, multipliers: results.multipliers + k * constraints, programs: 1)
    guard demands.derivatives else { return }
    let hasBarrier = options.barrier > 0
    core.prepareDerivative(hasBarrier: hasBarrier)
    core.storeShares(
      upper: results.upperShares + k * constraints, lower: results.lowerShares + k * constraints, programs: 1)
    guard demands.regularity else { return }
    regularity = QuadraticProgramRegularity(
      core.regularity(rounds: 2), lane: 0, hasBarrier: hasBarrier, isPolished: outcome.isPolished[0])
  }

  func knownRegularity() -> QuadraticProgramRegularity {
    guard let regularity else { preconditionFailure("regularity was not asked for") }
    return regularity
  }

  /// Solves the derivative's system for one right-hand side; its relative residual.
  func solveDerivative(
    x: UnsafePointer<Double>, rows: UnsafePointer<Double>, intoX: UnsafeMutablePointer<Double>,
    intoRows: UnsafeMutablePointer<Double>
  ) -> Double {
    scratch.lock.lock()
    defer { scratch.lock.unlock() }
    return core.solveDerivative(
      x: x, rows: rows, first: 0, programs: 1, intoX: intoX, intoRows: intoRows)
  }
}

/// Sparse programs of one structure that were solved together: each has a factor of its own, all share the analysis.
final class SolvedSparsePrograms: SolvedProgramSet, @unchecked Sendable {
  private let variables: Int
  private let constraints: Int
  let count: Int
  let statuses: [SolverStatus]
  let iterations: [Int]
  let nonConvexProgram: (program: Int, variable: Int?)?
  /// Empty if no derivatives were asked for: then programs that a thread solves use the same memory.
  private let members: [SolvedSparseProgram]

  /// Solves, on all cores.
  /// - Parameter results: where everything goes.
  init(
    _ data: ProgramPointers, _ structure: SparseProgramStructure, count: Int,
    options: QuadraticProgramOptions,
    demands: ProgramDemands, into results: ProgramResults
  ) throws(LinearAlgebraError) {
    variables = structure.quadratic.rowCount
    constraints = structure.rows.rowCount + variables
    self.count = count
    // Before there are several threads, as it makes the analysis.
    let first = try SolvedSparseProgram(structure, SolvedSparseProgram.scratch(structure))
    struct Found: Sendable {
      var status: SolverStatus
      var iterations: Int
      var nonConvexVariable: Int?
      var member: SolvedSparseProgram?
    }
    final class Worker: @unchecked Sendable {
      var scratch: SharedMemory?
      var member: SolvedSparseProgram?
    }
    typealias Outcome = Result<Found, LinearAlgebraError>
    let outcomes = Mutex([Outcome?](repeating: nil, count: count))
    // Less work than this takes less time than starting threads.
    let work = count * structure.analysis.system.entryCount
    parallelFor(
      count: count, threads: work > 1 << 11 ? processorCount : 1,
      makeContext: { Worker() }
    ) { worker, k in
      let outcome: Outcome
      do throws(LinearAlgebraError) {
        let member: SolvedSparseProgram
        if k == 0 {
          member = first
        } else if let used = worker.member {
          member = used
        } else {
          let scratch = worker.scratch ?? SolvedSparseProgram.scratch(structure)
          worker.scratch = scratch
          member = try SolvedSparseProgram(structure, scratch)
          if !demands.derivatives { worker.member = member }
        }
        member.solve(data, program: k, structure, options, demands, into: results)
        outcome = .success(
          Found(
            status: member.status, iterations: member.iterations,
            nonConvexVariable: member.nonConvexVariable, member: demands.derivatives ? member : nil))
      } catch { outcome = .failure(error) }
      outcomes.withLock { $0[k] = outcome }
    }
    var found: [Found] = []
    for outcome in outcomes.withLock({ $0 }) { if let outcome { found.append(try outcome.get()) } }
    statuses = found.map(\.status)
    iterations = found.map(\.iterations)
    members = found.compactMap(\.member)
    nonConvexProgram = found.firstIndex { $0.nonConvexVariable != nil }.map {
      ($0, found[$0].nonConvexVariable)
    }
  }

  func regularity(_ member: Int) -> QuadraticProgramRegularity { members[member].knownRegularity() }

  func solveDerivative(
    members range: Range<Int>, x: UnsafePointer<Double>, rows: UnsafePointer<Double>,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>
  ) -> MemberResidual {
    let (n, constraints, members) = (variables, constraints, members)
    let (source, sourceRows) = (Shared(value: x), Shared(value: rows))
    let (target, targetRows) = (Shared(value: intoX), Shared(value: intoRows))
    let worst = Mutex(MemberResidual())
    parallelFor(
      count: range.count, threads: processorCount, makeContext: { 0 }
    ) { _, k in
      let member = range.lowerBound + k
      let error = members[member].solveDerivative(
        x: source.value + k * n, rows: sourceRows.value + k * constraints, intoX: target.value + k * n,
        intoRows: targetRows.value + k * constraints)
      worst.withLock { $0 = worse($0, MemberResidual(member: member, error: error)) }
    }
    return worst.withLock { $0 }
  }
}
