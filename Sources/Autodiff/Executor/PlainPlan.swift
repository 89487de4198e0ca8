/// What a primitive does on memory whose places are known before a call: float64 numbers, row-major.
package struct PlainKernel: Sendable {
  /// Bytes of each result. Of results that stand for something else than their numbers this is what they stand for (a factorisation),
  /// and more than the numbers take.
  package var byteCounts: [Int]
  /// Computes the results from pointers to the operands.
  package var run:
    @Sendable (
      _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ results: UnsafePointer<UnsafeMutableRawPointer>
    )
      throws(TensorError) -> Void

  package init(
    byteCounts: [Int],
    run:
      @escaping @Sendable (
        _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ results: UnsafePointer<UnsafeMutableRawPointer>
      ) throws(TensorError) -> Void
  ) {
    self.byteCounts = byteCounts
    self.run = run
  }
}

/// A primitive that can do so where its operands have certain types, and gains by it: programs of small arrays with such an operation
/// run without making arrays.
package protocol PlainPrimitive: Primitive {
  func plainKernel(_ operands: [TensorType]) -> PlainKernel?
}

/// A program on plain memory: one block for all values between inputs and outputs, laid out ahead.
final class PlainPlan: Sendable {
  private enum Place: Sendable {
    case scratch(Int)
    case input(Int)
    case output(Int)
    case constant(Int)
  }
  private struct Step: Sendable {
    var kernel: PlainKernel
    /// Of its operands among all pointers; results follow.
    var firstPointer: Int
    var operandCount: Int
  }
  private let steps: [Step]
  private let pointers: [Place]
  private let scratchSize: Int
  private let constants: [DenseArray]
  /// Outputs whose numbers lie elsewhere, and where.
  private let copies: [(output: Int, source: Int, byteCount: Int)]
  /// Types of the outputs, with their strides.
  private let outputs: [(type: TensorType, strides: [Int], byteCount: Int)]

  /// Larger programs gain nothing.
  private static let largestScratch = 1 << 17

  /// Nil if the program has no primitive that gains by it, or one that has no kernel.
  init?(_ program: Program) {
    guard program.primitives.contains(where: { $0 is any PlainPrimitive }) else { return nil }
    let types = program.types
    guard (program.inputs + program.outputs).allSatisfy({ types[Int($0)].elementType == .float64 }) else {
      return nil
    }
    /// The value whose memory another one is a view of.
    var root = Array(0..<types.count)
    var kernels: [(kernel: PlainKernel, operands: [Int], results: [Int])] = []
    for equation in program.equations {
      let operands = program.operands(of: equation).map { Int($0) }
      let operandTypes = operands.map { types[$0] }
      let primitive = program.primitive(of: equation)
      if Self.isView(primitive, operandTypes) {
        root[Int(equation.firstResult)] = root[operands[0]]
        continue
      }
      let resultTypes = equation.results.map { types[$0] }
      let known = (primitive as? any PlainPrimitive).map { $0.plainKernel(operandTypes) }
      guard let kernel = known ?? Self.kernel(primitive, operandTypes, resultTypes) else { return nil }
      kernels.append((kernel, operands, Array(equation.results)))
    }

    var places = [Place?](repeating: nil, count: types.count)
    for (k, id) in program.inputs.enumerated() { places[Int(id)] = .input(k) }
    var constants: [DenseArray] = []
    for constant in program.constants {
      guard constant.value.elementType == .float64 else { return nil }
      places[Int(constant.variable)] = .constant(constants.count)
      constants.append(constant.value.contiguous())
    }
    // Outputs are computed where they are wanted, the first time.
    var copied: [(output: Int, value: Int)] = []
    for (k, id) in program.outputs.enumerated() {
      let value = root[Int(id)]
      if places[value] == nil { places[value] = .output(k) } else { copied.append((k, value)) }
    }
    var size = 0
    for (kernel, _, results) in kernels {
      for (result, byteCount) in zip(results, kernel.byteCounts) {
        if let place = places[result] {
          // What an output stands for cannot leave.
          guard case .output = place, byteCount == types[result].count * 8 else { return nil }
          continue
        }
        places[result] = .scratch(size)
        size += (byteCount + 63) & ~63
      }
    }
    guard size <= Self.largestScratch else { return nil }
    var pointers: [Place] = []
    var steps: [Step] = []
    for (kernel, operands, results) in kernels {
      steps.append(Step(kernel: kernel, firstPointer: pointers.count, operandCount: operands.count))
      pointers += operands.map { places[root[$0]]! } + results.map { places[$0]! }
    }
    copies = copied.map { output, value in
      pointers.append(places[value]!)
      return (output, pointers.count - 1, types[value].count * 8)
    }
    outputs = program.outputTypes.map { ($0, $0.shape.rowMajorStrides, $0.count * 8) }
    self.steps = steps
    self.pointers = pointers
    self.constants = constants
    scratchSize = size
  }

  /// True if the result is the operand's memory under another shape.
  private static func isView(_ primitive: any Primitive, _ operands: [TensorType]) -> Bool {
    if primitive is Reshape || primitive is StopGradient { return true }
    guard let transpose = primitive as? Transpose else { return false }
    // Axes that count keep their order.
    let moved = transpose.order.filter { operands[0].shape[$0] != 1 }
    return zip(moved, moved.dropFirst()).allSatisfy { $0 < $1 }
  }

  func run(_ arguments: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try runTensors(arguments).map { $0.dense! }
  }
  func runTensors(_ arguments: [DenseArray]) throws(TensorError) -> [Tensor] {
    var inputs = arguments
    for k in 0..<inputs.count where !inputs[k].isContiguous { inputs[k] = inputs[k].contiguous() }
    return try withPointers(outputs.count) { memory throws(TensorError) in
      var results: [Tensor] = []
      results.reserveCapacity(outputs.count)
      for k in 0..<outputs.count {
        let buffer = TensorBuffer(byteCount: outputs[k].byteCount)
        (memory + k).initialize(to: buffer.base)
        results.append(
          Tensor(
            DenseArray(
              outputs[k].type.elementType, outputs[k].type.shape, strides: outputs[k].strides, offset: 0,
              buffer: buffer)))
      }
      defer { withExtendedLifetime((inputs, results)) {} }
      try run(input: { inputs[$0].buffer.base + inputs[$0].offset * 8 }, output: { memory[$0] })
      return results
    }
  }

  /// Runs once, on memory of the caller's.
  @inline(__always)
  func run(
    input: (Int) -> UnsafeMutableRawPointer, output: (Int) -> UnsafeMutableRawPointer
  ) throws(TensorError) {
    try withPointers(pointers.count + scratchSize / 8 + 8) { table throws(TensorError) in
      // Aligned to cache lines, behind the pointers.
      let scratch = UnsafeMutableRawPointer(table + pointers.count).alignedUp(toMultipleOf: 64)
      for k in 0..<pointers.count {
        let pointer: UnsafeMutableRawPointer =
          switch pointers[k] {
          case .scratch(let offset): scratch + offset
          case .input(let number): input(number)
          case .output(let number): output(number)
          case .constant(let number): constants[number].buffer.base + constants[number].offset * 8
          }
        (table + k).initialize(to: pointer)
      }
      for k in 0..<steps.count {
        let first = UnsafePointer(table + steps[k].firstPointer)
        try steps[k].kernel.run(first, first + steps[k].operandCount)
      }
      for copy in copies {
        output(copy.output).copyMemory(from: table[copy.source], byteCount: copy.byteCount)
      }
    }
  }
}

/// Memory for so many pointers while a closure runs, which may throw.
@inline(__always)
private func withPointers<Result>(
  _ count: Int, _ body: (UnsafeMutablePointer<UnsafeMutableRawPointer>) throws(TensorError) -> Result
) throws(TensorError) -> Result {
  let memory = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: count)
  defer { memory.deallocate() }
  return try body(memory)
}

extension PlainPlan {
  /// Kernels of the operations that stand around those that gain.
  private static func kernel(_ primitive: any Primitive, _ operands: [TensorType], _ results: [TensorType])
    -> PlainKernel?
  {
    guard results.count == 1, (operands + results).allSatisfy({ $0.elementType == .float64 }) else {
      return nil
    }
    let count = results[0].count
    switch primitive {
    case let operation as Unary where operation == .negate:
      return elementwise(count) { x, _, k in -x[k] }
    case let operation as Binary where operands[0].shape == operands[1].shape:
      switch operation {
      case .add: return elementwise(count) { x, y, k in x[k] + y[k] }
      case .subtract: return elementwise(count) { x, y, k in x[k] - y[k] }
      case .multiply: return elementwise(count) { x, y, k in x[k] * y[k] }
      case .divide: return elementwise(count) { x, y, k in x[k] / y[k] }
      default: return nil
      }
    case let reduction as Reduction where reduction.kind == .sum && count == 1:
      let length = operands[0].count
      return PlainKernel(byteCounts: [8]) { operands, results in
        let x = operands[0].assumingMemoryBound(to: Double.self)
        var sum = 0.0
        for k in 0..<length { sum += x[k] }
        results[0].assumingMemoryBound(to: Double.self).pointee = sum
      }
    case is MatrixProduct:
      let (stack, m, k, n) = (
        operands[0].shape[0], operands[0].shape[1], operands[0].shape[2], operands[1].shape[2]
      )
      guard m * k * n <= 8192 else { return nil }
      return PlainKernel(byteCounts: [count * 8]) { operands, results in
        var (x, y, z) = (
          operands[0].assumingMemoryBound(to: Double.self), operands[1].assumingMemoryBound(to: Double.self),
          results[0].assumingMemoryBound(to: Double.self)
        )
        for _ in 0..<stack {
          for i in 0..<m {
            for l in 0..<k {
              let factor = x[i &* k &+ l]
              let (row, target) = (y + l &* n, z + i &* n)
              if l == 0 {
                for j in 0..<n { target[j] = factor * row[j] }
              } else {
                for j in 0..<n { target[j] += factor * row[j] }
              }
            }
            if k == 0 { (z + i &* n).update(repeating: 0, count: n) }
          }
          x += m * k
          y += k * n
          z += m * n
        }
      }
    case let join as Concatenate where operands.allSatisfy({ isLeading($0.shape, join.axis) }):
      let sizes = operands.map { $0.count * 8 }
      return PlainKernel(byteCounts: [count * 8]) { operands, results in
        var target = results[0]
        for (k, size) in sizes.enumerated() {
          target.copyMemory(from: operands[k], byteCount: size)
          target += size
        }
      }
    default: return nil
    }
  }
  /// Whether nothing that counts comes before an axis: along it neighbours in memory follow each other.
  private static func isLeading(_ shape: [Int], _ axis: Int) -> Bool {
    shape[..<axis].allSatisfy { $0 == 1 }
  }

  /// Of one operand or two; there is a second pointer in any case, to the result.
  @inline(__always)
  private static func elementwise(
    _ count: Int,
    _ value: @escaping @Sendable (UnsafePointer<Double>, UnsafePointer<Double>, Int) -> Double
  ) -> PlainKernel {
    PlainKernel(byteCounts: [count * 8]) { operands, results in
      let (x, y) = (
        UnsafePointer(operands[0].assumingMemoryBound(to: Double.self)),
        UnsafePointer(operands[1].assumingMemoryBound(to: Double.self))
      )
      let z = results[0].assumingMemoryBound(to: Double.self)
      for k in 0..<count { z[k] = value(x, y, k) }
    }
  }
}
