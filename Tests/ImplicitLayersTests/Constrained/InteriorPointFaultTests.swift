import Lanes
import LinearAlgebra
import TestSupport
import Testing

@testable import ImplicitLayers

/// Sparse matrices that can be made to refuse factorisations.
private final class FragileMatrices: ProgramMatrices {
  typealias L = Double
  private let base: SparseProgramMatrices
  /// Whether a factorisation with this on the diagonal is refused.
  var refuses: (_ diagonal: UnsafePointer<Double>) -> Bool = { _ in false }
  private(set) var refusals = 0

  init(_ base: SparseProgramMatrices) { self.base = base }
  var variableCount: Int { base.variableCount }
  var rowCount: Int { base.rowCount }
  var equalityCount: Int { base.equalityCount }
  var hasPositivePivots: Bool { base.hasPositivePivots }

  func factorize(diagonal: UnsafePointer<Double>, weights: UnsafePointer<Double>) -> Bool {
    let isSafe = base.factorize(diagonal: diagonal, weights: weights)
    guard refuses(diagonal) else { return isSafe }
    refusals += 1
    return false
  }
  func multiplyQuadratic(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>) {
    base.multiplyQuadratic(x, into: y)
  }
  func multiplyRows(_ x: UnsafePointer<Double>, into v: UnsafeMutablePointer<Double>) {
    base.multiplyRows(x, into: v)
  }
  func addTransposedRows(_ z: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>) {
    base.addTransposedRows(z, to: y)
  }
  func norms(
    columns: UnsafeMutablePointer<Double>, rows: UnsafeMutablePointer<Double>,
    columnScale: UnsafePointer<Double>, rowScale: UnsafePointer<Double>
  ) { base.norms(columns: columns, rows: rows, columnScale: columnScale, rowScale: rowScale) }
  func quadraticNorms(_ columns: UnsafeMutablePointer<Double>, columnScale: UnsafePointer<Double>) {
    base.quadraticNorms(columns, columnScale: columnScale)
  }
  func scale(columns: UnsafePointer<Double>, rows: UnsafePointer<Double>, objective: Double) {
    base.scale(columns: columns, rows: rows, objective: objective)
  }
  func solve(_ x: UnsafeMutablePointer<Double>, _ rows: UnsafeMutablePointer<Double>) { base.solve(x, rows) }
  func loadVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { base.loadVariables(source, place: place, programs: programs, into: target) }
  func loadConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>,
    padding: Double
  ) { base.loadConstraints(source, place: place, programs: programs, into: target, padding: padding) }
  func storeVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { base.storeVariables(source, place: place, programs: programs, into: target) }
  func storeConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { base.storeConstraints(source, place: place, programs: programs, into: target) }
}

/// What the interior point does where polishing does not help, and where numbers are none.
@Suite struct InteriorPointFaultTests {
  private typealias Core = ProximalInteriorPoint<FragileMatrices>

  /// A solver at its start.
  private func core(_ program: QuadraticProgram) throws -> Core {
    let base = try SparseProgramMatrices(
      SparseProgramStructure(
        quadratic: program.quadratic.pattern, equalities: program.equalities.pattern,
        inequalities: program.inequalities.pattern))
    base.loadValues(
      quadratic: program.quadratic.values, rows: program.equalities.values + program.inequalities.values)
    let core = Core(FragileMatrices(base))
    begin(core, program, programs: 1)
    return core
  }
  private func begin<M: ProgramMatrices>(
    _ core: ProximalInteriorPoint<M>, _ program: QuadraticProgram, programs: Int
  ) {
    func all(_ numbers: [Double]) -> [Double] { (0..<programs).flatMap { _ in numbers } }
    core.matrices.loadVariables(all(program.linear), place: 0, programs: programs, into: core.linear)
    core.load(
      lower: all(program.equalityValues + program.lower + program.lowerBounds),
      upper: all(program.equalityValues + program.upper + program.upperBounds), programs: programs,
      infinity: 1e20)
    core.equilibrate(rounds: 10)
    core.initialize()
  }
  /// The iterate.
  private func state(_ core: Core) -> [[Double]] {
    let arrays: [(UnsafeMutablePointer<Double>, Int)] = [
      (core.x, core.n), (core.upperMultiplier, core.count), (core.lowerMultiplier, core.count),
      (core.upperSlack, core.count), (core.lowerSlack, core.count),
    ]
    return arrays.map { Array(UnsafeBufferPointer(start: $0.0, count: $0.1)) }
  }
  private func plain() -> QuadraticProgramOptions {
    var options = QuadraticProgramOptions()
    options.polishes = false
    return options
  }

  // What was polished and is then not within the tolerances, where what there was before is, does not count.
  @Test(arguments: 0..<4 as Range<UInt64>) func polishingThatLosesIsTakenBack(seed: UInt64) throws {
    let core = try core(randomProgram(variables: 9, equalities: 2, inequalities: 12, seed: seed))
    var outcome = core.solve(plain())
    try #require(outcome.status == [.converged])
    let before = (state(core), outcome.residuals)
    // Nothing is within a tolerance below zero.
    var strict = QuadraticProgramOptions()
    (strict.absoluteTolerance, strict.relativeTolerance) = (-1, 0)
    core.polish(&outcome, strict)
    #expect(state(core) == before.0)
    #expect(outcome.status == [.converged] && outcome.isPolished == [false])
    #expect(!core.hasActiveFactor)
    let (found, known) = (outcome.residuals, before.1)
    #expect(found.primal == known.primal && found.dual == known.dual && found.gap == known.gap)
    // With the ordinary tolerances it does count, and is another point.
    core.polish(&outcome, QuadraticProgramOptions())
    #expect(outcome.isPolished == [true] && core.hasActiveFactor)
    #expect(state(core)[0] != before.0[0])
    #expect(outcome.residuals.dual <= known.dual || outcome.residuals.dual < 1e-12)
  }

  // The same in lanes, where it helps in some: objectives of 1 and 1e12 with one tolerance.
  @Test func polishingThatLosesIsTakenBackInLanes() throws {
    let (n, p, m) = (7, 1, 9)
    let program = try randomProgram(variables: n, equalities: p, inequalities: m, seed: 5)
    let size = ProgramSize(variables: n, rows: p + m, equalities: p)
    typealias Matrices = DenseProgramMatrices<SIMD8<Double>>
    let scratch = LaneMemory<SIMD8<Double>>(Matrices.scratchCount(size))
    let core = ProximalInteriorPoint(Matrices(size, scratch: scratch), scratch: scratch)
    let scales = (0..<8).map { $0 % 2 == 0 ? 1 : 1e12 }
    core.matrices.loadMatrices(
      quadratic: scales.flatMap { scale in program.quadratic.values.map { $0 * scale } },
      rows: scales.flatMap { _ in program.equalities.values + program.inequalities.values }, programs: 8)
    core.matrices.loadVariables(
      scales.flatMap { scale in program.linear.map { $0 * scale } }, place: 0, programs: 8, into: core.linear)
    core.load(
      lower: scales.flatMap { _ in program.equalityValues + program.lower + program.lowerBounds },
      upper: scales.flatMap { _ in program.equalityValues + program.upper + program.upperBounds },
      programs: 8, infinity: 1e20)
    core.equilibrate(rounds: 10)
    core.initialize()
    var outcome = core.solve(plain())
    try #require(outcome.status.allSatisfy { $0 == .converged })
    let before = (0..<n).map { core.x[$0] }
    var strict = QuadraticProgramOptions()
    (strict.absoluteTolerance, strict.relativeTolerance) = (1e-9, 0)
    core.polish(&outcome, strict)
    #expect(outcome.status.allSatisfy { $0 == .converged })
    #expect(outcome.isPolished == scales.map { $0 == 1 })
    #expect(!core.hasActiveFactor)
    for lane in 0..<8 {
      let isSame = (0..<n).allSatisfy { core.x[$0][lane] == before[$0][lane] }
      #expect(isSame == (scales[lane] != 1), "lane \(lane)")
    }
  }

  // A system of the active constraints that cannot be factored leaves the iterate and its status as they are.
  @Test(arguments: 0..<4 as Range<UInt64>) func polishingWithoutAFactor(seed: UInt64) throws {
    let core = try core(randomProgram(variables: 9, equalities: 2, inequalities: 12, seed: seed))
    var outcome = core.solve(plain())
    try #require(outcome.status == [.converged])
    let before = state(core)
    core.matrices.refuses = { _ in true }
    core.polish(&outcome, QuadraticProgramOptions())
    #expect(core.matrices.refusals == 2)
    #expect(state(core) == before)
    #expect(outcome.status == [.converged] && outcome.isPolished == [false] && !core.hasActiveFactor)
    // A stalled one stays so.
    outcome.status = [.stalled]
    core.polish(&outcome, QuadraticProgramOptions())
    #expect(outcome.status == [.stalled] && outcome.isPolished == [false])
    core.matrices.refuses = { _ in false }
    core.polish(&outcome, QuadraticProgramOptions())
    #expect(outcome.status == [.converged] && outcome.isPolished == [true])
  }

  // On the way steps go on from where they were, with the proximal terms that they had.
  @Test(arguments: 0..<4 as Range<UInt64>) func polishingEarlyWithoutAFactor(seed: UInt64) throws {
    let core = try core(randomProgram(variables: 9, equalities: 2, inequalities: 12, seed: seed))
    var few = plain()
    few.maximumIterations = 4
    #expect(core.solve(few).status == [.iterationLimit])
    let (before, terms) = (state(core), (core.rho, core.delta))
    core.matrices.refuses = { _ in true }
    #expect(!core.polishEarly(true, QuadraticProgramOptions()))
    #expect(core.matrices.refusals > 0)
    #expect(state(core) == before && terms == (core.rho, core.delta) && !core.hasActiveFactor)
    #expect((0..<core.n).allSatisfy { core.center[$0] == core.x[$0] })
    #expect(
      (0..<core.count).allSatisfy {
        core.upperCenter[$0] == core.upperMultiplier[$0] && core.lowerCenter[$0] == core.lowerMultiplier[$0]
      })
    core.matrices.refuses = { _ in false }
    #expect(core.solve(plain()).status == [.converged])
  }

  // Refused both on the way and at the end: the solution of the steps alone, not polished.
  @Test(arguments: 0..<4 as Range<UInt64>) func polishingNever(seed: UInt64) throws {
    let program = try randomProgram(
      variables: 9, equalities: 2, inequalities: 12, seed: seed, hasBounds: false)
    let core = try core(program)
    // Only polishing has just these terms.
    core.matrices.refuses = { $0[0] == 1e-9 || $0[0] == 1e-7 }
    let outcome = core.solveAndPolish(QuadraticProgramOptions(), isAlone: true)
    #expect(core.matrices.refusals >= 4)
    #expect(outcome.status == [.converged] && outcome.isPolished == [false])
    let (x, _) = core.solution(variables: 9, constraints: core.constraintCount)
    let expected = try program.solve()
    #expect(expected.isPolished)
    #expect(zip(x, expected.x).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  // Residuals do not see slacks: with a barrier the products alone tell that one is not a number.
  @Test func distancesThatAreNotNumbers() throws {
    let program = try randomProgram(variables: 9, equalities: 2, inequalities: 12, seed: 1)
    let core = try core(program)
    var options = plain()
    options.barrier = 1e-2
    #expect(core.solve(options).status == [.converged])
    let goal = core.objectiveScale * options.barrier
    #expect(core.distance(from: goal) <= 1e-9 * goal)
    let k = try #require((0..<core.count).first { core.hasUpper[$0] > 0 })
    let slack = core.upperSlack[k]
    core.upperSlack[k] = .nan
    #expect(core.distance(from: goal).isNaN)
    #expect(core.solve(options).status == [.nonFinite])
    core.upperSlack[k] = slack
    #expect(core.distance(from: goal) <= 1e-9 * goal)
    let j = try #require((0..<core.count).first { core.hasLower[$0] > 0 })
    core.lowerMultiplier[j] = .nan
    #expect(core.distance(from: goal).isNaN)
  }

  // In lanes, the lane that has it; along the vectors of one program, the program.
  @Test func distancesThatAreNotNumbersInLanes() throws {
    let size = ProgramSize(variables: 11, rows: 9, equalities: 2)
    let program = try randomProgram(variables: 11, equalities: 2, inequalities: 7, seed: 2)
    func distance<M: BatchedProgramMatrices>(_ type: M.Type, constraint: Int, lane: Int) -> M.L {
      let scratch = LaneMemory<M.L>(M.scratchCount(size))
      let core = ProximalInteriorPoint(M(size, scratch: scratch), scratch: scratch)
      let rows = program.equalities.values + program.inequalities.values
      core.matrices.loadMatrices(
        quadratic: (0..<M.programCount).flatMap { _ in program.quadratic.values },
        rows: (0..<M.programCount).flatMap { _ in rows }, programs: M.programCount)
      begin(core, program, programs: M.programCount)
      #expect(core.distance(from: M.L(1.0)).isFinite.allTrue)
      core.upperSlack[constraint][lane: lane] = .nan
      return core.distance(from: M.L(1.0))
    }
    let lanes = distance(DenseProgramMatrices<SIMD8<Double>>.self, constraint: 12, lane: 3)
    #expect((0..<8).allSatisfy { lanes[$0].isNaN == ($0 == 3) })
    let packed = distance(PackedProgramMatrices.self, constraint: 1, lane: 5)
    #expect((0..<Pack.laneCount).allSatisfy { packed[lane: $0].isNaN })
  }
}
