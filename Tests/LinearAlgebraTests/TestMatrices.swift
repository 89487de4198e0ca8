import LinearAlgebra
import TestSupport

typealias SparsityPattern = LinearAlgebra.SparsityPattern

/// The negative Laplacian on a grid in one to three dimensions, zero outside of it.
func laplacian(_ extents: [Int], shift: Double = 0) -> CompressedMatrix {
  let n = extents.reduce(1, *)
  var entries: [(row: Int, column: Int, value: Double)] = []
  for i in 0..<n {
    entries.append((i, i, 2 * Double(extents.count) + shift))
    var (step, rest) = (1, i)
    for extent in extents {
      let place = rest % extent
      if place > 0 { entries.append((i, i - step, -1)) }
      if place < extent - 1 { entries.append((i, i + step, -1)) }
      rest /= extent
      step *= extent
    }
  }
  return try! CompressedMatrix(rowCount: n, columnCount: n, entries: entries)
}

/// Convection and diffusion in one dimension, upwind.
func convectionDiffusion(_ n: Int, peclet: Double) -> CompressedMatrix {
  var entries: [(row: Int, column: Int, value: Double)] = []
  for i in 0..<n {
    entries.append((i, i, 2 + peclet))
    if i > 0 { entries.append((i, i - 1, -1 - peclet)) }
    if i < n - 1 { entries.append((i, i + 1, -1)) }
  }
  return try! CompressedMatrix(rowCount: n, columnCount: n, entries: entries)
}

/// The Laplacian of a random graph, plus a multiple of the identity.
func graphLaplacian(_ n: Int, edges: Int, shift: Double, seed: UInt64) -> CompressedMatrix {
  var random = SeededRandom(seed: seed)
  var entries = (0..<n).map { (row: $0, column: $0, value: shift) }
  for _ in 0..<edges {
    let (i, j) = (Int(random.next() % UInt64(n)), Int(random.next() % UInt64(n)))
    if i == j { continue }
    let weight = random.uniform(0.1, 2)
    entries += [(i, i, weight), (j, j, weight), (i, j, -weight), (j, i, -weight)]
  }
  return try! CompressedMatrix(rowCount: n, columnCount: n, entries: entries)
}

/// [H Gᵀ; G 0] with a positive diagonal H: symmetric, indefinite.
func saddlePoint(_ n: Int, constraints m: Int, seed: UInt64) -> CompressedMatrix {
  var random = SeededRandom(seed: seed)
  var entries = (0..<n).map { (row: $0, column: $0, value: random.uniform(1, 3)) }
  for i in 0..<m {
    for j in [i, i + 1, (7 * i + 3) % n] where !(entries.contains { $0.row == n + i && $0.column == j }) {
      let value = random.uniform(0.5, 1.5)
      entries += [(n + i, j, value), (j, n + i, value)]
    }
  }
  return try! CompressedMatrix(rowCount: n + m, columnCount: n + m, entries: entries)
}

/// Random entries and a dominant diagonal.
func randomSparse(_ n: Int, perRow: Int, seed: UInt64) -> CompressedMatrix {
  var random = SeededRandom(seed: seed)
  var entries = (0..<n).map { (row: $0, column: $0, value: random.uniform(3, 6)) }
  for i in 0..<n {
    for _ in 0..<perRow { entries.append((i, Int(random.next() % UInt64(n)), random.uniform(-1, 1))) }
  }
  return try! CompressedMatrix(rowCount: n, columnCount: n, entries: entries)
}

func hilbert(_ n: Int) -> [Double] { (0..<n * n).map { 1 / Double($0 / n + $0 % n + 1) } }

extension CompressedMatrix {
  /// Row-major, with zeros.
  var dense: [Double] {
    var result = [Double](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for k in pattern.rowOffsets[row]..<pattern.rowOffsets[row + 1] {
        result[row * columns + pattern.columnIndices[k]] = values[k]
      }
    }
    return result
  }
}

func multiply(_ a: [Double], _ x: [Double], rows: Int, columns: Int, transposed: Bool = false) -> [Double] {
  transposed
    ? (0..<columns).map { j in (0..<rows).reduce(0) { $0 + a[$1 * columns + j] * x[$1] } }
    : (0..<rows).map { i in (0..<columns).reduce(0) { $0 + a[i * columns + $1] * x[$1] } }
}
func matrixProduct(_ a: [Double], _ b: [Double], rows: Int, inner: Int, columns: Int) -> [Double] {
  var result: [Double] = []
  for i in 0..<rows {
    for j in 0..<columns {
      var sum = 0.0
      for k in 0..<inner { sum += a[i * inner + k] * b[k * columns + j] }
      result.append(sum)
    }
  }
  return result
}
func distance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { $0 == $1 ? 0 : abs($0 - $1) }.reduce(0) { $0.isNaN || $1 <= $0 ? $0 : $1 }
}
func norm(_ a: [Double]) -> Double { a.reduce(0) { $0 + $1 * $1 }.squareRoot() }

/// The case of the error that a closure throws.
func failure(_ body: () throws -> Void) -> LinearAlgebraError? {
  do {
    try body()
    return nil
  } catch { return error as? LinearAlgebraError }
}
