import Autodiff
import Foundation
import TestSupport
import Testing

private func random(_ count: Int, seed: UInt64 = 5) -> Tensor {
  var generator = SeededRandom(seed: seed)
  return Tensor(generator.uniform(-1, 1, count: count))
}
private func distance(_ a: Tensor, _ b: Tensor) -> Double { abs(a - b).max().scalar }

/// Broyden's tridiagonal function.
private func broyden(_ x: Tensor) -> Tensor {
  let n = x.count
  let left = x[0..<n - 1].padded(before: [1], after: [0])
  let right = x[1...].padded(before: [0], after: [1])
  return (3.0 - 2.0 * x) * x - left - 2.0 * right + 1.0
}
/// The residual of −Δu = eᵘ on a square grid with the five-point stencil.
private func bratu(_ u: Tensor) -> Tensor {
  let p = u.padded(before: [1, 1], after: [1, 1])
  let n = u.shape[0]
  let around = p[0..<n, 1..<n + 1] + p[2..<n + 2, 1..<n + 1] + p[1..<n + 1, 0..<n] + p[1..<n + 1, 2..<n + 2]
  return 4.0 * u - around - 0.01 * exp(u)
}
private func rosenbrock(_ x: Tensor) -> Tensor {
  let n = x.count
  return (100.0 * square(x[1...] - square(x[0..<n - 1])) + square(1.0 - x[0..<n - 1])).sum()
}
/// Each coupled with the first, and all with a sum.
private func arrow(_ x: Tensor) -> Tensor { (sin(x) * x[0]).sum() + square(x).sum() }

@Suite struct SparseJacobianTests {
  @Test(arguments: [3, 7, 50]) func tridiagonal(_ n: Int) throws {
    let x = random(n)
    let found = try sparseJacobian(broyden)(x)
    #expect(found.pattern.entryCount == 3 * n - 2 && found.pattern.columnColoring().count == 3)
    #expect(found.pattern.rowColoring().count == 3)
    let dense = try jacobian(broyden)(x)
    for mode in [JacobianMode.automatic, .forward, .reverse] {
      #expect(try sparseJacobian(broyden, mode: mode)(x).dense().values == dense.values)
      #expect(distance(try jit(sparseJacobian(broyden, mode: mode))(x).dense(), dense) < 1e-14)
    }
  }
  @Test(arguments: [1, 2, 4]) func banded(_ width: Int) throws {
    let n = 30
    let f = { (x: Tensor) in
      let p = x.padded(before: [width], after: [width])
      return (0...2 * width).reduce(x * 0.0) { $0 + sin(p[$1..<$1 + n]) * x }
    }
    let found = try sparseJacobian(f)(random(n))
    #expect(found.pattern.columnColoring().count == 2 * width + 1)
    #expect(distance(found.dense(), try jacobian(f)(random(n))) < 1e-14)
  }
  /// One full row: reverse mode takes two directions, forward mode as many as there are inputs.
  @Test func fullRowOrColumn() throws {
    let n = 20
    let row = { (x: Tensor) in concatenate([square(x).sum().reshaped([1]), sin(x)]) }
    let x = random(n)
    let pattern = try jacobianSparsity(of: row, at: x)
    #expect(pattern.columnColoring().count == n && pattern.rowColoring().count == 2)
    let column = { (x: Tensor) in sin(x) * x[0] }
    #expect(try jacobianSparsity(of: column, at: x).columnColoring().count == 2)
    for f in [row, column] {
      #expect(distance(try sparseJacobian(f)(x).dense(), try jacobian(f)(x)) < 1e-15)
    }
    // Both at once: no direct colouring helps, and the result is still right.
    let both = { (x: Tensor) in try grad(arrow)(x) }
    let full = try jacobianSparsity(of: both, at: x)
    #expect(full.columnColoring().count == n && full.rowColoring().count == n)
    #expect(distance(try sparseJacobian(both)(x).dense(), try jacobian(both)(x)) < 1e-14)
  }
  @Test(arguments: [2, 5, 16]) func laplacian(_ n: Int) throws {
    let u = random(n * n).reshaped([n, n])
    let found = try sparseJacobian(bratu)(u)
    #expect(found.pattern.entryCount == 5 * n * n - 4 * n)
    // The stencil has five places, so that five is the least for inner points.
    let colors = found.pattern.columnColoring().count
    #expect(colors >= min(5, n * n - 1) && colors <= 8, "\(colors)")
    let dense = try jacobian(bratu)(u).reshaped([n * n, n * n])
    #expect(distance(found.dense(), dense) < 1e-14)
  }
  /// A chain of blocks, each of which sees its neighbours: tridiagonal in blocks of three.
  @Test func chainOfBlocks() throws {
    let f = { (x: Tensor) in
      let (q, n) = (x.reshaped([-1, 3]), x.count / 3)
      let left = q[0..<n - 1].padded(before: [1, 0], after: [0, 0])
      let stretch = q - left
      let force = stretch * (norm(stretch, axes: [1], keepingAxes: true) - 0.3)
      return force - force[1...].padded(before: [0, 0], after: [1, 0]) + cross(q, sin(q))
    }
    let x = random(36)
    let found = try sparseJacobian(f)(x)
    #expect(found.pattern.columnColoring().count == 9 && found.pattern.entryCount == 9 * (3 * 12 - 2))
    #expect(distance(found.dense(), try jacobian(f)(x).reshaped([36, 36])) < 1e-13)
  }
  @Test func rosenbrockHessian() throws {
    let x = random(40)
    let found = try sparseHessian(rosenbrock)(x)
    #expect(found.pattern.entryCount == 3 * 40 - 2 && found.pattern.symmetricColoring().count <= 3)
    let dense = try hessian(rosenbrock)(x)
    #expect(distance(found.dense(), dense) < 1e-12)
    #expect(distance(try jit(sparseHessian(rosenbrock))(x).dense(), dense) < 1e-12)
  }
  @Test func arrowHessian() throws {
    let x = random(25)
    let found = try sparseHessian(arrow)(x)
    #expect(found.pattern.symmetricColoring().count == 2 && found.pattern.columnColoring().count == 25)
    #expect(distance(found.dense(), try hessian(arrow)(x)) < 1e-14)
    #expect(found.dense().values == found.dense().transposed.values)
  }

  /// Values have derivatives and batches; with jit the pattern is found once.
  @Test func valuesAreDifferentiable() throws {
    let weights = random(28, seed: 9)
    let sparse = { (x: Tensor) in (try sparseJacobian(broyden)(x).values * weights).sum() }
    let x = random(10)
    let pattern = try jacobianSparsity(of: broyden, at: x)
    // d/dx of 3 − 4x on the diagonal.
    let expected = pattern.rowIndices.indices.filter { pattern.rowIndices[$0] == pattern.columnIndices[$0] }
      .map { -4 * weights[$0].scalar }
    #expect(distance(try grad(sparse)(x), Tensor(expected)) < 1e-14)
    #expect(distance(try jit(grad(sparse))(x), Tensor(expected)) < 1e-14)
    let laws = try GradientLaws().violations(
      of: { (x: [Tensor]) in try sparseHessian(rosenbrock)(x[0]).values }, at: [random(6)])
    #expect(laws.isEmpty, "\(laws)")
    let points = stack([x, x * 0.5, x + 1.0])
    let batch = try jit(vmap(sparseJacobian(broyden)))(points)
    #expect(batch.values.shape == [3, 28] && batch.dense().shape == [3, 10, 10])
    for k in 0..<3 {
      #expect(distance(batch.dense()[k], try jacobian(broyden)(points[k])) < 1e-14)
    }
  }
  /// As an argument the pattern is part of what a compiled function is compiled for.
  @Test func patternsAreStructure() throws {
    let total = jit { (m: SparseMatrix) in m.dense() * 2.0 }
    let first = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 1), (1, 0)])
    let second = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (1, 1)])
    #expect(try total(SparseMatrix(first, values: [1, 2])).values == [0, 2, 4, 0])
    #expect(try total(SparseMatrix(second, values: [1, 2])).values == [2, 0, 0, 4])
    let slope = grad { (m: SparseMatrix) in (m.dense() * Tensor([1.0, 2, 3, 4], shape: [2, 2])).sum() }
    #expect(try slope(SparseMatrix(first, values: [1, 2])).values.values == [2, 3])
    let text = try JSONEncoder().encode(SparseMatrix(first, values: [1, 2]))
    let again = try JSONDecoder().decode(SparseMatrix.self, from: text)
    #expect(again.pattern == first && again.values.values == [1, 2])
  }
  /// Functions whose Jacobian is large: 20 000 inputs take a moment and little memory.
  @Test(.timeLimit(.minutes(1))) func large() throws {
    let n = 20_000
    let x = random(n)
    let found = try sparseJacobian(broyden)(x)
    let product = try jvp(broyden, at: x, along: x).tangent
    let rows = found.pattern.rowIndices.map { Int32($0) }
    let columns = Tensor(found.pattern.columnIndices.map { Int32($0) })
    let sums = Tensor.zeros([n]).addingRows(found.values * x.taking(columns), at: Tensor(rows))
    #expect(distance(sums, product) < 1e-13)
  }
}

@Suite struct ColoringTests {
  @Test func valuesAreChecked() throws {
    let empty = try SparsityPattern(rowCount: 1, columnCount: 1, entries: [])
    #expect(throws: TensorError.self) { try SparseMatrix(empty, values: [1]) }
  }
  @Test(arguments: 0..<10) func transposesAndColorings(_ seed: Int) throws {
    var generator = SeededRandom(seed: UInt64(seed))
    let (m, n) = (12, 9)
    var entries: [(row: Int, column: Int)] = []
    for _ in 0..<30 { entries.append((Int(generator.next() % 12), Int(generator.next() % 9))) }
    let pattern = try SparsityPattern(rowCount: m, columnCount: n, entries: entries)
    #expect(pattern.transposed.transposed == pattern)
    for (row, column) in entries { #expect(pattern.place(row: row, column: column) != nil) }
    #expect(pattern.place(row: 0, column: 100) == nil && pattern.place(row: 12, column: 0) == nil)
    let colors = pattern.columnColoring()
    for row in 0..<m {
      let used = pattern.columns(inRow: row).map { colors.colors[$0] }
      #expect(Set(used).count == used.count)
    }
    #expect(Set(colors.colors).count == colors.count)
    // Symmetric: no path over four vertices has two colours.
    let graph = try SparsityPattern(
      rowCount: m, columnCount: m, entries: entries.flatMap { [$0, (row: $0.column, column: $0.row)] })
    let star = graph.symmetricColoring().colors
    for a in 0..<m {
      for b in graph.columns(inRow: a) where b != a {
        #expect(star[a] != star[b])
        for c in graph.columns(inRow: b) where c != b && c != a {
          for d in graph.columns(inRow: c) where d != c && d != b && d != a {
            #expect(Set([star[a], star[b], star[c], star[d]]).count > 2)
          }
        }
      }
    }
  }
}
