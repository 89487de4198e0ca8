// Derivatives with respect to some of the arguments, by their numbers. The others are held constant, as if the function had
// captured them.

/// Argument numbers counted from the front.
/// - Throws: ``TensorError`` if there are none, one is out of range, or one occurs twice.
private func resolved(_ numbers: [Int]?, count: Int, _ operation: String) throws -> [Int] {
  guard let numbers else { return Array(0..<count) }
  let places = numbers.map { $0 < 0 ? $0 + count : $0 }
  guard !places.isEmpty, Set(places).count == places.count, places.allSatisfy((0..<count).contains) else {
    throw TensorError(
      .argument, operation,
      "the argument numbers \(numbers) must be distinct, at least one, and from 0 to \(count - 1) (or, from the end, "
        + "from -1 to \(-count))")
  }
  return places
}
/// The function of the arguments with these numbers.
private func restricted<Argument, Result>(
  _ function: @escaping ([Argument]) throws -> Result, _ arguments: [Argument], to numbers: [Int]
) -> ([Argument]) throws -> Result {
  { chosen in
    var all = arguments
    for (number, argument) in zip(numbers, chosen) { all[number] = argument }
    return try function(all)
  }
}

private func valueAndGradient<Argument: TensorTree>(
  _ function: @escaping ([Argument]) throws -> Tensor, _ arguments: [Argument], _ numbers: [Int]
) throws -> (value: Tensor, gradient: [Argument]) {
  let places = try resolved(numbers, count: arguments.count, "grad")
  return try valueAndGrad(restricted(function, arguments, to: places))(places.map { arguments[$0] })
}
private func jacobians(
  _ function: @escaping ([Tensor]) throws -> Tensor, _ arguments: [Tensor], _ numbers: [Int]?,
  _ mode: JacobianMode
) throws -> [Tensor] {
  try resolved(numbers, count: arguments.count, "jacobian").map { place in
    let single = restricted(function, arguments, to: [place])
    return try jacobian({ try single([$0]) }, mode: mode)(arguments[place])
  }
}
private func hessians(
  _ function: @escaping ([Tensor]) throws -> Tensor, _ arguments: [Tensor], _ numbers: [Int]?
) throws -> [[Tensor]] {
  let places = try resolved(numbers, count: arguments.count, "hessian")
  return try places.map { row in
    try places.map { column in
      if row == column {
        let single = restricted(function, arguments, to: [row])
        return try hessian { try single([$0]) }(arguments[row])
      }
      let both = restricted(function, arguments, to: [row, column])
      return try jacobian(
        { y in try grad { (x: Tensor) in try both([x, y]) }(arguments[row]) }, mode: .forward)(
          arguments[column])
    }
  }
}

/// The function that computes value and gradients of a scalar function of two arguments with respect to some of them.
///
/// - Parameters:
///   - function: a function of two arguments of one type.
///   - argumentNumbers: which arguments, from 0 on (or from the end, -1 being the last). The others are held constant, and may be
///     integers.
/// - Returns: a function that throws ``TensorError`` if the numbers are not distinct numbers of arguments, or what `function`
///   throws.
public func valueAndGrad<Argument: TensorTree>(
  _ function: @escaping (Argument, Argument) throws -> Tensor, argumentNumbers: [Int]
) -> (Argument, Argument) throws -> (value: Tensor, gradient: [Argument]) {
  { (a: Argument, b: Argument) in
    try valueAndGradient({ x in try function(x[0], x[1]) }, [a, b], argumentNumbers)
  }
}
/// The function that computes the gradients of a scalar function of two arguments with respect to some of them, in the order of the numbers.
/// Otherwise as `valueAndGrad`.
public func grad<Argument: TensorTree>(
  _ function: @escaping (Argument, Argument) throws -> Tensor, argumentNumbers: [Int]
) -> (Argument, Argument) throws -> [Argument] {
  { (a: Argument, b: Argument) in
    try valueAndGradient({ x in try function(x[0], x[1]) }, [a, b], argumentNumbers).gradient
  }
}
/// The function that computes the Jacobians of a function of two tensors with respect to some of them (all if no numbers are given): for each an array whose
/// shape is the value's followed by the argument's.
public func jacobian(
  _ function: @escaping (Tensor, Tensor) throws -> Tensor, argumentNumbers: [Int]? = nil,
  mode: JacobianMode = .automatic
) -> (Tensor, Tensor) throws -> [Tensor] {
  { (a: Tensor, b: Tensor) in try jacobians({ x in try function(x[0], x[1]) }, [a, b], argumentNumbers, mode)
  }
}
/// The function that computes the blocks of the Hessian of a scalar function of two tensors with respect to some of them (all if no numbers are given): block
/// `[i][j]` has the shape of the i-th argument followed by that of the j-th.
public func hessian(
  _ function: @escaping (Tensor, Tensor) throws -> Tensor, argumentNumbers: [Int]? = nil
) -> (Tensor, Tensor) throws -> [[Tensor]] {
  { (a: Tensor, b: Tensor) in try hessians({ x in try function(x[0], x[1]) }, [a, b], argumentNumbers) }
}

/// The function that computes value and gradients of a scalar function of three arguments with respect to some of them.
///
/// - Parameters:
///   - function: a function of three arguments of one type.
///   - argumentNumbers: which arguments, from 0 on (or from the end, -1 being the last). The others are held constant, and may be
///     integers.
/// - Returns: a function that throws ``TensorError`` if the numbers are not distinct numbers of arguments, or what `function`
///   throws.
public func valueAndGrad<Argument: TensorTree>(
  _ function: @escaping (Argument, Argument, Argument) throws -> Tensor, argumentNumbers: [Int]
) -> (Argument, Argument, Argument) throws -> (value: Tensor, gradient: [Argument]) {
  { (a: Argument, b: Argument, c: Argument) in
    try valueAndGradient({ x in try function(x[0], x[1], x[2]) }, [a, b, c], argumentNumbers)
  }
}
/// The function that computes the gradients of a scalar function of three arguments with respect to some of them, in the order of the numbers.
/// Otherwise as `valueAndGrad`.
public func grad<Argument: TensorTree>(
  _ function: @escaping (Argument, Argument, Argument) throws -> Tensor, argumentNumbers: [Int]
) -> (Argument, Argument, Argument) throws -> [Argument] {
  { (a: Argument, b: Argument, c: Argument) in
    try valueAndGradient({ x in try function(x[0], x[1], x[2]) }, [a, b, c], argumentNumbers).gradient
  }
}
/// The function that computes the Jacobians of a function of three tensors with respect to some of them (all if no numbers are given): for each an array whose
/// shape is the value's followed by the argument's.
public func jacobian(
  _ function: @escaping (Tensor, Tensor, Tensor) throws -> Tensor, argumentNumbers: [Int]? = nil,
  mode: JacobianMode = .automatic
) -> (Tensor, Tensor, Tensor) throws -> [Tensor] {
  { (a: Tensor, b: Tensor, c: Tensor) in
    try jacobians({ x in try function(x[0], x[1], x[2]) }, [a, b, c], argumentNumbers, mode)
  }
}
/// The function that computes the blocks of the Hessian of a scalar function of three tensors with respect to some of them (all if no numbers are given): block
/// `[i][j]` has the shape of the i-th argument followed by that of the j-th.
public func hessian(
  _ function: @escaping (Tensor, Tensor, Tensor) throws -> Tensor, argumentNumbers: [Int]? = nil
) -> (Tensor, Tensor, Tensor) throws -> [[Tensor]] {
  { (a: Tensor, b: Tensor, c: Tensor) in
    try hessians({ x in try function(x[0], x[1], x[2]) }, [a, b, c], argumentNumbers)
  }
}

/// The function that computes value and gradients of a scalar function of four arguments with respect to some of them.
///
/// - Parameters:
///   - function: a function of four arguments of one type.
///   - argumentNumbers: which arguments, from 0 on (or from the end, -1 being the last). The others are held constant, and may be
///     integers.
/// - Returns: a function that throws ``TensorError`` if the numbers are not distinct numbers of arguments, or what `function`
///   throws.
public func valueAndGrad<Argument: TensorTree>(
  _ function: @escaping (Argument, Argument, Argument, Argument) throws -> Tensor, argumentNumbers: [Int]
) -> (Argument, Argument, Argument, Argument) throws -> (value: Tensor, gradient: [Argument]) {
  { (a: Argument, b: Argument, c: Argument, d: Argument) in
    try valueAndGradient({ x in try function(x[0], x[1], x[2], x[3]) }, [a, b, c, d], argumentNumbers)
  }
}
/// The function that computes the gradients of a scalar function of four arguments with respect to some of them, in the order of the numbers.
/// Otherwise as `valueAndGrad`.
public func grad<Argument: TensorTree>(
  _ function: @escaping (Argument, Argument, Argument, Argument) throws -> Tensor, argumentNumbers: [Int]
) -> (Argument, Argument, Argument, Argument) throws -> [Argument] {
  { (a: Argument, b: Argument, c: Argument, d: Argument) in
    try valueAndGradient({ x in try function(x[0], x[1], x[2], x[3]) }, [a, b, c, d], argumentNumbers)
      .gradient
  }
}
/// The function that computes the Jacobians of a function of four tensors with respect to some of them (all if no numbers are given): for each an array whose
/// shape is the value's followed by the argument's.
public func jacobian(
  _ function: @escaping (Tensor, Tensor, Tensor, Tensor) throws -> Tensor, argumentNumbers: [Int]? = nil,
  mode: JacobianMode = .automatic
) -> (Tensor, Tensor, Tensor, Tensor) throws -> [Tensor] {
  { (a: Tensor, b: Tensor, c: Tensor, d: Tensor) in
    try jacobians({ x in try function(x[0], x[1], x[2], x[3]) }, [a, b, c, d], argumentNumbers, mode)
  }
}
/// The function that computes the blocks of the Hessian of a scalar function of four tensors with respect to some of them (all if no numbers are given): block
/// `[i][j]` has the shape of the i-th argument followed by that of the j-th.
public func hessian(
  _ function: @escaping (Tensor, Tensor, Tensor, Tensor) throws -> Tensor, argumentNumbers: [Int]? = nil
) -> (Tensor, Tensor, Tensor, Tensor) throws -> [[Tensor]] {
  { (a: Tensor, b: Tensor, c: Tensor, d: Tensor) in
    try hessians({ x in try function(x[0], x[1], x[2], x[3]) }, [a, b, c, d], argumentNumbers)
  }
}
