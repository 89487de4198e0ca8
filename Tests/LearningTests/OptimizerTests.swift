import Autodiff
import Foundation
import Learning
import TestSupport
import Testing

@Suite struct OptimizerTests {
  private struct Parameters: TensorTree {
    var a: Tensor
    var b: [Tensor]
  }
  private let start = Parameters(a: [1.0, -2.0], b: [Tensor(0.5), [[3.0], [4.0]]])
  private let gradients = [
    Parameters(a: [0.1, 0.4], b: [Tensor(-0.3), [[1.0], [2.0]]]),
    Parameters(a: [-0.2, 0.3], b: [Tensor(0.7), [[-1.0], [0.5]]]),
    Parameters(a: [0.6, 0.1], b: [Tensor(0.2), [[0.25], [-2.0]]]),
  ]

  private func run(_ optimizer: some Optimizer) throws -> [Double] {
    var parameters = start
    var state = optimizer.initialState(for: parameters)
    for gradient in gradients { try optimizer.update(&parameters, with: gradient, &state) }
    #expect(state.step.scalar == 3)
    return parameters.leaves.flatMap(\.values)
  }
  /// The same method, number by number.
  private func byHand(_ update: (inout Double, Double, inout [Double], Int) -> Void) -> [Double] {
    start.leaves.flatMap(\.values).enumerated().map { index, value in
      var value = value
      var memory = [0.0, 0.0]
      for (k, g) in gradients.map({ $0.leaves.flatMap(\.values)[index] }).enumerated() {
        update(&value, g, &memory, k)
      }
      return value
    }
  }
  private func expectClose(_ a: [Double], _ b: [Double]) {
    #expect(a.count == b.count)
    for (x, y) in zip(a, b) { #expect(Swift.abs(x - y) < 1e-14 * Swift.max(1, Swift.abs(y))) }
  }

  @Test func gradientDescent() throws {
    expectClose(
      try run(GradientDescent(learningRate: .exponentialDecay(from: 0.1, factor: 0.5, every: 1))),
      byHand { p, g, _, k in p -= 0.1 * Foundation.pow(0.5, Double(k)) * g })
    expectClose(
      try run(GradientDescent(learningRate: 0.1, momentum: 0.9)),
      byHand { p, g, v, _ in
        v[0] = 0.9 * v[0] + g
        p -= 0.1 * v[0]
      })
    expectClose(
      try run(GradientDescent(learningRate: 0.1, momentum: 0.9, isNesterov: true)),
      byHand { p, g, v, _ in
        v[0] = 0.9 * v[0] + g
        p -= 0.1 * (g + 0.9 * v[0])
      })
  }

  @Test(arguments: [0.0, 0.1]) func adam(decay: Double) throws {
    expectClose(
      try run(
        Adam(learningRate: 0.05, firstDecay: 0.8, secondDecay: 0.95, epsilon: 1e-6, weightDecay: decay)),
      byHand { p, g, m, k in
        m[0] = 0.8 * m[0] + 0.2 * g
        m[1] = 0.95 * m[1] + (1 - 0.95) * g * g
        let mean = m[0] / (1 - Foundation.pow(0.8, Double(k + 1)))
        let size = (m[1] / (1 - Foundation.pow(0.95, Double(k + 1)))).squareRoot() + 1e-6
        p -= 0.05 * (mean / size + decay * p)
      })
  }

  @Test func compiledStepsAreTheSame() throws {
    struct Training: TensorTree {
      var parameters: Parameters
      var state: OptimizerState
    }
    let adam = Adam(learningRate: .cosineDecay(from: 0.1, steps: 10))
    func step(_ t: Training) throws -> Training {
      var t = t
      let gradient = try grad { (p: Parameters) in
        square(p.a).sum() + square(p.b[0] * p.b[1]).sum()
      }(t.parameters)
      try adam.update(&t.parameters, with: gradient, &t.state)
      return t
    }
    let compiled = jit(step)
    var (a, b) = (
      Training(parameters: start, state: adam.initialState(for: start)),
      Training(
        parameters: start, state: adam.initialState(for: start))
    )
    for _ in 0..<12 {
      a = try step(a)
      b = try compiled(b)
    }
    expectClose(b.leaves.flatMap(\.values), a.leaves.flatMap(\.values))
    // The rate is zero from step 10 on.
    #expect(try step(a).parameters.leaves.flatMap(\.values) == a.parameters.leaves.flatMap(\.values))
  }

  @Test func float32StaysFloat32() throws {
    var x = Tensor([Float(1), 2])
    let adam = Adam(learningRate: 0.1, weightDecay: 0.01)
    var state = adam.initialState(for: x)
    try adam.update(&x, with: Tensor([Float(0.5), -1]), &state)
    #expect(x.elementType == .float32)
    #expect(state.moments.allSatisfy { $0[0].elementType == .float32 })
    #expect(try clipped(x, toGlobalNorm: 0.1).elementType == .float32)
  }

  @Test func strangersAreRefused() throws {
    var x: Tensor = [1.0, 2.0]
    let adam = Adam(learningRate: 0.1)
    var state = GradientDescent(learningRate: 0.1).initialState(for: x)
    #expect(throws: TensorError.self) { try adam.update(&x, with: [1.0, 1.0], &state) }
    state = adam.initialState(for: x)
    #expect(throws: TensorError.self) { try adam.update(&x, with: [1.0, 1.0, 1.0], &state) }
    #expect(x.values == [1, 2])
  }

  @Test func schedules() {
    let cosine = Schedule.cosineDecay(from: 2, to: 1, steps: 100)
    #expect(cosine(0) == 2)
    #expect(Swift.abs(cosine(50) - 1.5) < 1e-15)
    #expect(cosine(100) == 1 && cosine(1000) == 1)
    let warm = Schedule.constant(0.5).warmedUp(steps: 4)
    #expect((0..<6).map { warm($0) } == [0, 0.125, 0.25, 0.375, 0.5, 0.5])
    #expect(Schedule.cosineDecay(from: 2, to: 1, steps: 100).warmedUp(steps: 10)(110) == 1)
    let stairs = Schedule.piecewise([3, 2, 1], boundaries: [2, 5])
    #expect((0..<7).map { stairs($0) } == [3, 3, 2, 2, 2, 1, 1])
    let decay = Schedule.exponentialDecay(from: 8, factor: 0.5, every: 10, isStaircase: true)
    #expect([0, 9, 10, 25].map { decay($0) } == [8, 8, 4, 2])
  }

  @Test func clipping() throws {
    let gradient = Parameters(a: [3.0, 0.0], b: [Tensor(4.0), [[12.0], [0.0]]])
    #expect(globalNorm(gradient).scalar == 13)
    expectClose(
      try clipped(gradient, toGlobalNorm: 6.5).leaves.flatMap(\.values), [1.5, 0, 2, 6, 0])
    #expect(try clipped(gradient, toGlobalNorm: 20).leaves.flatMap(\.values) == [3, 0, 4, 12, 0])
    #expect(try clipped(gradient, toValue: 3.5).leaves.flatMap(\.values) == [3, 0, 3.5, 3.5, 0])
    let zero = Parameters(a: [0.0], b: [])
    #expect(try clipped(zero, toGlobalNorm: 1).leaves.flatMap(\.values) == [0])
  }
}
