import CLanes

/// A precision in which batches are computed: `Double` or `Float`.
public protocol LaneScalar: BinaryFloatingPoint, SIMDScalar, Codable, Sendable {
  /// What a batch of worlds is computed in, and what a single world is.
  associatedtype Group: Lane where Group.Scalar == Self
  associatedtype Single: Lane where Single.Scalar == Self

  /// `target[c * targetStride + r] = source[r * sourceStride + c]` for all `r < rows` and `c < columns`:
  /// spreads rows of one world each over lanes, or collects them from lanes. The two must not overlap.
  static func transpose(
    _ source: UnsafePointer<Self>, rows: Int, columns: Int, stride sourceStride: Int,
    into target: UnsafeMutablePointer<Self>, stride targetStride: Int)
}

extension Double: LaneScalar {
  /// Eight worlds.
  public typealias Group = SIMD8<Double>
  /// One world.
  public typealias Single = Double

  /// Spreads rows of one world each over lanes, or collects them from lanes.
  @inline(__always)
  public static func transpose(
    _ source: UnsafePointer<Double>, rows: Int, columns: Int, stride sourceStride: Int,
    into target: UnsafeMutablePointer<Double>, stride targetStride: Int
  ) {
    costate_transpose_d(source, rows, columns, sourceStride, target, targetStride)
  }
}

extension Float: LaneScalar {
  /// Sixteen worlds.
  public typealias Group = SIMD16<Float>
  /// One world in a group of sixteen: single precision has no kernels of its own for one world.
  public typealias Single = SIMD16<Float>

  /// Spreads rows of one world each over lanes, or collects them from lanes.
  @inline(__always)
  public static func transpose(
    _ source: UnsafePointer<Float>, rows: Int, columns: Int, stride sourceStride: Int,
    into target: UnsafeMutablePointer<Float>, stride targetStride: Int
  ) {
    costate_transpose_f(source, rows, columns, sourceStride, target, targetStride)
  }
}
