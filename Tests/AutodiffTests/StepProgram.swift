import Autodiff
import Foundation

/// A program in the text form of the fixtures (Tools/write_autodiff_fixtures.py), run with the library's public functions.
///
/// Values are numbered: inputs first, then one for each step.
struct StepProgram: Decodable, Sendable, CustomStringConvertible {
  struct Input: Decodable, Sendable {
    var shape: [Int]
    var values: [Double]
    var tensor: Tensor { Tensor(values, shape: shape) }
  }
  /// A function that a step calls: its values are parameters, captured values, then its own steps.
  struct Body: Decodable, Sendable {
    var steps: [String]
    var outputs: [Int]
  }

  var name: String
  var inputs: [Input]
  var steps: [String]
  var bodies: [Body]?
  var outputs: [Int]
  var value: [Double]
  var jvp: [Double]?
  var vjp: [Double]?
  var hvp: [Double]?
  var description: String { name }

  static func load(_ file: String) throws -> [StepProgram] {
    guard let url = Bundle.module.url(forResource: "Fixtures/\(file)", withExtension: "json") else {
      throw CocoaError(.fileNoSuchFile)
    }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode([StepProgram].self, from: Data(contentsOf: url))
  }

  var arguments: [Tensor] { inputs.map(\.tensor) }
  /// The direction of the jvp and the hvp: the inputs' elements, numbered through.
  var direction: [Tensor] {
    var k = 0
    return inputs.map { input in
      defer { k += input.values.count }
      let numbers = (k..<k + input.values.count).map { Self.ramp($0, 5, 13, 6, 8) + 0.0625 }
      return Tensor(numbers, shape: input.shape)
    }
  }
  /// The cotangent of the flat output.
  var cotangent: Tensor { Tensor(value.indices.map { Self.ramp($0, 7, 11, 5, 4) + 0.125 }) }
  /// Numbers that look random: ((a k) mod b - c) / d.
  fileprivate static func ramp(_ k: Int, _ a: Int, _ b: Int, _ c: Int, _ d: Double) -> Double {
    Double((a * k) % b - c) / d
  }

  /// The flat output.
  func callAsFunction(_ inputs: [Tensor]) throws -> Tensor {
    let values = try run(steps, inputs)
    return concatenate(outputs.map { values[$0].flattened })
  }

  private func run(_ steps: [String], _ inputs: [Tensor]) throws -> [Tensor] {
    var values = inputs
    for text in steps {
      let step = try Step(text)
      values.append(try apply(step, step.operands.map { values[$0] }))
    }
    return values
  }

  private func call(_ body: Int, _ values: [Tensor]) throws -> [Tensor] {
    let body = bodies![body]
    let results = try run(body.steps, values)
    return body.outputs.map { results[$0] }
  }

  private func apply(_ step: Step, _ x: [Tensor]) throws -> Tensor {
    if let function = Self.unary[step.name] { return function(x[0]) }
    if let function = Self.binary[step.name] { return function(x[0], x[1]) }
    if let result = try reduction(step, x[0]) ?? shaping(step, x) ?? indexing(step, x) { return result }
    if let result = try product(step, x) ?? linearAlgebra(step, x) ?? control(step, x) { return result }
    throw Step.Unknown(step: step.name)
  }
}

/// One step: name, operands, attributes.
private struct Step {
  struct Unknown: Error { var step: String }

  var name: String
  var operands: [Int] = []
  var attributes: [String: [Double]] = [:]

  init(_ text: String) throws {
    let words = text.split(separator: " ")
    name = String(words[0])
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", omittingEmptySubsequences: false)
      if parts.count == 1 {
        guard let operand = Int(word) else { throw Unknown(step: text) }
        operands.append(operand)
      } else {
        attributes[String(parts[0])] = try parts[1].split(separator: ",").map {
          guard let number = Double($0) else { throw Unknown(step: text) }
          return number
        }
      }
    }
  }

  func has(_ key: String) -> Bool { attributes[key] != nil }
  func integers(_ key: String) -> [Int] { (attributes[key] ?? []).map { Int($0) } }
  func integer(_ key: String) -> Int { integers(key)[0] }
  var axis: Int { integer("axis") }
  var axes: [Int]? { has("axes") ? integers("axes") : nil }
  var shape: [Int] { integers("shape") }
  var by: [Double] { attributes["by"]! }
  var indices: Tensor { Tensor(integers("indices").map { Int32($0) }) }
}

extension StepProgram {
  private static let unary: [String: @Sendable (Tensor) -> Tensor] = [
    "neg": { -$0 }, "abs": { abs($0) }, "sign": { sign($0) }, "floor": { floor($0) }, "ceil": { ceil($0) },
    "round": { round($0) }, "trunc": { trunc($0) }, "square": { square($0) }, "sqrt": { sqrt($0) },
    "reciprocal": { reciprocal($0) }, "exp": { exp($0) }, "expm1": { expm1($0) }, "log": { log($0) },
    "log1p": { log1p($0) }, "sin": { sin($0) }, "cos": { cos($0) }, "tan": { tan($0) }, "asin": { asin($0) },
    "acos": { acos($0) }, "atan": { atan($0) }, "sinh": { sinh($0) }, "cosh": { cosh($0) },
    "tanh": { tanh($0) }, "asinh": { asinh($0) }, "acosh": { acosh($0) }, "atanh": { atanh($0) },
    "logistic": { logistic($0) }, "erf": { erf($0) }, "erfc": { erfc($0) }, "lgamma": { lgamma($0) },
    "digamma": { digamma($0) }, "sinc": { sinc($0) }, "relu": { relu($0) }, "softplus": { softplus($0) },
    "silu": { silu($0) }, "gelu": { gelu($0) }, "stopGradient": { stopGradient($0) }, "weigh": { weigh($0) },
    "diagonal": { $0.diagonal }, "asDiagonal": { $0.asDiagonal },
  ]
  private static let binary: [String: @Sendable (Tensor, Tensor) -> Tensor] = [
    "add": { $0 + $1 }, "sub": { $0 - $1 }, "mul": { $0 * $1 }, "div": { $0 / $1 }, "pow": { pow($0, $1) },
    "atan2": { atan2($0, $1) }, "minimum": { minimum($0, $1) }, "maximum": { maximum($0, $1) },
    "remainder": { $0 % $1 }, "matmul": { matmul($0, $1) }, "dot": { dot($0, $1) },
    "outer": { outer($0, $1) },
    "cross": { cross($0, $1) },
  ]

  private func reduction(_ step: Step, _ x: @autoclosure () -> Tensor) throws -> Tensor? {
    let (axes, keep) = (step.axes, step.has("keep"))
    switch step.name {
    case "sum": return x().sum(axes: axes, keepingAxes: keep)
    case "mean": return x().mean(axes: axes, keepingAxes: keep)
    case "variance": return x().variance(axes: axes, keepingAxes: keep)
    case "max": return x().max(axes: axes, keepingAxes: keep)
    case "min": return x().min(axes: axes, keepingAxes: keep)
    case "logSumExp": return logSumExp(x(), axes: axes, keepingAxes: keep)
    case "norm": return norm(x(), axes: axes, keepingAxes: keep)
    case "product": return x().product(axis: step.axis)
    case "softmax": return softmax(x(), axis: step.axis)
    case "logSoftmax": return logSoftmax(x(), axis: step.axis)
    default: return nil
    }
  }

  private func shaping(_ step: Step, _ x: [Tensor]) throws -> Tensor? {
    switch step.name {
    case "constant": return Tensor(step.attributes["values"]!, shape: step.shape)
    case "scale": return x[0] * step.by[0]
    case "shift": return x[0] + step.by[0]
    case "rescale": return step.by[0] / x[0]
    case "power": return pow(x[0], step.by[0])
    case "clamp": return clamp(x[0], step.by[0], step.by[1])
    case "select": return select(x[0] .> x[1], x[2], x[3])
    case "broadcast": return x[0].broadcast(to: step.shape)
    case "reshape": return x[0].reshaped(step.shape)
    case "transpose": return x[0].transposed(step.integers("order"))
    case "moveAxis": return x[0].movingAxis(step.integers("order")[0], to: step.integers("order")[1])
    case "expand": return x[0].expandingAxis(step.axis)
    case "slice":
      let range = step.integers("range")
      return x[0].slice(axis: step.axis, from: range[0], count: range[1], step: range[2])
    case "at": return x[0].slice(axis: step.axis, from: step.integer("place"), count: 1).squeezed(step.axis)
    case "set":
      var result = x[0]
      result[step.integer("place")] = x[1]
      return result
    case "reversed": return x[0].reversed(axis: step.axis)
    case "pad":
      return x[0].padded(before: step.integers("before"), after: step.integers("after"), with: step.by[0])
    case "concatenate": return concatenate(x, axis: step.axis)
    case "stack": return stack(x, axis: step.axis)
    case "lowerTriangle": return x[0].lowerTriangle(offset: step.integer("offset"))
    case "upperTriangle": return x[0].upperTriangle(offset: step.integer("offset"))
    default: return nil
    }
  }

  private func indexing(_ step: Step, _ x: [Tensor]) throws -> Tensor? {
    switch step.name {
    case "cumulativeSum": x[0].cumulativeSum(axis: step.axis, reverse: step.has("reverse"))
    case "cumulativeProduct": x[0].cumulativeProduct(axis: step.axis)
    case "differences": x[0].differences(axis: step.axis)
    case "sorted": x[0].sorted(axis: step.axis)
    case "taking": x[0].taking(step.indices, axis: step.axis)
    case "takingOrder": x[0].takingAlong(x[1].argumentSorted(axis: step.axis), axis: step.axis)
    case "takingLargest": x[0].taking(x[1].argumentMaximum(), axis: 0)
    case "addingRows": x[0].addingRows(x[1], at: step.indices)
    default: nil
    }
  }

  private func product(_ step: Step, _ x: [Tensor]) throws -> Tensor? {
    guard step.name == "einsum" else { return nil }
    let formulas = [
      "ij,jk->ik", "ij,ij->", "ij,kj->ki", "i,ij->j", "ij,j->i", "ii->i", "ijk,kl->ijl", "ij->ji",
      "bij,bjk->bik",
    ]
    let formula = formulas[step.integer("formula")]
    return x.count == 1 ? einsum(formula, x[0]) : einsum(formula, x[0], x[1])
  }

  private func linearAlgebra(_ step: Step, _ x: [Tensor]) throws -> Tensor? {
    switch step.name {
    case "solve": return solve(regular(x[0]), x[1])
    case "inverse": return inverse(regular(x[0]))
    case "determinant": return determinant(regular(x[0])) / 10.0
    case "logDeterminant": return signAndLogDeterminant(regular(x[0])).logarithm
    case "cholesky": return cholesky(positive(x[0]))
    case "choleskySolve": return choleskySolve(cholesky(positive(x[0])), x[1])
    case "triangularSolve":
      return triangularSolve(regular(x[0]), x[1], lower: true, transposed: step.integer("transposed") == 1)
    case "leastSquares": return leastSquares(x[0], x[1])
    case "qr":
      let (q, r) = qrDecomposition(regular(x[0]))
      return stack([q, r])
    case "lu":
      let (_, lower, upper) = luDecomposition(regular(x[0]))
      return stack([lower, upper])
    case "eigenvalues": return symmetricEigen(step.has("raw") ? x[0] : symmetric(x[0])).values
    case "eigenFunction":
      let (values, vectors) = symmetricEigen(symmetric(x[0]))
      return matmul(vectors * tanh(values), vectors.transposed)
    case "eigenProjector":
      let vectors = symmetricEigen(x[0]).vectors[.all, 0..<step.integer("count")]
      return matmul(vectors, vectors.transposed)
    case "singularValues": return singularValueDecomposition(step.has("raw") ? x[0] : regular(x[0])).s
    case "singularFunction":
      let (u, s, vt) = singularValueDecomposition(regular(x[0]))
      return matmul(u * log(s), vt)
    case "root":
      // x + 0.3 sin x = a, by Newton's method.
      return try customRoot({ $0 + 0.3 * sin($0) - x[0] }, guess: x[0]) { residual, guess in
        try forLoop(40, initial: guess) { _, y in y - (try residual(y)) / (1.0 + 0.3 * cos(y)) }
      }
    default: return nil
    }
  }

  private func control(_ step: Step, _ x: [Tensor]) throws -> Tensor? {
    guard step.has("body") else { return nil }
    let body = step.integer("body")
    let captured = Array(x.dropFirst())
    switch step.name {
    case "scan":
      let held = Array(x.dropFirst(2))
      let (state, rows) = try scan(initial: x[0], over: x[1], reverse: step.has("reverse")) { state, row in
        let results = try call(body, [state, row] + held)
        return (results[0], results[1])
      }
      return concatenate([state.flattened, rows.flattened])
    case "forLoop":
      return try forLoop(step.integer("count"), initial: x[0]) { _, y in try call(body, [y] + captured)[0] }
    case "whileLoop":
      let limit = Double(step.integer("count"))
      return try whileLoop(initial: [Tensor(0.0), x[0]], condition: { $0[0] .< limit }) { state in
        [state[0] + 1.0, try call(body, [state[1]] + captured)[0]]
      }[1]
    case "cond":
      let other = step.integers("body")[1]
      return try cond(x[0] .> 0.1) {
        try call(body, captured)[0]
      } else: {
        try call(other, captured)[0]
      }
    case "checkpoint": return try checkpoint { (all: [Tensor]) in try call(body, all)[0] }(x)
    case "vmap": return try vmap { (row: Tensor) in try call(body, [row] + captured)[0] }(x[0])
    case "grad": return try grad { (y: Tensor) in weigh(try call(body, [y] + captured)[0]) }(x[0])
    case "jvp":
      return try Autodiff.jvp(
        { (y: Tensor) in try call(body, [y] + captured)[0] }, at: x[0], along: cos(x[0])
      ).tangent
    case "vmapGrad":
      return try vmap(grad { (row: Tensor) in weigh(try call(body, [row] + captured)[0]) })(x[0])
    default: return nil
    }
  }
}

/// A sum with weights that tell the elements apart.
private func weigh(_ x: Tensor) -> Tensor {
  (x.flattened * Tensor((0..<x.count).map { StepProgram.ramp($0, 3, 7, 2, 4) })).sum()
}
/// A matrix made safely regular.
private func regular(_ x: Tensor) -> Tensor {
  x + Tensor((0..<x.shape[1]).map { 3 + 0.5 * Double($0) }).asDiagonal
}
private func positive(_ x: Tensor) -> Tensor {
  matmul(x, x.transposed) + Tensor.identity(x.shape[0])
}
private func symmetric(_ x: Tensor) -> Tensor {
  x + x.transposed + Tensor((0..<x.shape[0]).map { 3 * Double($0) }).asDiagonal
}
