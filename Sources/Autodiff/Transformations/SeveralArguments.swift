// Functions of two, three and four arguments are functions of one tree.

/// Two trees as one.
struct TensorPair<First: TensorTree, Second: TensorTree>: TensorTree {
  var first: First
  var second: Second

  func appendLeaves(to leaves: inout [Tensor]) {
    first.appendLeaves(to: &leaves)
    second.appendLeaves(to: &leaves)
  }
  func replacingLeaves(_ leaves: inout IndexingIterator<[Tensor]>) throws -> Self {
    Self(first: try first.replacingLeaves(&leaves), second: try second.replacingLeaves(&leaves))
  }
  func appendStructure(to structure: inout [TreeNode]) throws {
    try first.appendStructure(to: &structure)
    try second.appendStructure(to: &structure)
  }
}
typealias TensorTriple<A: TensorTree, B: TensorTree, C: TensorTree> = TensorPair<A, TensorPair<B, C>>
typealias TensorQuadruple<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree> = TensorPair<
  A, TensorTriple<B, C, D>
>

/// The function that computes value and gradients of a scalar function of two arguments.
public func valueAndGrad<A: TensorTree, B: TensorTree>(
  _ function: @escaping (A, B) throws -> Tensor
) -> (A, B) throws -> (value: Tensor, gradient: (A, B)) {
  let joined = valueAndGrad { (pair: TensorPair<A, B>) in try function(pair.first, pair.second) }
  return { a, b in
    let (value, gradient) = try joined(TensorPair(first: a, second: b))
    return (value, (gradient.first, gradient.second))
  }
}
/// The function that computes the gradients of a scalar function of two arguments.
public func grad<A: TensorTree, B: TensorTree>(
  _ function: @escaping (A, B) throws -> Tensor
) -> (A, B) throws -> (A, B) {
  let both = valueAndGrad(function)
  return { a, b in try both(a, b).gradient }
}
/// The function that computes value and gradients of a scalar function of three arguments.
public func valueAndGrad<A: TensorTree, B: TensorTree, C: TensorTree>(
  _ function: @escaping (A, B, C) throws -> Tensor
) -> (A, B, C) throws -> (value: Tensor, gradient: (A, B, C)) {
  let joined = valueAndGrad { (triple: TensorTriple<A, B, C>) in
    try function(triple.first, triple.second.first, triple.second.second)
  }
  return { a, b, c in
    let (value, gradient) = try joined(TensorPair(first: a, second: TensorPair(first: b, second: c)))
    return (value, (gradient.first, gradient.second.first, gradient.second.second))
  }
}
/// The function that computes the gradients of a scalar function of three arguments.
public func grad<A: TensorTree, B: TensorTree, C: TensorTree>(
  _ function: @escaping (A, B, C) throws -> Tensor
) -> (A, B, C) throws -> (A, B, C) {
  let both = valueAndGrad(function)
  return { a, b, c in try both(a, b, c).gradient }
}
/// The function that computes value and gradients of a scalar function of four arguments.
public func valueAndGrad<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> Tensor
) -> (A, B, C, D) throws -> (value: Tensor, gradient: (A, B, C, D)) {
  let joined = valueAndGrad { (x: TensorQuadruple<A, B, C, D>) in
    try function(x.first, x.second.first, x.second.second.first, x.second.second.second)
  }
  return { a, b, c, d in
    let (value, g) = try joined(
      TensorPair(first: a, second: TensorPair(first: b, second: TensorPair(first: c, second: d))))
    return (value, (g.first, g.second.first, g.second.second.first, g.second.second.second))
  }
}
/// The function that computes the gradients of a scalar function of four arguments.
public func grad<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> Tensor
) -> (A, B, C, D) throws -> (A, B, C, D) {
  let both = valueAndGrad(function)
  return { a, b, c, d in try both(a, b, c, d).gradient }
}

/// The function of two arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, Output: TensorTree>(
  _ function: @escaping (A, B) throws -> Output
) -> @Sendable (A, B) throws -> Output {
  let joined = jit { (pair: TensorPair<A, B>) in try function(pair.first, pair.second) }
  return { a, b in try joined(TensorPair(first: a, second: b)) }
}
/// The function of three arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree, Output: TensorTree>(
  _ function: @escaping (A, B, C) throws -> Output
) -> @Sendable (A, B, C) throws -> Output {
  let joined = jit { (triple: TensorTriple<A, B, C>) in
    try function(triple.first, triple.second.first, triple.second.second)
  }
  return { a, b, c in try joined(TensorPair(first: a, second: TensorPair(first: b, second: c))) }
}
/// The function of four arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree, Output: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> Output
) -> @Sendable (A, B, C, D) throws -> Output {
  let joined = jit { (x: TensorQuadruple<A, B, C, D>) in
    try function(x.first, x.second.first, x.second.second.first, x.second.second.second)
  }
  return { a, b, c, d in
    try joined(TensorPair(first: a, second: TensorPair(first: b, second: TensorPair(first: c, second: d))))
  }
}

/// The function of two arguments for a batch.
///
/// - Parameters:
///   - function: a function of trees of tensors.
///   - inputAxes: for each argument the axis that counts the batch, or nil if the argument is the same for all.
///   - outputAxis: where the results have the batch.
public func vmap<A: TensorTree, B: TensorTree, Output: TensorTree>(
  _ function: @escaping (A, B) throws -> Output, inputAxes: (Int?, Int?) = (0, 0), outputAxis: Int = 0
) -> (A, B) throws -> Output {
  { a, b in
    let axes = a.leaves.map { _ in inputAxes.0 } + b.leaves.map { _ in inputAxes.1 }
    return try batchedCall(
      { (pair: TensorPair<A, B>) in try function(pair.first, pair.second) }, TensorPair(first: a, second: b),
      axes: axes, outputAxes: .same(outputAxis))
  }
}
/// The function of three arguments for a batch.
public func vmap<A: TensorTree, B: TensorTree, C: TensorTree, Output: TensorTree>(
  _ function: @escaping (A, B, C) throws -> Output, inputAxes: (Int?, Int?, Int?) = (0, 0, 0),
  outputAxis: Int = 0
) -> (A, B, C) throws -> Output {
  { a, b, c in
    let axes =
      a.leaves.map { _ in inputAxes.0 } + b.leaves.map { _ in inputAxes.1 }
      + c.leaves.map { _ in inputAxes.2 }
    return try batchedCall(
      { (triple: TensorTriple<A, B, C>) in
        try function(triple.first, triple.second.first, triple.second.second)
      },
      TensorPair(first: a, second: TensorPair(first: b, second: c)), axes: axes,
      outputAxes: .same(outputAxis))
  }
}
/// The function of four arguments for a batch.
public func vmap<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree, Output: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> Output,
  inputAxes: (Int?, Int?, Int?, Int?) = (0, 0, 0, 0), outputAxis: Int = 0
) -> (A, B, C, D) throws -> Output {
  { a, b, c, d in
    let axes =
      a.leaves.map { _ in inputAxes.0 } + b.leaves.map { _ in inputAxes.1 }
      + c.leaves.map { _ in inputAxes.2 } + d.leaves.map { _ in inputAxes.3 }
    return try batchedCall(
      { (x: TensorQuadruple<A, B, C, D>) in
        try function(x.first, x.second.first, x.second.second.first, x.second.second.second)
      },
      TensorPair(first: a, second: TensorPair(first: b, second: TensorPair(first: c, second: d))), axes: axes,
      outputAxes: .same(outputAxis))
  }
}
