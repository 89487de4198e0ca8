import Autodiff

/// The solution of an implicit layer. Operands: the first guess, the parameters w of the residual, what only the solver depends on.
///
/// The derivative is that of the implicit function: F(x(w), w) = 0 gives F_x ẋ = −F_w ẇ (`ImplicitLayer+Tangent.swift`). The guess and the solver's own
/// settings have no influence on a root, so that their tangents are dropped. The tangent consists of ordinary operations and of linear
/// solves, which are primitives with rules of their own: reverse mode and every order follow.
struct ImplicitSolve: HigherOrderPrimitive {
  let layer: ImplicitLayer
  /// Which operands have a batch as axis 0; nil for a single problem.
  var isBatched: [Bool]?
  var size = 1

  var name: String { layer.name }
  var attributes: String { isBatched == nil ? "" : "batch of \(size)" }
  var programs: [(role: String, program: Program)] { [("residual", layer.residual)] }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let wanted = layer.unknownTypes + layer.parameterTypes
    for (k, type) in wanted.enumerated() {
      let expected = isBatched?[k] == true ? type.withBatch(size) : type
      guard operands[k] == expected else {
        throw TensorError(.shape, name, "operand \(k) is \(operands[k]) where \(expected) is wanted")
      }
    }
    return isBatched == nil ? layer.resultTypes : layer.resultTypes.map { $0.withBatch(size) }
  }

  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    do {
      return try layer.evaluate(operands, isBatched: isBatched, count: size)
    } catch let failure as ProblemFailure {
      throw layerTensorError(failure.error, name, element: isBatched == nil ? nil : failure.problem)
    } catch { throw layerTensorError(error, name) }
  }

  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    let none = results.map { _ in nil as Tensor? }
    let (n, end) = (layer.unknownCount, layer.unknownCount + layer.parameterCount)
    let active = (n..<end).filter { tangents[$0] != nil }
    guard !active.isEmpty else { return (results, none) }
    let status = layer.reports ? [results[n]] : []
    // One flat list of arguments, so that a batch is `vmap` of the rule for a single problem.
    let arguments = Array(results.prefix(n)) + primals[n..<end] + active.map { tangents[$0]! } + status
    let layer = layer
    let rule = { (arguments: [Tensor]) throws -> [Tensor] in
      var moving = [Tensor?](repeating: nil, count: layer.parameterCount)
      for (k, place) in active.enumerated() { moving[place - n] = arguments[end + k] }
      return try layer.tangent(
        at: Array(arguments.prefix(n)), parameters: Array(arguments[n..<end]), moving: moving,
        status: layer.reports ? arguments.last : nil)
    }
    guard let isBatched else { return (results, try rule(arguments).map { $0 } + none.dropFirst(n)) }
    let axes: [Int?] =
      results.prefix(n).map { _ in 0 } + (n..<end).map { isBatched[$0] ? 0 : nil }
      + active.map { isBatched[$0] ? 0 : nil } + status.map { _ in 0 }
    return (results, try vmap(rule, inputAxes: axes)(arguments).map { $0 } + none.dropFirst(n))
  }

  /// A batch of batches is one longer batch; what neither has is shared by all.
  func batch(_ operands: [Tensor], _ flags: [Bool], size outer: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    guard let isBatched else {
      let results = try bindOrThrow(ImplicitSolve(layer: layer, isBatched: flags, size: outer), operands)
      return (results, results.map { _ in true })
    }
    let both = zip(isBatched, flags).map { $0 || $1 }
    let inner = size
    let prepared = operands.enumerated().map { k, operand -> Tensor in
      guard both[k] else { return operand }
      var x = operand.batched(flags[k], outer)
      if !isBatched[k] {
        x = x.expandingAxis(1)
        x = x.broadcast(to: [outer, inner] + x.shape.dropFirst(2))
      }
      return x.reshaped([outer * inner] + x.shape.dropFirst(2))
    }
    let results = try bindOrThrow(
      ImplicitSolve(layer: layer, isBatched: both, size: outer * inner), prepared)
    return (
      results.map { $0.reshaped([outer, inner] + $0.shape.dropFirst()) }, results.map { _ in true }
    )
  }
}

extension TensorType {
  /// With a batch as axis 0.
  func withBatch(_ size: Int) -> TensorType { TensorType(elementType, [size] + shape) }
}
