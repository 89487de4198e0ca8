import Lanes
import TestSupport
import Testing

/// Vectors, rotations, spatial vectors and inertias against dense algebra, in every lane type.
@Suite struct SpatialAlgebraTests {
  @Test(arguments: 0..<20) func vectors(seed: UInt64) {
    #expect(SpatialLaws<Double>.vectors(seed: seed) == [])
    #expect(SpatialLaws<SIMD8<Double>>.vectors(seed: seed) == [])
    #expect(SpatialLaws<SIMD16<Float>>.vectors(seed: seed) == [])
    #expect(SpatialLaws<Dual<Double>>.vectors(seed: seed) == [])
  }

  @Test(arguments: 0..<20) func quaternions(seed: UInt64) {
    #expect(SpatialLaws<Double>.quaternions(seed: seed) == [])
    #expect(SpatialLaws<SIMD8<Double>>.quaternions(seed: seed) == [])
    #expect(SpatialLaws<SIMD16<Float>>.quaternions(seed: seed) == [])
    #expect(SpatialLaws<Dual<Double>>.quaternions(seed: seed) == [])
  }

  @Test(arguments: 0..<20) func spatialVectors(seed: UInt64) {
    #expect(SpatialLaws<Double>.spatialVectors(seed: seed) == [])
    #expect(SpatialLaws<SIMD8<Double>>.spatialVectors(seed: seed) == [])
    #expect(SpatialLaws<SIMD16<Float>>.spatialVectors(seed: seed) == [])
  }

  @Test(arguments: 0..<20) func inertias(seed: UInt64) {
    #expect(SpatialLaws<Double>.inertias(seed: seed) == [])
    #expect(SpatialLaws<SIMD8<Double>>.inertias(seed: seed) == [])
    #expect(SpatialLaws<SIMD16<Float>>.inertias(seed: seed) == [])
  }

  @Test(arguments: 0..<20) func transformations(seed: UInt64) {
    #expect(SpatialLaws<Double>.transformations(seed: seed) == [])
    #expect(SpatialLaws<SIMD8<Double>>.transformations(seed: seed) == [])
    #expect(SpatialLaws<SIMD16<Float>>.transformations(seed: seed) == [])
  }

  /// A joint that moves freely bears no force along its axis: the projected inertia maps the axis to zero.
  @Test(arguments: 0..<20) func freeJointBearsNoForce(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let inertia = ArticulatedInertia(random.inertia(SIMD8<Double>.self))
    let axis: Motion<SIMD8<Double>> = random.motion()
    let momentum = inertia * axis
    let projected = inertia.adding(outerProductOf: momentum, scale: -1.0 / axis.dot(momentum))
    let size = DenseSpatialAlgebra.array(momentum, lane: 0).map(abs).max()!
    for lane in 0..<8 {
      let force = DenseSpatialAlgebra.array(projected * axis, lane: lane)
      #expect(force.map(abs).max()! < 1e-13 * max(size, 1))
    }
  }

  typealias L = SIMD8<Double>

  @Test func degenerateQuaternionBecomesTheIdentity() {
    let zero = Quaternion<L>(L(0.0), L(0.0), L(0.0), L(0.0))
    #expect(zero.normalized == Quaternion<L>.identity)
    let tiny = Quaternion<Double>(1e-16, 0.0, 0.0, 0.0)
    #expect(tiny.normalized == Quaternion<Double>.identity)
  }
}
