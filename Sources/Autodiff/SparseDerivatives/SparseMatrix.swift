/// A matrix of which only the entries of a pattern are kept.
///
/// The pattern is fixed; the values are a tensor like any other: derivatives, batches and compiled functions go through
/// it. Under `vmap` the values of the whole batch have the batch's axis in front.
public struct SparseMatrix: Sendable {
  /// Where entries are.
  public let pattern: SparsityPattern
  /// The entries in the pattern's order; axes before the last are stacks of matrices.
  public var values: Tensor

  /// A matrix with these entries.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/shape`` if the last axis of the values is not as long as the
  ///   pattern has entries.
  public init(_ pattern: SparsityPattern, values: Tensor) throws(TensorError) {
    if case .failed(let error) = values.representation { throw error }
    guard values.shape.last == pattern.entryCount else {
      throw TensorError(
        .shape, "SparseMatrix",
        "values of shape \(values.shape) for a pattern of \(pattern.entryCount) entries")
    }
    self.init(unchecked: pattern, values)
  }
  init(unchecked pattern: SparsityPattern, _ values: Tensor) {
    self.pattern = pattern
    self.values = values
  }

  /// The matrix with its zeros, `[…, rows, columns]`.
  ///
  /// A matrix of 2³¹ elements or more is a mistake, with reason ``TensorError/Reason/range``.
  public func dense() -> Tensor {
    if case .failed = values.representation { return values }
    let (rows, columns) = (pattern.rowCount, pattern.columnCount)
    guard rows.multipliedReportingOverflow(by: columns).partialValue < Int(Int32.max), rows < 1 << 31,
      columns < 1 << 31
    else {
      return TensorError(.range, "dense", "\(rows) x \(columns) elements are too many for a dense matrix")
        .report()
    }
    let places = zip(pattern.rowIndices, pattern.columnIndices).map { Int32($0 * columns + $1) }
    let lead = Array(values.shape.dropLast())
    let scattered = bind1(
      ScatterAdd(count: rows * columns, isBatched: false), Tensor(places), values.movingAxis(-1, to: 0))
    return scattered.movingAxis(0, to: -1).reshaped(lead + [rows, columns])
  }
}

// By hand, so that taking a matrix apart does not look at each number of its pattern.
extension SparseMatrix: TensorTree {
  /// The values.
  public func appendLeaves(to leaves: inout [Tensor]) { leaves.append(values) }
  /// The matrix with other values.
  public func replacingLeaves(_ leaves: inout IndexingIterator<[Tensor]>) throws -> SparseMatrix {
    SparseMatrix(unchecked: pattern, try values.replacingLeaves(&leaves))
  }
  /// The pattern, and one leaf.
  public func appendStructure(to structure: inout [TreeNode]) {
    structure += [
      .count(pattern.rowCount), .integers(pattern.rowOffsets), .count(pattern.columnCount),
      .integers(pattern.columnIndices), .leaf,
    ]
  }

  private enum CodingKeys: String, CodingKey {
    case rowCount, columnCount, rowOffsets, columnIndices, values
  }
  /// The pattern's numbers and the values.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(pattern.rowCount, forKey: .rowCount)
    try container.encode(pattern.columnCount, forKey: .columnCount)
    try container.encode(pattern.rowOffsets, forKey: .rowOffsets)
    try container.encode(pattern.columnIndices, forKey: .columnIndices)
    try container.encode(values, forKey: .values)
  }
  /// A matrix that was encoded.
  /// - Throws: an error if the pattern is not one, or the values do not belong to it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let pattern = try SparsityPattern(
      rowCount: container.decode(Int.self, forKey: .rowCount),
      columnCount: container.decode(Int.self, forKey: .columnCount),
      rowOffsets: container.decode([Int].self, forKey: .rowOffsets),
      columnIndices: container.decode([Int].self, forKey: .columnIndices))
    try self.init(pattern, values: container.decode(Tensor.self, forKey: .values))
  }
}
