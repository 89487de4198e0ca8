public import Lanes

/// A precision in which a model can be simulated: `Double` or `Float`.
public protocol SimulationScalar: BinaryFloatingPoint, SIMDScalar, Codable, Sendable {
  /// What a batch of worlds is computed in, and what a single world is.
  associatedtype Group: Lane where Group.Scalar == Self
  associatedtype Single: Lane where Single.Scalar == Self
}

extension Double: SimulationScalar {
  public typealias Group = SIMD8<Double>
  public typealias Single = Double
}

extension Float: SimulationScalar {
  public typealias Group = SIMD16<Float>
  public typealias Single = SIMD16<Float>
}
