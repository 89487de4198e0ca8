import LinearAlgebra

extension QPSReader {
  /// The program of what was read.
  mutating func finish() throws(QuadraticProgramFileError) -> QuadraticProgramFile {
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
