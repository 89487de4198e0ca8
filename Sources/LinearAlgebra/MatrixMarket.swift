public import Foundation

/// A matrix from a file in the Matrix Market exchange format, or for one.
///
/// Read are `coordinate` and `array` files of `real`, `integer` and (coordinate) `pattern` entries, `general`, `symmetric` and
/// `skew-symmetric`. Complex matrices are refused.
public struct MatrixMarketFile: Sendable {
  /// The numbers.
  public enum Content: Sendable {
    /// Of a coordinate file. Both halves of symmetric matrices are there.
    case sparse(CompressedMatrix)
    /// Of an array file, row-major.
    case dense(values: [Double], rows: Int, columns: Int)
  }
  /// The numbers.
  public var content: Content
  /// Whether the file says that the matrix is symmetric, or is to say so: then only the lower half is written.
  public var isSymmetric: Bool
  /// Lines of comment, without the percent sign.
  public var comments: [String]

  /// What a file is to hold.
  public init(_ content: Content, isSymmetric: Bool = false, comments: [String] = []) {
    self.content = content
    self.isSymmetric = isSymmetric
    self.comments = comments
  }
  /// Reads a file.
  /// - Throws: ``LinearAlgebraError/format(line:message:)`` with the line, or what reading a file throws.
  public init(contentsOf url: URL) throws { try self.init(text: String(contentsOf: url, encoding: .utf8)) }

  /// Reads a file's text.
  /// - Throws: ``LinearAlgebraError/format(line:message:)`` with the line.
  public init(text: String) throws(LinearAlgebraError) {
    var lines = Lines(text)
    guard let header = lines.next() else { throw .format(line: 1, message: "the file is empty") }
    let words = header.lowercased().split(separator: " ")
    guard words.count == 5, words[0] == "%%matrixmarket", words[1] == "matrix" else {
      throw .format(
        line: 1,
        message:
          "a file begins with '%%MatrixMarket matrix', its form, the kind of its entries and its symmetry")
    }
    guard ["real", "integer", "pattern"].contains(words[3]) else {
      throw .format(line: 1, message: "entries are '\(words[3])'; real, integer and pattern are read")
    }
    guard ["general", "symmetric", "skew-symmetric"].contains(words[4]) else {
      throw .format(
        line: 1, message: "the symmetry is '\(words[4])'; general, symmetric and skew-symmetric are read")
    }
    let isSkew = words[4] == "skew-symmetric"
    let isHalf = isSkew || words[4] == "symmetric"
    comments = []
    var sizeLine = lines.next()
    while let line = sizeLine, line.first == "%" || line.allSatisfy(\.isWhitespace) {
      if line.first == "%" { comments.append(String(line.dropFirst())) }
      sizeLine = lines.next()
    }
    let sizes = (sizeLine ?? "").split(whereSeparator: \.isWhitespace).map { Int($0) ?? -1 }
    switch words[2] {
    case "coordinate":
      guard sizes.count == 3, sizes.allSatisfy({ $0 >= 0 }) else {
        throw .format(
          line: lines.number, message: "a coordinate file needs the numbers of rows, columns and entries")
      }
      guard !isHalf || sizes[0] == sizes[1] else {
        throw .format(
          line: lines.number, message: "a symmetric matrix is square, not \(sizes[0]) x \(sizes[1])")
      }
      let isPattern = words[3] == "pattern"
      var (rows, columns, values): ([Int], [Int], [Double]) = ([], [], [])
      for entry in 0..<sizes[2] {
        guard let line = lines.nextNumbers() else {
          throw .format(line: lines.number, message: "the file ends after \(entry) of \(sizes[2]) entries")
        }
        let parts = line.split(whereSeparator: \.isWhitespace)
        guard parts.count == (isPattern ? 2 : 3), let row = Int(parts[0]), let column = Int(parts[1]),
          let value = isPattern ? 1 : Double(parts[2])
        else {
          throw .format(
            line: lines.number,
            message: "an entry is a row, a column\(isPattern ? "" : " and a number"), not '\(line)'")
        }
        guard (1...max(sizes[0], 1)).contains(row), (1...max(sizes[1], 1)).contains(column), sizes[0] > 0,
          sizes[1] > 0
        else {
          throw .format(
            line: lines.number, message: "(\(row), \(column)) lies outside of \(sizes[0]) x \(sizes[1])")
        }
        if isHalf, column > row || (isSkew && column == row) {
          throw .format(
            line: lines.number,
            message: "(\(row), \(column)) lies outside of the half that a \(words[4]) file holds")
        }
        rows.append(row - 1)
        columns.append(column - 1)
        values.append(value)
        if isHalf, row != column {
          rows.append(column - 1)
          columns.append(row - 1)
          values.append(isSkew ? -value : value)
        }
      }
      let (pattern, places) = try SparsityPattern.coordinates(
        rowCount: sizes[0], columnCount: sizes[1], rows: rows, columns: columns)
      var summed = [Double](repeating: 0, count: pattern.entryCount)
      for (place, value) in zip(places, values) { summed[place] += value }
      content = .sparse(try CompressedMatrix(pattern, values: summed))
    case "array":
      guard sizes.count == 2, sizes.allSatisfy({ $0 >= 0 }), words[3] != "pattern" else {
        throw .format(
          line: lines.number,
          message: "an array file needs the numbers of rows and columns, and has entries that are numbers")
      }
      let (m, n) = (sizes[0], sizes[1])
      guard !isHalf || m == n else {
        throw .format(line: lines.number, message: "a symmetric matrix is square, not \(m) x \(n)")
      }
      guard m.multipliedReportingOverflow(by: n).partialValue <= Int(Int32.max), m <= Int(Int32.max),
        n <= Int(Int32.max)
      else { throw .format(line: lines.number, message: "\(m) x \(n) numbers are too many") }
      var values = [Double](repeating: 0, count: m * n)
      for j in 0..<n {
        for i in (isHalf ? (isSkew ? j + 1 : j) : 0)..<max(m, isSkew ? j + 1 : 0) {
          guard let line = lines.nextNumbers() else {
            throw .format(line: lines.number, message: "the file ends before element (\(i + 1), \(j + 1))")
          }
          guard let value = Double(line.trimmingCharacters(in: .whitespaces)) else {
            throw .format(line: lines.number, message: "'\(line)' is not a number")
          }
          values[i * n + j] = value
          if isHalf, i != j { values[j * n + i] = isSkew ? -value : value }
        }
      }
      content = .dense(values: values, rows: m, columns: n)
    default:
      throw .format(line: 1, message: "the form is '\(words[2])'; coordinate and array are read")
    }
    if let line = lines.nextNumbers() {
      throw .format(line: lines.number, message: "'\(line)' follows after the last entry")
    }
    isSymmetric = isHalf && !isSkew
  }

  /// The file's text. Numbers are written so that reading gives the same.
  /// - Throws: ``LinearAlgebraError`` if the matrix is to be symmetric and is not.
  public func text() throws(LinearAlgebraError) -> String {
    var result = ""
    let symmetry = isSymmetric ? "symmetric" : "general"
    let remarks = comments.map { "%\($0)\n" }.joined()
    switch content {
    case .sparse(let matrix):
      if isSymmetric { try matrix.requireSymmetric() }
      var (count, lines) = (0, "")
      for row in 0..<matrix.rows {
        for k in matrix.pattern.rowOffsets[row]..<matrix.pattern.rowOffsets[row + 1] {
          let column = matrix.pattern.columnIndices[k]
          if isSymmetric, column > row { continue }
          count += 1
          lines += "\(row + 1) \(column + 1) \(matrix.values[k])\n"
        }
      }
      result =
        "%%MatrixMarket matrix coordinate real \(symmetry)\n\(remarks)\(matrix.rows) \(matrix.columns) \(count)\n"
      result += lines
    case .dense(let values, let rows, let columns):
      guard values.count == rows * columns else {
        throw .shape("\(values.count) numbers are not a matrix of \(rows) x \(columns)")
      }
      if isSymmetric {
        guard rows == columns else { throw .shape("a symmetric matrix is square, not \(rows) x \(columns)") }
        let copy = NumberBuffer(values)
        try requireSymmetricMatrix(copy.base, size: rows)
        withExtendedLifetime(copy) {}
      }
      result = "%%MatrixMarket matrix array real \(symmetry)\n\(remarks)\(rows) \(columns)\n"
      for j in 0..<columns {
        for i in (isSymmetric ? j : 0)..<rows { result += "\(values[i * columns + j])\n" }
      }
    }
    return result
  }
  /// Writes the file.
  /// - Throws: ``LinearAlgebraError`` if the matrix is to be symmetric and is not; what writing a file throws.
  public func write(to url: URL) throws { try text().write(to: url, atomically: true, encoding: .utf8) }

  /// Lines with their numbers.
  private struct Lines {
    private var rest: [Substring].Iterator
    private(set) var number = 0
    init(_ text: String) {
      rest = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).makeIterator()
    }
    mutating func next() -> String? {
      guard let line = rest.next() else { return nil }
      number += 1
      return String(line)
    }
    /// The next line that is not blank.
    mutating func nextNumbers() -> String? {
      while let line = next() { if !line.allSatisfy(\.isWhitespace) { return line } }
      return nil
    }
  }
}
