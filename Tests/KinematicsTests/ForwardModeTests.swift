import Costate
import TestSupport
import Testing

@Suite("Forward mode and second derivatives")
struct ForwardModeTests {
  static let seeds: [UInt64] = Array(1...8)

  /// ⟨ȳ, J v⟩ = ⟨Jᵀ ȳ, v⟩: dual numbers through the forward kernel against the backward pass.
  @Test("Pushforward and pullback are transposes", arguments: seeds, PoseFormat.allCases)
  func transpose(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    for count in [1, 7, 8, 9, 17] {
      let q = problem.positions(count)
      let v = problem.tangents(count)
      let cotangents = problem.cotangents(count, format)
      let (poses, rates) = try kinematics.pushforward(at: q, along: v, format: format)
      #expect(relativeError(poses, try kinematics.poses(at: q, format: format)) < 1e-14)
      let gradient = try kinematics.pullback(at: q, cotangents: cotangents, format: format)
      #expect(abs(dot(cotangents, rates) - dot(gradient, v)) <= 1e-12 * dotSize(gradient, v))
      #expect(dotSize(gradient, v) > 0.1)
    }
  }

  @Test("Rates of poses against central differences", arguments: seeds, PoseFormat.allCases)
  func rates(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let model = problem.model
    let kinematics = try ForwardKinematics<Double>(model, frames: problem.frames)
    let q = problem.positions(1)
    let v = problem.tangents(1)
    let weights = problem.cotangents(1, format)
    let (_, rates) = try kinematics.pushforward(at: q, along: v, format: format)
    let differences = try CentralDifferences(step: 0.02) {
      dot(weights, try kinematics.poses(at: model.moved(q, along: v, by: $0), format: format))
    }
    #expect(abs(dot(weights, rates) - differences.extrapolated) <= 1e-9 * dotSize(weights, rates))
  }

  @Test("The two first-order paths agree", arguments: seeds, PoseFormat.allCases)
  func paths(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    for count in [1, 9] {
      let q = problem.positions(count)
      let cotangents = problem.cotangents(count, format)
      let analytic = try kinematics.pullback(at: q, cotangents: cotangents, format: format)
      let generic = try kinematics.forwardModePullback(at: q, cotangents: cotangents, format: format)
      #expect(relativeError(generic, analytic) < 1e-12)
    }
  }

  /// A cost with second derivatives of its own, ½ Σ wᵢ yᵢ² + Σ cᵢ yᵢ, against differences of gradients.
  @Test("Hessian-vector products", arguments: seeds, PoseFormat.allCases)
  func second(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let model = problem.model
    let kinematics = try ForwardKinematics<Double>(model, frames: problem.frames)
    for count in [1, 9] {
      let q = problem.positions(count)
      let v = problem.tangents(count)
      let w = problem.cotangents(count, format)
      let c = problem.cotangents(count, format)
      let result = try kinematics.hessianVectorProduct(at: q, along: v, format: format) { poses, rates in
        (poses.indices.map { w[$0] * poses[$0] + c[$0] }, rates.indices.map { w[$0] * rates[$0] })
      }
      func gradient(_ e: Double) throws -> [Double] {
        let moved = model.moved(q, along: v, by: e)
        let poses = try kinematics.poses(at: moved, format: format)
        return try kinematics.pullback(
          at: moved, cotangents: poses.indices.map { w[$0] * poses[$0] + c[$0] }, format: format)
      }
      #expect(relativeError(result.gradient, try gradient(0)) < 1e-12)
      let differences = try result.gradient.indices.map { i in
        try CentralDifferences(step: 0.01) { try gradient($0)[i] }.extrapolated
      }
      #expect(relativeError(result.hessianVectorProduct, differences) < 1e-6)
      #expect(differences.contains { abs($0) > 0.1 })
    }
  }

  /// Without rotations the coordinates are those of a vector space, and second derivatives are symmetric.
  @Test("Hessians are symmetric", arguments: seeds)
  func symmetry(seed: UInt64) throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body pos="0.1 0.2 0.3"><joint axis="0.3 0.4 0.5" pos="0.1 0 0"/>
          <joint type="slide" axis="0.6 0 0.8"/><joint axis="0 1 0" pos="0 0.3 0"/><geom size="0.1"/>
          <body pos="0 0 0.4"><joint type="slide" axis="0 1 0"/><joint axis="1 0 0"/><geom size="0.1"/></body>
        </body></worldbody></mujoco>
        """, name: "hinges.xml")
    var random = SeededRandom(seed: seed)
    let kinematics = try ForwardKinematics<Double>(model, frames: Frame.bodies(of: model))
    let q = random.uniform(-1, 1, count: 5)
    let (u, v) = (random.uniform(-1, 1, count: 5), random.uniform(-1, 1, count: 5))
    let weights = random.uniform(-1, 1, count: 3 * 12)
    func product(_ direction: [Double]) throws -> [Double] {
      try kinematics.hessianVectorProduct(at: q, along: direction, format: .matrix3x4) { _, rates in
        (weights, rates.map { _ in 0 })
      }.hessianVectorProduct
    }
    let (a, b) = (dot(u, try product(v)), dot(v, try product(u)))
    #expect(abs(a - b) < 1e-12 * max(1, abs(a)))
    #expect(abs(a) > 1e-3)
  }

  @Test("The number of threads does not matter, bit for bit")
  func threads() throws {
    var problem = try RandomModel(seed: 4)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let (q, v) = (problem.positions(1001), problem.tangents(1001))
    let cotangents = problem.cotangents(1001, .matrix3x4)
    func run(_ threads: Int) throws -> [[Double]] {
      let forward = try kinematics.pushforward(at: q, along: v, format: .matrix3x4, threads: threads)
      let second = try kinematics.hessianVectorProduct(at: q, along: v, format: .matrix3x4, threads: threads)
      {
        (cotangents, $1)
      }
      let generic = try kinematics.forwardModePullback(
        at: q, cotangents: cotangents, format: .matrix3x4, threads: threads)
      return [forward.poses, forward.rates, second.gradient, second.hessianVectorProduct, generic]
    }
    let one = try run(1)
    for threads in [2, 5] { #expect(try run(threads) == one) }
  }

  @Test("Wrong input is refused with its name and place; models without joints")
  func edges() throws {
    var problem = try RandomModel(seed: 2)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let (q, v) = (problem.positions(2), problem.tangents(2))
    var cotangents = problem.cotangents(2, .matrix4x4)
    #expect(throws: KinematicsError.self) { try kinematics.pushforward(at: q, along: Array(v.dropLast())) }
    var bad = v
    bad[3] = .infinity
    #expect(throws: KinematicsError.notFinite(name: "direction", index: 3)) {
      try kinematics.pushforward(at: q, along: bad)
    }
    let zeros = cotangents.map { _ in 0.0 }
    #expect(throws: KinematicsError.self) {
      try kinematics.hessianVectorProduct(at: q, along: v, format: .matrix4x4) { _, _ in (zeros, [1, 2]) }
    }
    #expect(throws: KinematicsError.self) {
      try kinematics.hessianVectorProduct(at: q, along: v, format: .matrix4x4) { _, _ in ([1], zeros) }
    }
    cotangents[17] = .nan
    let notFinite = cotangents
    #expect(throws: KinematicsError.notFinite(name: "derivatives", index: 17)) {
      try kinematics.hessianVectorProduct(at: q, along: v, format: .matrix4x4) { _, _ in (zeros, notFinite) }
    }
    #expect(throws: KinematicsError.notFinite(name: "cotangents", index: 17)) {
      try kinematics.hessianVectorProduct(at: q, along: v, format: .matrix4x4) { _, _ in (notFinite, zeros) }
    }
    #expect(throws: KinematicsError.notFinite(name: "cotangents", index: 17)) {
      try kinematics.forwardModePullback(at: q, cotangents: notFinite, format: .matrix4x4)
    }
    let still = try Model(
      mjcf: "<mujoco><worldbody><body pos=\"1 2 3\"><geom size=\"1\"/></body></worldbody></mujoco>",
      name: "still.xml")
    let frames = try ForwardKinematics<Double>(still, frames: Frame.bodies(of: still))
    let (poses, rates) = try frames.pushforward(at: [], along: [])
    #expect(poses[9] == 3 && rates == [Double](repeating: 0, count: 14))
    let second = try frames.hessianVectorProduct(at: [], along: []) { ($0, $1) }
    #expect(second.gradient.isEmpty && second.hessianVectorProduct.isEmpty)
    #expect(try frames.forwardModePullback(at: [], cotangents: rates).isEmpty)
  }
}
