/// Errors in units of the tolerances.
struct ErrorScale {
  let relativeTolerance: Double
  let tolerances: [Double]

  /// The root of the mean square, beside the larger of two states.
  func norm(
    _ values: UnsafePointer<Double>, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>
  ) -> Double {
    var sum = 0.0
    for c in tolerances.indices {
      let ratio = values[c] / (tolerances[c] + relativeTolerance * max(a[c].magnitude, b[c].magnitude))
      sum += ratio * ratio
    }
    return (sum / Double(tolerances.count)).squareRoot()
  }

  /// The component with the largest error, or the first whose error is not finite.
  func worst(_ values: UnsafePointer<Double>, _ state: UnsafePointer<Double>) -> Int {
    var (worst, place) = (-1.0, 0)
    for c in tolerances.indices {
      let ratio = values[c].magnitude / (tolerances[c] + relativeTolerance * state[c].magnitude)
      if !ratio.isFinite { return c }
      if ratio > worst { (worst, place) = (ratio, c) }
    }
    return place
  }
}

/// Whether corrections of a state, the sum of others and of h times rates, are such as rounding makes: Newton's method has then come as
/// near as it can, however small the tolerances are.
func areRounding(
  _ corrections: UnsafePointer<Double>, _ state: UnsafePointer<Double>, _ rates: UnsafePointer<Double>,
  _ h: Double, count: Int
) -> Bool {
  (0..<count).allSatisfy {
    corrections[$0].magnitude
      <= 16 * Double.ulpOfOne * max(state[$0].magnitude, (h * rates[$0]).magnitude)
  }
}

extension RateFunctions where L == Double {
  /// The entries of ∂f/∂y; without a program for it row i is the pullback of the i-th unit vector.
  /// - Parameters:
  ///   - unit: scratch for a state.
  ///   - none: scratch for parameters.
  func setJacobian(
    _ time: UnsafePointer<Double>, _ state: UnsafePointer<Double>, _ matrix: UnsafeMutablePointer<Double>,
    unit: UnsafeMutablePointer<Double>, none: UnsafeMutablePointer<Double>
  ) {
    if let jacobian { return jacobian(time, state, matrix) }
    for i in 0..<stateCount {
      for k in 0..<stateCount { unit[k] = k == i ? 1 : 0 }
      pullback(time, state, unit, matrix + i * stateCount, none)
    }
  }
}
