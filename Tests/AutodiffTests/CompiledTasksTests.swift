import Autodiff
import Synchronization
import Testing

/// Compiled functions called from several tasks at once.
@Suite struct CompiledTasksTests {
  /// Calls from many tasks with arguments of several shapes, all of them new at first.
  private func check<Output: Sendable & Equatable>(
    _ function: @escaping @Sendable (Int) throws -> Output, expected: [Output]
  ) async {
    await withTaskGroup(of: Bool.self) { group in
      for task in 0..<8 {
        group.addTask {
          (0..<25).allSatisfy { k in
            let n = (task + k) % expected.count
            return (try? function(n)) == expected[n]
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
  private func point(_ n: Int) -> Tensor { Tensor((0..<n + 2).map { 0.1 * Double($0 + 1) }) }

  @Test func functionsOfATensor() async throws {
    let body = { (x: Tensor) in (sin(x) * x.sum()).cumulativeSum() }
    let compiled = jit(body)
    await check({ try compiled(point($0)).values }, expected: (0..<5).map { jitted(body, $0) })
    let slope = jit(grad { (x: Tensor) in body(x).sum() })
    let fresh = jit(grad { (x: Tensor) in body(x).sum() })
    let expected = try (0..<5).map { try fresh(point($0)).values }
    await check({ try slope(point($0)).values }, expected: expected)
  }
  private func jitted(_ body: @escaping (Tensor) -> Tensor, _ n: Int) -> [Double] {
    (try? jit(body)(point(n)).values) ?? []
  }

  /// Large programs, LAPACK, loops, batches and trees share nothing that one task could disturb.
  @Test func otherForms() async throws {
    let solved = jit { (x: Tensor) in solve(x.asDiagonal + 1.0, x) }
    await check({ try solved(point($0)).values }, expected: try (0..<4).map { try solved(point($0)).values })
    let loop = jit(
      grad { (x: Tensor) in
        try scan(initial: x[0], over: x) { y, u in (sin(y) + u, y) }.rows.sum()
      })
    await check({ try loop(point($0)).values }, expected: try (0..<4).map { try loop(point($0)).values })
    let batch = jit(vmap(grad { (x: Tensor) in sin(x) * x }))
    await check({ try batch(point($0)).values }, expected: try (0..<4).map { try batch(point($0)).values })
    let pair = jit(valueAndGrad { (a: Tensor, b: [Tensor]) in (a * b[0]).sum() + b[1].sum() })
    await check(
      { n in try pair(point(n), [point(n), point(n)]).gradient.1[0].values },
      expected: (0..<4).map { point($0).values })
    let wide = jit { (x: Tensor) in exp(-x) * 2.0 + x }
    let long = { @Sendable (n: Int) in Tensor(repeating: 0.25 * Double(n + 1), shape: [40_000 + n]) }
    await check(
      { try wide(long($0)).sum().scalar }, expected: try (0..<3).map { try wide(long($0)).sum().scalar })
    let sparse = jit(sparseJacobian { (x: Tensor) in sin(x) })
    await check(
      { try sparse(point($0)).values.values },
      expected: try (0..<4).map { try sparse(point($0)).values.values })
  }

  /// The closure runs in one task at a time, at most once per task and shape, and never again after that.
  @Test func tracesDoNotOverlap() async throws {
    final class Count: Sendable {
      let state = Mutex((running: 0, most: 0, total: 0))
    }
    let count = Count()
    let compiled = jit { (x: Tensor) in
      count.state.withLock { state in
        state.running += 1
        state.total += 1
        state.most = max(state.most, state.running)
      }
      var y = x
      for _ in 0..<200 { y = sin(y) }
      count.state.withLock { $0.running -= 1 }
      return y
    }
    let expected = try (0..<3).map {
      try jit { (x: Tensor) in (0..<200).reduce(x) { y, _ in sin(y) } }(point($0)).values
    }
    await check({ try compiled(point($0)).values }, expected: expected)
    let after = count.state.withLock { $0 }
    #expect(after.most == 1 && after.total >= 3 && after.total <= 24)
    _ = try compiled(point(1))
    #expect(count.state.withLock { $0.total } == after.total)
  }
  /// A mistake is thrown in each task that makes it, and nothing is cached.
  @Test func mistakes() async {
    let compiled = jit { (x: Tensor) in x + Tensor.zeros([3]) }
    await withTaskGroup(of: Bool.self) { group in
      for task in 0..<8 {
        group.addTask {
          (0..<20).allSatisfy { k in
            let n = (task + k) % 2 + 2
            return (try? compiled(Tensor.ones([n])).values) == (n == 3 ? [1, 1, 1] : nil)
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
  /// A compiled function that calls itself while it is being traced.
  @Test func recursion() throws {
    final class Holder: @unchecked Sendable { var power: (@Sendable (Tensor) throws -> Tensor)? }
    let holder = Holder()
    holder.power = jit { (x: Tensor) throws in
      x.count == 1 ? x : concatenate([x[0..<1], try holder.power!(x[1...] * x[0])])
    }
    #expect(try holder.power!([2, 3, 4]).values == [2, 6, 48])
  }
}
