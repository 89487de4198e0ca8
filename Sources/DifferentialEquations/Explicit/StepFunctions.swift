public import Lanes

/// A weight of a stage's array in a sum.
@usableFromInline
struct StageTerm<Scalar: Sendable>: Sendable {
  /// Where the stage's array begins.
  @usableFromInline let offset: Int
  @usableFromInline let weight: Scalar
  init(offset: Int, weight: Scalar) {
    self.offset = offset
    self.weight = weight
  }
}

/// The arrays of a step of an explicit method, as ``ExplicitKernel`` lays them out.
@usableFromInline
struct StepArrays<L: Lane> {
  @usableFromInline let width: Int
  /// Elements of a state, of all groups.
  @usableFromInline let size: Int
  @usableFromInline let time: UnsafeMutablePointer<L>
  @usableFromInline let step: UnsafeMutablePointer<L>
  @usableFromInline let state: UnsafeMutablePointer<L>
  @usableFromInline let rates: UnsafeMutablePointer<L>
  @usableFromInline let stageStates: UnsafeMutablePointer<L>
  @usableFromInline let stateCotangents: UnsafeMutablePointer<L>
  @usableFromInline let terms: UnsafeMutablePointer<StageTerm<L.Scalar>>
  /// The terms of each stage's state, and those of each rate's cotangent.
  @usableFromInline let stageTerms: UnsafeMutablePointer<Range<Int>>
  @usableFromInline let transposedTerms: UnsafeMutablePointer<Range<Int>>
  @usableFromInline let stageTimes: UnsafeMutablePointer<Double>
  init(
    width: Int, size: Int, time: UnsafeMutablePointer<L>, step: UnsafeMutablePointer<L>,
    state: UnsafeMutablePointer<L>, rates: UnsafeMutablePointer<L>, stageStates: UnsafeMutablePointer<L>,
    stateCotangents: UnsafeMutablePointer<L>, terms: UnsafeMutablePointer<StageTerm<L.Scalar>>,
    stageTerms: UnsafeMutablePointer<Range<Int>>, transposedTerms: UnsafeMutablePointer<Range<Int>>,
    stageTimes: UnsafeMutablePointer<Double>
  ) {
    self.width = width
    self.size = size
    self.time = time
    self.step = step
    self.state = state
    self.rates = rates
    self.stageStates = stageStates
    self.stateCotangents = stateCotangents
    self.terms = terms
    self.stageTerms = stageTerms
    self.transposedTerms = transposedTerms
    self.stageTimes = stageTimes
  }
}

/// Whole steps of a vector field with few components, compiled together with it: sums of stages stay in registers, those of several lane
/// groups at once.
@usableFromInline
struct StepFunctions<L: Lane>: Sendable {
  /// The stages of a range.
  @usableFromInline let advance:
    @Sendable (_ arrays: StepArrays<L>, _ parameters: UnsafePointer<L>, _ stages: Range<Int>) -> Void
  /// Makes the stages of a step again and takes cotangents back through it: that of the result becomes that of the state at the start.
  @usableFromInline let reverse:
    @Sendable (
      _ arrays: StepArrays<L>, _ parameters: UnsafePointer<L>, _ stageCount: Int,
      _ cotangent: UnsafeMutablePointer<L>, _ parameterCotangent: UnsafeMutablePointer<L>
    ) -> Void

  /// Nil if the field has more components or parameters than the compiler keeps in registers, or nearly so.
  @inlinable
  init?<Field: VectorField>(_ field: Field) {
    let largest = max(field.stateCount, field.parameterCount)
    guard largest <= 8 else { return nil }
    // Forwards the sums of stages are all there is; backwards twice as much is held.
    advance = { arrays, parameters, stages in
      let width = arrays.width
      var w = 0
      if L.laneCount > 1 {
        if largest <= 4 {
          while w < width &- 3 {
            Self.advance(field, LanePair<LanePair<L>>.self, arrays, stages, w, parameters)
            w = w &+ 4
          }
        }
        while w < width &- 1 {
          Self.advance(field, LanePair<L>.self, arrays, stages, w, parameters)
          w = w &+ 2
        }
      }
      while w < width {
        Self.advance(field, L.self, arrays, stages, w, parameters)
        w = w &+ 1
      }
    }
    reverse = { arrays, parameters, stageCount, cotangent, parameterCotangent in
      let width = arrays.width
      var w = 0
      if L.laneCount > 1 && largest <= 4 {
        while w < width &- 1 {
          Self.reverse(
            field, LanePair<L>.self, arrays, stageCount, w, parameters, cotangent, parameterCotangent)
          w = w &+ 2
        }
      }
      while w < width {
        Self.reverse(field, L.self, arrays, stageCount, w, parameters, cotangent, parameterCotangent)
        w = w &+ 1
      }
    }
  }

  /// Stages of as many groups as `M` has, from `w` on.
  @inlinable @inline(__always)
  static func advance<Field: VectorField, M: Lane>(
    _ field: Field, _ type: M.Type, _ arrays: StepArrays<L>, _ stages: Range<Int>, _ w: Int,
    _ parameters: UnsafePointer<L>
  ) where M.Scalar == L.Scalar {
    let (n, p, width) = (field.stateCount, field.parameterCount, arrays.width)
    withArrays(of: type, n, n, p) { y, r, q in
      for c in 0..<p { (q + c).initialize(to: place(parameters, c &* width &+ w).pointee) }
      let (time, step) = (place(arrays.time, w, as: type).pointee, place(arrays.step, w, as: type).pointee)
      var stage = stages.lowerBound
      while stage < stages.upperBound {
        setState(arrays, stage, w, n, step, y)
        field.rate(
          at: M.multiplyAdd(step, M(arrays.stageTimes[stage]), time), state: y, parameters: q, into: r)
        let rate = arrays.rates + (stage &* arrays.size &+ w)
        for c in 0..<n { place(rate, c &* width, as: type).pointee = r[c] }
        stage = stage &+ 1
      }
    }
  }
  /// The state of a stage.
  @inlinable @inline(__always)
  static func setState<M: Lane>(
    _ arrays: StepArrays<L>, _ stage: Int, _ w: Int, _ n: Int, _ step: M, _ y: UnsafeMutablePointer<M>
  ) where M.Scalar == L.Scalar {
    let width = arrays.width
    sum(arrays, arrays.stageTerms[stage], of: arrays.rates, n, w, into: y)
    let target = arrays.stageStates + (stage &* arrays.size &+ w)
    for c in 0..<n {
      y[c] = M.multiplyAdd(y[c], step, place(arrays.state, c &* width &+ w).pointee)
      place(target, c &* width).pointee = y[c]
    }
  }
  /// The reverse sweep of as many groups as `M` has, from `w` on.
  @inlinable @inline(__always)
  static func reverse<Field: VectorField, M: Lane>(
    _ field: Field, _ type: M.Type, _ arrays: StepArrays<L>, _ stageCount: Int, _ w: Int,
    _ parameters: UnsafePointer<L>, _ cotangent: UnsafeMutablePointer<L>,
    _ parameterCotangent: UnsafeMutablePointer<L>
  ) where M.Scalar == L.Scalar {
    let (n, p, width, size) = (field.stateCount, field.parameterCount, arrays.width, arrays.size)
    let last = stageCount &- 1
    withArrays(of: type, n, n, p) { y, r, q in
      withArrays(of: type, n, n, p) { x, total, g in
        for c in 0..<p {
          (q + c).initialize(to: place(parameters, c &* width &+ w).pointee)
          (g + c).initialize(to: place(parameterCotangent, c &* width &+ w).pointee)
        }
        let (time, step) = (place(arrays.time, w, as: type).pointee, place(arrays.step, w, as: type).pointee)
        for c in 0..<n {
          (y + c).initialize(to: place(arrays.state, c &* width &+ w).pointee)
          place(arrays.stageStates, c &* width &+ w).pointee = y[c]
        }
        // The rate of the last stage is not needed, nor of that before it.
        if last > 1 {
          field.rate(at: time, state: y, parameters: q, into: r)
          for c in 0..<n { place(arrays.rates, c &* width &+ w).pointee = r[c] }
          var stage = 1
          while stage < last &- 1 {
            setState(arrays, stage, w, n, step, y)
            field.rate(
              at: M.multiplyAdd(step, M(arrays.stageTimes[stage]), time), state: y, parameters: q, into: r)
            let rate = arrays.rates + (stage &* size &+ w)
            for c in 0..<n { place(rate, c &* width).pointee = r[c] }
            stage = stage &+ 1
          }
          setState(arrays, stage, w, n, step, y)
        }
        let end = arrays.stateCotangents + (last &* size &+ w)
        for c in 0..<n {
          (total + c).initialize(to: place(cotangent, c &* width &+ w).pointee)
          place(end, c &* width).pointee = total[c]
        }
        var stage = last &- 1
        while stage >= 0 {
          let offset = stage &* size &+ w
          sum(arrays, arrays.transposedTerms[stage], of: arrays.stateCotangents, n, w, into: x)
          let (source, target) = (arrays.stageStates + offset, arrays.stateCotangents + offset)
          for c in 0..<n {
            x[c] *= step
            y[c] = place(source, c &* width).pointee
          }
          field.pullback(
            at: M.multiplyAdd(step, M(arrays.stageTimes[stage]), time), state: y, parameters: q, cotangent: x,
            state: r, addingTo: g)
          for c in 0..<n {
            total[c] += r[c]
            place(target, c &* width).pointee = r[c]
          }
          stage = stage &- 1
        }
        for c in 0..<n { place(cotangent, c &* width &+ w).pointee = total[c] }
        for c in 0..<p { place(parameterCotangent, c &* width &+ w).pointee = g[c] }
      }
    }
  }

  /// Arrays for values that the compiler keeps in registers: it does not where one has more than a kilobyte.
  @inlinable @inline(__always)
  static func withArrays<M: Lane>(
    of type: M.Type, _ a: Int, _ b: Int, _ c: Int,
    _ body: (UnsafeMutablePointer<M>, UnsafeMutablePointer<M>, UnsafeMutablePointer<M>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: M.self, capacity: a) { a in
      withUnsafeTemporaryAllocation(of: M.self, capacity: max(b, 1)) { b in
        withUnsafeTemporaryAllocation(of: M.self, capacity: max(c, 1)) { c in
          body(
            a.baseAddress.unsafelyUnwrapped, b.baseAddress.unsafelyUnwrapped,
            c.baseAddress.unsafelyUnwrapped)
        }
      }
    }
  }
  /// Where as many neighbouring groups are as `M` has.
  @inlinable @inline(__always)
  static func place<M: Lane>(_ array: UnsafePointer<L>, _ index: Int, as type: M.Type = M.self)
    -> UnsafePointer<M>
  { UnsafeRawPointer(array + index).assumingMemoryBound(to: M.self) }
  @inlinable @inline(__always)
  static func place<M: Lane>(_ array: UnsafeMutablePointer<L>, _ index: Int, as type: M.Type = M.self)
    -> UnsafeMutablePointer<M>
  { UnsafeMutableRawPointer(array + index).assumingMemoryBound(to: M.self) }
  /// The weighted sums of the stages' arrays.
  @inlinable @inline(__always)
  static func sum<M: Lane>(
    _ arrays: StepArrays<L>, _ range: Range<Int>, of stages: UnsafeMutablePointer<L>, _ n: Int, _ w: Int,
    into target: UnsafeMutablePointer<M>
  ) where M.Scalar == L.Scalar {
    let width = arrays.width
    for c in 0..<n { (target + c).initialize(to: M.zero) }
    var k = range.lowerBound
    while k < range.upperBound {
      let term = arrays.terms[k]
      let source = stages + (term.offset &+ w)
      for c in 0..<n {
        target[c] = M.multiplyAdd(place(source, c &* width).pointee, scalar: term.weight, target[c])
      }
      k = k &+ 1
    }
  }
}
