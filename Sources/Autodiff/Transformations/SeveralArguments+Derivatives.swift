// Derivatives of functions of two to four arguments at a point.

/// Value and directional derivative of a function of two arguments.
/// - Throws: ``TensorError``, or what the function throws.
public func jvp<A: TensorTree, B: TensorTree, Output: TensorTree>(
  _ function: (A, B) throws -> Output, at point: (A, B), along direction: (A, B)
) throws -> (value: Output, tangent: Output) {
  try jvp(
    { (x: TensorPair<A, B>) in try function(x.first, x.second) },
    at: TensorPair(first: point.0, second: point.1),
    along: TensorPair(first: direction.0, second: direction.1))
}
/// Value of a function of two arguments, and the linear function that takes a cotangent of the value to cotangents of the arguments.
/// - Throws: ``TensorError``, or what the function throws.
public func vjp<A: TensorTree, B: TensorTree, Output: TensorTree>(
  _ function: (A, B) throws -> Output, at point: (A, B)
) throws -> (value: Output, pullback: (Output) throws -> (A, B)) {
  let (value, pullback) = try vjp(
    { (x: TensorPair<A, B>) in try function(x.first, x.second) },
    at: TensorPair(first: point.0, second: point.1))
  return (
    value,
    { (cotangent: Output) in
      let result = try pullback(cotangent)
      return (result.first, result.second)
    }
  )
}
/// The product of the Hessian of a scalar function of two arguments with a direction.
/// - Throws: ``TensorError``, or what the function throws.
public func hvp<A: TensorTree, B: TensorTree>(
  _ function: @escaping (A, B) throws -> Tensor, at point: (A, B), along direction: (A, B)
) throws -> (A, B) {
  let result = try hvp(
    { (x: TensorPair<A, B>) in try function(x.first, x.second) },
    at: TensorPair(first: point.0, second: point.1),
    along: TensorPair(first: direction.0, second: direction.1))
  return (result.first, result.second)
}

/// Value and directional derivative of a function of three arguments.
/// - Throws: ``TensorError``, or what the function throws.
public func jvp<A: TensorTree, B: TensorTree, C: TensorTree, Output: TensorTree>(
  _ function: (A, B, C) throws -> Output, at point: (A, B, C), along direction: (A, B, C)
) throws -> (value: Output, tangent: Output) {
  try jvp(
    { (x: TensorTriple<A, B, C>) in try function(x.first, x.second.first, x.second.second) },
    at: TensorPair(first: point.0, second: TensorPair(first: point.1, second: point.2)),
    along: TensorPair(first: direction.0, second: TensorPair(first: direction.1, second: direction.2)))
}
/// Value of a function of three arguments, and the linear function that takes a cotangent of the value to cotangents of the arguments.
/// - Throws: ``TensorError``, or what the function throws.
public func vjp<A: TensorTree, B: TensorTree, C: TensorTree, Output: TensorTree>(
  _ function: (A, B, C) throws -> Output, at point: (A, B, C)
) throws -> (value: Output, pullback: (Output) throws -> (A, B, C)) {
  let (value, pullback) = try vjp(
    { (x: TensorTriple<A, B, C>) in try function(x.first, x.second.first, x.second.second) },
    at: TensorPair(first: point.0, second: TensorPair(first: point.1, second: point.2)))
  return (
    value,
    { (cotangent: Output) in
      let result = try pullback(cotangent)
      return (result.first, result.second.first, result.second.second)
    }
  )
}
/// The product of the Hessian of a scalar function of three arguments with a direction.
/// - Throws: ``TensorError``, or what the function throws.
public func hvp<A: TensorTree, B: TensorTree, C: TensorTree>(
  _ function: @escaping (A, B, C) throws -> Tensor, at point: (A, B, C), along direction: (A, B, C)
) throws -> (A, B, C) {
  let result = try hvp(
    { (x: TensorTriple<A, B, C>) in try function(x.first, x.second.first, x.second.second) },
    at: TensorPair(first: point.0, second: TensorPair(first: point.1, second: point.2)),
    along: TensorPair(first: direction.0, second: TensorPair(first: direction.1, second: direction.2)))
  return (result.first, result.second.first, result.second.second)
}

/// Value and directional derivative of a function of four arguments.
/// - Throws: ``TensorError``, or what the function throws.
public func jvp<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree, Output: TensorTree>(
  _ function: (A, B, C, D) throws -> Output, at point: (A, B, C, D), along direction: (A, B, C, D)
) throws -> (value: Output, tangent: Output) {
  try jvp(
    { (x: TensorQuadruple<A, B, C, D>) in
      try function(x.first, x.second.first, x.second.second.first, x.second.second.second)
    },
    at: TensorPair(
      first: point.0, second: TensorPair(first: point.1, second: TensorPair(first: point.2, second: point.3))),
    along: TensorPair(
      first: direction.0,
      second: TensorPair(first: direction.1, second: TensorPair(first: direction.2, second: direction.3))))
}
/// Value of a function of four arguments, and the linear function that takes a cotangent of the value to cotangents of the arguments.
/// - Throws: ``TensorError``, or what the function throws.
public func vjp<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree, Output: TensorTree>(
  _ function: (A, B, C, D) throws -> Output, at point: (A, B, C, D)
) throws -> (value: Output, pullback: (Output) throws -> (A, B, C, D)) {
  let (value, pullback) = try vjp(
    { (x: TensorQuadruple<A, B, C, D>) in
      try function(x.first, x.second.first, x.second.second.first, x.second.second.second)
    },
    at: TensorPair(
      first: point.0, second: TensorPair(first: point.1, second: TensorPair(first: point.2, second: point.3)))
  )
  return (
    value,
    { (cotangent: Output) in
      let result = try pullback(cotangent)
      return (result.first, result.second.first, result.second.second.first, result.second.second.second)
    }
  )
}
/// The product of the Hessian of a scalar function of four arguments with a direction.
/// - Throws: ``TensorError``, or what the function throws.
public func hvp<A: TensorTree, B: TensorTree, C: TensorTree, D: TensorTree>(
  _ function: @escaping (A, B, C, D) throws -> Tensor, at point: (A, B, C, D), along direction: (A, B, C, D)
) throws -> (A, B, C, D) {
  let result = try hvp(
    { (x: TensorQuadruple<A, B, C, D>) in
      try function(x.first, x.second.first, x.second.second.first, x.second.second.second)
    },
    at: TensorPair(
      first: point.0, second: TensorPair(first: point.1, second: TensorPair(first: point.2, second: point.3))),
    along: TensorPair(
      first: direction.0,
      second: TensorPair(first: direction.1, second: TensorPair(first: direction.2, second: direction.3))))
  return (result.first, result.second.first, result.second.second.first, result.second.second.second)
}
