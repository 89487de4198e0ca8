import Autodiff
import TestSupport

/// A function and the range its arguments are drawn from.
struct DerivativeCase: Sendable, CustomStringConvertible {
  var name: String
  var shapes: [[Int]]
  var range: ClosedRange<Double>
  var laws: GradientLaws
  var function: @Sendable ([Tensor]) throws -> Tensor

  init(
    _ name: String, _ shapes: [[Int]], in range: ClosedRange<Double> = -1...1,
    laws: GradientLaws = GradientLaws(),
    _ function: @escaping @Sendable ([Tensor]) throws -> Tensor
  ) {
    self.name = name
    self.shapes = shapes
    self.range = range
    self.laws = laws
    self.function = function
  }
  var description: String { name }

  func violations(seed: UInt64 = 1) throws -> [String] {
    var random = SeededRandom(seed: seed &+ 77)
    let point = shapes.map {
      Tensor(random.uniform(range.lowerBound, range.upperBound, count: $0.reduce(1, *)), shape: $0)
    }
    return try laws.violations(of: function, at: point, seed: seed)
  }
}
