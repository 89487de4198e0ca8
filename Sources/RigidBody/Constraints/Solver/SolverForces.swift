import Kinematics
import Lanes

// Forces f(y) = −∂s/∂y and curvatures W = ∂²s/∂y² of the rows.
//
// Elliptic cones (MuJoCo's documentation, "Friction cones"): in U = (mu y₀, friction_i y_i) with N = U₀ and T = |U₁…|, the
// cost is zero where N ≥ mu T (the velocity that the reference asks for is kept without force), that of the quadratic rows
// where mu N + T ≤ 0 (inside the cone of forces), and ½ D_m (N − mu T)² in between (sliding), D_m = D₀ / (mu² (1 + mu²)).

extension SolverPass {
  /// Forces and curvatures at the present `y`.
  ///
  /// - Returns: By how much curvatures have changed: zero in lanes in which all are as they were.
  @inline(__always)
  func updateForces() -> L {
    var changed = L(0.0)
    var r = 0
    while r < rows.equalityEnd {
      let weight = memory.rowWeight[r]
      memory.rowForce[r] = -(weight * memory.rowViolation[r])
      changed += (weight - memory.rowCurvature[r]).magnitude
      memory.rowCurvature[r] = weight
      r = r &+ 1
    }
    while r < rows.frictionEnd {
      let weight = memory.rowWeight[r]
      let limit = memory.rowLimit[r]
      let pull = weight * memory.rowViolation[r]
      let curvature = L(0.0).replacing(with: weight, where: pull.magnitude .< limit)
      memory.rowForce[r] = -pull.clamped(-limit, limit)
      changed += (curvature - memory.rowCurvature[r]).magnitude
      memory.rowCurvature[r] = curvature
      r = r &+ 1
    }
    while r < rows.count {
      let y = memory.rowViolation[r]
      let curvature = L(0.0).replacing(with: memory.rowWeight[r], where: y .< L(0.0))
      memory.rowForce[r] = -(curvature * y)
      changed += (curvature - memory.rowCurvature[r]).magnitude
      memory.rowCurvature[r] = curvature
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let dimension = Int(system.slots[s].dimension)
      if dimension == 1 {
        changed += updateFrictionless(s)
      } else if isElliptic {
        changed += updateEllipticCone(s, dimension)
      } else {
        changed += updatePyramid(s, dimension)
      }
      s = s &+ 1
    }
    return changed
  }

  /// Stores an entry of a curvature.
  @inline(__always)
  private func store(_ value: L, _ target: UnsafeMutablePointer<L>) -> L {
    let change = (value - target.pointee).magnitude
    target.pointee = value
    return change
  }

  @inline(__always)
  private func updateFrictionless(_ s: Int) -> L {
    let base = SolverMemory<L>.stride &* s
    let y = memory.slotViolation[base]
    let curvature = L(0.0).replacing(with: system.contactWeight[base], where: y .< L(0.0))
    slotForce[base] = -(curvature * y)
    return store(curvature, memory.slotCurvature + SolverMemory<L>.curvatureStride &* s)
  }

  /// The edges `y₀ ± friction_i y_i` are rows like limits; in the contact frame W is an arrow.
  @inline(__always)
  private func updatePyramid(_ s: Int, _ dimension: Int) -> L {
    let base = SolverMemory<L>.stride &* s
    let y = memory.slotViolation + base
    let friction = system.contactFriction + base
    let force = slotForce + base
    let w = memory.slotCurvature + SolverMemory<L>.curvatureStride &* s
    let weight = system.contactWeight[base]
    var changed = L(0.0)
    var normalForce = L(0.0)
    var normalCurvature = L(0.0)
    var i = 1
    var entry = 1
    while i < dimension {
      let mu = friction[i]
      let slide = mu * y[i]
      let plus = y[0] + slide
      let minus = y[0] - slide
      let plusWeight = L(0.0).replacing(with: weight, where: plus .< L(0.0))
      let minusWeight = L(0.0).replacing(with: weight, where: minus .< L(0.0))
      let plusForce = plusWeight * plus
      let minusForce = minusWeight * minus
      normalForce += plusForce + minusForce
      force[i] = mu * (minusForce - plusForce)
      let sum = plusWeight + minusWeight
      normalCurvature += sum
      changed += store(mu * (plusWeight - minusWeight), w + entry)
      changed += store(mu * (mu * sum), w + (entry &+ i))
      entry = entry &+ i &+ 1
      i = i &+ 1
    }
    force[0] = -normalForce
    changed += store(normalCurvature, w)
    return changed
  }

  @inline(__always)
  private func updateEllipticCone(_ s: Int, _ dimension: Int) -> L {
    let base = SolverMemory<L>.stride &* s
    let y = memory.slotViolation + base
    let friction = system.contactFriction + base
    let weights = system.contactWeight + base
    let force = slotForce + base
    let w = memory.slotCurvature + SolverMemory<L>.curvatureStride &* s
    let zone = coneZone(s, dimension)
    let (mu, n, t) = (zone.mu, zone.normal, zone.tangent)
    let inverse = 1.0 / L(1.0).replacing(with: t, where: zone.isMiddle)
    let middle = L(0.0).replacing(with: zone.weight, where: zone.isMiddle)

    let r = n - mu * t
    force[0] = (-(middle * (r * mu))).replacing(with: -(weights[0] * y[0]), where: zone.isBottom)
    var changed = store((middle * (mu * mu)).replacing(with: weights[0], where: zone.isBottom), w)
    // Along T the curvature of the middle zone is mu² D_m, across it D_m (mu² − mu N / T).
    let ratio = n * inverse
    let across = mu * (mu - ratio)
    let pull = middle * (r * mu)
    var i = 1
    var entry = 1
    while i < dimension {
      let f = friction[i]
      let unit = f * y[i] * inverse
      force[i] = (pull * (unit * f)).replacing(with: -(weights[i] * y[i]), where: zone.isBottom)
      let scaled = middle * f
      changed += store(
        (-(scaled * (mu * mu * unit))).replacing(with: L(0.0), where: zone.isBottom), w + entry)
      var k = 1
      while k <= i {
        var value = mu * ratio * unit * (friction[k] * y[k] * inverse)
        if k == i { value += across }
        value = scaled * friction[k] * value
        changed += store(
          value.replacing(with: k == i ? weights[i] : L(0.0), where: zone.isBottom), w + (entry &+ k))
        k = k &+ 1
      }
      entry = entry &+ i &+ 1
      i = i &+ 1
    }
    return changed
  }

  /// In which zone of the elliptic cone `y` is.
  @inline(__always)
  func coneZone(_ s: Int, _ dimension: Int) -> ConeZone<L> {
    let base = SolverMemory<L>.stride &* s
    let y = memory.slotViolation + base
    let friction = system.contactFriction + base
    var squares = L(0.0)
    var i = 1
    while i < dimension {
      let u = friction[i] * y[i]
      squares = L.multiplyAdd(u, u, squares)
      i = i &+ 1
    }
    let mu = coneCoefficient(base)
    return ConeZone(
      mu: mu, normal: mu * y[0], tangent: squares.squareRoot, weight: coneWeight(base, mu))
  }

  /// The cone's mu; 1 in lanes that do not have the contact.
  @inline(__always)
  func coneCoefficient(_ base: Int) -> L {
    system.contactFriction[base].replacing(with: L(1.0), where: system.contactWeight[base] .== L(0.0))
  }

  /// D_m.
  @inline(__always)
  func coneWeight(_ base: Int, _ mu: L) -> L {
    let square = mu * mu
    return system.contactWeight[base] / (square * (1.0 + square))
  }

  /// Sets what curvatures never write, and all others to zero.
  @inline(__always)
  func clearCurvatures() {
    var r = 0
    while r < rows.count {
      memory.rowCurvature[r] = L(0.0)
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let w = memory.slotCurvature + SolverMemory<L>.curvatureStride &* s
      let dimension = Int(system.slots[s].dimension)
      let count = (dimension &* (dimension &+ 1)) >> 1
      var i = 0
      while i < count {
        w[i] = L(0.0)
        i = i &+ 1
      }
      s = s &+ 1
    }
  }
}

/// Zones of an elliptic cone: see above.
struct ConeZone<L: Lane> {
  let mu: L
  let normal: L
  let tangent: L
  /// D_m.
  let weight: L
  let isBottom: L.Mask
  let isMiddle: L.Mask

  @inline(__always)
  init(mu: L, normal: L, tangent: L, weight: L) {
    self.mu = mu
    self.normal = normal
    self.tangent = tangent
    self.weight = weight
    let isTop = normal .>= mu * tangent
    isBottom = .!isTop .& (L.multiplyAdd(mu, normal, tangent) .<= L(0.0))
    isMiddle = .!isTop .& .!isBottom
  }
}
