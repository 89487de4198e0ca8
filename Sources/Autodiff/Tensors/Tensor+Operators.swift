// Every operator exists for two tensors, and directly for a tensor and a Double or an Int: literals then need no
// conversion, and the type checker no search.
extension Tensor {
  /// The sum, element by element.
  public static func + (a: Tensor, b: Tensor) -> Tensor { broadcastApply(.add, a, b) }
  /// The sum, element by element.
  public static func + (a: Tensor, b: Double) -> Tensor { applyLiteral(.add, a, b) }
  /// The sum, element by element.
  public static func + (a: Double, b: Tensor) -> Tensor { applyLiteral(.add, a, b) }
  /// The sum, element by element.
  public static func + (a: Tensor, b: Int) -> Tensor { applyLiteral(.add, a, Double(b)) }
  /// The sum, element by element.
  public static func + (a: Int, b: Tensor) -> Tensor { applyLiteral(.add, Double(a), b) }

  /// The difference, element by element.
  public static func - (a: Tensor, b: Tensor) -> Tensor { broadcastApply(.subtract, a, b) }
  /// The difference, element by element.
  public static func - (a: Tensor, b: Double) -> Tensor { applyLiteral(.subtract, a, b) }
  /// The difference, element by element.
  public static func - (a: Double, b: Tensor) -> Tensor { applyLiteral(.subtract, a, b) }
  /// The difference, element by element.
  public static func - (a: Tensor, b: Int) -> Tensor { applyLiteral(.subtract, a, Double(b)) }
  /// The difference, element by element.
  public static func - (a: Int, b: Tensor) -> Tensor { applyLiteral(.subtract, Double(a), b) }

  /// The product, element by element.
  public static func * (a: Tensor, b: Tensor) -> Tensor { broadcastApply(.multiply, a, b) }
  /// The product, element by element.
  public static func * (a: Tensor, b: Double) -> Tensor { applyLiteral(.multiply, a, b) }
  /// The product, element by element.
  public static func * (a: Double, b: Tensor) -> Tensor { applyLiteral(.multiply, a, b) }
  /// The product, element by element.
  public static func * (a: Tensor, b: Int) -> Tensor { applyLiteral(.multiply, a, Double(b)) }
  /// The product, element by element.
  public static func * (a: Int, b: Tensor) -> Tensor { applyLiteral(.multiply, Double(a), b) }

  /// The quotient, element by element; integers are converted to `float64`.
  public static func / (a: Tensor, b: Tensor) -> Tensor { broadcastApply(.divide, a, b) }
  /// The quotient, element by element; integers are converted to `float64`.
  public static func / (a: Tensor, b: Double) -> Tensor { applyLiteral(.divide, a, b) }
  /// The quotient, element by element; integers are converted to `float64`.
  public static func / (a: Double, b: Tensor) -> Tensor { applyLiteral(.divide, a, b) }
  /// The quotient, element by element; integers are converted to `float64`.
  public static func / (a: Tensor, b: Int) -> Tensor { applyLiteral(.divide, a, Double(b)) }
  /// The quotient, element by element; integers are converted to `float64`.
  public static func / (a: Int, b: Tensor) -> Tensor { applyLiteral(.divide, Double(a), b) }

  /// The remainder with the sign of the divisor, as in Python.
  public static func % (a: Tensor, b: Tensor) -> Tensor { broadcastApply(.remainder, a, b) }
  /// The remainder with the sign of the divisor, as in Python.
  public static func % (a: Tensor, b: Double) -> Tensor { applyLiteral(.remainder, a, b) }
  /// The remainder with the sign of the divisor, as in Python.
  public static func % (a: Double, b: Tensor) -> Tensor { applyLiteral(.remainder, a, b) }
  /// The remainder with the sign of the divisor, as in Python.
  public static func % (a: Tensor, b: Int) -> Tensor { applyLiteral(.remainder, a, Double(b)) }
  /// The remainder with the sign of the divisor, as in Python.
  public static func % (a: Int, b: Tensor) -> Tensor { applyLiteral(.remainder, Double(a), b) }

  /// Replaces the tensor by the result of `+`.
  public static func += (a: inout Tensor, b: Tensor) { a = a + b }

  /// Replaces the tensor by the result of `+`.
  public static func += (a: inout Tensor, b: Double) { a = a + b }

  /// Replaces the tensor by the result of `-`.
  public static func -= (a: inout Tensor, b: Tensor) { a = a - b }

  /// Replaces the tensor by the result of `-`.
  public static func -= (a: inout Tensor, b: Double) { a = a - b }

  /// Replaces the tensor by the result of `*`.
  public static func *= (a: inout Tensor, b: Tensor) { a = a * b }

  /// Replaces the tensor by the result of `*`.
  public static func *= (a: inout Tensor, b: Double) { a = a * b }

  /// Replaces the tensor by the result of `/`.
  public static func /= (a: inout Tensor, b: Tensor) { a = a / b }

  /// Replaces the tensor by the result of `/`.
  public static func /= (a: inout Tensor, b: Double) { a = a / b }

  /// True where `a` is less than `b`.
  public static func .< (a: Tensor, b: Tensor) -> Tensor { broadcastCompare(.less, a, b) }

  /// True where `a` is less than `b`.
  public static func .< (a: Tensor, b: Double) -> Tensor { broadcastCompare(.less, a, a.like(b)) }

  /// True where `a` is less than `b`.
  public static func .< (a: Double, b: Tensor) -> Tensor { broadcastCompare(.less, b.like(a), b) }

  /// True where `a` is at most `b`.
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { broadcastCompare(.lessOrEqual, a, b) }

  /// True where `a` is at most `b`.
  public static func .<= (a: Tensor, b: Double) -> Tensor { broadcastCompare(.lessOrEqual, a, a.like(b)) }

  /// True where `a` is at most `b`.
  public static func .<= (a: Double, b: Tensor) -> Tensor { broadcastCompare(.lessOrEqual, b.like(a), b) }

  /// True where `a` is greater than `b`.
  public static func .> (a: Tensor, b: Tensor) -> Tensor { broadcastCompare(.less, b, a) }

  /// True where `a` is greater than `b`.
  public static func .> (a: Tensor, b: Double) -> Tensor { broadcastCompare(.less, a.like(b), a) }

  /// True where `a` is greater than `b`.
  public static func .> (a: Double, b: Tensor) -> Tensor { broadcastCompare(.less, b, b.like(a)) }

  /// True where `a` is at least `b`.
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { broadcastCompare(.lessOrEqual, b, a) }

  /// True where `a` is at least `b`.
  public static func .>= (a: Tensor, b: Double) -> Tensor { broadcastCompare(.lessOrEqual, a.like(b), a) }

  /// True where `a` is at least `b`.
  public static func .>= (a: Double, b: Tensor) -> Tensor { broadcastCompare(.lessOrEqual, b, b.like(a)) }

  /// True where both are equal.
  public static func .== (a: Tensor, b: Tensor) -> Tensor { broadcastCompare(.equal, a, b) }

  /// True where both are equal.
  public static func .== (a: Tensor, b: Double) -> Tensor { broadcastCompare(.equal, a, a.like(b)) }

  /// True where both are equal.
  public static func .== (a: Double, b: Tensor) -> Tensor { broadcastCompare(.equal, b.like(a), b) }

  /// True where both differ.
  public static func .!= (a: Tensor, b: Tensor) -> Tensor { broadcastCompare(.notEqual, a, b) }

  /// True where both differ.
  public static func .!= (a: Tensor, b: Double) -> Tensor { broadcastCompare(.notEqual, a, a.like(b)) }

  /// True where both differ.
  public static func .!= (a: Double, b: Tensor) -> Tensor { broadcastCompare(.notEqual, b.like(a), b) }
  /// The negative of each element.
  public static prefix func - (a: Tensor) -> Tensor {
    var result = apply(.negate, a)
    result.isLiteral = a.isLiteral
    return result
  }
  /// The element-wise opposite of truth values.
  public static prefix func .! (a: Tensor) -> Tensor {
    broadcastLogic(.exclusiveOr, a, Tensor(scalar: true))
  }
  /// True where both are.
  public static func .& (a: Tensor, b: Tensor) -> Tensor { broadcastLogic(.and, a, b) }
  /// True where at least one is.
  public static func .| (a: Tensor, b: Tensor) -> Tensor { broadcastLogic(.or, a, b) }
  /// True where exactly one is.
  public static func .^ (a: Tensor, b: Tensor) -> Tensor { broadcastLogic(.exclusiveOr, a, b) }
}
