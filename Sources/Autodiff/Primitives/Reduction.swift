import Lanes

/// The sum, maximum or minimum over some axes, which disappear.
package struct Reduction: Primitive {
  package enum Kind: UInt8, Sendable { case sum, maximum, minimum }
  let kind: Kind
  let axes: [Int]

  package var name: String { "\(kind)" }
  package var attributes: String { "axes: \(axes)" }
  package var zeroPattern: ZeroPattern { kind == .sum ? .structural : .none }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let type = operands[0]
    guard type.elementType != .bool else {
      throw TensorError(.elementType, name, "is not defined for bool; use any, all or converted(to:)")
    }
    guard Set(axes).count == axes.count, axes.allSatisfy(type.shape.indices.contains) else {
      throw TensorError(.range, name, "\(axes) are not distinct axes of the shape \(type.shape)")
    }
    if kind != .sum && axes.contains(where: { type.shape[$0] == 0 }) {
      throw TensorError(.shape, name, "an empty axis of the shape \(type.shape) has no extremum")
    }
    return [
      TensorType(type.elementType, type.shape.indices.filter { !axes.contains($0) }.map { type.shape[$0] })
    ]
  }

  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let x = operands[0]
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let result = DenseArray(uninitialized: x.elementType, kept.map { x.shape[$0] })
    switch x.elementType {
    case .float64: reduce(x, into: result, kept, Double.self, lowest: -.infinity, highest: .infinity)
    case .float32: reduce(x, into: result, kept, Float.self, lowest: -.infinity, highest: .infinity)
    case .int32: reduce(x, into: result, kept, Int32.self, lowest: .min, highest: .max)
    case .bool: preconditionFailure("the result type of \(name) excludes bool")
    }
    return [result]
  }

  private func reduce<T: Numeric & Comparable & BitwiseCopyable>(
    _ x: DenseArray, into result: DenseArray, _ kept: [Int], _ type: T.Type, lowest: T, highest: T
  ) {
    let start: T =
      switch kind {
      case .sum: 0
      case .maximum: lowest
      case .minimum: highest
      }
    let out = result.pointer(T.self)
    out.update(repeating: start, count: result.count)
    // The result seen with the operand's shape: it does not move along reduced axes.
    var steps = [Int](repeating: 0, count: x.rank)
    for (k, axis) in kept.enumerated() { steps[axis] = result.strides[k] }
    let last = x.shape.lastIndex { $0 != 1 } ?? 0
    let source = x.rank == 0 || x.strides[last] == 1 || x.strides[last] == 0 ? x : x.contiguous()
    defer { withExtendedLifetime(source) {} }
    let base = source.pointer(T.self)
    forEachRow(shape: source.shape, strides: [source.strides, steps]) { length, steps, places in
      combine(base + places[0], steps[0], out + places[1], steps[1], length)
    }
  }
  @specialized(where T == Double)
  @specialized(where T == Float)
  @specialized(where T == Int32)
  private func combine<T: Numeric & Comparable & BitwiseCopyable>(
    _ x: UnsafePointer<T>, _ xStep: Int, _ y: UnsafeMutablePointer<T>, _ yStep: Int, _ length: Int
  ) {
    switch kind {
    case .sum:
      if yStep == 0 {
        if xStep == 1 {
          y.pointee += rowSum(x, length)
        } else {
          for k in 0..<length { y.pointee += x[k &* xStep] }
        }
      } else {
        for k in 0..<length { y[k &* yStep] += x[k &* xStep] }
      }
    // A NaN is the result wherever it occurs.
    case .maximum:
      for k in 0..<length {
        let (p, q) = (y[k &* yStep], x[k &* xStep])
        y[k &* yStep] = q <= p || p != p ? p : q
      }
    case .minimum:
      for k in 0..<length {
        let (p, q) = (y[k &* yStep], x[k &* xStep])
        y[k &* yStep] = p <= q || p != p ? p : q
      }
    }
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let x = primals[0]
    let result = bind1(self, x)
    guard let t = tangents[0] else { return ([result], [nil]) }
    if kind == .sum { return ([result], [bind1(self, t)]) }
    // The tangent at the extremum; the mean of the tangents where several elements share it.
    let isExtreme = (x .== result.broadcast(to: x.shape, axes: x.shape.indices.filter { !axes.contains($0) }))
      .converted(to: x.elementType)
    let weight = isExtreme.sum(axes: axes)
    return ([result], [(t * isExtreme).sum(axes: axes) / weight])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard kind == .sum else { throw TensorError(.unsupportedDerivative, name, "is not linear") }
    let shape = operands[0].type.shape
    return [cotangents[0].map { $0.broadcast(to: shape, axes: shape.indices.filter { !axes.contains($0) }) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(Reduction(kind: kind, axes: axes.map { $0 + 1 }), operands), [true]) }
}

/// The sum of a run, with 32 partial sums: as fast as memory, and its rounding error grows with n / 32.
@inline(__always) private func rowSum<T: Numeric & BitwiseCopyable>(_ x: UnsafePointer<T>, _ count: Int) -> T
{
  var total: T = 0
  var k = 0
  if count >= 64 {
    withUnsafeTemporaryAllocation(of: T.self, capacity: 32) { partial in
      for lane in 0..<32 { partial[lane] = x[lane] }
      k = 32
      while k &+ 32 <= count {
        for lane in 0..<32 { partial[lane] += x[k &+ lane] }
        k &+= 32
      }
      var width = 16
      while width > 0 {
        for lane in 0..<width { partial[lane] += partial[lane &+ width] }
        width /= 2
      }
      total = partial[0]
    }
  }
  while k < count {
    total += x[k]
    k &+= 1
  }
  return total
}
