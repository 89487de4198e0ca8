extension RungeKuttaTableau {
  /// Euler's method.
  static let euler = RungeKuttaTableau(
    "Euler", order: 1, embeddedOrder: 0, a: [[]], b: [1], error: [])

  /// Heun's method of order 2 with Euler's as the embedded one.
  static let heun = RungeKuttaTableau(
    "Heun", order: 2, embeddedOrder: 1, a: [[], [1]], b: [0.5, 0.5], error: [-0.5, 0.5])

  /// The classical method of order 4.
  static let rungeKutta4 = RungeKuttaTableau(
    "Runge–Kutta 4", order: 4, embeddedOrder: 0, a: [[], [0.5], [0, 0.5], [0, 0, 1]],
    b: [1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6], error: [])

  /// P. Bogacki, L. F. Shampine, A 3(2) pair of Runge–Kutta formulas, Appl. Math. Lett. 2 (1989).
  static let bogackiShampine3 = RungeKuttaTableau(
    "Bogacki–Shampine 3", order: 3, embeddedOrder: 2, a: [[], [0.5], [0, 0.75]],
    b: [2.0 / 9, 1.0 / 3, 4.0 / 9], error: [-5.0 / 72, 1.0 / 12, 1.0 / 9, -1.0 / 8])

  /// J. R. Dormand, P. J. Prince, A family of embedded Runge–Kutta formulae, J. Comput. Appl. Math. 6 (1980); the continuous
  /// extension of order 4 is that of L. F. Shampine, Some practical Runge–Kutta formulas, Math. Comp. 46 (1986).
  static let dormandPrince5 = RungeKuttaTableau(
    "Dormand–Prince 5", order: 5, embeddedOrder: 4,
    a: [
      [],
      [1.0 / 5],
      [3.0 / 40, 9.0 / 40],
      [44.0 / 45, -56.0 / 15, 32.0 / 9],
      [19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729],
      [9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656],
    ],
    b: [35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84],
    error: [
      71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40,
    ],
    interpolationOrder: 4,
    interpolation: [
      [1, -8_048_581_381 / 2_820_520_608, 8_663_915_743 / 2_820_520_608, -12_715_105_075 / 11_282_082_432],
      [0, 0, 0, 0],
      [
        0, 131_558_114_200 / 32_700_410_799, -68_118_460_800 / 10_900_136_933,
        87_487_479_700 / 32_700_410_799,
      ],
      [0, -1_754_552_775 / 470_086_768, 14_199_869_525 / 1_410_260_304, -10_690_763_975 / 1_880_347_072],
      [
        0, 127_303_824_393 / 49_829_197_408, -318_862_633_887 / 49_829_197_408,
        701_980_252_875 / 199_316_789_632,
      ],
      [0, -282_668_133 / 205_662_961, 2_019_193_451 / 616_988_883, -1_453_857_185 / 822_651_844],
      [0, 40_617_522 / 29_380_423, -110_615_467 / 29_380_423, 69_997_945 / 29_380_423],
    ])
}
