import Foundation

/// A timing of this program's own work: a name, and a body that does a known number of units of work.
struct Benchmark {
  var name: String
  /// What one unit of the body's work is, for example `step`.
  var item: String
  /// Units of work per call of the body.
  var items: Int
  var body: () throws -> Void
}

/// What a benchmark measured: time per unit of work.
struct BenchmarkResult: Equatable {
  var name: String
  var unit: String
  var median: Double
  var min: Double
  var max: Double

  var json: JSONValue {
    [
      "name": .string(name), "unit": .string(unit), "median": .number(median), "min": .number(min),
      "max": .number(max),
    ]
  }
}

/// Runs benchmarks: after a first call that is not counted, samples of at least ``sampleSeconds`` each.
struct BenchmarkRunner {
  var samples = 7
  var sampleSeconds = 0.05

  func run(_ benchmark: Benchmark) throws -> BenchmarkResult {
    let first = try time(benchmark, calls: 1)
    let calls = max(1, Int((sampleSeconds / max(first, 1e-9)).rounded(.up)))
    let perItem = 1e6 / Double(calls * benchmark.items)
    let times = try (0..<samples).map { _ in try time(benchmark, calls: calls) * perItem }.sorted()
    return BenchmarkResult(
      name: benchmark.name, unit: "µs per \(benchmark.item)", median: times[times.count / 2], min: times[0],
      max: times[times.count - 1])
  }

  private func time(_ benchmark: Benchmark, calls: Int) throws -> Double {
    let start = ContinuousClock.now
    for _ in 0..<calls { try benchmark.body() }
    return (ContinuousClock.now - start) / .seconds(1)
  }
}
