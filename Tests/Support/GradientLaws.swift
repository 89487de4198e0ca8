public import Autodiff

/// The laws that every differentiable function of tensors obeys, checked at a point along random directions:
/// forward mode agrees with central differences, forward and reverse mode with each other (dot-product identity), the
/// batched function with the function of each element, the compiled function with the interpreted one, and all of this
/// again for the gradient.
public struct GradientLaws: Sendable {
  /// Largest error of a derivative against extrapolated differences, relative to the derivative's size.
  public var tolerance = 1e-7
  /// Largest relative error of the dot-product identity.
  public var identityTolerance = 1e-12
  /// Step of the differences.
  public var step = 1e-2
  /// Whether the laws are checked for the gradient too.
  public var order = 2

  /// Laws with tolerances.
  public init(tolerance: Double = 1e-7, step: Double = 1e-2, order: Int = 2) {
    self.tolerance = tolerance
    self.step = step
    self.order = order
  }

  /// Descriptions of the laws that the function breaks; empty if it obeys all.
  public func violations(
    of function: @escaping ([Tensor]) throws -> Tensor, at point: [Tensor], seed: UInt64 = 1
  ) throws -> [String] {
    var random = SeededRandom(seed: seed)
    var found = try firstOrder(function, at: point, &random, "")
    if order > 1 {
      let value = try function(point)
      let weight = Self.random(like: value, &random)
      // The gradient as one flat function.
      let gradient = { (x: [Tensor]) throws -> Tensor in
        let parts = try vjp(function, at: x).pullback(weight)
        return concatenate(parts.map(\.flattened))
      }
      found += try firstOrder(gradient, at: point, &random, "gradient: ")
    }
    return found
  }

  private func firstOrder(
    _ function: @escaping ([Tensor]) throws -> Tensor, at point: [Tensor], _ random: inout SeededRandom,
    _ prefix: String
  ) throws -> [String] {
    var found: [String] = []
    let direction = point.map { Self.random(like: $0, &random) }
    let (value, tangent) = try jvp(function, at: point, along: direction)
    let plain = try function(point)
    if Self.distance(value, plain) > 1e-14 * Self.size(plain) { found.append("\(prefix)jvp's value differs") }

    // Differences along the direction, of every output at once.
    func moved(_ t: Double) throws -> [Double] {
      try function(zip(point, direction).map { $0 + $1 * t }).values
    }
    var quotients: [[Double]] = []
    for k in 0..<3 {
      let h = step / Double(1 << k)
      quotients.append(zip(try moved(h), try moved(-h)).map { ($0 - $1) / (2 * h) })
    }
    let expected = value.values.indices.map { i in
      let first = (4 * quotients[1][i] - quotients[0][i]) / 3
      let second = (4 * quotients[2][i] - quotients[1][i]) / 3
      return (16 * second - first) / 15
    }
    let scale = max(expected.map(abs).max() ?? 0, 1e-3)
    let error = zip(tangent.values, expected).map { abs($0 - $1) }.max() ?? 0
    if !(error <= tolerance * scale) {
      found.append("\(prefix)jvp differs from differences by \(error) of \(scale)")
    }

    let weight = Self.random(like: value, &random)
    let cotangents = try vjp(function, at: point).pullback(weight)
    let forward = (weight * tangent).sum().scalar
    let backward = zip(cotangents, direction).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    let magnitude = max(abs(weight * tangent).sum().scalar, abs(forward), 1e-3)
    if !(abs(forward - backward) <= identityTolerance * magnitude) {
      found.append("\(prefix)dot products \(forward) and \(backward) differ")
    }

    // Three elements of a batch: the point and two neighbours.
    let points = [0.0, 0.013, -0.021].map { t in zip(point, direction).map { $0 + $1 * t } }
    let batch = point.indices.map { k in stack(points.map { $0[k] }) }
    let batched = try vmap(function)(batch)
    let single = stack(try points.map(function))
    if !(Self.distance(batched, single) <= 1e-12 * Self.size(single)) {
      found.append("\(prefix)vmap differs")
    }
    let batchedTangent = try vmap { (x: [Tensor]) in try jvp(function, at: x, along: direction).tangent }(
      batch)
    let singleTangent = stack(try points.map { try jvp(function, at: $0, along: direction).tangent })
    if !(Self.distance(batchedTangent, singleTangent) <= 1e-11 * Self.size(singleTangent)) {
      found.append("\(prefix)vmap of jvp differs")
    }
    let batchedPullback = try vmap { (x: [Tensor]) in try vjp(function, at: x).pullback(weight) }(batch)
    for k in point.indices {
      let singlePullback = stack(try points.map { try vjp(function, at: $0).pullback(weight)[k] })
      if !(Self.distance(batchedPullback[k], singlePullback) <= 1e-11 * Self.size(singlePullback)) {
        found.append("\(prefix)vmap of vjp differs in argument \(k)")
      }
    }
    let compiled = try jit { (x: [Tensor]) in try vjp(function, at: x).pullback(weight) }(point)
    for k in point.indices
    where !(Self.distance(compiled[k], cotangents[k]) <= 1e-12 * Self.size(cotangents[k])) {
      found.append("\(prefix)jit of vjp differs in argument \(k)")
    }
    return found
  }

  /// Random numbers in [-1, 1].
  public static func random(like tensor: Tensor, _ random: inout SeededRandom) -> Tensor {
    Tensor(random.uniform(-1, 1, count: tensor.count), shape: tensor.shape).converted(to: tensor.elementType)
  }
  static func distance(_ a: Tensor, _ b: Tensor) -> Double {
    guard a.shape == b.shape else { return .infinity }
    return zip(a.values, b.values).map { $0 == $1 ? 0 : abs($0 - $1) }.reduce(0) { $1 <= $0 ? $0 : $1 }
  }
  static func size(_ a: Tensor) -> Double { max(a.values.map(abs).max() ?? 0, 1) }
}
