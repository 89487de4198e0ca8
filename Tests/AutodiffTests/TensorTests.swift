import Autodiff
import Testing

@Suite struct TensorTests {
  @Test func literals() {
    let vector: Tensor = [1, 2, 3]
    #expect(vector.shape == [3] && vector.elementType == .float64)
    let matrix: Tensor = [[1, 2], [3, 4], [5, 6]]
    #expect(matrix.shape == [3, 2] && matrix.values == [1, 2, 3, 4, 5, 6])
    let scalar: Tensor = 2.5
    #expect(scalar.shape == [] && scalar.scalar == 2.5)
    #expect(Tensor.range(to: 1, step: 0.25).values == [0, 0.25, 0.5, 0.75])
    #expect(Tensor.linearSpace(from: 0, to: 1, count: 5).values == [0, 0.25, 0.5, 0.75, 1])
    #expect(Tensor.identity(2).values == [1, 0, 0, 1])
    #expect(Tensor.indices(3).elementType == .int32)
  }
  @Test func valueSemantics() {
    var a: Tensor = [1, 2, 3]
    let b = a
    a[1] = 7
    #expect(b.values == [1, 2, 3] && a.values == [1, 7, 3])
    var c = a[0..<2]
    c += 1.0
    #expect(a.values == [1, 7, 3] && c.values == [2, 8])
  }
  @Test func promotion() {
    let i = Tensor([Int32(1), 2])
    #expect((i + 1).elementType == .int32 && (i + 0.5).elementType == .float64)
    #expect((i / 2).values == [0.5, 1])
    #expect((Tensor([Float(1)]) * 2.5).elementType == .float32)
    #expect((Tensor([Float(1)]) + Tensor([2.0])).elementType == .float64)
    #expect((Tensor([true, false]) + 1).values == [2, 1])
    #expect(sin(i).elementType == .float64)
    #expect((Tensor([Int32(-7), 7]) % Tensor([Int32(3), -3])).values == [2, -2])
  }
  @Test func broadcastingAndViews() {
    let a = Tensor.range(to: 6).reshaped([2, 3])
    #expect((a + Tensor([10.0, 20, 30])).values == [10, 21, 32, 13, 24, 35])
    #expect((a + ([[100.0], [200]] as Tensor)).values == [100, 101, 102, 203, 204, 205])
    #expect(a.transposed.values == [0, 3, 1, 4, 2, 5])
    #expect(a.transposed.reshaped([6]).values == [0, 3, 1, 4, 2, 5])
    #expect((a.transposed + a.transposed).values == [0, 6, 2, 8, 4, 10])
    #expect(a[0..., 1].values == [1, 4] && a[-1].values == [3, 4, 5] && a[.all, 1..<3].shape == [2, 2])
    #expect(a.reversed(axis: 1).values == [2, 1, 0, 5, 4, 3])
    #expect(a.slice(axis: 1, from: 0, count: 2, step: 2).transposed.reshaped([2, 2]).values == [0, 3, 2, 5])
    // Rows long enough for the strided kernels, against columns that repeat.
    let wide = Tensor.range(to: 100).reshaped([4, 25])
    let product = wide * ([[1.0], [2], [3], [4]] as Tensor)
    #expect(product[3, 24].scalar == 99 * 4 && product[1, 0].scalar == 50)
    #expect((wide.transposed * 2.0)[24, 3].scalar == 198)
  }
  @Test func reductionsAgainstLoops() {
    let x = sin(Tensor.range(to: 3 * 130 * 4)).reshaped([3, 130, 4])
    let v = x.values
    for axes in [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]] {
      let sum = x.sum(axes: axes)
      let largest = x.max(axes: axes)
      var sums = [Double](repeating: 0, count: sum.count)
      var maxima = [Double](repeating: -.infinity, count: sum.count)
      for (k, value) in v.enumerated() {
        let place = [k / 520, k / 4 % 130, k % 4]
        var target = 0
        for axis in 0..<3 where !axes.contains(axis) { target = target * x.shape[axis] + place[axis] }
        sums[target] += value
        maxima[target] = max(maxima[target], value)
      }
      for k in sums.indices { #expect(abs(sum.values[k] - sums[k]) < 1e-12) }
      #expect(largest.values == maxima)
      #expect(abs(x.transposed.sum(axes: axes.map { 2 - $0 }) - sum.transposed).max().scalar < 1e-12)
    }
  }
  @Test func logicAndComparison() {
    let x: Tensor = [1, 2, 3]
    #expect((x .> 2.0).values == [0, 0, 1] && (2.0 .<= x).values == [0, 1, 1])
    #expect(((x .> 1.0) .& (x .< 3.0)).values == [0, 1, 0] && (.!(x .== 2.0)).values == [1, 0, 1])
    #expect((x .> 2.0).any().values == [1] && (x .> 0.0).all().values == [1])
    #expect(select(x .> 1.0, x, -1.0).values == [-1, 2, 3])
  }
  @Test func orderAndIndices() {
    let x: Tensor = [3, .init(Double.nan), 1, 3]
    #expect(x.argumentSorted().values == [2, 0, 3, 1])
    #expect(x.argumentMaximum().values == [1] && Tensor([3.0, 1, 3]).argumentMaximum().values == [0])
    #expect(Tensor([Int32(2), 0]).oneHot(3).values == [0, 0, 1, 1, 0, 0])
    #expect(Tensor([1.0, 2, 3]).cumulativeSum(reverse: true).values == [6, 5, 3])
    #expect(Tensor([2.0, 2, 2, 2, 2]).cumulativeProduct().values == [2, 4, 8, 16, 32])
    #expect(Tensor.range(to: 9).reshaped([3, 3]).lowerTriangle().values == [0, 0, 0, 3, 4, 0, 6, 7, 8])
  }
  @Test func matrixProducts() {
    let a = sin(Tensor.range(to: 60)).reshaped([2, 3, 10])
    let b = cos(Tensor.range(to: 40)).reshaped([10, 4])
    let c = matmul(a, b)
    #expect(c.shape == [2, 3, 4])
    for (i, j, k) in [(0, 0, 0), (1, 2, 3), (0, 2, 1)] {
      #expect(abs(c[i, j, k].scalar - dot(a[i, j], b[0..., k]).scalar) < 1e-14)
    }
    let big = sin(Tensor.range(to: 400)).reshaped([20, 20])
    let naive = (big.expandingAxis(2) * big.expandingAxis(0)).sum(axis: 1)
    #expect(abs(matmul(big, big) - naive).max().scalar < 1e-13)
    #expect(abs(matmul(big.transposed, big) - einsum("ki,kj", big, big)).max().scalar < 1e-13)
    #expect(
      abs(matmul(big[0..<9, 3..<14], big[5..<16]) - einsum("ik,kj->ij", big[0..<9, 3..<14], big[5..<16]))
        .max().scalar < 1e-13)
  }
  @Test func printing() {
    let x: Tensor = [[1, 2.5], [-3, 4]]
    #expect(x.description == "[[1.0, 2.5],\n [-3.0, 4.0]]")
    #expect(Tensor.range(to: 2000).description.contains("…"))
    #expect(x.debugDescription.hasPrefix("float64[2, 2]"))
  }
  /// Long expressions of tensors and literals must not be hard for the type checker.
  @Test func literalsInLongExpressions() {
    let a: Tensor = 2.0
    let b: Tensor = 3.0
    let y =
      10.0 * (b - a) * 0.5 + a * (28.0 - b) - 8.0 / 3.0 * a + 2 * b - (1 + a) / 4 + -a * 0.1 + (a - 1.5)
      * (b + 2.5)
    #expect(abs(y.scalar - (5 + 50 - 16.0 / 3 + 6 - 0.75 - 0.2 + 2.75)) < 1e-12)
  }
}
