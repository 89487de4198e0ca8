/// The identity whose derivative is zero.
package struct StopGradient: Primitive {
  package var name: String { "stopGradient" }
  package func resultTypes(_ operands: [TensorType]) -> [TensorType] { operands }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] { operands }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(self, operands), isBatched) }
}

/// The same value, held constant by every derivative.
public func stopGradient(_ x: Tensor) -> Tensor { bind1(StopGradient(), x) }
