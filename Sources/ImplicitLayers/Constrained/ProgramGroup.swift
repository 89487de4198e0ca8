import Foundation
import Lanes

/// Quadratic programs of one size that were solved together, one in each lane, kept for derivatives.
final class ProgramGroup<L: Lane>: @unchecked Sendable where L.Scalar == Double {
  /// Its vectors are scratch memory of derivatives.
  private let lock = NSLock()
  let core: ProximalInteriorPoint<DenseProgramMatrices<L>>
  private(set) var outcome: ProximalInteriorPoint<DenseProgramMatrices<L>>.Outcome?
  private var isConvex = L(0.0) .== L(0.0)
  private var margins: RegularityMargins<L>?
  private var hasBarrier = false

  init(_ size: ProgramSize) {
    core = ProximalInteriorPoint(
      DenseProgramMatrices(variableCount: size.variables, rowCount: size.rows, equalityCount: size.equalities)
    )
  }

  /// Takes `lanes` programs that lie one after the other, and solves them.
  func solve(_ data: ProgramPointers, first: Int, lanes: Int, _ options: QuadraticProgramOptions) {
    let (n, m, count) = (core.n, core.m, core.count)
    let matrices = core.matrices
    loadRows(
      data.quadratic + first * n * n, stride: n * n, count: n * n, lanes: lanes, into: matrices.quadratic,
      repeatsLast: true)
    let row = core.errorX
    for k in 0..<m {
      loadRows(
        data.rows + (first * m + k) * n, stride: m * n, count: n, lanes: lanes, into: row, repeatsLast: true)
      for i in 0..<n { matrices.rowsTransposed[i * m + k] = row[i] }
    }
    loadRows(data.linear + first * n, stride: n, count: n, lanes: lanes, into: core.linear, repeatsLast: true)
    loadRows(
      data.lower + first * count, stride: count, count: count, lanes: lanes, into: core.lower,
      repeatsLast: true)
    loadRows(
      data.upper + first * count, stride: count, count: count, lanes: lanes, into: core.upper,
      repeatsLast: true)
    let (zero, one) = (L(0.0), L(1.0))
    for k in 0..<count {
      let (low, high) = (core.lower[k], core.upper[k])
      let equal = low .== high
      let (hasLow, hasHigh) = (
        (.!equal) .& (L(-options.infinity) .< low), (.!equal) .& (high .< L(options.infinity))
      )
      core.isEquation[k] = select(equal, one, zero)
      core.hasLower[k] = select(hasLow, one, zero)
      core.hasUpper[k] = select(hasHigh, one, zero)
      core.lower[k] = select(hasLow, low, zero)
      core.upper[k] = select(hasHigh .| equal, high, zero)
    }
    core.equilibrate(rounds: options.equilibrationRounds)
    isConvex = core.isConvex()
    core.initialize()
    var outcome = core.solve(options)
    hasBarrier = options.barrier > 0
    core.polish(&outcome, options)
    self.outcome = outcome
    margins = nil
  }

  func isConvex(lane: Int) -> Bool { isConvex[lane: lane] }

  /// x and the net multipliers of the first lanes, in the programs' units.
  func store(x: UnsafeMutablePointer<Double>, multipliers: UnsafeMutablePointer<Double>, lanes: Int) {
    let (n, count) = (core.n, core.count)
    for i in 0..<n { core.errorX[i] = core.x[i] * core.columnScale[i] }
    storeRows(core.errorX, count: n, lanes: lanes, into: x, stride: n)
    for k in 0..<count { core.product[k] = core.netMultiplier(k) * core.rowScale[k] / core.objectiveScale }
    storeRows(core.product, count: count, lanes: lanes, into: multipliers, stride: count)
  }

  /// Which of the lanes' constraints are moved by which side.
  func storeShares(upper: UnsafeMutablePointer<Double>, lower: UnsafeMutablePointer<Double>, lanes: Int) {
    lock.lock()
    defer { lock.unlock() }
    core.prepareDerivative(hasBarrier: hasBarrier)
    storeRows(core.shareUpper, count: core.count, lanes: lanes, into: upper, stride: core.count)
    storeRows(core.shareLower, count: core.count, lanes: lanes, into: lower, stride: core.count)
  }

  func regularity(lane: Int) -> QuadraticProgramRegularity {
    lock.lock()
    defer { lock.unlock() }
    let margins = self.margins ?? core.regularity()
    self.margins = margins
    return QuadraticProgramRegularity(
      complementarity: hasBarrier ? .infinity : margins.complementarity[lane: lane],
      independence: margins.independence[lane: lane], curvature: margins.curvature[lane: lane],
      limits: (
        outcome?.isPolished[lane] == true ? 1e-7 : 1e-4, margins.independenceLimit[lane: lane],
        margins.curvatureLimit[lane: lane]
      ))
  }

  /// Solves the derivative's system for one right-hand side in each of the lanes from `first` on.
  /// - Returns: relative residuals.
  func solveDerivative(
    x: UnsafePointer<Double>, rows: UnsafePointer<Double>, lane first: Int, lanes: Int,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>
  ) -> [Double] {
    lock.lock()
    defer { lock.unlock() }
    let (n, count) = (core.n, core.count)
    if first == 0 {
      loadRows(x, stride: n, count: n, lanes: lanes, into: core.residualX)
      loadRows(rows, stride: count, count: count, lanes: lanes, into: core.residualUpper)
    } else {
      for i in 0..<n {
        core.residualX[i] = L(0.0)
        core.residualX[i][lane: first] = x[i]
      }
      for k in 0..<count {
        core.residualUpper[k] = L(0.0)
        core.residualUpper[k][lane: first] = rows[k]
      }
    }
    for i in 0..<n { core.residualX[i] *= core.columnScale[i] * core.objectiveScale }
    for k in 0..<count { core.residualUpper[k] *= core.rowScale[k] }
    let error = core.solveDerivative()
    for i in 0..<n { core.center[i] *= core.columnScale[i] }
    for k in 0..<count { core.upperCenter[k] *= core.rowScale[k] / core.objectiveScale }
    if first == 0 {
      storeRows(core.center, count: n, lanes: lanes, into: intoX, stride: n)
      storeRows(core.upperCenter, count: count, lanes: lanes, into: intoRows, stride: count)
    } else {
      for i in 0..<n { intoX[i] = core.center[i][lane: first] }
      for k in 0..<count { intoRows[k] = core.upperCenter[k][lane: first] }
    }
    return (0..<lanes).map { error[lane: first + $0] }
  }
}

/// Sizes of a program: the rows include the equations.
struct ProgramSize: Hashable, Sendable {
  var variables: Int
  var rows: Int
  var equalities: Int
  /// Rows and bounds.
  var constraints: Int { rows + variables }
}

/// Where programs' data begin: row-major, one program after the other.
struct ProgramPointers: @unchecked Sendable {
  var quadratic: UnsafePointer<Double>
  var linear: UnsafePointer<Double>
  var rows: UnsafePointer<Double>
  var lower: UnsafePointer<Double>
  var upper: UnsafePointer<Double>
}

/// Programs that were solved together, in groups of lanes.
final class SolvedPrograms: @unchecked Sendable {
  private enum Groups {
    case single(ProgramGroup<Double>)
    case lanes([ProgramGroup<SIMD8<Double>>])
  }
  static let laneCount = 8
  let size: ProgramSize
  let count: Int
  private let groups: Groups
  /// Lane by lane.
  private(set) var statuses: [SolverStatus]
  private(set) var iterations: [Int]

  /// Solves.
  /// - Parameters:
  ///   - keeps: whether derivatives will be asked for. Otherwise memory is reused from group to group.
  ///   - x, multipliers: where results go.
  init(
    _ data: ProgramPointers, size: ProgramSize, count: Int, options: QuadraticProgramOptions, keeps: Bool,
    x: UnsafeMutablePointer<Double>, multipliers: UnsafeMutablePointer<Double>
  ) {
    self.size = size
    self.count = count
    statuses = [SolverStatus](repeating: .converged, count: count)
    iterations = [Int](repeating: 0, count: count)
    let (n, constraints) = (size.variables, size.constraints)
    if count == 1 {
      let group = ProgramGroup<Double>(size)
      group.solve(data, first: 0, lanes: 1, options)
      group.store(x: x, multipliers: multipliers, lanes: 1)
      statuses[0] = group.isConvex(lane: 0) ? group.outcome!.status[0] : .degenerate
      nonConvex = group.isConvex(lane: 0) ? nil : 0
      iterations[0] = group.outcome!.iterations[0]
      groups = .single(group)
      return
    }
    let total = (count + Self.laneCount - 1) / Self.laneCount
    let kept = Slots<ProgramGroup<SIMD8<Double>>>(keeps ? total : 0)
    let found = Slots<(SolverStatus, Int)>(count)
    let (target, rows) = (Shared(value: x), Shared(value: multipliers))
    // Less work than this takes less time than starting threads.
    let work = count * (n + size.equalities) * (n + size.equalities) * (n + size.rows)
    parallelFor(
      count: total, threads: work > 1 << 17 ? ProcessInfo.processInfo.activeProcessorCount : 1,
      makeContext: { keeps ? nil : ProgramGroup<SIMD8<Double>>(size) }
    ) { shared, index in
      let group = shared ?? ProgramGroup<SIMD8<Double>>(size)
      let first = index * Self.laneCount
      let lanes = min(Self.laneCount, count - first)
      group.solve(data, first: first, lanes: lanes, options)
      group.store(x: target.value + first * n, multipliers: rows.value + first * constraints, lanes: lanes)
      for lane in 0..<lanes {
        found.base[first + lane] = (
          group.isConvex(lane: lane) ? group.outcome!.status[lane] : .degenerate,
          group.outcome!.iterations[lane]
        )
        if !group.isConvex(lane: lane) { found.base[first + lane] = (.degenerate, -1) }
      }
      if keeps { kept.base[index] = group }
    }
    for k in 0..<count {
      let (status, steps) = found.base[k]!
      (statuses[k], iterations[k]) = (status, max(steps, 0))
      if steps < 0, nonConvex == nil { nonConvex = k }
    }
    groups = .lanes(keeps ? (0..<total).map { kept.base[$0]! } : [])
  }
  /// The first program whose Q is not positive semidefinite.
  private(set) var nonConvex: Int?

  func regularity(_ member: Int) -> QuadraticProgramRegularity {
    switch groups {
    case .single(let group): group.regularity(lane: 0)
    case .lanes(let groups): groups[member / Self.laneCount].regularity(lane: member % Self.laneCount)
    }
  }

  /// Shares of all programs.
  func storeShares(upper: UnsafeMutablePointer<Double>, lower: UnsafeMutablePointer<Double>) {
    let constraints = size.constraints
    switch groups {
    case .single(let group): group.storeShares(upper: upper, lower: lower, lanes: 1)
    case .lanes(let groups):
      let (above, below) = (Shared(value: upper), Shared(value: lower))
      let count = count
      forEach(groups.count) { index in
        let first = index * Self.laneCount
        groups[index].storeShares(
          upper: above.value + first * constraints, lower: below.value + first * constraints,
          lanes: min(Self.laneCount, count - first))
      }
    }
  }

  /// Solves the derivatives' systems of consecutive members, one right-hand side each; the worst relative residual.
  func solveDerivative(
    members: Range<Int>, x: UnsafePointer<Double>, rows: UnsafePointer<Double>,
    intoX: UnsafeMutablePointer<Double>,
    intoRows: UnsafeMutablePointer<Double>
  ) -> Double {
    let (n, constraints) = (size.variables, size.constraints)
    switch groups {
    case .single(let group):
      return group.solveDerivative(x: x, rows: rows, lane: 0, lanes: 1, intoX: intoX, intoRows: intoRows)[0]
    case .lanes(let groups):
      if members.count == 1 {
        let member = members.lowerBound
        return groups[member / Self.laneCount].solveDerivative(
          x: x, rows: rows, lane: member % Self.laneCount, lanes: 1, intoX: intoX, intoRows: intoRows)[0]
      }
      precondition(members == 0..<count, "all members, or one")
      let worst = Slots<Double>(groups.count)
      let (source, sourceRows) = (Shared(value: x), Shared(value: rows))
      let (target, targetRows) = (Shared(value: intoX), Shared(value: intoRows))
      let count = count
      forEach(groups.count) { index in
        let first = index * Self.laneCount
        let errors = groups[index].solveDerivative(
          x: source.value + first * n, rows: sourceRows.value + first * constraints, lane: 0,
          lanes: min(Self.laneCount, count - first), intoX: target.value + first * n,
          intoRows: targetRows.value + first * constraints)
        // NaN counts as worst.
        worst.base[index] = errors.reduce(0) { $1 <= $0 ? $0 : $1 }
      }
      return (0..<groups.count).reduce(0.0) { worst.base[$1]! <= $0 ? $0 : worst.base[$1]! }
    }
  }

  private func forEach(_ groups: Int, _ body: @Sendable (Int) -> Void) {
    let work = groups * (size.variables + size.equalities) * (size.variables + size.rows) * 100
    parallelFor(
      count: groups, threads: work > 1 << 17 ? ProcessInfo.processInfo.activeProcessorCount : 1,
      makeContext: { 0 }
    ) { _, index in body(index) }
  }
}

/// Places that threads fill, each its own.
private final class Slots<Value>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Value?>
  private let count: Int
  init(_ count: Int) {
    self.count = count
    base = .allocate(capacity: max(count, 1))
    base.initialize(repeating: nil, count: count)
  }
  deinit {
    base.deinitialize(count: count)
    base.deallocate()
  }
}
