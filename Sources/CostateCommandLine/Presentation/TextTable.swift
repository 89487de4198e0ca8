/// A table for a person: columns as wide as their widest cell, numbers to the right.
struct TextTable {
  enum Alignment { case left, right }
  struct Column {
    var title: String
    /// Stands after the title in brackets.
    var unit: String?
    var alignment: Alignment
    init(_ title: String, unit: String? = nil, _ alignment: Alignment = .right) {
      self.title = title
      self.unit = unit
      self.alignment = alignment
    }
    var heading: String { unit.map { "\(title) [\($0)]" } ?? title }
  }
  var columns: [Column]
  var rows: [[String]] = []

  init(_ columns: [Column]) { self.columns = columns }

  mutating func append(_ row: [String]) {
    precondition(row.count == columns.count, "a row needs a cell per column")
    rows.append(row)
  }

  /// The table, with a line under the headings and no spaces at line ends.
  var text: String {
    let headings = columns.map(\.heading)
    let widths = columns.indices.map { column in
      max(headings[column].count, rows.lazy.map { $0[column].count }.max() ?? 0)
    }
    func line(_ cells: [String]) -> String {
      let padded = columns.indices.map { i in
        let padding = String(repeating: " ", count: widths[i] - cells[i].count)
        return columns[i].alignment == .left ? cells[i] + padding : padding + cells[i]
      }
      let text = padded.joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
    let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
    return ([line(headings), rule] + rows.map(line)).joined(separator: "\n")
  }
}
