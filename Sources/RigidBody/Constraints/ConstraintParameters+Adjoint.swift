import Kinematics
import Lanes

// Cotangents of the numbers that rows are made from, in ∂/∂θ [u·f(y, θ)] (ConstraintRows+Adjoint.swift). With
// y = J a + B J v + K imp(r) r  and forces proportional to imp/(1 − imp) where they are not at a bound:
//   K̄ = −g imp r,   B̄ = −g J v,   imp̄ = u·f / (imp (1 − imp)) − g K r,
// and a friction row at its bound has f = ± loss. The impedance's own numbers follow from its curve: with the way
// w = (imp − start) / (end − start), at x = |r|/width lower (x/m)^(p−1) x and upper 1 − ((1−x)/(1−m))^(p−1) (1−x).

/// Places of cotangents of constraint parameters in one array: of fixed rows, contact candidates and geoms.
struct ConstraintParameterLayout: Sendable {
  /// Of a fixed row: K, B, the impedance's five numbers, the distance, the friction loss.
  static let rowStride = 9
  /// Of a candidate: K, B, B of the friction directions, the impedance's five numbers, the margin, five friction
  /// coefficients.
  static let candidateStride = 14
  /// Of a geom: sizes, and force and torque about its origin in the axes of its link.
  static let geomStride = 9

  let unitRowCount: Int
  let sparseRowCount: Int
  let candidateCount: Int
  let geomCount: Int

  func unitRow(_ index: Int) -> Int { Self.rowStride * index }
  func sparseRow(_ index: Int) -> Int { Self.rowStride * (unitRowCount + index) }
  func candidate(_ index: Int) -> Int { sparseRow(sparseRowCount) + Self.candidateStride * index }
  func geom(_ index: Int) -> Int { candidate(candidateCount) + Self.geomStride * index }
  var count: Int { geom(geomCount) }
}

/// Adds the cotangents of a row's stiffness, damping, impedance and distance.
///
/// - Parameters:
///   - along: u·f of what has the impedance.
///   - velocity: J v.
///   - offset: the distance r from the margin, and its cotangent.
@inline(__always)
func rowParametersAdjoint<L: Lane>(
  _ target: UnsafeMutablePointer<L>, _ curve: UnsafePointer<KernelImpedance<L.Scalar>>, along: L, g: L,
  velocity: L, stiffness: L, offset: (value: L, cotangent: L), impedance: L, slope: L
) {
  target[0] -= g * impedance * offset.value
  target[1] -= g * velocity
  let byImpedance = along / (impedance * (1.0 - impedance)) - g * stiffness * offset.value
  let numbers = impedanceSlopes(curve, at: offset.value, slope: slope)
  target[2] += byImpedance * numbers.0
  target[3] += byImpedance * numbers.1
  target[4] += byImpedance * numbers.2
  target[5] += byImpedance * numbers.3
  target[6] += byImpedance * numbers.4
  target[7] += offset.cotangent
}

/// Derivatives of the impedance by start, end, width, midpoint and power.
@inline(__always)
func impedanceSlopes<L: Lane>(
  _ curve: UnsafePointer<KernelImpedance<L.Scalar>>, at distance: L, slope: L
) -> (L, L, L, L, L) {
  let inverseWidth = L(broadcasting: curve.pointee.inverseWidth)
  if curve.pointee.inverseWidth == 0 { return (L(0.5), L(0.5), L(0.0), L(0.0), L(0.0)) }
  let midpoint = L(broadcasting: curve.pointee.midpoint)
  let exponent = L(broadcasting: curve.pointee.power - 1)
  let x = L.minimum(distance.magnitude * inverseWidth, L(1.0))
  let isLower = x .<= midpoint
  let (rest, upper) = (1.0 - x, 1.0 - midpoint)
  let ratio = L.maximum(rest / upper, L(1e-30)).replacing(
    with: L.maximum(x / midpoint, L(1e-30)), where: isLower)
  let part = L.power(ratio, exponent) * rest.replacing(with: x, where: isLower)
  let way = (1.0 - part).replacing(with: part, where: isLower)
  let rise = L(broadcasting: curve.pointee.rise)
  let byMidpoint = -(rise * exponent * part / upper.replacing(with: midpoint, where: isLower))
  let byPower = rise * part * ratio.naturalLogarithm
  return (
    1.0 - way, way, -(slope * distance * inverseWidth), byMidpoint,
    (-byPower).replacing(with: byPower, where: isLower)
  )
}

/// Adds the cotangent of a friction row's loss, and of its impedance where it is not at its bound.
@inline(__always)
func frictionRowAdjoint<L: Lane>(
  _ target: UnsafeMutablePointer<L>, _ curve: UnsafePointer<KernelImpedance<L.Scalar>>,
  _ m: RowMultipliers<L>,
  curvature: L, velocity: L, impedance: L
) {
  let zero = L(0.0)
  let isHeld = curvature .== zero
  let along = (m.u * m.force).replacing(with: zero, where: isHeld)
  rowParametersAdjoint(
    target, curve, along: along, g: m.g, velocity: velocity, stiffness: zero, offset: (zero, zero),
    impedance: impedance, slope: zero)
  let sign = L(-1.0).replacing(with: L(1.0), where: zero .< m.force)
  target[8] += zero.replacing(with: m.u * sign, where: isHeld)
}

/// Cotangents of a contact's parameters, in the order of ``ConstraintParameterLayout/candidateStride``, all lanes of a slot.
///
/// Friction coefficients, with the violations y in the contact's directions:
/// - a pyramid's edges y₀ ± μᵢ yᵢ press with the weight D, of which f·u is a sum of products; D ∝ 1/(μ₁² (1 + μ₁²)), as the
///   approximate diagonal counts the first tangent;
/// - inside an elliptic cone f·u = −Σ Dᵢ yᵢ uᵢ with Dᵢ ∝ μᵢ²/μ₁²;
/// - where it slides, with T = |μᵢ yᵢ|, S = Σ μᵢ² yᵢ uᵢ and mu ∝ μ₁,  f·u = −D₀/(1 + mu²) (y₀ − T)(u₀ − S/T).
struct ContactParameterCotangents<L: Lane> {
  var values = InlineArray<14, L>(repeating: L(0.0))

  @inline(__always)
  init(
    _ pass: SolverPass<L>, _ s: Int, dimension: Int, _ detail: ContactSlotDetail<L>, u: UnsafePointer<L>,
    g: UnsafePointer<L>, velocity: UnsafePointer<L>, along: L, distanceCotangent: L
  ) where L.Scalar: LaneScalar {
    let offset = detail.distance - detail.margin
    values[0] = -(g[0] * detail.impedance * offset)
    values[1] = -(g[0] * velocity[0])
    var i = 1
    while i < dimension {
      values[2] -= g[i] * velocity[i]
      i &+= 1
    }
    // The impedance's cotangent; its numbers follow lane by lane, as curves differ.
    values[3] = along / (detail.impedance * (1.0 - detail.impedance)) - g[0] * detail.stiffness * offset
    values[8] = -distanceCotangent
    guard dimension > 1 else { return }
    if pass.isElliptic {
      addElliptic(pass, s, dimension, u)
    } else {
      addPyramid(pass, s, dimension, u, along)
    }
  }

  @inline(__always)
  private mutating func addPyramid(
    _ pass: SolverPass<L>, _ s: Int, _ dimension: Int, _ u: UnsafePointer<L>, _ along: L
  ) where L.Scalar: LaneScalar {
    let base = SolverMemory<L>.stride &* s
    let y = pass.memory.slotViolation + base
    let friction = pass.system.contactFriction + base
    let weight = pass.system.contactWeight[base]
    let zero = L(0.0)
    var i = 1
    while i < dimension {
      let mu = friction[i]
      let (plus, minus) = (y[0] + mu * y[i], y[0] - mu * y[i])
      let byPlus = y[i] * (u[0] + mu * u[i]) + u[i] * plus
      let byMinus = y[i] * (u[0] - mu * u[i]) + u[i] * minus
      let active =
        zero.replacing(with: byMinus, where: minus .< zero)
        - zero.replacing(with: byPlus, where: plus .< zero)
      values[8 &+ i] = weight * active
      i &+= 1
    }
    let mu = friction[1]
    values[9] -= along * (2.0 / mu + 2.0 * mu / (1.0 + mu * mu))
  }

  @inline(__always)
  private mutating func addElliptic(
    _ pass: SolverPass<L>, _ s: Int, _ dimension: Int, _ u: UnsafePointer<L>
  ) where L.Scalar: LaneScalar {
    let base = SolverMemory<L>.stride &* s
    let y = pass.memory.slotViolation + base
    let friction = pass.system.contactFriction + base
    let weights = pass.system.contactWeight + base
    let zero = L(0.0)
    let zone = pass.coneZone(s, dimension)
    let (mu, tangent) = (zone.mu, zone.tangent)
    let inverse = 1.0 / L(1.0).replacing(with: tangent, where: zone.isMiddle)
    var (sum, inside) = (zero, zero)
    var i = 1
    while i < dimension {
      let product = y[i] * u[i]
      sum = L.multiplyAdd(friction[i] * friction[i], product, sum)
      inside = L.multiplyAdd(weights[i], product, inside)
      i &+= 1
    }
    let share = sum * inverse
    let (normal, pull) = (y[0] - tangent, u[0] - share)
    let scale = weights[0] / (1.0 + mu * mu)
    i = 1
    while i < dimension {
      let f = friction[i]
      let byTangent = f * y[i] * y[i] * inverse
      let byShare = (f * y[i] * u[i] * 2.0 - share * byTangent) * inverse
      let sliding = scale * (byTangent * pull + normal * byShare)
      let sticking = -(weights[i] * y[i] * u[i] * 2.0 / f)
      values[8 &+ i] =
        zero.replacing(with: sliding, where: zone.isMiddle).replacing(with: sticking, where: zone.isBottom)
      i &+= 1
    }
    let byFirst = inside * 2.0
    let byMu = scale * normal * pull * (2.0 * mu * mu / (1.0 + mu * mu))
    let all = zero.replacing(with: byMu, where: zone.isMiddle).replacing(with: byFirst, where: zone.isBottom)
    values[9] += all / friction[1]
  }

  /// Adds each lane's share to its candidate.
  @inline(__always)
  func add(
    to parameters: UnsafeMutablePointer<L>, _ layout: ConstraintParameterLayout,
    _ tables: ContactPlan<L.Scalar>,
    _ sources: UnsafePointer<ContactSource>, _ detail: ContactSlotDetail<L>
  ) where L.Scalar: LaneScalar {
    let offset = detail.distance - detail.margin
    var lane = 0
    while lane < L.laneCount {
      let candidate = Int(sources[lane].candidate)
      if candidate >= 0 {
        let target = parameters + layout.candidate(candidate)
        let set = tables.parameters.pointer(Int(tables.candidates.pointer(candidate).pointee.parameters))
        let slopes = impedanceSlopes(set.pointer(to: \.impedance)!, at: offset, slope: detail.impedanceSlope)
        let byImpedance = values[3][lane: lane]
        for k in [0, 1, 2] { target[k][lane: lane] += values[k][lane: lane] }
        target[3][lane: lane] += byImpedance * slopes.0[lane: lane]
        target[4][lane: lane] += byImpedance * slopes.1[lane: lane]
        target[5][lane: lane] += byImpedance * slopes.2[lane: lane]
        target[6][lane: lane] += byImpedance * slopes.3[lane: lane]
        target[7][lane: lane] += byImpedance * slopes.4[lane: lane]
        var k = 8
        while k < 14 {
          target[k][lane: lane] += values[k][lane: lane]
          k &+= 1
        }
      }
      lane &+= 1
    }
  }
}

/// Adds the cotangents of a geom's size and of its pose in its link.
@inline(__always)
func geomParametersAdjoint<L: Lane>(
  _ target: UnsafeMutablePointer<L>, _ own: GeomCotangent<L>, _ rotation: Matrix3<L>?
) {
  let force = rotation.map { $0.transposedTimes(own.force) } ?? own.force
  let torque = rotation.map { $0.transposedTimes(own.torque) } ?? own.torque
  addVector(own.size, L(1.0), to: target)
  addVector(force, L(1.0), to: target + 3)
  addVector(torque, L(1.0), to: target + 6)
}
