/// A function of float64 arrays, compiled for fixed shapes and called on plain memory: what an ODE solver or optimiser
/// evaluates in its inner loop.
///
/// ```swift
/// let f = try CompiledFunction({ x in [sin(x[0]) * x[1]] }, at: [Tensor.zeros([3]), Tensor.zeros([3])])
/// f(inputs: [x, y], outputs: [z])   // pointers to three numbers each
/// ```
///
/// Small programs (see ``isScalar``) run without allocation, at a few nanoseconds per scalar operation, and over
/// batches at the speed of the vector unit; small ones around a dense linear solve make no arrays either. Calls may come from several threads at once.
public final class CompiledFunction: Sendable {
  /// Shape of each input.
  public let inputShapes: [[Int]]
  /// Shape of each output.
  public let outputShapes: [[Int]]
  private let compiled: CompiledProgram

  /// Traces and compiles a function.
  /// - Parameters:
  ///   - function: takes arrays to arrays.
  ///   - point: arguments of the shapes that it is compiled for. Their values do not matter.
  /// - Throws: ``TensorError`` if an input or output is not `float64`; what the function throws.
  public init(_ function: ([Tensor]) throws -> [Tensor], at point: [Tensor]) throws {
    let traced = try program(of: function, at: point)
    for type in traced.inputTypes + traced.outputTypes where type.elementType != .float64 {
      throw TensorError(.elementType, "CompiledFunction", "inputs and outputs must be float64, not \(type)")
    }
    inputShapes = traced.inputTypes.map(\.shape)
    outputShapes = traced.outputTypes.map(\.shape)
    compiled = CompiledProgram(traced)
  }

  /// True if the program has been expanded to scalar instructions.
  public var isScalar: Bool { compiled.registers != nil }
  /// Number of scalar instructions of a call, if the program has been expanded.
  public var instructionCount: Int? { compiled.registers?.instructions.count }

  /// Evaluates once.
  /// - Parameters:
  ///   - inputs: one pointer for each input, to its elements in row-major order.
  ///   - outputs: one pointer for each output. Outputs must not overlap inputs.
  /// - Throws: ``TensorError`` where an operation fails (a singular matrix); expanded programs never do.
  public func callAsFunction(inputs: [UnsafePointer<Double>], outputs: [UnsafeMutablePointer<Double>]) throws
  {
    try evaluate(count: 1, inputs: inputs, outputs: outputs, isShared: nil)
  }

  /// Evaluates for a batch.
  /// - Parameters:
  ///   - count: how many arguments there are.
  ///   - inputs: one pointer for each input, to the batch's arguments one after the other.
  ///   - outputs: likewise for results.
  ///   - isShared: for each input whether the whole batch has one and the same; none if left out.
  /// - Throws: ``TensorError`` where an operation fails (a singular matrix); expanded programs never do.
  public func evaluate(
    count: Int, inputs: [UnsafePointer<Double>], outputs: [UnsafeMutablePointer<Double>],
    isShared: [Bool]? = nil
  ) throws {
    precondition(
      inputs.count == inputShapes.count && outputs.count == outputShapes.count && count >= 0,
      "CompiledFunction: \(inputs.count) inputs and \(outputs.count) outputs for a function of \(inputShapes.count) and "
        + "\(outputShapes.count)")
    if count == 1, let plain = compiled.plain {
      try plain.run(
        input: { UnsafeMutableRawPointer(mutating: inputs[$0]) },
        output: { UnsafeMutableRawPointer(outputs[$0]) })
      return
    }
    guard let registers = compiled.registers else {
      try evaluateArrays(count: count, inputs, outputs, isShared)
      return
    }
    if count == 1 {
      withUnsafeTemporaryAllocation(of: LaneArray.self, capacity: inputs.count + outputs.count) { arrays in
        for k in inputs.indices {
          (arrays.baseAddress! + k).initialize(
            to: LaneArray(base: UnsafeMutableRawPointer(mutating: inputs[k]), laneStride: 0, isBool: false))
        }
        for k in outputs.indices {
          (arrays.baseAddress! + inputs.count + k).initialize(
            to: LaneArray(base: outputs[k], laneStride: 0, isBool: false))
        }
        registers.run(inputs: arrays.baseAddress!, outputs: arrays.baseAddress! + inputs.count)
      }
      return
    }
    registers.runBatch(
      count: count,
      inputs: inputs.indices.map { k in
        LaneArray(
          base: UnsafeMutableRawPointer(mutating: inputs[k]),
          laneStride: isShared?[k] == true ? 0 : inputShapes[k].elementCount, isBool: false)
      },
      outputs: outputs.indices.map { k in
        LaneArray(base: outputs[k], laneStride: outputShapes[k].elementCount, isBool: false)
      })
  }

  private func evaluateArrays(
    count: Int, _ inputs: [UnsafePointer<Double>], _ outputs: [UnsafeMutablePointer<Double>],
    _ isShared: [Bool]?
  ) throws {
    let flags = inputs.indices.map { !(isShared?[$0] ?? false) }
    let arrays = inputs.indices.map { k in
      let shape = (flags[k] ? [count] : []) + inputShapes[k]
      return DenseArray(Array(UnsafeBufferPointer(start: inputs[k], count: shape.elementCount)), shape: shape)
    }
    let results = try compiled.run(arrays, isBatched: flags, size: count)
    for (result, target) in zip(results, outputs) {
      let values = result.values(Double.self)
      values.withUnsafeBufferPointer {
        if let base = $0.baseAddress { target.update(from: base, count: $0.count) }
      }
    }
  }
}
