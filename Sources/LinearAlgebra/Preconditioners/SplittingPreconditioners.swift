/// Symmetric successive over-relaxation: M = (D/ω + L) · ω/(2 − ω) D⁻¹ · (D/ω + U) for A = L + D + U.
public final class SSORPreconditioner: Preconditioner {
  private let parts: TriangularParts
  private let middle: [Double]

  /// - Parameters:
  ///   - matrix: a square matrix without zeros on its diagonal.
  ///   - relaxation: ω, between zero and two.
  /// - Throws: ``LinearAlgebraError`` if ω is out of range, or an element of the diagonal is missing or zero.
  public init(_ matrix: CompressedMatrix, relaxation: Double = 1) throws(LinearAlgebraError) {
    guard relaxation > 0, relaxation < 2 else {
      throw .argument("the relaxation of SSOR must lie between zero and two, not \(relaxation)")
    }
    var parts = try TriangularParts(matrix, "SSOR")
    let diagonal = parts.diagonal
    if let row = diagonal.firstIndex(of: 0) {
      throw .argument("SSOR divides by the diagonal; element \(row) is zero")
    }
    middle = diagonal.map { $0 * (2 - relaxation) / relaxation }
    parts.upperInverses = diagonal.map { relaxation / $0 }
    parts.lowerInverses = parts.upperInverses
    self.parts = parts
  }
  /// y = M⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    y.update(from: x, count: middle.count)
    if transposed {
      parts.solveUpper(y, transposed: true)
      for k in middle.indices { y[k] *= middle[k] }
      parts.solveLower(y, transposed: true)
    } else {
      parts.solveLower(y, transposed: false)
      for k in middle.indices { y[k] *= middle[k] }
      parts.solveUpper(y, transposed: false)
    }
  }
  /// Each half takes the root of the diagonal in the middle.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) throws {
    y.update(from: x, count: middle.count)
    func root() throws {
      for k in middle.indices {
        guard middle[k] > 0 else {
          throw LinearAlgebraError.argument("element \(k) of the diagonal is negative: SSOR cannot be split")
        }
        y[k] *= middle[k].squareRoot()
      }
    }
    switch half {
    case .left:
      if transposed { try root() }
      parts.solveLower(y, transposed: transposed)
      if !transposed { try root() }
    case .right:
      if !transposed { try root() }
      parts.solveUpper(y, transposed: transposed)
      if transposed { try root() }
    }
  }
}

/// ILU(0): L U on the pattern of A, exact at the pattern's places.
public final class IncompleteLUPreconditioner: Preconditioner {
  private let parts: TriangularParts

  /// - Throws: ``LinearAlgebraError`` if the matrix is not square, an element of the diagonal is missing, or a pivot becomes zero.
  public init(_ matrix: CompressedMatrix) throws(LinearAlgebraError) {
    var parts = try TriangularParts(matrix, "ILU(0)")
    let n = matrix.rows
    let (offsets, columns) = (parts.pattern.rowOffsets, parts.pattern.columnIndices)
    var place = [Int](repeating: -1, count: n)
    for i in 0..<n {
      for k in offsets[i]..<offsets[i + 1] { place[columns[k]] = k }
      for k in offsets[i]..<parts.diagonalPlaces[i] {
        let j = columns[k]
        let factor = parts.values[k] / parts.values[parts.diagonalPlaces[j]]
        parts.values[k] = factor
        for l in parts.diagonalPlaces[j] + 1..<offsets[j + 1] where place[columns[l]] >= 0 {
          parts.values[place[columns[l]]] -= factor * parts.values[l]
        }
      }
      for k in offsets[i]..<offsets[i + 1] { place[columns[k]] = -1 }
      let pivot = parts.values[parts.diagonalPlaces[i]]
      guard pivot != 0, pivot.isFinite else {
        throw .argument(
          "pivot \(i) of ILU(0) is \(pivot); use another preconditioner, or reorder the unknowns")
      }
      parts.upperInverses[i] = 1 / pivot
    }
    self.parts = parts
  }
  /// y = U⁻¹ L⁻¹ x, or its transpose.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    y.update(from: x, count: parts.diagonalPlaces.count)
    if transposed {
      parts.solveUpper(y, transposed: true)
      parts.solveLower(y, transposed: true)
    } else {
      parts.solveLower(y, transposed: false)
      parts.solveUpper(y, transposed: false)
    }
  }
  /// The left half is L, the right one U.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) {
    y.update(from: x, count: parts.diagonalPlaces.count)
    switch half {
    case .left: parts.solveLower(y, transposed: transposed)
    case .right: parts.solveUpper(y, transposed: transposed)
    }
  }
}
