import Autodiff
import Lanes

/// Steps of the adjoint equation λ' = −(∂f/∂y)ᵀ λ along a recorded solution, many at once.
///
/// The equation is linear, so that a step of an explicit method from the end of a step of the solution to its start, or between outputs
/// within it, is a matrix Φ, and its error estimate is E λ. These take no more than the states in that step: lanes take steps, with the columns of the
/// stages' matrices Λ as components. One step after the other is left only λ ← Φ λ, and a look at E λ. What the steps add to the parameters'
/// cotangents, Σ h b (∂f/∂p)ᵀ Λ λ over the stages, is in lanes again.
final class AdjointMaps {
  typealias L = SIMD8<Double>
  private static let width = StepDerivatives.width
  /// Steps at a time.
  static let stepCount = 8 * width
  /// Trajectories with fewer steps are taken back one step after the other.
  static let leastSteps = 16

  private let n: Int
  private let p: Int
  /// Steps of the solution once more, and those of Λ.
  private let forward: ExplicitKernel<L>
  private let backward: ExplicitKernel<L>
  /// At the different times of stages, and which one a stage has.
  private let derivatives: StepDerivatives
  private let fractions: [Double]
  private let nodes: UnsafeMutablePointer<Int>
  /// The stage whose products are next.
  private let stage: UnsafeMutablePointer<Int>
  private let parameters: UnsafeMutablePointer<L>
  private let hasEstimate: Bool
  private let hasSecondEstimate: Bool
  private let errorExponent: Double
  /// The continuous extension of the solution: its terms by powers of the place, and h Σ B_jq k_j, `[power][component]`.
  private let outputTerms: [[StageTerm<Double>]]
  private let coefficients: UnsafeMutablePointer<L>
  /// Where steps begin, and how far they go.
  private let places: UnsafeMutablePointer<L>
  private let lengths: UnsafeMutablePointer<L>
  /// A place, time and state of a node.
  private let place: UnsafeMutablePointer<L>
  private let time: UnsafeMutablePointer<L>
  private let state: UnsafeMutablePointer<L>
  /// The matrices E of both estimates.
  private let errors: UnsafeMutablePointer<L>
  private let secondErrors: UnsafeMutablePointer<L>
  /// λ at the beginning of the steps that were taken, and 1 for these.
  private let cotangents: UnsafeMutablePointer<L>
  private let isTaken: UnsafeMutablePointer<L>
  /// What comes to the parameters from all steps of a lane: from this block, and from those before.
  private let blockSums: UnsafeMutablePointer<L>
  private let sums: UnsafeMutablePointer<L>
  /// The end of a step, a cotangent ahead, and the squares of errors.
  private let result: UnsafeMutablePointer<Double>
  private let prediction: UnsafeMutablePointer<Double>
  private let squares: UnsafeMutablePointer<Double>
  private let arena: Arena

  /// - Parameters:
  ///   - functions: the right-hand side, of as many groups as derivatives have.
  ///   - source: time, state and parameters to what is not constant in rows of ∂f/∂y and ∂f/∂p.
  init(_ tableau: RungeKuttaTableau, _ functions: RateFunctions<L>, _ source: ResidentSource) {
    let (n, p, width) = (functions.stateCount, functions.parameterCount, Self.width)
    (self.n, self.p) = (n, p)
    forward = ExplicitKernel(
      tableau, functions, relativeTolerance: 0, absoluteTolerances: [Double](repeating: 1, count: n))
    var fractions: [Double] = []
    let places = tableau.c.prefix(tableau.stageCount).map { c in
      if let known = fractions.firstIndex(of: c) { return known }
      fractions.append(c)
      return fractions.count - 1
    }
    self.fractions = fractions
    let derivatives = StepDerivatives(source, stateCount: n, parameterCount: p, nodeCount: fractions.count)
    self.derivatives = derivatives
    hasEstimate = !tableau.error.isEmpty
    hasSecondEstimate = !tableau.secondError.isEmpty
    errorExponent = Double(min(tableau.order, tableau.embeddedOrder) + 1)
    outputTerms = tableau.interpolation[0].indices.map { power in
      tableau.interpolation.enumerated().compactMap { stage, row in
        row[power] == 0 ? nil : StageTerm(offset: stage * n * width, weight: row[power])
      }
    }
    let sizes = [
      p * width, outputTerms.count * n * width, width, width, width, width, n * width, n * n * width,
      n * n * width, n * width, width, p, p,
    ]
    var measure = ArenaMeasure()
    for size in sizes { measure.take(L.self, size) }
    for size in [n, n, Self.stepCount] { measure.take(Double.self, size) }
    for size in [places.count, 1] { measure.take(Int.self, size) }
    var arena = Arena(byteCount: measure.byteCount)
    var arrays = sizes.map { arena.take(L.self, $0) }
    result = arena.take(Double.self, n)
    prediction = arena.take(Double.self, n)
    squares = arena.take(Double.self, Self.stepCount)
    let nodes = arena.take(Int.self, places.count)
    nodes.update(from: places, count: places.count)
    let stage = arena.take(Int.self, 1)
    (self.nodes, self.stage) = (nodes, stage)
    self.arena = arena
    parameters = arrays.removeFirst()
    coefficients = arrays.removeFirst()
    self.places = arrays.removeFirst()
    lengths = arrays.removeFirst()
    place = arrays.removeFirst()
    time = arrays.removeFirst()
    state = arrays.removeFirst()
    errors = arrays.removeFirst()
    secondErrors = arrays.removeFirst()
    cotangents = arrays.removeFirst()
    isTaken = arrays.removeFirst()
    blockSums = arrays.removeFirst()
    sums = arrays.removeFirst()
    backward = ExplicitKernel(
      tableau,
      RateFunctions<L>(
        stateCount: n * n, parameterCount: 0, width: width, bind: { _ in },
        rate: {
          derivatives.multiply(node: nodes[stage.pointee], $1, into: $2)
          stage.pointee &+= 1
        },
        pullback: { _, _, _, _, _ in preconditionFailure("the adjoint equation is not differentiated") }),
      relativeTolerance: 0, absoluteTolerances: [Double](repeating: 1, count: n * n))
  }

  /// Whether many steps of a trajectory can be taken at once, and are worth it.
  static func suits(_ record: StepRecord) -> Bool { record.stride == 1 && record.stepCount >= leastSteps }

  /// Begins with a trajectory of these parameters.
  func bind(_ values: UnsafePointer<Double>) {
    for q in 0..<p { for w in 0..<Self.width { parameters[q * Self.width + w] = L(values[q]) } }
    forward.functions.bind(parameters)
    derivatives.bind(parameters)
    sums.update(repeating: L(0.0), count: p)
    isTaken.update(repeating: L(0.0), count: Self.width)
  }

  /// Makes the matrices of at most ``stepCount`` steps.
  func prepare(_ record: StepRecord, _ steps: UnsafeBufferPointer<Step>) {
    let width = Self.width
    let (places, lengths) = (numbers(places), numbers(lengths))
    for k in 0..<Self.stepCount {
      // What is missing are copies of the last step.
      let step = steps[min(k, steps.count &- 1)]
      forward.setStart(ofLane: k, record, row: step.row)
      places[k] = step.from
      lengths[k] = step.from - step.to
    }
    forward.begin()
    forward.advance()
    forward.advanceExtraStages()
    setCoefficients()
    differentiate()
    var w = 0
    while w < width {
      // Time runs backwards, so that λ grows with +(∂f/∂y)ᵀ λ.
      backward.step[w] = forward.step[w] * self.lengths[w]
      isTaken[w] = L(0.0)
      w = w &+ 1
    }
    derivatives.setIdentity(backward.state)
    stage.pointee = 0
    backward.begin()
    backward.advance()
    if hasEstimate { backward.setErrors(errors, secondErrors) }
  }

  /// Computes the derivatives at the times of stages.
  private func differentiate() {
    let (n, width) = (n, Self.width)
    let size = n &* width
    let degree = outputTerms.count
    for (node, fraction) in fractions.enumerated() {
      var w = 0
      while w < width {
        place[w] = places[w] - lengths[w] * fraction
        time[w] = L.multiplyAdd(forward.step[w], place[w], forward.time[w])
        w = w &+ 1
      }
      var i = 0
      while i < size {
        w = 0
        while w < width {
          var sum = coefficients[(degree &- 1) &* size &+ i]
          var q = degree &- 2
          while q >= 0 {
            sum = L.multiplyAdd(sum, place[w], coefficients[q &* size &+ i])
            q = q &- 1
          }
          state[i] = L.multiplyAdd(sum, place[w], forward.state[i])
          i = i &+ 1
          w = w &+ 1
        }
      }
      derivatives.run(node: node, time, state)
    }
  }
  /// h Σ B_jq k_j of the continuous extensions.
  private func setCoefficients() {
    let size = n &* Self.width
    var q = 0
    while q < outputTerms.count {
      let terms = outputTerms[q]
      let target = coefficients + q &* size
      var i = 0
      while i < size {
        var sum = (L(0.0), L(0.0), L(0.0), L(0.0))
        var j = 0
        while j < terms.count {
          let rate = forward.rates + (terms[j].offset &+ i)
          let weight = terms[j].weight
          sum.0 = L.multiplyAdd(rate[0], scalar: weight, sum.0)
          sum.1 = L.multiplyAdd(rate[1], scalar: weight, sum.1)
          sum.2 = L.multiplyAdd(rate[2], scalar: weight, sum.2)
          sum.3 = L.multiplyAdd(rate[3], scalar: weight, sum.3)
          j = j &+ 1
        }
        target[i] = sum.0 * forward.step[0]
        target[i &+ 1] = sum.1 * forward.step[1]
        target[i &+ 2] = sum.2 * forward.step[2]
        target[i &+ 3] = sum.3 * forward.step[3]
        i = i &+ 4
      }
      q = q &+ 1
    }
  }

  /// Takes λ through prepared steps from `first` on, until after one after which λ changes, or before one whose error is too large. The errors
  /// of the steps after that are then known as well, as far as λ would get there without a change.
  /// - Returns: the first step that was not taken, the largest error of those that were, and whether one was refused.
  func advance(
    _ cotangent: UnsafeMutablePointer<Double>, _ steps: UnsafeBufferPointer<Step>, from first: Int,
    relativeTolerance: Double, absoluteTolerance: Double
  ) -> (end: Int, error: Double, isRefused: Bool) {
    let (n, result, count) = (n, result, Self.stepCount)
    let before = numbers(cotangents)
    let isTaken = numbers(isTaken)
    let least = max(absoluteTolerance, ExplicitKernel<Double>.leastTolerance)
    var step = first
    var largest = 0.0
    while step < steps.count {
      let square = map(cotangent, step, relativeTolerance, least)
      squares[step] = square
      guard square <= 1 else {
        predict(cotangent, step, steps.count, relativeTolerance, least)
        return (step, largest.squareRoot(), true)
      }
      largest = max(largest, square)
      var c = 0
      while c < n {
        before[c &* count &+ step] = cotangent[c]
        cotangent[c] = result[c]
        c = c &+ 1
      }
      isTaken[step] = 1
      step = step &+ 1
      if steps[step &- 1].isLast { break }
    }
    return (step, largest.squareRoot(), false)
  }
  /// The errors of steps after a refused one.
  private func predict(
    _ cotangent: UnsafePointer<Double>, _ refused: Int, _ end: Int, _ relativeTolerance: Double,
    _ least: Double
  ) {
    prediction.update(from: cotangent, count: n)
    for step in refused..<end {
      squares[step] = map(prediction, step, relativeTolerance, least)
      prediction.update(from: result, count: n)
    }
  }
  /// Sets the result of a step.
  /// - Returns: the square of its error in units of the tolerance; NaN if it is not finite.
  @inline(__always)
  private func map(
    _ cotangent: UnsafePointer<Double>, _ step: Int, _ relativeTolerance: Double, _ least: Double
  ) -> Double {
    let (n, count) = (n, Self.stepCount)
    let (maps, estimates) = (numbers(backward.result) + step, numbers(errors) + step)
    var (squares, secondSquares) = (0.0, 0.0)
    var c = 0
    while c < n {
      let row = c &* n &* count
      var (sum, error) = (0.0, 0.0)
      var k = 0
      while k < n {
        sum = Double.multiplyAdd(maps[row &+ k &* count], cotangent[k], sum)
        error = Double.multiplyAdd(estimates[row &+ k &* count], cotangent[k], error)
        k = k &+ 1
      }
      result[c] = sum
      let scale = Double.multiplyAdd(max(cotangent[c].magnitude, sum.magnitude), relativeTolerance, least)
      let ratio = error / scale
      squares = Double.multiplyAdd(ratio, ratio, squares)
      if hasSecondEstimate {
        let second = numbers(secondErrors) + (row &+ step)
        error = 0
        k = 0
        while k < n {
          error = Double.multiplyAdd(second[k &* count], cotangent[k], error)
          k = k &+ 1
        }
        secondSquares = Double.multiplyAdd(error / scale, error / scale, secondSquares)
      }
      c = c &+ 1
    }
    if !hasEstimate { return areFinite(UnsafePointer(result), count: n) ? 0 : .nan }
    let share = 1 / Double(n)
    let mean = squares * share
    if !hasSecondEstimate || mean == 0 { return mean }
    // As in the kernel.
    return mean * mean / (mean + 0.01 * secondSquares * share)
  }

  /// The error of a prepared step in units of the tolerance, once it was tried.
  func error(of step: Int) -> Double {
    // What is not finite is no small error: the larger of 0 and NaN is 0.
    squares[step].isNaN ? .infinity : squares[step].squareRoot()
  }
  /// Into how many parts steps are to be divided that had such an error in so many.
  func division(_ count: Int, error: Double) -> Int {
    guard error.isFinite else { return .max }
    let parts = Double(count) * Double.roughPower(max(error, 1e-20) / 0.6, 1 / errorExponent)
    return parts < 1e6 ? Int(parts.rounded(.up)) : .max
  }
  /// What part of an error is left in so many parts instead of fewer.
  func reduction(_ count: Int, _ fewer: Int) -> Double {
    Double.roughPower(Double(fewer) / Double(count), errorExponent)
  }

  /// Adds what the prepared steps that were taken do to the parameters' cotangents.
  func addIntegrals() {
    let width = Self.width
    let b = backward.tableau.b
    var w = 0
    while w < width {
      let isTaken = isTaken[w] .== L(1.0)
      if isTaken.anyTrue {
        blockSums.update(repeating: L(0.0), count: p)
        var stage = 0
        while stage < backward.stageCount {
          if b[stage] != 0 {
            derivatives.addParameterProducts(
              node: nodes[stage], group: w, weight: b[stage],
              stage == 0 ? nil : UnsafePointer(backward.stageStates + stage &* backward.size), cotangents,
              to: blockSums)
          }
          stage = stage &+ 1
        }
        var q = 0
        while q < p {
          let sum = blockSums[q] * backward.step[w]
          sums[q] = sums[q] + sum.replacing(with: L(0.0), where: .!isTaken)
          q = q &+ 1
        }
      }
      w = w &+ 1
    }
  }
  /// The sums over all steps taken since ``bind(_:)``.
  func addSums(to integrals: UnsafeMutablePointer<Double>) {
    for q in 0..<p { for lane in 0..<8 { integrals[q] += sums[q][lane] } }
  }
}
