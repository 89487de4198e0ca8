import Lanes

// Parameters of constraint rows (MuJoCo documentation, Computation, Constraint model, Parameters). A row asks for the
// acceleration a_ref = −B J v − K d(r) r, r = position − margin, and has the regulariser R = (1 − d)/d · diagonal, D = 1/R.

/// Impedance d as a function of the distance r from the margin: from `start` at 0 to `start + rise` at `width`, along two
/// powers that meet at the midpoint (`solimp`).
struct KernelImpedance<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  enum Shape: UInt8, Sendable { case constant, linear, quadratic, power }
  var shape: Shape
  var rise: Scalar
  /// One minus the impedance at the end, kept apart because it is small.
  var endComplement: Scalar
  var inverseWidth: Scalar
  var midpoint: Scalar
  var power: Scalar
  /// Factors of the lower and the upper power.
  var lowerFactor: Scalar
  var upperFactor: Scalar

  /// - Parameter solverImpedance: MuJoCo's five numbers, which are limited to what makes sense.
  init(_ solverImpedance: [Double]) {
    func limited(_ x: Double) -> Double { min(0.9999, max(0.0001, x)) }
    let (start, end) = (limited(solverImpedance[0]), limited(solverImpedance[1]))
    let width = max(0, solverImpedance[2])
    let middle = limited(solverImpedance[3])
    let exponent = max(1, solverImpedance[4])
    let isConstant = start == end || width <= smallestDivisor
    shape = isConstant ? .constant : exponent == 1 ? .linear : exponent == 2 ? .quadratic : .power
    rise = isConstant ? 0 : Scalar(end - start)
    endComplement = Scalar(1 - (isConstant ? 0.5 * (start + end) : end))
    inverseWidth = width <= smallestDivisor ? 0 : Scalar(1 / width)
    midpoint = Scalar(middle)
    power = Scalar(exponent)
    lowerFactor = Scalar(1 / Double.power(middle, exponent - 1))
    upperFactor = Scalar(1 / Double.power(1 - middle, exponent - 1))
  }
}

/// MuJoCo's `mjMINVAL`.
let smallestDivisor = 1e-15

/// The impedance of a row.
struct RowImpedance<L: Lane> {
  var value: L
  /// One minus the value.
  var complement: L
  /// Derivative of the value by the position.
  var slope: L
}

/// Impedance at a distance from the margin.
@inline(__always)
func impedance<L: Lane>(
  _ curve: UnsafePointer<KernelImpedance<L.Scalar>>, at distance: L
) -> RowImpedance<L> {
  let zero = L(0.0)
  let end = L(broadcasting: curve.pointee.endComplement)
  if curve.pointee.shape == .constant {
    return RowImpedance(value: 1.0 - end, complement: end, slope: zero)
  }
  let x = L.minimum(L.multiply(distance.magnitude, scalar: curve.pointee.inverseWidth), L(1.0))
  let rest = 1.0 - x
  // One minus the way from start to end, and the way's derivative.
  var missing: L
  var rate: L
  if curve.pointee.shape == .linear {
    missing = rest
    rate = L(1.0)
  } else {
    let isLower = x .<= L(broadcasting: curve.pointee.midpoint)
    let base = rest.replacing(with: x, where: isLower)
    let factor = L(broadcasting: curve.pointee.upperFactor)
      .replacing(with: L(broadcasting: curve.pointee.lowerFactor), where: isLower)
    var lowerPower = base
    if curve.pointee.shape == .power {
      lowerPower = L.power(base, L(broadcasting: curve.pointee.power - 1))
    }
    let way = factor * (lowerPower * base)
    missing = way.replacing(with: 1.0 - way, where: isLower)
    rate = L.multiply(factor * lowerPower, scalar: curve.pointee.power)
  }
  let isInside = (zero .< x) .& (x .< L(1.0))
  rate = zero.replacing(with: rate, where: isInside)
  let slope = L.multiply(rate, scalar: curve.pointee.rise * curve.pointee.inverseWidth)
  let complement = L.multiplyAdd(missing, scalar: curve.pointee.rise, end)
  return RowImpedance(
    value: 1.0 - complement, complement: complement,
    slope: slope.replacing(with: -slope, where: distance .< zero))
}

/// Stiffness K and damping B of a row's reference acceleration (`solref`).
struct RowGains {
  var stiffness: Double
  var damping: Double

  /// - Parameters:
  ///   - reference: time constant and damping ratio where positive, otherwise minus stiffness and minus damping. Mixed signs
  ///     stand for the default.
  ///   - smallestTime: the least time constant.
  init(_ reference: [Double], endImpedance: Double, smallestTime: Double) {
    var (time, ratio) = (reference[0], reference[1])
    if (time > 0) != (ratio > 0) { (time, ratio) = (0.02, 1) }
    let end = min(0.9999, max(0.0001, endImpedance))
    if time > 0 {
      time = max(time, smallestTime)
      stiffness = 1 / max(smallestDivisor, end * end * time * time * ratio * ratio)
      damping = 2 / max(smallestDivisor, end * time)
    } else {
      stiffness = -time / max(smallestDivisor, end * end)
      damping = -ratio / max(smallestDivisor, end)
    }
  }
}

/// Constants of one row of fixed place.
struct KernelRowParameters<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  /// K; zero for friction.
  var stiffness: Scalar
  /// B.
  var damping: Scalar
  var margin: Scalar
  /// Approximate diagonal of J M⁻¹ Jᵀ.
  var diagonal: Scalar
  var impedance: KernelImpedance<Scalar>

  init(
    reference: [Double], impedance: [Double], margin: Double = 0, diagonal: Double, isFriction: Bool = false,
    smallestTime: Double
  ) {
    let gains = RowGains(reference, endImpedance: impedance[1], smallestTime: smallestTime)
    stiffness = isFriction ? 0 : Scalar(gains.stiffness)
    damping = Scalar(gains.damping)
    self.margin = Scalar(margin)
    self.diagonal = Scalar(diagonal)
    self.impedance = KernelImpedance(impedance)
  }
}

/// What the derivative of a row needs besides its constants.
struct RowDetail<L: Lane> {
  /// Violation of the constraint before the margin is subtracted: a distance, an angle or a tendon's length.
  var position: L
  var impedance: L
  /// Derivative of the impedance by the position (of connects and welds: by the norm of all their positions).
  var impedanceSlope: L
}

/// Weight D of a row.
@inline(__always)
func rowWeight<L: Lane>(_ impedance: RowImpedance<L>, diagonal: L) -> L {
  1.0 / L.maximum(impedance.complement * diagonal / impedance.value, L(smallestDivisor))
}
