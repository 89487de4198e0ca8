/// The two halves of a sparse square matrix, with diagonals of their own: what splitting preconditioners solve with.
struct TriangularParts: Sendable {
  let pattern: SparsityPattern
  var values: [Double]
  /// The place of each row's diagonal element.
  let diagonalPlaces: [Int]
  /// Diagonal of the lower half; ones if nil.
  var lowerDiagonal: [Double]?
  /// Diagonal of the upper half.
  var upperDiagonal: [Double]

  init(_ matrix: CompressedMatrix, _ method: String) throws(LinearAlgebraError) {
    guard matrix.rows == matrix.columns else {
      throw .shape("\(method) needs a square matrix, not \(matrix.rows) x \(matrix.columns)")
    }
    try requireFinite(matrix.values, "an entry of the sparse matrix")
    pattern = matrix.pattern
    values = matrix.values
    var places: [Int] = []
    places.reserveCapacity(matrix.rows)
    for row in 0..<matrix.rows {
      guard let place = matrix.pattern.place(row: row, column: row) else {
        throw .argument("\(method) needs all diagonal elements in the pattern; that of row \(row) is missing")
      }
      places.append(place)
    }
    diagonalPlaces = places
    upperDiagonal = places.map { matrix.values[$0] }
  }

  private func visit(
    _ body: (
      _ offsets: UnsafeBufferPointer<Int>, _ columns: UnsafeBufferPointer<Int32>,
      _ diagonals: UnsafeBufferPointer<Int>,
      _ values: UnsafeBufferPointer<Double>
    ) -> Void
  ) {
    pattern.storage.rowOffsets.withUnsafeBufferPointer { offsets in
      pattern.storage.compactColumns.withUnsafeBufferPointer { columns in
        diagonalPlaces.withUnsafeBufferPointer { diagonals in
          values.withUnsafeBufferPointer { body(offsets, columns, diagonals, $0) }
        }
      }
    }
  }
  /// In place: y = L⁻¹ y or L⁻ᵀ y.
  func solveLower(_ y: UnsafeMutablePointer<Double>, transposed: Bool) {
    let n = diagonalPlaces.count
    visit { offsets, columns, diagonals, values in
      if !transposed {
        for i in 0..<n {
          var sum = y[i]
          var k = offsets[i]
          while k < diagonals[i] {
            sum -= values[k] * y[Int(columns[k])]
            k = k &+ 1
          }
          y[i] = lowerDiagonal.map { sum / $0[i] } ?? sum
        }
      } else {
        for i in (0..<n).reversed() {
          if let lowerDiagonal { y[i] /= lowerDiagonal[i] }
          let factor = y[i]
          var k = offsets[i]
          while k < diagonals[i] {
            y[Int(columns[k])] -= values[k] * factor
            k = k &+ 1
          }
        }
      }
    }
  }
  /// In place: y = U⁻¹ y or U⁻ᵀ y.
  func solveUpper(_ y: UnsafeMutablePointer<Double>, transposed: Bool) {
    let n = diagonalPlaces.count
    visit { offsets, columns, diagonals, values in
      if !transposed {
        for i in (0..<n).reversed() {
          var sum = y[i]
          var k = diagonals[i] &+ 1
          while k < offsets[i &+ 1] {
            sum -= values[k] * y[Int(columns[k])]
            k = k &+ 1
          }
          y[i] = sum / upperDiagonal[i]
        }
      } else {
        for i in 0..<n {
          y[i] /= upperDiagonal[i]
          let factor = y[i]
          var k = diagonals[i] &+ 1
          while k < offsets[i &+ 1] {
            y[Int(columns[k])] -= values[k] * factor
            k = k &+ 1
          }
        }
      }
    }
  }
}
