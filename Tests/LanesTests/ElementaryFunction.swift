import Foundation
import Lanes
import TestSupport

/// The elementary functions of ``Lane``, by name.
enum ElementaryFunction: String, CaseIterable {
  case sine, cosine, exponential, naturalLogarithm, hyperbolicTangent, arcCosine, arcTangent, power

  /// The value; functions of one argument ignore the second.
  func callAsFunction<L: Lane>(_ a: L, _ b: L) -> L {
    switch self {
    case .sine: a.sine
    case .cosine: a.cosine
    case .exponential: a.exponential
    case .naturalLogarithm: a.naturalLogarithm
    case .hyperbolicTangent: a.hyperbolicTangent
    case .arcCosine: a.arcCosine
    case .arcTangent: L.arcTangent(y: a, x: b)
    case .power: L.power(a, b)
    }
  }

  /// Values of the mathematics library, for results in single precision.
  func libraryValue(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .sine: sin(a)
    case .cosine: cos(a)
    case .exponential: exp(a)
    case .naturalLogarithm: log(a)
    case .hyperbolicTangent: tanh(a)
    case .arcCosine: acos(a)
    case .arcTangent: atan2(a, b)
    case .power: pow(a, b)
    }
  }

  #if arch(x86_64) && !os(Windows)
    /// Values of the mathematics library in extended precision.
    func extendedValue(_ a: Float80, _ b: Float80) -> Float80 {
      switch self {
      case .sine: sin(a)
      case .cosine: cos(a)
      case .exponential: exp(a)
      case .naturalLogarithm: log(a)
      case .hyperbolicTangent: tanh(a)
      case .arcCosine: acos(a)
      case .arcTangent: atan2(a, b)
      case .power: pow(a, b)
      }
    }
  #endif

  /// Arguments spread over where the function is not trivial, a quarter of them over all finite numbers.
  func arguments<F: BinaryFloatingPoint>(_ type: F.Type, using random: inout SeededRandom) -> (F, F)
  where F.RawSignificand: FixedWidthInteger {
    if random.next() % 4 == 0 { return (random.finiteNumber(F.self), random.finiteNumber(F.self)) }
    let range: ClosedRange<Double> =
      switch self {
      case .sine, .cosine: -1000...1000
      case .exponential: F.self == Float.self ? -104...89 : -746...710
      case .naturalLogarithm: 0...4
      case .hyperbolicTangent: -3...3
      case .arcCosine, .arcTangent: -1...1
      case .power: 0...3
      }
    return (
      F(random.uniform(range.lowerBound, range.upperBound)),
      F(random.uniform(-1, 1) * (self == .power ? 60 : 1))
    )
  }
}
