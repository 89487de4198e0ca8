import Foundation

/// Collects measurements and comparisons, prints them as they come, and writes them as JSON.
package final class Report {
  /// One row of the table.
  struct Measurement: Encodable {
    var name: String
    var unit: String
    var median: Double
    var min: Double
    var max: Double
    var repetitions: Int
  }

  /// A number that has to stay on one side of a bar.
  struct Comparison: Encodable {
    var name: String
    var value: Double
    /// The same from medians instead of minima.
    var valueOfMedians: Double?
    var bar: Double?
    var direction: String?
    var isMet: Bool?
  }

  private struct Content: Encodable {
    var results: [Measurement]
    var comparisons: [Comparison]
  }

  package enum Bar: Sendable {
    case atLeast(Double)
    case atMost(Double)
  }

  private var content = Content(results: [], comparisons: [])

  package init() {}

  /// Adds a timing in nanoseconds that is written but not printed.
  package func record(_ name: String, _ timing: Timing, unit: String = "ns") {
    content.results.append(
      Measurement(
        name: name, unit: unit, median: timing.median, min: timing.minimum, max: timing.maximum,
        repetitions: timing.samples.count))
  }

  /// Adds a timing in nanoseconds.
  package func add(_ name: String, _ timing: Timing, unit: String = "ns") {
    record(name, timing, unit: unit)
    print(
      "  \(padded(name, 58)) \(number(timing.minimum)) min \(number(timing.median)) median \(unit)")
    flush()
  }

  /// Adds a single number, for example bytes.
  package func add(_ name: String, value: Double, unit: String) {
    content.results.append(
      Measurement(name: name, unit: unit, median: value, min: value, max: value, repetitions: 1))
    print("  \(padded(name, 58)) \(number(value)) \(unit)")
    flush()
  }

  /// Adds the quotient of two timings; the bar is held against the quotient of the minima.
  package func compare(_ name: String, _ numerator: Timing, over denominator: Timing, _ bar: Bar? = nil) {
    compare(
      name, numerator.minimum / denominator.minimum, medians: numerator.median / denominator.median, bar)
  }

  /// Adds a number that has to stay on one side of a bar.
  package func compare(_ name: String, _ value: Double, medians: Double? = nil, _ bar: Bar?) {
    var comparison = Comparison(name: name, value: value, valueOfMedians: medians)
    switch bar {
    case .atLeast(let limit):
      (comparison.bar, comparison.direction, comparison.isMet) = (limit, "at least", value >= limit)
    case .atMost(let limit):
      (comparison.bar, comparison.direction, comparison.isMet) = (limit, "at most", value <= limit)
    case nil: break
    }
    content.comparisons.append(comparison)
    let verdict =
      comparison.bar.map {
        "(bar: \(comparison.direction!) \($0)) \(comparison.isMet == true ? "met" : "MISSED")"
      } ?? ""
    let quotient = medians.map { " x   \(number($0)) of medians" } ?? ""
    print("  \(padded(name, 58)) \(number(value))\(quotient) \(verdict)")
    flush()
  }

  package func heading(_ text: String) {
    print("\n\(text)")
    flush()
  }

  /// Writes everything as one JSON object.
  package func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try encoder.encode(content).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
  }

  private func number(_ x: Double) -> String {
    let format = x >= 1000 ? "%.0f" : x >= 100 ? "%.1f" : x != 0 && abs(x) < 0.001 ? "%.2e" : "%.3f"
    let text = String(format: format, x)
    return String(repeating: " ", count: max(0, 10 - text.count)) + text
  }

  private func flush() { fflush(nil) }
}
