/// Traces a function of a tree at the types of this argument.
package func stage<Input: TensorTree, Output: TensorTree>(
  _ function: (Input) throws -> Output, _ argument: Input
) throws -> TracedFunction<Output> {
  let leaves = try checkedLeaves(argument)
  return try trace(leaves.map(\.type)) { placeholders in
    let output = try function(try argument.replacing(leaves: placeholders))
    return (output, output.leaves)
  }
}

/// The tensors of a tree, or the error that one of them carries.
func checkedLeaves(_ tree: some TensorTree) throws -> [Tensor] {
  let result = tree.leaves
  for leaf in result { if case .failed(let error) = leaf.representation { throw error } }
  return result
}

/// A function near a point: its value there, and its derivative as a linear program.
struct Linearization {
  var values: [Tensor]
  /// Residuals and tangents of the active inputs to tangents of the active outputs.
  var program: Program
  var residuals: [Tensor]
  var inputTypes: [TensorType]
  var outputTypes: [TensorType]
  var isOutputActive: [Bool]

  /// - Parameters:
  ///   - primals: the program's inputs.
  ///   - count: how many of them, from the front, derivatives are taken with respect to.
  init(_ function: Program, at primals: [Tensor], activeCount count: Int, operation: String) throws {
    try function.requireDifferentiable(inputs: count, operation)
    let isActive = function.inputs.indices.map { $0 < count }
    let (derivative, isTangentActive) = try function.jvpProgram(isActive: isActive)
    let split = try derivative.partiallyEvaluated(
      isUnknown: derivative.inputs.indices.map { $0 >= function.inputs.count })
    if let index = split.isOutputUnknown.prefix(function.outputs.count).firstIndex(of: true) {
      if derivative.contains(where: { $0 is While }) { throw While.noReverse }
      throw TensorError(
        .unsupportedDerivative, operation, "output \(index) cannot be computed before its derivative")
    }
    let results = try split.known(primals)
    // Known outputs: the values, then tangents that turned out constant, then residuals.
    values = Array(results.prefix(function.outputs.count))
    residuals = Array(results.suffix(split.residualCount))
    program = split.unknown
    inputTypes = Array(function.inputTypes.prefix(count))
    outputTypes = function.outputTypes
    var tangents = split.isOutputUnknown.dropFirst(function.outputs.count).makeIterator()
    isOutputActive = isTangentActive.map { $0 && (tangents.next() ?? false) }
  }

  /// Tangents of the outputs for tangents of the inputs.
  func pushforward(_ tangents: [Tensor]) throws -> [Tensor] {
    var active = try program(residuals + tangents).makeIterator()
    return zip(outputTypes, isOutputActive).map { $1 ? active.next()! : Tensor.zeros($0) }
  }
  /// Cotangents of the inputs for cotangents of the outputs.
  func pullback(_ cotangents: [Tensor]) throws -> [Tensor] {
    let active = zip(cotangents, isOutputActive).filter { $0.1 }.map(\.0)
    let results = try program.transposed(
      isLinear: program.inputs.indices.map { $0 >= residuals.count }, known: residuals, cotangents: active)
    return zip(inputTypes, results).map { $1 ?? Tensor.zeros($0) }
  }
}

extension Program {
  /// Checks that the first inputs are of a type that derivatives are taken with respect to.
  func requireDifferentiable(inputs count: Int, _ operation: String) throws {
    for type in inputTypes.prefix(count) where !type.elementType.isFloatingPoint {
      throw TensorError(
        .elementType, operation,
        "cannot differentiate with respect to \(type); capture it in the closure instead of passing it, or convert it"
      )
    }
  }
}

/// Checks that tangents or cotangents have the types of what they belong to.
func requireTypes(_ values: [Tensor], _ types: [TensorType], _ operation: String, _ role: String) throws {
  guard values.map(\.type) == types else {
    throw TensorError(
      .shape, operation, "\(role)s of types \(values.map(\.type)) do not belong to values of types \(types)")
  }
}

/// The program of a function at arguments of these types: what it does, readable when printed.
/// - Throws: ``TensorError``, or what the function throws.
public func program<Input: TensorTree, Output: TensorTree>(
  of function: (Input) throws -> Output, at point: Input
) throws -> Program { try stage(function, point).program }
