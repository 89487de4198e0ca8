package import Lanes
import Synchronization

/// What a ``ResidentProgram`` is made from, shared by threads.
package final class ResidentSource: Sendable {
  let registers: RegisterProgram?
  let compiled: CompiledProgram
  package let inputTypes: [TensorType]
  package let outputTypes: [TensorType]
  /// The parts of a program that is not expanded as a whole.
  let parts: ProgramParts?

  /// Of the output whose constants are left out, these; nil for the other elements.
  package let constants: [Double?]

  /// - Throws: ``TensorError`` if an input or output is not `float64`.
  package convenience init(_ program: Program) throws(TensorError) { try self.init(program, isWhole: true) }
  /// - Parameter isWhole: whether it is a program by itself, and not one of its parts.
  init(_ program: Program, isWhole: Bool) throws(TensorError) {
    try Self.requireTypes(program)
    inputTypes = program.inputTypes
    outputTypes = program.outputTypes
    compiled = CompiledProgram(program)
    registers = ScalarExpansion.compile(compiled.program, keepsInputs: true)
    constants = []
    parts = registers == nil && isWhole ? ProgramParts(compiled) : nil
  }

  /// Of a program most of whose work is on zeros, as that of a Jacobian: nil if it takes more than `limit` scalar operations, these included.
  /// - Parameter output: the one whose constant elements are left out.
  /// - Throws: ``TensorError`` if an input or output is not `float64`.
  package init?(_ program: Program, limit: Int, withoutConstantsOf output: Int) throws(TensorError) {
    try Self.requireTypes(program)
    compiled = CompiledProgram(program)
    guard let registers = ScalarExpansion.compile(compiled.program, keepsInputs: true, limit: limit) else {
      return nil
    }
    inputTypes = program.inputTypes
    parts = nil
    (self.registers, constants) = registers.withoutConstants(ofOutput: output)
    var types = program.outputTypes
    types[output] = TensorType(.float64, [constants.filter { $0 == nil }.count])
    outputTypes = types
  }
  private static func requireTypes(_ program: Program) throws(TensorError) {
    for type in program.inputTypes + program.outputTypes where type.elementType != .float64 {
      throw TensorError(.elementType, "ResidentProgram", "inputs and outputs must be float64, not \(type)")
    }
  }
  private let layouts = Mutex<[(inPlace: [Int?]?, layout: OutputLayout)]>([])
  /// Where results are computed; each kind is made once.
  fileprivate func layout(inPlace: [Int?]?) -> OutputLayout {
    layouts.withLock { layouts in
      if let known = layouts.first(where: { $0.inPlace == inPlace }) { return known.layout }
      let layout = registers.map { OutputLayout($0, inPlace: inPlace) } ?? OutputLayout()
      layouts.append((inPlace, layout))
      return layout
    }
  }
  private let vectors = Mutex<[(isFixed: [Bool], lists: VectorLists?)]>([])
  deinit { vectors.withLock { for (_, lists) in $0 { lists?.deallocate() } } }
  /// What runs the program in vectors, where that is faster. It lives as long as this object.
  fileprivate func vectorLists(isFixed: [Bool]) -> VectorLists? {
    vectors.withLock { vectors in
      if let known = vectors.first(where: { $0.isFixed == isFixed }) { return known.lists }
      let lists = vectorCode(isFixed: isFixed).map { VectorLists($0, isFixed: isFixed) }
      vectors.append((isFixed, lists))
      return lists
    }
  }
  /// Whether single runs are on whole arrays: then they gain less from lanes.
  package func usesArrays(isFixed: [Bool]) -> Bool { vectorLists(isFixed: isFixed)?.hasProducts ?? false }
  /// Of whole arrays if products of matrices are most of the work, else of scalar instructions.
  private func vectorCode(isFixed: [Bool]) -> VectorCode? {
    if constants.isEmpty, let code = ArrayCode.make(compiled.program, isFixed: isFixed),
      code.isWorthwhile(insteadOf: registers)
    {
      return code
    }
    guard let registers,
      (VectorCode.leastInstructions...VectorCode.mostInstructions).contains(registers.instructions.count)
    else { return nil }
    let code = VectorCode(registers, isFixed: isFixed)
    return code.isWorthwhile ? code : nil
  }
  /// True if the program has been expanded to scalar instructions.
  package var isScalar: Bool { registers != nil }
  /// The scalar instructions of a run, if the program has been expanded.
  package var instructionCount: Int? { registers?.instructions.count }
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
  private let parts: ResidentParts<L>?
  /// The scalar form's lists, here so that a run counts no references; empty if there is none.
  fileprivate let isScalar: Bool
  fileprivate let instructions: UnsafeMutableBufferPointer<Instruction>
  fileprivate let memory: UnsafeMutablePointer<L>
  fileprivate let table: UnsafeMutablePointer<UnsafeMutablePointer<L>>
  /// Loads of the inputs that stay, then of those that move.
  private let loads: UnsafeMutableBufferPointer<RegisterProgram.Load>
  private let fixedCount: Int
  /// Inputs that move are read where they lie; otherwise they are copied first.
  fileprivate let readsInPlace: Bool
  /// What single numbers are computed with, if the program is small: instructions for several sets of places.
  fileprivate let direct: DirectCode?
  fileprivate let paired: [PairedCode.Entry]
  fileprivate var placedCode: [UnsafeMutablePointer<DirectInstruction>] = []
  /// What single numbers are computed with, if the program is longer.
  fileprivate let vectors: VectorMemory?
  /// Results that are computed where they belong, and those that are copied there.
  private let places: UnsafeMutableBufferPointer<RegisterProgram.Store>
  fileprivate let stores: UnsafeMutableBufferPointer<RegisterProgram.Store>

  /// - Parameters:
  ///   - isFixed: inputs that are read only by ``load()``.
  ///   - inPlace: for each output the input that may lie in the same memory, if one does; nil: outputs may lie where any inputs do.
  package init(_ source: ResidentSource, width: Int = 1, isFixed: [Bool], inPlace: [Int?]? = nil) {
    precondition(L.self == SIMD8<Double>.self || (L.self == Double.self && width == 1))
    self.source = source
    self.width = width
    vectors =
      L.self == Double.self
      ? source.vectorLists(isFixed: isFixed).map { VectorMemory($0, isFixed: isFixed) } : nil
    // Vectors need nothing else.
    let registers = vectors == nil ? source.registers : nil
    isScalar = vectors != nil || registers != nil
    parts = isScalar ? nil : source.parts.map { ResidentParts($0, width: width, isFixed: isFixed) }
    let isDirect =
      L.self == Double.self && inPlace != nil
      && (registers?.instructions.count ?? .max) <= OutputLayout.mostPaired
    let readsInPlace = L.self != Double.self || isDirect
    self.readsInPlace = readsInPlace
    let layout = registers == nil ? OutputLayout() : source.layout(inPlace: readsInPlace ? inPlace : nil)
    paired = isDirect ? layout.paired.entries : []
    instructions = .allocate(capacity: layout.instructions.count)
    _ = instructions.initialize(from: layout.instructions)
    places = .allocate(capacity: layout.places.count)
    _ = places.initialize(from: layout.places)
    stores = .allocate(capacity: layout.copies.count)
    _ = stores.initialize(from: layout.copies)
    let registerCount = max(layout.registerCount, 1)
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
    let all = registers.map { Array($0.loads) } ?? []
    let ordered = all.filter { isFixed[Int($0.input)] } + all.filter { !isFixed[Int($0.input)] }
    fixedCount = all.filter { isFixed[Int($0.input)] }.count
    loads = .allocate(capacity: ordered.count)
    _ = loads.initialize(from: ordered)
    direct =
      isDirect
      ? DirectCode(
        isFixed.indices.filter { !isFixed[$0] }, source.outputTypes.count, paired.count + stores.count)
      : nil
    if let registers {
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
    instructions.deallocate()
    direct?.deallocate()
    for code in placedCode { code.deallocate() }
    vectors?.deallocate()
    places.deallocate()
    stores.deallocate()
  }

  /// Reads the fixed inputs, and forgets failures.
  package func load() {
    failure = nil
    if let vectors {
      vectors.load(UnsafeMutableRawPointer(inputs).assumingMemoryBound(to: UnsafePointer<Double>.self))
      return
    }
    parts?.load(inputs)
    load(0..<fixedCount, inPlace: L.self != Double.self)
  }

  @inline(__always)
  private func load(_ places: Range<Int>, inPlace: Bool) {
    var k = places.lowerBound
    while k < places.upperBound {
      let load = loads[k]
      let place = inputs[Int(load.input)] + Int(load.element) &* width
      if inPlace {
        // Registers of inputs are never written to.
        table[Int(load.register)] = UnsafeMutablePointer(mutating: place)
      } else {
        memory[Int(load.register)] = place.pointee
      }
      k &+= 1
    }
  }

  /// Runs once. Outputs may lie where inputs do, as far as was said.
  package func run() {
    if L.self == Double.self {
      unsafeDowncast(self, to: ResidentProgram<Double>.self).runSingle()
    } else {
      unsafeDowncast(self, to: ResidentProgram<SIMD8<Double>>.self).runGroups()
    }
  }

  /// Sets the places of inputs and outputs.
  @inline(__always)
  fileprivate func setPlaces() {
    load(fixedCount..<loads.count, inPlace: readsInPlace)
    var k = 0
    while k < places.count {
      let place = places[k]
      table[Int(place.register)] = outputs[Int(place.output)] + Int(place.element) &* width
      k &+= 1
    }
  }
  /// Copies the outputs that have not been computed where they belong.
  @inline(__always)
  fileprivate func store() {
    var k = 0
    while k < stores.count {
      let store = stores[k]
      let target = outputs[Int(store.output)] + Int(store.element) &* width
      let value = table[Int(store.register)]
      if value != target {
        var w = 0
        while w < width {
          target[w] = value[w]
          w &+= 1
        }
      }
      k &+= 1
    }
  }

  /// A program that is not expanded works in parts, some of them on arrays, which have the lanes as their axis 0.
  fileprivate func runParts() {
    do throws(TensorError) {
      guard TensorContext.current.checksFinite else {
        if let refusal = try parts!.run(inputs, outputs), failure == nil { failure = refusal }
        return
      }
      // Operation by operation.
      let arguments = source.inputTypes.indices.map {
        DenseArray(lanes: inputs[$0], width: width, source.inputTypes[$0])
      }
      let results =
        L.self == Double.self
        ? try source.compiled.run(arguments)
        : try source.compiled.run(
          arguments, isBatched: arguments.map { _ in true }, size: L.laneCount * width)
      for (k, result) in results.enumerated() { result.write(lanes: outputs[k], width: width) }
    } catch {
      if failure == nil { failure = error }
      for (k, type) in source.outputTypes.enumerated() {
        outputs[k].update(repeating: L(.nan), count: type.count * width)
      }
    }
  }
}

extension ResidentProgram where L == Double {
  /// ``run()`` of one number each, without a look at the type.
  package func runSingle() {
    guard isScalar else { return runParts() }
    if let vectors { return vectors.run(inputs, outputs) }
    guard let direct else {
      setPlaces()
      Autodiff.runSingle(UnsafeBufferPointer(instructions), memory)
      store()
      return
    }
    runDirect(direct.code(inputs, outputs) { write(to: $0) })
  }

  /// Writes the instructions for the present places of inputs and outputs.
  private func write(to code: UnsafeMutablePointer<DirectInstruction>) {
    setPlaces()
    for (k, i) in paired.enumerated() {
      code[k] = DirectInstruction(
        operation: i.operation, target: table[Int(i.target)], a: table[Int(i.a)], b: table[Int(i.b)],
        c: table[Int(i.c)], d: table[Int(i.d)])
    }
    for (k, store) in stores.enumerated() {
      let value = table[Int(store.register)]
      code[paired.count + k] = DirectInstruction(
        operation: RegisterOperation.copy, target: outputs[Int(store.output)] + Int(store.element), a: value,
        b: value, c: value, d: value)
    }
  }

  /// The program for several sets of places of inputs and outputs, which stay; nil if it is not small, or not expanded. It lives as long
  /// as the program.
  /// - Parameter setPlaces: sets `inputs` and `outputs` to those of one set.
  package func placed(sets: Int, _ setPlaces: (Int) -> Void) -> PlacedProgram? {
    guard direct != nil else { return nil }
    let length = paired.count + stores.count
    let code = UnsafeMutablePointer<DirectInstruction>.allocate(capacity: max(sets * length, 1))
    placedCode.append(code)
    for k in 0..<sets {
      setPlaces(k)
      write(to: code + k * length)
    }
    return PlacedProgram(code: code, length: length)
  }
}

/// A small program for several sets of places: plain memory, because counting references takes longer than a run.
package struct PlacedProgram {
  fileprivate let code: UnsafeMutablePointer<DirectInstruction>
  fileprivate let length: Int

  /// Runs once, at the places of one set.
  package func run(_ set: Int) {
    runDirect(UnsafeBufferPointer(start: code + set &* length, count: length))
  }
}

extension ResidentProgram where L == SIMD8<Double> {
  /// ``run()`` of lane groups, without a look at the type.
  package func runGroups() {
    guard isScalar else { return runParts() }
    setPlaces()
    Autodiff.runGroups(UnsafeBufferPointer(instructions), GroupRegisters(table: table), width)
    store()
  }
}

/// Instructions for the last sets of places: the stages of a step come in turn. Plain memory, as counting references takes longer than a
/// small program.
private struct DirectCode {
  private static let capacity = 16
  /// The inputs that move.
  private let moving: UnsafeMutablePointer<Int>
  private let inputCount: Int
  private let placeCount: Int
  private let length: Int
  private let code: UnsafeMutablePointer<DirectInstruction>
  private let keys: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// How many sets there are, and where the next one is expected.
  private let state: UnsafeMutablePointer<(count: Int, next: Int)>

  init(_ moving: [Int], _ outputCount: Int, _ length: Int) {
    inputCount = moving.count
    self.moving = .allocate(capacity: max(moving.count, 1))
    self.moving.initialize(from: moving, count: moving.count)
    placeCount = moving.count + outputCount
    self.length = length
    code = .allocate(capacity: max(Self.capacity * length, 1))
    keys = .allocate(capacity: max(Self.capacity * placeCount, 1))
    state = .allocate(capacity: 1)
    state.initialize(to: (0, 0))
  }
  func deallocate() {
    moving.deallocate()
    code.deallocate()
    keys.deallocate()
    state.deallocate()
  }

  /// The instructions for these places, which `make` makes where they are new.
  @inline(__always)
  func code(
    _ inputs: UnsafeMutablePointer<UnsafePointer<Double>>,
    _ outputs: UnsafeMutablePointer<UnsafeMutablePointer<Double>>,
    _ make: (UnsafeMutablePointer<DirectInstruction>) -> Void
  ) -> UnsafeBufferPointer<DirectInstruction> {
    var (count, entry) = state.pointee
    if entry >= count || !isKnown(entry, inputs, outputs) {
      let expected = entry
      entry = 0
      while entry < count && !isKnown(entry, inputs, outputs) { entry &+= 1 }
      if entry == count {
        if count < Self.capacity {
          count &+= 1
          state.pointee.count = count
        } else {
          entry = expected
        }
        let key = keys + entry &* placeCount
        for k in 0..<inputCount { key[k] = UnsafeMutableRawPointer(mutating: inputs[moving[k]]) }
        for k in inputCount..<placeCount { key[k] = UnsafeMutableRawPointer(outputs[k &- inputCount]) }
        make(code + entry &* length)
      }
    }
    state.pointee.next = entry &+ 1 == Self.capacity ? 0 : entry &+ 1
    return UnsafeBufferPointer(start: code + entry &* length, count: length)
  }
  @inline(__always)
  private func isKnown(
    _ entry: Int, _ inputs: UnsafeMutablePointer<UnsafePointer<Double>>,
    _ outputs: UnsafeMutablePointer<UnsafeMutablePointer<Double>>
  ) -> Bool {
    let key = keys + entry &* placeCount
    var k = 0
    while k < inputCount {
      if key[k] != UnsafeMutableRawPointer(mutating: inputs[moving[k]]) { return false }
      k &+= 1
    }
    while k < placeCount {
      if key[k] != UnsafeMutableRawPointer(outputs[k &- inputCount]) { return false }
      k &+= 1
    }
    return true
  }
}

/// Which results can be computed where they belong: the last value of their register has then a register of its own, whose memory is
/// the output's.
private struct OutputLayout: Sendable {
  var instructions: [Instruction] = []
  var places: [RegisterProgram.Store] = []
  var copies: [RegisterProgram.Store] = []
  var registerCount = 0
  /// The instructions in pairs, of small programs.
  var paired = PairedCode([], results: [], shared: [])

  /// Programs with more instructions than this take longer than the way to them.
  static let mostPaired = VectorCode.leastInstructions - 1

  init() {}
  /// - Parameter inPlace: as of `ResidentProgram`.
  init(_ program: RegisterProgram, inPlace: [Int?]?) {
    instructions = Array(program.instructions)
    registerCount = program.registerCount
    guard let inPlace else {
      copies = Array(program.stores)
      return
    }
    defer {
      if instructions.count <= Self.mostPaired {
        let shared = program.loads.filter { inPlace.contains(Int($0.input)) }
        paired = PairedCode(
          instructions, results: Set((places + copies).map(\.register)), shared: Set(shared.map(\.register)))
      }
    }
    var moved: [UInt32: UInt32] = [:]
    for var store in program.stores {
      if let known = moved[store.register] {
        store.register = known
        copies.append(store)
        continue
      }
      // Nothing may read an input there once it is written. Elements of both lie at the same places.
      guard let last = instructions.lastIndex(where: { $0.target == store.register }),
        !program.loads.contains(where: { load in
          inPlace[Int(store.output)] == Int(load.input) && load.element == store.element
            && (instructions[(last + 1)...].contains { $0.reads(load.register) }
              || program.stores.contains { $0.register == load.register })
        })
      else {
        copies.append(store)
        continue
      }
      let new = UInt32(registerCount)
      registerCount += 1
      instructions[last].target = new
      for k in (last + 1)..<instructions.count { instructions[k].replace(store.register, by: new) }
      moved[store.register] = new
      store.register = new
      places.append(store)
    }
  }
}

extension Instruction {
  /// Whether it reads a register; operations with fewer operands name register 0 as well, which does no harm here.
  fileprivate func reads(_ register: UInt32) -> Bool { a == register || b == register || c == register }
  fileprivate mutating func replace(_ old: UInt32, by new: UInt32) {
    if a == old { a = new }
    if b == old { b = new }
    if c == old { c = new }
  }
}
