import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// Small dense solves that are compiled to plain memory, and batches whose factors are not kept, against the same uncompiled.
@Suite struct CompiledSolveTests {
  private func random(_ shape: [Int], seed: UInt64) -> Tensor {
    var random = SeededRandom(seed: seed)
    return Tensor(random.uniform(-1, 1, count: shape.reduce(1, *)), shape: shape)
  }
  private func difference(_ a: Tensor, _ b: Tensor) -> Double {
    let scale = max(1, b.values.map(\.magnitude).max() ?? 0)
    return zip(a.values, b.values).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / scale
  }

  @Test(arguments: [1, 2, 3, 7, 8, 9, 16, 31, 64, 65])
  func valueAndGradientsAreTheUncompiledOnes(n: Int) throws {
    let (a, b) = (random([n, n], seed: UInt64(n)) + 3 * Tensor.identity(n), random([n], seed: 99))
    let w = random([n], seed: 7)
    let loss = { (a: Tensor, b: Tensor) -> Tensor in
      let x = solve(.dense(a), b)
      let y = solve(.dense(a).transposed, x - b)
      return (x * x * w).sum() + (y / (w + 2) * -x).sum()
    }
    let known = try valueAndGrad(loss)(a, b)
    let both = jit(valueAndGrad(loss))
    for _ in 0..<2 {
      let found = try both(a, b)
      #expect(difference(found.value, known.value) < 1e-12)
      #expect(difference(found.gradient.0, known.gradient.0) < 1e-11)
      #expect(difference(found.gradient.1, known.gradient.1) < 1e-11)
    }
    // The right answer, and not only the same one.
    let x = try jit { (a: Tensor, b: Tensor) in solve(.dense(a), b) }(a, b)
    #expect(difference(matmul(a, x), b) < 1e-12)
    // Views of other memory are read as they are.
    let turned = try jit { (a: Tensor, b: Tensor) in solve(.dense(a), b) }(a.transposed, b)
    #expect(difference(matmul(a.transposed, turned), b) < 1e-12)
  }

  @Test func pivotsAreExchanged() throws {
    let a: Tensor = [[0, 2, 1], [1, 1e-3, 0], [3, 0, 5]]
    let b: Tensor = [1, 2, 3]
    let x = try jit { (a: Tensor, b: Tensor) in solve(.dense(a), b) }(a, b)
    #expect(difference(matmul(a, x), b) < 1e-14)
    // A wide range of pivots is no error.
    let wide = try jit { (a: Tensor, b: Tensor) in solve(.dense(a), b) }([[1e12, 0], [0, 1]], [1, 2])
    #expect(difference(wide, [1e-12, 2]) < 1e-14)
  }

  @Test func outputsMayBeViewsOfEachOther() throws {
    let (a, b) = (random([4, 4], seed: 3), random([4], seed: 4))
    let function = jit { (x: [Tensor]) -> [Tensor] in
      let y = solve(.dense(x[0]), x[1])
      return [y, y.reshaped([2, 2]), x[1], y]
    }
    let results = try function([a, b])
    let y = solve(.dense(a), b)
    #expect(results.map(\.shape) == [[4], [2, 2], [4], [4]])
    #expect(difference(results[0], y) < 1e-13)
    #expect(results[1].values == results[0].values && results[3].values == results[0].values)
    #expect(results[2].values == b.values)
  }

  @Test func failuresAreTheUncompiledOnes() throws {
    let function = jit { (a: Tensor, b: Tensor) in solve(.dense(a), b) }
    func error(_ a: Tensor, _ b: Tensor, _ f: (Tensor, Tensor) throws -> Tensor) -> TensorError? {
      do {
        _ = try withTensorErrors { try f(a, b) }
        return nil
      } catch { return error as? TensorError }
    }
    let b: Tensor = [1, 2]
    let cases: [(Tensor, Tensor, TensorError.Reason)] = [
      ([[1, 2], [2, 4]], b, .singular), ([[0, 0], [0, 1]], b, .singular), ([[0, 1], [0, 1]], b, .singular),
      ([[0, 0], [0, 0]], b, .singular), ([[1, 1], [1, 1 + 2e-16]], b, .nearlySingular),
      ([[1, .init(Double.nan)], [0, 1]], b, .nonFinite),
      ([[1, 0], [0, 1]], [1, .init(Double.infinity)], .nonFinite),
      ([[1e-300, 0], [0, 1e-300]], [1e300, 1], .nonFinite),
    ]
    for (a, b, reason) in cases {
      let found = error(a, b, function)
      let known = error(a, b) { solve(.dense($0), $1) }
      #expect(found?.reason == known?.reason && found?.description == known?.description)
      #expect(found?.reason == reason || reason == .nearlySingular)
      #expect(found != nil)
    }
    // The next call is not affected.
    #expect(try function([[2, 0], [0, 4]], b).values == [0.5, 0.5])
  }

  @Test func compiledFunctionsTakePointers() throws {
    let (a, b) = (random([5, 5], seed: 5), random([5], seed: 6))
    let function = try CompiledFunction({ [solve(.dense($0[0]), $0[1])] }, at: [a, b])
    var x = [Double](repeating: .nan, count: 5)
    try a.values.withUnsafeBufferPointer { a in
      try b.values.withUnsafeBufferPointer { b in
        try x.withUnsafeMutableBufferPointer {
          try function(inputs: [a.baseAddress!, b.baseAddress!], outputs: [$0.baseAddress!])
        }
      }
    }
    #expect(difference(matmul(a, Tensor(x)), b) < 1e-13)
  }

  /// One solve, whose factors are not kept; and with its gradient, for which they are.
  @Test(arguments: [(3, 4), (8, 21), (16, 40), (33, 9)], [false, true])
  func batches(shape: (Int, Int), isDefinite: Bool) throws {
    let (n, count) = shape
    var a = random([count, n, n], seed: UInt64(n))
    if isDefinite { a = matmul(a, a.matrixTransposed) + Tensor.identity(n) }
    let b = random([count, n], seed: 2)
    let tags: OperatorTags = isDefinite ? .positiveDefinite : []
    let loss = { (a: Tensor, b: Tensor) in
      let x = try vmap { (a: Tensor, b: Tensor) in solve(.dense(a, tags: tags), b) }(a, b)
      return (x * x).sum()
    }
    let x = try jit(vmap { (a: Tensor, b: Tensor) in solve(.dense(a, tags: tags), b) })(a, b)
    let product = matmul(a, x.expandingAxis(-1)).squeezed(-1)
    #expect(difference(product, b) < 1e-10)
    let found = try jit(valueAndGrad(loss))(a, b)
    let known = try valueAndGrad(loss)(a, b)
    #expect(difference(found.value, known.value) < 1e-12)
    #expect(difference(found.gradient.0, known.gradient.0) < 1e-11)
    #expect(difference(found.gradient.1, known.gradient.1) < 1e-11)
    let single = try grad { (b: Tensor) in
      let y = solve(.dense(a[1], tags: tags), b)
      return (y * y).sum()
    }(b[1])
    #expect(difference(found.gradient.1[1], single) < 1e-9)
  }
}
