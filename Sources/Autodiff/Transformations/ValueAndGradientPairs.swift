// `valueAndGrad` returns a tuple, which is no tree: compiling and batching it goes through a pair.

/// Value and gradient, compiled.
public func jit<Input: TensorTree, Gradient: TensorTree>(
  _ function: @escaping (Input) throws -> (value: Tensor, gradient: Gradient)
) -> (Input) throws -> (value: Tensor, gradient: Gradient) {
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
) -> (A, B) throws -> (value: Tensor, gradient: (A, B)) {
  let joined = jit { (a: A, b: B) in
    let (value, gradient) = try function(a, b)
    return TensorPair(first: value, second: TensorPair(first: gradient.0, second: gradient.1))
  }
  return { a, b in
    let result = try joined(a, b)
    return (result.first, (result.second.first, result.second.second))
  }
}
/// Gradients of a function of two arguments, compiled.
public func jit<A: TensorTree, B: TensorTree>(
  _ function: @escaping (A, B) throws -> (A, B)
) -> (A, B) throws -> (A, B) {
  let joined = jit { (a: A, b: B) in
    let (first, second) = try function(a, b)
    return TensorPair(first: first, second: second)
  }
  return { a, b in
    let result = try joined(a, b)
    return (result.first, result.second)
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
