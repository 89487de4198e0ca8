/// The function for a batch of arguments: each operation runs once for all.
///
/// - Parameters:
///   - function: a function of trees of tensors.
///   - inputAxis: the axis of the argument's tensors that counts the batch. What the closure captures is the same for all.
///   - outputAxis: where the results have the batch.
/// - Returns: a function that throws ``TensorError`` if batch sizes differ, or what `function` throws.
public func vmap<Input: TensorTree, Output: TensorTree>(
  _ function: @escaping (Input) throws -> Output, inputAxis: Int = 0, outputAxis: Int = 0
) -> (Input) throws -> Output {
  { argument in
    try batchedCall(function, argument, axes: argument.leaves.map { _ in inputAxis }, outputAxis: outputAxis)
  }
}

/// Calls a function for a batch.
/// - Parameter axes: for each tensor of the argument the axis that counts the batch, or nil.
func batchedCall<Input: TensorTree, Output: TensorTree>(
  _ function: (Input) throws -> Output, _ argument: Input, axes: [Int?], outputAxis: Int
) throws -> Output {
  try withTensorErrors {
    var arguments = try checkedLeaves(argument)
    var size: Int?
    for (index, axis) in axes.enumerated() {
      guard let axis else { continue }
      guard let place = arguments[index].axis(axis, "vmap") else { break }
      let extent = arguments[index].shape[place]
      if let size, size != extent {
        throw TensorError(.shape, "vmap", "batches of \(size) and \(extent) elements do not fit together")
      }
      size = extent
      arguments[index] = arguments[index].movingAxis(place, to: 0)
    }
    guard let size else { throw TensorError(.argument, "vmap", "no argument has a batch axis") }
    let isBatched = axes.map { $0 != nil }
    // One element of the batch is what the function sees.
    let types = zip(arguments, isBatched).map {
      $1 ? TensorType($0.elementType, Array($0.shape.dropFirst())) : $0.type
    }
    let staged = try trace(types) { placeholders in
      let output = try function(try argument.replacing(leaves: placeholders))
      return (output, output.leaves)
    }
    let operands = arguments + staged.captures
    let operandFlags = isBatched + staged.captures.map { _ in false }
    let results: [Tensor]
    if operands.contains(where: \.isTraced) {
      // The executor sees the program of one element, and runs it a lane group at a time.
      results = try bindOrThrow(
        BatchedCall(program: staged.program, isBatched: operandFlags, size: size), operands)
    } else {
      let (values, flags) = try staged.program.batched(operands, operandFlags, size: size)
      results = zip(values, flags).map { $0.batched($1, size) }
    }
    return try staged.output.replacing(
      leaves: results.map { outputAxis == 0 ? $0 : $0.movingAxis(0, to: outputAxis) })
  }
}
