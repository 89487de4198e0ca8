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
  /// Lane groups per register: at least the smaller number, so that an instruction's work is longer than finding it,
  /// even if a large register file leaves the first-level cache; at most the larger one.
  private static let widths = 8...32

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

  /// Runs once for each lane of a range, in groups; all arrays but those of truth values are of one element type.
  func run(
    lanes: Range<Int>, inputs: UnsafePointer<LaneArray>, outputs: UnsafePointer<LaneArray>,
    isSingle: Bool = false
  ) {
    if isSingle {
      run(lanes, inputs, outputs, execute: runSingleGroups)
    } else {
      run(lanes, inputs, outputs, execute: runGroups)
    }
  }

  @inline(__always)
  private func run<L: ElementLane>(
    _ lanes: Range<Int>, _ inputs: UnsafePointer<LaneArray>, _ outputs: UnsafePointer<LaneArray>,
    execute: (UnsafeBufferPointer<Instruction>, UnsafeMutablePointer<L>, Int) -> Void
  ) where L.Scalar: LaneScalar {
    let group = L.laneCount
    let isContiguous = loadRuns.allSatisfy { inputs[Int($0.array)].laneStride <= 1 }
    // As many lane groups per register as keep the register file in the first-level cache. Contiguous arrays are often
    // larger than the caches: short blocks let the next one's numbers arrive during the arithmetic of this one.
    let fitting = isContiguous ? Self.widths.lowerBound : 24_000 / (64 * max(registerCount, 1))
    let width = min(
      max(Self.widths.lowerBound, min(Self.widths.upperBound, fitting)), (lanes.count + group - 1) / group)
    withUnsafeTemporaryAllocation(
      byteCount: max(registerCount, 1) * width * 64, alignment: 64
    ) { buffer in
      let registers = buffer.baseAddress!.assumingMemoryBound(to: L.self)
      for (index, value) in constants.enumerated() {
        for k in 0..<width { registers[index * width + k] = L(value) }
      }
      var lane = lanes.lowerBound
      while lane < lanes.upperBound {
        let count = min(group * width, lanes.upperBound - lane)
        for run in loadRuns { load(run, inputs[Int(run.array)], lane, count, registers, width) }
        execute(instructions, registers, width)
        for run in storeRuns { store(run, outputs[Int(run.array)], lane, count, registers, width) }
        lane += count
      }
    }
  }

  @inline(__always)
  private func load<L: ElementLane>(
    _ run: Run, _ array: LaneArray, _ lane: Int, _ count: Int, _ registers: UnsafeMutablePointer<L>,
    _ width: Int
  ) where L.Scalar: LaneScalar {
    let first = loads[run.places.lowerBound]
    guard run.places.count > 1, array.laneStride > 1, !array.isBool else {
      for place in run.places {
        array.load(Int(loads[place].element), lane, count, registers + Int(loads[place].register) &* width)
      }
      return
    }
    let target = UnsafeMutableRawPointer(registers + Int(first.register) &* width).assumingMemoryBound(
      to: L.Scalar.self)
    let stride = width &* L.laneCount
    L.Scalar.transpose(
      array.base.assumingMemoryBound(to: L.Scalar.self) + (lane &* array.laneStride &+ Int(first.element)),
      rows: count, columns: run.places.count, stride: array.laneStride, into: target, stride: stride)
    for k in 0..<run.places.count { array.pad(target + k &* stride, count, to: L.laneCount) }
  }

  @inline(__always)
  private func store<L: ElementLane>(
    _ run: Run, _ array: LaneArray, _ lane: Int, _ count: Int, _ registers: UnsafeMutablePointer<L>,
    _ width: Int
  ) where L.Scalar: LaneScalar {
    guard L.Scalar.self == Double.self, run.places.count > 1, array.laneStride > 1, !array.isBool else {
      for place in run.places {
        array.store(
          Int(stores[place].element), lane, count, registers + Int(stores[place].register) &* width)
      }
      return
    }
    withUnsafeTemporaryAllocation(of: UnsafePointer<Double>?.self, capacity: run.places.count) { columns in
      for (k, place) in run.places.enumerated() {
        columns[k] = UnsafeRawPointer(registers + Int(stores[place].register) &* width).assumingMemoryBound(
          to: Double.self)
      }
      interleave(
        UnsafeBufferPointer(columns), count: count,
        into: array.base.assumingMemoryBound(to: Double.self)
          + (lane &* array.laneStride &+ Int(stores[run.places.lowerBound].element)),
        stride: array.laneStride)
    }
  }
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
  /// Lanes past the last of `count` get copies of it.
  @inline(__always) func pad<S: LaneScalar>(_ numbers: UnsafeMutablePointer<S>, _ count: Int, to group: Int) {
    var k = count
    while k % group != 0 {
      numbers[k] = numbers[count &- 1]
      k &+= 1
    }
  }
  /// One element of `count` runs from `lane` on.
  @inline(__always)
  func load<L: ElementLane>(_ element: Int, _ lane: Int, _ count: Int, _ target: UnsafeMutablePointer<L>)
  where L.Scalar: LaneScalar {
    if laneStride == 0 {
      let value = L(broadcasting: read(element))
      for k in 0..<(count + L.laneCount - 1) / L.laneCount { target[k] = value }
      return
    }
    let numbers = UnsafeMutableRawPointer(target).assumingMemoryBound(to: L.Scalar.self)
    if !isBool && laneStride == 1 {
      numbers.update(from: base.assumingMemoryBound(to: L.Scalar.self) + (lane &+ element), count: count)
    } else {
      for k in 0..<count { numbers[k] = read((lane &+ k) &* laneStride &+ element) }
    }
    pad(numbers, count, to: L.laneCount)
  }
  @inline(__always)
  func store<L: ElementLane>(
    _ element: Int, _ lane: Int, _ count: Int, _ source: UnsafeMutablePointer<L>
  ) where L.Scalar: LaneScalar {
    let numbers = UnsafeMutableRawPointer(source).assumingMemoryBound(to: L.Scalar.self)
    if isBool || laneStride != 1 {
      for k in 0..<count { write(numbers[k], (lane &+ k) &* laneStride &+ element) }
      return
    }
    let target = base.assumingMemoryBound(to: L.Scalar.self) + (lane &+ element)
    target.update(from: numbers, count: count)
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
private func runSingleGroups(
  _ code: UnsafeBufferPointer<Instruction>, _ r: UnsafeMutablePointer<SIMD16<Float>>, _ width: Int
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
