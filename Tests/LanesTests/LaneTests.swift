import Lanes
import TestSupport
import Testing

/// Every lane type acts on each lane as on a number of its own.
@Suite struct LaneTests {
  @Test(arguments: 0..<40) func arithmetic(seed: UInt64) {
    #expect(LaneLaws<Double>.arithmetic(seed: seed) == [])
    #expect(LaneLaws<SIMD8<Double>>.arithmetic(seed: seed) == [])
    #expect(LaneLaws<SIMD16<Float>>.arithmetic(seed: seed) == [])
    #expect(LaneLaws<Dual<Double>>.arithmetic(seed: seed) == [])
    #expect(LaneLaws<Dual<SIMD8<Double>>>.arithmetic(seed: seed) == [])
  }

  @Test(arguments: 0..<40) func mixedArithmetic(seed: UInt64) {
    #expect(LaneLaws<Double>.mixedArithmetic(seed: seed) == [])
    #expect(LaneLaws<SIMD8<Double>>.mixedArithmetic(seed: seed) == [])
    #expect(LaneLaws<SIMD16<Float>>.mixedArithmetic(seed: seed) == [])
    #expect(LaneLaws<Dual<Double>>.mixedArithmetic(seed: seed) == [])
    #expect(LaneLaws<Dual<SIMD8<Double>>>.mixedArithmetic(seed: seed) == [])
  }

  @Test(arguments: 0..<40) func masks(seed: UInt64) {
    #expect(LaneLaws<Double>.masks(seed: seed) == [])
    #expect(LaneLaws<SIMD8<Double>>.masks(seed: seed) == [])
    #expect(LaneLaws<SIMD16<Float>>.masks(seed: seed) == [])
    #expect(LaneLaws<Dual<Double>>.masks(seed: seed) == [])
    #expect(LaneLaws<Dual<SIMD8<Double>>>.masks(seed: seed) == [])
  }

  @Test(arguments: 0..<10) func lanes(seed: UInt64) {
    #expect(LaneLaws<Double>.lanes(seed: seed) == [])
    #expect(LaneLaws<SIMD8<Double>>.lanes(seed: seed) == [])
    #expect(LaneLaws<SIMD16<Float>>.lanes(seed: seed) == [])
    #expect(LaneLaws<Dual<SIMD8<Double>>>.lanes(seed: seed) == [])
  }

  @Test func laneCounts() {
    #expect(Double.laneCount == 1)
    #expect(SIMD8<Double>.laneCount == 8)
    #expect(SIMD16<Float>.laneCount == 16)
    #expect(Dual<SIMD8<Double>>.laneCount == 8)
  }

  @Test func readingNumbersOneByOne() {
    let numbers = (0..<11).map { 0.5 + Double($0) }
    for first in 0..<3 {
      numbers.withUnsafeBufferPointer { all in
        let place = all.baseAddress! + first
        let four = SIMD8<Double>.reading4(place)
        let eight = SIMD8<Double>.reading8(place)
        for k in 0..<8 {
          if k < 4 { #expect(four[k] == numbers[first + k]) }
          #expect(eight[k] == numbers[first + k])
        }
        #expect(four.sumOfFour == numbers[first..<first + 4].reduce(0, +))
        #expect(eight.sumOfFour == four.sumOfFour)
        #expect(eight.sumOfLanes == numbers[first..<first + 8].reduce(0, +))
      }
    }
  }

  @Test(arguments: [-0.5, -0.2, -0.125, 0.1, 0.5]) func roughPowers(_ exponent: Double) {
    var number = 1e-20
    while number < 1e20 {
      let (one, exact) = (Double.roughPower(number, exponent), Double.power(number, exponent))
      #expect(abs(one - exact) <= 0.02 * exact)
      let lanes = SIMD8<Double>.roughPower(SIMD8(repeating: number), exponent)
      for k in 0..<8 { #expect(abs(lanes[k] - one) <= 1e-12 * one) }
      number *= 1.37
    }
  }
}
