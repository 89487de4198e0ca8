import LinearAlgebra

/// The matrix of the stages' equations, `δ_ij I − c_ij J_i` in blocks, and its factors: dense, or sparse if the Jacobian is.
final class StageMatrix {
  private let size: Int
  private let blocks: Int
  private let dense: DenseMatrix?
  private let sparse: Sparse?
  /// Numbers of one Jacobian.
  let entryCount: Int

  /// A pattern of all blocks, and where the Jacobian's entries and the diagonal's go.
  private final class Sparse {
    let pattern: SparsityPattern
    /// Places of block (i, j), entry e: `places[(i * blocks + j) * entries + e]`.
    let places: [Int]
    let diagonal: [Int]
    var values: [Double]
    var factor: SparseLUFactorization?
    let scratch: UnsafeMutablePointer<Double>

    init(_ jacobian: SparsityPattern, blocks: Int) {
      let n = jacobian.rowCount
      var rows: [Int] = []
      var columns: [Int] = []
      let entryRows = jacobian.rowIndices
      for i in 0..<blocks {
        for j in 0..<blocks {
          rows += entryRows.map { $0 + i * n }
          columns += jacobian.columnIndices.map { $0 + j * n }
        }
      }
      let count = rows.count
      rows += 0..<n * blocks
      columns += 0..<n * blocks
      guard
        let (pattern, places) = try? SparsityPattern.coordinates(
          rowCount: n * blocks, columnCount: n * blocks, rows: rows, columns: columns)
      else { preconditionFailure("the Jacobian's pattern is not square") }
      self.pattern = pattern
      self.places = Array(places.prefix(count))
      diagonal = Array(places.dropFirst(count))
      values = [Double](repeating: 0, count: pattern.entryCount)
      scratch = .allocate(capacity: max(n * blocks, 1))
    }
    deinit { scratch.deallocate() }
  }

  /// - Parameters:
  ///   - size: of a state.
  ///   - blocks: stages that are solved for together.
  init(size: Int, blocks: Int, pattern: SparsityPattern?) {
    self.size = size
    self.blocks = blocks
    sparse = pattern.map { Sparse($0, blocks: blocks) }
    dense = pattern == nil ? DenseMatrix(size: size * blocks) : nil
    entryCount = pattern?.entryCount ?? size * size
  }

  /// Sets the matrix and factors it.
  /// - Parameters:
  ///   - jacobians: of the stages, `entryCount` numbers each; with `isShared` one for all.
  ///   - coefficient: of a block, by its row and column.
  /// - Returns: false if it is singular or not finite.
  func factor(
    _ jacobians: UnsafePointer<Double>, isShared: Bool, coefficient: (_ row: Int, _ column: Int) -> Double
  ) -> Bool {
    if let sparse {
      for k in sparse.values.indices { sparse.values[k] = 0 }
      for k in sparse.diagonal { sparse.values[k] = 1 }
      for i in 0..<blocks {
        let jacobian = jacobians + (isShared ? 0 : i * entryCount)
        for j in 0..<blocks {
          let factor = coefficient(i, j)
          let first = (i * blocks + j) * entryCount
          for e in 0..<entryCount { sparse.values[sparse.places[first + e]] -= factor * jacobian[e] }
        }
      }
      sparse.factor = (try? CompressedMatrix(sparse.pattern, values: sparse.values)).flatMap {
        try? SparseLUFactorization($0, minimumReciprocalCondition: 0)
      }
      return sparse.factor != nil
    }
    let matrix = dense!
    let width = size * blocks
    for i in 0..<blocks {
      let jacobian = jacobians + (isShared ? 0 : i * entryCount)
      for j in 0..<blocks {
        let factor = coefficient(i, j)
        for r in 0..<size {
          let row = matrix.values + (i * size + r) * width + j * size
          let source = jacobian + r * size
          for c in 0..<size { row[c] = -factor * source[c] }
          if i == j { row[r] += 1 }
        }
      }
    }
    return matrix.factor()
  }

  /// x = A⁻¹ b, or A⁻ᵀ b, in place.
  func solve(_ x: UnsafeMutablePointer<Double>, transposed: Bool = false) {
    if let dense { return dense.solve(x, transposed: transposed) }
    guard let sparse, let factor = sparse.factor else { return }
    sparse.scratch.update(from: x, count: size * blocks)
    factor.solve(sparse.scratch, into: x, count: 1, transposed: transposed)
  }
}
