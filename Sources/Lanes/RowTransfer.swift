import CLanes

// Rows of one world each, spread over lanes and collected again.

/// Spreads `lanes` rows of `count` numbers over lanes; the lanes past them repeat the last row, or are zero.
@inlinable @inline(__always)
package func loadRows<L: Lane>(
  _ rows: UnsafePointer<L.Scalar>, stride: Int, count: Int, lanes: Int, into target: UnsafeMutablePointer<L>,
  isTangent: Bool = false, repeatsLast: Bool = false
) where L.Scalar: LaneScalar {
  if count == 0 { return }
  let scalars = UnsafeMutableRawPointer(target).assumingMemoryBound(to: L.Scalar.self)
  let laneStride = MemoryLayout<L>.stride / MemoryLayout<L.Scalar>.stride
  let first = scalars + (isTangent ? L.laneCount : 0)
  L.Scalar.transpose(rows, rows: lanes, columns: count, stride: stride, into: first, stride: laneStride)
  var lane = lanes
  while lane < L.laneCount {
    var k = 0
    while k < count {
      first[k * laneStride + lane] = repeatsLast ? first[k * laneStride + lanes - 1] : 0
      k += 1
    }
    lane += 1
  }
}

/// Collects `lanes` rows of `count` numbers from lanes.
@inlinable @inline(__always)
package func storeRows<L: Lane>(
  _ source: UnsafePointer<L>, count: Int, lanes: Int, into rows: UnsafeMutablePointer<L.Scalar>, stride: Int,
  isTangent: Bool = false
) where L.Scalar: LaneScalar {
  if count == 0 { return }
  let scalars = UnsafeRawPointer(source).assumingMemoryBound(to: L.Scalar.self)
  let laneStride = MemoryLayout<L>.stride / MemoryLayout<L.Scalar>.stride
  L.Scalar.transpose(
    scalars + (isTangent ? L.laneCount : 0), rows: count, columns: lanes, stride: laneStride, into: rows,
    stride: stride)
}

/// Whether all numbers are finite.
@inlinable @inline(__always)
package func areFinite<L: Lane>(_ values: UnsafePointer<L>, count: Int) -> Bool {
  // Zero times an infinity or NaN is NaN, which stays in the sum. Four sums, as one would wait for its own additions.
  let zero = L(0.0)
  var sums = (zero, zero, zero, zero)
  var k = 0
  while k &+ 4 <= count {
    sums.0 = L.multiplyAdd(values[k], zero, sums.0)
    sums.1 = L.multiplyAdd(values[k &+ 1], zero, sums.1)
    sums.2 = L.multiplyAdd(values[k &+ 2], zero, sums.2)
    sums.3 = L.multiplyAdd(values[k &+ 3], zero, sums.3)
    k = k &+ 4
  }
  while k < count {
    sums.0 = L.multiplyAdd(values[k], zero, sums.0)
    k = k &+ 1
  }
  return ((sums.0 + sums.1) + (sums.2 + sums.3)).isFinite.allTrue
}

/// The same for numbers one after the other, eight at a time.
package func areFinite(_ values: UnsafePointer<Double>, count: Int) -> Bool {
  let raw = UnsafeRawPointer(values)
  let zero = SIMD8<Double>(repeating: 0)
  var sums = (zero, zero, zero, zero)
  var k = 0
  while k &+ 32 <= count {
    let place = raw + k &* 8
    sums.0 = SIMD8.multiplyAdd(place.loadUnaligned(as: SIMD8<Double>.self), zero, sums.0)
    sums.1 = SIMD8.multiplyAdd((place + 64).loadUnaligned(as: SIMD8<Double>.self), zero, sums.1)
    sums.2 = SIMD8.multiplyAdd((place + 128).loadUnaligned(as: SIMD8<Double>.self), zero, sums.2)
    sums.3 = SIMD8.multiplyAdd((place + 192).loadUnaligned(as: SIMD8<Double>.self), zero, sums.3)
    k = k &+ 32
  }
  var rest = 0.0
  while k < count {
    rest += values[k] * 0
    k = k &+ 1
  }
  return rest.isFinite && ((sums.0 + sums.1) + (sums.2 + sums.3)).isFinite.allTrue
}

/// `rows[r * stride + c] = columns[c][r]` for all `r < count`: collects rows from columns that lie anywhere.
@inline(__always)
package func interleave(
  _ columns: UnsafeBufferPointer<UnsafePointer<Double>?>, count: Int, into rows: UnsafeMutablePointer<Double>,
  stride: Int
) {
  costate_interleave_d(columns.baseAddress, columns.count, count, rows, stride)
}
/// `rows[r * stride + c] = columns[c][r]` for all `r < count`: collects rows from columns that lie anywhere.
@inline(__always)
package func interleave(
  _ columns: UnsafeBufferPointer<UnsafePointer<Float>?>, count: Int, into rows: UnsafeMutablePointer<Float>,
  stride: Int
) {
  costate_interleave_f(columns.baseAddress, columns.count, count, rows, stride)
}
