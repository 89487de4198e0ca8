import Kinematics
import Lanes

/// How a row answers to its violation, of one model element: MuJoCo's `solref` and `solimp`, with the limits that MuJoCo
/// puts on them.
///
/// The reference acceleration is `−B J v − K imp(r) (r − margin)` for a row at distance r. Its weight is
/// `D = imp / ((1 − imp) d)`, with an estimate d of what J M⁻¹ Jᵀ is at the model's default position.
struct RowParameters<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  /// K and B.
  var stiffness: Scalar
  var damping: Scalar
  /// The impedance at the margin and beyond the width, the width, the midpoint and the power between.
  var impedanceStart: Scalar
  var impedanceEnd: Scalar
  var impedanceWidth: Scalar
  var impedanceMidpoint: Scalar
  var impedancePower: Scalar
  var margin: Scalar
  /// `1 / d`, times what the row's kind multiplies its weight by.
  var weightScale: Scalar

  /// - Parameters:
  ///   - isFriction: a friction row follows velocities alone.
  ///   - safeTime: the least time constant of references, twice the timestep; zero where the model switches that off.
  init(
    reference: [Double], impedance: [Double], margin: Double, diagonal: Double, isFriction: Bool = false,
    safeTime: Double
  ) {
    let tiny = 1e-15
    let bounded = { (x: Double) in min(0.9999, max(0.0001, x)) }
    let end = bounded(impedance[1])
    var reference = reference
    // The two formats cannot be mixed.
    if (reference[0] > 0) != (reference[1] > 0) { reference = [0.02, 1] }
    if reference[0] > 0 { reference[0] = max(reference[0], safeTime) }
    let square = reference[0] * reference[0] * reference[1] * reference[1]
    stiffness = Scalar(
      isFriction ? 0 : reference[0] > 0 ? 1 / max(tiny, end * end * square) : -reference[0] / (end * end))
    damping = Scalar(reference[1] > 0 ? 2 / max(tiny, end * reference[0]) : -reference[1] / end)
    impedanceStart = Scalar(bounded(impedance[0]))
    impedanceEnd = Scalar(end)
    impedanceWidth = Scalar(max(0, impedance[2]))
    impedanceMidpoint = Scalar(bounded(impedance[3]))
    impedancePower = Scalar(max(1, impedance[4]))
    self.margin = Scalar(margin)
    weightScale = Scalar(1 / max(diagonal, tiny))
  }
}

/// The same for each lane.
struct RowParameterLanes<L: Lane> {
  var stiffness: L
  var damping: L
  var impedanceStart: L
  var impedanceEnd: L
  var impedanceWidth: L
  var impedanceMidpoint: L
  var impedancePower: L
  var margin: L
  var weightScale: L

  @inline(__always) init(_ p: RowParameters<L.Scalar>) {
    stiffness = L(broadcasting: p.stiffness)
    damping = L(broadcasting: p.damping)
    impedanceStart = L(broadcasting: p.impedanceStart)
    impedanceEnd = L(broadcasting: p.impedanceEnd)
    impedanceWidth = L(broadcasting: p.impedanceWidth)
    impedanceMidpoint = L(broadcasting: p.impedanceMidpoint)
    impedancePower = L(broadcasting: p.impedancePower)
    margin = L(broadcasting: p.margin)
    weightScale = L(broadcasting: p.weightScale)
  }

  @inline(__always) mutating func set(_ p: UnsafePointer<RowParameters<L.Scalar>>, lane: Int) {
    stiffness[lane: lane] = p.pointee.stiffness
    damping[lane: lane] = p.pointee.damping
    impedanceStart[lane: lane] = p.pointee.impedanceStart
    impedanceEnd[lane: lane] = p.pointee.impedanceEnd
    impedanceWidth[lane: lane] = p.pointee.impedanceWidth
    impedanceMidpoint[lane: lane] = p.pointee.impedanceMidpoint
    impedancePower[lane: lane] = p.pointee.impedancePower
    margin[lane: lane] = p.pointee.margin
    weightScale[lane: lane] = p.pointee.weightScale
  }

  /// Of a row that a lane does not have.
  @inline(__always) static var none: Self {
    var result = Self(
      RowParameters(
        reference: [0.02, 1], impedance: [0.9, 0.95, 0.001, 0.5, 2], margin: 0, diagonal: 1, safeTime: 0))
    result.weightScale = L(0.0)
    return result
  }

  /// The impedance at a distance, and its derivative by the distance: from the start at the margin to the end at the width
  /// away from it, by two power curves that meet at the midpoint.
  @inline(__always)
  func impedance(at distance: L) -> (value: L, slope: L) {
    let one = L(1.0)
    let zero = L(0.0)
    let rise = impedanceEnd - impedanceStart
    let isFlat = (rise .== zero) .| (impedanceWidth .<= L(1e-15))
    let width = impedanceWidth.replacing(with: one, where: isFlat)
    let signed = (distance - margin) / width
    let x = L.minimum(signed.magnitude, one)
    let isBelow = x .<= impedanceMidpoint
    // Measured from the end whose curve it is on.
    let part = impedanceMidpoint.replacing(with: one - impedanceMidpoint, where: .!isBelow)
    let from = x.replacing(with: one - x, where: .!isBelow)
    let ratio = from / part
    let power: L
    let isSquare = impedancePower .== L(2.0)
    if isSquare.allTrue {
      power = ratio
    } else {
      // ratio^(p − 1); zero to the power of zero is one.
      let positive = L.maximum(ratio, L(1e-30))
      power = L.power(positive, impedancePower - 1.0)
        .replacing(with: one, where: impedancePower .== one)
        .replacing(with: zero, where: (ratio .== zero) .& (one .< impedancePower))
    }
    let isLinear = impedancePower .== one
    let curve = from * power
    let y = curve.replacing(with: one - curve, where: .!isBelow).replacing(with: x, where: isLinear)
    let curveSlope = (impedancePower * power).replacing(with: one, where: isLinear)
    let isInside = (x .< one) .& (zero .< x)
    let slope = (curveSlope * rise / width).replacing(with: zero, where: .!isInside .| isFlat)
    let value = L.multiplyAdd(y, rise, impedanceStart)
    return (
      value.replacing(with: (impedanceStart + impedanceEnd) * 0.5, where: isFlat),
      slope.replacing(with: -slope, where: signed .< zero)
    )
  }
}

/// What a row's reference and weight came from: all that their derivatives need.
struct RowDetail<L: Lane> {
  /// K and B.
  var stiffness: L
  var damping: L
  var impedance: L
  /// Derivative of the impedance by the distance.
  var impedanceSlope: L
  /// Distance minus margin.
  var offset: L

  static var zero: Self {
    Self(
      stiffness: L(0.0), damping: L(0.0), impedance: L(0.5), impedanceSlope: L(0.0), offset: L(0.0))
  }

  @inline(__always) init(stiffness: L, damping: L, impedance: L, impedanceSlope: L, offset: L) {
    self.stiffness = stiffness
    self.damping = damping
    self.impedance = impedance
    self.impedanceSlope = impedanceSlope
    self.offset = offset
  }

  /// - Parameter distance: from the constraint's surface; negative where it is violated.
  @inline(__always) init(_ parameters: RowParameterLanes<L>, distance: L) {
    let (value, slope) = parameters.impedance(at: distance)
    self.init(
      stiffness: parameters.stiffness, damping: parameters.damping, impedance: value, impedanceSlope: slope,
      offset: distance - parameters.margin)
  }

  /// The reference acceleration of a row that moves at `velocity`.
  @inline(__always) func reference(velocity: L) -> L {
    -L.multiplyAdd(damping, velocity, stiffness * impedance * offset)
  }

  /// `imp / (1 − imp)`, which times the parameters' scale is the weight; MuJoCo's limit on the regulariser is kept.
  @inline(__always) func weight(scale: L) -> L {
    L.minimum(scale * impedance / (1.0 - impedance), L(1e15))
  }
}
