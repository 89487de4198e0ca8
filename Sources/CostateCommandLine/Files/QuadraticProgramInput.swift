import Costate

/// A quadratic program from a file: QPS, or JSON with any of the keys `Q q A b G l u lo hi constant`.
struct QuadraticProgramInput {
  var program: QuadraticProgram
  /// What the file's objective adds to ½ xᵀQx + qᵀx.
  var constant = 0.0
  /// Names of the variables, equations and other rows; nil where the file has none.
  var names: (variables: [String], equalities: [String], inequalities: [String])?

  /// - Throws: `CommandFailure`: unreadable, or invalid with what would be valid.
  init(path: String) throws(CommandFailure) { try self.init(InputFile(path: path)) }

  private init(
    program: QuadraticProgram, constant: Double,
    names: (variables: [String], equalities: [String], inequalities: [String])?
  ) {
    self.program = program
    self.constant = constant
    self.names = names
  }

  /// JSON begins with a brace; nothing else does.
  init(_ file: InputFile) throws(CommandFailure) {
    let first = file.bytes.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }
    if first == UInt8(ascii: "{") {
      try self.init(json: file)
      return
    }
    let content: QuadraticProgramFile
    do throws(QuadraticProgramFileError) { content = try QuadraticProgramFile(bytes: file.bytes) } catch {
      throw CommandFailure(.invalidInput, "\(file.path):\(error)")
    }
    self.init(
      program: content.program, constant: content.constant,
      names: (content.variableNames, content.equalityNames, content.inequalityNames))
  }

  private static let knownKeys =
    "Q (n x n), q (n), A (p x n), b (p), G (m x n), l and u (m), lo and hi (n), constant; sides may be null for none, and "
    + "matrices {\"rows\": [], \"columns\": [], \"values\": []}"

  private init(json file: InputFile) throws(CommandFailure) {
    guard case .object(let members) = try JSONReader.read(file) else {
      throw file.failure("a quadratic program is an object with any of the keys \(Self.knownKeys)")
    }
    var values: [String: JSONValue] = [:]
    for member in members {
      guard ["Q", "q", "A", "b", "G", "l", "u", "lo", "hi", "constant"].contains(member.name) else {
        throw file.failure(
          "'\(member.name)' is not known; a quadratic program has the keys \(Self.knownKeys)")
      }
      values[member.name] = member.value
    }
    if let value = values["constant"] {
      guard case .number(let number) = value else { throw file.failure("constant must be a number") }
      constant = number
    }
    guard let q = values["q"] else { throw file.failure("'q' is missing; it has a number for each variable") }
    let linear = try Self.vector(q, "q", nullIs: nil, of: file)
    let n = linear.count
    func vector(_ name: String, nullIs infinity: Double?) throws(CommandFailure) -> [Double]? {
      guard let value = values[name] else { return nil }
      return try Self.vector(value, name, nullIs: infinity, of: file)
    }
    func matrix(_ name: String, rows: Int) throws(CommandFailure) -> CompressedMatrix? {
      guard let value = values[name] else { return nil }
      return try Self.matrix(value, name, rows: rows, columns: n, of: file)
    }
    let b = try vector("b", nullIs: nil) ?? []
    let (l, u) = (try vector("l", nullIs: -.infinity), try vector("u", nullIs: .infinity))
    if values["G"] == nil, l != nil || u != nil { throw file.failure("l or u without G") }
    if values["G"] != nil, l == nil, u == nil { throw file.failure("G without l or u, its sides") }
    if values["A"] == nil, !b.isEmpty { throw file.failure("b without A") }
    do throws(QuadraticProgramError) {
      program = try QuadraticProgram(linear: linear)
    } catch { throw file.failure(error.description) }
    let quadratic = try matrix("Q", rows: n)
    let equalities = try matrix("A", rows: b.count)
    let inequalities = try matrix("G", rows: (l ?? u ?? []).count)
    let (lo, hi) = (try vector("lo", nullIs: -.infinity), try vector("hi", nullIs: .infinity))
    do throws(QuadraticProgramError) {
      program = try QuadraticProgram(
        quadratic: quadratic, linear: linear, equalities: equalities, equalityValues: b,
        inequalities: inequalities,
        lower: l, upper: u, lowerBounds: lo, upperBounds: hi)
    } catch { throw file.failure(error.description) }
  }

  private static func vector(
    _ value: JSONValue, _ name: String, nullIs infinity: Double?, of file: InputFile
  ) throws(CommandFailure) -> [Double] {
    if case .array(let elements) = value, let infinity, elements.contains(.null) {
      var numbers: [Double] = []
      for (k, element) in elements.enumerated() {
        switch element {
        case .number(let number): numbers.append(number)
        case .null: numbers.append(infinity)
        default: throw file.failure("\(name)[\(k)] must be a number, or null for no side")
        }
      }
      return numbers
    }
    let array = try NumericArray(value, what: name, of: file)
    guard array.shape.count == 1 else {
      throw file.failure("\(name) has shape \(NumericArray.describe(array.shape)); it is a vector")
    }
    return array.elements
  }

  private static func matrix(
    _ value: JSONValue, _ name: String, rows: Int, columns: Int, of file: InputFile
  ) throws(CommandFailure) -> CompressedMatrix {
    var entries: [(row: Int, column: Int, value: Double)] = []
    if case .object(let members) = value {
      var lists: [String: [Double]] = [:]
      for member in members where ["rows", "columns", "values"].contains(member.name) {
        lists[member.name] = try vector(member.value, "\(name).\(member.name)", nullIs: nil, of: file)
      }
      guard members.count == 3, let r = lists["rows"], let c = lists["columns"], let v = lists["values"],
        r.count == v.count, c.count == v.count
      else { throw file.failure("a sparse \(name) has rows, columns and values of one length") }
      for k in v.indices {
        guard let row = Int(exactly: r[k]), let column = Int(exactly: c[k]) else {
          throw file.failure("\(name).rows and \(name).columns must be integers; entry \(k) is not")
        }
        entries.append((row, column, v[k]))
      }
    } else {
      let array = try NumericArray(value, what: name, of: file)
      guard array.shape == [rows, columns] || (rows == 0 && array.elements.isEmpty) else {
        throw file.failure(
          "\(name) has shape \(NumericArray.describe(array.shape)); \(NumericArray.describe([rows, columns])) is needed"
        )
      }
      for (k, number) in array.elements.enumerated() where number != 0 {
        entries.append((k / columns, k % columns, number))
      }
    }
    do throws(LinearAlgebraError) {
      return try CompressedMatrix(rowCount: rows, columnCount: columns, entries: entries)
    } catch { throw file.failure("\(name): \(error)") }
  }
}
