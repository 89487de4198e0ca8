import Lanes
import LinearAlgebra

/// Sparse matrices of one program. The whole system [Q + diag, Cᵀ; C, −1/w] is factored as L D Lᵀ in an order that is found once.
final class SparseProgramMatrices: ProgramMatrices {
  typealias L = Double
  let variableCount: Int
  let rowCount: Int
  let equalityCount: Int
  private let analysis: SparseProgramAnalysis
  private let quadraticPattern: SparsityPattern
  private let rowPattern: SparsityPattern
  private let quadraticValues: NumberBuffer
  private let rowValues: NumberBuffer
  private let systemValues: NumberBuffer
  private let weights: NumberBuffer
  private let work: NumberBuffer
  private let factorization: SparseQuasidefiniteFactorization
  /// The first variable whose pivot was not positive, and the pivot.
  private(set) var failure: (row: Int, pivot: Double)?

  init(_ structure: SparseProgramStructure) throws(LinearAlgebraError) {
    let (n, m) = (structure.quadratic.rowCount, structure.rows.rowCount)
    analysis = structure.analysis
    variableCount = n
    rowCount = m
    equalityCount = analysis.equalityCount
    quadraticPattern = structure.quadratic
    rowPattern = structure.rows
    quadraticValues = NumberBuffer(zeros: quadraticPattern.entryCount)
    rowValues = NumberBuffer(zeros: rowPattern.entryCount)
    systemValues = NumberBuffer(count: analysis.system.entryCount)
    weights = NumberBuffer(zeros: m)
    work = NumberBuffer(zeros: n + m)
    factorization = try SparseQuasidefiniteFactorization(
      analysis.system, isPositive: [Bool](repeating: true, count: n) + [Bool](repeating: false, count: m))
  }

  /// Takes the symmetric part of Q, and C.
  func loadValues(quadratic: UnsafePointer<Double>, rows: UnsafePointer<Double>) {
    let target = quadraticValues.base
    for (place, opposite) in analysis.opposites.enumerated() {
      target[place] = 0.5 * (quadratic[place] + quadratic[opposite])
    }
    rowValues.base.update(from: rows, count: rowPattern.entryCount)
  }

  func multiplyQuadratic(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>) {
    quadraticPattern.multiply(quadraticValues.base, x, into: y, columns: 1, transposed: false)
  }
  func multiplyRows(_ x: UnsafePointer<Double>, into v: UnsafeMutablePointer<Double>) {
    rowPattern.multiply(rowValues.base, x, into: v, columns: 1, transposed: false)
  }
  func addTransposedRows(_ z: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>) {
    rowPattern.multiply(rowValues.base, z, into: work.base, columns: 1, transposed: true)
    for i in 0..<variableCount { y[i] += work.base[i] }
  }
  func norms(
    columns: UnsafeMutablePointer<Double>, rows: UnsafeMutablePointer<Double>,
    columnScale: UnsafePointer<Double>,
    rowScale: UnsafePointer<Double>
  ) {
    quadraticNorms(columns, columnScale: columnScale)
    for row in 0..<rowCount {
      var largest = 0.0
      for place in rowPattern.rowOffsets[row]..<rowPattern.rowOffsets[row + 1] {
        let column = rowPattern.columnIndices[place]
        let size = rowValues.base[place].magnitude * columnScale[column] * rowScale[row]
        largest = max(largest, size)
        columns[column] = max(columns[column], size)
      }
      rows[row] = largest
    }
  }
  func quadraticNorms(_ columns: UnsafeMutablePointer<Double>, columnScale: UnsafePointer<Double>) {
    for row in 0..<variableCount {
      var largest = 0.0
      for place in quadraticPattern.rowOffsets[row]..<quadraticPattern.rowOffsets[row + 1] {
        let scale = columnScale[quadraticPattern.columnIndices[place]]
        largest = max(largest, quadraticValues.base[place].magnitude * scale)
      }
      columns[row] = largest * columnScale[row]
    }
  }
  func scale(columns: UnsafePointer<Double>, rows: UnsafePointer<Double>, objective: Double) {
    for row in 0..<variableCount {
      for place in quadraticPattern.rowOffsets[row]..<quadraticPattern.rowOffsets[row + 1] {
        quadraticValues.base[place] *=
          objective * columns[row] * columns[quadraticPattern.columnIndices[place]]
      }
    }
    for row in 0..<rowCount {
      for place in rowPattern.rowOffsets[row]..<rowPattern.rowOffsets[row + 1] {
        rowValues.base[place] *= rows[row] * columns[rowPattern.columnIndices[place]]
      }
    }
  }

  func factorize(diagonal: UnsafePointer<Double>, weights given: UnsafePointer<Double>) -> Bool {
    let (n, m) = (variableCount, rowCount)
    let values = systemValues.base
    weights.base.update(from: given, count: m)
    values.update(repeating: 0, count: systemValues.count)
    for (k, place) in analysis.quadraticPlaces.enumerated() { values[place] = quadraticValues.base[k] }
    let (rowPlaces, diagonalPlaces) = (analysis.rowPlaces, analysis.diagonalPlaces)
    for i in 0..<n { values[diagonalPlaces[i]] += diagonal[i] }
    let (offsets, entries) = (rowPattern.rowOffsets, rowValues.base)
    for row in 0..<m {
      let isOut = given[row] == 0
      for place in offsets[row]..<offsets[row + 1] {
        let value = isOut ? 0 : entries[place]
        values[rowPlaces[place].0] = value
        values[rowPlaces[place].1] = value
      }
      values[diagonalPlaces[n + row]] = isOut ? -1 : -1 / given[row]
    }
    failure = factorization.factorize(values, smallest: 1e-14, replacement: 1e-7)
    return failure == nil
  }
  var hasPositivePivots: Bool { failure == nil || failure!.row >= variableCount }
  func solve(_ x: UnsafeMutablePointer<Double>, _ rows: UnsafeMutablePointer<Double>) {
    let (n, m) = (variableCount, rowCount)
    let y = work.base
    y.update(from: x, count: n)
    for k in 0..<m { y[n + k] = weights.base[k] == 0 ? 0 : rows[k] }
    factorization.solve(y)
    x.update(from: y, count: n)
    rows.update(from: y + n, count: m)
  }

  func loadVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { target.update(from: source, count: variableCount) }
  func loadConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>,
    padding: Double
  ) { target.update(from: source, count: rowCount + variableCount) }
  func storeVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { target.update(from: source, count: variableCount) }
  func storeConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { target.update(from: source, count: rowCount + variableCount) }
}
