import Autodiff
import TestSupport

private let fine = GradientLaws(step: 2e-3)

/// Where each elementwise function is smooth, and the laws' steps that suit it there.
private func domain(_ function: Unary) -> (range: ClosedRange<Double>, laws: GradientLaws) {
  switch function {
  case .absolute, .squareRoot, .reciprocal, .logarithm: (0.5...2, GradientLaws())
  case .logarithmOnePlus: (-0.4...1, GradientLaws())
  case .arcSine, .arcCosine, .arcHyperbolicTangent: (-0.6...0.6, fine)
  case .arcHyperbolicCosine: (1.5...3, GradientLaws())
  case .logGamma, .digamma: (0.7...4, fine)
  // The derivative of the tetragamma function is not there.
  case .trigamma: (0.7...4, GradientLaws(step: 2e-3, order: 1))
  case .sign, .floor, .ceiling, .round, .truncate: (0.1...0.4, GradientLaws())
  default: (-1...1, GradientLaws())
  }
}

/// Each elementwise primitive by itself, and what the cases elsewhere do not reach.
let universalCases: [DerivativeCase] = unaryCases + binaryCases + selectionCases + otherCases

// The tetragamma function is there as a derivative only.
private let unaryCases: [DerivativeCase] = Unary.allCases.filter { $0 != .tetragamma }.map { function in
  let (range, laws) = domain(function)
  return DerivativeCase("\(function)", [[2, 3]], in: range, laws: laws) { bind1(function, $0[0]) }
}
private let binaryCases: [DerivativeCase] = Binary.allCases.map { function in
  DerivativeCase("\(function)", [[2, 3], [2, 3]], in: 0.6...0.9) { bind1(function, $0[0] * 1.7, $0[1]) }
}
private let selectionCases: [DerivativeCase] =
  Comparison.allCases.map { comparison in
    DerivativeCase("\(comparison)", [[2, 3], [2, 3]]) {
      select(bind1(comparison, $0[0], $0[1]), $0[0] * $0[1], sin($0[0]))
    }
  }
  + Logical.allCases.map { operation in
    DerivativeCase("\(operation)", [[2, 3], [2, 3]]) {
      select(bind1(operation, $0[0] .> 0.0, $0[1] .> 0.0), $0[0] * $0[1], sin($0[0]))
    }
  }

private func cube(_ x: Tensor) throws -> Tensor {
  let rule = customVJP(
    { (y: Tensor) in y * y * y }, forward: { (y: Tensor) in (y * y * y, y) },
    backward: { (y: Tensor, c: Tensor) -> Tensor in c * 3.0 * y * y })
  return try rule(x)
}
/// A loop that has no reverse mode, with a rule.
private func squareRootByNewton(_ x: Tensor) throws -> Tensor {
  func newton(_ a: Tensor) throws -> Tensor {
    try whileLoop(initial: [a, Tensor(0.0)], condition: { $0[1] .< 8.0 }) { state in
      let next: Tensor = 0.5 * (state[0] + a / state[0])
      return [next, state[1] + 1.0]
    }[0]
  }
  let rule = customVJP(
    newton, forward: { (a: Tensor) in (sqrt(a), sqrt(a)) },
    backward: { (y: Tensor, c: Tensor) -> Tensor in c * 0.5 / y })
  return try rule(x)
}

private let otherCases: [DerivativeCase] = [
  DerivativeCase("stopGradient", [[3]]) { x in
    // As data, the value; in derivatives, a constant.
    x[0] * x[0] + stopGradient(Tensor([1.0, 2, 3])) * x[0]
  },
  DerivativeCase("random numbers", [[4]]) { x in
    let key = RandomKey(seed: 5)
    let (a, b) = key.split()
    return x[0] * x[0] * a.uniform([4]) + x[0] * b.normal([4])
  },
  DerivativeCase("random numbers, keys from the arguments", [[4]], in: 1...2) { x in
    let key = RandomKey(seed: 5).folding(floor(x[0][0]).converted(to: .int32))
    return x[0] * x[0] * key.uniform([4])
  },
  DerivativeCase("conversion", [[4]]) { x in
    let whole = (x[0] .> 0.0).converted(to: .int32).converted(to: .float64)
    return x[0] * x[0] * whole
  },
  DerivativeCase("compiled inside", [[3]]) { try jit { (x: Tensor) in sin(x) * x }($0[0]) * $0[0] },
  DerivativeCase("scatter of batches", [[3, 4], [2, 4]]) { x in
    let indices = x[0].argumentSorted(axis: 0)[0..<2, 0]
    return square(x[0].addingRows(x[1], at: indices))
  },
  DerivativeCase("argumentMinimum", [[5], [5]]) { $0[0].taking($0[1].argumentMinimum()) * $0[1].sum() },
  DerivativeCase("argumentMaximum", [[5], [2, 5]]) { $0[0].taking($0[1].argumentMaximum()) * $0[1].sum() },
]

/// Functions that have no forward mode.
let reverseOnlyCases: [DerivativeCase] = [
  DerivativeCase("customVJP", [[3], [3]]) { x in try cube(x[0]) * x[1] },
  DerivativeCase("while loop inside a custom rule", [[3]], in: 1...2) { x in
    try squareRootByNewton(x[0]) * x[0]
  },
]

/// Functions that have no reverse mode.
let forwardOnlyCases: [DerivativeCase] = [
  DerivativeCase("whileLoop", [[2], []], in: 1...2) { x in
    try whileLoop(initial: [x[0], Tensor(0.0)], condition: { $0[1] .< 3.5 }) { state in
      [sin(state[0]) * x[1] + x[0], state[1] + 1.0]
    }[0]
  },
  DerivativeCase("whileLoop, as many steps as the numbers need", [[2]], in: 1...2) { x in
    try whileLoop(initial: x[0], condition: { $0.sum() .< 20.0 }) { $0 * x[0] + 1.0 }
  },
]

/// Axes of extent zero and one, and no axes.
let edgeCases: [DerivativeCase] =
  anyShapes.flatMap(edgesOfAnyShape) + arrayShapes.flatMap(edgesOfArrays) + [0, 1].flatMap(edgesOfSize)

private let anyShapes: [[Int]] = [[], [1], [0], [2, 0, 3], [1, 1]]
private let arrayShapes: [[Int]] = [[1], [0], [2, 0], [1, 3], [0, 3]]

private func edgesOfAnyShape(_ shape: [Int]) -> [DerivativeCase] {
  [
    DerivativeCase("elementwise \(shape)", [shape, shape], in: 0.5...2) {
      sin($0[0]) * $0[1] / sqrt($0[0])
    },
    DerivativeCase("with a scalar \(shape)", [shape, []], in: 0.5...2) { pow($0[0], $0[1]) - $0[1] },
    DerivativeCase("select \(shape)", [shape, shape]) { select($0[0] .> $0[1], $0[0] * $0[1], $0[1]) },
    DerivativeCase("sum \(shape)", [shape]) { square($0[0]).sum() * $0[0].sum() },
    DerivativeCase("reshape, broadcast \(shape)", [shape]) { x in
      square(x[0].flattened.broadcast(to: [2, x[0].count]))
    },
    DerivativeCase("concatenate, stack \(shape)", [shape, shape]) {
      concatenate([stack([$0[0], $0[1]]), square($0[0]).expandingAxis(0)])
    },
    DerivativeCase("transpose \(shape)", [shape]) { square($0[0].transposed) },
    DerivativeCase("cond \(shape)", [shape]) { x in
      try cond(x[0].sum() .> 100.0, then: { x[0] }, else: { x[0] * x[0] })
    },
  ]
}
private func edgesOfArrays(_ shape: [Int]) -> [DerivativeCase] {
  [
    DerivativeCase("cumulative sum \(shape)", [shape]) { square($0[0].cumulativeSum(axis: 0)) },
    DerivativeCase("product \(shape)", [shape]) { $0[0].product(axis: 0) * $0[0].sum() },
    DerivativeCase("sorted \(shape)", [shape]) { square($0[0].sorted(axis: 0)) },
    DerivativeCase("reversed, sliced, padded \(shape)", [shape]) { x in
      let y = square(x[0].reversed(axis: 0)).slice(axis: 0, from: 0, count: 0)
      return y.padded(before: x[0].shape.map { _ in 1 }, after: x[0].shape.map { _ in 0 }) + x[0].sum()
    },
    DerivativeCase("taking \(shape)", [shape]) { x in
      square(x[0].taking(Tensor([Int32](repeating: 0, count: min(x[0].shape[0], 2)))))
    },
    DerivativeCase("taking nothing \(shape)", [shape]) { square($0[0].taking(Tensor([Int32]()))) },
    DerivativeCase("scan \(shape)", [[], shape]) { x in
      let (last, rows) = try scan(initial: x[0], over: x[1]) { state, row in
        (sin(state) + row.sum(), row * state)
      }
      return concatenate([last.flattened, rows.flattened])
    },
    DerivativeCase("outer, matmul \(shape)", [shape, shape]) {
      matmul($0[0].flattened.expandingAxis(-1), $0[1].flattened.expandingAxis(0)) * $0[0].sum()
    },
    DerivativeCase("inner, matmul \(shape)", [shape, shape]) { matmul($0[0].flattened, $0[1].flattened) },
  ]
}
private func edgesOfSize(_ n: Int) -> [DerivativeCase] {
  [
    DerivativeCase("solve of size \(n)", [[n, n], [n]], in: 0.5...2) { solve($0[0], $0[1]) },
    DerivativeCase("determinant of size \(n)", [[n, n]], in: 0.5...2) { determinant($0[0]) * $0[0].sum() },
    DerivativeCase("cholesky of size \(n)", [[n, n]], in: 0.5...2) { cholesky($0[0]) },
    DerivativeCase("eigenvalues of size \(n)", [[n, n]], in: 0.5...2) {
      square(symmetricEigen($0[0]).values)
    },
    DerivativeCase("singular values of size \(n)", [[n, n]], in: 0.5...2) {
      square(singularValueDecomposition($0[0]).s)
    },
    DerivativeCase("qr of size \(n)", [[n, n]], in: 0.5...2) { qrDecomposition($0[0]).r },
    DerivativeCase("triangularSolve of size \(n)", [[n, n], [n, 2]], in: 0.5...2) {
      triangularSolve($0[0], $0[1], lower: true)
    },
    DerivativeCase("no loop, forLoop \(n)", [[2]]) { x in
      try forLoop(n, initial: x[0]) { _, y in sin(y) * x[0] }
    },
  ]
}
