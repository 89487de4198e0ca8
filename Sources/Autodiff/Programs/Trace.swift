/// The recording of one call of a function.
///
/// Traces nest: a transformation used inside a traced function opens a trace of its own. An operation is recorded in
/// the innermost open trace of the task if one of its operands is traced, and computed at once if none is. An operand
/// that belongs to an outer trace is captured: it becomes an explicit input of the inner program.
final class Trace: @unchecked Sendable {
  let parent: Trace?
  private(set) var builder = ProgramBuilder()
  /// Values of outer traces that became inputs, in order, after the arguments.
  private(set) var captures: [Tensor] = []
  private var captureVariables: [Int32: Int32] = [:]
  private var isOpen = true
  private let followsSites: Bool

  init(parent: Trace?, followsSites: Bool) {
    self.parent = parent
    self.followsSites = followsSites
  }
  private func locate() { builder.locate(TensorContext.current.currentSite) }

  /// A new argument of the function.
  func argument(_ type: TensorType) -> Tensor {
    Tensor(traced: TracedValue(trace: self, variable: builder.input(type), type: type))
  }

  /// The number that a tensor has in this trace.
  func variable(of tensor: Tensor) throws(TensorError) -> Int32 {
    switch tensor.representation {
    case .dense(let array): return builder.constant(array)
    case .failed(let error): throw error
    case .traced(let value):
      if value.trace === self { return value.variable }
      guard let parent, value.trace.isOpen else { throw Self.escaped }
      // Make sure that every trace between the value's and this one hands it down.
      let outer = try parent.variable(of: tensor)
      if let known = captureVariables[outer] { return known }
      let id = builder.input(value.type)
      captureVariables[outer] = id
      captures.append(Tensor(traced: TracedValue(trace: parent, variable: outer, type: value.type)))
      return id
    }
  }

  func record(_ primitive: any Primitive, _ operands: [Tensor], _ types: [TensorType]) throws(TensorError)
    -> [Tensor]
  {
    let ids = try operands.map { (tensor) throws(TensorError) in try variable(of: tensor) }
    let first = builder.append(primitive, ids, results: types)
    if followsSites { locate() }
    return types.enumerated().map { index, type in
      Tensor(traced: TracedValue(trace: self, variable: first + Int32(index), type: type))
    }
  }
  func record(_ primitive: any Primitive, _ a: Tensor, _ type: TensorType) throws(TensorError) -> Tensor {
    let id = builder.append(primitive, CollectionOfOne(try variable(of: a)), results: [type])
    if followsSites { locate() }
    return Tensor(traced: TracedValue(trace: self, variable: id, type: type))
  }
  func record(_ primitive: any Primitive, _ a: Tensor, _ b: Tensor, _ type: TensorType) throws(TensorError)
    -> Tensor
  {
    let id = builder.append(primitive, [try variable(of: a), try variable(of: b)], results: [type])
    if followsSites { locate() }
    return Tensor(traced: TracedValue(trace: self, variable: id, type: type))
  }

  /// The program so far, returning these tensors. The trace ends.
  func finish(_ outputs: [Tensor]) throws(TensorError) -> Program {
    let ids = try outputs.map { (tensor) throws(TensorError) in try variable(of: tensor) }
    isOpen = false
    return Program(builder, outputs: ids)
  }
  func close() { isOpen = false }

  static let escaped = TensorError(
    .escapedTrace, "traced tensor",
    "is used outside of the function that was being traced: after it returned, or on another thread. "
      + "Return it from the function instead of storing it")
}

/// A value that is known only by its number in a trace.
struct TracedValue: Sendable {
  let trace: Trace
  let variable: Int32
  let type: TensorType
}

/// A traced function with the values it captured from enclosing traces, which are its last inputs.
package struct TracedFunction<Output> {
  package var program: Program
  package var captures: [Tensor]
  /// What the function returned; its leaves are traced tensors that serve as a template for structure only.
  package var output: Output
}

/// Runs a function on placeholders of these types and returns what it did.
/// - Throws: what the function throws, or the first mistake in its tensor operations.
func trace<Output>(
  _ types: [TensorType], _ body: ([Tensor]) throws -> (output: Output, leaves: [Tensor])
) throws -> TracedFunction<Output> {
  var context = TensorContext.current
  let trace = Trace(parent: context.trace, followsSites: context.checksFinite)
  let scope = FailureScope()
  context.trace = trace
  context.failures = scope
  defer { trace.close() }
  let arguments = types.map { trace.argument($0) }
  let (output, leaves) = try TensorContext.$current.withValue(context) {
    try attempt(scope) { try body(arguments) }
  }
  if let error = scope.first { throw error }
  let program = try trace.finish(leaves)
  return TracedFunction(program: program, captures: trace.captures, output: output)
}

/// A program from a function of tensors that captures nothing from enclosing traces but what it is given.
func trace(_ types: [TensorType], _ body: ([Tensor]) throws -> [Tensor]) throws -> TracedFunction<Void> {
  try trace(types) { ((), try body($0)) }
}
