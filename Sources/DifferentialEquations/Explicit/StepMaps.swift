import Autodiff
import Lanes

/// The reverse sweep over one trajectory of a small traced system, many steps at once.
///
/// The derivative of a step needs no more than the state at its start, so that lanes take steps. With the matrices ∂f/∂y at the stages the cotangents of
/// a step's end are carried to its start all together, as the columns of matrices:
///   K_l = h Σ_{j>l} a_jl Ȳ_j,  Ȳ_l = (∂f/∂y)ᵀ K_l,  Φ = Σ_j Ȳ_j  from Ȳ = 1 of the end,
/// and those of an output in the step, at y + h Σ b_j(θ) k_j, from K_j = h b_j(θ) and Φ = 1. One after the other is left only ȳ = Φ ȳ⁺; what
/// comes to the parameters, Σ (∂f/∂p)ᵀ K ȳ⁺, is in lanes again.
final class StepMaps {
  typealias L = SIMD8<Double>
  private static let width = StepDerivatives.width
  /// Steps and outputs within steps at a time.
  private static let entryCount = 8 * width
  /// Trajectories with fewer steps are taken back one step after the other.
  private static let leastSteps = 10

  private let n: Int
  private let p: Int
  /// Steps once more, and their matrices: Ȳ and K of the stages are where a kernel has cotangents of states and rates.
  private let forward: ExplicitKernel<L>
  private let backward: ExplicitKernel<L>
  private let derivatives: StepDerivatives
  private let parameters: UnsafeMutablePointer<L>
  private let maps: UnsafeMutablePointer<L>
  private let places: UnsafeMutablePointer<L>
  private let isInner: UnsafeMutablePointer<L>
  /// Cotangents that maps were applied to; what comes to the parameters from all entries of a lane.
  private let cotangents: UnsafeMutablePointer<L>
  private let sums: UnsafeMutablePointer<L>
  private let result: UnsafeMutablePointer<Double>
  private let entries: UnsafeMutablePointer<Entry>
  private let arena: Arena

  /// The end of a step, or an output between its ends.
  private struct Entry {
    var row: Int
    /// The place of an output may round to the end's, which is 1.
    var place: Double
    /// Which output; −1: the end.
    var output: Int
  }

  /// - Parameters:
  ///   - functions: the right-hand side, of as many groups as derivatives have.
  ///   - source: time, state and parameters to what is not constant in rows of ∂f/∂y and ∂f/∂p.
  init(_ tableau: RungeKuttaTableau, _ functions: RateFunctions<L>, _ source: ResidentSource) {
    let (n, p, width) = (functions.stateCount, functions.parameterCount, Self.width)
    (self.n, self.p) = (n, p)
    forward = ExplicitKernel(
      tableau, functions, relativeTolerance: 0, absoluteTolerances: [Double](repeating: 1, count: n))
    backward = ExplicitKernel(
      tableau,
      RateFunctions<L>(
        stateCount: n * n, parameterCount: 0, width: width, bind: { _ in },
        rate: { _, _, _ in preconditionFailure("matrices of steps are not an equation's") },
        pullback: { _, _, _, _, _ in preconditionFailure("matrices of steps are not differentiated") }),
      relativeTolerance: 0, absoluteTolerances: [Double](repeating: 1, count: n * n))
    derivatives = StepDerivatives(
      source, stateCount: n, parameterCount: p, nodeCount: tableau.a.count)
    var measure = ArenaMeasure()
    for size in [p * width, n * n * width, width, width, n * width, p] { measure.take(L.self, size) }
    measure.take(Double.self, n)
    measure.take(Entry.self, Self.entryCount)
    var arena = Arena(byteCount: measure.byteCount)
    parameters = arena.take(L.self, p * width)
    maps = arena.take(L.self, n * n * width)
    places = arena.take(L.self, width)
    isInner = arena.take(L.self, width)
    cotangents = arena.take(L.self, n * width)
    sums = arena.take(L.self, p)
    result = arena.take(Double.self, n)
    entries = arena.take(Entry.self, Self.entryCount)
    self.arena = arena
  }

  /// Whether many steps of a trajectory can be taken at once, and are worth it: an output within a step takes a matrix as well.
  func suits(_ record: StepRecord, outputCount: Int) -> Bool {
    record.stride == 1 && record.jumps.isEmpty && record.stepCount >= Self.leastSteps
      && outputCount <= (n > 4 ? 2 : 5) * record.stepCount
  }

  /// As ``TrajectoryAdjoint``, of a trajectory that ``suits(_:outputCount:)``.
  /// - Returns: false if that has to do it, as derivatives are not finite.
  func reverse(
    _ record: StepRecord, outputTimes: UnsafeBufferPointer<Double>, cotangents rows: UnsafePointer<Double>,
    parameters values: UnsafePointer<Double>, into cotangent: UnsafeMutablePointer<Double>,
    parameters parameterCotangent: UnsafeMutablePointer<Double>
  ) -> Bool {
    for q in 0..<p { for w in 0..<Self.width { parameters[q * Self.width + w] = L(values[q]) } }
    forward.functions.bind(parameters)
    derivatives.bind(parameters)
    sums.update(repeating: L(0.0), count: p)
    cotangent.update(repeating: 0, count: n)
    var plan = Plan(record, outputTimes)
    var output = outputTimes.count - 1
    while true {
      let count = plan.fill(entries, Self.entryCount)
      if count == 0 { break }
      prepare(record, count)
      for k in 0..<count {
        let entry = entries[k]
        if entry.output < 0 {
          while output >= 0 && outputTimes[output] == record.times[entry.row + 1] {
            for c in 0..<n { cotangent[c] += rows[output * n + c] }
            output -= 1
          }
          apply(k, cotangent)
          cotangent.update(from: result, count: n)
        } else {
          apply(k, rows + entry.output * n)
          for c in 0..<n { cotangent[c] += result[c] }
          output = entry.output - 1
        }
      }
      addParameterCotangents(count)
    }
    while output >= 0 {
      for c in 0..<n { cotangent[c] += rows[output * n + c] }
      output -= 1
    }
    for q in 0..<p { for lane in 0..<8 { parameterCotangent[q] += sums[q][lane] } }
    // What is too large for a matrix may still be finite as a product.
    return areFinite(cotangent, count: n) && areFinite(parameterCotangent, count: p)
  }

  /// The ends of steps backwards, each followed by the outputs in the step.
  private struct Plan {
    let record: StepRecord
    let times: UnsafeBufferPointer<Double>
    let direction: Double
    /// The step whose end is next, and the output that is.
    var row: Int
    var output: Int
    init(_ record: StepRecord, _ times: UnsafeBufferPointer<Double>) {
      (self.record, self.times) = (record, times)
      direction = record.times[1] < record.times[0] ? -1 : 1
      (row, output) = (record.stepCount - 1, times.count - 1)
    }

    /// The next entries, at most so many.
    mutating func fill(_ entries: UnsafeMutablePointer<Entry>, _ limit: Int) -> Int {
      var count = 0
      while count < limit {
        // Outputs in the step whose end came last.
        let before = row + 1
        if before < record.stepCount, output >= 0, (times[output] - record.times[before]) * direction > 0 {
          let start = record.times[before]
          entries[count] = Entry(
            row: before, place: (times[output] - start) / (record.times[before + 1] - start), output: output)
          output -= 1
        } else {
          if row < 0 { break }
          while output >= 0 && times[output] == record.times[row + 1] { output -= 1 }
          entries[count] = Entry(row: row, place: 1, output: -1)
          row -= 1
        }
        count += 1
      }
      return count
    }
  }

  /// Makes the matrices of entries.
  private func prepare(_ record: StepRecord, _ count: Int) {
    let hasInner = load(record, count)
    forward.replay(all: hasInner)
    if hasInner { forward.setWeights(at: places) }
    let last = forward.stageCount - 1
    let stages = hasInner ? forward.totalCount : last
    let (width, size) = (Self.width, forward.size)
    for stage in 0..<stages {
      let c = forward.stageTimes[stage]
      for w in 0..<width {
        forward.stageTime[w] = L.multiplyAdd(forward.step[w], L(c), forward.time[w])
      }
      derivatives.run(node: stage, forward.stageTime, forward.stageStates + stage * size)
    }
    backward.step.update(from: forward.step, count: width)
    let ranges = hasInner ? backward.allTransposedTerms : backward.transposedTerms
    let matrixSize = backward.size
    let (states, rates) = (backward.stateCotangents, backward.rates)
    if !hasInner { derivatives.setIdentity(states + last * matrixSize) }
    var stage = stages - 1
    while stage >= 0 {
      let (rate, state) = (rates + stage * matrixSize, states + stage * matrixSize)
      backward.combine(ranges[stage], of: states, onto: nil, into: rate)
      if hasInner {
        addToDiagonal(rate) { forward.weights[stage &* width &+ $0] * forward.step[$0] * isInner[$0] }
      }
      derivatives.multiply(node: stage, rate, into: state)
      if hasInner && stage == last { addToDiagonal(state) { L(1.0) - isInner[$0] } }
      stage -= 1
    }
    var i = 0
    while i < matrixSize {
      var sum = L(0.0)
      var j = 0
      let end = max(stages, last + 1)
      while j < end {
        sum = sum + states[j &* matrixSize &+ i]
        j = j &+ 1
      }
      maps[i] = sum
      i = i &+ 1
    }
    if hasInner { addToDiagonal(maps) { isInner[$0] } }
  }
  @inline(__always)
  private func addToDiagonal(_ matrix: UnsafeMutablePointer<L>, _ value: (_ group: Int) -> L) {
    for k in 0..<n {
      let entry = matrix + (k &* n &+ k) &* Self.width
      for w in 0..<Self.width { entry[w] = entry[w] + value(w) }
    }
  }

  /// Sets states, times and places.
  /// - Returns: whether there are outputs within steps.
  private func load(_ record: StepRecord, _ count: Int) -> Bool {
    let (places, inner) = (numbers(places), numbers(isInner))
    cotangents.update(repeating: L(0.0), count: n * Self.width)
    var hasInner = false
    for k in 0..<Self.entryCount {
      // What is missing are copies of the last one, with cotangents of zero.
      let entry = entries[min(k, count &- 1)]
      forward.setStart(ofLane: k, record, row: entry.row)
      places[k] = entry.place
      inner[k] = entry.output < 0 ? 0 : 1
      if entry.output >= 0 { hasInner = true }
    }
    return hasInner
  }

  /// Sets the result of an entry's map.
  @inline(__always)
  private func apply(_ entry: Int, _ vector: UnsafePointer<Double>) {
    let (n, count) = (n, Self.entryCount)
    let (matrix, before) = (numbers(maps) + entry, numbers(cotangents) + entry)
    var c = 0
    while c < n {
      let row = matrix + c &* n &* count
      var sum = 0.0
      var k = 0
      while k < n {
        sum = Double.multiplyAdd(row[k &* count], vector[k], sum)
        k = k &+ 1
      }
      result[c] = sum
      before[c &* count] = vector[c]
      c = c &+ 1
    }
  }

  private func addParameterCotangents(_ count: Int) {
    let width = Self.width
    let hasInner = (0..<count).contains { entries[$0].output >= 0 }
    let stages = hasInner ? forward.totalCount : forward.stageCount - 1
    for w in 0..<(count + 7) / 8 {
      for stage in 0..<stages {
        derivatives.addParameterProducts(
          node: stage, group: w, weight: 1, backward.rates + stage &* backward.size, cotangents, to: sums)
      }
    }
  }
}
