import Lanes

/// Capsule and box: the sphere of the capsule that is nearest to the box, and where the capsule lies along the box a
/// second one, as far along as it stays above the feature of the box that is nearest.
///
/// What follows is in the box's frame with the segment `center + t half`, t in [-1, 1]. The nearest point is sought
/// between the ends and the faces, then between the segment and the twelve edges. The second point depends on what is
/// nearest: a face, an edge's interior or a corner, and on the octant into which the segment points.
///
/// Branch: that of the sphere against the box (see `sphereBox`); 64 is added for each case of the first point's
/// parameter and 1024 for each case of the second's (see below).
@inline(__always)
func capsuleBox<L: Lane>(
  _ capsule: GeomPose<L>, _ size1: Vector3<L>, _ box: GeomPose<L>, _ size2: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let center = box.rotation.transposedTimes(capsule.position - box.position)
  let axis = box.rotation.transposedTimes(capsule.axis)
  let half = axis * size1.y
  let nearest = NearestOnSegment(center: center, half: half, length: size1.y, size: size2)
  let (second, hasSecond, secondBranch) = nearest.secondParameter(center, axis, half, size2)
  let firstBranch = nearest.branch * 64.0
  sphereBox(
    localCenter: half.multiplyAdd(nearest.parameter, center), radius: size1.x, box, size2, cutoff: cutoff,
    branch: firstBranch, where: nearest.isFound, into: &list, limit: 2)
  sphereBox(
    localCenter: half.multiplyAdd(nearest.parameter + second, center), radius: size1.x, box, size2,
    cutoff: cutoff, branch: firstBranch + secondBranch * 1024.0, where: hasSecond, into: &list, limit: 2)
}

/// The point of a segment that is nearest to a box about the origin, and the box's feature that is nearest to it.
private struct NearestOnSegment<L: Lane> {
  /// False for a segment without length that is nearest to an edge.
  var isFound = L.Mask(repeating: false)
  /// Position on the segment in [-1, 1].
  var parameter = L(0.0)
  /// 0 and 1: the lower and upper end; 2, 3, 4: the nearest point to an edge along x, y, z. For edges 3 is added where
  /// the edge's end is nearest.
  var branch = L(0.0)
  /// Whether an end is nearest to a face, and which: -1 for an end inside the box, else its axis.
  var isFace = L.Mask(repeating: false)
  var faceAxis = L(-1.0)
  /// Whether the interior of an edge is nearest; otherwise, and where `isFace` is false, a corner is.
  var isEdge = L.Mask(repeating: false)
  var edgeAxis = L(0.0)
  /// Position on the edge in [-1, 1].
  var edgeParameter = L(0.0)
  /// Signs of the corner, or of the edge's lower corner.
  var corner = Vector3(L(-1.0), L(-1.0), L(-1.0))

  @inline(__always)
  init(center: Vector3<L>, half: Vector3<L>, length: L, size: Vector3<L>) {
    var best = L(Double(L.Scalar.greatestFiniteMagnitude))
    considerEnds(center, half, size, &best)
    for axis in 0..<3 {
      for signs in 0..<4 { considerEdge(axis, signs, center, half, length, size, &best) }
    }
  }

  /// Ends that are beyond at most one pair of faces.
  @inline(__always)
  private mutating func considerEnds(
    _ center: Vector3<L>, _ half: Vector3<L>, _ size: Vector3<L>, _ best: inout L
  ) {
    for end in 0..<2 {
      let sign = end == 0 ? -1.0 : 1.0
      let tip = half.multiplyAdd(L(sign), center)
      let (x, branchX) = clampedWithBranch(tip.x, size.x)
      let (y, branchY) = clampedWithBranch(tip.y, size.y)
      let (z, branchZ) = clampedWithBranch(tip.z, size.z)
      let one = L(1.0)
      let (isX, isY, isZ) = (.!(branchX .== one), .!(branchY .== one), .!(branchZ .== one))
      let isBeyondTwo = (isX .& isY) .| (isX .& isZ) .| (isY .& isZ)
      let square = (Vector3(x, y, z) - tip).normSquared
      let isBetter = .!isBeyondTwo .& (square .< best)
      best = best.replacing(with: square, where: isBetter)
      isFound = isFound .| isBetter
      isFace = isFace .| isBetter
      parameter = parameter.replacing(with: L(sign), where: isBetter)
      branch = branch.replacing(with: L(Double(end)), where: isBetter)
      let axis = L(-1.0).replacing(with: L(0.0), where: isX).replacing(with: L(1.0), where: isY)
        .replacing(with: L(2.0), where: isZ)
      faceAxis = faceAxis.replacing(with: axis, where: isBetter)
    }
  }

  /// The edge along `axis` at the corner with two signs: nearest points of two segments, as for two capsules.
  @inline(__always)
  private mutating func considerEdge(
    _ axis: Int, _ signs: Int, _ center: Vector3<L>, _ half: Vector3<L>, _ length: L, _ size: Vector3<L>,
    _ best: inout L
  ) {
    let one = L(1.0)
    let (next, last) = ((axis + 1) % 3, (axis + 2) % 3)
    // In MuJoCo's order: the lower of the two other axes changes first.
    let (lowBit, highBit) = (signs & 1 != 0, signs & 2 != 0)
    let (nextBit, lastBit) = next < last ? (lowBit, highBit) : (highBit, lowBit)
    var foot = Vector3<L>.zero
    foot[component: next] = nextBit ? size[component: next] : -size[component: next]
    foot[component: last] = lastBit ? size[component: last] : -size[component: last]
    let edge = size[component: axis]
    let between = foot - center
    let aa = edge * edge
    let ab = -(edge * half[component: axis])
    let bb = length * length
    let u = -(edge * between[component: axis])
    let v = half.dot(between)
    let determinant = aa * bb - ab * ab
    let rounding = L.maximum(L(1e-15), aa * bb * (8 * Double(L.Scalar.ulpOfOne)))
    let isCrossing = determinant.magnitude .>= rounding
    guard isCrossing.anyTrue else { return }
    let inverse = one / determinant.replacing(with: one, where: .!isCrossing)
    var (x, s) = clampedWithBranch((bb * u - ab * v) * inverse, one)
    let freeY = (aa * v - ab * u) * inverse
    let isXFree = s .== one
    let (y, t) = clampedWithBranch(freeY.replacing(with: (v - ab * x) / bb, where: .!isXFree), one)
    let isYFree = t .== one
    let (againX, againS) = clampedWithBranch((u - ab * y) / aa, one)
    x = x.replacing(with: againX, where: .!isYFree)
    // As in MuJoCo, an edge that the free solution leaves counts as left, also where the clamped one comes back.
    s = s.replacing(with: againS, where: .!isYFree .& .!(againS .== one))

    var difference = between - half * y
    difference[component: axis] += edge * x
    let square = difference.normSquared
    let isBetter = isCrossing .& (square .< best - 1e-15)
    guard isBetter.anyTrue else { return }
    best = best.replacing(with: square, where: isBetter)
    isFound = isFound .| isBetter
    isFace = isFace .& .!isBetter
    parameter = parameter.replacing(with: y, where: isBetter)
    edgeParameter = edgeParameter.replacing(with: x, where: isBetter)
    edgeAxis = edgeAxis.replacing(with: L(Double(axis)), where: isBetter)
    let isInterior = s .== one
    isEdge = (isEdge .& .!isBetter) .| (isInterior .& isBetter)
    let isUpper = s .> one
    var signsHere = Vector3(-one, -one, -one)
    signsHere[component: next] = nextBit ? one : -one
    signsHere[component: last] = lastBit ? one : -one
    signsHere[component: axis] = select(isUpper, one, -one)
    corner = corner.replacing(with: signsHere, where: isBetter)
    let segmentBranch = L(Double(2 + axis)).replacing(with: t * 0.5, where: .!isYFree)
    branch = branch.replacing(
      with: segmentBranch.replacing(with: segmentBranch + 3.0, where: isYFree .& .!isInterior),
      where: isBetter)
  }

  /// How far along the segment the second point is from the first, where there is one.
  ///
  /// The branch says what ends the second stretch: 0 the segment's end, 1, 2, 3 a face of the box across x, y, z.
  @inline(__always)
  func secondParameter(
    _ center: Vector3<L>, _ axis: Vector3<L>, _ half: Vector3<L>, _ size: Vector3<L>
  ) -> (value: L, exists: L.Mask, branch: L) {
    let one = L(1.0)
    let zero = L(0.0)
    var value = zero
    var exists = L.Mask(repeating: false)
    var code = zero
    let isCorner = isFound .& .!isFace .& .!isEdge
    // Axes along which the segment points away from the corner's side.
    let differs = (
      isPositive(half.x, unlike: corner.x), isPositive(half.y, unlike: corner.y),
      isPositive(half.z, unlike: corner.z)
    )
    let digits = Vector3(
      zero.replacing(with: one, where: differs.0), zero.replacing(with: one, where: differs.1),
      zero.replacing(with: one, where: differs.2))
    let toUpperEnd = 1.0 - parameter
    let toLowerEnd = 1.0 + parameter

    if isCorner.anyTrue {
      let sum = digits.x + digits.y + digits.z
      let isOne = sum .== one
      let isLying = isCorner .& (isOne .| (sum .== L(2.0)))
      let sign = select(isOne, one, -one)
      let ahead = select(isOne, toUpperEnd, toLowerEnd)
      let behind = select(isOne, toLowerEnd, toUpperEnd)
      for k in 0..<3 {
        // The axis in which the segment differs from the other two.
        let isOdd = isLying .& (digits[component: k] .== select(isOne, one, zero))
        guard isOdd.anyTrue else { continue }
        let isAlongEdge = axis[component: k] * axis[component: k] .> L(0.5)
        var (edgeStretch, edgeCode) = (ahead, zero)
        shorten(&edgeStretch, &edgeCode, size[component: k] * 2.0, half[component: k], k)
        var (faceStretch, faceCode) = (behind, zero)
        let (next, last) = ((k + 1) % 3, (k + 2) % 3)
        shorten(&faceStretch, &faceCode, size[component: next] * 2.0, half[component: next], next)
        shorten(&faceStretch, &faceCode, size[component: last] * 2.0, half[component: last], last)
        let stretch = select(isAlongEdge, edgeStretch * sign, -(faceStretch * sign))
        value = value.replacing(with: stretch, where: isOdd)
        code = code.replacing(with: select(isAlongEdge, edgeCode, faceCode), where: isOdd)
      }
      exists = exists .| isLying
    }

    if isEdge.anyTrue {
      for k in 0..<3 {
        let isThis = isEdge .& (edgeAxis .== L(Double(k)))
        guard isThis.anyTrue else { continue }
        let (next, last) = ((k + 1) % 3, (k + 2) % 3)
        // Exactly one of the two axes across the edge.
        let isCross = isThis .& (digits[component: next] + digits[component: last] .== one)
        // The face with which the segment makes the smaller angle.
        let isNextSteeper = axis[component: next].magnitude .> axis[component: last].magnitude
        let isUpward = select(isNextSteeper, digits[component: next], digits[component: last]) .> zero
        let sign = select(isUpward, one, -one)
        var stretch = select(isUpward, toUpperEnd, toLowerEnd)
        var stretchCode = zero
        let (acrossSize, acrossHalf, acrossCode) = (
          select(isNextSteeper, size[component: next], size[component: last]),
          select(isNextSteeper, half[component: next], half[component: last]),
          select(isNextSteeper, L(Double(next + 1)), L(Double(last + 1)))
        )
        let across = acrossSize * 2.0 / acrossHalf.magnitude
        let isAcrossShorter = across .< stretch
        stretch = stretch.replacing(with: across, where: isAcrossShorter)
        stretchCode = stretchCode.replacing(with: acrossCode, where: isAcrossShorter)
        let pointsUp = half[component: k] .> zero
        let isSame = (pointsUp .& isUpward) .| (.!pointsUp .& .!isUpward)
        let remaining = select(isSame, 1.0 - edgeParameter, 1.0 + edgeParameter)
        shorten(&stretch, &stretchCode, size[component: k] * remaining, half[component: k], k)
        value = value.replacing(with: stretch * sign, where: isCross)
        code = code.replacing(with: stretchCode, where: isCross)
        exists = exists .| isCross
      }
    }

    let isOutside = isFace .& (faceAxis .>= zero)
    if isOutside.anyTrue {
      // From the end that is nearest towards the other.
      let sign = -parameter
      let tip = half.multiplyAdd(parameter, center)
      var stretch = L(2.0)
      var stretchCode = zero
      for k in 0..<3 {
        let isAcross = isOutside .& .!(faceAxis .== L(Double(k)))
        for side in 0..<2 {
          let bound = side == 0 ? size[component: k] : -size[component: k]
          let reach = (bound - tip[component: k]) / half[component: k] * sign
          let isShorter = isAcross .& (reach .> zero) .& (reach .< stretch)
          stretch = stretch.replacing(with: reach, where: isShorter)
          stretchCode = stretchCode.replacing(with: L(Double(k + 1)), where: isShorter)
        }
      }
      value = value.replacing(with: stretch * sign, where: isOutside)
      code = code.replacing(with: stretchCode, where: isOutside)
      exists = exists .| isOutside
    }
    return (value, exists, code)
  }

  @inline(__always) private func isPositive(_ number: L, unlike sign: L) -> L.Mask {
    let isUp = number .> L(0.0)
    let isSignUp = sign .> L(0.0)
    return (isUp .& .!isSignUp) .| (.!isUp .& isSignUp)
  }

  /// Ends a stretch where the segment has moved by `room` along axis `k`.
  @inline(__always)
  private func shorten(_ stretch: inout L, _ code: inout L, _ room: L, _ step: L, _ k: Int) {
    let reach = room / step.magnitude
    let isShorter = reach .< stretch
    stretch = stretch.replacing(with: reach, where: isShorter)
    code = code.replacing(with: L(Double(k + 1)), where: isShorter)
  }
}

extension Vector3 {
  /// Component 0, 1 or 2, with an index that the compiler knows once loops are unrolled.
  @inline(__always) subscript(component index: Int) -> L {
    get { index == 0 ? x : index == 1 ? y : z }
    set { if index == 0 { x = newValue } else if index == 1 { y = newValue } else { z = newValue } }
  }
}
