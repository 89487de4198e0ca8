import Autodiff
import TestSupport
import Testing

private let fine = GradientLaws(step: 2e-3)

let elementwiseCases: [DerivativeCase] = [
  DerivativeCase("negate", [[3]]) { -$0[0] * $0[0] },
  DerivativeCase("absolute", [[3]], in: 0.5...2) { abs(-$0[0] * $0[0]) },
  DerivativeCase("square", [[3]]) { square($0[0]) },
  DerivativeCase("squareRoot", [[3]], in: 0.5...2) { sqrt($0[0]) },
  DerivativeCase("reciprocal", [[3]], in: 0.5...2) { reciprocal($0[0]) },
  DerivativeCase("exponential", [[3]]) { exp($0[0]) },
  DerivativeCase("exponentialMinusOne", [[3]]) { expm1($0[0]) },
  DerivativeCase("logarithm", [[3]], in: 0.5...2) { log($0[0]) },
  DerivativeCase("logarithmOnePlus", [[3]], in: -0.4...1) { log1p($0[0]) },
  DerivativeCase("sine", [[3]]) { sin($0[0]) },
  DerivativeCase("cosine", [[3]]) { cos($0[0]) },
  DerivativeCase("tangent", [[3]]) { tan($0[0]) },
  DerivativeCase("arcSine", [[3]], in: -0.7...0.7, laws: fine) { asin($0[0]) },
  DerivativeCase("arcCosine", [[3]], in: -0.7...0.7, laws: fine) { acos($0[0]) },
  DerivativeCase("arcTangent", [[3]]) { atan($0[0]) },
  DerivativeCase("hyperbolicSine", [[3]]) { sinh($0[0]) },
  DerivativeCase("hyperbolicCosine", [[3]]) { cosh($0[0]) },
  DerivativeCase("hyperbolicTangent", [[3]]) { tanh($0[0]) },
  DerivativeCase("arcHyperbolicSine", [[3]]) { asinh($0[0]) },
  DerivativeCase("arcHyperbolicCosine", [[3]], in: 1.5...3) { acosh($0[0]) },
  DerivativeCase("arcHyperbolicTangent", [[3]], in: -0.6...0.6, laws: fine) { atanh($0[0]) },
  DerivativeCase("logistic", [[3]]) { logistic($0[0]) },
  DerivativeCase("errorFunction", [[3]]) { erf($0[0]) },
  DerivativeCase("complementaryErrorFunction", [[3]]) { erfc($0[0]) },
  DerivativeCase("logGamma", [[3]], in: 0.7...4, laws: fine) { lgamma($0[0]) },
  DerivativeCase("digamma", [[3]], in: 0.7...4, laws: fine) { digamma($0[0]) },
  DerivativeCase("sinc near zero", [[3]], in: -0.3...0.3) { sinc($0[0]) },
  DerivativeCase("sinc", [[3]], in: 0.8...3) { sinc($0[0]) },
  DerivativeCase("floor, ceil, round, trunc", [[3]], in: 0.1...0.4) {
    ($0[0] + floor($0[0]) + ceil($0[0]) + round($0[0]) + trunc($0[0])) * $0[0]
  },
  DerivativeCase("add", [[2, 3], [3]]) { ($0[0] + $0[1]) * $0[0] },
  DerivativeCase("subtract", [[3], [2, 1]]) { ($0[0] - $0[1]) * $0[0] },
  DerivativeCase("multiply", [[2, 3], []]) { $0[0] * $0[1] },
  DerivativeCase("divide", [[2, 3], [3]], in: 0.5...2) { $0[0] / $0[1] },
  DerivativeCase("power", [[3], [3]], in: 0.5...2) { pow($0[0], $0[1]) },
  DerivativeCase("power of constants", [[3]], in: 0.5...2) {
    pow($0[0], 2.5) + pow($0[0], 3) + pow($0[0], -1) + pow(2.0, $0[0]) + pow($0[0], 4) + pow($0[0], -2)
      + pow($0[0], 0.5)
  },
  DerivativeCase("arcTangent2", [[3], [3]], in: 0.5...2) { atan2($0[0], $0[1]) + atan2(-$0[0], -$0[1]) },
  DerivativeCase("minimum, maximum", [[8], [8]]) {
    minimum($0[0], $0[1] + 0.3) * maximum($0[0], $0[1] * 2.0)
  },
  DerivativeCase("remainder", [[3], [3]], in: 0.6...0.9) { ((0.5 * $0[0] + 1.2 * $0[1]) % $0[1]) * $0[0] },
  DerivativeCase("select", [[6], [6]]) {
    select(Tensor([true, false, true, true, false, false]), sin($0[0]), $0[0] * $0[1])
  },
  DerivativeCase("softplus, gelu, silu, relu", [[5]], in: 0.1...1) {
    softplus($0[0]) + gelu($0[0]) + silu($0[0]) + relu($0[0]) * $0[0]
  },
]

let structuralCases: [DerivativeCase] = [
  DerivativeCase("broadcast", [[2, 1, 3]]) { square($0[0].broadcast(to: [4, 2, 5, 3])) },
  DerivativeCase("reshape", [[2, 6]]) { square($0[0].reshaped([3, -1])) },
  DerivativeCase("transpose", [[2, 3, 4]]) { square($0[0].transposed([2, 0, 1])) },
  DerivativeCase("slice", [[5, 4]]) { square($0[0][1..<4, -1]) + $0[0][2, 1] },
  DerivativeCase("strided slice", [[7]]) { square($0[0].slice(axis: 0, from: 1, count: 3, step: 2)) },
  DerivativeCase("reversed", [[3, 4]]) { $0[0].reversed(axis: 1) * $0[0] },
  DerivativeCase("padded", [[2, 3]]) { square($0[0].padded(before: [1, 0], after: [0, 2], with: 3)) },
  DerivativeCase("concatenate", [[2, 3], [2, 1]]) { square(concatenate([$0[0], $0[1], $0[0]], axis: 1)) },
  DerivativeCase("stack, split", [[4], [4]]) {
    let parts = square(stack([$0[0], $0[1]], axis: 1)).split(sizes: [1, 3])
    return parts[0] * parts[1]
  },
  DerivativeCase("assignment", [[3, 3], [3]]) {
    var x = square($0[0])
    x[1] = $0[1] * $0[1]
    x[0..., 2] = x[0]
    return x * x
  },
  DerivativeCase("sum", [[3, 4, 2]]) { square($0[0].sum(axes: [0, 2])) },
  DerivativeCase("mean, variance", [[3, 4]]) { $0[0].variance(axes: [1]) * $0[0].mean(axis: 1) },
  DerivativeCase("maximum", [[3, 4]]) { square($0[0].max(axis: 1)) },
  DerivativeCase("minimum", [[3, 4]]) { square($0[0].min(axis: 0)) },
  DerivativeCase("product", [[3, 5]]) { $0[0].product(axis: 1) },
]

let indexingCases: [DerivativeCase] = [
  DerivativeCase("taking", [[4, 3]]) { square($0[0].taking(Tensor([Int32(2), 0, 2, 1]), axis: 0)) },
  DerivativeCase("taking along the last axis", [[2, 4, 3]]) {
    square($0[0].taking(Tensor([Int32(3), 0, 1, 1], shape: [2, 2]), axis: 1))
  },
  DerivativeCase("takingAlong", [[3, 4]]) {
    square($0[0].takingAlong(Tensor([Int32(0), 3, 3, 2, 1, 0], shape: [3, 2]), axis: 1))
  },
  DerivativeCase("addingRows", [[4, 2], [3, 2]]) {
    square($0[0].addingRows($0[1], at: Tensor([Int32(1), 3, 1])))
  },
  DerivativeCase("batched indices", [[3, 5]]) { x in
    // The indices depend on the argument, so that vmap batches both operands.
    square(x[0].takingAlong(x[0].argumentSorted(axis: 1), axis: 1)[0..., 1..<3])
  },
  DerivativeCase("sorted", [[3, 5]]) { $0[0].sorted(axis: 0) * Tensor([1.0, 2, 3], shape: [3, 1]) * $0[0] },
  DerivativeCase("cumulativeSum", [[3, 4]]) {
    square($0[0].cumulativeSum(axis: 0)) + $0[0].cumulativeSum(axis: 1, reverse: true)
  },
  DerivativeCase("cumulativeProduct", [[2, 5]]) { $0[0].cumulativeProduct(axis: 1) },
  DerivativeCase("differences", [[2, 5]]) { square($0[0].differences()) },
  DerivativeCase("diagonal", [[2, 3, 4]]) { square($0[0].diagonal) },
  DerivativeCase("asDiagonal", [[2, 3]]) { square($0[0].asDiagonal) * 2.0 },
  DerivativeCase("triangles", [[3, 3]]) { square($0[0].lowerTriangle()) * $0[0].upperTriangle(offset: -1) },
]

let productCases: [DerivativeCase] = [
  DerivativeCase("matmul", [[2, 3], [3, 4]]) { matmul($0[0], $0[1]) },
  DerivativeCase("matmul of vectors", [[3], [3, 4], [4]]) {
    matmul($0[0], $0[1]) * matmul(matmul($0[0], $0[1]), $0[2])
  },
  DerivativeCase("matmul of stacks", [[2, 1, 2, 3], [5, 3, 2]]) { matmul($0[0], $0[1]) },
  DerivativeCase("matmul by BLAS", [[9, 11], [11, 10]]) {
    matmul($0[0], $0[1]) + matmul($0[1].transposed, $0[0].transposed).transposed
  },
  DerivativeCase("dot, outer", [[4], [4]]) { outer($0[0], $0[1]) * dot($0[0], $0[1]) },
  DerivativeCase("einsum ij,jk,kl->il", [[2, 3], [3, 4], [4, 2]]) {
    einsum("ij,jk,kl->il", $0[0], $0[1], $0[2])
  },
  DerivativeCase("einsum bij,bkj->bik", [[2, 2, 3], [2, 4, 3]]) { einsum("bij,bkj->bik", $0[0], $0[1]) },
  DerivativeCase("einsum iij,j->i", [[3, 3, 2], [2]]) { einsum("iij,j->i", $0[0], $0[1]) * $0[1][0] },
  DerivativeCase("einsum ii", [[3, 3]]) { square(einsum("ii", $0[0])) },
  DerivativeCase("norms", [[3, 4]], in: 0.3...1, laws: fine) {
    norm($0[0], axes: [1]) * norm1($0[0]) * normInfinity($0[0])
  },
  DerivativeCase("normalized", [[3, 4]]) { normalized($0[0]) },
  DerivativeCase("logSumExp, softmax", [[3, 4]]) {
    logSumExp($0[0], axes: [1]) + softmax($0[0])[0..., 1] * logSoftmax($0[0])[0..., 0]
  },
  DerivativeCase("cross, skew", [[2, 3], [3]]) { cross($0[0], $0[1]) + matmul(skew($0[1]), $0[0][0]) },
  DerivativeCase("quaternions", [[4], [2, 3]]) {
    let q = normalized($0[0])
    return rotate($0[1], by: quaternionProduct(q, quaternionExponential($0[1])))
      + matmul($0[1], rotationMatrix(quaternion: quaternionConjugate(q)))
  },
  DerivativeCase("quaternionExponential near zero", [[2, 3]], in: -0.02...0.02, laws: fine) {
    quaternionExponential($0[0])
  },
]

@Suite struct PrimitiveDerivativeTests {
  @Test(arguments: indexingCases) func indexing(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: productCases) func products(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: elementwiseCases) func elementwise(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: structuralCases) func structural(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }
}
