import Foundation
import ImplicitLayers
import LinearAlgebra
import TestSupport
import Testing

@Suite struct QuadraticProgramTests {
  typealias Storage = QuadraticProgramSolver.Storage

  @Test(arguments: 0..<24 as Range<UInt64>, [Storage.dense, .sparse])
  func solutionsSatisfyTheOptimalityConditions(seed: UInt64, storage: Storage) throws {
    let sizes = [(5, 0, 8), (12, 3, 10), (20, 0, 0), (15, 5, 0), (8, 2, 30), (1, 0, 1)]
    let (n, p, m) = sizes[Int(seed) % sizes.count]
    let program = try randomProgram(
      variables: n, equalities: p, inequalities: m, seed: seed, rank: seed % 4 == 3 ? n / 2 : nil)
    let solution = try program.solve(storage: storage)
    #expect(try optimalityError(program, solution) < 1e-11, "\(solution.iterations)")
    #expect(solution.iterations < 25)
    #expect(solution.isPolished)
  }

  /// All programs of the collection that are at hand.
  @Test(arguments: [Storage.dense, .sparse, .automatic])
  func marosMeszaros(storage: Storage) throws {
    guard let directory = marosMeszarosDirectory() else { return }
    let data = try Data(contentsOf: URL(fileURLWithPath: directory + "/reference.json"))
    let reference = try #require(try JSONSerialization.jsonObject(with: data) as? [String: [String: Double]])
    #expect(reference.count >= 26)
    for (name, known) in reference {
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name).SIF")))
      let file = try QuadraticProgramFile(bytes: bytes)
      #expect(Double(file.program.variableCount) == known["variables"], "\(name)")
      let solver = try QuadraticProgramSolver(for: file.program, storage: storage)
      let solution = try solver.solve(file.program)
      #expect(solution.status == .converged, "\(name)")
      let expected = try #require(known["objective"])
      // HS268 is a difference of numbers of the constant's size.
      let error =
        abs(solution.objective + file.constant - expected) / max(1, abs(expected), abs(file.constant))
      #expect(error < 1e-8, "\(name): \(solution.objective + file.constant), not \(expected)")
    }
  }

  /// minimise ½‖x − c‖² over x₁ + x₂ = 1: by hand.
  @Test func smallByHand() throws {
    let program = try QuadraticProgram(
      denseQuadratic: [1, 0, 0, 1], linear: [-2, 0], denseEqualities: [1, 1], equalityValues: [1],
      lowerBounds: [-.infinity, -0.25])
    let solution = try program.solve()
    #expect(abs(solution.x[0] - 1.25) < 1e-14 && abs(solution.x[1] + 0.25) < 1e-14)
    // x₁ − 2 + y = 0 and x₂ + y + w = 0.
    #expect(abs(solution.equalityMultipliers[0] - 0.75) < 1e-13)
    #expect(abs(solution.boundMultipliers[1] + 0.5) < 1e-13)
    #expect(solution.boundMultipliers[0] == 0)
  }

  @Test(arguments: [Storage.dense, .sparse])
  func infeasibleProgramsHaveCertificates(storage: Storage) throws {
    // x + y ≥ 3 with x, y ≤ 1, a contradiction of equations, and crossed rows.
    let programs = [
      try QuadraticProgram(
        denseQuadratic: [1, 0, 0, 1], linear: [0, 0], denseInequalities: [1, 1], lower: [3],
        upper: [.infinity],
        upperBounds: [1, 1]),
      try QuadraticProgram(
        denseQuadratic: [1, 0, 0, 1], linear: [1, 2], denseEqualities: [1, 1, 2, 2], equalityValues: [1, 3]),
      try QuadraticProgram(
        denseQuadratic: [0, 0, 0, 0], linear: [0, 0], denseInequalities: [1, -1, -1, 1], lower: [1, 0.5],
        upper: [.infinity, .infinity]),
      try QuadraticProgram(denseQuadratic: [1], linear: [1], denseEqualities: [0], equalityValues: [1]),
    ]
    for (k, program) in programs.enumerated() {
      let solution = try QuadraticProgramSolver(for: program, storage: storage).solve(program)
      #expect(solution.status == .infeasible, "\(k): \(solution.status) after \(solution.iterations)")
      guard case .infeasible(let y, let z, let w) = solution.certificate else {
        Issue.record("program \(k) has no certificate")
        continue
      }
      let sum = zip(
        try program.equalities.multiply(y, transposed: true),
        zip(try program.inequalities.multiply(z, transposed: true), w)
      ).map { $0 + $1.0 + $1.1 }
      #expect(sum.allSatisfy { abs($0) < 1e-8 })
      var support = zip(y, program.equalityValues).reduce(0) { $0 + $1.0 * $1.1 }
      for (force, (low, high)) in zip(
        z + w, zip(program.lower + program.lowerBounds, program.upper + program.upperBounds)) where force != 0
      {
        support += force * (force > 0 ? high : low)
      }
      #expect(abs(support + 1) < 1e-8)
      #expect(throws: QuadraticProgramError.self) { try program.solve(storage: storage) }
    }
  }

  @Test(arguments: [Storage.dense, .sparse])
  func unboundedProgramsHaveDirections(storage: Storage) throws {
    let programs = [
      try QuadraticProgram(denseQuadratic: [0], linear: [1]),
      try QuadraticProgram(denseQuadratic: [1, -1, -1, 1], linear: [-1, -1], lowerBounds: [0, 0]),
      try QuadraticProgram(
        denseQuadratic: [Double](repeating: 0, count: 9), linear: [-1, 0, 0], denseEqualities: [1, -1, 0],
        equalityValues: [2], denseInequalities: [0, 1, -1], lower: [-1], upper: [1]),
    ]
    for (k, program) in programs.enumerated() {
      let solution = try QuadraticProgramSolver(for: program, storage: storage).solve(program)
      #expect(solution.status == .unbounded, "\(k): \(solution.status) after \(solution.iterations)")
      guard case .unbounded(let d) = solution.certificate else {
        Issue.record("program \(k) has no direction")
        continue
      }
      let curved = try program.quadratic.multiply(d)
      #expect(curved.allSatisfy { abs($0) < 1e-7 })
      #expect(abs(zip(d, program.linear).reduce(0) { $0 + $1.0 * $1.1 } + 1) < 1e-8)
      let along = try program.equalities.multiply(d)
      #expect(along.allSatisfy { abs($0) < 1e-7 })
    }
  }

  @Test(arguments: [Storage.dense, .sparse])
  func hardShapes(storage: Storage) throws {
    // Nothing at all; no constraints; duplicate rows; fixed variables; sides at 1e20 and 1e30; an empty row.
    let nothing = try QuadraticProgram(denseQuadratic: [], linear: []).solve(storage: storage)
    #expect(nothing.objective == 0)
    let free = try QuadraticProgram(denseQuadratic: [2, 0, 0, 4], linear: [2, 4]).solve(storage: storage)
    #expect(abs(free.x[0] + 1) < 1e-12 && abs(free.x[1] + 1) < 1e-12)
    let duplicate = try QuadraticProgram(
      denseQuadratic: [1, 0, 0, 1], linear: [0, 0], denseEqualities: [1, 1, 1, 1], equalityValues: [2, 2],
      denseInequalities: [1, -1, 1, -1], lower: [1, 1], upper: [.infinity, .infinity])
    let solution = try duplicate.solve(storage: storage)
    #expect(try optimalityError(duplicate, solution) < 1e-9)
    #expect(abs(solution.x[0] - 1.5) < 1e-9)
    let fixed = try QuadraticProgram(
      denseQuadratic: [1, 0.5, 0.5, 1], linear: [1, 1], denseInequalities: [0, 0], lower: [-1e20],
      upper: [1e30],
      lowerBounds: [2, -1e30], upperBounds: [2, 1e20])
    let held = try fixed.solve(storage: storage)
    #expect(abs(held.x[0] - 2) < 1e-12 && abs(held.x[1] + 2) < 1e-12)
    #expect(abs(held.boundMultipliers[0] + 2) < 1e-11)
  }

  @Test func badlyScaled() throws {
    for seed in 0..<6 as Range<UInt64> {
      var program = try randomProgram(variables: 8, equalities: 2, inequalities: 6, seed: seed)
      var random = SeededRandom(seed: seed + 100)
      // Columns by 10^±4, rows by 10^±4.
      let columns = (0..<8).map { _ in exp(random.uniform(-9, 9)) }
      let rows = (0..<6).map { _ in exp(random.uniform(-9, 9)) }
      let plain = try program.solve()
      func scaled(_ m: CompressedMatrix, _ left: [Double]) throws -> CompressedMatrix {
        try CompressedMatrix(
          m.pattern,
          values: zip(m.values, zip(m.pattern.rowIndices, m.pattern.columnIndices)).map {
            $0 * left[$1.0] * columns[$1.1]
          })
      }
      program.quadratic = try scaled(program.quadratic, columns)
      program.linear = zip(program.linear, columns).map { $0 * $1 }
      program.equalities = try scaled(program.equalities, [1, 1])
      program.inequalities = try scaled(program.inequalities, rows)
      program.lower = zip(program.lower, rows).map { $0 * $1 }
      program.upper = zip(program.upper, rows).map { $0 * $1 }
      program.lowerBounds = zip(program.lowerBounds, columns).map { $0 / $1 }
      program.upperBounds = zip(program.upperBounds, columns).map { $0 / $1 }
      let solution = try program.solve()
      #expect(abs(solution.objective - plain.objective) < 1e-8 * max(1, abs(plain.objective)))
    }
  }

  @Test func malformedProgramsAreRefused() throws {
    func message(_ make: () throws -> QuadraticProgram) -> String {
      do {
        _ = try make().solve()
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      message { try QuadraticProgram(denseQuadratic: [1, 0], linear: [1, 2]) }.contains("Q has 2 elements"))
    #expect(
      message { try QuadraticProgram(denseQuadratic: [.nan], linear: [1]) }.contains("number 0 of Q is nan"))
    #expect(
      message { try QuadraticProgram(denseQuadratic: [1], linear: [.infinity]) }.contains("number 0 of q"))
    #expect(
      message { try QuadraticProgram(denseQuadratic: [1], linear: [1], lowerBounds: [1], upperBounds: [0]) }
        .contains("the lower bound of variable 0, 1.0, lies above its upper bound, 0.0"))
    #expect(
      message {
        try QuadraticProgram(
          denseQuadratic: [1], linear: [1], denseInequalities: [1], lower: [.nan], upper: [1])
      }.contains("the l of row 0 is NaN"))
    #expect(
      message { try QuadraticProgram(denseQuadratic: [1, 1, 0, 1], linear: [1, 1]) }.contains("(0, 1)"))
    #expect(
      message {
        try QuadraticProgram(
          denseQuadratic: [1, 0, 0, -0.5], linear: [1, 1], lowerBounds: [0, 0], upperBounds: [1, 1])
      }.contains("variable 1 meets the pivot -0.5"))
    #expect(
      message { try QuadraticProgram(denseQuadratic: [0, 1, 1, 0], linear: [0, 0]) }.contains("semidefinite"))
  }

  @Test func indefiniteSparseMatricesAreRefused() throws {
    let program = try QuadraticProgram(
      quadratic: CompressedMatrix(
        rowCount: 3, columnCount: 3, entries: [(0, 0, 1), (1, 1, 1), (0, 1, 2), (1, 0, 2), (2, 2, 1)]),
      linear: [0, 0, 0], lowerBounds: [0, 0, 0], upperBounds: [1, 1, 1])
    let error = #expect(throws: QuadraticProgramError.self) { try program.solve(storage: .sparse) }
    guard case .notConvex(let variable, let pivot) = error else {
      Issue.record("\(error.map { "\($0)" } ?? "")")
      return
    }
    #expect(variable == 1 && pivot == -3)
  }

  @Test func warmStartsTakeFewerSteps() throws {
    var program = try randomProgram(variables: 30, equalities: 5, inequalities: 40, seed: 7)
    let solver = try QuadraticProgramSolver(for: program)
    let first = try solver.solve(program)
    program.linear[0] += 1e-3
    let cold = try solver.solve(program)
    let warm = try solver.solve(program, warmStart: first)
    #expect(warm.status == .converged)
    #expect(warm.iterations < cold.iterations)
    #expect(zip(warm.x, cold.x).allSatisfy { abs($0 - $1) < 1e-11 })
  }

  @Test func cancellation() throws {
    let program = try randomProgram(variables: 10, equalities: 2, inequalities: 10, seed: 3)
    var asked = 0
    let solution = try QuadraticProgramSolver(for: program).solve(program) {
      asked += 1
      return asked > 2
    }
    #expect(solution.status == .cancelled)
    #expect(solution.iterations == 2)
  }

  @Test func iterationLimit() throws {
    let program = try randomProgram(variables: 10, equalities: 2, inequalities: 10, seed: 3)
    var options = QuadraticProgramOptions()
    options.maximumIterations = 2
    let solution = try QuadraticProgramSolver(for: program, options: options).solve(program)
    #expect(solution.status == .iterationLimit)
    #expect(solution.x.allSatisfy { $0.isFinite })
  }
}

/// `../shared/problems/maros_meszaros`, if it is there.
func marosMeszarosDirectory() -> String? {
  let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  let path = package.deletingLastPathComponent().appendingPathComponent("shared/problems/maros_meszaros").path
  return FileManager.default.fileExists(atPath: path) ? path : nil
}
