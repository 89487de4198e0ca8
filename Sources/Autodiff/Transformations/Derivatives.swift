/// Value and directional derivative of a function.
///
/// - Parameters:
///   - function: a function of trees of tensors.
///   - point: its arguments.
///   - direction: the tangents of the arguments, of the same structure and shapes.
/// - Throws: ``TensorError``, or what the function throws.
/// - Complexity: about two to three evaluations of the function.
public func jvp<Input: TensorTree, Output: TensorTree>(
  _ function: (Input) throws -> Output, at point: Input, along direction: Input
) throws -> (value: Output, tangent: Output) {
  try withTensorErrors {
    let staged = try stage(function, point)
    let primals = try checkedLeaves(point)
    let tangents = try checkedLeaves(direction)
    try requireTypes(tangents, primals.map(\.type), "jvp", "tangent")
    let (values, results) = try staged.program.forwardMode(
      primals + staged.captures, tangents.map { $0 } + staged.captures.map { _ in nil })
    let filled = zip(values, results).map { $1 ?? Tensor.zeros($0.type) }
    return (try staged.output.replacing(leaves: values), try staged.output.replacing(leaves: filled))
  }
}

/// Value and derivative of a function at a point, the derivative as a linear function of tangents.
///
/// What does not depend on the tangents is computed once, here.
/// - Throws: ``TensorError``, or what the function throws.
public func linearize<Input: TensorTree, Output: TensorTree>(
  _ function: (Input) throws -> Output, at point: Input
) throws -> (value: Output, pushforward: (Input) throws -> Output) {
  try withTensorErrors {
    let staged = try stage(function, point)
    let primals = try checkedLeaves(point)
    let map = try Linearization(
      staged.program, at: primals + staged.captures, activeCount: primals.count, operation: "linearize")
    let output = staged.output
    return (
      try output.replacing(leaves: map.values),
      { (tangent: Input) in
        try withTensorErrors {
          let tangents = try checkedLeaves(tangent)
          try requireTypes(tangents, map.inputTypes, "linearize", "tangent")
          return try output.replacing(leaves: try map.pushforward(tangents))
        }
      }
    )
  }
}

/// Value of a function at a point, and the linear function that takes a cotangent of the value to cotangents of the
/// arguments.
///
/// - Throws: ``TensorError``, or what the function throws.
/// - Complexity: a call of `pullback` costs about two evaluations of the function; memory is that of the function's
///   intermediate values.
public func vjp<Input: TensorTree, Output: TensorTree>(
  _ function: (Input) throws -> Output, at point: Input
) throws -> (value: Output, pullback: (Output) throws -> Input) {
  try withTensorErrors {
    let staged = try stage(function, point)
    let primals = try checkedLeaves(point)
    let map = try Linearization(
      staged.program, at: primals + staged.captures, activeCount: primals.count, operation: "vjp")
    return (
      try staged.output.replacing(leaves: map.values),
      { cotangent in
        try withTensorErrors {
          let cotangents = try checkedLeaves(cotangent)
          try requireTypes(cotangents, map.outputTypes, "vjp", "cotangent")
          return try point.replacing(leaves: try map.pullback(cotangents))
        }
      }
    )
  }
}

/// The function that computes value and gradient of a scalar function, by one reverse sweep.
///
/// The gradient has the structure of the arguments.
public func valueAndGrad<Input: TensorTree>(
  _ function: @escaping (Input) throws -> Tensor
) -> (Input) throws -> (value: Tensor, gradient: Input) {
  { (argument: Input) in
    try withTensorErrors {
      let staged = try stage(function, argument)
      let primals = try checkedLeaves(argument)
      let type = staged.program.outputTypes[0]
      guard type.shape.isEmpty, type.elementType.isFloatingPoint else {
        throw TensorError(
          .shape, "grad",
          "the function must return a floating-point scalar, not \(type); use jacobian(_:) or "
            + "vjp(_:at:) for others")
      }
      let map = try Linearization(
        staged.program, at: primals + staged.captures, activeCount: primals.count, operation: "grad")
      return (map.values[0], try argument.replacing(leaves: try map.pullback([Tensor.ones(type)])))
    }
  }
}

/// The function that computes the gradient of a scalar function, by one reverse sweep.
///
/// ```swift
/// let slope = grad { (x: Tensor) in (x * x).sum() }
/// try slope([1, 2, 3])   // [2, 4, 6]
/// ```
///
/// The gradient has the structure of the arguments. To hold an argument constant,
/// capture it in the closure instead of passing it.
public func grad<Input: TensorTree>(
  _ function: @escaping (Input) throws -> Tensor
) -> (Input) throws -> Input {
  let both = valueAndGrad(function)
  return { (argument: Input) in try both(argument).gradient }
}

/// How a Jacobian is computed.
public enum JacobianMode: Sendable {
  /// A tangent for each input element: for functions with more outputs than inputs.
  case forward
  /// A cotangent for each output element: for functions with more inputs than outputs.
  case reverse
  /// The one that needs fewer.
  case automatic
}

/// The function that computes all partial derivatives: an array whose shape is the value's followed by the argument's.
///
/// The directions are computed as one batch.
public func jacobian(
  _ function: @escaping (Tensor) throws -> Tensor, mode: JacobianMode = .automatic
) -> (Tensor) throws -> Tensor {
  { argument in
    try withTensorErrors {
      let staged = try stage(function, argument)
      let primals = try checkedLeaves(argument) + staged.captures
      let (input, output) = (staged.program.inputTypes[0], staged.program.outputTypes[0])
      let isForward = mode == .forward || (mode == .automatic && input.count <= output.count)
      if isForward, staged.program.contains(where: { $0 is While }) {
        return try forwardJacobian(of: staged.program, at: primals)
      }
      let map = try Linearization(staged.program, at: primals, activeCount: 1, operation: "jacobian")
      guard map.isOutputActive[0] else {
        return Tensor.zeros(TensorType(output.elementType, output.shape + input.shape))
      }
      let residuals = map.residuals
      let flags = residuals.map { _ in false } + [true]
      if isForward {
        let basis = Tensor.identity(input.count, type: input.elementType).reshaped(
          [input.count] + input.shape)
        let (columns, isBatched) = try map.program.batched(residuals + [basis], flags, size: input.count)
        return columns[0].batched(isBatched[0], input.count).asJacobian(input, output)
      }
      let basis = Tensor.identity(output.count, type: output.elementType).reshaped(
        [output.count] + output.shape)
      let adjoint = try trace(residuals.map(\.type) + [output]) { arguments in
        let result = try map.program.transposed(
          isLinear: flags, known: Array(arguments.dropLast()), cotangents: [arguments.last!])
        return [result[0] ?? Tensor.zeros(input)]
      }
      let (rows, isBatched) = try adjoint.program.batched(residuals + [basis], flags, size: output.count)
      return rows[0].batched(isBatched[0], output.count).reshaped(output.shape + input.shape)
    }
  }
}

/// The Jacobian of a program whose derivative cannot be taken apart from its value (a loop of unknown length): values and
/// columns are computed together.
private func forwardJacobian(of program: Program, at primals: [Tensor]) throws -> Tensor {
  try program.requireDifferentiable(inputs: 1, "jacobian")
  let (input, output) = (program.inputTypes[0], program.outputTypes[0])
  let derivative = try program.jvpProgram(isActive: primals.indices.map { $0 == 0 })
  guard derivative.isOutputActive[0] else {
    return Tensor.zeros(TensorType(output.elementType, output.shape + input.shape))
  }
  let basis = Tensor.identity(input.count, type: input.elementType).reshaped([input.count] + input.shape)
  let (results, isBatched) = try derivative.program.batched(
    primals + [basis], primals.map { _ in false } + [true], size: input.count)
  return results[1].batched(isBatched[1], input.count).asJacobian(input, output)
}

extension Tensor {
  /// From columns along axis 0 to an array whose shape is the value's followed by the argument's.
  fileprivate func asJacobian(_ input: TensorType, _ output: TensorType) -> Tensor {
    reshaped([input.count, output.count]).transposed.reshaped(output.shape + input.shape)
  }
}

/// The function that computes all second derivatives of a scalar function: forward over reverse.
public func hessian(_ function: @escaping (Tensor) throws -> Tensor) -> (Tensor) throws -> Tensor {
  jacobian(grad(function), mode: .forward)
}

/// The product of the Hessian of a scalar function with a direction, without the Hessian: forward over reverse.
/// - Complexity: about four evaluations of the function.
public func hvp<Input: TensorTree>(
  _ function: @escaping (Input) throws -> Tensor, at point: Input,
  along direction: Input
) throws -> Input {
  try withTensorErrors {
    let staged = try stage(function, point)
    let primals = try checkedLeaves(point)
    let tangents = try checkedLeaves(direction)
    try requireTypes(tangents, primals.map(\.type), "hvp", "tangent")
    let gradient = try trace((primals + staged.captures).map(\.type)) { arguments in
      let map = try Linearization(staged.program, at: arguments, activeCount: primals.count, operation: "hvp")
      try requireTypes(
        [Tensor.zeros(map.outputTypes[0])], [TensorType(map.outputTypes[0].elementType, [])], "hvp", "scalar")
      return try map.pullback([Tensor.ones(map.outputTypes[0])])
    }
    let (values, results) = try gradient.program.forwardMode(
      primals + staged.captures, tangents.map { $0 } + staged.captures.map { _ in nil })
    return try point.replacing(leaves: zip(values, results).map { $1 ?? Tensor.zeros($0.type) })
  }
}
