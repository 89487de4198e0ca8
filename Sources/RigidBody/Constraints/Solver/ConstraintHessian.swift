import Kinematics
import Lanes

/// The factor H = Lᵀ D L of the Hessian H = M + Jᵀ W J, with the zeros that the constraints of the state leave.
///
/// Rows are eliminated from the last to the first, leaves before roots, so that the mass matrix has no fill-in, nor has a
/// contact with the world. A contact between two branches couples the degrees of freedom on both ways to the root. The
/// columns of a row are runs of consecutive numbers, in rows of a dense lower triangle: a run needs no index lists, and
/// a row of a humanoid has one to three.
struct ConstraintHessian<L: Lane> {
  /// Consecutive columns `start ..< end`.
  struct Run {
    var start: Int32
    var end: Int32
  }

  let count: Int
  let wordCount: Int
  /// Below the diagonal L, on it 1 / D; row `i` starts at `i (i + 1) / 2`.
  let entries: UnsafeMutablePointer<L>
  /// The diagonal of H.
  let diagonal: UnsafeMutablePointer<L>
  /// The runs of row `i` below the diagonal are those from `runStart[i]` up to `runStart[i + 1]`.
  let runStart: UnsafeMutablePointer<Int32>
  let runs: UnsafeMutablePointer<Run>
  /// Couplings by constraints (of the present runs, and of the next), and all of them with fill-in, as bits.
  fileprivate let known: UnsafeMutablePointer<UInt64>
  fileprivate let wanted: UnsafeMutablePointer<UInt64>
  fileprivate let filled: UnsafeMutablePointer<UInt64>
  fileprivate let isKnown: UnsafeMutablePointer<Bool>

  init(_ solver: PrimalSolver<L.Scalar>, _ arena: inout Arena) where L.Scalar: LaneScalar {
    count = solver.mass.count
    wordCount = solver.wordCount
    entries = arena.take(L.self, count * (count + 1) / 2)
    diagonal = arena.take(L.self, count)
    runStart = arena.take(Int32.self, count + 1)
    runs = arena.take(Run.self, Self.largestRunCount(count))
    known = arena.take(UInt64.self, wordCount * count)
    wanted = arena.take(UInt64.self, wordCount * count)
    filled = arena.take(UInt64.self, wordCount * count)
    isKnown = arena.take(Bool.self, 1)
  }

  /// Every second column of every row.
  private static func largestRunCount(_ count: Int) -> Int { count * (count + 2) / 4 + 1 }

  static func byteCount(_ solver: PrimalSolver<L.Scalar>) -> Int where L.Scalar: LaneScalar {
    let n = solver.mass.count
    var measure = ArenaMeasure()
    measure.take(L.self, n * (n + 1) / 2)
    measure.take(L.self, n)
    measure.take(Int32.self, n + 1)
    measure.take(Run.self, largestRunCount(n))
    for _ in 0..<3 { measure.take(UInt64.self, solver.wordCount * n) }
    measure.take(Bool.self, 1)
    return measure.byteCount
  }

  @inline(__always) static func rowStart(_ row: Int) -> Int { (row &* (row &+ 1)) >> 1 }
}

extension ConstraintHessian {
  /// Starts the list of couplings by constraints.
  @inline(__always)
  func beginCouplings() {
    wanted.update(repeating: 0, count: wordCount &* count)
  }

  /// Couples degrees of freedom, given in ascending order, with one another. Those of the last one's row are enough: the
  /// others follow as its fill-in.
  @inline(__always)
  func couple(_ support: UnsafePointer<Int32>, _ supportCount: Int) {
    guard supportCount > 1 else { return }
    let row = wanted + wordCount &* Int(support[supportCount &- 1])
    var j = 0
    while j &+ 1 < supportCount {
      let column = Int(support[j])
      row[column >> 6] |= 1 << UInt64(column & 63)
      j = j &+ 1
    }
  }

  /// Computes the fill-in and the runs, where the couplings are not those of the last time.
  ///
  /// A row's columns, without the largest, are columns of the row of that number (its parent in the elimination tree).
  func finishCouplings(_ mass: UnsafePointer<UInt64>) {
    let total = wordCount * count
    if isKnown[0] {
      var same = true
      var i = 0
      while i < total {
        same = same && known[i] == wanted[i]
        i = i &+ 1
      }
      if same { return }
    }
    var i = 0
    while i < total {
      known[i] = wanted[i]
      filled[i] = mass[i] | wanted[i]
      i = i &+ 1
    }
    isKnown[0] = true
    var row = count - 1
    while row > 0 {
      let bits = filled + wordCount &* row
      var word = row >> 6
      while word >= 0 && bits[word] == 0 { word -= 1 }
      if word >= 0 {
        let top = 63 &- bits[word].leadingZeroBitCount
        let parent = filled + wordCount &* (64 &* word &+ top)
        parent[word] |= bits[word] & ~(1 << UInt64(top))
        var w = 0
        while w < word {
          parent[w] |= bits[w]
          w = w &+ 1
        }
      }
      row -= 1
    }
    var used = 0
    row = 0
    while row < count {
      runStart[row] = Int32(used)
      let first = used
      var word = 0
      while word <= row >> 6 {
        var bits = filled[wordCount &* row &+ word]
        var position = 64 &* word
        while bits != 0 {
          let gap = bits.trailingZeroBitCount
          bits >>= UInt64(gap)
          position = position &+ gap
          let length = (~bits).trailingZeroBitCount
          if used > first && Int(runs[used &- 1].end) == position {
            runs[used &- 1].end = Int32(position &+ length)
          } else {
            runs[used] = Run(start: Int32(position), end: Int32(position &+ length))
            used = used &+ 1
          }
          bits = length == 64 ? 0 : bits >> UInt64(length)
          position = position &+ length
        }
        word = word &+ 1
      }
      row = row &+ 1
    }
    runStart[count] = Int32(used)
  }

  /// Sets the matrix to the mass matrix.
  @inline(__always)
  func setMassMatrix(_ pattern: MassMatrixPattern, _ mass: UnsafePointer<L>) {
    var i = 0
    while i < count {
      let row = entries + Self.rowStart(i)
      var r = Int(runStart[i])
      let end = Int(runStart[i &+ 1])
      while r < end {
        var j = Int(runs[r].start)
        let stop = Int(runs[r].end)
        while j < stop {
          row[j] = L(0.0)
          j = j &+ 1
        }
        r = r &+ 1
      }
      let address = Int(pattern.rowAddress[i])
      let length = Int(pattern.rowLength[i])
      var t = 0
      while t < length {
        row[Int(pattern.columns[address &+ t])] = mass[address &+ t]
        t = t &+ 1
      }
      i = i &+ 1
    }
  }

  /// Adds `Jᵀ w J` of one row.
  @inline(__always)
  func addRow(
    _ jacobian: UnsafePointer<L>, _ support: UnsafePointer<Int32>, _ supportCount: Int, weight: L
  ) {
    var i = 0
    while i < supportCount {
      let row = entries + Self.rowStart(Int(support[i]))
      let scaled = weight * jacobian[i]
      var j = 0
      while j <= i {
        let column = Int(support[j])
        row[column] = L.multiplyAdd(scaled, jacobian[j], row[column])
        j = j &+ 1
      }
      i = i &+ 1
    }
  }

  /// Adds `Jᵀ W J` of one contact: `W J` in the frame's directions first, then the lower triangle over the support.
  @inline(__always)
  func addContact(
    _ jacobian: UnsafePointer<L>, _ support: UnsafePointer<Int32>, _ supportCount: Int, dimension: Int,
    curvature w: UnsafePointer<L>
  ) {
    if dimension == 1 {
      addRow(jacobian, support, supportCount, weight: w[0])
    } else if dimension == 3 {
      addThreeRows(jacobian, support, supportCount, w)
    } else {
      addRows(jacobian, support, supportCount, dimension, w)
    }
  }

  @inline(__always)
  private func addThreeRows(
    _ jacobian: UnsafePointer<L>, _ support: UnsafePointer<Int32>, _ supportCount: Int, _ w: UnsafePointer<L>
  ) {
    let j0 = jacobian
    let j1 = jacobian + supportCount
    let j2 = jacobian + 2 &* supportCount
    let (w00, w10, w11, w20, w21, w22) = (w[0], w[1], w[2], w[3], w[4], w[5])
    var i = 0
    while i < supportCount {
      let row = entries + Self.rowStart(Int(support[i]))
      let a = L.multiplyAdd(w00, j0[i], L.multiplyAdd(w10, j1[i], w20 * j2[i]))
      let b = L.multiplyAdd(w10, j0[i], L.multiplyAdd(w11, j1[i], w21 * j2[i]))
      let c = L.multiplyAdd(w20, j0[i], L.multiplyAdd(w21, j1[i], w22 * j2[i]))
      var j = 0
      while j <= i {
        let column = Int(support[j])
        row[column] = L.multiplyAdd(
          a, j0[j], L.multiplyAdd(b, j1[j], L.multiplyAdd(c, j2[j], row[column])))
        j = j &+ 1
      }
      i = i &+ 1
    }
  }

  @inline(__always)
  private func addRows(
    _ jacobian: UnsafePointer<L>, _ support: UnsafePointer<Int32>, _ supportCount: Int, _ dimension: Int,
    _ w: UnsafePointer<L>
  ) {
    var i = 0
    while i < supportCount {
      let row = entries + Self.rowStart(Int(support[i]))
      var d = 0
      while d < dimension {
        var scaled = L(0.0)
        var e = 0
        while e < dimension {
          let entry = e <= d ? Self.rowStart(d) &+ e : Self.rowStart(e) &+ d
          scaled = L.multiplyAdd(w[entry], jacobian[e &* supportCount &+ i], scaled)
          e = e &+ 1
        }
        let direction = jacobian + d &* supportCount
        var j = 0
        while j <= i {
          let column = Int(support[j])
          row[column] = L.multiplyAdd(scaled, direction[j], row[column])
          j = j &+ 1
        }
        d = d &+ 1
      }
      i = i &+ 1
    }
  }
}

extension ConstraintHessian where L.Scalar: LaneScalar {
  /// Factors the matrix in place.
  ///
  /// Exact pivots are at least those of the mass matrix. One that rounding has left without a digit is replaced by the
  /// smallest that has one, and `guarded` becomes nonzero in the lane.
  @inline(__always)
  func factor(guarded: UnsafeMutablePointer<L>) {
    let smallest = L(16 * Double(L.Scalar.ulpOfOne))
    var lowest = L(0.0)
    var k = 0
    while k < count {
      diagonal[k] = entries[Self.rowStart(k) &+ k]
      k = k &+ 1
    }
    k = count - 1
    while k >= 0 {
      let row = entries + Self.rowStart(k)
      let floor = smallest * diagonal[k].magnitude
      let isLow = row[k] .< floor
      lowest = lowest.replacing(with: L(1.0), where: isLow)
      let inverse = 1.0 / row[k].replacing(with: floor, where: isLow)
      row[k] = inverse
      let first = Int(runStart[k])
      var r = Int(runStart[k &+ 1]) - 1
      while r >= first {
        let start = Int(runs[r].start)
        var j = Int(runs[r].end) - 1
        while j >= start {
          let factor = row[j] * inverse
          let negative = -factor
          let target = entries + Self.rowStart(j)
          var q = first
          while q < r {
            addMultiple(negative, row, target, Int(runs[q].start), Int(runs[q].end))
            q = q &+ 1
          }
          addMultiple(negative, row, target, start, j &+ 1)
          row[j] = factor
          j -= 1
        }
        r -= 1
      }
      k -= 1
    }
    guarded.pointee = lowest
  }

  @inline(__always)
  private func addMultiple(
    _ factor: L, _ row: UnsafePointer<L>, _ target: UnsafeMutablePointer<L>, _ start: Int, _ end: Int
  ) {
    var c = start
    while c < end {
      target[c] = L.multiplyAdd(factor, row[c], target[c])
      c = c &+ 1
    }
  }

  /// Solves `H x = b` in place with the factor.
  @inline(__always)
  func solve(_ x: UnsafeMutablePointer<L>) {
    var k = count - 1
    while k >= 0 {
      let row = entries + Self.rowStart(k)
      let value = -x[k]
      var r = Int(runStart[k])
      let end = Int(runStart[k &+ 1])
      while r < end {
        addMultiple(value, row, x, Int(runs[r].start), Int(runs[r].end))
        r = r &+ 1
      }
      k -= 1
    }
    k = 0
    while k < count {
      let row = entries + Self.rowStart(k)
      var even = x[k] * row[k]
      var odd = L(0.0)
      var r = Int(runStart[k])
      let end = Int(runStart[k &+ 1])
      while r < end {
        var c = Int(runs[r].start)
        let stop = Int(runs[r].end)
        while c &+ 1 < stop {
          even = L.multiplyAdd(-row[c], x[c], even)
          odd = L.multiplyAdd(-row[c &+ 1], x[c &+ 1], odd)
          c = c &+ 2
        }
        if c < stop { even = L.multiplyAdd(-row[c], x[c], even) }
        r = r &+ 1
      }
      x[k] = even + odd
      k = k &+ 1
    }
  }

  /// Makes the factor that of the identity in some lanes.
  @inline(__always)
  func setIdentity(where mask: L.Mask) {
    var k = 0
    while k < count {
      let row = entries + Self.rowStart(k)
      var r = Int(runStart[k])
      while r < Int(runStart[k &+ 1]) {
        var c = Int(runs[r].start)
        while c < Int(runs[r].end) {
          row[c] = row[c].replacing(with: L(0.0), where: mask)
          c = c &+ 1
        }
        r = r &+ 1
      }
      row[k] = row[k].replacing(with: L(1.0), where: mask)
      diagonal[k] = diagonal[k].replacing(with: L(1.0), where: mask)
      k = k &+ 1
    }
  }
}
