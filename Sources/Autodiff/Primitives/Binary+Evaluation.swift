import Foundation
import Lanes

extension Binary {
  /// The function of one lane group.
  @inline(__always) func value<L: ElementLane>(_ a: L, _ b: L) -> L {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .power: L.power(a, b)
    case .arcTangent2: L.arcTangent(y: a, x: b)
    // NaN in either operand is the result.
    case .minimum: select((a .<= b) .| .!(a .== a), a, b)
    case .maximum: select((b .<= a) .| .!(a .== a), a, b)
    case .remainder: a - (a / b).roundedDown * b
    }
  }

  func evaluate(_ a: DenseArray, _ b: DenseArray) -> DenseArray {
    if a.isUniform && b.isUniform && a.count > 1 {
      return evaluate(a.view([], strides: []), b.view([], strides: [])).broadcast(to: a.shape, axes: [])
    }
    let result = DenseArray(uninitialized: a.type)
    forEachPair(a, b) { x, y, place, length in
      switch a.elementType {
      case .float64:
        run(
          SIMD8<Double>.self, x.0.assumingMemoryBound(to: Double.self), x.1,
          y.0.assumingMemoryBound(to: Double.self), y.1, result.pointer(Double.self) + place, count: length)
      case .float32:
        run(
          SIMD16<Float>.self, x.0.assumingMemoryBound(to: Float.self), x.1,
          y.0.assumingMemoryBound(to: Float.self), y.1, result.pointer(Float.self) + place, count: length)
      case .int32:
        evaluateIntegers(
          x.0.assumingMemoryBound(to: Int32.self), x.1, y.0.assumingMemoryBound(to: Int32.self), y.1,
          result.pointer(Int32.self) + place, count: length)
      case .bool: preconditionFailure("the result type of \(name) excludes bool")
      }
    }
    return result
  }

  private func evaluateIntegers(
    _ a: UnsafePointer<Int32>, _ aStep: Int, _ b: UnsafePointer<Int32>, _ bStep: Int,
    _ y: UnsafeMutablePointer<Int32>, count: Int
  ) {
    for k in 0..<count {
      let (p, q) = (a[k &* aStep], b[k &* bStep])
      switch self {
      case .add: y[k] = p &+ q
      case .subtract: y[k] = p &- q
      case .multiply: y[k] = p &* q
      case .minimum: y[k] = min(p, q)
      case .maximum: y[k] = max(p, q)
      case .remainder:
        // As NumPy, x mod 0 is 0.
        let r = q == 0 || q == -1 ? 0 : p % q
        y[k] = r != 0 && (r < 0) != (q < 0) ? r + q : r
      case .divide, .power, .arcTangent2: preconditionFailure("the result type of \(name) excludes integers")
      }
    }
  }

  /// One loop per function. Steps are 0 or 1.
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func run<L: ElementLane>(
    _ lane: L.Type, _ a: UnsafePointer<L.Scalar>, _ aStep: Int, _ b: UnsafePointer<L.Scalar>, _ bStep: Int,
    _ y: UnsafeMutablePointer<L.Scalar>, count: Int
  ) {
    switch self {
    case .add: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.add.value(p, q) }
    case .subtract: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.subtract.value(p, q) }
    case .multiply: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.multiply.value(p, q) }
    case .divide: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.divide.value(p, q) }
    case .power: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.power.value(p, q) }
    case .arcTangent2:
      binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.arcTangent2.value(p, q) }
    case .minimum: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.minimum.value(p, q) }
    case .maximum: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.maximum.value(p, q) }
    case .remainder: binaryLoop(a, aStep, b, bStep, y, count) { (p: L, q: L) in Binary.remainder.value(p, q) }
    }
  }
}

/// Visits two arrays of one shape in runs along which each is contiguous (step 1) or constant (step 0).
func forEachPair(
  _ a: DenseArray, _ b: DenseArray,
  _ body: ((UnsafeMutableRawPointer, Int), (UnsafeMutableRawPointer, Int), Int, Int) -> Void
) {
  let size = a.elementType.byteCount
  let bSize = b.elementType.byteCount
  if a.isContiguous && b.isContiguous {
    body((a.buffer.base + a.offset * size, 1), (b.buffer.base + b.offset * bSize, 1), 0, a.count)
    return
  }
  var x = a
  var y = b
  var place = 0
  // Short or uneven rows cost more than a copy does.
  if !isRowwise(x, y) {
    x = x.isUniform ? x : x.contiguous()
    y = y.isUniform ? y : y.contiguous()
  }
  defer { withExtendedLifetime((x, y)) {} }
  let xBase = x.buffer.base + x.offset * size
  let yBase = y.buffer.base + y.offset * bSize
  forEachRow(shape: x.shape, strides: [x.strides, y.strides]) { length, steps, places in
    body((xBase + places[0] * size, steps[0]), (yBase + places[1] * bSize, steps[1]), place, length)
    place += length
  }
}
private func isRowwise(_ a: DenseArray, _ b: DenseArray) -> Bool {
  guard let last = a.shape.lastIndex(where: { $0 != 1 }) else { return true }
  let steps = [a.strides[last], b.strides[last]]
  return a.shape[last] >= 16 && steps.allSatisfy { $0 == 0 || $0 == 1 }
}

/// Applies a function of two numbers along a run; a step of zero repeats one number.
@inline(__always) func binaryLoop<L: ElementLane>(
  _ a: UnsafePointer<L.Scalar>, _ aStep: Int, _ b: UnsafePointer<L.Scalar>, _ bStep: Int,
  _ y: UnsafeMutablePointer<L.Scalar>, _ count: Int, _ body: (L, L) -> L
) {
  let width = L.laneCount
  var k = 0
  if aStep == 1 && bStep == 1 {
    while k &+ width <= count {
      body(L.load(a + k), L.load(b + k)).store(y + k)
      k &+= width
    }
  } else {
    let first = L(broadcasting: a[0])
    let second = L(broadcasting: b[0])
    while k &+ width <= count {
      body(aStep == 1 ? L.load(a + k) : first, bStep == 1 ? L.load(b + k) : second).store(y + k)
      k &+= width
    }
  }
  if k < count {
    var p = L.one
    var q = L.one
    for lane in 0..<(count &- k) {
      p[lane: lane] = a[(k &+ lane) &* aStep]
      q[lane: lane] = b[(k &+ lane) &* bStep]
    }
    let r = body(p, q)
    for lane in 0..<(count &- k) { y[k &+ lane] = r[lane: lane] }
  }
}
