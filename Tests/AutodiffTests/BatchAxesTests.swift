import Autodiff
import Testing

/// `vmap` with an axis for each tensor.
@Suite struct BatchAxesTests {
  private struct Operands: TensorTree {
    var shared: Tensor
    var rows: Tensor
    var columns: Tensor
  }
  private let operands = Operands(
    shared: [0.5, -1], rows: Tensor.range(to: 6).reshaped([3, 2]),
    columns: Tensor.range(to: 6).reshaped([2, 3]) * 0.1)
  /// The second result is the same for the whole batch.
  private let function = { (x: Operands) in [sin(x.rows * x.shared) + x.columns, x.shared * x.shared] }

  @Test func eachTensorHasItsAxis() throws {
    let batched = vmap(function, inputAxes: [nil, 0, 1], outputAxes: [1, nil])
    for f in [batched, jit(batched)] {
      let results = try f(operands)
      #expect(results[0].shape == [2, 3] && results[1].values == [0.25, 1])
      for k in 0..<3 {
        let single = function(
          Operands(shared: operands.shared, rows: operands.rows[k], columns: operands.columns[.all, k]))
        #expect(abs(results[0][.all, k] - single[0]).max().scalar < 1e-15)
      }
    }
    #expect(try vmap(function, inputAxes: [nil, 0, 1])(operands)[1].shape == [3, 2])
  }
  @Test func gradientThroughSharedResults() throws {
    let total = { (x: Operands) throws -> Tensor in
      let results = try vmap(function, inputAxes: [nil, 0, 1], outputAxes: [-1, nil])(x)
      return results[0].sum() + results[1].sum()
    }
    let gradient = try grad(total)(operands)
    let expected = (cos(operands.rows * operands.shared) * operands.rows).sum(axis: 0) + 2.0 * operands.shared
    #expect(abs(gradient.shared - expected).max().scalar < 1e-14)
    #expect(gradient.columns.values == [1, 1, 1, 1, 1, 1])
  }
  /// A batch of batches, of which one tensor is shared by the outer and one by the inner.
  @Test func nested() throws {
    let inner = vmap({ (x: [Tensor]) in [x[0] * x[1]] }, inputAxes: [nil, 0])
    let outer = vmap({ (x: [Tensor]) throws in try inner(x) }, inputAxes: [0, nil], outputAxes: [-1])
    let (a, b) = (Tensor([1.0, 2, 3]), Tensor([5.0, 7]))
    for f in [outer, jit(outer)] { #expect(try f([a, b])[0].values == outerProduct(b, a)) }
    let slopes = try grad { (x: [Tensor]) in try outer(x)[0].sum() }([a, b])
    #expect(slopes[0].values == [12, 12, 12] && slopes[1].values == [6, 6])
  }
  private func outerProduct(_ a: Tensor, _ b: Tensor) -> [Double] {
    a.values.flatMap { x in b.values.map { x * $0 } }
  }
  @Test func emptyBatches() throws {
    let f = { (x: [Tensor]) in [x[0] * 2.0, x[1] * 3.0] }
    let results = try vmap(f, inputAxes: [-1, nil])([Tensor.zeros([2, 0]), [1, 2]])
    #expect(results[0].shape == [0, 2] && results[1].shape == [0, 2])
    #expect(throws: TensorError.self) {
      try jit(vmap(f, inputAxes: [-1, nil], outputAxes: [0, nil]))([Tensor.zeros([2, 0]), [1, 2]])
    }
  }
  @Test func mistakesAreNamed() {
    func reason(_ inputs: [Int?], _ outputs: [Int?]?) -> TensorError? {
      do { _ = try vmap(function, inputAxes: inputs, outputAxes: outputs)(operands) } catch {
        return error as? TensorError
      }
      return nil
    }
    #expect(reason([nil, 0], nil)?.message.contains("2 input axes") == true)
    #expect(reason([nil, 0, 1], [0])?.message.contains("1 output axes") == true)
    #expect(reason([nil, 0, 1], [nil, nil])?.message.contains("tensor 0 of the result depends") == true)
    #expect(reason([nil, nil, nil], nil)?.reason == .argument)
    #expect(reason([nil, 0, 0], nil)?.reason == .shape)
    #expect(reason([nil, 0, 2], nil)?.reason == .range)
    #expect(reason([nil, 0, 1], [2, 0])?.reason == .range)
    #expect(reason([], [])?.reason == .argument)
  }
}
