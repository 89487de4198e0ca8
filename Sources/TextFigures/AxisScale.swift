import Foundation

/// The range of an axis, which ends at ticks, and its ticks.
struct AxisScale {
  let isLogarithmic: Bool
  /// At least two, rising.
  let ticks: [Double]
  let labels: [String]

  /// - Parameter values: finite, and positive if the axis is logarithmic.
  init(_ axis: VectorFigure.Axis, _ values: [Double]) throws {
    guard let low = values.min(), let high = values.max() else {
      throw FigureError(description: "there are no points along “\(axis.label)”")
    }
    isLogarithmic = axis.isLogarithmic
    ticks = axis.isLogarithmic ? Self.logarithmicTicks(low, high) : Self.evenTicks(low, high)
    guard ticks.count >= 2, ticks.allSatisfy(\.isFinite), (ticks[ticks.count - 1] - ticks[0]).isFinite else {
      throw FigureError(
        description: "the range from \(low) to \(high) of “\(axis.label)” is too wide to draw")
    }
    let size = ticks.map(abs).max() ?? 1
    // As many digits as tell neighbours apart.
    let digits = axis.isLogarithmic ? 3 : max(3, Int(ceil(log10(size / (ticks[1] - ticks[0])))) + 2)
    labels = ticks.map { formatted($0, digits: min(digits, 17)) }
  }

  /// Where a value lies between the ends of the axis, from 0 to 1.
  func place(_ value: Double) -> Double {
    func scaled(_ x: Double) -> Double { isLogarithmic ? log10(x) : x }
    let (start, end) = (scaled(ticks[0]), scaled(ticks[ticks.count - 1]))
    return (scaled(value) - start) / (end - start)
  }

  /// Multiples of 1, 2 or 5 times a power of ten, at most eight intervals.
  private static func evenTicks(_ low: Double, _ high: Double) -> [Double] {
    var span = high - low
    if span <= 1e-12 * max(abs(low), abs(high)) { span = max(abs(low), 1e-300) }
    guard span.isFinite else { return [] }
    let power = pow(10, floor(log10(span / 8)))
    for factor in [1.0, 2, 5, 10, 20] {
      let step = factor * power
      let first = floor(low / step + 1e-9)
      let last = max(ceil(high / step - 1e-9), first + 1)
      if last - first <= 8 { return (0...Int(last - first)).map { (first + Double($0)) * step } }
    }
    return []
  }

  /// Powers of ten; between few of them also twice and five times these.
  private static func logarithmicTicks(_ low: Double, _ high: Double) -> [Double] {
    let first = Int(floor(log10(low) + 1e-9))
    let last = max(Int(ceil(log10(high) - 1e-9)), first + 1)
    guard last - first <= 2 else {
      let step = (last - first + 7) / 8
      return stride(from: first, to: last + step, by: step).map { pow(10, Double($0)) }
    }
    let ticks = (first...last).flatMap { power in [1.0, 2, 5].map { $0 * pow(10, Double(power)) } }
    let start = ticks.lastIndex { $0 <= low * (1 + 1e-9) } ?? 0
    let end = ticks.firstIndex { $0 >= high * (1 - 1e-9) } ?? ticks.count - 1
    return Array(ticks[start...max(end, start + 1)])
  }
}
