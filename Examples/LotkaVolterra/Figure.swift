import TextFigures

/// Points and lines over a horizontal axis, as a vector image.
struct Figure {
  let title: String
  let horizontal: ClosedRange<Double>
  private var points: [(color: String, points: [(Double, Double)])] = []
  private var lines: [(color: String, points: [(Double, Double)])] = []

  init(title: String, horizontal: ClosedRange<Double>) {
    self.title = title
    self.horizontal = horizontal
  }
  mutating func addPoints(_ values: some Sequence<(Double, Double)>, color: String) {
    points.append((color, Array(values)))
  }
  mutating func addLine(_ values: some Sequence<(Double, Double)>, color: String) {
    lines.append((color, Array(values)))
  }

  private static let (width, height, margin) = (720.0, 360.0, 40.0)

  /// The image, with the vertical axis from zero to the largest value.
  var svg: String {
    let top = (points + lines).flatMap { $0.points.map(\.1) }.max() ?? 1
    func x(_ value: Double) -> String {
      let part = (value - horizontal.lowerBound) / (horizontal.upperBound - horizontal.lowerBound)
      return formatted(Self.margin + part * (Self.width - 2 * Self.margin))
    }
    func y(_ value: Double) -> String {
      formatted(Self.height - Self.margin - value / top * (Self.height - 2 * Self.margin))
    }
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(formatted(Self.width)) \(formatted(Self.height))\" "
        + "font-family=\"sans-serif\" font-size=\"13\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      "<text x=\"\(formatted(Self.margin))\" y=\"22\">\(title)</text>",
      "<path d=\"M\(x(horizontal.lowerBound)) \(y(top))V\(y(0))H\(x(horizontal.upperBound))\" fill=\"none\" stroke=\"black\"/>",
      "<text x=\"\(x(horizontal.upperBound))\" y=\"\(formatted(Self.height - 22))\" text-anchor=\"end\">"
        + "\(formatted(horizontal.upperBound))</text>",
      "<text x=\"6\" y=\"\(y(top))\">\(formatted(top, digits: 2))</text>",
    ]
    for (color, values) in points {
      parts += values.map {
        "<circle cx=\"\(x($0.0))\" cy=\"\(y($0.1))\" r=\"2.5\" fill=\"\(color)\" fill-opacity=\"0.6\"/>"
      }
    }
    for (color, values) in lines {
      let path = values.map { "\(x($0.0)),\(y($0.1))" }.joined(separator: " ")
      parts.append("<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"1.5\"/>")
    }
    return (parts + ["</svg>", ""]).joined(separator: "\n")
  }
}
