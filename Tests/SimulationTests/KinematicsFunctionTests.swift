import Autodiff
import Kinematics
import RobotModels
import Simulation
import TestSupport
import Testing

/// Forward kinematics as a function of tensors, and displacements.
@Suite struct KinematicsFunctionTests {
  private func frames(_ model: Model) -> [Frame] { Frame.bodies(of: model) + Frame.sites(of: model) }

  @Test(arguments: ExampleModels.names, PoseFormat.allCases) func laws(name: String, format: PoseFormat)
    throws
  {
    let simulation = try ExampleModels.simulation(name)
    let model = simulation.model
    let poses = try forwardKinematics(of: model, frames: frames(model), format: format)
    let point = RandomPoint(simulation, worlds: [2]).leaves[0]
    let violations = try GradientLaws(tolerance: 1e-7, step: 1e-2, order: 2).violations(
      of: { try poses($0[0]) }, at: [point])
    #expect(violations == [])
    let values = try poses(point)
    #expect(values.shape == [2, frames(model).count, format.width])
    let direct = try ForwardKinematics<Double>(model, frames: frames(model)).poses(
      at: point.values, format: format)
    #expect(values.values == direct)
  }

  @Test func tangentGradients() throws {
    let simulation = try ExampleModels.simulation("joints")
    let model = simulation.model
    let poses = try forwardKinematics(of: model, frames: frames(model))
    let kinematics = try ForwardKinematics<Double>(model, frames: frames(model))
    let q = RandomPoint(simulation, worlds: [3]).leaves[0]
    var random = SeededRandom(seed: 1)
    let weights = GradientLaws.random(like: try poses(q), &random)
    let byDisplacement = try grad { (d: Tensor) in
      (try poses(try displaced(q, by: d, in: model)) * weights).sum()
    }(
      Tensor.zeros([3, model.velocityCount]))
    let expected = try kinematics.pullback(at: q.values, cotangents: weights.values)
    #expect(relativeDifference(byDisplacement, Tensor(expected, shape: [3, model.velocityCount])) < 1e-13)
    let byPositions = try grad { (q: Tensor) in (try poses(q) * weights).sum() }(q)
    let lifted = try kinematics.pullback(at: q.values, cotangents: weights.values, coordinates: .positions)
    #expect(relativeDifference(byPositions, Tensor(lifted, shape: q.shape)) < 1e-13)
  }

  @Test func displacementsHaveAllDerivatives() throws {
    let simulation = try ExampleModels.simulation("joints")
    let model = simulation.model
    let q = RandomPoint(simulation).leaves[0]
    let d = Tensor.linearSpace(from: -0.3, to: 0.4, count: model.velocityCount)
    let violations = try GradientLaws(tolerance: 1e-7, step: 1e-2).violations(
      of: { try displaced($0[0], by: $0[1], in: model) }, at: [q, d])
    #expect(violations == [])
    #expect(try displaced(q, by: d * 0.0, in: model).values == q.values)
    #expect(throws: TensorError.self) { try displaced(q, by: q, in: model) }
  }

  @Test func float32() throws {
    let simulation = try ExampleModels.simulation("joints")
    let poses = try forwardKinematics(of: simulation.model, frames: frames(simulation.model))
    let q = RandomPoint(simulation).leaves[0]
    let cost = { (q: Tensor) in (try square(poses(q)) * poses(q)[1, 2]).sum() }
    let exact = try grad(cost)(q)
    let single = try grad(cost)(q.converted(to: .float32))
    #expect(single.elementType == .float32)
    #expect(relativeDifference(single.converted(to: .float64), exact) < 1e-5)
  }

  @Test func mistakes() throws {
    let simulation = try ExampleModels.simulation("joints")
    let poses = try forwardKinematics(of: simulation.model, frames: frames(simulation.model))
    func reason(_ body: () throws -> Tensor) -> TensorError.Reason? {
      do { _ = try body() } catch { return (error as? TensorError)?.reason }
      return nil
    }
    var q = simulation.initialState().positions.values
    #expect(reason { try poses([1.0, 2.0]) } == .shape)
    #expect(reason { try poses(Tensor(q).converted(to: .int32)) } == .elementType)
    q[0] = .nan
    #expect(reason { try poses(Tensor(q)) } == .nonFinite)
    q = simulation.initialState().positions.values
    for k in 3..<7 { q[k] = 0 }
    #expect(reason { try poses(Tensor(q)) } == .nonFinite)
    let start = simulation.initialState().positions
    #expect(
      reason {
        try jvp({ (q: Tensor) in try jvp(poses, at: q, along: start).tangent }, at: start, along: start)
          .tangent
      } == .unsupportedDerivative)
  }
}
