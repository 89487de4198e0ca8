import Kinematics
import Lanes

// The cost along a line, φ(α) = cost(a + α search), from a few numbers of each row.
//
// Rows have y + α v. A pyramid is kept as its edges, an elliptic cone as the coefficients of its quadratic cost and of N and
// T² in α (MuJoCo's compact form), so that an evaluation takes the same time whatever the number of degrees of freedom.

/// What of φ is one polynomial in all states of the rows: `constant + α linear + ½ α² quadratic`.
struct LinePolynomial<L: Lane> {
  var constant: L
  var linear: L
  var quadratic: L
  /// Size of the terms that make up the slope at α = 0.
  var slopeScale: L
}

/// First and second derivative of φ.
struct LineSlope<L: Lane> {
  var first: L
  var second: L
}

extension SolverPass {
  private var lineStride: Int { SolverMemory<L>.lineStride }

  /// Fills the arrays of the line search from `y` and its change.
  ///
  /// - Parameter gauss: the part of `½ (a − a_smooth)ᵀ M (a − a_smooth)`.
  @inline(__always)
  func prepareLine(gauss: LinePolynomial<L>) -> LinePolynomial<L> {
    var result = gauss
    var r = 0
    while r < rows.equalityEnd {
      let y = memory.rowViolation[r]
      let v = memory.rowChange[r]
      let pull = memory.rowWeight[r] * y
      result.constant = L.multiplyAdd(0.5 * pull, y, result.constant)
      result.linear = L.multiplyAdd(pull, v, result.linear)
      result.quadratic = L.multiplyAdd(memory.rowWeight[r] * v, v, result.quadratic)
      r = r &+ 1
    }
    r = 0
    while r < rows.count {
      result.slopeScale += (memory.rowForce[r] * memory.rowChange[r]).magnitude
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let dimension = Int(system.slots[s].dimension)
      let base = SolverMemory<L>.stride &* s
      let y = memory.slotViolation + base
      let v = memory.slotChange + base
      let line = memory.slotLine + lineStride &* s
      let friction = system.contactFriction + base
      var d = 0
      while d < dimension {
        result.slopeScale += (slotForce[base &+ d] * v[d]).magnitude
        d = d &+ 1
      }
      if dimension == 1 {
        line[0] = y[0]
        line[1] = v[0]
      } else if isElliptic {
        prepareCone(base, dimension, y, v, friction, line)
      } else {
        var i = 1
        var edge = line
        while i < dimension {
          let mu = friction[i]
          edge[0] = L.multiplyAdd(mu, y[i], y[0])
          edge[1] = L.multiplyAdd(mu, v[i], v[0])
          edge[2] = L.multiplyAdd(-mu, y[i], y[0])
          edge[3] = L.multiplyAdd(-mu, v[i], v[0])
          edge += 4
          i = i &+ 1
        }
      }
      s = s &+ 1
    }
    return result
  }

  @inline(__always)
  private func prepareCone(
    _ base: Int, _ dimension: Int, _ y: UnsafePointer<L>, _ v: UnsafePointer<L>, _ friction: UnsafePointer<L>,
    _ line: UnsafeMutablePointer<L>
  ) {
    let weights = system.contactWeight + base
    var constant = L(0.0)
    var linear = L(0.0)
    var quadratic = L(0.0)
    var uu = L(0.0)
    var uv = L(0.0)
    var vv = L(0.0)
    var d = 0
    while d < dimension {
      let pull = weights[d] * y[d]
      constant = L.multiplyAdd(0.5 * pull, y[d], constant)
      linear = L.multiplyAdd(pull, v[d], linear)
      quadratic = L.multiplyAdd(weights[d] * v[d], v[d], quadratic)
      if d > 0 {
        let u = friction[d] * y[d]
        let w = friction[d] * v[d]
        uu = L.multiplyAdd(u, u, uu)
        uv = L.multiplyAdd(u, w, uv)
        vv = L.multiplyAdd(w, w, vv)
      }
      d = d &+ 1
    }
    let mu = coneCoefficient(base)
    line[0] = constant
    line[1] = linear
    line[2] = quadratic
    line[3] = mu * y[0]
    line[4] = mu * v[0]
    line[5] = uu
    line[6] = uv
    line[7] = vv
    line[8] = mu
    line[9] = coneWeight(base, mu)
  }

  /// Derivatives of φ.
  @inline(__always)
  func lineSlope(_ polynomial: LinePolynomial<L>, at step: L) -> LineSlope<L> {
    var slope = LineSlope(
      first: L.multiplyAdd(step, polynomial.quadratic, polynomial.linear), second: polynomial.quadratic)
    var r = rows.equalityEnd
    while r < rows.frictionEnd {
      let v = memory.rowChange[r]
      let weight = memory.rowWeight[r]
      let limit = memory.rowLimit[r]
      let pull = weight * L.multiplyAdd(step, v, memory.rowViolation[r])
      let curvature = L(0.0).replacing(with: weight * v, where: pull.magnitude .< limit)
      slope.first = L.multiplyAdd(pull.clamped(-limit, limit), v, slope.first)
      slope.second = L.multiplyAdd(curvature, v, slope.second)
      r = r &+ 1
    }
    while r < rows.count {
      addOneSided(memory.rowViolation[r], memory.rowChange[r], memory.rowWeight[r], step, &slope)
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let dimension = Int(system.slots[s].dimension)
      let line = memory.slotLine + lineStride &* s
      let weight = system.contactWeight[SolverMemory<L>.stride &* s]
      if dimension == 1 {
        addOneSided(line[0], line[1], weight, step, &slope)
      } else if isElliptic {
        addCone(line, step, &slope)
      } else {
        var edge = UnsafePointer(line)
        let end = edge + 4 &* (dimension &- 1)
        while edge < end {
          addOneSided(edge[0], edge[1], weight, step, &slope)
          addOneSided(edge[2], edge[3], weight, step, &slope)
          edge += 4
        }
      }
      s = s &+ 1
    }
    return slope
  }

  @inline(__always)
  private func addOneSided(_ y: L, _ v: L, _ weight: L, _ step: L, _ slope: inout LineSlope<L>) {
    let x = L.multiplyAdd(step, v, y)
    let pull = L(0.0).replacing(with: weight * v, where: x .< L(0.0))
    slope.first = L.multiplyAdd(pull, x, slope.first)
    slope.second = L.multiplyAdd(pull, v, slope.second)
  }

  @inline(__always)
  private func lineZone(_ line: UnsafePointer<L>, at step: L) -> ConeZone<L> {
    let squares = L.multiplyAdd(step, L.multiplyAdd(step, line[7], 2.0 * line[6]), line[5])
    return ConeZone(
      mu: line[8], normal: L.multiplyAdd(step, line[4], line[3]),
      tangent: L.maximum(squares, L(0.0)).squareRoot, weight: line[9])
  }

  @inline(__always)
  private func addCone(_ line: UnsafePointer<L>, _ step: L, _ slope: inout LineSlope<L>) {
    let zone = lineZone(line, at: step)
    let zero = L(0.0)
    // φ of the middle zone is ½ D_m r² with r = N − mu T.
    let inverse = 1.0 / L(1.0).replacing(with: zone.tangent, where: zone.isMiddle)
    let r = zone.normal - zone.mu * zone.tangent
    let tangentRate = L.multiplyAdd(step, line[7], line[6]) * inverse
    let rate = line[4] - zone.mu * tangentRate
    let tangentSecond = (line[7] - tangentRate * tangentRate) * inverse
    let first = zone.weight * r * rate
    let second = zone.weight * (rate * rate - r * (zone.mu * tangentSecond))
    slope.first += zero.replacing(with: first, where: zone.isMiddle)
      .replacing(with: L.multiplyAdd(step, line[2], line[1]), where: zone.isBottom)
    slope.second += zero.replacing(with: second, where: zone.isMiddle)
      .replacing(with: line[2], where: zone.isBottom)
  }

  /// φ itself.
  @inline(__always)
  func lineCost(_ polynomial: LinePolynomial<L>, at step: L) -> L {
    let zero = L(0.0)
    var cost = L.multiplyAdd(
      step, L.multiplyAdd(0.5 * step, polynomial.quadratic, polynomial.linear), polynomial.constant)
    var r = rows.equalityEnd
    while r < rows.frictionEnd {
      let weight = memory.rowWeight[r]
      let limit = memory.rowLimit[r]
      let x = L.multiplyAdd(step, memory.rowChange[r], memory.rowViolation[r])
      let pull = weight * x
      let clamped = pull.clamped(-limit, limit)
      // Beyond the limit F the cost is F |x| − ½ F² / D.
      let safe = L(1.0).replacing(with: weight, where: zero .< weight)
      let excess = (limit * x.magnitude - 0.5 * (limit * (limit / safe)))
      cost += (0.5 * (clamped * x)).replacing(
        with: excess, where: .!(pull.magnitude .< limit) .& (zero .< weight))
      r = r &+ 1
    }
    while r < rows.count {
      cost += oneSidedCost(memory.rowViolation[r], memory.rowChange[r], memory.rowWeight[r], step)
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let dimension = Int(system.slots[s].dimension)
      let line = memory.slotLine + lineStride &* s
      let weight = system.contactWeight[SolverMemory<L>.stride &* s]
      if dimension == 1 {
        cost += oneSidedCost(line[0], line[1], weight, step)
      } else if isElliptic {
        let zone = lineZone(line, at: step)
        let r = zone.normal - zone.mu * zone.tangent
        let quadratic = L.multiplyAdd(step, L.multiplyAdd(0.5 * step, line[2], line[1]), line[0])
        cost += zero.replacing(with: 0.5 * (zone.weight * r * r), where: zone.isMiddle)
          .replacing(with: quadratic, where: zone.isBottom)
      } else {
        var edge = 0
        while edge < 2 &* (dimension &- 1) {
          cost += oneSidedCost(line[2 &* edge], line[2 &* edge &+ 1], weight, step)
          edge = edge &+ 1
        }
      }
      s = s &+ 1
    }
    return cost
  }

  @inline(__always)
  private func oneSidedCost(_ y: L, _ v: L, _ weight: L, _ step: L) -> L {
    let x = L.multiplyAdd(step, v, y)
    return L(0.0).replacing(with: 0.5 * (weight * x * x), where: x .< L(0.0))
  }

  /// Zero of φ′, lane by lane, by Newton's method within a bracket.
  ///
  /// φ is convex, so that φ′ < 0 up to the zero: of an unfinished search the largest such point is an improvement.
  /// - Parameters:
  ///   - slope: φ′(0) < 0.
  ///   - lanes: where to search; elsewhere the step is zero.
  ///   - isFinite: on return, false in lanes in which φ′ is not finite.
  @inline(__always)
  func lineMinimum(
    _ polynomial: LinePolynomial<L>, slope: L, firstStep: L, tolerance: L, limit: Int, lanes: L.Mask,
    isFinite: inout L.Mask
  ) -> L {
    let zero = L(0.0)
    let noise = L(4 * Double(L.Scalar.ulpOfOne)) * polynomial.slopeScale
    let goal = L.maximum(L.maximum(tolerance, noise), slope.magnitude * SolverPass.slopeReduction)
    var lower = zero
    var upper = L(broadcasting: L.Scalar.infinity)
    var step = firstStep
    var isOpen = lanes
    var evaluations = 0
    while true {
      let value = lineSlope(polynomial, at: step)
      evaluations = evaluations &+ 1
      isFinite = isFinite .& value.first.isFinite
      isOpen = isOpen .& value.first.isFinite .& (goal .< value.first.magnitude)
      guard isOpen.anyTrue else { break }
      let isBelow = value.first .< zero
      lower = lower.replacing(with: step, where: isOpen .& isBelow)
      upper = upper.replacing(with: step, where: isOpen .& .!isBelow)
      if evaluations >= limit { break }
      let middle = (2.0 * lower).replacing(with: 0.5 * (lower + upper), where: upper.isFinite)
      var next = step - value.first / value.second
      var isInside = (lower .< next) .& (next .< upper)
      // Newton's method may go back and forth between pieces.
      if evaluations & 3 == 3 { isInside = isInside .& .!upper.isFinite }
      next = middle.replacing(with: next, where: isInside)
      isOpen = isOpen .& .!((next .<= lower) .| (upper .<= next))
      step = step.replacing(with: next, where: isOpen)
    }
    step = step.replacing(with: lower, where: isOpen)
    return zero.replacing(with: step, where: lanes .& step.isFinite)
  }

  /// What is left of the slope at the end of a line search.
  private static var slopeReduction: Double { 1e-2 }
}
