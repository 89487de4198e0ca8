/// Which changes of an event function's sign count.
public enum EventDirection: Sendable, Hashable {
  /// From negative to positive.
  case rising
  /// From positive to negative.
  case falling
  /// Both.
  case either
}

/// Events of one trajectory, as functions of numbers.
struct EventFunctions {
  var directions: [EventDirection]
  /// Events that end the solution.
  var isTerminal: [Bool]
  /// The event functions, whose roots are events.
  var values: (_ time: Double, _ state: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Double>) -> Void
  /// The state after an event.
  var jump:
    (_ event: Int, _ time: Double, _ state: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Double>) ->
      Void
  /// The cotangent of the state before an event; those of the parameters are added to. The times of steps stand still.
  var pullback:
    (
      _ event: Int, _ time: Double, _ state: UnsafePointer<Double>, _ cotangent: UnsafeMutablePointer<Double>,
      _ parameters: UnsafeMutablePointer<Double>
    ) -> Void

  var count: Int { directions.count }

  /// The first event in a pair of values, if one changes its sign as it should.
  func crosses(_ event: Int, _ before: Double, _ after: Double) -> Bool {
    switch directions[event] {
    case .rising: before < 0 && after >= 0
    case .falling: before > 0 && after <= 0
    case .either: (before < 0 && after >= 0) || (before > 0 && after <= 0)
    }
  }
}
