import Lanes

/// Where an array's numbers for a batch of runs are.
struct LaneArray {
  var base: UnsafeMutableRawPointer
  /// Numbers between neighbouring runs; zero if all share them.
  var laneStride: Int
  /// True for truth values, one byte each.
  var isBool: Bool
}

extension RegisterProgram {
  /// Runs once.
  func run(inputs: UnsafePointer<LaneArray>, outputs: UnsafePointer<LaneArray>) {
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

  /// Runs once for each lane of a range, in groups.
  func run(lanes: Range<Int>, inputs: UnsafePointer<LaneArray>, outputs: UnsafePointer<LaneArray>) {
    // As many lane groups per register as keep the register file in the first-level cache.
    let width = max(1, min(8, 24_000 / (64 * max(registerCount, 1)), (lanes.count + 7) / 8))
    withUnsafeTemporaryAllocation(
      byteCount: max(registerCount, 1) * width * 64, alignment: 64
    ) { buffer in
      let registers = buffer.baseAddress!.assumingMemoryBound(to: SIMD8<Double>.self)
      for (index, value) in constants.enumerated() {
        for k in 0..<width { registers[index * width + k] = SIMD8(repeating: value) }
      }
      var lane = lanes.lowerBound
      while lane < lanes.upperBound {
        let count = min(8 * width, lanes.upperBound - lane)
        for load in loads {
          inputs[Int(load.input)].load(Int(load.element), lane, count, registers + Int(load.register) * width)
        }
        runGroups(instructions, registers, width)
        for store in stores {
          outputs[Int(store.output)].store(
            Int(store.element), lane, count, registers + Int(store.register) * width)
        }
        lane += count
      }
    }
  }
}

extension LaneArray {
  @inline(__always) func read(_ element: Int) -> Double {
    isBool
      ? (base.assumingMemoryBound(to: Bool.self)[element] ? 1 : 0)
      : base.assumingMemoryBound(to: Double.self)[element]
  }
  @inline(__always) func write(_ value: Double, _ element: Int) {
    if isBool {
      base.assumingMemoryBound(to: Bool.self)[element] = value != 0
    } else {
      base.assumingMemoryBound(to: Double.self)[element] = value
    }
  }
  /// One element of `count` runs from `lane` on. Lanes beyond get copies of the last one.
  func load(_ element: Int, _ lane: Int, _ count: Int, _ target: UnsafeMutablePointer<SIMD8<Double>>) {
    let groups = (count + 7) / 8
    let numbers = UnsafeMutableRawPointer(target).assumingMemoryBound(to: Double.self)
    if laneStride == 0 {
      let value = SIMD8(repeating: read(element))
      for k in 0..<groups { target[k] = value }
      return
    }
    if isBool {
      for k in 0..<count { numbers[k] = read((lane &+ k) &* laneStride &+ element) }
    } else {
      let source = base.assumingMemoryBound(to: Double.self) + (lane &* laneStride &+ element)
      if laneStride == 1 {
        numbers.update(from: source, count: count)
      } else {
        var k = 0
        while k &+ 8 <= count {
          let at = source + k &* laneStride
          target[k / 8] = SIMD8(
            at[0], at[laneStride], at[2 &* laneStride], at[3 &* laneStride], at[4 &* laneStride],
            at[5 &* laneStride],
            at[6 &* laneStride], at[7 &* laneStride])
          k &+= 8
        }
        while k < count {
          numbers[k] = source[k &* laneStride]
          k &+= 1
        }
      }
    }
    for k in count..<(8 &* groups) { numbers[k] = numbers[count &- 1] }
  }
  func store(_ element: Int, _ lane: Int, _ count: Int, _ source: UnsafeMutablePointer<SIMD8<Double>>) {
    let numbers = UnsafeMutableRawPointer(source).assumingMemoryBound(to: Double.self)
    if isBool {
      for k in 0..<count { write(numbers[k], (lane &+ k) &* laneStride &+ element) }
      return
    }
    let target = base.assumingMemoryBound(to: Double.self) + (lane &* laneStride &+ element)
    if laneStride == 1 {
      target.update(from: numbers, count: count)
    } else {
      for k in 0..<count { target[k &* laneStride] = numbers[k] }
    }
  }
}

private func runSingle(_ code: UnsafeBufferPointer<Instruction>, _ r: UnsafeMutablePointer<Double>) {
  execute(code, r, 1)
}
private func runGroups(
  _ code: UnsafeBufferPointer<Instruction>, _ r: UnsafeMutablePointer<SIMD8<Double>>, _ width: Int
) {
  execute(code, r, width)
}

/// The interpreter's loop: each instruction for `width` lane groups.
@inline(__always)
private func execute<L: ElementLane>(
  _ code: UnsafeBufferPointer<Instruction>, _ r: UnsafeMutablePointer<L>, _ width: Int
) {
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
private func each1<L>(_ i: Instruction, _ r: UnsafeMutablePointer<L>, _ width: Int, _ body: (L) -> L) {
  let (t, a) = (r + Int(i.target) &* width, r + Int(i.a) &* width)
  var k = 0
  repeat {
    t[k] = body(a[k])
    k &+= 1
  } while k < width
}
@inline(__always)
private func each2<L>(_ i: Instruction, _ r: UnsafeMutablePointer<L>, _ width: Int, _ body: (L, L) -> L) {
  let (t, a, b) = (r + Int(i.target) &* width, r + Int(i.a) &* width, r + Int(i.b) &* width)
  var k = 0
  repeat {
    t[k] = body(a[k], b[k])
    k &+= 1
  } while k < width
}
@inline(__always)
private func each3<L>(_ i: Instruction, _ r: UnsafeMutablePointer<L>, _ width: Int, _ body: (L, L, L) -> L) {
  let (t, a) = (r + Int(i.target) &* width, r + Int(i.a) &* width)
  let (b, c) = (r + Int(i.b) &* width, r + Int(i.c) &* width)
  var k = 0
  repeat {
    t[k] = body(a[k], b[k], c[k])
    k &+= 1
  } while k < width
}
