import Foundation

/// Lines and points over two axes with a legend, as a vector image (SVG).
public struct VectorFigure {
  /// What stands along an axis. Its range and its ticks follow from the data.
  public struct Axis {
    /// Name and unit.
    public var label: String
    /// Whether equal distances are equal factors; needs positive values.
    public var isLogarithmic: Bool

    public init(_ label: String, isLogarithmic: Bool = false) {
      self.label = label
      self.isLogarithmic = isLogarithmic
    }
  }

  /// How a series is drawn.
  public enum Style {
    case line, dashedLine, points
    /// A line with a point at each of its corners.
    case markedLine
  }

  struct Series {
    var name: String?
    var points: [(x: Double, y: Double)]
    var style: Style
    var color: String
  }

  let title: String
  let horizontal: Axis
  let vertical: Axis
  private(set) var series: [Series] = []

  private static let colors = [
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f",
  ]

  /// A figure without series.
  public init(title: String, horizontal: Axis, vertical: Axis) {
    self.title = title
    self.horizontal = horizontal
    self.vertical = vertical
  }

  /// Adds a series.
  ///
  /// - Parameters:
  ///   - name: in the legend; nil for none.
  ///   - points: places in the units of the axes.
  ///   - style: how it is drawn.
  ///   - color: any of SVG; nil for one that differs from the neighbours'.
  public mutating func add(
    _ name: String?, _ points: some Sequence<(Double, Double)>, as style: Style = .line, color: String? = nil
  ) {
    series.append(
      Series(
        name: name, points: points.map { ($0.0, $0.1) }, style: style,
        color: color ?? Self.colors[series.count % Self.colors.count]))
  }

  /// Writes the image.
  /// - Throws: as ``svg()``, and what keeps the file from being written.
  public func write(to path: String) throws {
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try svg().write(to: url, atomically: true, encoding: .utf8)
  }

  /// The image.
  /// - Throws: ``FigureError`` if there are no points, or a number is not finite, or is not positive on a logarithmic axis.
  public func svg() throws -> String {
    for part in series {
      for (index, point) in part.points.enumerated() {
        for (value, axis) in [(point.x, horizontal), (point.y, vertical)] {
          guard value.isFinite && (!axis.isLogarithmic || value > 0) else {
            throw FigureError(
              description:
                "point \(index) of “\(part.name ?? "a series without name")” has the \(axis.label) \(value), which "
                + (value.isFinite ? "a logarithmic axis does not show" : "is not finite"))
          }
        }
      }
    }
    let points = series.flatMap(\.points)
    return VectorDrawing(
      figure: self, horizontal: try AxisScale(horizontal, points.map(\.x)),
      vertical: try AxisScale(vertical, points.map(\.y))
    ).svg
  }
}
