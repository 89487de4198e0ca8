import Autodiff
import TestSupport

/// A function and the range its arguments are drawn from.
struct DerivativeCase: Sendable, CustomStringConvertible {
  var name: String
  var shapes: [[Int]]
  var range: ClosedRange<Double>
  var laws: GradientLaws
  /// Whether the function brings double-precision numbers of its own, so that it has no single-precision form.
  var holdsDoubles: Bool
  var function: @Sendable ([Tensor]) throws -> Tensor

  init(
    _ name: String, _ shapes: [[Int]], in range: ClosedRange<Double> = -1...1,
    laws: GradientLaws = GradientLaws(), holdsDoubles: Bool = false,
    _ function: @escaping @Sendable ([Tensor]) throws -> Tensor
  ) {
    self.name = name
    self.shapes = shapes
    self.range = range
    self.laws = laws
    self.holdsDoubles = holdsDoubles
    self.function = function
  }
  var description: String { name }

  func violations(seed: UInt64 = 1) throws -> [String] {
    try laws.violations(of: function, at: point(seed: seed), seed: seed)
  }
  func point(seed: UInt64 = 1) -> [Tensor] {
    var random = SeededRandom(seed: seed &+ 77)
    return shapes.map {
      Tensor(random.uniform(range.lowerBound, range.upperBound, count: $0.reduce(1, *)), shape: $0)
    }
  }
}
