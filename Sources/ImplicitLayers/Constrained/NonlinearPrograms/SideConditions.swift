import Autodiff

/// What must vanish of the values v of constraints and their multipliers z, at a minimiser or on the central path.
struct SideConditions {
  let options: NonlinearProgramOptions
  let policy: DegeneracyPolicy

  func callAsFunction(_ values: Tensor, _ multipliers: Tensor, _ low: Tensor, _ high: Tensor) -> Tensor {
    let isEquation = low .== high
    return options.barrier > 0
      ? smoothed(values, multipliers, low, high, isEquation)
      : complementarity(values, multipliers, low, high, isEquation)
  }

  /// z − μ / (upper − v) + μ / (v − lower).
  private func smoothed(
    _ values: Tensor, _ multipliers: Tensor, _ low: Tensor, _ high: Tensor, _ isEquation: Tensor
  ) -> Tensor {
    func force(_ slack: Tensor, _ exists: Tensor) -> Tensor {
      select(exists, options.barrier / select(exists, slack, 1.0), 0.0)
    }
    let up = force(high - values, (high .< options.infinity) .& .!isEquation)
    let down = force(values - low, (low .> -options.infinity) .& .!isEquation)
    return select(isEquation, values - high, multipliers - up + down)
  }

  /// v − side where the side holds, −z where none does.
  private func complementarity(
    _ values: Tensor, _ multipliers: Tensor, _ low: Tensor, _ high: Tensor, _ isEquation: Tensor
  ) -> Tensor {
    let shifted = values + multipliers * (low .!= high).converted(to: .float64)
    let (above, below) = (shifted .> high, shifted .< low)
    guard policy == .leastNorm else {
      let inner = select(below, values - low, -multipliers)
      let found = select(above .| isEquation, values - high, inner)
      return bind1(RequireComplementarity(), found, shifted, low, high)
    }
    // A side without force holds by chance: it must not depend on rounding whether it counts.
    let limit = NonlinearProgramSystem.weakLimit
    let hasForce = abs(multipliers) .>= limit
    func holds(_ isBeyond: Tensor, _ slack: Tensor) -> Tensor {
      isBeyond .& (hasForce .| (abs(slack) .>= limit))
    }
    let inner = select(holds(below, values - low), values - low, -multipliers)
    return select(holds(above, high - values) .| isEquation, values - high, inner)
  }
}

/// The first operand, whose derivative exists only where the second keeps away from the other two.
struct RequireComplementarity: Primitive {
  var layer = "nonlinearProgram"
  var name: String { "complementarity" }
  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func evaluate(_ operands: [DenseArray]) -> [DenseArray] { [operands[0]] }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)[0]
    return (
      [result],
      [
        try tangents[0].map {
          try bindOrThrow(ComplementaryTangent(layer: layer), [$0] + primals.dropFirst())[0]
        }
      ]
    )
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (try bindOrThrow(self, zip(operands, isBatched).map { $0.batched($1, size) }), [true])
  }
}

/// The first operand, if the second keeps away from the third and fourth, the sides. Linear in the first.
struct ComplementaryTangent: Primitive {
  let layer: String
  var name: String { "complementarity" }
  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (values, low, high) = (
      operands[1].values(Double.self), operands[2].values(Double.self), operands[3].values(Double.self)
    )
    for k in values.indices where low[k] != high[k] {
      let margin = min((values[k] - low[k]).magnitude, (high[k] - values[k]).magnitude)
      if margin < NonlinearProgramSystem.weakLimit {
        throw TensorError(
          .singular, layer,
          "the solution has no derivative: strict complementarity fails (margin \(margin)) at constraint \(k), which holds with "
            + "equality while its multiplier is zero, so that left and right derivatives differ")
      }
    }
    return [operands[0]]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)[0]
    return ([result], [try tangents[0].map { try bindOrThrow(self, [$0] + primals.dropFirst())[0] }])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil, nil, nil] }
    let known = try coefficients(operands.dropFirst(), "a coefficient")
    return [try bindOrThrow(self, [c] + known)[0], nil, nil, nil]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (try bindOrThrow(self, zip(operands, isBatched).map { $0.batched($1, size) }), [true])
  }
}
