import Foundation
import Lanes

/// A lane type that elementwise kernels run on.
protocol ElementLane: Lane, BitwiseCopyable {
  var roundedDown: Self { get }
  var roundedUp: Self { get }
  var roundedToEven: Self { get }
  var truncated: Self { get }
}
extension ElementLane {
  /// A function applied to each lane in double precision, for functions that have no vector form.
  @inline(__always) func mapped(_ function: (Double) -> Double) -> Self {
    var result = self
    for k in 0..<Self.laneCount { result[lane: k] = Scalar(function(Double(self[lane: k]))) }
    return result
  }
  @inline(__always) static func mapped(_ a: Self, _ b: Self, _ function: (Double, Double) -> Double) -> Self {
    var result = a
    for k in 0..<laneCount { result[lane: k] = Scalar(function(Double(a[lane: k]), Double(b[lane: k]))) }
    return result
  }
  @inline(__always) static func load(_ pointer: UnsafePointer<Scalar>) -> Self {
    UnsafeRawPointer(pointer).loadUnaligned(as: Self.self)
  }
  @inline(__always) func store(_ pointer: UnsafeMutablePointer<Scalar>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: self, as: Self.self)
  }
  /// Truth as the number one, falsehood as zero.
  @inline(__always) static func number(_ mask: Mask) -> Self { zero.replacing(with: one, where: mask) }
}

extension Double: ElementLane {
  @inline(__always) var roundedDown: Double { rounded(.down) }
  @inline(__always) var roundedUp: Double { rounded(.up) }
  @inline(__always) var roundedToEven: Double { rounded(.toNearestOrEven) }
  @inline(__always) var truncated: Double { rounded(.towardZero) }
}
extension SIMD8<Double>: ElementLane {
  @inline(__always) var roundedDown: Self { rounded(.down) }
  @inline(__always) var roundedUp: Self { rounded(.up) }
  @inline(__always) var roundedToEven: Self { rounded(.toNearestOrEven) }
  @inline(__always) var truncated: Self { rounded(.towardZero) }
}
extension SIMD16<Float>: ElementLane {
  @inline(__always) var roundedDown: Self { rounded(.down) }
  @inline(__always) var roundedUp: Self { rounded(.up) }
  @inline(__always) var roundedToEven: Self { rounded(.toNearestOrEven) }
  @inline(__always) var truncated: Self { rounded(.towardZero) }
}
