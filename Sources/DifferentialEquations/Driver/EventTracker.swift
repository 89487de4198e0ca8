/// Watches event functions over the steps of a solution, and finds where they change sign.
struct EventTracker {
  private let functions: EventFunctions
  private var before: [Double]
  private var after: [Double]
  private var state: [Double] = []
  /// The event that has just happened: its function is zero up to rounding.
  private var latest: Int?

  /// Places within a step that are looked at, so that two changes of sign in one step are seen.
  private static let places = [1.0 / 1024, 0.25, 0.5, 0.75, 1.0]

  init(_ functions: EventFunctions) {
    self.functions = functions
    before = [Double](repeating: 0, count: functions.count)
    after = before
  }

  mutating func start(_ time: Double, _ state: UnsafePointer<Double>) {
    functions.values(time, state, &before)
  }
  mutating func restart(_ event: Int, _ time: Double, _ state: UnsafePointer<Double>) {
    functions.values(time, state, &before)
    latest = event
  }
  mutating func advance() { latest = nil }

  /// The first event of the step that the stepper has just made.
  mutating func find(_ stepper: Stepper, _ time: Double, _ step: Double) -> (event: Int, time: Double)? {
    let n = stepper.stateCount
    if state.count != n { state = [Double](repeating: 0, count: n) }
    var last = 0.0
    for place in Self.places {
      if place == 1 {
        functions.values(time + step, stepper.result, &after)
      } else {
        stepper.output(at: place, into: &state)
        functions.values(time + place * step, state, &after)
      }
      // Right after an event its function says nothing until it has left zero.
      if let latest, last == 0 { before[latest] = after[latest] }
      var first: (event: Int, place: Double)?
      for event in 0..<functions.count where functions.crosses(event, before[event], after[event]) {
        let root = rootPlace(event, stepper, time, step, last, place)
        if first == nil || root < first!.place { first = (event, root) }
      }
      if let first { return (first.event, polished(first.event, stepper, time, step, first.place)) }
      before = after
      last = place
    }
    return nil
  }

  /// The root of an event function on the continuous extension, between two places (Illinois' variant of the false
  /// position).
  private mutating func rootPlace(
    _ event: Int, _ stepper: Stepper, _ time: Double, _ step: Double, _ lower: Double, _ upper: Double
  ) -> Double {
    func value(_ place: Double) -> Double {
      var values = [Double](repeating: 0, count: functions.count)
      var state = [Double](repeating: 0, count: stepper.stateCount)
      stepper.output(at: place, into: &state)
      functions.values(time + place * step, state, &values)
      return values[event]
    }
    var (a, b) = (lower, upper)
    var (fa, fb) = (before[event], after[event])
    for _ in 0..<60 where (b - a) > 1e-15 && fb != 0 {
      var place = b - fb * (b - a) / (fb - fa)
      if !(place > a && place < b) { place = (a + b) / 2 }
      let f = value(place)
      if (f < 0) == (fa < 0) && f != 0 {
        (a, fa) = (place, f)
        fb /= 2
      } else {
        (b, fb) = (place, f)
        fa /= 2
        if f == 0 { break }
      }
    }
    return b
  }

  /// The event's time as the root of its function on the step itself, which is more accurate than its continuous extension: a
  /// few steps of the secant method on steps of other sizes.
  private func polished(_ event: Int, _ stepper: Stepper, _ time: Double, _ step: Double, _ place: Double)
    -> Double
  {
    var values = [Double](repeating: 0, count: functions.count)
    func value(_ size: Double) -> Double {
      let end = time + size
      stepper.step.pointee = end - time
      guard stepper.attempt().isFinite else { return .nan }
      functions.values(end, stepper.result, &values)
      return values[event]
    }
    var size = place * step
    var f = value(size)
    var best = (size: size, value: f.magnitude)
    var other = size * (1 + 1e-4)
    var fOther = value(other)
    for _ in 0..<8 where f != 0 && f.isFinite && fOther.isFinite && f != fOther {
      let next = size - f * (size - other) / (f - fOther)
      guard next.isFinite, (next - size).magnitude <= 0.5 * step.magnitude, next / step > 0 else { break }
      (other, fOther) = (size, f)
      size = next
      f = value(size)
      if f.magnitude < best.value { best = (size, f.magnitude) } else if f != 0 { break }
    }
    return time + best.size
  }
}
