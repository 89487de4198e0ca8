package import Lanes

/// What a ``ResidentProgram`` is made from, shared by threads.
package final class ResidentSource: Sendable {
  let registers: RegisterProgram?
  let compiled: CompiledProgram
  package let inputTypes: [TensorType]
  package let outputTypes: [TensorType]

  /// - Throws: ``TensorError`` if an input or output is not `float64`.
  package init(_ program: Program) throws(TensorError) {
    inputTypes = program.inputTypes
    outputTypes = program.outputTypes
    for type in inputTypes + outputTypes where type.elementType != .float64 {
      throw TensorError(.elementType, "ResidentProgram", "inputs and outputs must be float64, not \(type)")
    }
    compiled = CompiledProgram(program)
    registers = ScalarExpansion.compile(compiled.program, keepsInputs: true)
  }
  /// True if the program has been expanded to scalar instructions.
  package var isScalar: Bool { registers != nil }
}

/// A program of float64 arrays made ready for the inner loop of a solver: it has a register file of its own, reads its
/// inputs where they lie and allocates nothing, if it has been expanded to scalars. For one thread at a time.
///
/// `L` is `Double`, or `SIMD8<Double>` with `width` lane groups for each element: element `e` of an array is at
/// `pointer[e * width]`.
package final class ResidentProgram<L: Lane> {
  /// Lane groups of an element.
  package let width: Int
  /// Where inputs and outputs lie; set by the caller before a run.
  package let inputs: UnsafeMutablePointer<UnsafePointer<L>>
  package let outputs: UnsafeMutablePointer<UnsafeMutablePointer<L>>
  /// The first error of an operation; its results are NaN.
  package private(set) var failure: TensorError?

  private let source: ResidentSource
  /// The scalar form's lists, here so that a run counts no references; empty if there is none.
  private let isScalar: Bool
  private let instructions: UnsafeBufferPointer<Instruction>
  private let stores: UnsafeBufferPointer<RegisterProgram.Store>
  private let memory: UnsafeMutablePointer<L>
  private let table: UnsafeMutablePointer<UnsafeMutablePointer<L>>
  /// Loads of the inputs that stay, then of those that move.
  private let loads: UnsafeMutableBufferPointer<RegisterProgram.Load>
  private let fixedCount: Int

  /// - Parameter isFixed: inputs that are read only by ``load()``.
  package init(_ source: ResidentSource, width: Int = 1, isFixed: [Bool]) {
    precondition(L.self == SIMD8<Double>.self || (L.self == Double.self && width == 1))
    self.source = source
    self.width = width
    isScalar = source.registers != nil
    instructions = source.registers?.instructions ?? UnsafeBufferPointer(start: nil, count: 0)
    stores = source.registers?.stores ?? UnsafeBufferPointer(start: nil, count: 0)
    let registerCount = max(source.registers?.registerCount ?? 0, 1)
    memory = UnsafeMutableRawPointer.allocate(
      byteCount: registerCount * width * MemoryLayout<L>.stride, alignment: 64
    ).bindMemory(to: L.self, capacity: registerCount * width)
    memory.initialize(repeating: L.zero, count: registerCount * width)
    table = .allocate(capacity: registerCount)
    for register in 0..<registerCount { (table + register).initialize(to: memory + register * width) }
    inputs = .allocate(capacity: max(source.inputTypes.count, 1))
    outputs = .allocate(capacity: max(source.outputTypes.count, 1))
    inputs.initialize(repeating: UnsafePointer(memory), count: max(source.inputTypes.count, 1))
    outputs.initialize(repeating: memory, count: max(source.outputTypes.count, 1))
    let all = source.registers.map { Array($0.loads) } ?? []
    let ordered = all.filter { isFixed[Int($0.input)] } + all.filter { !isFixed[Int($0.input)] }
    fixedCount = all.filter { isFixed[Int($0.input)] }.count
    loads = .allocate(capacity: ordered.count)
    _ = loads.initialize(from: ordered)
    if let registers = source.registers {
      for (register, value) in registers.constants.enumerated() {
        for k in 0..<width { memory[register * width + k] = L(value) }
      }
    }
  }
  deinit {
    UnsafeMutableRawPointer(memory).deallocate()
    table.deallocate()
    inputs.deallocate()
    outputs.deallocate()
    loads.deallocate()
  }

  /// Reads the fixed inputs, and forgets failures.
  package func load() {
    failure = nil
    load(0..<fixedCount)
  }

  @inline(__always)
  private func load(_ places: Range<Int>) {
    var k = places.lowerBound
    while k < places.upperBound {
      let load = loads[k]
      let place = inputs[Int(load.input)] + Int(load.element) &* width
      if L.self == Double.self {
        memory[Int(load.register)] = place.pointee
      } else {
        // Registers of inputs are never written to.
        table[Int(load.register)] = UnsafeMutablePointer(mutating: place)
      }
      k &+= 1
    }
  }

  /// Runs once. Outputs may lie where inputs do.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  package func run() {
    if !isScalar {
      runArrays()
      return
    }
    load(fixedCount..<loads.count)
    if L.self == Double.self {
      runSingle(instructions, UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Double.self))
    } else {
      runGroups(
        instructions,
        GroupRegisters(
          table: UnsafeMutableRawPointer(table).assumingMemoryBound(
            to: UnsafeMutablePointer<SIMD8<Double>>.self)), width)
    }
    var k = 0
    while k < stores.count {
      let store = stores[k]
      let target = outputs[Int(store.output)] + Int(store.element) &* width
      let value = table[Int(store.register)]
      var w = 0
      while w < width {
        target[w] = value[w]
        w &+= 1
      }
      k &+= 1
    }
  }

  /// A program that is not expanded works on arrays, which have the lanes as their axis 0.
  private func runArrays() {
    let lanes = L.laneCount * width
    let isSingle = L.self == Double.self
    do throws(TensorError) {
      let arguments = source.inputTypes.indices.map { k -> DenseArray in
        let count = source.inputTypes[k].count
        let array = DenseArray(
          uninitialized: .float64, (isSingle ? [] : [lanes]) + source.inputTypes[k].shape)
        let target = array.pointer(Double.self)
        let numbers = UnsafeRawPointer(inputs[k]).assumingMemoryBound(to: Double.self)
        for e in 0..<count { for lane in 0..<lanes { target[lane * count + e] = numbers[e * lanes + lane] } }
        return array
      }
      let results =
        isSingle
        ? try source.compiled.run(arguments)
        : try source.compiled.run(arguments, isBatched: arguments.map { _ in true }, size: lanes)
      for (k, result) in results.enumerated() {
        let count = source.outputTypes[k].count
        let values = result.values(Double.self)
        let target = UnsafeMutableRawPointer(outputs[k]).assumingMemoryBound(to: Double.self)
        for e in 0..<count { for lane in 0..<lanes { target[e * lanes + lane] = values[lane * count + e] } }
      }
    } catch {
      if failure == nil { failure = error }
      for (k, type) in source.outputTypes.enumerated() {
        outputs[k].update(repeating: L(.nan), count: type.count * width)
      }
    }
  }
}
