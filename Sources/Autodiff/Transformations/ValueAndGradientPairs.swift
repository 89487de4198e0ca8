// `valueAndGrad` returns a tuple, which is no tree: compiling and batching it goes through a pair.

/// Value and gradient, compiled.
public func jit<Input: TensorTree, Gradient: TensorTree>(
  _ function: @escaping (Input) throws -> (value: Tensor, gradient: Gradient)
) -> @Sendable (Input) throws -> (value: Tensor, gradient: Gradient) {
  let joined = jit { (input: Input) in
    let (value, gradient) = try function(input)
    return TensorPair(first: value, second: gradient)
  }
  return { input in
    let result = try joined(input)
    return (result.first, result.second)
  }
}
/// Value and gradients of a function of two arguments, compiled.
public func jit<A: TensorTree, B: TensorTree>(
  _ function: @escaping (A, B) throws -> (value: Tensor, gradient: (A, B))
) -> @Sendable (A, B) throws -> (value: Tensor, gradient: (A, B)) {
  let joined = jit { (a: A, b: B) in
    let (value, g) = try function(a, b)
    return TensorPair(first: value, second: TensorPair(first: g.0, second: g.1))
  }
  return { a, b in
    let result = try joined(a, b)
    return (result.first, (result.second.first, result.second.second))
  }
}
/// Value and gradients with respect to some of two arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, Gradient: TensorTree>(
  _ function: @escaping (A, B) throws -> (value: Tensor, gradient: Gradient)
) -> @Sendable (A, B) throws -> (value: Tensor, gradient: Gradient) {
  let joined = jit { (a: A, b: B) in
    let (value, gradient) = try function(a, b)
    return TensorPair(first: value, second: gradient)
  }
  return { a, b in
    let result = try joined(a, b)
    return (result.first, result.second)
  }
}
/// Gradients of a function of two arguments, compiled.
///
/// Disfavoured, because a pair of tensors is also a `(value:gradient:)` to the compiler, and its labels are to be kept.
@_disfavoredOverload
public func jit<A: TensorTree, B: TensorTree>(
  _ function: @escaping (A, B) throws -> (A, B)
) -> @Sendable (A, B) throws -> (A, B) {
  let joined = jit { (a: A, b: B) in
    let g = try function(a, b)
    return TensorPair(first: g.0, second: g.1)
  }
  return { a, b in
    let result = try joined(a, b)
    return (result.first, result.second)
  }
}
/// Value and gradients of a function of three arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree>(
  _ function: @escaping (A, B, C) throws -> (value: Tensor, gradient: (A, B, C))
) -> @Sendable (A, B, C) throws -> (value: Tensor, gradient: (A, B, C)) {
  let joined = jit { (a: A, b: B, c: C) in
    let (value, g) = try function(a, b, c)
    return TensorPair(
      first: value, second: TensorPair(first: g.0, second: TensorPair(first: g.1, second: g.2)))
  }
  return { a, b, c in
    let result = try joined(a, b, c)
    return (result.first, (result.second.first, result.second.second.first, result.second.second.second))
  }
}
/// Value and gradients with respect to some of three arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree, Gradient: TensorTree>(
  _ function: @escaping (A, B, C) throws -> (value: Tensor, gradient: Gradient)
) -> @Sendable (A, B, C) throws -> (value: Tensor, gradient: Gradient) {
  let joined = jit { (a: A, b: B, c: C) in
    let (value, gradient) = try function(a, b, c)
    return TensorPair(first: value, second: gradient)
  }
  return { a, b, c in
    let result = try joined(a, b, c)
    return (result.first, result.second)
  }
}
/// Gradients of a function of three arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree>(
  _ function: @escaping (A, B, C) throws -> (A, B, C)
) -> @Sendable (A, B, C) throws -> (A, B, C) {
  let joined = jit { (a: A, b: B, c: C) in
    let g = try function(a, b, c)
    return TensorPair(first: g.0, second: TensorPair(first: g.1, second: g.2))
  }
  return { a, b, c in
    let result = try joined(a, b, c)
    return (result.first, result.second.first, result.second.second)
  }
}
/// Value and gradients of a function of four arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> (value: Tensor, gradient: (A, B, C, D))
) -> @Sendable (A, B, C, D) throws -> (value: Tensor, gradient: (A, B, C, D)) {
  let joined = jit { (a: A, b: B, c: C, d: D) in
    let (value, g) = try function(a, b, c, d)
    return TensorPair(
      first: value,
      second: TensorPair(
        first: g.0, second: TensorPair(first: g.1, second: TensorPair(first: g.2, second: g.3))))
  }
  return { a, b, c, d in
    let result = try joined(a, b, c, d)
    return (
      result.first,
      (
        result.second.first, result.second.second.first, result.second.second.second.first,
        result.second.second.second.second
      )
    )
  }
}
/// Value and gradients with respect to some of four arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree, Gradient: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> (value: Tensor, gradient: Gradient)
) -> @Sendable (A, B, C, D) throws -> (value: Tensor, gradient: Gradient) {
  let joined = jit { (a: A, b: B, c: C, d: D) in
    let (value, gradient) = try function(a, b, c, d)
    return TensorPair(first: value, second: gradient)
  }
  return { a, b, c, d in
    let result = try joined(a, b, c, d)
    return (result.first, result.second)
  }
}
/// Gradients of a function of four arguments, compiled.
public func jit<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> (A, B, C, D)
) -> @Sendable (A, B, C, D) throws -> (A, B, C, D) {
  let joined = jit { (a: A, b: B, c: C, d: D) in
    let g = try function(a, b, c, d)
    return TensorPair(first: g.0, second: TensorPair(first: g.1, second: TensorPair(first: g.2, second: g.3)))
  }
  return { a, b, c, d in
    let result = try joined(a, b, c, d)
    return (result.first, result.second.first, result.second.second.first, result.second.second.second)
  }
}
/// Value and gradient for a batch.
public func vmap<Input: TensorTree, Gradient: TensorTree>(
  _ function: @escaping (Input) throws -> (value: Tensor, gradient: Gradient), inputAxis: Int = 0
) -> (Input) throws -> (value: Tensor, gradient: Gradient) {
  let joined = vmap(
    { (input: Input) in
      let (value, gradient) = try function(input)
      return TensorPair(first: value, second: gradient)
    }, inputAxis: inputAxis)
  return { input in
    let result = try joined(input)
    return (result.first, result.second)
  }
}
