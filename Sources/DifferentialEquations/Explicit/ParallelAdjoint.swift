import Lanes

/// The reverse sweep over one trajectory of few components, many steps at once.
///
/// The derivatives ∂y⁺/∂y and ∂y⁺/∂p of a step need no more than the state at its start. So lanes take steps and lane groups take
/// components of the end y⁺, whose unit cotangents they pull back; one step after the other is left only ȳ = (∂y⁺/∂y)ᵀ ȳ⁺.
final class ParallelAdjoint {
  typealias L = SIMD8<Double>
  private let kernel: ExplicitKernel<L>
  private let n: Int
  private let p: Int
  private let width: Int
  /// Steps at a time.
  private let stepCount: Int
  /// `[component][step / 8][component of the end]`, likewise of parameters.
  private let cotangents: UnsafeMutablePointer<L>
  private let parameterCotangents: UnsafeMutablePointer<L>
  private let parameters: UnsafeMutablePointer<L>
  /// The cotangents of the ends, `[step / 8][component]`, and what comes to the parameters from all steps of a lane.
  private let endCotangents: UnsafeMutablePointer<L>
  private let sums: UnsafeMutablePointer<L>
  /// Times, and states, of steps at the beginning that are fewer.
  private let times: UnsafeMutablePointer<Double>
  private let states: UnsafeMutablePointer<Double>
  private let group: UnsafeMutablePointer<L>
  private let before: UnsafeMutablePointer<Double>
  private let arena: Arena

  /// Steps are worth this if lanes do more steps than groups there are.
  private static let largestState = 5
  /// Lane groups for a state of so many components; nil: it has too many.
  static func width(stateCount n: Int) -> Int? { n > largestState ? nil : n * min(4, 9 / n) }
  /// Trajectories with fewer steps are taken back one step after the other.
  private static let leastSteps = 10

  /// - Parameter functions: of so many groups as ``width(stateCount:)`` says.
  init(_ tableau: RungeKuttaTableau, _ functions: RateFunctions<L>, tolerances: [Double]) {
    kernel = ExplicitKernel(tableau, functions, relativeTolerance: 0, absoluteTolerances: tolerances)
    let (n, p, width) = (functions.stateCount, functions.parameterCount, functions.width)
    (self.n, self.p, self.width) = (n, p, width)
    let steps = 8 * (width / n)
    stepCount = steps
    var measure = ArenaMeasure()
    measure.take(L.self, n * width)
    for _ in 0..<2 { measure.take(L.self, p * width) }
    measure.take(L.self, width)
    measure.take(L.self, p)
    measure.take(Double.self, steps + 1)
    measure.take(Double.self, steps * n)
    for _ in 0..<2 { measure.take(L.self, n) }
    var arena = Arena(byteCount: measure.byteCount)
    cotangents = arena.take(L.self, n * width)
    parameterCotangents = arena.take(L.self, p * width)
    parameters = arena.take(L.self, p * width)
    endCotangents = arena.take(L.self, width)
    sums = arena.take(L.self, p)
    times = arena.take(Double.self, steps + 1)
    states = arena.take(Double.self, steps * n)
    group = arena.take(L.self, n)
    before = arena.take(Double.self, n)
    self.arena = arena
  }

  /// Whether many steps of a trajectory can be taken at once, and are worth it.
  static func suits(_ record: StepRecord, outputCount: Int) -> Bool {
    record.stride == 1 && record.jumps.isEmpty && record.stepCount >= leastSteps
      && outputCount * 4 < record.stepCount
  }

  /// As ``TrajectoryAdjoint``, of a trajectory that ``suits(_:outputCount:)``.
  /// - Parameter stepper: one of the same method, with the parameters bound, for steps with outputs between their ends.
  /// - Returns: false if that has to do it, as derivatives are not finite.
  func reverse(
    _ record: StepRecord, outputTimes: UnsafeBufferPointer<Double>, cotangents rows: UnsafePointer<Double>,
    parameters values: UnsafePointer<Double>, with stepper: Stepper,
    into cotangent: UnsafeMutablePointer<Double>,
    parameters parameterCotangent: UnsafeMutablePointer<Double>
  ) -> Bool {
    let steps = record.stepCount
    let direction = record.times[1] < record.times[0] ? -1.0 : 1.0
    for q in 0..<p { for w in 0..<width { parameters[q * width + w] = L(values[q]) } }
    kernel.functions.bind(parameters)
    sums.update(repeating: L(0.0), count: p)
    cotangent.update(repeating: 0, count: n)
    var output = outputTimes.count - 1
    var end = steps
    while end > 0 {
      let start = max(end - stepCount, 0)
      differentiate(record, start..<end)
      endCotangents.update(repeating: L(0.0), count: width)
      let ends = UnsafeMutableRawPointer(endCotangents).assumingMemoryBound(to: Double.self)
      let matrices = UnsafeRawPointer(cotangents).assumingMemoryBound(to: Double.self)
      var step = end - 1
      while step >= start {
        let (time, next) = (record.times[step], record.times[step + 1])
        while output >= 0 && outputTimes[output] == next {
          for c in 0..<n { cotangent[c] += rows[output * n + c] }
          output -= 1
        }
        if output >= 0 && (outputTimes[output] - time) * direction > 0 {
          reverse(
            record, step, outputTimes, rows, direction, &output, with: stepper, cotangent, parameterCotangent)
        } else {
          let place = (step &- start) / 8 &* n &* 8 &+ (step &- start) % 8
          var c = 0
          while c < n {
            before[c] = cotangent[c]
            ends[place &+ c &* 8] = cotangent[c]
            c = c &+ 1
          }
          c = 0
          while c < n {
            let row = matrices + (c &* width &* 8 &+ place)
            var sum = 0.0
            var k = 0
            while k < n {
              sum = Double.multiplyAdd(row[k &* 8], before[k], sum)
              k = k &+ 1
            }
            cotangent[c] = sum
            c = c &+ 1
          }
        }
        step = step &- 1
      }
      for q in 0..<p {
        var sum = sums[q]
        for w in 0..<width {
          sum = L.multiplyAdd(parameterCotangents[q &* width &+ w], endCotangents[w], sum)
        }
        sums[q] = sum
      }
      end = start
    }
    while output >= 0 {
      for c in 0..<n { cotangent[c] += rows[output * n + c] }
      output -= 1
    }
    for q in 0..<p { for lane in 0..<8 { parameterCotangent[q] += sums[q][lane] } }
    // What is too large for a matrix may still be finite as a product.
    return areFinite(cotangent, count: n) && areFinite(parameterCotangent, count: p)
  }

  /// Sets the derivatives of recorded steps.
  private func differentiate(_ record: StepRecord, _ range: Range<Int>) {
    var source = (times: record.times + range.lowerBound, states: record.states + range.lowerBound * n)
    if range.count < stepCount {
      // What is missing are steps of size zero.
      for step in 0..<stepCount {
        let row = min(step, range.count - 1)
        times[step] = source.times[min(step, range.count)]
        for c in 0..<n { states[step * n + c] = source.states[row * n + c] }
      }
      times[stepCount] = times[stepCount - 1]
      source = (times, states)
    }
    for v in 0..<width / n {
      let start = UnsafeRawPointer(source.times + 8 * v)
      let time = start.loadUnaligned(as: L.self)
      let size = (start + 8).loadUnaligned(as: L.self) - time
      Double.transpose(
        source.states + 8 * v * n, rows: 8, columns: n, stride: n,
        into: UnsafeMutableRawPointer(group).assumingMemoryBound(to: Double.self), stride: 8)
      for k in 0..<n {
        let w = v * n + k
        kernel.time[w] = time
        kernel.step[w] = size
        for c in 0..<n {
          kernel.state[c * width + w] = group[c]
          cotangents[c * width + w] = L(c == k ? 1 : 0)
        }
      }
    }
    parameterCotangents.update(repeating: L(0.0), count: p * width)
    kernel.replayAndReverse(cotangents, parameters: parameterCotangents)
  }

  /// One step with outputs between its ends.
  private func reverse(
    _ record: StepRecord, _ step: Int, _ outputTimes: UnsafeBufferPointer<Double>,
    _ rows: UnsafePointer<Double>, _ direction: Double, _ output: inout Int, with stepper: Stepper,
    _ cotangent: UnsafeMutablePointer<Double>, _ parameterCotangent: UnsafeMutablePointer<Double>
  ) {
    stepper.restoreStart(record, row: step)
    stepper.replay(all: true, rates: record.stages(ofStep: step))
    stepper.clearOutputs()
    let time = record.times[step]
    let size = record.times[step + 1] - time
    before.update(repeating: 0, count: n)
    while output >= 0 && (outputTimes[output] - time) * direction > 0 {
      stepper.addOutput(rows + output * n, at: (outputTimes[output] - time) / size, to: before)
      output -= 1
    }
    stepper.reverse(cotangent, parameters: parameterCotangent, outputs: before)
  }
}
