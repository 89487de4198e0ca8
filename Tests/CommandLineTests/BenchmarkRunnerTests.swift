import Testing

@testable import CostateCommandLine

@Suite struct BenchmarkRunnerTests {
  @Test func timesAreOrderedAndPerItem() throws {
    var calls = 0
    let runner = BenchmarkRunner(samples: 3, sampleSeconds: 0.002)
    let result = try runner.run(
      Benchmark(name: "loop", item: "step", items: 10) {
        calls += 1
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .milliseconds(1) {}
      })
    #expect(calls >= 4)
    #expect(result.unit == "µs per step")
    // A call takes a millisecond for ten items.
    #expect(result.min >= 100)
    #expect(result.min <= result.median && result.median <= result.max)
  }
}
