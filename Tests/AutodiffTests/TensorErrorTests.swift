import Autodiff
import Testing

@Suite struct TensorErrorTests {
  private func error(_ body: () throws -> Tensor) -> TensorError? {
    do {
      _ = try withTensorErrors(body)
      return nil
    } catch { return error as? TensorError }
  }

  @Test func shapesAreNamed() {
    let failure = error { Tensor.zeros([2, 3]) + Tensor.zeros([4]) }
    #expect(failure?.reason == .shape)
    #expect(failure?.description.contains("add: the shapes [2, 3] and [4]") == true)
    #expect(error { Tensor.zeros([2, 3]).reshaped([4]) }?.description.contains("[2, 3]") == true)
    #expect(error { Tensor.zeros([2, 3])[2] }?.reason == .range)
    #expect(error { Tensor.zeros([2, 3]).sum(axis: 2) }?.reason == .range)
    #expect(error { sin(Tensor([true])) + Tensor.zeros([2]).squeezed(0) }?.reason == .shape)
    #expect(error { concatenate([Tensor.zeros([2]), Tensor.zeros([2, 2])]) }?.operation == "concatenate")
  }

  @Test func theFirstMistakeIsTheOneThrown() {
    let failure = error {
      let bad = Tensor.zeros([2]) * Tensor.zeros([3])
      return sin(bad) + Tensor.zeros([7]).reshaped([5])
    }
    #expect(failure?.operation == "multiply")
  }

  @Test func mistakesInTracedFunctionsAreThrown() {
    #expect(throws: TensorError.self) {
      try grad { (x: Tensor) in (x + Tensor.zeros([5])).sum() }(Tensor.zeros([2]))
    }
    #expect(throws: TensorError.self) { try grad { (x: Tensor) in x * 2.0 }(Tensor.zeros([2])) }
    #expect(throws: TensorError.self) {
      try grad { (x: Tensor) in x.converted(to: .float64) }(Tensor(scalar: Int32(1)))
    }
  }

  @Test func branchingOnTracedValues() {
    let failure = error {
      try grad { (x: Tensor) throws in try Bool(x .> 0.0) ? x : -x }(1.0)
    }
    #expect(failure?.reason == .tracedValue)
    #expect(failure?.message.contains("select") == true && failure?.message.contains("cond") == true)
    #expect(error { try grad { (x: Tensor) in x * x.scalar }(1.0) }?.reason == .tracedValue)
  }

  @Test func tracersDoNotEscape() throws {
    nonisolated(unsafe) var kept: Tensor = 0.0
    _ = try grad { (x: Tensor) in
      kept = x
      return x * x
    }(1.0)
    #expect(error { kept + 1.0 }?.reason == .escapedTrace)
    #expect(error { try grad { (x: Tensor) in x * kept }(1.0) }?.reason == .escapedTrace)
  }

  @Test func errorsDescribeThemselves() {
    #expect(TensorError(.shape, "add", "text").description == "add: text")
  }
}

@Suite struct FiniteCheckTests {
  private func error(_ body: () throws -> Tensor) -> TensorError? {
    do {
      _ = try withFiniteChecks(body)
      return nil
    } catch { return error as? TensorError }
  }

  @Test func firstOperationIsNamed() throws {
    let x: Tensor = [1.0, 0.0, 2.0]
    let f = { (x: Tensor) in (log(x) * 2.0 + exp(x)).sum() }
    let eager = error { f(x) }
    #expect(eager?.reason == .nonFinite && eager?.operation == "logarithm")
    #expect(
      eager?.message.contains("element 1 of the shape [3]") == true
        && eager?.message.contains("[0.0]") == true)
    // The infinite derivative comes before the NaN that it leads to.
    let g = jit(grad { (x: Tensor) in (sqrt(x) * x).sum() })
    #expect(try g(x)[1].scalar.isNaN)
    #expect(error { try g(x) }?.operation == "divide")
    let loop = jit { (x: Tensor) throws in
      try scan(initial: x, over: Tensor.range(to: 3)) { (y, t) in (y / (t - 1.0), [Tensor]()) }.state
    }
    #expect(error { try loop([1.0]) }?.operation == "divide")
    let batch = jit(vmap { (y: Tensor) in log(y) })
    #expect(error { try batch(x) }?.operation == "logarithm")
    #expect(error { f([1.0, 2.0]) } == nil)
    #expect(error { x + Tensor.zeros([2]) }?.reason == .shape)
  }
}
