/// Threefry-2x32 with 20 rounds: a bijection of 64 bits for each 64-bit key, passing BigCrush.
///
/// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The same function as JAX's
/// default generator.
@inline(__always)
func threefry(key: (UInt32, UInt32), counter: (UInt32, UInt32)) -> (UInt32, UInt32) {
  let rotations: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
    13, 15, 26, 6, 17, 29, 16, 24
  )
  let third = key.0 ^ key.1 ^ 0x1BD1_1BDA
  var x = counter.0 &+ key.0
  var y = counter.1 &+ key.1
  @inline(__always) func round(_ r: UInt32) {
    x = x &+ y
    y = (y << r) | (y >> (32 &- r))
    y ^= x
  }
  @inline(__always) func even() {
    round(rotations.0)
    round(rotations.1)
    round(rotations.2)
    round(rotations.3)
  }
  @inline(__always) func odd() {
    round(rotations.4)
    round(rotations.5)
    round(rotations.6)
    round(rotations.7)
  }
  even()
  x = x &+ key.1
  y = y &+ third &+ 1
  odd()
  x = x &+ third
  y = y &+ key.0 &+ 2
  even()
  x = x &+ key.0
  y = y &+ key.1 &+ 3
  odd()
  x = x &+ key.1
  y = y &+ third &+ 4
  even()
  x = x &+ third
  y = y &+ key.0 &+ 5
  return (x, y)
}

/// Random bits from keys: `int32[…, 2]` to `int32[…] + shape`. Number k of a key's numbers is a function of the key and k alone.
package struct RandomBits: Primitive {
  let shape: [Int]
  package var name: String { "randomBits" }
  package var attributes: String { "shape: \(shape)" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0].elementType == .int32, operands[0].shape.last == 2, shape.allSatisfy({ $0 >= 0 }) else {
      throw TensorError(.shape, name, "a key has the type int32[2], not \(operands[0])")
    }
    return [TensorType(.int32, operands[0].shape.dropLast() + shape)]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let result = DenseArray(uninitialized: try resultTypes(operands.map(\.type))[0])
    let keys = operands[0].contiguous()
    defer { withExtendedLifetime(keys) {} }
    let count = shape.elementCount
    let (from, to) = (keys.pointer(UInt32.self), result.pointer(UInt32.self))
    for k in 0..<keys.count / 2 {
      let key = (from[2 * k], from[2 * k + 1])
      for pair in 0..<(count + 1) / 2 {
        let (x, y) = threefry(
          key: key, counter: (UInt32(truncatingIfNeeded: pair >> 32), UInt32(truncatingIfNeeded: pair)))
        to[k * count + 2 * pair] = x
        if 2 * pair + 1 < count { to[k * count + 2 * pair + 1] = y }
      }
    }
    return [result]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(self, operands), isBatched)
  }
}

/// Random bits to numbers in [0, 1), multiples of 2⁻⁵³ (or 2⁻²⁴ in single precision). Operand: `int32[…, 2]` or `int32[…, 1]`.
package struct UnitInterval: Primitive {
  let elementType: ElementType
  package var name: String { "unitInterval" }
  package var attributes: String { "\(elementType)" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0].elementType == .int32, operands[0].shape.last == 2, elementType.isFloatingPoint else {
      throw TensorError(
        .elementType, name, "makes floating-point numbers of pairs of int32, not of \(operands[0])")
    }
    return [TensorType(elementType, operands[0].shape.dropLast())]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let result = DenseArray(uninitialized: try resultTypes(operands.map(\.type))[0])
    let bits = operands[0].contiguous()
    defer { withExtendedLifetime(bits) {} }
    let words = bits.pointer(UInt32.self)
    for k in 0..<result.count {
      let word = UInt64(words[2 * k]) << 32 | UInt64(words[2 * k + 1])
      if elementType == .float64 {
        result.pointer(Double.self)[k] = Double(word >> 11) * 0x1p-53
      } else {
        result.pointer(Float.self)[k] = Float(word >> 40) * 0x1p-24
      }
    }
    return [result]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(self, operands), isBatched)
  }
}
