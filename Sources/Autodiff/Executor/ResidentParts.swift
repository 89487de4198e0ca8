import Lanes

/// One thread's means to run a program in parts: memory for what passes between them, laid out as the lanes of a ``ResidentProgram``.
final class ResidentParts<L: Lane> {
  /// Where a value is.
  private struct Value {
    let type: TensorType
    /// Its number among the program's inputs.
    var input: Int?
    /// Lanes of what scalar parts make or read.
    var memory: UnsafeMutablePointer<L>?
    /// Its place in `arrays`: of what parts on arrays make, of constants, and of inputs that stay.
    var array: Int?
    var isConstant = false
  }
  private enum Step {
    /// With the inputs that are inputs of the whole: their numbers here and there.
    case scalars(ResidentProgram<L>, fixed: [(here: Int, there: Int)], moving: [(here: Int, there: Int)])
    case arrays(CompiledProgram, inputs: [Value], outputs: [Value])
  }
  private var steps: [Step] = []
  private let outputs: [Value]
  /// Inputs that are read only by ``load(_:)``, and that parts on arrays read.
  private let fixed: [Value]
  private let memory: UnsafeMutablePointer<L>
  private let width: Int
  private var arrays: [DenseArray?]
  /// Which arrays are the same in all lanes.
  private var isShared: [Bool]

  /// - Parameter isFixed: as of ``ResidentProgram``.
  init(_ parts: ProgramParts, width: Int, isFixed: [Bool]) {
    self.width = width
    let program = parts.program
    var values = program.types.map { Value(type: $0) }
    for (k, id) in program.inputs.enumerated() { values[Int(id)].input = k }

    var arrayCount = 0
    func setArray(_ id: Int32) {
      if values[Int(id)].array != nil { return }
      values[Int(id)].array = arrayCount
      arrayCount += 1
    }
    let constants = program.constants.filter { program.outputs.contains($0.variable) }
    for constant in constants {
      setArray(constant.variable)
      values[Int(constant.variable)].isConstant = true
    }
    var inMemory: [Int32] = []
    for part in parts.parts {
      switch part.form {
      case .scalars: inMemory += part.outputs + part.inputs.filter { values[Int($0)].input == nil }
      case .arrays:
        for id in part.outputs where values[Int(id)].input == nil { setArray(id) }
        for id in part.inputs {
          if let input = values[Int(id)].input, isFixed[input] { setArray(id) }
        }
      }
    }
    var place = 0
    let places = Set(inMemory).sorted().map { id in
      defer { place += program.types[Int(id)].count * width }
      return (id, place)
    }
    memory = UnsafeMutableRawPointer.allocate(
      byteCount: max(place, 1) * MemoryLayout<L>.stride, alignment: 64
    )
    .bindMemory(to: L.self, capacity: max(place, 1))
    memory.initialize(repeating: L.zero, count: max(place, 1))
    for (id, place) in places { values[Int(id)].memory = memory + place }

    arrays = [DenseArray?](repeating: nil, count: arrayCount)
    isShared = [Bool](repeating: false, count: arrayCount)
    for constant in constants {
      let array = values[Int(constant.variable)].array!
      (arrays[array], isShared[array]) = (constant.value, true)
    }
    fixed = program.inputs.map { values[Int($0)] }.filter { isFixed[$0.input!] && $0.array != nil }
    outputs = program.outputs.map { values[Int($0)] }
    for part in parts.parts {
      let (inputs, results) = (part.inputs.map { values[Int($0)] }, part.outputs.map { values[Int($0)] })
      switch part.form {
      case .arrays(let compiled): steps.append(.arrays(compiled, inputs: inputs, outputs: results))
      case .scalars(let source):
        let own = ResidentProgram<L>(
          source, width: width, isFixed: inputs.map { $0.input.map { isFixed[$0] } ?? false },
          inPlace: results.map { _ in nil })
        for (k, value) in inputs.enumerated() where value.input == nil {
          own.inputs[k] = UnsafePointer(value.memory!)
        }
        for (k, value) in results.enumerated() { own.outputs[k] = value.memory! }
        let given = inputs.enumerated().compactMap { k, value in value.input.map { (here: k, there: $0) } }
        steps.append(
          .scalars(
            own, fixed: given.filter { isFixed[$0.there] }, moving: given.filter { !isFixed[$0.there] }))
      }
    }
  }
  deinit { UnsafeMutableRawPointer(memory).deallocate() }

  /// Reads the inputs that stay. What has the same numbers in all lanes is from here on one array for all.
  func load(_ inputs: UnsafeMutablePointer<UnsafePointer<L>>) {
    for value in fixed {
      let source = inputs[value.input!]
      let isShared = isSame(source, value.type.count)
      self.isShared[value.array!] = isShared
      arrays[value.array!] =
        isShared
        ? DenseArray(firstOf: source, width: width, value.type)
        : DenseArray(lanes: source, width: width, value.type)
    }
    for step in steps {
      guard case .scalars(let own, let fixed, _) = step else { continue }
      for input in fixed { own.inputs[input.here] = inputs[input.there] }
      own.load()
    }
  }
  /// Whether all lanes hold the same bits.
  private func isSame(_ source: UnsafePointer<L>, _ count: Int) -> Bool {
    let lanes = L.laneCount * width
    let bits = UnsafeRawPointer(source).assumingMemoryBound(to: UInt64.self)
    for e in 0..<count {
      let first = bits[e &* lanes]
      for lane in 0..<lanes where bits[e &* lanes &+ lane] != first { return false }
    }
    return true
  }

  /// Runs once. Outputs may lie where inputs do.
  /// - Returns: why an operation refused what some of several lanes have, whose results are no numbers then.
  func run(
    _ inputs: UnsafeMutablePointer<UnsafePointer<L>>,
    _ results: UnsafeMutablePointer<UnsafeMutablePointer<L>>
  ) throws(TensorError) -> TensorError? {
    var refusal: TensorError?
    for step in steps {
      switch step {
      case .scalars(let own, _, let moving):
        for input in moving { own.inputs[input.here] = inputs[input.there] }
        own.run()
      case .arrays(let compiled, let operands, let targets):
        var arguments: [DenseArray] = []
        var isBatched: [Bool] = []
        arguments.reserveCapacity(operands.count)
        isBatched.reserveCapacity(operands.count)
        for operand in operands {
          if let place = operand.array {
            arguments.append(arrays[place]!)
            isBatched.append(!isShared[place])
          } else {
            let source = operand.input.map { inputs[$0] } ?? UnsafePointer(operand.memory!)
            arguments.append(DenseArray(lanes: source, width: width, operand.type))
            isBatched.append(true)
          }
        }
        var found: [DenseArray]
        if L.self == Double.self {
          found = try compiled.run(arguments)
        } else {
          do throws(TensorError) {
            found = try compiled.run(arguments, isBatched: isBatched, size: L.laneCount * width)
          } catch {
            refusal = refusal ?? error
            found = try runEach(compiled, arguments, isBatched, targets.map(\.type), error)
          }
        }
        for (target, result) in zip(targets, found) where target.input == nil && !target.isConstant {
          if let memory = target.memory { result.write(lanes: memory, width: width) }
          arrays[target.array!] = result
        }
      }
    }
    // Inputs first: where they are, other results may come to lie.
    for (k, output) in outputs.enumerated() {
      guard let input = output.input else { continue }
      results[k].update(from: inputs[input], count: output.type.count * width)
    }
    for (k, output) in outputs.enumerated() where output.input == nil {
      if let memory = output.memory {
        results[k].update(from: memory, count: output.type.count * width)
      } else if isShared[output.array!] {
        let numbers = arrays[output.array!]!.values(Double.self)
        for (e, number) in numbers.enumerated() {
          (results[k] + e * width).update(repeating: L(number), count: width)
        }
      } else {
        arrays[output.array!]!.write(lanes: results[k], width: width)
      }
    }
    return refusal
  }

  /// Runs lane by lane what was refused for all of them together.
  /// - Throws: the error, if this is not about numbers.
  private func runEach(
    _ compiled: CompiledProgram, _ arguments: [DenseArray], _ isBatched: [Bool], _ types: [TensorType],
    _ error: TensorError
  ) throws(TensorError) -> [DenseArray] {
    let lanes = L.laneCount * width
    guard types.allSatisfy({ $0.elementType == .float64 }),
      zip(arguments, isBatched).allSatisfy({ !$1 || $0.elementType == .float64 })
    else { throw error }
    let results = types.map { DenseArray(uninitialized: .float64, [lanes] + $0.shape) }
    for lane in 0..<lanes {
      let own = zip(arguments, isBatched).map { argument, isBatched in
        isBatched ? DenseArray(argument, lane: lane) : argument
      }
      let found = try? compiled.run(own)
      for (k, type) in types.enumerated() {
        let target = results[k].pointer(Double.self) + lane * type.count
        if let values = found?[k].values(Double.self) {
          for (e, value) in values.enumerated() { target[e] = value }
        } else {
          target.update(repeating: .nan, count: type.count)
        }
      }
    }
    return results
  }
}

extension DenseArray {
  /// The numbers of lanes, of which there are `width` groups for each element: an array with the lanes as axis 0, or without that axis for
  /// single numbers.
  init<L: Lane>(lanes source: UnsafePointer<L>, width: Int, _ type: TensorType) {
    let (count, lanes) = (type.count, L.laneCount * width)
    self.init(uninitialized: .float64, (L.self == Double.self ? [] : [lanes]) + type.shape)
    let target = pointer(Double.self)
    let numbers = UnsafeRawPointer(source).assumingMemoryBound(to: Double.self)
    for e in 0..<count {
      for lane in 0..<lanes { target[lane &* count &+ e] = numbers[e &* lanes &+ lane] }
    }
  }
  /// The numbers of the first lane.
  fileprivate init<L: Lane>(firstOf source: UnsafePointer<L>, width: Int, _ type: TensorType) {
    let lanes = L.laneCount * width
    self.init(uninitialized: .float64, type.shape)
    let target = pointer(Double.self)
    let numbers = UnsafeRawPointer(source).assumingMemoryBound(to: Double.self)
    for e in 0..<type.count { target[e] = numbers[e &* lanes] }
  }
  /// The numbers of one lane of an array with the lanes as axis 0.
  fileprivate init(_ array: DenseArray, lane: Int) {
    let shape = Array(array.shape.dropFirst())
    self.init(uninitialized: .float64, shape)
    let count = shape.reduce(1, *)
    let source = array.contiguous()
    pointer(Double.self).update(from: source.pointer(Double.self) + lane * count, count: count)
    withExtendedLifetime(source) {}
  }
  /// Writes the numbers of an array with the lanes as axis 0 where the lanes are.
  func write<L: Lane>(lanes target: UnsafeMutablePointer<L>, width: Int) {
    let lanes = L.laneCount * width
    let source = contiguous()
    let count = source.count / lanes
    let values = source.pointer(Double.self)
    let numbers = UnsafeMutableRawPointer(target).assumingMemoryBound(to: Double.self)
    for e in 0..<count {
      for lane in 0..<lanes { numbers[e &* lanes &+ lane] = values[lane &* count &+ e] }
    }
    withExtendedLifetime(source) {}
  }
}
