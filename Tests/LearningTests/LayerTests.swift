import Autodiff
import Foundation
import Learning
import TestSupport
import Testing

@Suite struct LayerTests {
  private let key = RandomKey(seed: 5)

  @Test func variancesOfInitializers() throws {
    let (inputs, outputs) = (300, 200)
    let expected: [(Initializer, Double)] = [
      (.glorotUniform, 2.0 / 500), (.glorotNormal, 2.0 / 500), (.heUniform, 2.0 / 300),
      (.heNormal, 2.0 / 300),
      (.lecunNormal, 1.0 / 300),
    ]
    for (initializer, variance) in expected {
      let weights = initializer.weights(inputs: inputs, outputs: outputs, key: key)
      #expect(weights.shape == [inputs, outputs])
      let measured = weights.variance().scalar
      // Sixty thousand samples: a standard error of 0.6 % for normal numbers.
      #expect(abs(measured / variance - 1) < 0.03, "\(initializer)")
      #expect(abs(weights.mean().scalar) < 5 * (variance / 60_000).squareRoot(), "\(initializer)")
      #expect(weights.values == initializer.weights(inputs: inputs, outputs: outputs, key: key).values)
    }
    #expect(
      Initializer.constant(0.25).weights(inputs: 2, outputs: 1, key: key, type: .float32).type
        == TensorType(.float32, [2, 1]))
  }

  @Test(arguments: [[4, 7], [7, 4], [5, 5]]) func orthogonalWeights(shape: [Int]) {
    let w = Initializer.orthogonal(gain: 2).weights(inputs: shape[0], outputs: shape[1], key: key)
    #expect(w.shape == shape)
    let gram = shape[0] >= shape[1] ? matmul(w.transposed, w) : matmul(w, w.transposed)
    let error = abs(gram - Tensor.identity(shape.min()!) * 4.0).max().scalar
    #expect(error < 1e-13)
  }

  @Test func layersAreAffine() {
    let layer = DenseLayer(weights: [[1, 2, 3], [4, 5, 6]], bias: [10, 20, 30])
    #expect(layer([1, -1]).values == [7, 17, 27])
    #expect(layer([[1, -1], [0, 2]]).values == [7, 17, 27, 18, 30, 42])
  }

  @Test(arguments: Activation.allCases) func activations(_ activation: Activation) throws {
    let x: [Double] = [-2.5, -0.3, 0.4, 1.7]
    let expected = x.map { (x: Double) -> Double in
      switch activation {
      case .identity: x
      case .tanh: Foundation.tanh(x)
      case .logistic: 1 / (1 + Foundation.exp(-x))
      case .relu: Swift.max(x, 0)
      case .gelu: x * 0.5 * (1 + Foundation.erf(x / 2.0.squareRoot()))
      case .silu: x / (1 + Foundation.exp(-x))
      case .softplus: Foundation.log(1 + Foundation.exp(x))
      }
    }
    for (value, expected) in zip(activation(Tensor(x)).values, expected) {
      #expect(abs(value - expected) < 1e-14 * Swift.max(1, Swift.abs(expected)))
    }
    let laws = GradientLaws(tolerance: 1e-7, step: 1e-2)
    #expect(try laws.violations(of: { activation($0[0]) }, at: [Tensor(x)]) == [])
  }

  @Test func networksObeyTheLaws() throws {
    let network = MultilayerPerceptron(sizes: [3, 5, 4, 2], activation: .gelu, key: key)
    #expect(network.leaves.map(\.shape) == [[3, 5], [5], [5, 4], [4], [4, 2], [2]])
    let x = key.normal([6, 3])
    let violations = try GradientLaws(tolerance: 1e-7, step: 1e-2).violations(
      of: { square(try network.replacing(leaves: $0)(x)).mean() }, at: network.leaves)
    #expect(violations == [])
  }

  @Test func losses() throws {
    let logits: Tensor = [[1.0, 2.0, 0.5], [-1.0, 0.0, 3.0]]
    let labels = Tensor([Int32(1), 2])
    func logSum(_ x: [Double]) -> Double { Foundation.log(x.map { Foundation.exp($0) }.reduce(0, +)) }
    let expected = (logSum([1, 2, 0.5]) - 2 + logSum([-1, 0, 3]) - 3) / 2
    #expect(abs(softmaxCrossEntropy(logits: logits, labels: labels).scalar - expected) < 1e-15)
    let binary = binaryCrossEntropy(logits: [0.3, -2.0], labels: [1.0, 0.0]).scalar
    let byHand = (Foundation.log(1 + Foundation.exp(-0.3)) + Foundation.log(1 + Foundation.exp(-2.0))) / 2
    #expect(abs(binary - byHand) < 1e-15)
    #expect(meanSquaredError([1.0, 2.0], [0.0, 4.0]).scalar == 2.5)
    let laws = GradientLaws()
    #expect(
      try laws.violations(of: { softmaxCrossEntropy(logits: $0[0], labels: labels) }, at: [logits]) == [])
    #expect(
      try laws.violations(of: { binaryCrossEntropy(logits: $0[0], labels: [1.0, 0.0]) }, at: [[0.3, -2.0]])
        == [])
  }
}
