import Testing

@testable import CostateCommandLine

@Suite struct JSONValueTests {
  private func text(_ value: JSONValue) throws -> String {
    String(decoding: try value.encoded(), as: UTF8.self)
  }

  @Test func membersKeepTheirOrder() throws {
    let value: JSONValue = [
      "nq": .integer(2), "a": .bool(true), "M": .matrix([1, 2, 3, 4], rows: 2, columns: 2),
    ]
    #expect(try text(value) == #"{"nq": 2, "a": true, "M": [[1.0, 2.0], [3.0, 4.0]]}"#)
  }

  @Test func emptyDimensions() throws {
    #expect(try text(.matrix([], rows: 2, columns: 0)) == "[[], []]")
    #expect(try text(.matrix([], rows: 0, columns: 3)) == "[]")
    #expect(try text(.numbers([])) == "[]")
  }

  @Test func stringsAreEscaped() throws {
    #expect(try text(.string("a\"b\\c\n\u{1}é")) == #""a\"b\\c\n\u0001é""#)
  }

  @Test(arguments: [
    0.1, -0.0, 1e300, Double.leastNonzeroMagnitude, 1.0 / 3.0, 123_456_789_012_345_680, -2.5e-7,
  ])
  func doublesReadBackToTheSameBits(number: Double) throws {
    let file = InputFile(path: "x", bytes: try JSONValue.number(number).encoded())
    guard case .number(let back) = try JSONReader.read(file) else {
      Issue.record("not a number")
      return
    }
    #expect(back.bitPattern == number.bitPattern)
  }

  @Test func nonFiniteNumbersAreNamed() {
    let value: JSONValue = [
      "ncon": .integer(1),
      "contacts": .array([["dist": .number(0), "force": .numbers([1, .infinity])]]),
    ]
    let failure = #expect(throws: CommandFailure.self) { try value.encoded() }
    #expect(failure?.code == .computationFailed)
    #expect(failure?.message == "contacts[0].force[1] is not finite (inf)")
    let matrix: JSONValue = ["M": .matrix([1, 2, .nan, 4], rows: 2, columns: 2)]
    #expect(
      #expect(throws: CommandFailure.self) { try matrix.encoded() }?.message == "M[1][0] is not finite (nan)")
  }
}
