import Lanes

/// Rows of a row-major array that lanes correspond to: lane `i` has the row of world `min(first + i, last)`, lanes past
/// the last world repeating it.
struct LaneRows {
  var first: Int
  var last: Int
  /// Numbers between the rows of consecutive worlds, and before the wanted part of world 0's row.
  var stride: Int
  var start: Int

  @inline(__always) func offset(_ lane: Int) -> Int { min(first + lane, last) * stride + start }
  /// Lanes that have a world of their own.
  @inline(__always) func laneCount(_ all: Int) -> Int { max(1, min(all, last - first + 1)) }
}

/// Scalars between the same lane of consecutive values; for `Dual`, the tangent follows the primal part.
@inline(__always)
private func scalarStride<L: Lane>(_ type: L.Type) -> Int {
  MemoryLayout<L>.stride / MemoryLayout<L.Scalar>.stride
}

/// Copies one row a lane into lane values.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func loadLanes<L: Lane>(
  _ source: UnsafePointer<L.Scalar>, _ rows: LaneRows, count: Int, into target: UnsafeMutablePointer<L>,
  tangent: Bool = false
) where L.Scalar: LaneScalar {
  if count == 0 { return }
  let stride = scalarStride(L.self)
  let base =
    UnsafeMutableRawPointer(target).assumingMemoryBound(to: L.Scalar.self) + (tangent ? L.laneCount : 0)
  let lanes = rows.laneCount(L.laneCount)
  L.Scalar.transpose(
    source + rows.offset(0), rows: lanes, columns: count, stride: rows.stride, into: base, stride: stride)
  // The remaining lanes repeat the last world.
  var i = 0
  while i < count && lanes < L.laneCount {
    let last = base[i &* stride &+ lanes &- 1]
    var lane = lanes
    while lane < L.laneCount {
      base[i &* stride &+ lane] = last
      lane &+= 1
    }
    i &+= 1
  }
}

/// Adds one row a lane to lane values.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func addLanes<L: Lane>(
  _ source: UnsafePointer<L.Scalar>, _ rows: LaneRows, count: Int, to target: UnsafeMutablePointer<L>,
  tangent: Bool = false
) {
  let stride = scalarStride(L.self)
  let base = UnsafeMutableRawPointer(target).assumingMemoryBound(to: L.Scalar.self)
  var lane = 0
  while lane < L.laneCount {
    let row = source + rows.offset(lane)
    var at = lane + (tangent ? L.laneCount : 0)
    var i = 0
    while i < count {
      base[at] += row[i]
      at &+= stride
      i &+= 1
    }
    lane += 1
  }
}

/// Copies lanes to rows; lanes past the last world and those in `skipping` are dropped.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func storeLanes<L: Lane>(
  _ source: UnsafePointer<L>, count: Int, into target: UnsafeMutablePointer<L.Scalar>, _ rows: LaneRows,
  skipping skipped: L.Mask = L.Mask(repeating: false), tangent: Bool = false
) where L.Scalar: LaneScalar {
  if count == 0 { return }
  let stride = scalarStride(L.self)
  let base = UnsafeRawPointer(source).assumingMemoryBound(to: L.Scalar.self)
  if !skipped.anyTrue {
    L.Scalar.transpose(
      base + (tangent ? L.laneCount : 0), rows: count, columns: rows.laneCount(L.laneCount), stride: stride,
      into: target + rows.offset(0), stride: rows.stride)
    return
  }
  var lane = 0
  while lane < L.laneCount && rows.first + lane <= rows.last {
    if !skipped[lane: lane] {
      let row = target + rows.offset(lane)
      var at = lane + (tangent ? L.laneCount : 0)
      var i = 0
      while i < count {
        row[i] = base[at]
        at &+= stride
        i &+= 1
      }
    }
    lane += 1
  }
}

/// Adds the sum over lanes, in their order and in float64, of each value to `target`.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func sumLanes<L: Lane>(
  _ source: UnsafePointer<L>, count: Int, lanes: Int, skipping skipped: L.Mask,
  into target: UnsafeMutablePointer<Double>, tangent: Bool = false
) {
  let stride = scalarStride(L.self)
  let base = UnsafeRawPointer(source).assumingMemoryBound(to: L.Scalar.self)
  var i = 0
  while i < count {
    var sum = 0.0
    var lane = 0
    while lane < lanes {
      if !skipped[lane: lane] { sum += Double(base[i * stride + lane + (tangent ? L.laneCount : 0)]) }
      lane += 1
    }
    target[i] += sum
    i += 1
  }
}

/// Lanes in which a value is infinite, NaN or beyond 1e10, MuJoCo's limit.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func unboundedLanes<L: Lane>(_ values: UnsafePointer<L>, count: Int) -> L.Mask {
  let limit = L(1e10)
  var bounded = L.Mask(repeating: true)
  var i = 0
  while i < count {
    bounded = bounded .& (values[i].magnitude .< limit)
    i += 1
  }
  return .!bounded
}
