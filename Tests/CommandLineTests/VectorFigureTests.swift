import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@testable import TextFigures

@Suite struct VectorFigureTests {
  private static func figure(
    isLogarithmic: Bool = false, _ points: [(Double, Double)], name: String? = "one"
  ) -> VectorFigure {
    var figure = VectorFigure(
      title: "a & b", horizontal: .init("time <s>"), vertical: .init("\"size\"", isLogarithmic: isLogarithmic)
    )
    figure.add(name, points, as: .markedLine)
    return figure
  }

  @Test func imageIsAWellFormedDocument() throws {
    var figure = Self.figure([(0, 1), (1, 3), (2, 2)], name: "<&>\u{1}")
    figure.add("other", [(0.5, 0.5)], as: .points)
    figure.add(nil, [(0, 0), (2, 1)], as: .dashedLine)
    let svg = try figure.svg()
    #expect(XMLParser(data: Data(svg.utf8)).parse())
    #expect(
      svg.contains("a &amp; b") && svg.contains("time &lt;s&gt;") && svg.contains("&lt;&amp;&gt;\u{FFFD}"))
    // Three corners, one point, and one sample of each in the legend; a series without name has none.
    #expect(svg.components(separatedBy: "<circle").count - 1 == 6)
    #expect(svg.components(separatedBy: "<polyline").count - 1 == 2)
    #expect(svg.components(separatedBy: "stroke-dasharray").count - 1 == 1)
  }

  @Test(arguments: [
    (0.0, 10.0, false, ["0", "2", "4", "6", "8", "10"]),
    (0.1, 6.1, false, ["0", "1", "2", "3", "4", "5", "6", "7"]),
    (-0.02, 0.013, false, ["-0.02", "-0.015", "-0.01", "-0.005", "0", "0.005", "0.01", "0.015"]),
    (3, 3, false, ["3", "3.1"]), (1e6 + 0.1, 1e6 + 0.4, false, []),
    (2e-9, 0.3, true, ["1e-09", "1e-07", "1e-05", "0.001", "0.1", "10"]),
    (3, 40, true, ["2", "5", "10", "20", "50"]), (7, 7, true, ["5", "10"]),
  ])
  func ticksAreRoundAndEncloseTheData(low: Double, high: Double, isLogarithmic: Bool, labels: [String]) throws
  {
    let scale = try AxisScale(.init("x", isLogarithmic: isLogarithmic), [high, low])
    if !labels.isEmpty { #expect(scale.labels == labels) }
    #expect(Set(scale.labels).count == scale.ticks.count)
    #expect(scale.place(low) > -1e-6 && scale.place(high) < 1 + 1e-6)
    #expect(scale.place(scale.ticks[0]) == 0 && scale.place(scale.ticks[scale.ticks.count - 1]) == 1)
  }

  @Test(
    arguments: [
      ([(0.0, Double.nan)], false, "point 0 of “one” has the \"size\" nan, which is not finite"),
      ([(0, 1), (.infinity, 1)], false, "point 1 of “one” has the time <s> inf, which is not finite"),
      (
        [(0, 1), (1, 0)], true,
        "point 1 of “one” has the \"size\" 0.0, which a logarithmic axis does not show"
      ),
      ([], false, "there are no points along “time <s>”"),
      (
        [(0, -1e308), (1, 1e308)], false, "the range from -1e+308 to 1e+308 of “\"size\"” is too wide to draw"
      ),
    ] as [([(Double, Double)], Bool, String)])
  func whatCannotBeDrawnIsAnError(points: [(Double, Double)], isLogarithmic: Bool, message: String) {
    #expect {
      try Self.figure(isLogarithmic: isLogarithmic, points).svg()
    } throws: {
      "\($0)" == message
    }
  }

  @Test func argumentsOfExamples() {
    let plain = ExampleProgram(["Name"])
    #expect(!plain.isQuick && plain.figurePath == nil)
    let both = ExampleProgram(["Name", "figure.svg", "--quick"])
    #expect(both.isQuick && both.figurePath == "figure.svg")
  }
}
