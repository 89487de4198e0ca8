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

    let expected = try differences(function, at: point, along: direction)
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

  /// The extrapolated differences of every output along a direction.
  private func differences(
    _ function: ([Tensor]) throws -> Tensor, at point: [Tensor], along direction: [Tensor]
  ) throws -> [Double] {
    func moved(_ t: Double) throws -> [Double] {
      try function(zip(point, direction).map { $0 + $1 * t }).values
    }
    var quotients: [[Double]] = []
    for k in 0..<3 {
      let h = step / Double(1 << k)
      quotients.append(zip(try moved(h), try moved(-h)).map { ($0 - $1) / (2 * h) })
    }
    return quotients[0].indices.map { i in
      let first = (4 * quotients[1][i] - quotients[0][i]) / 3
      let second = (4 * quotients[2][i] - quotients[1][i]) / 3
      return (16 * second - first) / 15
    }
  }

  /// The laws for a function without reverse mode: jvp against differences, its batches and its compiled form.
  public func forwardViolations(of function: @escaping ([Tensor]) throws -> Tensor, at point: [Tensor]) throws
    -> [String]
  {
    var random = SeededRandom(seed: 3)
    let direction = point.map { Self.random(like: $0, &random) }
    let push = { (x: [Tensor]) in try jvp(function, at: x, along: direction).tangent }
    let tangent = try push(point)
    let expected = Tensor(try differences(function, at: point, along: direction), shape: tangent.shape)
    var found: [String] = []
    if !(Self.distance(tangent, expected) <= tolerance * Self.size(expected)) {
      found.append("jvp differs from differences")
    }
    let points = [0.0, 0.013].map { t in zip(point, direction).map { $0 + $1 * t } }
    let batched = try vmap(push)(point.indices.map { k in stack(points.map { $0[k] }) })
    if !(Self.distance(batched, stack(try points.map(push))) <= 1e-11 * Self.size(batched)) {
      found.append("vmap of jvp differs")
    }
    if !(Self.distance(try jit(push)(point), tangent) <= 1e-12 * Self.size(tangent)) {
      found.append("jit of jvp differs")
    }
    return found
  }

  /// The laws for a function without forward mode: vjp against differences, its batches, its compiled form, and its own vjp.
  public func reverseViolations(of function: @escaping ([Tensor]) throws -> Tensor, at point: [Tensor]) throws
    -> [String]
  {
    var random = SeededRandom(seed: 3)
    let direction = point.map { Self.random(like: $0, &random) }
    var found: [String] = []
    func check(_ function: @escaping ([Tensor]) throws -> Tensor, _ prefix: String) throws -> (
      ([Tensor]) throws -> Tensor
    ) {
      let weight = Self.random(like: try function(point), &random)
      let pull = { (x: [Tensor]) throws -> Tensor in
        concatenate(try vjp(function, at: x).pullback(weight).map(\.flattened))
      }
      let gradient = try pull(point)
      let expected = zip(try differences(function, at: point, along: direction), weight.values)
        .reduce(0) { $0 + $1.0 * $1.1 }
      let along = dot(gradient, concatenate(direction.map(\.flattened))).scalar
      if !(abs(along - expected) <= tolerance * max(1, abs(expected))) {
        found.append("\(prefix)vjp along a direction is \(along), by differences \(expected)")
      }
      let points = [0.0, 0.013].map { t in zip(point, direction).map { $0 + $1 * t } }
      let batched = try vmap(pull)(point.indices.map { k in stack(points.map { $0[k] }) })
      if !(Self.distance(batched, stack(try points.map(pull))) <= 1e-11 * Self.size(batched)) {
        found.append("\(prefix)vmap of vjp differs")
      }
      if !(Self.distance(try jit(pull)(point), gradient) <= 1e-12 * Self.size(gradient)) {
        found.append("\(prefix)jit of vjp differs")
      }
      return pull
    }
    let gradient = try check(function, "")
    _ = try check(gradient, "gradient: ")
    return found
  }

  /// Descriptions of the arguments and axes along which a batch does not agree with a loop; empty if all do. One argument is
  /// batched at a time, the others are the same for the whole batch.
  public func batchViolations(of function: @escaping ([Tensor]) throws -> Tensor, at point: [Tensor]) throws
    -> [String]
  {
    var found: [String] = []
    let value = try function(point)
    for (k, argument) in point.enumerated() where argument.elementType.isFloatingPoint {
      let elements = [argument, argument * 1.0625, argument * 0.9375]
      func with(_ x: Tensor) -> [Tensor] {
        var all = point
        all[k] = x
        return all
      }
      let slope = { (x: Tensor) in
        try vjp({ (y: Tensor) in try function(with(y)) }, at: x).pullback(Tensor.ones(value.shape))
      }
      let values = try elements.map { try function(with($0)) }
      let slopes = try elements.map(slope)
      for axis in 0...argument.rank {
        let outputAxis = min(axis, value.rank)
        let batch = stack(elements, axis: axis)
        let batched = try vmap({ try function(with($0)) }, inputAxis: axis, outputAxis: outputAxis)(batch)
        let single = stack(values, axis: outputAxis)
        if !(Self.distance(batched, single) <= 1e-12 * Self.size(single)) {
          found.append("vmap over axis \(axis) of argument \(k) alone differs")
        }
        let batchedSlope = try vmap(slope, inputAxis: axis, outputAxis: axis)(batch)
        let singleSlope = stack(slopes, axis: axis)
        if !(Self.distance(batchedSlope, singleSlope) <= 1e-11 * Self.size(singleSlope)) {
          found.append("vmap over axis \(axis) of vjp in argument \(k) alone differs")
        }
      }
    }
    return found
  }

  /// Descriptions of what is wrong in single precision: derivatives of another type or far from those in double precision.
  public func singlePrecisionViolations(
    of function: @escaping ([Tensor]) throws -> Tensor, at point: [Tensor], tolerance: Double = 1e-3
  ) throws -> [String] {
    var found: [String] = []
    // What both types can hold.
    let narrow = point.map { $0.converted(to: .float32) }
    let wide = narrow.map { $0.converted(to: .float64) }
    func compare(_ a: Tensor, _ b: Tensor, _ label: String) {
      if !(Self.distance(a.converted(to: .float64), b) <= tolerance * Self.size(b)) {
        found.append("float32: \(label) differs")
      }
    }
    func slope(_ x: [Tensor]) throws -> [Tensor] {
      let (value, pullback) = try vjp(function, at: x)
      return try pullback(Tensor.ones(value.shape, type: value.elementType))
    }
    compare(try function(narrow), try function(wide), "value")
    compare(try jit { (x: [Tensor]) in try function(x) }(narrow), try function(wide), "compiled value")
    let pushed = try jvp(function, at: narrow, along: narrow)
    compare(pushed.tangent, try jvp(function, at: wide, along: wide).tangent, "jvp")
    if pushed.tangent.elementType != pushed.value.elementType {
      found.append("float32: jvp has another type")
    }
    for (a, b) in zip(try slope(narrow), try slope(wide)) {
      if a.elementType != .float32 { found.append("float32: vjp is \(a.elementType)") }
      compare(a, b, "vjp")
    }
    return found
  }

  /// Random numbers in [-1, 1].
  public static func random(like tensor: Tensor, _ random: inout SeededRandom) -> Tensor {
    Tensor(random.uniform(-1, 1, count: tensor.count), shape: tensor.shape).converted(to: tensor.elementType)
  }
  static func distance(_ a: Tensor, _ b: Tensor) -> Double {
    guard a.shape == b.shape else { return .infinity }
    return zip(a.values, b.values).map { $0 == $1 ? 0 : abs($0 - $1) }.reduce(0) {
      $0.isNaN || $1 <= $0 ? $0 : $1
    }
  }
  static func size(_ a: Tensor) -> Double { max(a.values.map(abs).max() ?? 0, 1) }
}
