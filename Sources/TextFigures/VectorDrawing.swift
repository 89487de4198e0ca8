import Foundation

/// A figure whose numbers are known to be drawable.
struct VectorDrawing {
  let figure: VectorFigure
  let horizontal: AxisScale
  let vertical: AxisScale

  private static let (width, height) = (760.0, 400.0)
  private static let (left, top, bottom) = (72.0, 36.0, 52.0)

  /// The right end of the axes: the legend stands beside them, where no point lies.
  private var right: Double {
    let longest = figure.series.compactMap { $0.name?.count }.max() ?? 0
    return Self.width - (longest == 0 ? 24 : min(48 + 8.2 * Double(longest), 0.4 * Self.width))
  }
  private var lowest: Double { Self.height - Self.bottom }

  private func x(_ value: Double) -> String {
    Self.text(Self.left + horizontal.place(value) * (right - Self.left))
  }
  private func y(_ value: Double) -> String {
    Self.text(lowest - vertical.place(value) * (lowest - Self.top))
  }
  private static func text(_ length: Double) -> String { String(format: "%.2f", length) }

  var svg: String {
    let (w, h) = (Self.text(Self.width), Self.text(Self.height))
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(w) \(h)\" font-family=\"sans-serif\" font-size=\"13\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      label(figure.title, x: Self.left, y: 22),
    ]
    parts += axes
    for part in figure.series { parts += marks(part) }
    parts += legend
    return (parts + ["</svg>", ""]).joined(separator: "\n")
  }

  private func label(_ text: String, x: Double, y: Double, _ attributes: String = "") -> String {
    "<text x=\"\(Self.text(x))\" y=\"\(Self.text(y))\"\(attributes)>\(escaped(text))</text>"
  }

  private var axes: [String] {
    var parts: [String] = []
    for (tick, text) in zip(horizontal.ticks, horizontal.labels) {
      let place = x(tick)
      parts.append(
        "<path d=\"M\(place) \(Self.text(Self.top))V\(Self.text(lowest))\" stroke=\"#dddddd\"/>"
          + "<text x=\"\(place)\" y=\"\(Self.text(lowest + 18))\" text-anchor=\"middle\">\(escaped(text))</text>"
      )
    }
    for (tick, text) in zip(vertical.ticks, vertical.labels) {
      let place = y(tick)
      parts.append(
        "<path d=\"M\(Self.text(Self.left)) \(place)H\(Self.text(right))\" stroke=\"#dddddd\"/>"
          + "<text x=\"\(Self.text(Self.left - 6))\" y=\"\(place)\" dy=\"4\" text-anchor=\"end\">\(escaped(text))</text>"
      )
    }
    parts.append(
      "<path d=\"M\(Self.text(Self.left)) \(Self.text(Self.top))V\(Self.text(lowest))H\(Self.text(right))\" "
        + "fill=\"none\" stroke=\"black\"/>")
    parts.append(
      label(
        figure.horizontal.label, x: (Self.left + right) / 2, y: Self.height - 14, " text-anchor=\"middle\""))
    let middle = (Self.top + lowest) / 2
    parts.append(
      label(
        figure.vertical.label, x: 16, y: middle,
        " text-anchor=\"middle\" transform=\"rotate(-90 16 \(Self.text(middle)))\""))
    return parts
  }

  private func marks(_ series: VectorFigure.Series) -> [String] {
    var parts: [String] = []
    if series.style != .points {
      let path = series.points.map { "\(x($0.x)),\(y($0.y))" }.joined(separator: " ")
      parts.append("<polyline points=\"\(path)\" fill=\"none\" \(stroke(series))/>")
    }
    if series.style == .points || series.style == .markedLine {
      parts += series.points.map { circle(x($0.x), y($0.y), series) }
    }
    return parts
  }

  private func stroke(_ series: VectorFigure.Series) -> String {
    "stroke=\"\(escaped(series.color))\" stroke-width=\"1.5\""
      + (series.style == .dashedLine ? " stroke-dasharray=\"6 4\"" : "")
  }
  private func circle(_ x: String, _ y: String, _ series: VectorFigure.Series) -> String {
    "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"2.5\" fill=\"\(escaped(series.color))\" fill-opacity=\"0.6\"/>"
  }

  private var legend: [String] {
    var parts: [String] = []
    let start = right + 12
    for part in figure.series {
      guard let name = part.name else { continue }
      let height = Self.top + 10 + 20 * Double(parts.count)
      let (level, middle) = (Self.text(height), Self.text(start + 10))
      var sample = ""
      if part.style != .points {
        sample += "<path d=\"M\(Self.text(start)) \(level)h20\" fill=\"none\" \(stroke(part))/>"
      }
      if part.style == .points || part.style == .markedLine { sample += circle(middle, level, part) }
      parts.append(sample + label(name, x: start + 26, y: height + 4))
    }
    return parts
  }

  /// Text as XML wants it; characters that XML does not have are replaced.
  private func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;".unicodeScalars
      case "<": result += "&lt;".unicodeScalars
      case ">": result += "&gt;".unicodeScalars
      case "\"": result += "&quot;".unicodeScalars
      case "\t", "\n", "\r": result.append(scalar)
      case "\0"..<" ", "\u{FFFE}", "\u{FFFF}": result.append("\u{FFFD}")
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
