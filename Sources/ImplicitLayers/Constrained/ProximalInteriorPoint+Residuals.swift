import Lanes

/// How far a point is from optimal, in the program's own units, lane by lane.
struct ProgramResiduals<L: Lane> {
  /// Largest violation of a constraint.
  var primal = L(.infinity)
  /// Largest component of Q x + q + Cᵀ z.
  var dual = L(.infinity)
  /// Difference of the two objectives.
  var gap = L(.infinity)
  /// The largest terms in each.
  var primalScale = L(0.0)
  var dualScale = L(0.0)
  var gapScale = L(0.0)
  /// The objective's unit, in which absolute tolerances of stationarity and gap count.
  var objectiveUnit = L(1.0)

  func primalLimit(_ options: QuadraticProgramOptions) -> L {
    primalScale * options.relativeTolerance + options.absoluteTolerance
  }
  func dualLimit(_ options: QuadraticProgramOptions) -> L {
    dualScale * options.relativeTolerance + objectiveUnit * options.absoluteTolerance
  }
  func gapLimit(_ options: QuadraticProgramOptions) -> L {
    gapScale * options.relativeTolerance + objectiveUnit * options.absoluteTolerance
  }
  /// Whether all are within their limits.
  func areSmall(_ options: QuadraticProgramOptions) -> L.Mask {
    (primal .<= primalLimit(options)) .& (dual .<= dualLimit(options)) .& (gap .<= gapLimit(options))
  }
}

// How far an iterate is from optimal, and what it proves.
extension ProximalInteriorPoint {
  /// The residuals of the iterate in the program's own units.
  func residuals() -> ProgramResiduals<L> {
    var r = ProgramResiduals<L>()
    let zero = L(0.0)
    (r.primal, r.dual) = (zero, zero)
    let (values, upper, lower, rowUnit) = (values, upper, lower, rowUnit)
    let (hasUpper, hasLower, isEquation) = (hasUpper, hasLower, isEquation)
    let (upperMultiplier, lowerMultiplier) = (upperMultiplier, lowerMultiplier)
    var (quadratic, linearTerm, support) = (zero, zero, zero)
    var k = 0
    while k < count {
      let (v, up, unit, equal) = (values[k], upper[k], rowUnit[k], isEquation[k])
      let (excess, isAbove) = (v - up, hasUpper[k])
      var violation = L.maximum(excess * isAbove, excess.magnitude * equal)
      var (size, isUsed) = (L.maximum(v.magnitude, up.magnitude), isAbove + equal)
      support = L.multiplyAdd(up * upperMultiplier[k], L.maximum(isAbove, equal), support)
      if hasLowerSides {
        let (low, isBelow) = (lower[k], hasLower[k])
        violation = L.maximum(violation, (low - v) * isBelow)
        size = L.maximum(size, low.magnitude)
        isUsed += isBelow
        support = L.multiplyAdd(-(low * lowerMultiplier[k]), isBelow, support)
      }
      r.primal = L.maximum(r.primal, violation * unit)
      r.primalScale = L.maximum(
        r.primalScale, (size * unit).replacing(with: zero, where: isUsed .< L(0.5)))
      k = k &+ 1
    }
    let inverse = 1.0 / objectiveScale
    for i in 0..<n {
      let (unit, product, slope, dual) = (
        columnUnit[i], quadraticTimesX[i], linear[i], transposedMultipliers[i]
      )
      r.dual = L.maximum(r.dual, (product + slope + dual).magnitude * unit)
      let size = L.maximum(L.maximum(product.magnitude, slope.magnitude), dual.magnitude)
      r.dualScale = L.maximum(r.dualScale, size * unit)
      quadratic = L.multiplyAdd(product, x[i], quadratic)
      linearTerm = L.multiplyAdd(slope, x[i], linearTerm)
    }
    (r.primal, r.primalScale) = (Matrices.largest(r.primal), Matrices.largest(r.primalScale))
    (r.dual, r.dualScale) = (Matrices.largest(r.dual), Matrices.largest(r.dualScale))
    quadratic = Matrices.sum(quadratic)
    linearTerm = Matrices.sum(linearTerm)
    support = Matrices.sum(support)
    r.objectiveUnit = objectiveUnit
    r.gap = (quadratic + linearTerm + support).magnitude * inverse
    r.gapScale =
      L.maximum(L.maximum(quadratic.magnitude, linearTerm.magnitude), support.magnitude) * inverse
    return r
  }

  /// The largest component of stationarity with the proximal term, in the program's own units.
  func proximalDualResidual(_ rho: L) -> L {
    var largest = L(0.0)
    for i in 0..<n {
      let rest = quadraticTimesX[i] + linear[i] + transposedMultipliers[i]
      largest = L.maximum(largest, L.multiplyAdd(rho, x[i] - center[i], rest).magnitude * columnUnit[i])
    }
    return Matrices.largest(largest)
  }

  /// The largest difference of a product of slack and multiplier from a number; not a number if one is none.
  func distance(from goal: L) -> L {
    var (largest, sum) = (L(0.0), L(0.0))
    for k in 0..<count {
      let above = (upperSlack[k] * upperMultiplier[k] - goal).magnitude * hasUpper[k]
      let below = (lowerSlack[k] * lowerMultiplier[k] - goal).magnitude * hasLower[k]
      largest = L.maximum(largest, L.maximum(above, below))
      // A maximum passes over what is not a number.
      sum += (above + below) * 0.0
    }
    return Matrices.largest(largest) + Matrices.sum(sum)
  }

  func iterateIsCertificate(_ options: QuadraticProgramOptions) -> (
    infeasible: L.Mask, unbounded: L.Mask
  ) {
    (
      provesInfeasibility(upperMultiplier, lowerMultiplier, transposedMultipliers, options),
      provesUnboundedness(x, quadraticTimesX, values, options)
    )
  }

  // Beside a large support or slope anything is small: what must be zero has to cancel in scaled units too, to so much of its terms.
  private var cancellation: L { L(1e-6) }

  /// Whether the multipliers prove that no point satisfies the constraints: Cᵀ z = 0 and the support of z negative (Farkas).
  func provesInfeasibility(
    _ above: Vector, _ below: Vector, _ transposed: Vector, _ options: QuadraticProgramOptions
  ) -> L.Mask {
    var (support, terms) = (L(0.0), L(0.0))
    for k in 0..<count {
      let (up, down) = (above[k] * L.maximum(hasUpper[k], isEquation[k]), below[k] * hasLower[k])
      support += upper[k] * up - lower[k] * down
      terms = L.maximum(terms, (up - down).magnitude)
    }
    var (largest, scaled) = (L(0.0), L(0.0))
    for i in 0..<n {
      let size = transposed[i].magnitude
      largest = L.maximum(largest, size / columnScale[i])
      scaled = L.maximum(scaled, size)
    }
    (support, terms) = (Matrices.sum(support), Matrices.largest(terms))
    (largest, scaled) = (Matrices.largest(largest), Matrices.largest(scaled))
    return (support .< L(0.0)) .& (largest .<= -(support * options.certificateTolerance))
      .& (scaled .<= cancellation * terms)
  }

  /// Whether `d` proves that the objective falls without end: Q d = 0, qᵀ d negative, and no side is in the way.
  func provesUnboundedness(
    _ d: Vector, _ quadratic: Vector, _ rows: Vector, _ options: QuadraticProgramOptions
  ) -> L.Mask {
    var (slope, terms) = (L(0.0), L(0.0))
    for i in 0..<n {
      slope += linear[i] * d[i]
      terms = L.maximum(terms, d[i].magnitude)
    }
    slope = Matrices.sum(slope) / objectiveScale
    let limit = -(slope * options.certificateTolerance)
    var (largest, scaled) = (L(0.0), L(0.0))
    for i in 0..<n {
      largest = L.maximum(largest, quadratic[i].magnitude * columnUnit[i])
      scaled = L.maximum(scaled, quadratic[i].magnitude)
    }
    for k in 0..<count {
      let way = L.maximum(
        L.maximum(rows[k] * hasUpper[k], -(rows[k] * hasLower[k])), rows[k].magnitude * isEquation[k])
      largest = L.maximum(largest, way * rowUnit[k])
      scaled = L.maximum(scaled, way)
    }
    (largest, scaled, terms) = (
      Matrices.largest(largest), Matrices.largest(scaled), Matrices.largest(terms)
    )
    return (slope .< L(0.0)) .& (largest .<= limit) .& (scaled .<= cancellation * terms)
  }
}
