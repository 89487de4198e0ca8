import LinearAlgebra

/// A quadratic program from a file in QPS format: MPS with a section for the quadratic part, as the Maros–Mészáros collection (there called
/// SIF) and many solvers use it.
///
/// Read are the sections NAME, ROWS, COLUMNS, RHS, RANGES, BOUNDS, QUADOBJ or QSECTION (one half of Q) and QMATRIX (both halves). Fields may
/// stand in the fixed columns, where names may hold spaces, or be separated by blanks. The conventions:
///
/// - the objective is ½ xᵀQx + qᵀx + constant; a right-hand side of the objective's row is minus the constant;
/// - the first N row is the objective, further ones do not constrain and are left out;
/// - variables lie in [0, ∞) unless bounds say otherwise; a negative UP bound of a variable without lower bound makes that −∞;
/// - a range R of an E row extends it to [b, b + R] or, where negative, [b + R, b]; of an L row to [b − |R|, b], of a G row to [b, b + |R|];
/// - of several right-hand sides, ranges and bounds the first set counts.
public struct QuadraticProgramFile: Sendable {
  /// What the file calls itself.
  public var name = ""
  /// The program. E rows without a range are its equations.
  public var program: QuadraticProgram
  /// What the file's objective adds to the program's.
  public var constant = 0.0
  /// The columns' names.
  public var variableNames: [String] = []
  /// The names of the rows that are equations.
  public var equalityNames: [String] = []
  /// The names of the other rows.
  public var inequalityNames: [String] = []

  /// Reads a file's bytes.
  /// - Throws: ``QuadraticProgramFileError`` with the place and what would be valid.
  public init(bytes: [UInt8]) throws(QuadraticProgramFileError) {
    var reader = QPSReader(bytes)
    self = try reader.read()
  }
  init(program: QuadraticProgram) { self.program = program }
}

/// What is wrong in a file, and where.
public struct QuadraticProgramFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// From one.
  public var line: Int
  /// In bytes, from one.
  public var column: Int
  /// What is wrong and what would be valid.
  public var message: String
  /// `line:column: message`.
  public var description: String { "\(line):\(column): \(message)" }
}

private struct QPSReader {
  private enum Section: String, CaseIterable {
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
  private struct Field {
    var text: String
    var column: Int
  }
  private struct Row {
    var name: String
    var kind: UInt8
    var rightSide = 0.0
    var range: Double?
  }
  private let bytes: [UInt8]
  private var offset = 0
  private var line = 0
  private var lineStart = 0
  private var lineEnd = 0

  private var name = ""
  private var rows: [Row] = []
  private var rowNumbers: [String: Int] = [:]
  private var objective: Int?
  private var variables: [String] = []
  private var variableNumbers: [String: Int] = [:]
  private var entries: [(row: Int, column: Int, value: Double)] = []
  private var known: Set<UInt64> = []
  private var quadratic: [(row: Int, column: Int, value: Double)] = []
  private var knownQuadratic: Set<UInt64> = []
  private var lower: [Double] = []
  private var upper: [Double] = []
  private var hasLower: [Bool] = []
  /// The set whose right-hand sides, ranges, bounds count.
  private var sets: [Section: String] = [:]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private func error(_ message: String, column: Int = 1) -> QuadraticProgramFileError {
    QuadraticProgramFileError(line: max(line, 1), column: column, message: message)
  }

  /// The next line that is neither empty nor a comment.
  private mutating func nextLine() -> Bool {
    while offset < bytes.count {
      line += 1
      lineStart = offset
      while offset < bytes.count, bytes[offset] != 0x0a { offset += 1 }
      lineEnd = offset
      offset += 1
      while lineEnd > lineStart, isBlank(bytes[lineEnd - 1]) { lineEnd -= 1 }
      if lineEnd > lineStart, bytes[lineStart] != UInt8(ascii: "*") { return true }
    }
    return false
  }
  private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
  private func field(_ range: Range<Int>) -> Field {
    Field(text: String(decoding: bytes[range], as: UTF8.self), column: range.lowerBound - lineStart + 1)
  }
  /// What blanks separate.
  private func freeFields() -> [Field] {
    var fields: [Field] = []
    var k = lineStart
    while k < lineEnd {
      while k < lineEnd, isBlank(bytes[k]) { k += 1 }
      let start = k
      while k < lineEnd, !isBlank(bytes[k]) { k += 1 }
      if k > start { fields.append(field(start..<k)) }
    }
    return fields
  }
  /// What stands in columns 2–3, 5–12, 15–22, 25–36, 40–47, 50–61.
  private func fixedFields() -> [Field?] {
    [(1, 3), (4, 12), (14, 22), (24, 36), (39, 47), (49, 61)].map { first, end in
      var (start, last) = (min(lineStart + first, lineEnd), min(lineStart + end, lineEnd))
      while start < last, isBlank(bytes[start]) { start += 1 }
      while last > start, isBlank(bytes[last - 1]) { last -= 1 }
      return start < last ? field(start..<last) : nil
    }
  }
  private func number(_ field: Field) -> Double? {
    let isPlain = field.text.utf8.allSatisfy { byte in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.eEdD".utf8.contains(byte)
    }
    guard isPlain else {
      switch field.text.lowercased() {
      case "inf", "+inf", "infinity", "+infinity": return .infinity
      case "-inf", "-infinity": return -.infinity
      default: return nil
      }
    }
    let text = String(field.text.map { $0 == "d" || $0 == "D" ? "e" : $0 })
    return Double(text)
  }
  private func coefficient(_ field: Field) throws(QuadraticProgramFileError) -> Double {
    guard let value = number(field) else {
      throw error("'\(field.text)' is no number", column: field.column)
    }
    guard value.isFinite else {
      throw error("\(field.text) is not finite; only bounds may be infinite", column: field.column)
    }
    return value
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

  private func readSense(_ field: Field) throws(QuadraticProgramFileError) {
    switch field.text.uppercased() {
    case "MIN", "MINIMIZE", "MINIMISE": return
    default:
      throw error(
        "the sense '\(field.text)': programs are minimised (MIN); to maximise, turn the objective's signs",
        column: field.column)
    }
  }

  private mutating func readRow() throws(QuadraticProgramFileError) {
    var fields = freeFields()
    if fields.count != 2 {
      let fixed = fixedFields()
      guard let kind = fixed[0], let name = fixed[1] else {
        throw error("a row has a kind (N, E, L or G) and a name", column: fields.first?.column ?? 1)
      }
      fields = [kind, name]
    }
    let kind = fields[0].text.uppercased()
    guard ["N", "E", "L", "G"].contains(kind) else {
      throw error("the row's kind is '\(fields[0].text)'; N, E, L and G are known", column: fields[0].column)
    }
    guard rowNumbers.updateValue(rows.count, forKey: fields[1].text) == nil else {
      throw error("a second row '\(fields[1].text)'", column: fields[1].column)
    }
    if kind == "N", objective == nil { objective = rows.count }
    rows.append(Row(name: fields[1].text, kind: kind.utf8.first!))
  }

  /// A name, then one or two pairs of name and number: as blanks separate them if that makes sense, else as the columns do.
  private func namedValues(
    _ names: [String: Int], nameIsOptional: Bool, what: String
  ) throws(QuadraticProgramFileError) -> (name: Field?, pairs: [(Int, Field)]) {
    func parse(_ fields: [Field]) throws(QuadraticProgramFileError) -> (name: Field?, pairs: [(Int, Field)]) {
      let hasName = fields.count == 3 || fields.count == 5
      guard hasName || (nameIsOptional && (fields.count == 2 || fields.count == 4)) else {
        throw error(
          "\(fields.count) fields; a name and one or two pairs of a \(what)'s name and a number should stand here",
          column: fields.first?.column ?? 1)
      }
      var pairs: [(Int, Field)] = []
      var k = hasName ? 1 : 0
      while k < fields.count {
        guard let place = names[fields[k].text] else {
          throw error("there is no \(what) '\(fields[k].text)'", column: fields[k].column)
        }
        guard number(fields[k + 1]) != nil else {
          throw error("'\(fields[k + 1].text)' is no number", column: fields[k + 1].column)
        }
        pairs.append((place, fields[k + 1]))
        k += 2
      }
      return (hasName ? fields[0] : nil, pairs)
    }
    do throws(QuadraticProgramFileError) { return try parse(freeFields()) } catch let first {
      let fixed = fixedFields()
      let blank = Field(text: "", column: 5)
      guard let name = fixed[1] ?? (nameIsOptional ? blank : nil), let one = fixed[2], let value = fixed[3]
      else {
        throw first
      }
      var fields = [name, one, value]
      if let two = fixed[4], let other = fixed[5] { fields += [two, other] }
      do throws(QuadraticProgramFileError) { return try parse(fields) } catch { throw first }
    }
  }

  private mutating func readColumn() throws(QuadraticProgramFileError) {
    let free = freeFields()
    if free.contains(where: { $0.text == "'MARKER'" }) {
      throw error(
        "integer variables: only programs of continuous variables are solved; remove the markers for the relaxation",
        column: free[0].column)
    }
    let (name, pairs) = try namedValues(rowNumbers, nameIsOptional: false, what: "row")
    guard let name else { throw error("a column's name should stand here") }
    let column: Int
    if let known = variableNumbers[name.text] {
      column = known
    } else {
      column = variables.count
      variableNumbers[name.text] = column
      variables.append(name.text)
      lower.append(0)
      upper.append(.infinity)
      hasLower.append(false)
    }
    for (row, field) in pairs {
      guard known.insert(UInt64(row) << 32 | UInt64(column)).inserted else {
        throw error(
          "a second entry of column '\(name.text)' in row '\(rows[row].name)'", column: field.column)
      }
      entries.append((row, column, try coefficient(field)))
    }
  }

  private mutating func readRowValues(_ section: Section) throws(QuadraticProgramFileError) {
    let (name, pairs) = try namedValues(rowNumbers, nameIsOptional: true, what: "row")
    let set = name?.text ?? ""
    guard sets[section, default: set] == set else { return }
    sets[section] = set
    for (row, field) in pairs {
      let value = try coefficient(field)
      if section == .rightSides {
        rows[row].rightSide = value
      } else {
        guard rows[row].kind != UInt8(ascii: "N") else {
          throw error(
            "a range of the row '\(rows[row].name)', which does not constrain", column: field.column)
        }
        rows[row].range = value
      }
    }
  }

  private mutating func readBound() throws(QuadraticProgramFileError) {
    let free = freeFields()
    let kind = free[0].text.uppercased()
    let isInfinite = ["FR", "MI", "PL"].contains(kind)
    guard isInfinite || ["UP", "LO", "FX"].contains(kind) else {
      throw error(
        ["BV", "LI", "UI", "SC"].contains(kind)
          ? "the bound '\(free[0].text)' is for variables that are not continuous, which are not solved"
          : "the bound's kind is '\(free[0].text)'; UP, LO, FX, FR, MI and PL are known",
        column: free[0].column)
    }
    var (set, variable, value): (Field?, Field, Field?)
    switch (free.count, isInfinite) {
    case (4, _): (set, variable, value) = (free[1], free[2], free[3])
    case (3, false): (set, variable, value) = (nil, free[1], free[2])
    case (3, true) where variableNumbers[free[2].text] != nil:
      (set, variable, value) = (free[1], free[2], nil)
    case (3, true): (set, variable, value) = (nil, free[1], free[2])
    case (2, true): (set, variable, value) = (nil, free[1], nil)
    default:
      let fixed = fixedFields()
      guard let third = fixed[2], isInfinite || fixed[3] != nil else {
        throw error(
          "\(free.count) fields; a bound has a kind, the name of its set, a column's name"
            + (isInfinite ? "" : ", and a number"), column: free[0].column)
      }
      (set, variable, value) = (fixed[1], third, fixed[3])
    }
    if variableNumbers[variable.text] == nil {
      let fixed = fixedFields()
      if let third = fixed[2], variableNumbers[third.text] != nil {
        (set, variable, value) = (fixed[1], third, fixed[3])
      }
    }
    guard let place = variableNumbers[variable.text] else {
      throw error("there is no column '\(variable.text)'", column: variable.column)
    }
    let name = set?.text ?? ""
    guard sets[.bounds, default: name] == name else { return }
    sets[.bounds] = name
    var bound = 0.0
    if !isInfinite {
      guard let value, let read = number(value), !read.isNaN else {
        throw error("'\(value?.text ?? "")' is no number", column: value?.column ?? variable.column)
      }
      bound = read
      let isPossible = kind == "UP" ? read > -.infinity : kind == "LO" ? read < .infinity : read.isFinite
      guard isPossible else {
        throw error("no number satisfies the bound \(kind) \(value.text)", column: value.column)
      }
    }
    switch kind {
    case "UP":
      upper[place] = bound
      if bound < 0, !hasLower[place] { lower[place] = -.infinity }
    case "LO": (lower[place], hasLower[place]) = (bound, true)
    case "FX": (lower[place], upper[place], hasLower[place]) = (bound, bound, true)
    case "FR": (lower[place], upper[place], hasLower[place]) = (-.infinity, .infinity, true)
    case "MI": (lower[place], hasLower[place]) = (-.infinity, true)
    default: upper[place] = .infinity
    }
  }

  private mutating func readQuadratic(isHalf: Bool) throws(QuadraticProgramFileError) {
    let (name, pairs) = try namedValues(variableNumbers, nameIsOptional: false, what: "column")
    guard let name, let row = variableNumbers[name.text] else {
      throw error("there is no column '\(name?.text ?? "")'", column: name?.column ?? 1)
    }
    for (column, field) in pairs {
      let value = try coefficient(field)
      let (first, second) = isHalf ? (max(row, column), min(row, column)) : (row, column)
      guard knownQuadratic.insert(UInt64(first) << 32 | UInt64(second)).inserted else {
        throw error(
          "a second entry of '\(name.text)' and '\(variables[column])'"
            + (isHalf ? "; QUADOBJ has one half of the matrix, QMATRIX both" : ""), column: field.column)
      }
      quadratic.append((row, column, value))
      if isHalf, row != column { quadratic.append((column, row, value)) }
    }
  }

  private mutating func finish() throws(QuadraticProgramFileError) -> QuadraticProgramFile {
    for (k, name) in variables.enumerated() where lower[k] > upper[k] {
      throw error("the bounds of column '\(name)' leave nothing: [\(lower[k]), \(upper[k])]")
    }
    let n = variables.count
    var linear = [Double](repeating: 0, count: n)
    var places = [(isEquation: Bool, index: Int)?](repeating: nil, count: rows.count)
    var (equalityNames, inequalityNames): ([String], [String]) = ([], [])
    var (values, low, high): ([Double], [Double], [Double]) = ([], [], [])
    for (k, row) in rows.enumerated() where row.kind != UInt8(ascii: "N") {
      let (side, range) = (row.rightSide, row.range)
      if row.kind == UInt8(ascii: "E"), range == nil || range == 0 {
        places[k] = (true, values.count)
        values.append(side)
        equalityNames.append(row.name)
        continue
      }
      places[k] = (false, low.count)
      inequalityNames.append(row.name)
      let size = range?.magnitude ?? .infinity
      switch row.kind {
      case UInt8(ascii: "L"):
        low.append(side - size)
        high.append(side)
      case UInt8(ascii: "G"):
        low.append(side)
        high.append(side + size)
      default:
        low.append(range! < 0 ? side - size : side)
        high.append(range! < 0 ? side : side + size)
      }
    }
    var (equalities, inequalities) = (
      [(row: Int, column: Int, value: Double)](), [(row: Int, column: Int, value: Double)]()
    )
    for entry in entries {
      if entry.row == objective {
        linear[entry.column] = entry.value
      } else if let place = places[entry.row] {
        let moved = (place.index, entry.column, entry.value)
        if place.isEquation { equalities.append(moved) } else { inequalities.append(moved) }
      }
    }
    do {
      let program = try QuadraticProgram(
        quadratic: CompressedMatrix(rowCount: n, columnCount: n, entries: quadratic), linear: linear,
        equalities: CompressedMatrix(rowCount: values.count, columnCount: n, entries: equalities),
        equalityValues: values,
        inequalities: CompressedMatrix(rowCount: low.count, columnCount: n, entries: inequalities),
        lower: low,
        upper: high, lowerBounds: lower, upperBounds: upper)
      var file = QuadraticProgramFile(program: program)
      file.name = name
      if let objective { file.constant = -rows[objective].rightSide }
      file.variableNames = variables
      file.equalityNames = equalityNames
      file.inequalityNames = inequalityNames
      return file
    } catch { throw self.error("\(error)") }
  }
}
