import Lanes
import TestSupport
import Testing

@testable import ImplicitLayers

/// Dense matrices of one program with vectors along its variables, and of programs in lanes.
@Suite struct ProgramMatricesTests {
  /// Everything that the interior-point method asks of matrices, as plain numbers.
  private func results<Matrices: BatchedProgramMatrices>(
    _ type: Matrices.Type, _ size: ProgramSize, seed: UInt64
  ) -> [[Double]] {
    var random = SeededRandom(seed: seed)
    func numbers(_ count: Int) -> [Double] { (0..<count).map { _ in random.uniform(-1, 1) } }
    let (n, m, constraints) = (size.variables, size.rows, size.constraints)
    let l = numbers(n * n)
    var quadratic = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0..<n { for k in 0..<n { quadratic[i * n + j] += l[i * n + k] * l[j * n + k] } }
    }
    let (rows, x, z) = (numbers(m * n), numbers(n), numbers(constraints))
    let weights = numbers(constraints).enumerated().map { $0 % 3 == 1 ? 0 : 1.5 + $1 }
    let scale = (numbers(n).map { 1.5 + $0 }, numbers(constraints).map { 1.5 + $0 })

    let scratch = LaneMemory<Matrices.L>(Matrices.scratchCount(size))
    let matrices = Matrices(size, scratch: scratch)
    let vector = matrices.variableCount + matrices.rowCount + 1
    let memory = LaneMemory<Matrices.L>(8 * vector)
    let (a, b, c, d) = (
      memory.take(vector), memory.take(vector), memory.take(vector), memory.take(vector)
    )
    let (out, ones, columns, sides) = (
      memory.take(vector), memory.take(vector), memory.take(vector), memory.take(vector)
    )
    var found: [[Double]] = []
    func keepVariables(_ source: UnsafeMutablePointer<Matrices.L>) {
      var plain = [Double](repeating: 0, count: n)
      matrices.storeVariables(source, place: 0, programs: 1, into: &plain)
      found.append(plain)
    }
    func keepRows(_ source: UnsafeMutablePointer<Matrices.L>) {
      var plain = [Double](repeating: 0, count: constraints)
      matrices.storeConstraints(source, place: 0, programs: 1, into: &plain)
      found.append(Array(plain[..<m]))
    }
    matrices.loadMatrices(quadratic: quadratic, rows: rows, programs: 1)
    matrices.loadVariables(x, place: 0, programs: 1, into: a)
    matrices.loadConstraints(z, place: 0, programs: 1, into: b, padding: 0)
    matrices.loadConstraints(weights, place: 0, programs: 1, into: c, padding: 0)
    matrices.loadVariables([Double](repeating: 0.25, count: n), place: 0, programs: 1, into: d)
    matrices.loadVariables(scale.0, place: 0, programs: 1, into: columns)
    matrices.loadConstraints(scale.1, place: 0, programs: 1, into: sides, padding: 1)
    ones.update(repeating: Matrices.L(1.0), count: vector)
    matrices.norms(columns: out, rows: ones, columnScale: columns, rowScale: sides)
    keepVariables(out)
    keepRows(ones)
    matrices.scale(columns: columns, rows: sides, objective: Matrices.L(0.75))
    matrices.multiplyQuadratic(a, into: out)
    keepVariables(out)
    matrices.multiplyRows(a, into: out)
    keepRows(out)
    out.update(repeating: Matrices.L(0.0), count: vector)
    matrices.addTransposedRows(b, to: out)
    keepVariables(out)
    #expect(matrices.factorize(diagonal: d, weights: c).allTrue)
    matrices.solve(a, b)
    keepVariables(a)
    keepRows(b)
    return found
  }

  @Test(arguments: [
    (1, 0, 0), (3, 2, 1), (8, 8, 0), (9, 17, 8), (20, 20, 0), (30, 40, 9), (64, 10, 3), (100, 100, 20),
  ])
  func packedMatricesAgreeWithLanes(variables: Int, rows: Int, equalities: Int) {
    let size = ProgramSize(variables: variables, rows: rows, equalities: equalities)
    let packed = results(PackedProgramMatrices.self, size, seed: 5)
    let lanes = results(DenseProgramMatrices<SIMD8<Double>>.self, size, seed: 5)
    for (place, (a, b)) in zip(packed, lanes).enumerated() {
      let largest = b.map(\.magnitude).max() ?? 0
      #expect(a.count == b.count && (b.isEmpty || rows == 0 || largest > 1e-3))
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-12 * max(1, largest) }, "\(place)")
    }
  }

  /// A pivot of the wrong sign is noticed in every block.
  @Test(arguments: [0, 7, 8, 30])
  func indefiniteMatricesAreNoticed(place: Int) {
    let n = 31
    let size = ProgramSize(variables: n, rows: 0, equalities: 0)
    var quadratic = [Double](repeating: 0, count: n * n)
    for i in 0..<n { quadratic[i * n + i] = i == place ? -1 : 1 }
    let matrices = PackedProgramMatrices(
      size, scratch: LaneMemory<Pack>(PackedProgramMatrices.scratchCount(size)))
    matrices.loadMatrices(quadratic: quadratic, rows: [0], programs: 1)
    let memory = LaneMemory<Pack>(8)
    #expect(!matrices.factorize(diagonal: memory.take(4), weights: memory.take(4)).allTrue)
  }
}
