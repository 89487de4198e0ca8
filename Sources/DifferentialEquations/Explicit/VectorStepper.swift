import Autodiff
import Lanes

/// For up to eight, and up to sixteen components.
typealias EightStepper = VectorStepper<SIMD8<Double>>
typealias SixteenStepper = VectorStepper<LanePair<SIMD8<Double>>>

/// An explicit method for a state of a few components: states and rates are one vector each, of eight numbers or a pair of those, as what
/// counts is how soon the next stage can begin.
///
/// Numbers are those of the kernel. Its memory has the rates of all stages as well; of states only that at the step's start.
final class VectorStepper<Vector: StateVector>: ExplicitStepper {
  private let hasEstimate: Bool
  private let hasSecondEstimate: Bool
  private let relativeTolerance: Double
  private let tolerances: Vector
  /// The square root of a component's share in the mean square.
  private let rootShare: Double
  /// Lanes without a component, whose numbers mean nothing.
  private let isUnused: Vector.Mask
  /// Weights of the stages' states, then those of the error estimates: `stageCount` for each.
  private let weights: UnsafeMutablePointer<Double>
  private let stageRates: UnsafeMutablePointer<Vector>
  private let startState: UnsafeMutablePointer<Vector>
  /// In the end the result.
  private let stageState: UnsafeMutablePointer<Vector>
  /// The right-hand side for all stages but the first.
  @exclusivity(unchecked) private var placed: PlacedProgram?
  private let arena: Arena

  /// Whether the state fits a vector, and each stage uses the rate of the one before it.
  static func suits(_ tableau: RungeKuttaTableau, stateCount: Int) -> Bool {
    stateCount <= Vector.laneCount
      && (1..<tableau.stageCount).allSatisfy { tableau.a[$0][$0 - 1] != 0 }
  }

  @specialized(where Vector == SIMD8<Double>)
  @specialized(where Vector == LanePair<SIMD8<Double>>)
  required init(
    _ tableau: RungeKuttaTableau, _ functions: RateFunctions<Double>, relativeTolerance: Double,
    absoluteTolerances: [Double]
  ) {
    let count = tableau.stageCount
    var tolerances = Vector(1)
    var isUnused = Vector.Mask(repeating: true)
    for (c, tolerance) in absoluteTolerances.enumerated() {
      tolerances[lane: c] = tolerance
      isUnused[lane: c] = false
    }
    self.tolerances = tolerances
    self.isUnused = isUnused
    self.relativeTolerance = relativeTolerance
    rootShare = (1 / Double(functions.stateCount)).squareRoot
    hasEstimate = !tableau.error.isEmpty
    hasSecondEstimate = !tableau.secondError.isEmpty
    let rows = tableau.a.prefix(count) + [tableau.error, tableau.secondError]
    var measure = ArenaMeasure()
    measure.take(Vector.self, count)
    for _ in 0..<2 { measure.take(Vector.self, 1) }
    measure.take(Double.self, rows.count * count)
    var arena = Arena(byteCount: measure.byteCount)
    stageRates = arena.take(Vector.self, count)
    startState = arena.take(Vector.self, 1)
    stageState = arena.take(Vector.self, 1)
    weights = arena.take(Double.self, rows.count * count)
    self.arena = arena
    for (row, values) in rows.enumerated() {
      for (k, value) in values.prefix(count).enumerated() { weights[row * count + k] = value }
    }
    super.init(
      tableau, functions, relativeTolerance: relativeTolerance, absoluteTolerances: absoluteTolerances)
    placed = functions.placedRate?(
      kernel.stageTime, UnsafePointer(OpaquePointer(stageState)),
      (1..<count).map { kernel.rates + $0 * functions.stateCount })
  }

  override var result: UnsafeMutablePointer<Double> { UnsafeMutablePointer(OpaquePointer(stageState)) }
  @specialized(where Vector == SIMD8<Double>)
  @specialized(where Vector == LanePair<SIMD8<Double>>)
  override func replay(all: Bool) {
    super.replay(all: all)
    stageState.pointee = Vector.reading(kernel.result, isShort: false)
  }
  override func worstComponent() -> Int {
    kernel.result.update(from: result, count: kernel.stateCount)
    return super.worstComponent()
  }

  @specialized(where Vector == SIMD8<Double>)
  @specialized(where Vector == LanePair<SIMD8<Double>>)
  override func begin() {
    kernel.begin()
    stageRates[0] = Vector.reading(kernel.rates, isShort: false)
    startState.pointee = Vector.reading(kernel.state, isShort: false)
  }
  @specialized(where Vector == SIMD8<Double>)
  @specialized(where Vector == LanePair<SIMD8<Double>>)
  override func accept() {
    let n = kernel.stateCount
    let last = kernel.stageCount &- 1
    stageRates[0] = stageRates[last]
    startState.pointee = stageState.pointee
    let (state, result, rate, endRate) = (kernel.state, result, kernel.rates, kernel.rates + last &* n)
    var c = 0
    while c < n {
      state[c] = result[c]
      rate[c] = endRate[c]
      c = c &+ 1
    }
  }

  override func attempt() -> Double { attempt(from: kernel.time.pointee, by: kernel.step.pointee) }
  @specialized(where Vector == SIMD8<Double>)
  @specialized(where Vector == LanePair<SIMD8<Double>>)
  override func attempt(from time: Double, by step: Double) -> Double {
    kernel.time.pointee = time
    kernel.step.pointee = step
    return kernel.stateCount <= Vector.shortCount
      ? attempt(from: time, by: step, isShort: true) : attempt(from: time, by: step, isShort: false)
  }
  @inline(__always)
  private func attempt(from time: Double, by step: Double, isShort: Bool) -> Double {
    let n = kernel.stateCount
    let count = kernel.stageCount
    let start = startState.pointee
    let h = Vector(step)
    let placed = placed
    var newest = stageRates[0]
    var end = start
    /// The sum over all stages before `stage` but the newest.
    @inline(__always) func older(_ row: UnsafePointer<Double>, _ stage: Int) -> Vector {
      if stage == 1 { return Vector(0.0) }
      var sum = Vector.multiply(stageRates[0], scalar: row[0])
      if stage == 2 { return sum }
      sum = Vector.multiplyAdd(stageRates[1], scalar: row[1], sum)
      if stage == 3 { return sum }
      sum = Vector.multiplyAdd(stageRates[2], scalar: row[2], sum)
      if stage == 4 { return sum }
      sum = Vector.multiplyAdd(stageRates[3], scalar: row[3], sum)
      if stage == 5 { return sum }
      sum = Vector.multiplyAdd(stageRates[4], scalar: row[4], sum)
      var k = 5
      while k < stage &- 1 {
        sum = Vector.multiplyAdd(stageRates[k], scalar: row[k], sum)
        k = k &+ 1
      }
      return sum
    }
    // What changes is passed: captured, it may end up in boxes.
    @inline(__always) func evaluate(_ stage: Int, _ newest: inout Vector, _ end: inout Vector) {
      let row = weights + stage &* count
      let sum = Vector.multiplyAdd(older(row, stage), h, start)
      end = Vector.multiplyAdd(newest, scalar: step * row[stage &- 1], sum)
      end.write(to: stageState, isShort: isShort)
      kernel.stageTime.pointee = Double.multiplyAdd(step, kernel.stageTimes[stage], time)
      let place = kernel.rates + stage &* n
      if let placed {
        placed.run(stage &- 1)
      } else {
        functions.rate(kernel.stageTime, UnsafePointer(OpaquePointer(stageState)), place)
      }
      newest = Vector.reading(place, isShort: isShort)
      stageRates[stage] = newest
    }
    if count == 7 {
      evaluate(1, &newest, &end)
      evaluate(2, &newest, &end)
      evaluate(3, &newest, &end)
      evaluate(4, &newest, &end)
      evaluate(5, &newest, &end)
      evaluate(6, &newest, &end)
    } else {
      var stage = 1
      while stage < count {
        evaluate(stage, &newest, &end)
        stage = stage &+ 1
      }
    }
    if !hasEstimate { return areFinite(UnsafePointer(result), count: n) ? 0 : .nan }
    let larger = Vector.maximum(start.magnitude, end.magnitude)
    let scale = Vector.multiplyAdd(larger, scalar: relativeTolerance, tolerances)
    // Known before the newest rate is.
    let inverse = Vector(rootShare) / Vector.maximum(scale, Vector(ExplicitKernel<Double>.leastTolerance))
    @inline(__always) func norm(_ row: UnsafePointer<Double>, _ newest: Vector) -> Double {
      let error = Vector.multiplyAdd(newest, scalar: step * row[count &- 1], older(row, count) * h)
      let ratio = (error * inverse).replacing(with: Vector(0.0), where: isUnused)
      let squares = ratio * ratio
      return squares.sum(isShort: isShort).squareRoot
    }
    let first = norm(weights + count &* count, newest)
    if !hasSecondEstimate { return first }
    // As in the kernel.
    let second = norm(weights + (count &+ 1) &* count, newest)
    let (p, q) = (first * first, second * second)
    return p == 0 ? 0 : p / (p + 0.01 * q).squareRoot
  }
}
