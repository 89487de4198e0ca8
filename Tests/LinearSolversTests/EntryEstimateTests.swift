import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// Random walks against exact solutions.
@Suite struct EntryEstimateTests {
  /// A sparse matrix with entries of both signs, unsymmetric, whose rows have `dominance` times the sum of the others on the diagonal.
  private func system(_ seed: UInt64, size: Int = 60, dominance: Double = 1.25) throws -> (
    pattern: SparsityPattern, values: Tensor, b: Tensor
  ) {
    var random = SeededRandom(seed: seed)
    var entries: [(row: Int, column: Int)] = []
    for i in 0..<size {
      let columns: Set<Int> = [i, (i + 1) % size, (7 * i + 3) % size, (i + 31) % size]
      for column in columns.sorted() { entries.append((i, column)) }
    }
    let pattern = try SparsityPattern(rowCount: size, columnCount: size, entries: entries)
    var values = random.uniform(-1, 1, count: pattern.entryCount)
    for row in 0..<size {
      let places = pattern.rowOffsets[row]..<pattern.rowOffsets[row + 1]
      let sum = places.reduce(0.0) { $0 + (pattern.columnIndices[$1] == row ? 0 : abs(values[$1])) }
      for place in places where pattern.columnIndices[place] == row {
        values[place] = (values[place] < 0 ? -dominance : dominance) * sum
      }
    }
    return (pattern, Tensor(values), Tensor(random.uniform(-1, 1, count: size)))
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func entries(_ seed: UInt64) throws {
    let (pattern, values, b) = try system(seed)
    let a = LinearOperator.sparse(pattern, values: values)
    let dense = LinearOperator.dense(a(Tensor.identity(60)))
    let exact = solve(a, b).values
    for index in [0, 17, 59] {
      let key = RandomKey(seed: seed &* 100 &+ UInt64(index))
      let estimate = try estimatedEntry(of: a, b, at: index, walks: 4_000, key: key)
      #expect(abs(estimate.value - exact[index]) < 4 * estimate.standardError)
      let size = exact.map(\.magnitude).max()!
      #expect(estimate.standardError > 1e-4 * size && estimate.standardError < 0.1 * size)
      // The form does not matter; other keys give other walks.
      let same = try estimatedEntry(of: dense, b, at: index, walks: 4_000, key: key)
      #expect(same.value == estimate.value && same.visits == estimate.visits)
      let other = try estimatedEntry(of: a, b, at: index, walks: 4_000, key: RandomKey(seed: seed &+ 5_000))
      #expect(other.value != estimate.value)
      // Four times the walks halve the error.
      let more = try estimatedEntry(of: a, b, at: index, walks: 16_000, key: key)
      #expect(abs(estimate.standardError / more.standardError - 2) < 0.3)
      #expect(abs(more.value - exact[index]) < 4 * more.standardError)
    }
  }

  /// What is read does not grow with the system: −x″ + x with a million unknowns, whose solution for b = 1 is one away from the ends.
  @Test(arguments: [1_000, 1_000_000]) func isSublinear(_ size: Int) throws {
    var (offsets, columns, numbers) = ([0], [Int](), [Double]())
    for row in 0..<size {
      for column in max(row - 1, 0)...min(row + 1, size - 1) {
        columns.append(column)
        numbers.append(column == row ? 3 : -1)
      }
      offsets.append(columns.count)
    }
    let pattern = try SparsityPattern(
      rowCount: size, columnCount: size, rowOffsets: offsets, columnIndices: columns)
    let values = Tensor(numbers)
    let estimate = try estimatedEntry(
      of: .sparse(pattern, values: values), Tensor.ones([size]), at: size / 2, walks: 10_000,
      key: RandomKey(seed: 4))
    #expect(abs(estimate.value - 1) < 4 * estimate.standardError)
    // Walks end with probability 1/3 at each row.
    #expect(abs(estimate.standardError - (6.0 / 9 / 10_000).squareRoot()) < 0.1 * 0.0082)
    #expect(abs(Double(estimate.visits) / 30_000 - 1) < 0.05)
  }

  @Test func mistakes() throws {
    let key = RandomKey(seed: 1)
    func error(
      _ a: LinearOperator, _ b: Tensor = [1, 2], at index: Int = 0, walks: Int = 50, longest: Int = 1_000
    )
      -> TensorError?
    {
      failure { _ = try estimatedEntry(of: a, b, at: index, walks: walks, key: key, longestWalk: longest) }
    }
    let good = LinearOperator.dense([[2, 1], [1, 2]])
    #expect(error(good) == nil)
    #expect(error(good, [1, 2, 3])?.reason == .shape)
    #expect(error(good, at: 2)?.reason == .range)
    #expect(error(good, walks: 1)?.reason == .argument)
    #expect(error(good, longest: 1)?.reason == .notConverged)
    #expect(error(.identity(2))?.reason == .argument)
    #expect(error(.triangular([[2, 0], [1, 2]], isLower: true))?.reason == .argument)
    // Row sums that do not contract, in the first row and in one that walks come to.
    #expect(error(.dense([[1, -1], [0, 1]]))?.reason == .notConverged)
    let second = error(.dense([[2, 1], [3, 2]]))
    #expect(second?.reason == .notConverged && second?.message.contains("row 1") == true)
    #expect(error(.dense([[0, 1], [1, 2]]))?.reason == .singular)
    #expect(error(.dense([[2, .init(Double.nan)], [1, 2]]))?.reason == .nonFinite)
    #expect(error(good, [1, .init(Double.infinity)])?.reason == .nonFinite)
    let traced = failure {
      _ = try grad { (b: Tensor) in
        b[0] * Tensor(try estimatedEntry(of: good, b, at: 0, walks: 9, key: key).value)
      }([1, 2])
    }
    #expect(traced?.reason == .tracedValue)
  }
}
