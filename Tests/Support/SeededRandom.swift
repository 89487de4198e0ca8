/// Random numbers that are the same on every machine (a 64-bit linear congruential generator).
public struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64
  /// The sequence that belongs to a seed.
  public init(seed: UInt64) {
    state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0xD1B5_4A32_D192_ED03
    for _ in 0..<4 { _ = next() }
  }
  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    var x = state
    x ^= x >> 33
    x = x &* 0xFF51_AFD7_ED55_8CCD
    x ^= x >> 33
    return x
  }
  /// A number between two bounds.
  public mutating func uniform(_ lower: Double, _ upper: Double) -> Double {
    lower + (upper - lower) * Double(next() >> 11) / Double(1 << 53)
  }
  /// Several such numbers.
  public mutating func uniform(_ lower: Double, _ upper: Double, count: Int) -> [Double] {
    (0..<count).map { _ in uniform(lower, upper) }
  }
}
