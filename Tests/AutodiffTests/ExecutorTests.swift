import Autodiff
import Foundation
import TestSupport
import Testing

/// A random program of elementwise functions, products, shaping and reductions on arrays of a few shapes.
private struct RandomProgram: Sendable {
  var seed: UInt64
  var size: Int

  func callAsFunction(_ inputs: [Tensor]) -> Tensor {
    var random = SeededRandom(seed: seed)
    func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
    var vectors = [inputs[0], inputs[1]]
    var scalars = [inputs[0].sum() * 0.1]
    for _ in 0..<size {
      let a = vectors[pick(vectors.count)]
      let b = vectors[pick(vectors.count)]
      let s = scalars[pick(scalars.count)]
      switch pick(14) {
      case 0: vectors.append(tanh(a + b))
      case 1: vectors.append(sin(a) * s)
      case 2: vectors.append(a * b - s)
      case 3: vectors.append(select(a .> b, a, b * 0.5))
      case 4: vectors.append(tanh(a.reversed(axis: 0) / (1.5 + b * b)))
      case 5: scalars.append(tanh((a * b).mean()))
      case 6: scalars.append(cos(s * 0.7) + a[0] * 0.1)
      case 7: vectors.append(concatenate([a[1...], b[0..<1]]))
      case 8: vectors.append(tanh(matmul(outer(a, b) * 0.3, b)))
      case 9: vectors.append(softmax(a) + minimum(a, b))
      case 10: vectors.append(tanh(a.cumulativeSum() * 0.2))
      case 11: vectors.append(stack([s, a[1], b[0]] + (3..<a.count).map { _ in s * 0.5 }))
      case 12: scalars.append(exp(-s * s))
      default: vectors.append(sqrt(1.0 + a * a) - b)
      }
    }
    return concatenate(vectors.suffix(3) + [stack(scalars.suffix(2))].map(\.flattened))
  }
}

@Suite struct ExecutorTests {
  private func close(_ a: Tensor, _ b: Tensor, _ tolerance: Double = 1e-12) -> Bool {
    a.shape == b.shape && abs(a - b).max().scalar <= tolerance * Swift.max(abs(b).max().scalar, 1)
  }

  /// Small arrays run on the register machine, large ones fused: both must agree with the interpreter.
  @Test(arguments: 0..<24) func randomPrograms(_ seed: Int) throws {
    let f = RandomProgram(seed: UInt64(seed), size: 14)
    var random = SeededRandom(seed: UInt64(seed) + 1000)
    for n in [3, 700] {
      let x = (0..<2).map { _ in Tensor(random.uniform(-1, 1, count: n)) }
      let value = f(x)
      #expect(close(try jit { (x: [Tensor]) in f(x) }(x), value))
      let weight = Tensor(random.uniform(-1, 1, count: value.count))
      let pull = { (x: [Tensor]) throws -> [Tensor] in try vjp({ f($0) }, at: x).pullback(weight) }
      let plain = try pull(x)
      let compiled = try jit(pull)(x)
      #expect(close(compiled[0], plain[0], 1e-11) && close(compiled[1], plain[1], 1e-11))
      let batch = x.map { stack([$0, $0 * 0.5, -$0]) }
      let batched = try jit(vmap(pull))(batch)
      for (k, scale) in [1.0, 0.5, -1.0].enumerated() {
        let single = try pull(x.map { $0 * scale })
        #expect(close(batched[0][k], single[0], 1e-11) && close(batched[1][k], single[1], 1e-11))
      }
    }
  }

  @Test func batchesOfEverySize() throws {
    let f = { (x: Tensor) in stack([sin(x[0]) * x[1], x[0] / x[1], x[1] - 2.0]) }
    let compiled = jit(vmap(f))
    let plain = vmap(f)
    for size in [1, 2, 7, 8, 9, 63, 64, 65, 1000, 300_000] {
      let x = sin(Tensor.range(to: Double(2 * size))).reshaped([size, 2]) + 2.0
      #expect(close(try compiled(x), try plain(x)))
    }
  }

  @Test func sparsityFallsOut() throws {
    // The Jacobian of a chain of neighbours is tridiagonal: what is zero costs no instruction.
    let f = { (x: Tensor) in x[1..<9] * x[0..<8] + sin(x[2..<10]) }
    let x = Tensor.range(to: 10) * 0.1
    #expect(close(try jit(jacobian(f))(x), try jacobian(f)(x)))
  }

  @Test func secondCallDoesNotTrace() throws {
    nonisolated(unsafe) var calls = 0
    let f = jit { (x: Tensor) in
      calls += 1
      return x * 2.0
    }
    for _ in 0..<3 { #expect(try f([1, 2]).values == [2, 4]) }
    #expect(calls == 1)
    #expect(try f([1, 2, 3]).values == [2, 4, 6])
    #expect(calls == 2)
    let g = jit { (a: [Tensor], b: Tensor) in
      calls += 1
      return a.map { $0 + b }
    }
    #expect(try g([1.0], 2.0).map(\.scalar) == [3])
    #expect(try g([1.0, 2.0], 2.0).map(\.scalar) == [3, 4])
    #expect(try g([1.0], 5.0).map(\.scalar) == [6])
    #expect(calls == 4)
  }

  @Test func compiledInsideOtherTransformations() throws {
    let f = jit { (x: Tensor) in sin(x) * x }
    #expect(
      close(
        try grad { (x: Tensor) throws in try f(x).sum() }([0.5, 1]),
        cos([0.5, 1]) * [0.5, 1] + sin([0.5, 1])))
    #expect(close(try vmap(f)([[0.5], [1.0]]), sin([[0.5], [1.0]]) * [[0.5], [1.0]]))
    #expect(throws: TensorError.self) { try jit { (x: Tensor) in x + Tensor.zeros([3]) }([1, 2]) }
  }

  @Test func singularityInsideACompiledProgram() throws {
    let f = jit { (x: Tensor) in solve(x, Tensor.ones([2])) }
    #expect(close(try f([[2, 0], [0, 4]]), [0.5, 0.25]))
    #expect(throws: TensorError.self) { try f([[1, 1], [1, 1]]) }
  }

  @Test func severalTasks() async throws {
    let f = jit(grad { (x: Tensor) in (sin(x) * exp(x)).sum() })
    let expected = try f([0.5, 1])
    await withTaskGroup(of: Bool.self) { group in
      for k in 0..<8 {
        group.addTask {
          for n in 1..<30 {
            let x: Tensor = [0.5, 1]
            guard let y = try? f(x), y.values == expected.values else { return false }
            let wide = Tensor.ones([1 + (n + k) % 5])
            guard let z = try? f(wide), z.shape == wide.shape else { return false }
          }
          return true
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  /// Memory stays flat over many calls; in a process of its own, where nothing else allocates.
  @Test func noLeaks() async {
    await #expect(processExitsWith: .success) {
      func resident() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "0") ?? 0) * 4096
      }
      let f = { (x: Tensor) throws in
        try scan(initial: x, over: Tensor.range(to: 20)) { ($0 * 1.01 + $1, $0) }.state.sum()
      }
      let g = jit(grad(f))
      let x = Tensor.ones([40])
      for _ in 0..<300 { _ = try grad(f)(x) }
      for _ in 0..<1000 { _ = try g(x) }
      let before = resident()
      for _ in 0..<10_000 { _ = try g(x) }
      for _ in 0..<300 { _ = try grad(f)(x) }
      precondition(resident() - before < 2_000_000, "memory grew by \(resident() - before) bytes")
    }
  }
}
