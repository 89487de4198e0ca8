import LinearAlgebra

/// Which part of ∂f/∂y Newton's method works with: equal blocks of one size along the diagonal, from the first component on. What lies
/// beside them is left out, so that convergence takes an iteration more; components after them need no matrix.
struct JacobianBlocks: Hashable {
  var size: Int
  var copies = 1
}

/// The matrix of the stages' equations, `δ_ij I − c_ij J_i` in blocks, and its factors: dense, or sparse if the Jacobian is.
final class StageMatrix {
  private let size: Int
  private let copies: Int
  private let stages: Int
  private let dense: DenseMatrix?
  private let sparse: SparseStageMatrix?
  /// The equations of one copy in several stages, next to each other.
  private let gathered: UnsafeMutablePointer<Double>
  /// Numbers of one Jacobian.
  let entryCount: Int
  /// Whether another matrix costs little more than solving with this one a few times.
  var isCheap: Bool { sparse?.prefersIterations ?? false }

  /// - Parameters:
  ///   - blocks: of the Jacobian.
  ///   - stages: that are solved for together.
  init(_ blocks: JacobianBlocks, stages: Int, pattern: SparsityPattern?) {
    size = blocks.size
    copies = blocks.copies
    self.stages = stages
    sparse = pattern.map { SparseStageMatrix($0, blocks: stages) }
    dense = pattern == nil ? DenseMatrix(size: blocks.size * stages) : nil
    entryCount = pattern?.entryCount ?? blocks.size * blocks.size
    gathered = .allocate(capacity: max(blocks.size * stages, 1))
  }
  deinit { gathered.deallocate() }

  /// Sets the matrix and factors it.
  /// - Parameters:
  ///   - jacobians: of the stages, `entryCount` numbers each; with `isShared` one for all.
  ///   - coefficient: of a block, by its row and column.
  /// - Returns: false if it is singular or not finite.
  func factor(
    _ jacobians: UnsafePointer<Double>, isShared: Bool, coefficient: (_ row: Int, _ column: Int) -> Double
  ) -> Bool {
    if let sparse {
      sparse.values.withUnsafeMutableBufferPointer { values in
        sparse.places.withUnsafeBufferPointer { places in
          values.update(repeating: 0)
          for k in sparse.diagonal { values[k] = 1 }
          for i in 0..<stages {
            let jacobian = jacobians + (isShared ? 0 : i * entryCount)
            for j in 0..<stages {
              let factor = coefficient(i, j)
              let first = (i * stages + j) * entryCount
              for e in 0..<entryCount { values[places[first + e]] -= factor * jacobian[e] }
            }
          }
        }
      }
      return sparse.factor()
    }
    let matrix = dense!
    let width = size * stages
    for i in 0..<stages {
      let jacobian = jacobians + (isShared ? 0 : i * entryCount)
      for j in 0..<stages {
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
  /// - Parameters:
  ///   - stride: components of a stage.
  ///   - isExact: to rounding, and not only as Newton's method needs it.
  func solve(
    _ x: UnsafeMutablePointer<Double>, stride: Int, transposed: Bool = false, isExact: Bool = false
  ) {
    for copy in 0..<copies {
      let first = x + copy * size
      if stages == 1 || stride == size {
        solve(first, transposed, isExact)
        continue
      }
      for stage in 0..<stages {
        (gathered + stage * size).update(from: first + stage * stride, count: size)
      }
      solve(gathered, transposed, isExact)
      for stage in 0..<stages {
        (first + stage * stride).update(from: gathered + stage * size, count: size)
      }
    }
  }
  private func solve(_ x: UnsafeMutablePointer<Double>, _ transposed: Bool, _ isExact: Bool) {
    if let dense {
      dense.solve(x, transposed: transposed)
    } else {
      sparse!.solve(x, transposed: transposed, isExact: isExact)
    }
  }
}
