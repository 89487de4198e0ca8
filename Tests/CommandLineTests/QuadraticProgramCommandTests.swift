import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct QuadraticProgramCommandTests {
  /// minimise x² + y² − x y − 2 x + 3 subject to x + y = 1, −1 ≤ x − y ≤ 4 and y ≥ 0.1.
  static let qps = """
    * A comment.
    NAME          SMALL
    ROWS
     N  COST
     E  SUM
     L  DIFF
     N  SPARE
    COLUMNS
        X         COST             -2.0   SUM               1.0
        X         DIFF              1.0   SPARE             9.0
        Y         SUM               1.0   DIFF             -1.0
    RHS
        RHS       COST             -3.0   SUM               1.0
        RHS       DIFF              4.0
    RANGES
        RNG       DIFF              5.0
    BOUNDS
     FR BND       X
     LO BND       Y                 0.1
    QUADOBJ
        X         X                 2.0   Y                -1.0
        Y         Y                 2.0
    ENDATA
    """
  private func run(_ content: String, _ arguments: [String] = []) throws -> CommandLineTool {
    try withTemporaryDirectory { directory in
      let path = directory + "/program"
      try Data(content.utf8).write(to: URL(fileURLWithPath: path))
      return try CommandLineTool(["qp", path, "--json"] + arguments)
    }
  }

  @Test func smallProgram() throws {
    let run = try run(Self.qps, ["--gradient"])
    #expect(run.exitCode == 0, "\(run.errors)")
    let json = try run.json()
    #expect(json["status"] == .string("converged"))
    // On x + y = 1: 3 x² − 5 x + 4, at x = 5/6.
    let x = try #require(json["x"]?.array).elements
    #expect(abs(x[0] - 5.0 / 6) < 1e-12 && abs(x[1] - 1.0 / 6) < 1e-12)
    #expect(abs(try #require(json["objective"]?.double) - (4 - 25.0 / 12)) < 1e-12)
    #expect(json["degenerate"] == .bool(false))
    guard case .object(let gradient)? = json["gradient"] else {
      Issue.record("no gradient")
      return
    }
    // The sum is fixed by the equation.
    #expect(gradient.first { $0.name == "q" }?.value.array?.elements.allSatisfy { abs($0) < 1e-12 } == true)
    #expect(abs(try #require(gradient.first { $0.name == "b" }?.value.array).elements[0] - 1) < 1e-12)
  }

  @Test func jsonPrograms() throws {
    let run = try run(
      #"{"Q": [[2, -1], [-1, 2]], "q": [-2, 0], "A": [[1, 1]], "b": [1], "constant": 3, "lo": [null, 0.1]}"#)
    #expect(run.exitCode == 0, "\(run.errors)")
    let dense = try run.json()
    #expect(abs(try #require(dense["objective"]?.double) - (4 - 25.0 / 12)) < 1e-12)
    let sparse = try self.run(
      #"{"Q": {"rows": [0, 1], "columns": [0, 1], "values": [1, 1]}, "q": [-1, -5], "G": [[1, 1]], "l": [null], "u": [3]}"#,
      ["--gradient"])
    let x = try #require(try sparse.json()["x"]?.array).elements
    #expect(abs(x[0] + 0.5) < 1e-12 && abs(x[1] - 3.5) < 1e-12)
  }

  @Test func programsWithoutSolutionExit1() throws {
    let infeasible = try run(
      #"{"Q": [[1]], "q": [0], "G": [[1]], "l": [2], "u": [3], "hi": [1]}"#)
    #expect(infeasible.exitCode == 1)
    #expect(try infeasible.json()["status"] == .string("infeasible"))
    #expect(infeasible.errors.contains("contradict"))
    let unbounded = try run(#"{"Q": [[0]], "q": [1]}"#)
    #expect(unbounded.exitCode == 1)
    #expect(try unbounded.json()["status"] == .string("unbounded"))
    let concave = try run(#"{"Q": [[-1]], "q": [1], "lo": [0], "hi": [1]}"#)
    #expect(concave.exitCode == 1)
    #expect(concave.output.isEmpty)
    #expect(concave.errors.contains("variable 0 meets the pivot -1.0"))
  }

  @Test func degenerateSolutionsSaySo() throws {
    let run = try run(#"{"Q": [[1]], "q": [0], "lo": [0]}"#, ["--gradient"])
    #expect(run.exitCode == 0)
    #expect(try run.json()["degenerate"] == .bool(true))
  }

  @Test(arguments: [
    ("ROWZ", "3:1: 'ROWZ' is no section"),
    (" X  COST", "4:2: the row's kind is 'X'; N, E, L and G are known"),
    ("    X         NONE             -2.0", "10:15: there is no row 'NONE'"),
    ("    X         COST             two", "10:32: 'two' is no number"),
    (" BV BND       X", "is for variables that are not continuous"),
    (" UP BND       Z         1.0", "there is no column 'Z'"),
  ])
  func faultsHaveTheirPlace(line: String, message: String) throws {
    var lines = Self.qps.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let place = line.hasPrefix("ROWZ") ? 2 : line.hasPrefix(" X") ? 3 : line.hasPrefix("    ") ? 9 : 18
    if line.hasPrefix("ROWZ") { lines[2] = line } else { lines.insert(line, at: place) }
    let run = try run(lines.joined(separator: "\n"))
    #expect(run.exitCode == 65)
    #expect(run.errors.contains(message), "\(run.errors)")
  }

  @Test func faultyFilesAre65() throws {
    for (content, message) in [
      ("", "without ENDATA"), ("{\"q\": [1], \"R\": []}", "'R' is not known"), ("{}", "'q' is missing"),
      ("{\"q\": [1, 2], \"Q\": [[1]]}", "Q has shape [1, 1]; [2, 2] is needed"),
      ("{\"q\": [1], \"lo\": [2], \"hi\": [1]}", "lies above"),
      ("{\"q\": [1], \"G\": [[1]]}", "G without l or u"),
      (String(Self.qps.dropLast(6)), "without ENDATA"),
    ] {
      let run = try run(content)
      #expect(run.exitCode == 65, "\(content): \(run.errors)")
      #expect(run.errors.contains(message), "\(run.errors)")
    }
    #expect(try CommandLineTool(["qp", "/nonexistent"]).exitCode == 66)
    #expect(try CommandLineTool(["qp", "/nonexistent", "--precision", "float32"]).exitCode == 64)
  }
}
