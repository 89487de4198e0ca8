import LinearAlgebra
import TestSupport
import Testing

@Suite struct SparsityPatternTests {
  @Test func formsAgree() throws {
    // [1 0 2; 0 0 3], with an entry in two parts.
    let entries: [(Int, Int, Double)] = [(1, 2, 3), (0, 2, 1.5), (0, 0, 1), (0, 2, 0.5)]
    let (pattern, places) = try SparsityPattern.coordinates(
      rowCount: 2, columnCount: 3, rows: entries.map(\.0), columns: entries.map(\.1))
    #expect(pattern.rowOffsets == [0, 2, 3] && pattern.columnIndices == [0, 2, 2])
    #expect(places == [2, 1, 0, 1])
    let (columns, order) = try SparsityPattern.compressedColumns(
      rowCount: 2, columnCount: 3, columnOffsets: [0, 1, 1, 3], rowIndices: [0, 0, 1])
    #expect(columns == pattern && order == [0, 1, 2])
    #expect(pattern.place(row: 0, column: 2) == 1 && pattern.place(row: 1, column: 0) == nil)
    #expect(pattern.rowIndices == [0, 0, 1] && !pattern.isSymmetric)
    #expect(pattern.transposed.transposed == pattern && pattern.transposed.rowCount == 3)
    #expect(pattern.hashValue == columns.hashValue)
  }

  @Test(arguments: 0..<5 as Range<UInt64>) func products(seed: UInt64) throws {
    let matrix = randomSparse(20, perRow: 4, seed: seed)
    var random = SeededRandom(seed: seed)
    let x = random.uniform(-1, 1, count: 20)
    for transposed in [false, true] {
      let product = try matrix.multiply(x, transposed: transposed)
      #expect(
        distance(product, multiply(matrix.dense, x, rows: 20, columns: 20, transposed: transposed)) < 1e-14)
    }
    #expect(try matrix.transposed.multiply(x) == matrix.multiply(x, transposed: true))
  }

  @Test func mistakesAreTold() throws {
    func isRefused(_ body: () throws -> Void) -> Bool {
      if case .shape = failure(body) { true } else { false }
    }
    #expect(
      isRefused {
        _ = try SparsityPattern(rowCount: 2, columnCount: 2, rowOffsets: [0, 1], columnIndices: [0])
      })
    #expect(
      isRefused {
        _ = try SparsityPattern(rowCount: 2, columnCount: 2, rowOffsets: [0, 2, 1], columnIndices: [0])
      })
    #expect(
      isRefused {
        _ = try SparsityPattern(rowCount: 1, columnCount: 2, rowOffsets: [0, 2], columnIndices: [1, 0])
      })
    #expect(
      isRefused {
        _ = try SparsityPattern(rowCount: 1, columnCount: 2, rowOffsets: [0, 1], columnIndices: [2])
      })
    #expect(isRefused { _ = try SparsityPattern(rowCount: -1, columnCount: 2, entries: []) })
    #expect(isRefused { _ = try SparsityPattern(rowCount: 1, columnCount: 2, entries: [(1, 0)]) })
    let pattern = try SparsityPattern(rowCount: 1, columnCount: 2, entries: [(0, 1)])
    #expect(isRefused { _ = try CompressedMatrix(pattern, values: [1, 2]) })
    #expect(isRefused { _ = try CompressedMatrix(pattern, values: [1]).multiply([1]) })
  }

  @Test func emptyMatrices() throws {
    let none = try SparsityPattern(rowCount: 0, columnCount: 0, entries: [])
    #expect(try SparseLUFactorization(CompressedMatrix(none, values: [])).solve([]) == [])
    let blank = try SparsityPattern(rowCount: 2, columnCount: 3, entries: [])
    #expect(try CompressedMatrix(blank, values: []).multiply([1, 2, 3]) == [0, 0])
  }
}
