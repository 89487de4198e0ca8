import Lanes

/// The coefficients of an implicit Runge–Kutta method whose first stage is the rate at the step's start and whose last stage ends at
/// the result (stiffly accurate).
struct ImplicitTableau: Sendable {
  let table: RungeKuttaTableau
  /// Stages that are solved for together, in order.
  let blocks: [Range<Int>]
  /// The coefficient of the matrix `I − h γ J` that error estimates are divided by, which makes them small where the equation is stiff.
  let filter: Double
  let landsOnOutputs: Bool

  /// A method each of whose stages is implicit in itself only.
  private init(diagonal table: RungeKuttaTableau, landsOnOutputs: Bool) {
    self.table = table
    blocks = (1..<table.stageCount).map { $0..<$0 + 1 }
    filter = table.a[1][1]
    self.landsOnOutputs = landsOnOutputs
  }
  private init(full table: RungeKuttaTableau, filter: Double) {
    self.table = table
    blocks = [1..<table.stageCount]
    self.filter = filter
    landsOnOutputs = true
  }

  /// The backward Euler method; the error estimate compares it with the trapezoidal rule.
  static let implicitEuler = ImplicitTableau(
    diagonal: RungeKuttaTableau(
      "Implicit Euler", order: 1, embeddedOrder: 2, a: [[0]], b: [0, 1], error: [-0.5, 0.5]),
    landsOnOutputs: false)

  /// A. Kværnø, Singly diagonally implicit Runge–Kutta methods with an explicit first stage, BIT 44 (2004): order 3(2), L-stable.
  static let kvaerno3: ImplicitTableau = {
    // The root of γ³ − 3γ² + 3γ/2 − 1/6 that makes the method L-stable.
    let g = 0.435_866_521_508_459
    let a3 = [(-4 * g * g + 6 * g - 1) / (4 * g), (1 - 2 * g) / (4 * g), g]
    let b = [(6 * g - 1) / (12 * g), -1 / ((24 * g - 12) * g), (-6 * g * g + 6 * g - 1) / (6 * g - 3), g]
    return ImplicitTableau(
      diagonal: RungeKuttaTableau(
        "Kværnø 3", order: 3, embeddedOrder: 2, a: [[0], [g, g], a3], b: b,
        error: [b[0] - a3[0], b[1] - a3[1], b[2] - g, g]), landsOnOutputs: false)
  }()

  /// A. Kværnø, as above: order 5(4), L-stable.
  static let kvaerno5: ImplicitTableau = {
    let g = 0.26
    let a6 = [
      0.138_556_402_312_682_24, 0, -0.042_453_372_017_520_43, 0.024_466_578_980_031_41,
      0.619_430_390_724_806_76, g,
    ]
    let b = [
      0.136_597_511_776_402_91, 0, -0.054_969_087_965_383_76, -0.041_186_267_283_210_46,
      0.629_933_048_990_164_03, 0.069_624_794_482_027_28, g,
    ]
    return ImplicitTableau(
      diagonal: RungeKuttaTableau(
        "Kværnø 5", order: 5, embeddedOrder: 4,
        a: [
          [0], [g, g],
          [0.13, 0.840_333_209_967_908_09, g],
          [0.223_719_614_783_205_05, 0.476_755_323_197_996_99, -0.064_708_953_631_126_15, g],
          [
            0.166_485_643_232_483_21, 0.104_500_188_415_917_20, 0.036_314_822_720_987_15,
            -0.130_907_044_510_739_98, g,
          ],
          a6,
        ], b: b, error: b.indices.map { b[$0] - ($0 < a6.count ? a6[$0] : 0) }), landsOnOutputs: true)
  }()

  /// Radau IIA of order 5 with the error estimate of order 3: E. Hairer, G. Wanner, Solving Ordinary Differential Equations II (1996),
  /// IV.5 and IV.8. The continuous extension is the collocation polynomial.
  static let radau5: ImplicitTableau = {
    let s = 6.0.squareRoot()
    let a = [
      [0, (88 - 7 * s) / 360, (296 - 169 * s) / 1800, (-2 + 3 * s) / 225],
      [0, (296 + 169 * s) / 1800, (88 + 7 * s) / 360, (-2 - 3 * s) / 225],
    ]
    let b = [0, (16 - s) / 36, (16 + s) / 36, 1.0 / 9]
    let c = [(4 - s) / 10, (4 + s) / 10, 1]
    // The real eigenvalue of the matrix of coefficients is the weight of the rate at the start in the embedded formula of order 3.
    let gamma = 1 / (3 + Double.power(3, 2.0 / 3) - Double.power(3, 1.0 / 3))
    var interpolation = [[0.0, 0, 0]]
    var error = [gamma]
    for j in 0..<3 {
      // The polynomial that is one at c_j and zero at the other two, and its integral.
      let (p, q) = (c[(j + 1) % 3], c[(j + 2) % 3])
      let scale = 1 / ((c[j] - p) * (c[j] - q))
      interpolation.append([p * q * scale, -(p + q) / 2 * scale, scale / 3])
      // The quadrature of the other three nodes is exact for quadratics; the rate at the start takes its part at zero.
      error.append(-gamma * p * q * scale)
    }
    let table = RungeKuttaTableau(
      "Radau 5", order: 5, embeddedOrder: 3, a: [[0]] + a, b: b, error: error, interpolationOrder: 3,
      interpolation: interpolation)
    return ImplicitTableau(full: table, filter: gamma)
  }()
}
