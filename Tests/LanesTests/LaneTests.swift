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
}
