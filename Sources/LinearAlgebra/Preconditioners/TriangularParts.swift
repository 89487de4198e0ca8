/// The two halves of a sparse square matrix, with diagonals of their own: what splitting preconditioners solve with.
struct TriangularParts: Sendable {
  let pattern: SparsityPattern
  var values: [Double]
  /// The place of each row's diagonal element.
  let diagonalPlaces: [Int]
  /// Reciprocals of the diagonal of the lower half, as each division would wait for the one before; ones if nil.
  var lowerInverses: [Double]?
  /// Reciprocals of the diagonal of the upper half.
  var upperInverses: [Double]
  /// The diagonal of the matrix.
  var diagonal: [Double] { diagonalPlaces.map { values[$0] } }

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
    upperInverses = places.map { 1 / matrix.values[$0] }
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
    guard let lowerInverses else { return solveLower(y, transposed: transposed, inverses: nil) }
    lowerInverses.withUnsafeBufferPointer {
      solveLower(y, transposed: transposed, inverses: $0.baseAddress)
    }
  }
  private func solveLower(
    _ y: UnsafeMutablePointer<Double>, transposed: Bool, inverses: UnsafePointer<Double>?
  ) {
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
          if let inverses { sum *= inverses[i] }
          y[i] = sum
        }
      } else {
        for i in (0..<n).reversed() {
          var factor = y[i]
          if let inverses { factor *= inverses[i] }
          y[i] = factor
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
          y[i] = sum * upperInverses[i]
        }
      } else {
        for i in 0..<n {
          y[i] *= upperInverses[i]
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
