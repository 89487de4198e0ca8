public import Foundation

/// Something to time.
public struct Contender {
  /// The name in the table.
  public var name: String
  /// How many units of work one call of ``run`` does; times are divided by it.
  public var unitsPerCall: Double
  /// The work. Its results must be visible outside (written to memory that is read later).
  public var run: () -> Void

  /// A contender that does `unitsPerCall` units of work when called.
  public init(_ name: String, unitsPerCall: Double, run: @escaping () -> Void) {
    self.name = name
    self.unitsPerCall = unitsPerCall
    self.run = run
  }
}

/// Times of one contender, in nanoseconds per unit of work.
public struct Measurement: Codable, Sendable {
  /// The contender's name.
  public var name: String
  /// The fastest sample.
  public var minimum: Double
  /// The middle sample.
  public var median: Double
  /// The slowest sample.
  public var maximum: Double
  /// Number of samples.
  public var samples: Int

  /// The statistics of a set of samples, which must not be empty.
  public init(name: String, samples: [Double]) {
    precondition(!samples.isEmpty, "a measurement needs at least one sample")
    let sorted = samples.sorted()
    self.name = name
    minimum = sorted[0]
    median = sorted[sorted.count / 2]
    maximum = sorted[sorted.count - 1]
    self.samples = sorted.count
  }
}

/// Contenders timed against each other; the last one is the peer that the others are compared with.
public struct Comparison: Codable, Sendable {
  /// What was compared.
  public var title: String
  /// What the times are per, for instance "joint and lane group".
  public var unit: String
  /// One entry per contender, in their order.
  public var measurements: [Measurement]

  /// The first contender's fastest time over the peer's.
  public var ratioOfMinima: Double { measurements[0].minimum / measurements[measurements.count - 1].minimum }
  /// The first contender's median time over the peer's.
  public var ratioOfMedians: Double { measurements[0].median / measurements[measurements.count - 1].median }
}

/// Times contenders in turn (A, B, A, B, …), so that a change of the machine's speed meets all of them.
///
/// Each sample calls a contender often enough to last about `sampleDuration`. A first round of calls, which is
/// not counted, warms caches up and finds that number.
public func compare(
  _ title: String, unit: String, samples: Int = 61, sampleDuration: Duration = .milliseconds(2),
  contenders: [Contender]
) -> Comparison {
  let calls = contenders.map { callsLasting(sampleDuration, $0) }
  var times = contenders.map { _ in [Double]() }
  for _ in 0..<samples {
    for (index, contender) in contenders.enumerated() {
      let elapsed = duration(calls: calls[index], of: contender)
      times[index].append(elapsed / (Double(calls[index]) * contender.unitsPerCall))
    }
  }
  return Comparison(
    title: title, unit: unit,
    measurements: zip(contenders, times).map { Measurement(name: $0.name, samples: $1) })
}

/// Nanoseconds that `calls` calls take.
private func duration(calls: Int, of contender: Contender) -> Double {
  let clock = ContinuousClock()
  let elapsed = clock.measure {
    for _ in 0..<calls { contender.run() }
  }
  return elapsed / .nanoseconds(1)
}

/// The number of calls that take about the given time.
private func callsLasting(_ target: Duration, _ contender: Contender) -> Int {
  var calls = 1
  while calls < 1 << 30 {
    let elapsed = duration(calls: calls, of: contender)
    if elapsed * 2 >= target / .nanoseconds(1) {
      return max(1, Int(Double(calls) * (target / .nanoseconds(1)) / elapsed))
    }
    calls *= 2
  }
  return calls
}

/// The comparisons as a text table: nanoseconds per unit, and the first contender over the peer.
public func table(_ comparisons: [Comparison]) -> String {
  func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
  func number(_ value: Double, _ width: Int = 10, digits: Int = 3) -> String {
    let text = String(format: "%.\(digits)f", value)
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }
  var lines: [String] = []
  for comparison in comparisons {
    lines.append("\(comparison.title), ns per \(comparison.unit)")
    lines.append("  " + padded("", 16) + "       min     median        max")
    for m in comparison.measurements {
      lines.append(
        "  " + padded(m.name, 16) + number(m.minimum) + " " + number(m.median) + " " + number(m.maximum))
    }
    lines.append(
      "  " + padded("ratio", 16) + number(comparison.ratioOfMinima) + " " + number(comparison.ratioOfMedians))
  }
  return lines.joined(separator: "\n")
}

/// The comparisons as JSON, keys sorted.
///
/// - Throws: `EncodingError` if a time is not finite.
public func json(_ comparisons: [Comparison]) throws -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
  return try encoder.encode(comparisons)
}
