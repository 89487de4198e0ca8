import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct MatrixMarketTests {
  @Test func coordinateFiles() throws {
    let file = try MatrixMarketFile(
      text:
        "%%MatrixMarket matrix coordinate real symmetric\n% a remark\n%\n\n3 3 4\n1 1 2.5\n2 1 -1e-3\n3 3 4\n 3   2 7\n\n"
    )
    guard case .sparse(let matrix) = file.content else {
      Issue.record("a coordinate file is not sparse")
      return
    }
    #expect(matrix.dense == [2.5, -1e-3, 0, -1e-3, 0, 7, 0, 7, 4])
    #expect(file.isSymmetric && file.comments == [" a remark", ""])
    let again = try MatrixMarketFile(text: file.text())
    #expect(again.isSymmetric && again.comments == file.comments)
    if case .sparse(let copy) = again.content { #expect(copy.dense == matrix.dense) }
    let skew = try MatrixMarketFile(
      text: "%%MatrixMarket MATRIX Coordinate Integer Skew-Symmetric\r\n2 2 1\r\n2 1 3\r\n")
    if case .sparse(let matrix) = skew.content { #expect(matrix.dense == [0, -3, 3, 0]) }
    let pattern = try MatrixMarketFile(
      text: "%%MatrixMarket matrix coordinate pattern general\n1 3 2\n1 3\n1 1")
    if case .sparse(let matrix) = pattern.content { #expect(matrix.dense == [1, 0, 1]) }
  }
  @Test func arrayFiles() throws {
    let file = try MatrixMarketFile(text: "%%MatrixMarket matrix array real general\n2 3\n1\n2\n3\n4\n5\n6\n")
    guard case .dense(let values, 2, 3) = file.content else {
      Issue.record("an array file is not dense")
      return
    }
    #expect(values == [1, 3, 5, 2, 4, 6])
    if case .dense(let copy, 2, 3) = try MatrixMarketFile(text: file.text()).content {
      #expect(copy == values)
    }
    let half = try MatrixMarketFile(text: "%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3")
    if case .dense(let values, _, _) = half.content { #expect(values == [1, 2, 2, 3]) }
    #expect(try half.text() == "%%MatrixMarket matrix array real symmetric\n2 2\n1.0\n2.0\n3.0\n")
    let skew = try MatrixMarketFile(text: "%%MatrixMarket matrix array real skew-symmetric\n2 2\n5")
    if case .dense(let values, _, _) = skew.content { #expect(values == [0, -5, 5, 0]) }
  }
  @Test(arguments: 0..<4 as Range<UInt64>) func numbersSurvive(seed: UInt64) throws {
    let matrix = graphLaplacian(12, edges: 20, shift: 1 / 3, seed: seed)
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "matrix-\(seed)-\(UUID()).mtx")
    defer { try? FileManager.default.removeItem(at: directory) }
    for isSymmetric in [false, true] {
      try MatrixMarketFile(.sparse(matrix), isSymmetric: isSymmetric).write(to: directory)
      guard case .sparse(let copy) = try MatrixMarketFile(contentsOf: directory).content else { continue }
      #expect(copy.pattern == matrix.pattern)
      #expect(copy.values == matrix.values || distance(copy.values, matrix.values) < 1e-15)
    }
  }
  @Test(arguments: [
    ("", 1), ("%%MatrixMarket vector coordinate real general\n1 1 0", 1),
    ("%%MatrixMarket matrix coordinate complex general\n1 1 0", 1),
    ("%%MatrixMarket matrix coordinate real hermitian\n1 1 0", 1),
    ("%%MatrixMarket matrix list real general\n1 1 0", 1),
    ("%%MatrixMarket matrix coordinate real general\n1 1", 2),
    ("%%MatrixMarket matrix coordinate real general\n1 -1 0", 2),
    ("%%MatrixMarket matrix coordinate real symmetric\n1 2 0", 2),
    ("%%MatrixMarket matrix coordinate real general\n%\n2 2 1\n3 1 1", 4),
    ("%%MatrixMarket matrix coordinate real general\n2 2 1\n0 1 1", 3),
    ("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1", 3),
    ("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 x", 3),
    ("%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1\n", 4),
    ("%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1", 3),
    ("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 1\n2 2 2", 4),
    ("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3", 5),
    ("%%MatrixMarket matrix array pattern general\n2 2\n1\n2\n3\n4", 2),
    ("%%MatrixMarket matrix array real general\n1 1\nx", 3),
    ("%%MatrixMarket matrix array real general\n4000000000 4000000000\n1", 2),
  ])
  func mistakesNameTheLine(text: String, line: Int) {
    guard case .format(let place, let message) = failure({ _ = try MatrixMarketFile(text: text) }) else {
      Issue.record("'\(text)' was read")
      return
    }
    #expect(place == line, "\(message)")
  }
  @Test func unsymmetricMatricesAreNotWrittenAsSymmetric() {
    guard
      case .notSymmetric = failure({
        _ = try MatrixMarketFile(.sparse(convectionDiffusion(3, peclet: 1)), isSymmetric: true).text()
      })
    else {
      Issue.record("half of an unsymmetric matrix was written")
      return
    }
  }
}
