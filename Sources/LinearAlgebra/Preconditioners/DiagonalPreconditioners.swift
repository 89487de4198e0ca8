/// The inverse of the diagonal (Jacobi). As two factors: its square root twice, if it is positive.
public final class JacobiPreconditioner: Preconditioner {
  private let inverse: [Double]

  /// - Throws: ``LinearAlgebraError`` if an element of the diagonal is zero or not finite.
  public init(diagonal: [Double]) throws(LinearAlgebraError) {
    try requireFinite(diagonal, "an element of the diagonal")
    if let place = diagonal.firstIndex(of: 0) {
      throw .argument(
        "the Jacobi preconditioner divides by the diagonal, whose element \(place) is zero; use another one")
    }
    inverse = diagonal.map { 1 / $0 }
  }
  /// y = D⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    for k in inverse.indices { y[k] = inverse[k] * x[k] }
  }
  /// y = D^(-1/2) x.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) throws {
    for k in inverse.indices {
      guard inverse[k] > 0 else {
        throw LinearAlgebraError.argument("element \(k) of the diagonal is negative: it cannot be split")
      }
      y[k] = inverse[k].squareRoot() * x[k]
    }
  }
}

/// Solves with blocks of consecutive rows and columns on the diagonal, each by its LU decomposition.
public final class BlockJacobiPreconditioner: Preconditioner {
  private let blocks: [LUFactorization]
  private let starts: [Int]

  /// - Parameters:
  ///   - matrix: a square matrix.
  ///   - blockSize: rows of a block; the last one may be smaller.
  /// - Throws: ``LinearAlgebraError`` if the matrix is not square or a block is singular.
  public init(_ matrix: CompressedMatrix, blockSize: Int) throws(LinearAlgebraError) {
    guard matrix.rows == matrix.columns, blockSize > 0 else {
      throw .argument("block Jacobi needs a square matrix and blocks of at least one row")
    }
    let n = matrix.rows
    var blocks: [LUFactorization] = []
    var starts: [Int] = []
    var start = 0
    while start < n {
      let size = min(blockSize, n - start)
      var block = [Double](repeating: 0, count: size * size)
      for i in 0..<size {
        let row = start + i
        for k in matrix.pattern.rowOffsets[row]..<matrix.pattern.rowOffsets[row + 1] {
          let j = matrix.pattern.columnIndices[k] - start
          if (0..<size).contains(j) { block[i * size + j] = matrix.values[k] }
        }
      }
      blocks.append(try LUFactorization(block, size: size))
      starts.append(start)
      start += size
    }
    (self.blocks, self.starts) = (blocks, starts)
  }
  /// y = M⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    for (block, start) in zip(blocks, starts) {
      block.solve(x + start, into: y + start, count: 1, transposed: transposed)
    }
  }
}

/// A direct solution of a matrix near A, as a preconditioner for A.
public struct FactorizationPreconditioner: Preconditioner {
  private let factorization: any Factorization
  /// Solves with this.
  public init(_ factorization: any Factorization) { self.factorization = factorization }
  /// y = M⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) throws
  {
    try factorization.solve(x, into: y, count: 1, transposed: transposed)
  }
}

/// A map that approximates the inverse.
public struct MapPreconditioner: Preconditioner {
  private let map: any LinearMap
  /// Applies this.
  public init(_ map: any LinearMap) { self.map = map }
  /// y = M⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) throws
  {
    try map.multiply(x, into: y, transposed: transposed)
  }
}
