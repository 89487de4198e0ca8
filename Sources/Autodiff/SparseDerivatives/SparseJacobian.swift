/// Where the Jacobian of a function can have entries other than zero: a row for each element of the value, a column for each
/// element of the argument, both in row-major order.
///
/// Found from the traced derivative, for all arguments of this shape: an entry that is missing is zero by construction.
/// - Throws: ``TensorError``, or what the function throws.
public func jacobianSparsity(
  of function: (Tensor) throws -> Tensor, at point: Tensor
) throws -> SparsityPattern {
  try withTensorErrors { try SparseDerivative(function, at: point, operation: "jacobianSparsity").pattern }
}

/// The function that computes the Jacobian of a function whose outputs depend on few inputs each.
///
/// Which do is found from the program (``jacobianSparsity(of:at:)``). Columns, or rows, that share no place are computed as one
/// direction: a tridiagonal Jacobian takes three, whatever its size.
///
/// ```swift
/// let residual = { (x: Tensor) in x[1..<n-1] * 2.0 - x[0..<n-2] - x[2..<n] }
/// let matrix = try jit(sparseJacobian(residual))(x)     // matrix.values, matrix.pattern, matrix.dense()
/// ```
///
/// Rows and columns are numbered as the elements of value and argument in row-major order. The pattern is constant, the
/// values can be differentiated, batched and compiled. Finding pattern and colours costs more than the directions;
/// `jit` does it once.
///
/// - Parameters:
///   - function: a function of a tensor.
///   - mode: directions are columns (`forward`) or rows (`reverse`), or whichever takes fewer colours.
/// - Returns: a function that throws ``TensorError``, or what `function` throws.
/// - Complexity: one derivative in a direction, about two evaluations, for each colour; they are computed as one batch.
///   See `SparsityPattern.columnColoring()`.
public func sparseJacobian(
  _ function: @escaping (Tensor) throws -> Tensor, mode: JacobianMode = .automatic
) -> (Tensor) throws -> SparseMatrix {
  { argument in
    try withTensorErrors {
      let derivative = try SparseDerivative(function, at: argument, operation: "sparseJacobian")
      let (coloring, isForward) = derivative.pattern.directions(mode)
      return isForward
        ? try derivative.columns(coloring) { row, column in (coloring.colors[column], row) }
        : try derivative.rows(coloring)
    }
  }
}

/// The function that computes the Hessian of a scalar function in which few pairs of inputs interact.
///
/// Of a symmetric pair of entries one is enough, so that fewer directions are needed than for a Jacobian
/// (`SparsityPattern.symmetricColoring()`): two for a matrix whose first row, first column and diagonal are full.
/// Otherwise as ``sparseJacobian(_:mode:)``.
/// - Complexity: one Hessian–vector product, about four evaluations, for each colour.
public func sparseHessian(_ function: @escaping (Tensor) throws -> Tensor) -> (Tensor) throws -> SparseMatrix
{
  { argument in
    try withTensorErrors {
      var derivative = try SparseDerivative(grad(function), at: argument, operation: "sparseHessian")
      if !derivative.pattern.isSymmetric {
        derivative.pattern = derivative.pattern.union(derivative.pattern.transposed)
      }
      let pattern = derivative.pattern
      let coloring = pattern.symmetricColoring()
      let plain = pattern.columnColoring()
      if plain.count <= coloring.count {
        return try derivative.columns(plain) { row, column in (plain.colors[column], row) }
      }
      let colors = coloring.colors
      // In the sum of a colour's columns, an entry of row i stands by itself if the row has no other of the colour.
      var counts: [Int: Int] = [:]
      var isAlone: [Bool] = []
      for row in 0..<pattern.rowCount {
        counts.removeAll(keepingCapacity: true)
        for column in pattern.columns(inRow: row) { counts[colors[column], default: 0] += 1 }
        isAlone += pattern.columns(inRow: row).map { counts[colors[$0]] == 1 }
      }
      return try derivative.columns(coloring) { row, column in
        isAlone[pattern.place(row: row, column: column)!] ? (colors[column], row) : (colors[row], column)
      }
    }
  }
}

extension SparsityPattern {
  /// The colouring with fewer colours, and whether it is of columns. No colouring has fewer than the longest row, or column,
  /// has entries, so that the second is tried only if it can be better.
  func directions(_ mode: JacobianMode) -> (Coloring, isForward: Bool) {
    switch mode {
    case .forward: return (columnColoring(), true)
    case .reverse: return (rowColoring(), false)
    case .automatic: break
    }
    func longest(_ pattern: SparsityPattern) -> Int {
      (0..<pattern.rowCount).map { pattern.rowOffsets[$0 + 1] - pattern.rowOffsets[$0] }.max() ?? 0
    }
    let bounds = (longest(self), longest(transposed))
    let isForward = bounds.0 <= bounds.1
    let first = isForward ? columnColoring() : rowColoring()
    guard max(bounds.0, bounds.1) < first.count else { return (first, isForward) }
    let second = isForward ? rowColoring() : columnColoring()
    return second.count < first.count ? (second, !isForward) : (first, isForward)
  }
}

/// The derivative of a function at a point, with its pattern.
struct SparseDerivative {
  private let program: Program
  private let primals: [Tensor]
  private let derivative: (program: Program, isOutputActive: [Bool])
  private let operation: String
  var pattern: SparsityPattern

  init(_ function: (Tensor) throws -> Tensor, at point: Tensor, operation: String) throws {
    let staged = try stage(function, point)
    self.operation = operation
    program = staged.program
    primals = try checkedLeaves(point) + staged.captures
    try program.requireDifferentiable(inputs: 1, operation)
    derivative = try program.jvpProgram(isActive: primals.indices.map { $0 == 0 })
    pattern =
      derivative.isOutputActive[0]
      ? try Dependence.pattern(of: derivative.program, output: 1, input: primals.count)
      : SparsityPattern(
        rows: [[Int]](repeating: [], count: program.outputTypes[0].count),
        columnCount: program.inputTypes[0].count)
  }
  private var input: TensorType { program.inputTypes[0] }
  private var output: TensorType { program.outputTypes[0] }

  /// The entries from sums of columns; `place` says which sum and which of its rows has an entry.
  func columns(_ coloring: Coloring, place: (_ row: Int, _ column: Int) -> (Int, Int)) throws -> SparseMatrix
  {
    if coloring.count == 0 { return try picked([], from: nil) }
    let (results, isBatched) = try derivative.program.batched(
      primals + [try seeds(coloring, input)], primals.map { _ in false } + [true], size: coloring.count)
    let places = zip(pattern.rowIndices, pattern.columnIndices).map { row, column in
      let (color, element) = place(row, column)
      return color * output.count + element
    }
    return try picked(places, from: results[1].batched(isBatched[1], coloring.count))
  }
  /// The entries from sums of rows.
  func rows(_ coloring: Coloring) throws -> SparseMatrix {
    if coloring.count == 0 { return try picked([], from: nil) }
    let map = try Linearization(program, at: primals, activeCount: 1, operation: operation)
    guard map.isOutputActive[0] else { return try picked([], from: nil) }
    let flags = map.residuals.map { _ in false } + [true]
    let (input, output) = (input, output)
    let adjoint = try trace(map.residuals.map(\.type) + [output]) { arguments in
      let result = try map.program.transposed(
        isLinear: flags, known: Array(arguments.dropLast()), cotangents: [arguments.last!])
      return [result[0] ?? Tensor.zeros(input)]
    }
    let (sums, isBatched) = try adjoint.program.batched(
      map.residuals + [try seeds(coloring, output)], flags, size: coloring.count)
    let places = zip(pattern.rowIndices, pattern.columnIndices).map { row, column in
      coloring.colors[row] * input.count + column
    }
    return try picked(places, from: sums[0].batched(isBatched[0], coloring.count))
  }

  /// For each colour ones at its elements.
  private func seeds(_ coloring: Coloring, _ type: TensorType) throws -> Tensor {
    let count = coloring.count * max(input.count, output.count)
    guard count <= Int(Int32.max) else {
      throw TensorError(
        .range, operation,
        "\(coloring.count) directions at once are too many for this size; the pattern is not sparse")
    }
    let colors = Tensor(coloring.colors.map(Int32.init)).oneHot(coloring.count, type: type.elementType)
    return colors.transposed.reshaped([coloring.count] + type.shape)
  }
  private func picked(_ places: [Int], from sums: Tensor?) throws -> SparseMatrix {
    let values =
      sums.map { $0.flattened.taking(Tensor(places.map(Int32.init))) }
      ?? Tensor.zeros([0], type: output.elementType)
    if case .failed(let error) = values.representation { throw error }
    return SparseMatrix(unchecked: pattern, values)
  }
}
