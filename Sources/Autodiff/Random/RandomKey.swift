/// A key for random numbers: the same key gives the same numbers, on every machine, in every order, traced or not.
///
/// There is no hidden state. Split a key before each use:
///
/// ```swift
/// let (a, b) = RandomKey(seed: 0).split()
/// let noise = a.normal([3])
/// let moreNoise = b.normal([3])
/// ```
///
/// A key is a tree of tensors, so that a function may take keys as arguments, a `scan` carry one along, and `vmap` run over a
/// stack of them.
public struct RandomKey: TensorTree, Sendable {
  /// The key's 64 bits, as `int32[2]`; with leading axes, a stack of keys.
  public var bits: Tensor

  /// The key that belongs to a seed.
  public init(seed: UInt64) {
    bits = Tensor([Int32(truncatingIfNeeded: seed >> 32), Int32(truncatingIfNeeded: seed)])
  }
  /// A key, or a stack of keys, from its bits.
  public init(bits: Tensor) { self.bits = bits }

  /// Two independent keys.
  public func split() -> (RandomKey, RandomKey) {
    let parts = split(2)
    return (RandomKey(bits: parts.bits[0]), RandomKey(bits: parts.bits[1]))
  }
  /// A stack of independent keys, along axis 0 of ``bits``.
  public func split(_ count: Int) -> RandomKey {
    RandomKey(bits: bind1(RandomBits(shape: [count, 2]), bits))
  }
  /// The key for a number, of a step for example.
  public func folding(_ number: Tensor) -> RandomKey {
    let mixed = concatenate([bits[1..<2] + number.converted(to: .int32).reshaped([1]), bits[0..<1]])
    return RandomKey(bits: bind1(RandomBits(shape: [2]), mixed))
  }

  /// Independent numbers, evenly distributed in [`lower`, `upper`).
  public func uniform(
    _ shape: [Int] = [], from lower: Double = 0, to upper: Double = 1, type: ElementType = .float64
  ) -> Tensor {
    let unit = bind1(UnitInterval(elementType: type), bind1(RandomBits(shape: shape + [2]), bits))
    return lower == 0 && upper == 1 ? unit : unit * (upper - lower) + lower
  }
  /// Independent numbers, normally distributed with mean zero and variance one (Box and Muller's method).
  public func normal(_ shape: [Int] = [], type: ElementType = .float64) -> Tensor {
    let unit = bind1(UnitInterval(elementType: type), bind1(RandomBits(shape: [2] + shape + [2]), bits))
    // 1 − u is never zero.
    let radius = sqrt(-2.0 * log(1.0 - unit[0]))
    return radius * cos(unit[1] * (2 * Double.pi))
  }
  /// Independent integers in `lower..<upper`, as `int32`. The bias is below (upper − lower) / 2⁵³.
  public func integers(_ shape: [Int] = [], from lower: Int, to upper: Int) -> Tensor {
    guard lower < upper else {
      return TensorError(.range, "integers", "the range \(lower)..<\(upper) is empty").report()
    }
    return floor(uniform(shape, from: Double(lower), to: Double(upper))).converted(to: .int32)
  }
  /// Independent truth values, true with a probability.
  public func bernoulli(_ probability: Double = 0.5, _ shape: [Int] = []) -> Tensor {
    uniform(shape) .< probability
  }
  /// A random order of 0..<count, as `int32`.
  public func permutation(_ count: Int) -> Tensor { uniform([count]).argumentSorted() }
  /// Independent places of a categorical distribution with these unnormalised log probabilities along the last axis.
  public func categorical(logits: Tensor) -> Tensor {
    let gumbel = -log(-log(1.0 - uniform(logits.shape)))
    return (logits + gumbel).argumentMaximum(axis: -1)
  }
}
