import Lanes

/// Memory and arithmetic of one step of an explicit method, for `width` lane groups with a time and a step size of each lane.
///
/// Component `c` of an array is at `[c * width]`; arrays of stages follow each other.
final class ExplicitKernel<L: Lane> {
  let tableau: RungeKuttaTableau
  let functions: RateFunctions<L>
  let stateCount: Int
  let width: Int
  /// Stages of a step, and with those that only the continuous extension needs.
  let stageCount: Int
  let totalCount: Int
  /// Elements of a state.
  let size: Int

  /// Times and steps of the lanes; the state at the step's start and end.
  let time: UnsafeMutablePointer<L>
  let step: UnsafeMutablePointer<L>
  let state: UnsafeMutablePointer<L>
  /// The rates of the stages.
  let rates: UnsafeMutablePointer<L>
  /// Error norms of the lanes.
  let errorNorm: UnsafeMutablePointer<L>
  /// Weights of the continuous extension.
  let weights: UnsafeMutablePointer<L>
  /// The states of the stages; that of the last stage is the result.
  let stageStates: UnsafeMutablePointer<L>
  let result: UnsafeMutablePointer<L>

  // Reverse sweep.
  /// Cotangents of the stages' states, and what outputs within the step add to cotangents of rates.
  let stateCotangents: UnsafeMutablePointer<L>
  let outputCotangents: UnsafeMutablePointer<L>
  let rateCotangent: UnsafeMutablePointer<L>

  let stageTime: UnsafeMutablePointer<L>
  private let scratch: UnsafeMutablePointer<L>
  private let tolerances: UnsafeMutablePointer<Double>
  private let relativeTolerance: Double
  private let terms: UnsafeMutablePointer<Term>
  private let stageTerms: UnsafeMutablePointer<Range<Int>>
  /// Of each stage the later ones whose states its rate is part of, with the stages that only the continuous extension needs, and without:
  /// of the step's stages the youngest cotangent last.
  let allTransposedTerms: UnsafeMutablePointer<Range<Int>>
  let transposedTerms: UnsafeMutablePointer<Range<Int>>
  let stageTimes: UnsafeMutablePointer<Double>
  private let errorTerms: Range<Int>
  private let secondErrorTerms: Range<Int>
  private let interpolation: UnsafeMutablePointer<Double>
  private let degree: Int
  /// What functions for whole steps see.
  let arrays: StepArrays<L>
  private let arena: Arena

  private typealias Term = StageTerm<L.Scalar>

  /// - Parameters:
  ///   - absoluteTolerances: one for each component.
  init(
    _ tableau: RungeKuttaTableau, _ functions: RateFunctions<L>, relativeTolerance: Double,
    absoluteTolerances: [Double]
  ) {
    self.tableau = tableau
    self.functions = functions
    self.relativeTolerance = relativeTolerance
    stateCount = functions.stateCount
    width = functions.width
    size = stateCount * width
    let total = tableau.a.count
    stageCount = tableau.stageCount
    totalCount = total
    var list: [Term] = []
    let elements = size
    func add(_ weights: [Double], isReversed: Bool = false) -> Range<Int> {
      let start = list.count
      for (index, weight) in weights.enumerated() where weight != 0 {
        list.append(Term(offset: index * elements, weight: L.Scalar(weight)))
      }
      if isReversed { list[start...].reverse() }
      return start..<list.count
    }
    let forward = tableau.a.map { add($0) }
    let backward = (0..<total).map { l in
      let extra = add((0..<total).map { $0 >= tableau.stageCount && $0 > l ? tableau.a[$0][l] : 0 })
      let own = add((0..<tableau.stageCount).map { $0 > l ? tableau.a[$0][l] : 0 }, isReversed: true)
      return (extra.lowerBound..<own.upperBound, own)
    }
    errorTerms = add(tableau.error)
    secondErrorTerms = add(tableau.secondError)
    degree = tableau.interpolation[0].count

    let functionsWidth = functions.width
    var measure = ArenaMeasure()
    for _ in 0..<5 { measure.take(L.self, functionsWidth) }
    for _ in 0..<4 { measure.take(L.self, total * elements) }
    for _ in 0..<3 { measure.take(L.self, elements) }
    measure.take(L.self, total * functionsWidth)
    measure.take(Double.self, functions.stateCount)
    measure.take(Term.self, list.count)
    measure.take(Double.self, total * degree)
    measure.take(Double.self, total)
    for _ in 0..<3 { measure.take(Range<Int>.self, total) }
    var arena = Arena(byteCount: measure.byteCount)
    time = arena.take(L.self, functionsWidth)
    step = arena.take(L.self, functionsWidth)
    errorNorm = arena.take(L.self, functionsWidth)
    stageTime = arena.take(L.self, functionsWidth)
    rates = arena.take(L.self, total * elements)
    stageStates = arena.take(L.self, total * elements)
    stateCotangents = arena.take(L.self, total * elements)
    outputCotangents = arena.take(L.self, total * elements)
    state = arena.take(L.self, elements)
    scratch = arena.take(L.self, elements)
    rateCotangent = arena.take(L.self, elements)
    weights = arena.take(L.self, total * functionsWidth)
    tolerances = arena.take(Double.self, functions.stateCount)
    terms = arena.take(Term.self, list.count)
    interpolation = arena.take(Double.self, total * degree)
    stageTimes = arena.take(Double.self, total)
    stageTerms = arena.take(Range<Int>.self, total)
    allTransposedTerms = arena.take(Range<Int>.self, total)
    transposedTerms = arena.take(Range<Int>.self, total)
    result = stageStates + (tableau.stageCount - 1) * elements
    for stage in 0..<total {
      stageTimes[stage] = tableau.c[stage]
      stageTerms[stage] = forward[stage]
      (allTransposedTerms[stage], transposedTerms[stage]) = backward[stage]
    }
    arrays = StepArrays(
      width: functions.width, size: elements, time: time, step: step, state: state, rates: rates,
      stageStates: stageStates, stateCotangents: stateCotangents, terms: terms, stageTerms: stageTerms,
      transposedTerms: transposedTerms, stageTimes: stageTimes)
    for (k, value) in absoluteTolerances.enumerated() { tolerances[k] = value }
    for (k, value) in list.enumerated() { terms[k] = value }
    for (j, row) in tableau.interpolation.enumerated() {
      for (q, value) in row.enumerated() { interpolation[j * degree + q] = value }
    }
    self.arena = arena
  }

  /// The first stage: the rate at the step's start.
  func begin() { functions.rate(time, state, rates) }

  /// All stages of a step but the first, and with them the result.
  func advance() { advance(to: stageCount) }
  /// Some of them.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  func advance(to end: Int) {
    if let advance = functions.advance { return advance(arrays, 1..<end) }
    let rate = functions.rate
    var stage = 1
    while stage < end {
      evaluate(stage, rate)
      stage = stage &+ 1
    }
  }
  /// The stages that serve the continuous extension only.
  func advanceExtraStages() {
    let rate = functions.rate
    var stage = stageCount
    while stage < totalCount {
      evaluate(stage, rate)
      stage = stage &+ 1
    }
  }
  @inline(__always)
  private func evaluate(
    _ stage: Int, _ rate: (UnsafePointer<L>, UnsafePointer<L>, UnsafeMutablePointer<L>) -> Void
  ) {
    let c = stageTimes[stage]
    var w = 0
    while w < width {
      stageTime[w] = L.multiplyAdd(step[w], L(c), time[w])
      w = w &+ 1
    }
    setState(of: stage)
    rate(stageTime, stageStates + stage &* size, rates + stage &* size)
  }
  /// The state of a stage from the rates of those before it.
  @inline(__always)
  func setState(of stage: Int) {
    combine(stageTerms[stage], of: rates, onto: state, into: stageStates + stage &* size)
  }

  /// `target = base + step * Σ weight * array`, or without the base.
  @inline(__always)
  func combine(
    _ range: Range<Int>, of arrays: UnsafeMutablePointer<L>, onto base: UnsafeMutablePointer<L>?,
    into target: UnsafeMutablePointer<L>
  ) {
    let count = range.count
    if count == 0 { return combine(onto: base, into: target) }
    let first = terms + range.lowerBound
    func summand(_ k: Int) -> Summand { Summand(first[k], arrays) }
    // As many terms as methods of order 5 have are kept in registers; of longer sums the rest is added in a loop. The last term is
    // the youngest: the others do not wait for it.
    let last = summand(count - 1)
    switch count {
    case 1: combine(onto: base, into: target, last) { _ in nil }
    case 2:
      let a = summand(0)
      combine(onto: base, into: target, last) { a.product($0) }
    case 3:
      let (a, b) = (summand(0), summand(1))
      combine(onto: base, into: target, last) { b.added(to: a.product($0), $0) }
    case 4:
      let (a, b, c) = (summand(0), summand(1), summand(2))
      combine(onto: base, into: target, last) { c.added(to: b.added(to: a.product($0), $0), $0) }
    case 5:
      let (a, b, c, d) = (summand(0), summand(1), summand(2), summand(3))
      combine(onto: base, into: target, last) {
        d.added(to: c.added(to: b.added(to: a.product($0), $0), $0), $0)
      }
    default:
      let (a, b, c, d, e) = (summand(0), summand(1), summand(2), summand(3), summand(4))
      combine(onto: base, into: target, last) { i in
        var sum = e.added(to: d.added(to: c.added(to: b.added(to: a.product(i), i), i), i), i)
        var k = 5
        while k < count &- 1 {
          sum = L.multiplyAdd(arrays[first[k].offset &+ i], scalar: first[k].weight, sum)
          k = k &+ 1
        }
        return sum
      }
    }
  }
  /// The sum of no terms.
  @inline(__always)
  private func combine(onto base: UnsafeMutablePointer<L>?, into target: UnsafeMutablePointer<L>) {
    if let base {
      target.update(from: base, count: size)
    } else {
      target.update(repeating: L.zero, count: size)
    }
  }
  /// - Parameter sum: of all terms but the last, nil if there are none.
  @inline(__always)
  private func combine(
    onto base: UnsafeMutablePointer<L>?, into target: UnsafeMutablePointer<L>, _ last: Summand,
    _ sum: (Int) -> L?
  ) {
    var i = 0
    let (size, width, step) = (size, width, step)
    if width == 1 {
      let h = step[0]
      let scaled = L.multiply(h, scalar: last.weight)
      if let base {
        while i < size {
          let start = sum(i).map { L.multiplyAdd($0, h, base[i]) } ?? base[i]
          target[i] = L.multiplyAdd(last.array[i], scaled, start)
          i = i &+ 1
        }
      } else {
        while i < size {
          target[i] = sum(i).map { L.multiplyAdd(last.array[i], scaled, $0 * h) } ?? last.array[i] * scaled
          i = i &+ 1
        }
      }
      return
    }
    if let base {
      while i < size {
        var w = 0
        while w < width {
          target[i] = L.multiplyAdd(sum(i).map { last.added(to: $0, i) } ?? last.product(i), step[w], base[i])
          i = i &+ 1
          w = w &+ 1
        }
      }
    } else {
      while i < size {
        var w = 0
        while w < width {
          target[i] = (sum(i).map { last.added(to: $0, i) } ?? last.product(i)) * step[w]
          i = i &+ 1
          w = w &+ 1
        }
      }
    }
  }
  /// A weighted array of a sum.
  private struct Summand {
    let array: UnsafeMutablePointer<L>
    let weight: L.Scalar
    @inline(__always) init(_ term: Term, _ arrays: UnsafeMutablePointer<L>) {
      array = arrays + term.offset
      weight = term.weight
    }
    @inline(__always) func product(_ i: Int) -> L { L.multiply(array[i], scalar: weight) }
    @inline(__always) func added(to sum: L, _ i: Int) -> L { L.multiplyAdd(array[i], scalar: weight, sum) }
  }

  static var leastTolerance: Double { 1e-290 }

  /// The root mean square of the error estimate's components, each in units of its tolerance.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  func estimateError() {
    combine(errorTerms, of: rates, onto: nil, into: scratch)
    norm(into: errorNorm)
    if secondErrorTerms.isEmpty { return }
    // Hairer, Nørsett, Wanner I, II.10: the estimate of order 5 is damped by that of order 3.
    combine(secondErrorTerms, of: rates, onto: nil, into: scratch)
    norm(into: stageTime)
    var w = 0
    while w < width {
      let (first, second) = (errorNorm[w].squared, stageTime[w].squared)
      let denominator = (first + second * 0.01).squareRoot
      errorNorm[w] = (first / denominator).replacing(with: L.zero, where: first .== L.zero)
      w = w &+ 1
    }
  }
  /// The error estimates of the last step tried; of methods with one, the first.
  func setErrors(_ first: UnsafeMutablePointer<L>, _ second: UnsafeMutablePointer<L>) {
    combine(errorTerms, of: rates, onto: nil, into: first)
    if !secondErrorTerms.isEmpty { combine(secondErrorTerms, of: rates, onto: nil, into: second) }
  }
  @inline(__always)
  private func norm(into target: UnsafeMutablePointer<L>) {
    let end = result
    let share = 1 / Double(stateCount)
    var w = 0
    while w < width {
      var sum = L.zero
      var c = 0
      while c < stateCount {
        let i = c &* width &+ w
        let magnitude = L.maximum(state[i].magnitude, end[i].magnitude)
        // A tolerance below the least, of a component that is nearly zero, has no use.
        let scale = L.maximum(magnitude * relativeTolerance + tolerances[c], L(Self.leastTolerance))
        let ratio = scratch[i] / scale
        sum = L.multiplyAdd(ratio, ratio, sum)
        c = c &+ 1
      }
      target[w] = (sum * share).squareRoot
      w = w &+ 1
    }
  }

  /// The component whose error is largest in units of its tolerance, of one lane of the last step tried.
  func worstComponent(group w: Int = 0, lane: Int = 0) -> Int {
    combine(errorTerms, of: rates, onto: nil, into: scratch)
    var (worst, place) = (-1.0, 0)
    for c in 0..<stateCount {
      let i = c * width + w
      if !result[i][lane: lane].isFinite { return c }
      let scale =
        max(Double(state[i][lane: lane].magnitude), Double(result[i][lane: lane].magnitude))
        * relativeTolerance + max(tolerances[c], Self.leastTolerance)
      let ratio = Double(scratch[i][lane: lane].magnitude) / scale
      if !ratio.isFinite { return c }
      if ratio > worst { (worst, place) = (ratio, c) }
    }
    return place
  }

  /// Sets the weights of the continuous extension at places of the step (0 its start, 1 its end).
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  func setWeights(at places: UnsafePointer<L>) {
    var j = 0
    while j < totalCount {
      let row = interpolation + j &* degree
      var w = 0
      while w < width {
        let theta = places[w]
        var sum = L(row[degree - 1])
        var q = degree - 2
        while q >= 0 {
          sum = L.multiplyAdd(sum, theta, L(row[q]))
          q = q &- 1
        }
        weights[j &* width &+ w] = sum * theta
        w = w &+ 1
      }
      j = j &+ 1
    }
  }
  /// The continuous extension with the weights that are set.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  func interpolate(into target: UnsafeMutablePointer<L>) {
    var c = 0
    while c < stateCount {
      var w = 0
      while w < width {
        let i = c &* width &+ w
        var sum = L.zero
        var j = 0
        while j < totalCount {
          sum = L.multiplyAdd(rates[j &* size &+ i], weights[j &* width &+ w], sum)
          j = j &+ 1
        }
        target[i] = L.multiplyAdd(sum, step[w], state[i])
        w = w &+ 1
      }
      c = c &+ 1
    }
  }
}
