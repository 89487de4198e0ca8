import CLanes

/// Makes ``VectorCode`` of whole arrays, for programs whose work is in products of matrices: these are done where they lie, and operations
/// element by element on the arrays between them.
///
/// An array is known by the places of its elements, so that shaping and slicing cost nothing, nor do zeros around what is embedded.
/// Products that are nothing but part of a result are computed there, or added.
struct ArrayCode {
  let program: Program
  var code = VectorCode()
  /// Of each value the places of its elements, as an array of its shape; of constants also their numbers.
  var places: [DenseArray?]
  var numbers: [DenseArray?]
  /// Of each place, whether its number stays from run to run.
  var isFixed: [Bool] = []
  var steps: [Step] = []
  /// Copies that bring places together, by these.
  var gathered: [[Int32]: Int32] = [:]
  /// The step that computes from a place on.
  var stepAt: [Int32: Int] = [:]

  /// A computation of `count` numbers from a place on.
  struct Step {
    enum Work {
      /// An operation with the first places of its operands.
      case elementwise(UInt8, [Int32])
      case gather([Int32])
      case product(costate_product)
      case sum(Int32, length: Int)
    }
    var work: Work
    var reads: [[Int32]]
    var target: Int32
    var count: Int
    var isFixed: Bool
  }

  /// Numbers of the block that programs may take: more leave the caches.
  private static let largestSize = 1 << 18
  /// Products with more operations are better blocked.
  static let largestProduct = 1 << 15
  /// Inner products are worth it from this length on.
  static let leastInner = 8

  /// Nil for programs without products, and for those with operations that have no such form.
  static func make(_ program: Program, isFixed: [Bool]) -> VectorCode? {
    guard program.primitives.contains(where: { $0 is MatrixProduct }),
      program.types.reduce(0, { $0 + $1.count }) <= 16 * largestSize
    else { return nil }
    var builder = ArrayCode(program)
    return builder.build(isFixed) ? builder.code : nil
  }

  private init(_ program: Program) {
    self.program = program
    places = [DenseArray?](repeating: nil, count: program.types.count)
    numbers = places
  }

  // MARK: Places

  /// The first of places for so many numbers.
  mutating func allocate(_ count: Int, isFixed: Bool) -> Int32 {
    let start = code.size
    code.size = VectorCode.aligned(start + count)
    self.isFixed += repeatElement(isFixed, count: code.size - start)
    return Int32(start)
  }
  /// Whether all of these places' numbers stay from run to run.
  func areFixed(_ list: [Int32]) -> Bool { list.allSatisfy { isFixed[Int($0)] } }
  private static func stretch(from start: Int32, _ shape: [Int]) -> DenseArray {
    DenseArray((0..<Int32(shape.elementCount)).map { start + $0 }, shape: shape)
  }
  private func isStretch(_ list: some Collection<Int32>) -> Bool {
    let first = list.first ?? 0
    return list.enumerated().allSatisfy { $1 == first + Int32($0) }
  }
  /// The first of places one after the other that hold these numbers.
  mutating func operand(_ list: [Int32]) -> Int32 {
    if isStretch(list) { return list[0] }
    if let known = gathered[list] { return known }
    let isFixed = areFixed(list)
    let target = allocate(list.count, isFixed: isFixed)
    steps.append(
      Step(work: .gather(list), reads: [list], target: target, count: list.count, isFixed: isFixed))
    gathered[list] = target
    return target
  }

  // MARK: Building

  private mutating func build(_ isFixedInput: [Bool]) -> Bool {
    guard setConstants() else { return false }
    var uses = [Int](repeating: 0, count: program.types.count)
    for id in program.operandList + program.outputs { uses[Int(id)] += 1 }
    let accumulated = accumulation(isFixedInput, uses)
    for (k, id) in program.inputs.enumerated() where uses[Int(id)] > 0 && k != accumulated?.input {
      let type = program.types[Int(id)]
      let start = allocate(type.count, isFixed: isFixedInput[k])
      places[Int(id)] = Self.stretch(from: start, type.shape)
      guard type.count > 0 else { continue }
      code.loads.append(
        VectorCode.Copy(array: Int32(k), element: 0, place: UInt32(start), count: UInt32(type.count)))
    }
    for (index, equation) in program.equations.enumerated() where index != accumulated?.equation {
      guard equation.resultCount == 1, code.size <= Self.largestSize,
        let result = apply(equation)
      else { return false }
      places[Int(equation.firstResult)] = result
    }
    finish(accumulated)
    return true
  }

  /// Place 0 is zero.
  private mutating func setConstants() -> Bool {
    code.constants = [0]
    var known: [UInt64: Int32] = [0: 0]
    for constant in program.constants {
      let id = Int(constant.variable)
      numbers[id] = constant.value
      guard constant.value.elementType != .int32 else { continue }
      guard constant.value.elementType != .float32, constant.value.count <= Self.largestSize,
        let wide = try? constant.value.converted(to: .float64)
      else { return false }
      var list: [Int32] = []
      for number in wide.values(Double.self) {
        let place = known[number.bitPattern] ?? Int32(code.constants.count)
        if Int(place) == code.constants.count {
          known[number.bitPattern] = place
          code.constants.append(number)
        }
        list.append(place)
      }
      places[id] = DenseArray(list, shape: wide.shape)
    }
    _ = allocate(code.constants.count, isFixed: true)
    return true
  }

  /// An output that is the sum of an input, which nothing else reads, and something else.
  struct Accumulation {
    var equation: Int
    var input: Int
    var output: Int
    var other: Int
  }
  private func accumulation(_ isFixedInput: [Bool], _ uses: [Int]) -> Accumulation? {
    for (k, id) in program.outputs.enumerated() where uses[Int(id)] == 1 {
      guard let index = program.equations.firstIndex(where: { $0.firstResult == id }),
        program.primitive(of: program.equations[index]) as? Binary == .add
      else { continue }
      let operands = Array(program.operands(of: program.equations[index]))
      for (own, other) in [(operands[0], operands[1]), (operands[1], operands[0])] where own != other {
        if let input = program.inputs.firstIndex(of: own), !isFixedInput[input], uses[Int(own)] == 1 {
          return Accumulation(equation: index, input: input, output: k, other: Int(other))
        }
      }
    }
    return nil
  }

  private mutating func apply(_ equation: Program.Equation) -> DenseArray? {
    let ids = program.operands(of: equation).map { Int($0) }
    let type = program.types[Int(equation.firstResult)]
    guard type.elementType == .float64 || type.elementType == .bool else { return nil }
    let primitive = program.primitive(of: equation)
    if let gather = primitive as? Gather {
      guard let source = places[ids[0]], let indices = numbers[ids[1]] else { return nil }
      return try? gather.evaluate([source, indices])[0]
    }
    var operands: [DenseArray] = []
    for id in ids {
      guard let known = places[id] else { return nil }
      operands.append(known)
    }
    switch primitive {
    case let operation as Unary: return elementwise(operation.rawValue, operands)
    case let operation as Binary: return elementwise(RegisterOperation.binary + operation.rawValue, operands)
    case let operation as Comparison:
      return elementwise(RegisterOperation.comparison + operation.rawValue, operands)
    case let operation as Logical:
      return elementwise(RegisterOperation.logical + operation.rawValue, operands)
    case is Select: return elementwise(RegisterOperation.select, operands)
    case let convert as Convert:
      let isTruth = program.types[ids[0]].elementType == .bool
      return convert.target == .bool && !isTruth
        ? elementwise(RegisterOperation.truth, operands) : operands[0]
    case is StopGradient: return operands[0]
    // Around what is embedded are the zeros of place 0.
    case is Broadcast, is Reshape, is Transpose, is Slice, is Embed, is Concatenate:
      return try? primitive.evaluate(operands)[0]
    case let reduction as Reduction: return reduce(reduction, operands[0], type.shape)
    case is MatrixProduct: return product(operands[0], operands[1])
    default: return nil
    }
  }

  // MARK: Elementwise

  mutating func elementwise(_ operation: UInt8, _ operands: [DenseArray]) -> DenseArray {
    let lists = operands.map { $0.values(Int32.self) }
    let shape = operands[0].shape
    if lists[0].count > 1, lists.allSatisfy({ list in list.allSatisfy { $0 == list[0] } }) {
      let one = compute(operation, lists.map { [$0[0]] })
      return DenseArray([one], shape: []).broadcast(to: shape, axes: [])
    }
    var result = lists[0].indices.map { k in Self.known(operation, lists.map { $0[k] }) }
    let computed = result.indices.filter { result[$0] == nil }
    if !computed.isEmpty {
      let start = compute(operation, lists.map { list in computed.map { list[$0] } })
      for (k, element) in computed.enumerated() { result[element] = start + Int32(k) }
    }
    return DenseArray(result.map { $0! }, shape: shape)
  }
  /// Where the result of an operation with zero is already.
  private static func known(_ operation: UInt8, _ places: [Int32]) -> Int32? {
    switch Binary(internalCode: Int(operation)) {
    case .add: return places[0] == 0 ? places[1] : places[1] == 0 ? places[0] : nil
    case .subtract: return places[1] == 0 ? places[0] : nil
    case .multiply: return places[0] == 0 || places[1] == 0 ? 0 : nil
    default: return operation == Unary.negate.rawValue && places[0] == 0 ? 0 : nil
    }
  }
  /// - Returns: the first place of the results.
  private mutating func compute(_ operation: UInt8, _ lists: [[Int32]]) -> Int32 {
    var (operation, lists) = (operation, lists)
    if let fused = fused(operation, lists) { (operation, lists) = fused }
    let starts = lists.map { operand($0) }
    let isFixed = lists.allSatisfy { areFixed($0) }
    let count = lists[0].count
    let target = allocate(count, isFixed: isFixed)
    stepAt[target] = steps.count
    steps.append(
      Step(
        work: .elementwise(operation, starts),
        reads: starts.map { start in (0..<Int32(count)).map { start + $0 } },
        target: target, count: count, isFixed: isFixed))
    return target
  }
  /// A sum or difference one of whose operands is a product of just these elements. The product is left out if nothing else reads it.
  private func fused(_ operation: UInt8, _ lists: [[Int32]]) -> (UInt8, [[Int32]])? {
    let isSum = operation == RegisterOperation.binary + Binary.add.rawValue
    guard isSum || operation == RegisterOperation.binary + Binary.subtract.rawValue else { return nil }
    for k in 0..<2 {
      guard isStretch(lists[k]), let number = stepAt[lists[k][0]],
        case .elementwise(let inner, _) = steps[number].work, steps[number].count == lists[k].count,
        !steps[number].isFixed
      else { continue }
      let isSquare = inner == Unary.square.rawValue
      guard isSquare || inner == RegisterOperation.binary + Binary.multiply.rawValue else { continue }
      let factors = isSquare ? [steps[number].reads[0], steps[number].reads[0]] : steps[number].reads
      let fused =
        isSum
        ? RegisterOperation.multiplyAdd
        : k == 0 ? RegisterOperation.multiplySubtract : RegisterOperation.subtractProduct
      return (fused, factors + [lists[1 - k]])
    }
    return nil
  }
}
