import CLanes

// Sums along axes, and products of matrices.
extension ArrayCode {
  mutating func reduce(_ reduction: Reduction, _ x: DenseArray, _ shape: [Int]) -> DenseArray? {
    let kept = x.shape.indices.filter { !reduction.axes.contains($0) }
    let list = x.transposed(kept + reduction.axes).values(Int32.self)
    let count = shape.elementCount
    guard count > 0 else { return DenseArray([Int32](), shape: shape) }
    let length = list.count / count
    if length == 0 { return DenseArray([Int32(0)], shape: []).broadcast(to: shape, axes: []) }
    let rows = (0..<count).map { Array(list[$0 * length..<($0 + 1) * length]) }
    if reduction.kind == .sum && length > count && length >= Self.leastInner {
      let starts = rows.map { row -> Int32 in
        let start = operand(row)
        let isFixed = areFixed(row)
        let target = allocate(1, isFixed: isFixed)
        steps.append(
          Step(
            work: .sum(start, length: length), reads: [(0..<Int32(length)).map { start + $0 }],
            target: target, count: 1, isFixed: isFixed))
        return target
      }
      return DenseArray(starts, shape: shape)
    }
    guard length <= 64 else { return nil }
    let operation: Binary =
      switch reduction.kind {
      case .sum: .add
      case .maximum: .maximum
      case .minimum: .minimum
      }
    var result = DenseArray(rows.map { $0[0] }, shape: shape)
    for k in 1..<max(length, 1) {
      result = elementwise(
        RegisterOperation.binary + operation.rawValue, [result, DenseArray(rows.map { $0[k] }, shape: shape)])
    }
    return result
  }

  /// A matrix in the block: the first place, and the distances between neighbouring rows and columns.
  private struct Matrix {
    var list: [Int32]
    var rows: Int
    var columns: Int

    var transposed: Matrix {
      var turned: [Int32] = []
      for j in 0..<columns { for i in 0..<rows { turned.append(list[i * columns + j]) } }
      return Matrix(list: turned, rows: columns, columns: rows)
    }
    /// The distances, if they are the same everywhere.
    var steps: (row: Int32, column: Int32)? {
      let row = rows > 1 ? list[columns] - list[0] : Int32(columns)
      let column = columns > 1 ? list[1] - list[0] : 1
      guard row >= 0, column >= 0 else { return nil }
      for i in 0..<rows {
        for j in 0..<columns where list[i * columns + j] != list[0] + Int32(i) * row + Int32(j) * column {
          return nil
        }
      }
      return (row, column)
    }
  }

  mutating func product(_ a: DenseArray, _ b: DenseArray) -> DenseArray? {
    let (stack, m, k, n) = (a.shape[0], a.shape[1], a.shape[2], b.shape[2])
    let shape = [stack, m, n]
    guard shape.elementCount > 0, k > 0 else { return nil }
    guard m == 1 || n == 1 || k == 1 || m * n * k <= Self.largestProduct else { return nil }
    let (x, y) = (a.values(Int32.self), b.values(Int32.self))
    var result: [Int32] = []
    for s in 0..<stack {
      let left = Matrix(list: Array(x[s * m * k..<(s + 1) * m * k]), rows: m, columns: k)
      let right = Matrix(list: Array(y[s * k * n..<(s + 1) * k * n]), rows: k, columns: n)
      // A single column is as good as a row.
      let start = n == 1 ? multiply(right.transposed, left.transposed) : multiply(left, right)
      result += (0..<Int32(m * n)).map { start + $0 }
    }
    return DenseArray(result, shape: shape)
  }
  private mutating func multiply(_ x: Matrix, _ y: Matrix) -> Int32 {
    let (rows, depth, columns) = (x.rows, x.columns, y.columns)
    let turned = y.transposed
    let isFixed = areFixed(x.list) && areFixed(y.list)
    // Inner products for few columns, or if the other form had to bring rows together in each run.
    let hasRows = y.steps?.column == 1 || areFixed(y.list)
    let hasColumns = turned.steps?.column == 1 || areFixed(y.list)
    let isDot = depth >= Self.leastInner && hasColumns && (columns <= 4 || !hasRows) && columns < depth
    let (left, leftSteps) = arranged(x, isContiguous: isDot)
    let (right, rightSteps) = arranged(isDot ? turned : y, isContiguous: true)
    let target = allocate(rows * columns + VectorCode.width - 1, isFixed: isFixed)
    stepAt[target] = steps.count
    steps.append(
      Step(
        work: .product(
          costate_product(
            x: UInt32(left.list[0]), y: UInt32(right.list[0]), target: UInt32(target), rows: UInt32(rows),
            depth: UInt32(depth), columns: UInt32(columns), xRow: UInt32(leftSteps.row),
            xColumn: UInt32(leftSteps.column), yRow: UInt32(rightSteps.row), targetRow: UInt32(columns),
            isDot: isDot ? 1 : 0)), reads: [left.list, right.list], target: target, count: rows * columns,
        isFixed: isFixed))
    return target
  }
  /// The matrix where its elements have even distances, or are neighbours along rows.
  private mutating func arranged(_ matrix: Matrix, isContiguous: Bool) -> (
    Matrix, (row: Int32, column: Int32)
  ) {
    if let steps = matrix.steps, steps.column == 1 || !isContiguous { return (matrix, steps) }
    let start = operand(matrix.list)
    let list = (0..<Int32(matrix.list.count)).map { start + $0 }
    return (Matrix(list: list, rows: matrix.rows, columns: matrix.columns), (Int32(matrix.columns), 1))
  }
}
