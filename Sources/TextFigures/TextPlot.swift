import Foundation

/// A curve drawn with characters.
package struct TextPlot {
  package var title: String
  package var width: Int
  package var height: Int
  /// Whether the vertical axis is logarithmic; needs positive values.
  package var isLogarithmic: Bool

  /// A plot with a title.
  package init(title: String, width: Int = 72, height: Int = 14, isLogarithmic: Bool = false) {
    self.title = title
    self.width = width
    self.height = height
    self.isLogarithmic = isLogarithmic
  }

  /// Draws values at equal distances, one mark per column.
  package func text(_ values: [Double]) -> String {
    guard let low = values.min(), let high = values.max() else { return title }
    let logarithmic = isLogarithmic && low > 0
    func scaled(_ value: Double) -> Double { logarithmic ? log10(value) : value }
    let bottom = scaled(low)
    let span = max(scaled(high) - bottom, .leastNormalMagnitude)
    let columns = min(width, values.count)
    var canvas = [[Character]](repeating: [Character](repeating: " ", count: columns), count: height)
    for column in 0..<columns {
      let index = columns == 1 ? 0 : column * (values.count - 1) / (columns - 1)
      let level = Int(((scaled(values[index]) - bottom) / span * Double(height - 1)).rounded())
      canvas[height - 1 - level][column] = "*"
    }
    var lines = [title]
    for (row, characters) in canvas.enumerated() {
      let label = row == 0 ? formatted(high, digits: 3) : row == height - 1 ? formatted(low, digits: 3) : ""
      let padding = String(repeating: " ", count: max(0, 10 - label.count))
      lines.append(
        padding + label + " |" + String(String(characters).reversed().drop { $0 == " " }.reversed()))
    }
    lines.append(String(repeating: " ", count: 11) + "+" + String(repeating: "-", count: columns))
    let last = "\(values.count - 1)"
    lines.append(
      String(repeating: " ", count: 12) + "0"
        + String(repeating: " ", count: max(1, columns - 1 - last.count)) + last)
    return lines.joined(separator: "\n")
  }
}
