import Autodiff
import Foundation
import TestSupport
import Testing

/// Transformations in each other, through control flow, on long programs, for a long time, and from several tasks.
@Suite struct TransformationLimitsTests {
  /// d/dx [x · (d/dy (x y²)) at y = x] in every pair of modes: x · 2x² differentiated is 6x².
  @Test(arguments: 0..<9) func perturbationsAreNotConfused(_ pair: Int) throws {
    func derivative(_ mode: Int, _ f: @escaping (Tensor) throws -> Tensor) -> (Tensor) throws -> Tensor {
      switch mode {
      case 0: grad(f)
      case 1: { x in try jvp(f, at: x, along: Tensor(1.0)).tangent }
      default: { x in try vmap(grad(f))(stack([x, x * 2.0]))[0] }
      }
    }
    let outer = derivative(pair / 3) { x in
      let inner = derivative(pair % 3) { y in x * y * y }
      return x * (try inner(x))
    }
    #expect(abs(try outer(1.5).scalar - 6 * 1.5 * 1.5) < 1e-13)
    #expect(abs(try jit(outer)(1.5).scalar - 6 * 1.5 * 1.5) < 1e-13)
  }

  /// Gradients inside the bodies of control flow, differentiated again.
  @Test func gradientsInsideControlFlow() throws {
    let cases: [DerivativeCase] = [
      DerivativeCase("scan", [[], [4]]) { x in
        try scan(initial: x[0], over: x[1]) { y, u in
          (try grad { (z: Tensor) in sin(z) * z * u }(y), try grad { (z: Tensor) in sin(z) * z }(u) * y)
        }.rows
      },
      DerivativeCase("cond", [[]], in: 0.5...1) { x in
        try cond(
          x[0] .> 0.0, then: { try grad(grad { (y: Tensor) in sin(y) * y * x[0] })(x[0]) }, else: { x[0] })
      },
      DerivativeCase("checkpoint", [[3]]) { x in
        try checkpoint { (y: Tensor) throws in try vmap(grad { (z: Tensor) in sin(z) * z * z })(y) }(x[0])
      },
      DerivativeCase("forLoop of vmap of grad", [[3]], in: 0.5...1) { x in
        try forLoop(3, initial: x[0]) { _, y in
          try vmap(grad { (z: Tensor) in sin(z * y.sum()) * z })(y) * 0.3
        }
      },
    ]
    for example in cases {
      let violations = try example.violations()
      #expect(violations.isEmpty, "\(example): \(violations)")
    }
  }

  /// A million operations: forward mode, a batch, and second order do not overflow the stack either.
  @Test(.timeLimit(.minutes(2))) func longPrograms() throws {
    let f = { (x: Tensor) in
      var y = x
      for _ in 0..<250_000 { y = sin(y) * 1.0001 }
      return y
    }
    let tangent = try jvp(f, at: 0.5, along: 1.0).tangent.scalar
    let gradient = try grad(f)(0.5).scalar
    #expect(gradient > 0 && abs(tangent / gradient - 1) < 1e-9)
    let batch = try vmap(f)([0.5, 0.25])
    #expect(batch[0].scalar == f(0.5).scalar)
    // Reverse over half a million operations, compiled.
    #expect(abs(try jit(grad(f))(0.5).scalar / gradient - 1) < 1e-9)
    let half = { (x: Tensor) in
      var y = x
      for _ in 0..<50_000 { y = sin(y) * 1.0001 }
      return y
    }
    #expect(try hvp(half, at: 0.5, along: 1.0).scalar.isFinite)
  }

  private func failure(_ body: () throws -> Void) -> TensorError? {
    do {
      try withTensorErrors(body)
      return nil
    } catch { return error as? TensorError }
  }
  /// Functions that are no linear maps though every value they pass on is linear in the argument: what chooses depends on it. They
  /// have no transpose, and none that is zero.
  @Test(arguments: 0..<7) func transposesOfFunctionsThatAreNotLinear(_ index: Int) throws {
    let maps: [(Tensor) throws -> Tensor] = [
      { x in select(x .> 0.0, x, 2.0 * x) },
      { x in x.sorted() },
      { x in Tensor.zeros([3]).addingRows(x, at: x.argumentSorted()) },
      { x in x + x.converted(to: .int32).converted(to: .float64) },
      { x in x * (x .> 0.0).converted(to: .float64) },
      { x in try cond(x[0] .> 0.0, then: { x }, else: { 2.0 * x }) },
      { x in x + stopGradient(x) },
    ]
    let b: Tensor = [0.5, -1, 2]
    let map = maps[index]
    let program = try stage(map, b).program
    let error = failure { _ = try program.transposedProgram(isLinear: [true]) }
    #expect(error?.reason == .unsupportedDerivative, "\(String(describing: error))")
    // As the map of a linear solve.
    let solved = { (b: Tensor) throws -> Tensor in
      try customLinearSolve(map, b, solve: { _, b in b }, transposeSolve: { _, b in b })
    }
    #expect(failure { _ = try grad { try solved($0).sum() }(b) }?.reason == .unsupportedDerivative)
    // The function itself has a derivative everywhere but at its jumps.
    #expect(abs(try grad { try map($0).sum() }(b)).sum().scalar >= 2)
  }

  /// Memory stays flat over ten thousand traces; in a process of its own, where nothing else allocates.
  @Test func tracesDoNotLeak() async {
    await #expect(processExitsWith: .success) {
      func resident() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "0") ?? 0) * 4096
      }
      let x = Tensor.ones([6])
      func once() throws {
        let g = grad { (y: Tensor) throws in
          let rows = try vmap(grad { (z: Tensor) in sin(z) * z })(y)
          return try cond(y.sum() .> 0.0, then: { rows.sum() }, else: { y.sum() })
        }
        _ = try g(x)
        _ = try hvp({ (y: Tensor) in norm(y) * y.sum() }, at: x, along: x)
        _ = try jit { (y: Tensor) in solve(y.asDiagonal, y) }(x)
        // A function that fails leaves nothing behind either.
        _ = try? grad { (y: Tensor) in (y + Tensor.zeros([5])).sum() }(x)
      }
      for _ in 0..<1000 { try once() }
      let before = resident()
      for _ in 0..<10_000 { try once() }
      precondition(resident() - before < 4_000_000, "memory grew by \(resident() - before) bytes")
    }
  }

  /// Each task traces for itself; nothing is shared that one could disturb.
  @Test func transformationsInSeveralTasks() async throws {
    func results(_ k: Int) throws -> [Double] {
      let x = Tensor([0.1, 0.2, 0.3]) + Double(k)
      let h = try hessian { (y: Tensor) in (sin(y) * y.sum()).sum() }(x)
      let s = try grad { (y: Tensor) throws in
        try scan(initial: y[0], over: y) { state, row in (sin(state) * row, state) }.state
      }(x)
      let b = try vmap(grad { (y: Tensor) in y * y * x.sum() })(x)
      return h.values + s.values + b.values
    }
    let expected = try (0..<4).map(results)
    await withTaskGroup(of: Bool.self) { group in
      for k in 0..<16 {
        group.addTask {
          (0..<20).allSatisfy { _ in (try? results(k % 4)) == expected[k % 4] }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  /// A mistake in one task is thrown there and does not reach the others.
  @Test func mistakesStayInTheirTask() async {
    await withTaskGroup(of: Bool.self) { group in
      for k in 0..<8 {
        group.addTask {
          (0..<50).allSatisfy { _ in
            let size = k % 2 == 0 ? 3 : 2
            let result = try? grad { (y: Tensor) in (y * Tensor.ones([3])).sum() }(Tensor.ones([size]))
            return (result == nil) == (size == 2)
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
