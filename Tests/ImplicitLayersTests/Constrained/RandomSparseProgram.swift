import Autodiff
import ImplicitLayers
import LinearAlgebra
import TestSupport

/// A random sparse convex program that has a solution, as tensors: all constraints hold at a random point, some of them barely.
struct RandomSparseProgram {
  let quadratic, equalities, inequalities: SparsityPattern
  /// Values of Q, q, values of A, b, values of G, l, u, and the bounds.
  let data: [Tensor]

  /// - Parameter reach: how far from its row's place in the order an entry may lie, as in chains and grids; anywhere if left out.
  init(
    variables n: Int, equalities p: Int, inequalities m: Int, entriesInRow: Int = 3, reach: Int? = nil,
    seed: UInt64
  ) throws {
    var random = SeededRandom(seed: seed)
    func matrix(_ rows: Int) throws -> CompressedMatrix {
      let entries = (0..<rows).flatMap { row -> [(row: Int, column: Int, value: Double)] in
        // No two rows of few entries have their first in the same column, lest equations depend on each other.
        let first = rows <= n ? row * n / rows : row % n
        let columns = (1..<entriesInRow).map { _ -> Int in
          guard let reach else { return Int(random.uniform(0, Double(n))) }
          return min(max(first + Int(random.uniform(-Double(reach), Double(reach))), 0), n - 1)
        }
        return ([first] + columns).map {
          (row: row, column: $0, value: random.uniform(0.3, 1) * (random.uniform(0, 1) < 0.5 ? -1 : 1))
        }
      }
      return try CompressedMatrix(rowCount: rows, columnCount: n, entries: entries)
    }
    let (a, g, factor) = (try matrix(p), try matrix(m), try matrix(n))
    var entries = (0..<n).map { (row: $0, column: $0, value: 0.1) }
    for row in 0..<n {
      let offsets = factor.pattern.rowOffsets
      for j in offsets[row]..<offsets[row + 1] {
        for k in offsets[row]..<offsets[row + 1] {
          let columns = factor.pattern.columnIndices
          entries.append((columns[j], columns[k], factor.values[j] * factor.values[k]))
        }
      }
    }
    let q = try CompressedMatrix(rowCount: n, columnCount: n, entries: entries)
    let inside = random.uniform(-1, 1, count: n)
    let values = try g.multiply(inside)
    (quadratic, equalities, inequalities) = (q.pattern, a.pattern, g.pattern)
    data = [
      Tensor(q.values), Tensor(random.uniform(-3, 3, count: n)), Tensor(a.values),
      Tensor(try a.multiply(inside)), Tensor(g.values),
      Tensor(values.map { $0 - random.uniform(0.05, 1) }),
      Tensor(values.map { $0 + random.uniform(0.05, 1) }),
      Tensor(inside.map { $0 - random.uniform(0.1, 1) }), Tensor(inside.map { $0 + random.uniform(0.1, 1) }),
    ]
  }

  /// Minimiser and all multipliers in one vector.
  func solve(
    _ d: [Tensor], options: QuadraticProgramOptions = .init(), policy: DegeneracyPolicy = .error
  ) throws -> Tensor {
    let s = try quadraticProgram(
      quadratic: SparseMatrix(quadratic, values: d[0]), linear: d[1],
      equalities: SparseMatrix(equalities, values: d[2]), equalityValues: d[3],
      inequalities: SparseMatrix(inequalities, values: d[4]), lower: d[5], upper: d[6], lowerBounds: d[7],
      upperBounds: d[8], options: options, policy: policy)
    return concatenate([s.x, s.equalityMultipliers, s.inequalityMultipliers, s.boundMultipliers])
  }
  /// The same by the dense layer, whose matrices are made of the same values.
  func solveDense(
    _ d: [Tensor], options: QuadraticProgramOptions = .init(), policy: DegeneracyPolicy = .error
  ) throws -> Tensor {
    let s = try quadraticProgram(
      quadratic: SparseMatrix(quadratic, values: d[0]).dense(), linear: d[1],
      equalities: SparseMatrix(equalities, values: d[2]).dense(), equalityValues: d[3],
      inequalities: SparseMatrix(inequalities, values: d[4]).dense(), lower: d[5], upper: d[6],
      lowerBounds: d[7], upperBounds: d[8], options: options, policy: policy)
    return concatenate([s.x, s.equalityMultipliers, s.inequalityMultipliers, s.boundMultipliers])
  }
}
