/// Reads a file in QPS format.
struct QPSReader {
  enum Section: String, CaseIterable {
    case name = "NAME"
    case objectiveSense = "OBJSENSE"
    case rows = "ROWS"
    case columns = "COLUMNS"
    case rightSides = "RHS"
    case ranges = "RANGES"
    case bounds = "BOUNDS"
    case half = "QUADOBJ"
    case halfSection = "QSECTION"
    case full = "QMATRIX"
    case end = "ENDATA"
  }
  struct Field {
    var text: String
    var column: Int
  }
  struct Row {
    var name: String
    var kind: UInt8
    var rightSide = 0.0
    var range: Double?
  }
  let bytes: [UInt8]
  var offset = 0
  var line = 0
  var lineStart = 0
  var lineEnd = 0

  var name = ""
  var rows: [Row] = []
  var rowNumbers: [String: Int] = [:]
  var objective: Int?
  var variables: [String] = []
  var variableNumbers: [String: Int] = [:]
  var entries: [(row: Int, column: Int, value: Double)] = []
  var known: Set<UInt64> = []
  var quadratic: [(row: Int, column: Int, value: Double)] = []
  var knownQuadratic: Set<UInt64> = []
  var lower: [Double] = []
  var upper: [Double] = []
  var hasLower: [Bool] = []
  /// The set whose right-hand sides, ranges, bounds count.
  var sets: [Section: String] = [:]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func error(_ message: String, column: Int = 1) -> QuadraticProgramFileError {
    QuadraticProgramFileError(line: max(line, 1), column: column, message: message)
  }

  mutating func read() throws(QuadraticProgramFileError) -> QuadraticProgramFile {
    var section: Section?
    var seen: Set<Section> = []
    while nextLine() {
      if !isBlank(bytes[lineStart]) {
        let fields = freeFields()
        let word = fields[0].text.uppercased()
        guard let next = Section(rawValue: word) else {
          throw error(
            "'\(fields[0].text)' is no section; one of \(Section.allCases.map(\.rawValue).joined(separator: ", ")) should "
              + "stand here, or a line that begins with a blank")
        }
        guard seen.insert(next).inserted else { throw error("a second section \(word)") }
        if next != .name, next != .objectiveSense, next != .rows, !seen.contains(.rows) {
          throw error("section \(word) before ROWS")
        }
        if ![.name, .objectiveSense, .rows, .columns].contains(next), !seen.contains(.columns) {
          throw error("section \(word) before COLUMNS")
        }
        section = next
        if next == .name {
          name = fields.dropFirst().map(\.text).joined(separator: " ")
        }
        if next == .objectiveSense, fields.count > 1 { try readSense(fields[1]) }
        if next == .end { return try finish() }
        continue
      }
      switch section {
      case .rows: try readRow()
      case .columns: try readColumn()
      case .rightSides, .ranges: try readRowValues(section!)
      case .bounds: try readBound()
      case .half, .halfSection: try readQuadratic(isHalf: true)
      case .full: try readQuadratic(isHalf: false)
      case .objectiveSense: try readSense(freeFields()[0])
      case .name, .end, nil:
        throw error("a line of data outside of a section that has any; ROWS should come first")
      }
    }
    line += 1
    throw error("the file ends without ENDATA")
  }

  func readSense(_ field: Field) throws(QuadraticProgramFileError) {
    switch field.text.uppercased() {
    case "MIN", "MINIMIZE", "MINIMISE": return
    default:
      throw error(
        "the sense '\(field.text)': programs are minimised (MIN); to maximise, turn the objective's signs",
        column: field.column)
    }
  }
}
