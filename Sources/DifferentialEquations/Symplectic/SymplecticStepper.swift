import Lanes

/// A composition of kicks and drifts: of a state (q, v) whose rates are q' = g(v), v' = a(t, q), each part is moved in turn with the other
/// held fixed, which keeps volumes in phase space.
///
/// The continuous extension is Hermite's cubic through the ends.
final class SymplecticStepper: Stepper {
  /// One part of a step: momenta are kicked, or positions drift, for a fraction of the step.
  struct Substep: Sendable {
    var isKick: Bool
    var fraction: Double
  }
  private let substeps: [Substep]
  private let isPosition: [Bool]
  private let n: Int
  private let memory: StepMemory
  private let base: UnsafeMutablePointer<Double>
  /// The states before each part, and at the end.
  private var stages: UnsafeMutablePointer<Double> { base + 2 + 6 * n }

  /// Kick for half a step, drift, kick for half a step: order 2.
  static let leapfrog = [
    Substep(isKick: true, fraction: 0.5), Substep(isKick: false, fraction: 1),
    Substep(isKick: true, fraction: 0.5),
  ]
  /// Leapfrogs of these fractions of the step one after the other.
  private static func composed(_ fractions: [Double]) -> [Substep] {
    var result: [Substep] = []
    for fraction in fractions {
      for part in leapfrog {
        let scaled = part.fraction * fraction
        if part.isKick, let last = result.last, last.isKick {
          result[result.count - 1].fraction += scaled
        } else {
          result.append(Substep(isKick: part.isKick, fraction: scaled))
        }
      }
    }
    return result
  }
  /// H. Yoshida, Construction of higher order symplectic integrators, Phys. Lett. A 150 (1990): order 4.
  static let yoshida4: [Substep] = {
    let root = Double.power(2, 1.0 / 3)
    let outer = 1 / (2 - root)
    return composed([outer, 1 - 2 * outer, outer])
  }()
  /// Order 6, solution A of the same paper.
  static let yoshida6: [Substep] = {
    let (w1, w2, w3) = (-1.177_679_984_178_87, 0.235_573_213_359_357, 0.784_513_610_477_560)
    return composed([w3, w2, w1, 1 - 2 * (w1 + w2 + w3), w1, w2, w3])
  }()

  /// - Parameter functions: of a state whose first half is positions and whose second half is velocities or momenta; of a state with
  ///   its tangent, of such states after each other.
  init(_ substeps: [Substep], _ functions: RateFunctions<Double>) {
    self.substeps = substeps
    n = functions.stateCount
    let phase = functions.phaseCount
    isPosition = (0..<functions.stateCount).map { $0 % phase < phase / 2 }
    let count = 2 + functions.stateCount * (7 + substeps.count)
    memory = StepMemory(count)
    base = memory.take(count)
    super.init(functions)
  }

  override var time: UnsafeMutablePointer<Double> { base }
  override var step: UnsafeMutablePointer<Double> { base + 1 }
  override var state: UnsafeMutablePointer<Double> { stages }
  override var result: UnsafeMutablePointer<Double> { stages + substeps.count * n }
  override var startRate: UnsafeMutablePointer<Double> { base + 2 }
  private var endRate: UnsafeMutablePointer<Double> { base + 2 + n }
  private var rate: UnsafeMutablePointer<Double> { base + 2 + 2 * n }
  private var cotangentOfRate: UnsafeMutablePointer<Double> { base + 2 + 3 * n }
  private var pulled: UnsafeMutablePointer<Double> { base + 2 + 4 * n }
  private var startRateCotangent: UnsafeMutablePointer<Double> { base + 2 + 5 * n }
  private var endRateCotangent = [Double]()

  override func begin() { functions.rate(time, state, startRate) }

  /// The time within the step at which a part's rates are evaluated: that of the positions.
  private func partTime(_ part: Int) -> Double {
    var sum = 0.0
    for k in 0..<part where !substeps[k].isKick { sum += substeps[k].fraction }
    return time.pointee + step.pointee * sum
  }
  private func move() {
    for (k, part) in substeps.enumerated() {
      let source = stages + k * n
      let target = source + n
      var at = partTime(k)
      functions.rate(&at, source, rate)
      for c in 0..<n {
        target[c] =
          isPosition[c] != part.isKick ? source[c] + part.fraction * step.pointee * rate[c] : source[c]
      }
    }
  }
  override func attempt() -> Double {
    move()
    return (0..<n).allSatisfy { result[$0].isFinite } ? 0 : .nan
  }
  override func worstComponent() -> Int { (0..<n).first { !result[$0].isFinite } ?? 0 }
  override func accept() {
    state.update(from: result, count: n)
    begin()
  }

  private static func hermite(_ theta: Double) -> (end: Double, startRate: Double, endRate: Double) {
    let square = theta * theta
    return (square * (3 - 2 * theta), theta * (1 - theta) * (1 - theta), square * (theta - 1))
  }
  override func prepareOutputs() {
    var end = time.pointee + step.pointee
    functions.rate(&end, result, endRate)
  }
  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    let weights = Self.hermite(place)
    for c in 0..<n {
      target[c] =
        state[c] + weights.end * (result[c] - state[c])
        + step.pointee * (weights.startRate * startRate[c] + weights.endRate * endRate[c])
    }
  }

  // MARK: Reverse

  override func replay(all: Bool) {
    if all { begin() }
    move()
    if all { prepareOutputs() }
  }
  override func clearOutputs() {
    startRateCotangent.update(repeating: 0, count: n)
    // Cotangents of the end's rate, and of its state.
    endRateCotangent = [Double](repeating: 0, count: 2 * n)
  }
  override func addOutput(
    _ cotangent: UnsafePointer<Double>, at place: Double, to stateCotangent: UnsafeMutablePointer<Double>
  ) {
    let weights = Self.hermite(place)
    for c in 0..<n {
      stateCotangent[c] += (1 - weights.end) * cotangent[c]
      startRateCotangent[c] += step.pointee * weights.startRate * cotangent[c]
      endRateCotangent[c] += step.pointee * weights.endRate * cotangent[c]
      endRateCotangent[n + c] += weights.end * cotangent[c]
    }
  }
  override func reverse(
    _ cotangent: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>,
    outputs: UnsafeMutablePointer<Double>?
  ) {
    if outputs != nil {
      var end = time.pointee + step.pointee
      functions.pullback(&end, result, endRateCotangent, pulled, parameters)
      for c in 0..<n { cotangent[c] += pulled[c] + endRateCotangent[n + c] }
    }
    for (k, part) in substeps.enumerated().reversed() {
      for c in 0..<n {
        cotangentOfRate[c] = isPosition[c] != part.isKick ? part.fraction * step.pointee * cotangent[c] : 0
      }
      var at = partTime(k)
      functions.pullback(&at, stages + k * n, cotangentOfRate, pulled, parameters)
      for c in 0..<n { cotangent[c] += pulled[c] }
    }
    if let outputs {
      functions.pullback(time, state, startRateCotangent, pulled, parameters)
      for c in 0..<n { cotangent[c] += pulled[c] + outputs[c] }
    }
  }
}
