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
    try batchedCall(
      function, argument, axes: argument.leaves.map { _ in inputAxis }, outputAxes: .same(outputAxis))
  }
}
/// The function for a batch, with an axis for each tensor of the argument and of the result.
///
/// ```swift
/// // Parameters are shared, of two arrays the batch is along axis 0 and 1.
/// let f = vmap({ (x: [Tensor]) in [x[0] * x[1] + x[2]] }, inputAxes: [nil, 0, 1])
/// ```
///
/// - Parameters:
///   - function: a function of trees of tensors.
///   - inputAxes: for each tensor of the argument, in the order of ``TensorTree/leaves``, the axis that counts the batch, or nil
///     if the tensor is the same for all.
///   - outputAxes: likewise for the result; nil for a tensor that does not depend on the batch and comes back without its axis. If
///     left out, all have the batch as axis 0.
/// - Returns: a function that throws ``TensorError`` if counts of axes or batch sizes do not fit, if a result whose axis is nil
///   depends on the batch, or what `function` throws.
public func vmap<Input: TensorTree, Output: TensorTree>(
  _ function: @escaping (Input) throws -> Output, inputAxes: [Int?], outputAxes: [Int?]? = nil
) -> (Input) throws -> Output {
  { argument in
    try batchedCall(
      function, argument, axes: inputAxes, outputAxes: outputAxes.map { .each($0) } ?? .same(0))
  }
}

/// Where results have the batch.
enum OutputAxes {
  case same(Int)
  case each([Int?])
}

/// Calls a function for a batch.
/// - Parameters:
///   - axes: for each tensor of the argument the axis that counts the batch, or nil.
///   - outputAxes: for the tensors of the result.
func batchedCall<Input: TensorTree, Output: TensorTree>(
  _ function: (Input) throws -> Output, _ argument: Input, axes: [Int?], outputAxes: OutputAxes
) throws -> Output {
  try withTensorErrors {
    var arguments = try checkedLeaves(argument)
    guard axes.count == arguments.count else {
      throw TensorError(
        .argument, "vmap", "\(axes.count) input axes are given for an argument of \(arguments.count) tensors")
    }
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
    let outputCount = staged.program.outputs.count
    let places: [Int?]
    switch outputAxes {
    case .same(let axis): places = [Int?](repeating: axis, count: outputCount)
    case .each(let each): places = each
    }
    guard places.count == outputCount else {
      throw TensorError(
        .argument, "vmap", "\(places.count) output axes are given for a result of \(outputCount) tensors")
    }
    let values: [Tensor]
    var flags = staged.program.outputs.map { _ in true }
    if operands.contains(where: \.isTraced) {
      // The executor sees the program of one element, and runs it a lane group at a time.
      values = try bindOrThrow(
        BatchedCall(program: staged.program, isBatched: operandFlags, size: size), operands)
    } else {
      (values, flags) = try staged.program.batched(operands, operandFlags, size: size)
    }
    let isDependent = places.contains(nil) ? staged.program.dependence(on: operandFlags) : flags
    let results = try places.indices.map { k throws -> Tensor in
      guard let axis = places[k] else {
        guard !isDependent[k] else {
          throw TensorError(
            .argument, "vmap",
            "tensor \(k) of the result depends on the batch, so that it needs an output axis")
        }
        guard flags[k] else { return values[k] }
        guard size > 0 else {
          throw TensorError(.argument, "vmap", "tensor \(k) of the result has no value in an empty batch")
        }
        return values[k][0]
      }
      let whole = values[k].batched(flags[k], size)
      return axis == 0 ? whole : whole.movingAxis(0, to: axis)
    }
    return try staged.output.replacing(leaves: results)
  }
}

extension Program {
  /// Which outputs depend on the marked inputs, by the operations' operands.
  func dependence(on isMarked: [Bool]) -> [Bool] {
    var depends = [Bool](repeating: false, count: types.count)
    for (id, flag) in zip(inputs, isMarked) { depends[Int(id)] = flag }
    for equation in equations where operands(of: equation).contains(where: { depends[Int($0)] }) {
      for id in equation.results { depends[id] = true }
    }
    return outputs.map { depends[Int($0)] }
  }
}
