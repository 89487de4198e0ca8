import Costate
import Foundation
import TestSupport
import Testing

/// One number of a model, or of a frame on it, that poses depend on.
private struct Parameter {
  var name: String
  /// The model and the frames with the parameter moved by `e`.
  var moved: (_ model: inout Model, _ frames: inout [Frame], _ e: Double) -> Void
  /// Its derivative in a gradient.
  var derivative: (KinematicsParameterGradient) -> Double?

  static func all(of model: Model, _ frames: [Frame]) -> [Parameter] {
    func unit(_ k: Int, _ e: Double) -> Vector3<Double> {
      Vector3(k == 0 ? e : 0, k == 1 ? e : 0, k == 2 ? e : 0)
    }
    func turn(_ q: Quaternion<Double>, _ k: Int, _ e: Double) -> Quaternion<Double> {
      q * Quaternion(rotationVector: unit(k, e))
    }
    var result: [Parameter] = []
    for k in 0..<3 {
      for b in model.bodies.indices {
        result.append(
          Parameter(name: "position \(k) of body \(b)") { m, _, e in
            m.bodies[b].position = m.bodies[b].position + unit(k, e)
          } derivative: {
            $0.bodyPositions?[b][k]
          })
        result.append(
          Parameter(name: "orientation \(k) of body \(b)") { m, _, e in
            m.bodies[b].orientation = turn(m.bodies[b].orientation, k, e)
          } derivative: {
            $0.bodyOrientations?[b][k]
          })
      }
      for j in model.joints.indices {
        result.append(
          Parameter(name: "position \(k) of joint \(j)") { m, _, e in
            m.joints[j].position = m.joints[j].position + unit(k, e)
          } derivative: {
            $0.jointPositions?[j][k]
          })
        result.append(
          Parameter(name: "axis \(k) of joint \(j)") { m, _, e in
            let axis = m.joints[j].axis + unit(k, e)
            m.joints[j].axis = axis / axis.norm
          } derivative: {
            $0.jointAxes?[j][k]
          })
      }
      for f in frames.indices {
        result.append(
          Parameter(name: "position \(k) of frame \(f)") { _, frames, e in
            frames[f].position = frames[f].position + unit(k, e)
          } derivative: {
            $0.framePositions?[f][k]
          })
        result.append(
          Parameter(name: "orientation \(k) of frame \(f)") { _, frames, e in
            frames[f].orientation = turn(frames[f].orientation, k, e)
          } derivative: {
            $0.frameOrientations?[f][k]
          })
      }
    }
    for j in model.joints.indices {
      result.append(
        Parameter(name: "multiplier of joint \(j)") { m, _, e in
          m.joints[j].mimic?.multiplier += e
        } derivative: {
          $0.mimicMultipliers?[j]
        })
      result.append(
        Parameter(name: "offset of joint \(j)") { m, _, e in
          m.joints[j].mimic?.offset += e
        } derivative: {
          $0.mimicOffsets?[j]
        })
    }
    return result
  }
}

@Suite("Gradients by parameters of kinematics")
struct ParameterGradientTests {
  static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6]

  /// A weighted sum of the poses in several configurations.
  private func cost(
    _ problem: RandomModel, _ q: [Double], _ weights: [Double], _ format: PoseFormat,
    _ move: (inout Model, inout [Frame]) -> Void
  ) throws -> Double {
    var (model, frames) = (problem.model, problem.frames)
    move(&model, &frames)
    return dot(weights, try ForwardKinematics<Double>(model, frames: frames).poses(at: q, format: format))
  }

  @Test("Each parameter by itself", arguments: seeds, PoseFormat.allCases)
  func each(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(3)
    let weights = problem.cotangents(3, format)
    let gradient = try kinematics.gradient(at: q, cotangents: weights, format: format).parameters
    let parameters = Parameter.all(of: problem.model, problem.frames)
    var derivatives: [Double] = []
    var expected: [Double] = []
    for parameter in parameters {
      derivatives.append(try #require(parameter.derivative(gradient)))
      let differences = try CentralDifferences(step: 0.01) { e in
        try cost(problem, q, weights, format) { parameter.moved(&$0, &$1, e) }
      }
      expected.append(differences.extrapolated)
    }
    let scale = expected.map(abs).max() ?? 0
    #expect(scale > 1)
    for (i, parameter) in parameters.enumerated() {
      #expect(abs(derivatives[i] - expected[i]) <= 1e-9 * scale, "\(parameter.name)")
    }
    #expect(derivatives.count(where: { abs($0) > 1e-3 }) > 60)
  }

  /// All at once along a random direction: the error of differences falls by four when the step is halved.
  @Test("Differences converge", arguments: seeds)
  func convergence(seed: UInt64) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(2)
    let weights = problem.cotangents(2, .matrix3x4)
    let gradient = try kinematics.gradient(at: q, cotangents: weights, format: .matrix3x4).parameters
    // Turns and axes that are moved one after another do not add up exactly: one parameter of each kind and place.
    let parameters = Parameter.all(of: problem.model, problem.frames).filter { $0.name.contains(" 0 of ") }
    let direction = problem.random.uniform(-1, 1, count: parameters.count)
    let differences = try CentralDifferences(step: 0.02) { e in
      try cost(problem, q, weights, .matrix3x4) { model, frames in
        for (parameter, d) in zip(parameters, direction) { parameter.moved(&model, &frames, e * d) }
      }
    }
    let derivatives = parameters.map { $0.derivative(gradient)! }
    let size = dotSize(derivatives, direction)
    #expect(abs(dot(derivatives, direction) - differences.extrapolated) <= 1e-8 * size)
    #expect((3.5...4.5).contains(differences.convergence))
  }

  /// Parameters are shared by the batch: their gradients are sums, and joint positions' are what a pullback gives.
  @Test("Sums over configurations", arguments: seeds, [1, 7, 8, 9, 17])
  func sums(seed: UInt64, count: Int) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(count)
    let cotangents = problem.cotangents(count, .positionQuaternion)
    let parameters = Parameter.all(of: problem.model, problem.frames)
    let batch = try kinematics.gradient(at: q, cotangents: cotangents)
    var total = [Double](repeating: 0, count: parameters.count)
    let (nq, width) = (problem.model.positionCount, problem.frames.count * 7)
    for c in 0..<count {
      let single = try kinematics.gradient(
        at: Array(q[(c * nq)..<(c * nq + nq)]),
        cotangents: Array(cotangents[(c * width)..<(c * width + width)]), targets: .parameters)
      #expect(single.positions == nil)
      for (i, parameter) in parameters.enumerated() { total[i] += parameter.derivative(single.parameters)! }
    }
    #expect(relativeError(parameters.map { $0.derivative(batch.parameters)! }, total) < 1e-13)
    #expect(relativeError(batch.positions!, try kinematics.pullback(at: q, cotangents: cotangents)) < 1e-13)
  }

  @Test("The number of threads does not matter, bit for bit")
  func threads() throws {
    var problem = try RandomModel(seed: 4)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let narrow = try ForwardKinematics<Float>(problem.model, frames: problem.frames)
    let q = problem.positions(3001)
    let cotangents = problem.cotangents(3001, .matrix3x4)
    let one = try kinematics.gradient(at: q, cotangents: cotangents, format: .matrix3x4, threads: 1)
    let (q32, cotangents32) = (q.map(Float.init), cotangents.map(Float.init))
    let one32 = try narrow.gradient(at: q32, cotangents: cotangents32, format: .matrix3x4, threads: 1)
    for threads in [2, 3, 16] {
      #expect(
        try kinematics.gradient(at: q, cotangents: cotangents, format: .matrix3x4, threads: threads) == one)
      #expect(
        try narrow.gradient(at: q32, cotangents: cotangents32, format: .matrix3x4, threads: threads) == one32)
    }
    // 2e-5: sums of 3001 terms of either sign that are rounded to float32.
    let parameters = Parameter.all(of: problem.model, problem.frames)
    #expect(
      relativeError(
        parameters.map { $0.derivative(one32.parameters)! }, parameters.map { $0.derivative(one.parameters)! }
      )
        < 2e-5)
  }

  /// More lane groups than chunks of sums: equal configurations, so that the sum is known.
  @Test("Large batches", arguments: [1, 2])
  func large(threads: Int) throws {
    let model = try Model(
      mjcf: "<mujoco><worldbody><body><joint axis=\"0 0 1\"/><geom size=\"1\"/></body></worldbody></mujoco>",
      name: "one.xml")
    let kinematics = try ForwardKinematics<Float>(model, frames: [Frame(body: 1, position: Vector3(1, 0, 0))])
    let count = 3_000_001
    let gradient = try kinematics.gradient(
      at: [Float](repeating: 0.5, count: count),
      cotangents: (0..<(7 * count)).map { $0 % 7 == 0 ? 0.1 : 0 }, targets: .parameters, threads: threads)
    let expected = 0.1 * Double(count)
    #expect(abs(gradient.parameters.bodyPositions![1].x - expected) < 1e-4 * expected)
    #expect(abs(gradient.parameters.framePositions![0].x - cos(0.5) * expected) < 1e-4 * expected)
  }

  @Test("What is not asked for is nil")
  func targets() throws {
    var problem = try RandomModel(seed: 2)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(2)
    let cotangents = problem.cotangents(2, .matrix4x4)
    func gradient(_ targets: KinematicsTargets) throws -> KinematicsGradient<Double> {
      try kinematics.gradient(at: q, cotangents: cotangents, format: .matrix4x4, targets: targets)
    }
    let all = try gradient(.all)
    let none = try gradient([])
    #expect(none == KinematicsGradient(positions: nil, parameters: KinematicsParameterGradient()))
    let positions = try gradient(.positions)
    #expect(positions.positions == all.positions)
    #expect(positions.parameters == KinematicsParameterGradient())
    var expected = KinematicsParameterGradient()
    expected.jointAxes = all.parameters.jointAxes
    #expect(try gradient(.jointAxes).parameters == expected)
    expected = KinematicsParameterGradient()
    expected.mimicMultipliers = all.parameters.mimicMultipliers
    expected.mimicOffsets = all.parameters.mimicOffsets
    #expect(try gradient(.mimics).parameters == expected)
    expected = KinematicsParameterGradient()
    expected.bodyOrientations = all.parameters.bodyOrientations
    expected.frameOrientations = all.parameters.frameOrientations
    #expect(try gradient([.bodyOrientations, .frameOrientations]).parameters == expected)
    expected = KinematicsParameterGradient()
    expected.bodyPositions = all.parameters.bodyPositions
    expected.jointPositions = all.parameters.jointPositions
    expected.framePositions = all.parameters.framePositions
    #expect(try gradient([.bodyPositions, .jointPositions, .framePositions]).parameters == expected)
  }

  @Test("Errors, and models in which nothing moves")
  func edges() throws {
    var problem = try RandomModel(seed: 2)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(2)
    var cotangents = problem.cotangents(2, .matrix4x4)
    #expect(throws: KinematicsError.self) {
      try kinematics.gradient(at: q, cotangents: Array(cotangents.dropLast()), format: .matrix4x4)
    }
    cotangents[21] = .nan
    #expect(throws: KinematicsError.notFinite(name: "cotangents", index: 21)) {
      try kinematics.gradient(at: q, cotangents: cotangents, format: .matrix4x4, targets: .jointAxes)
    }
    cotangents = cotangents.map { _ in 1e308 }
    #expect(throws: KinematicsError.self) {
      try kinematics.gradient(at: q, cotangents: cotangents, format: .matrix4x4, targets: .bodyPositions)
    }

    let still = try Model(
      mjcf: "<mujoco><worldbody><body pos=\"1 2 3\"><geom size=\"1\"/></body></worldbody></mujoco>",
      name: "still.xml")
    let frames = try ForwardKinematics<Double>(still, frames: Frame.bodies(of: still))
    let gradient = try frames.gradient(at: [], cotangents: [1, 2, 3, 0, 0, 0, 0, 4, 5, 6, 0, 2, 0, 0])
    #expect(gradient.positions == [])
    #expect(gradient.parameters.bodyPositions == [.zero, Vector3(4, 5, 6)])
    #expect(gradient.parameters.bodyOrientations == [.zero, Vector3(1, 0, 0)])
    #expect(gradient.parameters.framePositions == [Vector3(1, 2, 3), Vector3(4, 5, 6)])
    #expect(gradient.parameters.jointAxes == [])
    let none = try ForwardKinematics<Double>(still, frames: []).gradient(at: [], cotangents: [])
    #expect(none.parameters.bodyPositions == [.zero, .zero] && none.parameters.framePositions == [])
  }
}
