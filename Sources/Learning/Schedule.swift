public import Autodiff

/// A number that changes as training goes on: the learning rate of an optimiser.
///
/// It is computed from the number of the step by tensor functions, so that a compiled training step need not be
/// compiled anew.
public struct Schedule: Sendable {
  private let value: @Sendable (Tensor) -> Tensor

  /// A schedule from a function of the step's number, a `float64` scalar that counts from zero.
  public init(_ value: @escaping @Sendable (_ step: Tensor) -> Tensor) { self.value = value }

  /// The number for a step, a `float64` scalar.
  public func callAsFunction(_ step: Tensor) -> Tensor { value(step.converted(to: .float64)) }
  /// The number for a step.
  public func callAsFunction(_ step: Int) -> Double { value(Tensor(Double(step))).scalar }

  /// Always the same.
  public static func constant(_ rate: Double) -> Schedule { Schedule { _ in Tensor(rate) } }

  /// `initial` times `factor` to the power of `step / interval`; in stairs, that power rounded down.
  public static func exponentialDecay(
    from initial: Double, factor: Double, every interval: Int, isStaircase: Bool = false
  ) -> Schedule {
    Schedule { step in
      let progress = step / Double(interval)
      return pow(factor, isStaircase ? floor(progress) : progress) * initial
    }
  }

  /// Half a period of a cosine from `initial` down to `final` within a number of steps, constant afterwards
  /// (Loshchilov and Hutter 2017).
  public static func cosineDecay(from initial: Double, to final: Double = 0, steps: Int) -> Schedule {
    Schedule { step in
      let progress = minimum(step / Double(steps), 1.0)
      return (cos(progress * Double.pi) + 1.0) * (0.5 * (initial - final)) + final
    }
  }

  /// `rates[k]` from step `boundaries[k − 1]` up to `boundaries[k]`, one rate more than boundaries.
  public static func piecewise(_ rates: [Double], boundaries: [Int]) -> Schedule {
    precondition(rates.count == boundaries.count + 1, "there is one rate more than boundaries")
    return Schedule { step in
      var result = Tensor(rates[0])
      for (boundary, rate) in zip(boundaries, rates.dropFirst()) {
        result = select(step .>= Double(boundary), Tensor(rate), result)
      }
      return result
    }
  }

  /// This schedule after a number of steps in which the rate rises evenly from zero to the schedule's first.
  public func warmedUp(steps: Int) -> Schedule {
    let later = self
    return Schedule { step in
      let start = later(Tensor(0.0)) * (step / Double(max(steps, 1)))
      return select(step .< Double(steps), start, later(maximum(step - Double(steps), 0.0)))
    }
  }
}

extension Schedule: ExpressibleByFloatLiteral {
  /// Always the same.
  public init(floatLiteral rate: Double) { self = .constant(rate) }
}
