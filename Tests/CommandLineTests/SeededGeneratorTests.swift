import Testing

@testable import CostateCommandLine

@Suite struct SeededGeneratorTests {
  @Test func streamsDifferAndRepeat() {
    func sequence(_ seed: UInt64, _ stream: UInt64) -> [UInt64] {
      var generator = SeededGenerator(seed: seed, stream: stream)
      return (0..<8).map { _ in generator.next() }
    }
    #expect(sequence(1, 2) == sequence(1, 2))
    #expect(Set([sequence(0, 0), sequence(0, 1), sequence(1, 0), sequence(1, 1)]).count == 4)
  }

  @Test(arguments: 0..<4) func normalNumbersHaveTheirMoments(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let count = 20_000
    let numbers = (0..<count).map { _ in generator.nextNormal() }
    let mean = numbers.reduce(0, +) / Double(count)
    let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
    // Five standard errors.
    #expect(abs(mean) < 5 / Double(count).squareRoot())
    #expect(abs(variance - 1) < 5 * (2 / Double(count)).squareRoot())
  }
}
