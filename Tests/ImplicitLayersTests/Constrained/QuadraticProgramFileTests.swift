import ImplicitLayers
import LinearAlgebra
import TestSupport
import Testing

@Suite struct QuadraticProgramFileTests {
  private static let text = """
    NAME          CASES   OF ALL KINDS
    ROWS
     N  COST
     E  E PLUS
     E  E MINUS
     L  LESS
     G  MORE
     E  EQUAL
    COLUMNS
        X ONE     COST               1.5   E PLUS             1.0
        X ONE     E MINUS            2.0   LESS               1.0
        X TWO     MORE               1.0   EQUAL              1.0
        X TWO     LESS              -1.0
        X3        COST               1.0D0
        X4        COST               0.0
        X5        COST               0.0
        X6        COST               0.0
    RHS
        RHS       COST             -10.0   E PLUS             1.0
        RHS       E MINUS            1.0   LESS               4.0
        RHS       MORE               2.0   EQUAL              0.5
        OTHER     EQUAL             77.0
    RANGES
        RNG       E PLUS             3.0   E MINUS           -3.0
        RNG       LESS               2.5   MORE               1.5
    BOUNDS
     UP BND       X ONE             -1.0
     UP BND       X TWO              4.0
     MI BND       X3
     FR BND       X4
     FX BND       X5                 2.0
     LO BND       X6                -3.0
     UP BND       X6                -1.0
    QUADOBJ
        X ONE     X ONE              2.0   X TWO             -1.0
        X TWO     X TWO              2.0
    ENDATA
    """

  @Test func conventions() throws {
    let file = try QuadraticProgramFile(bytes: Array(Self.text.utf8))
    let program = file.program
    #expect(file.name == "CASES OF ALL KINDS")
    #expect(file.constant == 10)
    #expect(file.variableNames == ["X ONE", "X TWO", "X3", "X4", "X5", "X6"])
    #expect(file.equalityNames == ["EQUAL"] && program.equalityValues == [0.5])
    #expect(file.inequalityNames == ["E PLUS", "E MINUS", "LESS", "MORE"])
    #expect(program.lower == [1, -2, 1.5, 2] && program.upper == [4, 1, 4, 3.5])
    #expect(program.lowerBounds == [-.infinity, 0, -.infinity, -.infinity, 2, -3])
    #expect(program.upperBounds == [-1, 4, .infinity, .infinity, 2, -1])
    #expect(program.linear == [1.5, 0, 1, 0, 0, 0])
    #expect(try program.quadratic.multiply([1, 10, 0, 0, 0, 0]) == [-8, 19, 0, 0, 0, 0])
    #expect(try program.inequalities.multiply([1, 10, 0, 0, 0, 0]) == [1, 2, -9, 10])
  }

  @Test func fullMatricesAndFreeFormat() throws {
    let text = """
      NAME
      ROWS
       N c
       G r
      COLUMNS
       averylongvariablename c 1 r 1
       y r 1
      RHS
       r 2
      BOUNDS
       FR averylongvariablename
       UP b y 1e30
      QMATRIX
       averylongvariablename averylongvariablename 2 y 1
       y averylongvariablename 1 y 2
      ENDATA
      """
    let program = try QuadraticProgramFile(bytes: Array(text.utf8)).program
    #expect(try program.quadratic.multiply([1, 0]) == [2, 1])
    #expect(program.lowerBounds == [-.infinity, 0] && program.lower == [2])
    let solution = try program.solve()
    #expect(abs(solution.x[0] - 0.5) < 1e-10 && abs(solution.x[1] - 1.5) < 1e-10)
  }

  /// Files with random damage are read or refused with a place; nothing else.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func damagedFiles(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let whole = Array(Self.text.utf8)
    let fragments = [
      "\n", " ", "1e999", "nan", "-", "ROWS\n", "RHS\n", "ENDATA\n", " UP BND X3 inf", "\u{0}", "é", "X3",
      "'MARKER'",
    ]
    for _ in 0..<200 {
      var bytes = whole
      for _ in 0..<Int(random.next() % 4) + 1 {
        let place = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 5 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int(random.next() % 40)))
        case 2:
          bytes.insert(
            contentsOf: Array(fragments[Int(random.next() % UInt64(fragments.count))].utf8), at: place)
        case 3: bytes = Array(bytes[..<place]) + [0x20]
        default:
          let end = min(bytes.count, place + Int(random.next() % 60))
          bytes.insert(contentsOf: Array(bytes[place..<end]), at: Int(random.next() % UInt64(bytes.count)))
        }
        if bytes.isEmpty { bytes = [0x0a] }
      }
      do throws(QuadraticProgramFileError) {
        let file = try QuadraticProgramFile(bytes: bytes)
        let isValid = (try? file.program.validate()) != nil
        #expect(isValid)
      } catch { #expect(error.line > 0 && error.column > 0 && !error.message.isEmpty) }
    }
  }
}
