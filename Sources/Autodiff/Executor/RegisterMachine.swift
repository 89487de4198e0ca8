import Lanes

/// Where an array's numbers for a batch of runs are.
struct LaneArray {
  var base: UnsafeMutableRawPointer
  /// Numbers between neighbouring runs; zero if all share them.
  var laneStride: Int
  /// True for truth values, one byte each.
  var isBool: Bool
  /// True for results that are larger than the caches: written past them.
  var isStreamed = false
}

extension LaneArray {
  @inline(__always) func read<S: LaneScalar>(_ element: Int) -> S {
    isBool
      ? (base.assumingMemoryBound(to: Bool.self)[element] ? 1 : 0)
      : base.assumingMemoryBound(to: S.self)[element]
  }
  @inline(__always) func write<S: LaneScalar>(_ value: S, _ element: Int) {
    if isBool {
      base.assumingMemoryBound(to: Bool.self)[element] = value != 0
    } else {
      base.assumingMemoryBound(to: S.self)[element] = value
    }
  }
}

extension RegisterProgram {
  /// Runs once.
  func run(inputs: UnsafePointer<LaneArray>, outputs: UnsafePointer<LaneArray>) {
    if isSingle {
      run(lanes: 0..<1, inputs: inputs, outputs: outputs)
      return
    }
    let vectors = vectors(hasTruth: {
      loads.contains { inputs[Int($0.input)].isBool } || stores.contains { outputs[Int($0.output)].isBool }
    })
    if let vectors {
      withUnsafeTemporaryAllocation(byteCount: vectors.size * 8, alignment: 64) { buffer in
        let numbers = buffer.baseAddress!.bindMemory(to: Double.self, capacity: vectors.size)
        let input = { (k: Int) in UnsafePointer(inputs[k].base.assumingMemoryBound(to: Double.self)) }
        vectors.load(numbers, input: input)
        vectors.run(
          numbers, input: input, output: { outputs[$0].base.assumingMemoryBound(to: Double.self) })
      }
      return
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: max(registerCount, 1)) { buffer in
      let registers = buffer.baseAddress!
      for k in 0..<constants.count { registers[k] = constants[k] }
      for k in 0..<loads.count {
        let load = loads[k]
        registers[Int(load.register)] = inputs[Int(load.input)].read(Int(load.element))
      }
      runSingle(instructions, registers)
      for k in 0..<stores.count {
        let store = stores[k]
        outputs[Int(store.output)].write(registers[Int(store.register)], Int(store.element))
      }
    }
  }
}

/// How the interpreter reads instructions, and finds what they are about.
private protocol RegisterFile {
  associatedtype L: ElementLane
  associatedtype Code
  func operation(_ i: Code) -> UInt8
  func target(_ i: Code) -> UnsafeMutablePointer<L>
  func a(_ i: Code) -> UnsafeMutablePointer<L>
  func b(_ i: Code) -> UnsafeMutablePointer<L>
  func c(_ i: Code) -> UnsafeMutablePointer<L>
  /// An instruction with another code.
  func run(_ i: Code)
}
/// Registers that instructions have numbers of.
private protocol NumberedRegisters: RegisterFile where Code == Instruction {
  func callAsFunction(_ register: UInt32) -> UnsafeMutablePointer<L>
}
extension NumberedRegisters {
  @inline(__always) func operation(_ i: Instruction) -> UInt8 { i.operation }
  @inline(__always) func target(_ i: Instruction) -> UnsafeMutablePointer<L> { self(i.target) }
  @inline(__always) func a(_ i: Instruction) -> UnsafeMutablePointer<L> { self(i.a) }
  @inline(__always) func b(_ i: Instruction) -> UnsafeMutablePointer<L> { self(i.b) }
  @inline(__always) func c(_ i: Instruction) -> UnsafeMutablePointer<L> { self(i.c) }
  @inline(__always) func run(_ i: Instruction) {}
}
/// One number each, one after the other.
private struct SingleRegisters: NumberedRegisters {
  typealias L = Double
  typealias Code = Instruction
  var base: UnsafeMutablePointer<Double>
  @inline(__always) func callAsFunction(_ register: UInt32) -> UnsafeMutablePointer<Double> {
    base + Int(register)
  }
}
/// Numbers or lane groups, anywhere: registers of inputs may be the inputs' own memory.
struct GroupRegisters<L: ElementLane>: NumberedRegisters {
  typealias Code = Instruction
  var table: UnsafeMutablePointer<UnsafeMutablePointer<L>>
  @inline(__always) func callAsFunction(_ register: UInt32) -> UnsafeMutablePointer<L> {
    table[Int(register)]
  }
}
/// What instructions have the places of.
private struct DirectRegisters: RegisterFile {
  typealias L = Double
  typealias Code = DirectInstruction
  @inline(__always) func operation(_ i: DirectInstruction) -> UInt8 { i.operation }
  @inline(__always) func target(_ i: DirectInstruction) -> UnsafeMutablePointer<Double> { i.target }
  @inline(__always) func a(_ i: DirectInstruction) -> UnsafeMutablePointer<Double> { i.a }
  @inline(__always) func b(_ i: DirectInstruction) -> UnsafeMutablePointer<Double> { i.b }
  @inline(__always) func c(_ i: DirectInstruction) -> UnsafeMutablePointer<Double> { i.c }
  @inline(__always) func run(_ i: DirectInstruction) { PairedOperation.run(i) }
}

func runSingle(_ code: UnsafeBufferPointer<Instruction>, _ r: UnsafeMutablePointer<Double>) {
  execute(code, SingleRegisters(base: r), 1)
}
func runDirect(_ code: UnsafeBufferPointer<DirectInstruction>) { execute(code, DirectRegisters(), 1) }
func runGroups(
  _ code: UnsafeBufferPointer<Instruction>, _ r: GroupRegisters<SIMD8<Double>>, _ width: Int
) {
  execute(code, r, width)
}
func runSingleGroups(
  _ code: UnsafeBufferPointer<Instruction>, _ r: GroupRegisters<SIMD16<Float>>, _ width: Int
) {
  execute(code, r, width)
}

/// The interpreter's loop: each instruction for `width` lane groups.
@inline(__always)
private func execute<L, R: RegisterFile>(_ code: UnsafeBufferPointer<R.Code>, _ r: R, _ width: Int)
where R.L == L {
  var next = code.baseAddress
  let end = next.map { $0 + code.count }
  while next != end {
    let i = next.unsafelyUnwrapped.pointee
    next = next.unsafelyUnwrapped + 1
    switch r.operation(i) {
    case 0: each1(i, r, width, isShort: true) { a in Unary.negate.value(a) }
    case 1: each1(i, r, width) { a in Unary.absolute.value(a) }
    case 2: each1(i, r, width) { a in Unary.sign.value(a) }
    case 3: each1(i, r, width) { a in Unary.floor.value(a) }
    case 4: each1(i, r, width) { a in Unary.ceiling.value(a) }
    case 5: each1(i, r, width) { a in Unary.round.value(a) }
    case 6: each1(i, r, width) { a in Unary.truncate.value(a) }
    case 7: each1(i, r, width, isShort: true) { a in Unary.square.value(a) }
    case 8: each1(i, r, width) { a in Unary.squareRoot.value(a) }
    case 9: each1(i, r, width) { a in Unary.reciprocal.value(a) }
    case 10: each1(i, r, width) { a in Unary.exponential.value(a) }
    case 11: each1(i, r, width) { a in Unary.exponentialMinusOne.value(a) }
    case 12: each1(i, r, width) { a in Unary.logarithm.value(a) }
    case 13: each1(i, r, width) { a in Unary.logarithmOnePlus.value(a) }
    case 14: each1(i, r, width) { a in Unary.sine.value(a) }
    case 15: each1(i, r, width) { a in Unary.cosine.value(a) }
    case 16: each1(i, r, width) { a in Unary.tangent.value(a) }
    case 17: each1(i, r, width) { a in Unary.arcSine.value(a) }
    case 18: each1(i, r, width) { a in Unary.arcCosine.value(a) }
    case 19: each1(i, r, width) { a in Unary.arcTangent.value(a) }
    case 20: each1(i, r, width) { a in Unary.hyperbolicSine.value(a) }
    case 21: each1(i, r, width) { a in Unary.hyperbolicCosine.value(a) }
    case 22: each1(i, r, width) { a in Unary.hyperbolicTangent.value(a) }
    case 23: each1(i, r, width) { a in Unary.arcHyperbolicSine.value(a) }
    case 24: each1(i, r, width) { a in Unary.arcHyperbolicCosine.value(a) }
    case 25: each1(i, r, width) { a in Unary.arcHyperbolicTangent.value(a) }
    case 26: each1(i, r, width) { a in Unary.logistic.value(a) }
    case 27: each1(i, r, width) { a in Unary.errorFunction.value(a) }
    case 28: each1(i, r, width) { a in Unary.complementaryErrorFunction.value(a) }
    case 29: each1(i, r, width) { a in Unary.logGamma.value(a) }
    case 30: each1(i, r, width) { a in Unary.digamma.value(a) }
    case 31: each1(i, r, width) { a in Unary.trigamma.value(a) }
    case 32: each1(i, r, width) { a in Unary.tetragamma.value(a) }
    case 33: each1(i, r, width) { a in Unary.sinc.value(a) }
    case 64: each2(i, r, width, isShort: true) { a, b in Binary.add.value(a, b) }
    case 65: each2(i, r, width, isShort: true) { a, b in Binary.subtract.value(a, b) }
    case 66: each2(i, r, width, isShort: true) { a, b in Binary.multiply.value(a, b) }
    case 67: each2(i, r, width, isShort: true) { a, b in Binary.divide.value(a, b) }
    case 68: each2(i, r, width) { a, b in Binary.power.value(a, b) }
    case 69: each2(i, r, width) { a, b in Binary.arcTangent2.value(a, b) }
    case 70: each2(i, r, width) { a, b in Binary.minimum.value(a, b) }
    case 71: each2(i, r, width) { a, b in Binary.maximum.value(a, b) }
    case 72: each2(i, r, width) { a, b in Binary.remainder.value(a, b) }
    case 96: each2(i, r, width) { a, b in L.number(Comparison.less.mask(a, b)) }
    case 97: each2(i, r, width) { a, b in L.number(Comparison.lessOrEqual.mask(a, b)) }
    case 98: each2(i, r, width) { a, b in L.number(Comparison.equal.mask(a, b)) }
    case 99: each2(i, r, width) { a, b in L.number(Comparison.notEqual.mask(a, b)) }
    case 112: each2(i, r, width) { a, b in a * b }
    case 113: each2(i, r, width) { a, b in L.maximum(a, b) }
    case 114: each2(i, r, width) { a, b in L.number(.!(a .== b)) }
    case RegisterOperation.select:
      each3(i, r, width) { m, a, b in a.replacing(with: b, where: m .== L.zero) }
    case RegisterOperation.multiplyAdd:
      each3(i, r, width, isShort: true) { a, b, c in L.multiplyAdd(a, b, c) }
    case RegisterOperation.multiplySubtract:
      each3(i, r, width, isShort: true) { a, b, c in L.multiplyAdd(a, b, -c) }
    case RegisterOperation.subtractProduct:
      each3(i, r, width, isShort: true) { a, b, c in L.multiplyAdd(-a, b, c) }
    case RegisterOperation.truth:
      each1(i, r, width) { a in L.one.replacing(with: L.zero, where: a .== L.zero) }
    case RegisterOperation.copy: each1(i, r, width) { a in a }
    default: r.run(i)
    }
  }
}
// Short loops are slow where the compiler expects long ones.
@inline(__always)
private func each1<L, R: RegisterFile>(
  _ i: R.Code, _ r: R, _ width: Int, isShort: Bool = false, _ body: (L) -> L
) where R.L == L {
  let (t, a) = (r.target(i), r.a(i))
  if isShort && width > 1 && width < 8 {
    var k = 0
    if width & 4 != 0 {
      (t[0], t[1]) = (body(a[0]), body(a[1]))
      (t[2], t[3]) = (body(a[2]), body(a[3]))
      k = 4
    }
    if width & 2 != 0 {
      (t[k], t[k &+ 1]) = (body(a[k]), body(a[k &+ 1]))
      k &+= 2
    }
    if width & 1 != 0 { t[k] = body(a[k]) }
    return
  }
  var k = 0
  repeat {
    t[k] = body(a[k])
    k &+= 1
  } while k < width
}
@inline(__always)
private func each2<L, R: RegisterFile>(
  _ i: R.Code, _ r: R, _ width: Int, isShort: Bool = false, _ body: (L, L) -> L
) where R.L == L {
  let (t, a, b) = (r.target(i), r.a(i), r.b(i))
  if isShort && width > 1 && width < 8 {
    var k = 0
    if width & 4 != 0 {
      (t[0], t[1]) = (body(a[0], b[0]), body(a[1], b[1]))
      (t[2], t[3]) = (body(a[2], b[2]), body(a[3], b[3]))
      k = 4
    }
    if width & 2 != 0 {
      (t[k], t[k &+ 1]) = (body(a[k], b[k]), body(a[k &+ 1], b[k &+ 1]))
      k &+= 2
    }
    if width & 1 != 0 { t[k] = body(a[k], b[k]) }
    return
  }
  var k = 0
  repeat {
    t[k] = body(a[k], b[k])
    k &+= 1
  } while k < width
}
@inline(__always)
private func each3<L, R: RegisterFile>(
  _ i: R.Code, _ r: R, _ width: Int, isShort: Bool = false, _ body: (L, L, L) -> L
) where R.L == L {
  let (t, a, b, c) = (r.target(i), r.a(i), r.b(i), r.c(i))
  if isShort && width > 1 && width < 8 {
    var k = 0
    if width & 4 != 0 {
      (t[0], t[1]) = (body(a[0], b[0], c[0]), body(a[1], b[1], c[1]))
      (t[2], t[3]) = (body(a[2], b[2], c[2]), body(a[3], b[3], c[3]))
      k = 4
    }
    if width & 2 != 0 {
      (t[k], t[k &+ 1]) = (body(a[k], b[k], c[k]), body(a[k &+ 1], b[k &+ 1], c[k &+ 1]))
      k &+= 2
    }
    if width & 1 != 0 { t[k] = body(a[k], b[k], c[k]) }
    return
  }
  var k = 0
  repeat {
    t[k] = body(a[k], b[k], c[k])
    k &+= 1
  } while k < width
}
