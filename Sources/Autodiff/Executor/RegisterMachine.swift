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

/// Where the interpreter finds registers.
private protocol RegisterFile {
  associatedtype L: ElementLane
  func callAsFunction(_ register: UInt32) -> UnsafeMutablePointer<L>
}
/// One number each, one after the other.
private struct SingleRegisters: RegisterFile {
  var base: UnsafeMutablePointer<Double>
  @inline(__always) func callAsFunction(_ register: UInt32) -> UnsafeMutablePointer<Double> {
    base + Int(register)
  }
}
/// Lane groups, anywhere: registers of inputs may be the inputs' own memory.
struct GroupRegisters<L: ElementLane>: RegisterFile {
  var table: UnsafeMutablePointer<UnsafeMutablePointer<L>>
  @inline(__always) func callAsFunction(_ register: UInt32) -> UnsafeMutablePointer<L> {
    table[Int(register)]
  }
}

func runSingle(_ code: UnsafeBufferPointer<Instruction>, _ r: UnsafeMutablePointer<Double>) {
  execute(code, SingleRegisters(base: r), 1)
}
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
private func execute<L, R: RegisterFile>(_ code: UnsafeBufferPointer<Instruction>, _ r: R, _ width: Int)
where R.L == L {
  var next = code.baseAddress
  let end = next.map { $0 + code.count }
  while next != end {
    let i = next.unsafelyUnwrapped.pointee
    next = next.unsafelyUnwrapped + 1
    switch i.operation {
    case 0: each1(i, r, width) { a in Unary.negate.value(a) }
    case 1: each1(i, r, width) { a in Unary.absolute.value(a) }
    case 2: each1(i, r, width) { a in Unary.sign.value(a) }
    case 3: each1(i, r, width) { a in Unary.floor.value(a) }
    case 4: each1(i, r, width) { a in Unary.ceiling.value(a) }
    case 5: each1(i, r, width) { a in Unary.round.value(a) }
    case 6: each1(i, r, width) { a in Unary.truncate.value(a) }
    case 7: each1(i, r, width) { a in Unary.square.value(a) }
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
    case 64: each2(i, r, width) { a, b in Binary.add.value(a, b) }
    case 65: each2(i, r, width) { a, b in Binary.subtract.value(a, b) }
    case 66: each2(i, r, width) { a, b in Binary.multiply.value(a, b) }
    case 67: each2(i, r, width) { a, b in Binary.divide.value(a, b) }
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
    case RegisterOperation.multiplyAdd: each3(i, r, width) { a, b, c in L.multiplyAdd(a, b, c) }
    case RegisterOperation.multiplySubtract: each3(i, r, width) { a, b, c in L.multiplyAdd(a, b, -c) }
    case RegisterOperation.subtractProduct: each3(i, r, width) { a, b, c in L.multiplyAdd(-a, b, c) }
    default: each1(i, r, width) { a in L.one.replacing(with: L.zero, where: a .== L.zero) }
    }
  }
}
@inline(__always)
private func each1<L, R: RegisterFile>(_ i: Instruction, _ r: R, _ width: Int, _ body: (L) -> L)
where R.L == L {
  let (t, a) = (r(i.target), r(i.a))
  var k = 0
  repeat {
    t[k] = body(a[k])
    k &+= 1
  } while k < width
}
@inline(__always)
private func each2<L, R: RegisterFile>(_ i: Instruction, _ r: R, _ width: Int, _ body: (L, L) -> L)
where R.L == L {
  let (t, a, b) = (r(i.target), r(i.a), r(i.b))
  var k = 0
  repeat {
    t[k] = body(a[k], b[k])
    k &+= 1
  } while k < width
}
@inline(__always)
private func each3<L, R: RegisterFile>(_ i: Instruction, _ r: R, _ width: Int, _ body: (L, L, L) -> L)
where R.L == L {
  let (t, a, b, c) = (r(i.target), r(i.a), r(i.b), r(i.c))
  var k = 0
  repeat {
    t[k] = body(a[k], b[k], c[k])
    k &+= 1
  } while k < width
}
