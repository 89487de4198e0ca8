import Foundation
import ImplicitLayers
import LinearAlgebra
import TestSupport
import Testing

@Suite struct QuadraticProgramDerivativeTests {
  typealias Storage = QuadraticProgramSolver.Storage

  /// A random change of every datum. Absent sides have none.
  private func randomChange(_ program: QuadraticProgram, _ random: inout SeededRandom)
    -> QuadraticProgramVariation
  {
    var change = QuadraticProgramVariation(zerosFor: program)
    let n = program.variableCount
    change.linear = random.uniform(-1, 1, count: n)
    for i in 0..<n {
      for j in 0...i {
        let value = random.uniform(-0.1, 0.1)
        (change.quadratic[i * n + j], change.quadratic[j * n + i]) = (value, value)
      }
    }
    change.equalities = random.uniform(-1, 1, count: change.equalities.count)
    change.equalityValues = random.uniform(-1, 1, count: program.equalityCount)
    change.inequalities = random.uniform(-1, 1, count: change.inequalities.count)
    func sides(_ values: [Double]) -> [Double] { values.map { $0.isFinite ? random.uniform(-1, 1) : 0 } }
    change.lower = sides(program.lower)
    change.upper = sides(program.upper)
    change.lowerBounds = sides(program.lowerBounds)
    change.upperBounds = sides(program.upperBounds)
    return change
  }
  private func moved(_ program: QuadraticProgram, _ change: QuadraticProgramVariation, _ t: Double) throws
    -> QuadraticProgram
  {
    func add(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + t * $1 } }
    func add(_ a: CompressedMatrix, _ b: [Double]) throws -> CompressedMatrix {
      try CompressedMatrix(a.pattern, values: add(a.values, b))
    }
    return try QuadraticProgram(
      quadratic: add(program.quadratic, change.quadratic), linear: add(program.linear, change.linear),
      equalities: add(program.equalities, change.equalities),
      equalityValues: add(program.equalityValues, change.equalityValues),
      inequalities: add(program.inequalities, change.inequalities), lower: add(program.lower, change.lower),
      upper: add(program.upper, change.upper), lowerBounds: add(program.lowerBounds, change.lowerBounds),
      upperBounds: add(program.upperBounds, change.upperBounds))
  }
  private func flat(_ s: QuadraticProgramSolution) -> [Double] {
    s.x + s.equalityMultipliers + s.inequalityMultipliers + s.boundMultipliers
  }
  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  /// Forward mode against central differences, and reverse mode against forward mode, for all data and all results; of the
  /// minimiser and of points on the central path.
  @Test(arguments: 0..<12 as Range<UInt64>, [Storage.dense, .sparse])
  func derivativesAgreeWithDifferences(seed: UInt64, storage: Storage) throws {
    for barrier in [0, 1e-2] {
      let (n, p, m) = [(6, 2, 8), (10, 0, 14), (9, 3, 0)][Int(seed) % 3]
      let program = try randomProgram(variables: n, equalities: p, inequalities: m, seed: seed)
      var options = QuadraticProgramOptions()
      options.barrier = barrier
      if barrier > 0 { (options.absoluteTolerance, options.relativeTolerance) = (1e-12, 1e-13) }
      var random = SeededRandom(seed: seed + 1000)
      let change = randomChange(program, &random)
      let solver = try QuadraticProgramSolver(for: program, storage: storage, options: options)
      let solution = try solver.solve(program)
      #expect(solution.status == .converged)
      let regularity = try solver.regularity()
      #expect(!regularity.isDegenerate)
      let step = solver
      let tangent = try step.derivative(of: program, at: solution, along: change)
      let found =
        tangent.x + tangent.equalityMultipliers + tangent.inequalityMultipliers + tangent.boundMultipliers
      // Reverse mode with a random function of everything.
      let weight = random.uniform(-1, 1, count: found.count)
      let gradient = try solver.gradient(
        of: program, at: solution, x: Array(weight[..<n]), equalityMultipliers: Array(weight[n..<n + p]),
        inequalityMultipliers: Array(weight[(n + p)..<(n + p + m)]),
        boundMultipliers: Array(weight[(n + p + m)...]))
      let forward = dot(found, weight)
      var reverse = dot(gradient.quadratic, change.quadratic) + dot(gradient.linear, change.linear)
      reverse +=
        dot(gradient.equalities, change.equalities) + dot(gradient.equalityValues, change.equalityValues)
      reverse += dot(gradient.inequalities, change.inequalities)
      reverse += dot(gradient.lower, change.lower) + dot(gradient.upper, change.upper)
      reverse += dot(gradient.lowerBounds, change.lowerBounds) + dot(gradient.upperBounds, change.upperBounds)
      #expect(abs(forward - reverse) < 1e-10 * max(1, abs(forward)))
      // Differences within the same active set.
      let other = try QuadraticProgramSolver(for: program, storage: storage, options: options)
      let size = found.map(abs).max()!
      let h = min(1e-4, 0.05 * regularity.complementarity / size)
      var largest = 0.0
      for k in found.indices {
        let quotient = try CentralDifferences(step: h) { t in
          flat(try other.solve(moved(program, change, t)))[k]
        }
        largest = max(largest, abs(found[k] - quotient.extrapolated))
      }
      #expect(largest < 1e-7 * size, "barrier \(barrier): \(largest) of \(size)")
      #expect(size > 0.1)
    }
  }

  /// min ½ x² subject to x ≥ 0: the solution does not depend smoothly on the bound.
  @Test func weaklyActiveConstraintsAreReported() throws {
    let program = try QuadraticProgram(denseQuadratic: [1], linear: [0], lowerBounds: [0])
    let solver = try QuadraticProgramSolver(for: program)
    let solution = try solver.solve(program)
    let regularity = try solver.regularity()
    #expect(regularity.lacksComplementarity && !regularity.lacksIndependence && !regularity.lacksCurvature)
    let error = #expect(throws: QuadraticProgramError.self) {
      try solver.gradient(of: program, at: solution, x: [1])
    }
    #expect(error.map { "\($0)" }?.contains("strict complementarity fails") == true)
    let gradient = try solver.gradient(of: program, at: solution, x: [1], policy: .leastNorm)
    #expect([0, 1].contains(abs(gradient.lowerBounds[0]).rounded()))
  }

  /// Two copies of one row: LICQ fails; x still has a derivative, and multipliers share equally.
  @Test(arguments: [Storage.dense, .sparse])
  func dependentRowsAreReported(storage: Storage) throws {
    let program = try QuadraticProgram(
      denseQuadratic: [1, 0, 0, 1], linear: [-1, -2], denseInequalities: [1, 1, 1, 1],
      lower: [-.infinity, -.infinity], upper: [1, 1])
    let solver = try QuadraticProgramSolver(for: program, storage: storage)
    let solution = try solver.solve(program)
    let regularity = try solver.regularity()
    #expect(regularity.lacksIndependence, "\(regularity)")
    #expect(throws: QuadraticProgramError.self) { try solver.gradient(of: program, at: solution, x: [1, 0]) }
    let gradient = try solver.gradient(of: program, at: solution, x: [1, 1], policy: .leastNorm)
    // x₁ + x₂ = 1 whatever q; both sides move it half each.
    #expect(gradient.linear.allSatisfy { abs($0) < 1e-7 })
    #expect(gradient.upper.allSatisfy { abs($0 - 0.5) < 1e-6 })
  }

  @Test(arguments: [Storage.dense, .sparse])
  func flatObjectivesAreReported(storage: Storage) throws {
    let program = try QuadraticProgram(
      denseQuadratic: [1, 0, 0, 0], linear: [-0.5, 0], lowerBounds: [0, 0], upperBounds: [1, 1])
    let solver = try QuadraticProgramSolver(for: program, storage: storage)
    let solution = try solver.solve(program)
    #expect(abs(solution.x[0] - 0.5) < 1e-9)
    #expect(try solver.regularity().lacksCurvature)
    #expect(throws: QuadraticProgramError.self) { try solver.gradient(of: program, at: solution, x: [1, 1]) }
  }

  /// A vertex of a linear program is regular.
  @Test func verticesAreRegular() throws {
    let program = try QuadraticProgram(
      denseQuadratic: [0, 0, 0, 0], linear: [-1, -1], denseInequalities: [1, 2, 3, 1], lower: [0, 0],
      upper: [4, 6],
      lowerBounds: [0, 0])
    let solver = try QuadraticProgramSolver(for: program)
    let solution = try solver.solve(program)
    #expect(abs(solution.x[0] - 1.6) < 1e-12 && abs(solution.x[1] - 1.2) < 1e-12)
    let regularity = try solver.regularity()
    #expect(!regularity.isDegenerate)
    let gradient = try solver.gradient(of: program, at: solution, x: [1, 0])
    // x = [1 2; 3 1]⁻¹ u.
    #expect(abs(gradient.upper[0] + 0.2) < 1e-10 && abs(gradient.upper[1] - 0.4) < 1e-10)
  }

  /// The derivative with respect to G has the multiplier once: min ½ (x − c)² with g x ≤ u active has x = u / g and
  /// λ = (c − u/g) / g.
  @Test func theMultiplierEntersOnce() throws {
    let (c, g, u) = (3.0, 2.0, 4.0)
    let program = try QuadraticProgram(
      denseQuadratic: [1], linear: [-c], denseInequalities: [g], lower: [-.infinity], upper: [u])
    let solver = try QuadraticProgramSolver(for: program)
    let solution = try solver.solve(program)
    #expect(abs(solution.inequalityMultipliers[0] - 0.5) < 1e-12)
    let x = try solver.gradient(of: program, at: solution, x: [1])
    #expect(abs(x.inequalities[0] + u / (g * g)) < 1e-10)
    let z = try solver.gradient(of: program, at: solution, x: [0], inequalityMultipliers: [1])
    #expect(abs(z.inequalities[0] - (-c / (g * g) + 2 * u / (g * g * g))) < 1e-10)
  }

  /// A warm start that is the solution needs no step and so no factor but that of the test for convexity, which is not the derivative's.
  @Test(arguments: [Storage.dense, .sparse])
  func gradientsAfterAWarmStartWithoutSteps(storage: Storage) throws {
    var options = QuadraticProgramOptions()
    options.polishes = false
    // min ½ |x|² with x0 + x1 ≥ l at l = 2: x = (l/2, l/2).
    let program = try QuadraticProgram(
      denseQuadratic: [1, 0, 0, 1], linear: [0, 0], denseInequalities: [1, 1], lower: [2], upper: [.infinity])
    let solver = try QuadraticProgramSolver(for: program, storage: storage, options: options)
    let first = try solver.solve(program)
    #expect(abs(first.x[0] - 1) < 1e-6 && first.iterations > 0)
    let expected = try solver.gradient(of: program, at: first, x: [1, 0])
    #expect(abs(expected.lower[0] - 0.5) < 1e-6)
    let second = try solver.solve(program, warmStart: first)
    #expect(second.status == .converged && second.iterations == 0)
    let gradient = try solver.gradient(of: program, at: second, x: [1, 0])
    #expect(abs(gradient.lower[0] - 0.5) < 1e-6)
    #expect(abs(gradient.linear[0] + 0.5) < 1e-6 && abs(gradient.linear[1] - 0.5) < 1e-6)
  }

  /// After a solve that fails there are no derivatives, although those of the program before were known to exist.
  @Test(arguments: [Storage.dense, .sparse])
  func noDerivativesAfterAFailedSolve(storage: Storage) throws {
    func program(_ last: Double) throws -> QuadraticProgram {
      let pattern = try QuadraticProgram(denseQuadratic: [1, 0.1, 0.1, 1], linear: [1, 1])
      return try QuadraticProgram(
        quadratic: CompressedMatrix(pattern.quadratic.pattern, values: [1, 0.1, 0.1, last]), linear: [1, 1],
        equalities: pattern.equalities, equalityValues: [], inequalities: pattern.inequalities, lower: [],
        upper: [], lowerBounds: pattern.lowerBounds, upperBounds: pattern.upperBounds)
    }
    let good = try program(1)
    let solver = try QuadraticProgramSolver(for: good, storage: storage)
    let solution = try solver.solve(good)
    #expect(try !solver.regularity().isDegenerate)
    let bad = try program(-1)
    #expect(throws: QuadraticProgramError.self) { try solver.solve(bad) }
    let change = QuadraticProgramVariation(zerosFor: good)
    for message in [
      message { _ = try solver.gradient(of: good, at: solution, x: [1, 0]) },
      message { _ = try solver.derivative(of: good, at: solution, along: change) },
      message { _ = try solver.regularity() },
    ] { #expect(message.contains("solved last"), "\(message)") }
    // Another solve brings them back.
    let again = try solver.solve(good)
    #expect(try solver.gradient(of: good, at: again, x: [1, 0]).linear[0] < -0.9)
  }
  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch { return "\(error)" }
  }
}
