/// One step of a backward differentiation formula in the form with fixed leading coefficient, on points at any times.
///
/// With the polynomial P through the k + 1 latest points, the step ends at the solution y of
/// `y − P(t) = h β (f(t, y) − P'(t))`, that is `y − h β f(t, y) = Σ a_i y_(n−i)`, where `1/β = (1 − κ) Σ_(j≤k) 1/j` (K. E. Brenan,
/// S. L. Campbell, L. R. Petzold, Numerical Solution of Initial-Value Problems in Differential-Algebraic Equations (1996), 5.2). The
/// numbers κ make the numerical differentiation formulas of L. F. Shampine and M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci.
/// Comput. 18 (1997), whose errors are smaller. On the times of steps the formula is linear in the points, so that the reverse sweep needs these only.
struct BackwardDifferenceFormula {
  static let maximumOrder = 5
  private static let kappa = [0, -0.1850, -1.0 / 9, -0.0823, -0.0415, 0]

  let order: Int
  /// β.
  let leading: Double
  /// Weights of the latest points in P(t), the last one first, and in the sum.
  let prediction: SIMD8<Double>
  let sum: SIMD8<Double>
  /// The error of the step is this times y − P(t).
  let errorCoefficient: Double
  /// Points before the end, in units of the step from there: −1, and so on.
  let places: SIMD8<Double>
  /// Points that the sum uses.
  let pointCount: Int

  /// - Parameters:
  ///   - order: at most one less than there are points, but at least one.
  ///   - times: of the points, the latest first.
  ///   - count: of points.
  init(order: Int, times: SIMD8<Double>, count: Int, end: Double) {
    let step = end - times[0]
    var places = SIMD8<Double>()
    for i in 0..<count { places[i] = (times[i] - end) / step }
    self.places = places
    if count == 1 {
      // The implicit Euler method; what it is compared with is the tangent at the start.
      self.order = 1
      leading = 1
      prediction = SIMD8(1, 0, 0, 0, 0, 0, 0, 0)
      sum = prediction
      errorCoefficient = 0.5
      pointCount = 1
      return
    }
    let k = min(order, count - 1)
    self.order = k
    pointCount = k + 1
    let (weights, slopes) = Self.weights(places, count: k + 1, at: 0)
    let harmonic = Self.harmonic(k)
    let kappa = Self.kappa[k]
    leading = 1 / ((1 - kappa) * harmonic)
    prediction = weights
    sum = weights - leading * slopes
    var spread = -harmonic
    for i in 0..<k { spread -= 1 / places[i] }
    let last = -1 / places[k] + kappa * harmonic
    errorCoefficient = max(last.magnitude, (last + spread).magnitude)
  }

  private static func harmonic(_ k: Int) -> Double { (1...k).reduce(0) { $0 + 1 / Double($1) } }
  /// The error coefficient of an order for equal steps.
  static func errorCoefficient(order: Int) -> Double {
    kappa[order] * harmonic(order) + 1 / Double(order + 1)
  }

  /// Lagrange's weights of points, and of the derivative, at a place that is none of them (for the derivative).
  static func weights(_ nodes: SIMD8<Double>, count: Int, at place: Double) -> (
    values: SIMD8<Double>, slopes: SIMD8<Double>
  ) {
    var (values, slopes) = (SIMD8<Double>(), SIMD8<Double>())
    for i in 0..<count {
      var (product, sum) = (1.0, 0.0)
      for j in 0..<count where j != i {
        product *= (place - nodes[j]) / (nodes[i] - nodes[j])
        sum += 1 / (place - nodes[j])
      }
      values[i] = product
      slopes[i] = product * sum
    }
    return (values, slopes)
  }

  /// The weights of the end and of the points before it, in the polynomial of the formula's order through them.
  func interpolation(at theta: Double) -> SIMD8<Double> {
    var nodes = SIMD8<Double>()
    for i in 0..<order { nodes[i + 1] = places[i] }
    return Self.weights(nodes, count: order + 1, at: theta - 1).values
  }
}
