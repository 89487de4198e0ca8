import Autodiff
import Lanes
import Synchronization

/// Events of a traced equation, as programs.
///
/// What happens at an event is a map of the state at a fixed time t*, that of the event where derivatives are taken: the state moves along
/// the old branch by δ to the true time of the event, jumps there, and moves back by δ along the new branch. Its value is that of the
/// jump, as δ is zero; its derivative is that of the jump and of the event's time together (the saltation matrix), because δ depends on
/// state and parameters: two steps of Newton's method on g(t* + δ, y(t* + δ)) = 0, with steps of a Runge–Kutta method of order 4 for the
/// moves, which are exact to the third derivative.
final class TracedEvents: Sendable {
  /// Time, state and parameters to the values of all event functions.
  let values: Program
  /// For each event the map of states; of a terminal event the identity.
  let maps: [Program]
  let directions: [EventDirection]
  let isTerminal: [Bool]
  private let made = Mutex(Made())

  private struct Made: Sendable {
    var values: ResidentSource?
    var maps: [Int: ResidentSource] = [:]
    var pullbacks: [Int: ResidentSource] = [:]
  }

  init(values: Program, maps: [Program], directions: [EventDirection], isTerminal: [Bool]) {
    self.values = values
    self.maps = maps
    self.directions = directions
    self.isTerminal = isTerminal
  }

  /// The events of state and tangent.
  func tangents(stateCount n: Int, parameterCount p: Int) throws -> TracedEvents {
    let zeros = [Tensor.zeros([]), Tensor.zeros([2 * n]), Tensor.zeros([2 * p])]
    let values = values
    let primal = try stage({ (a: [Tensor]) in try values([a[0], a[1][0..<n], a[2][0..<p]]) }, zeros).program
    let maps = try maps.map { map in
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (value, tangent) = try jvp(
            { (x: [Tensor]) in try map([a[0]] + x)[0] }, at: [a[1][0..<n], a[2][0..<p]],
            along: [a[1][n..<2 * n], a[2][p..<2 * p]])
          return [concatenate([value, tangent])]
        }, zeros
      ).program
    }
    return TracedEvents(values: primal, maps: maps, directions: directions, isTerminal: isTerminal)
  }

  /// The events of a state and the columns of its derivatives.
  func sensitivities(stateCount n: Int, parameterCount p: Int) throws -> TracedEvents {
    let directions = TracedEquation.sensitivityDirections(n, p)
    let columns = directions.shape[0]
    let zeros = [Tensor.zeros([]), Tensor.zeros([n * (1 + columns)]), Tensor.zeros([p])]
    let values = values
    let primal = try stage({ (a: [Tensor]) in try values([a[0], a[1][0..<n], a[2]]) }, zeros).program
    let maps = try maps.map { map in
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let state = a[1][0..<n]
          let derivatives = a[1][n..<n * (1 + columns)].reshaped([columns, n])
          let tangents = try vmap { (x: [Tensor]) throws -> Tensor in
            try jvp({ (y: [Tensor]) in try map([a[0]] + y)[0] }, at: [state, a[2]], along: x).tangent
          }([derivatives, directions])
          return [concatenate([try map([a[0], state, a[2]])[0], tangents.flattened])]
        }, zeros
      ).program
    }
    return TracedEvents(values: primal, maps: maps, directions: self.directions, isTerminal: isTerminal)
  }

  /// Compiles what the functions need.
  func prepare(pullback: Bool) throws {
    if made.withLock({ $0.values == nil }) {
      let source = try ResidentSource(values)
      let sources = try maps.map { try ResidentSource($0) }
      made.withLock {
        $0.values = source
        for (k, source) in sources.enumerated() { $0.maps[k] = source }
      }
    }
    guard pullback else { return }
    for (k, map) in maps.enumerated() where made.withLock({ $0.pullbacks[k] == nil }) {
      let (n, p) = (map.inputTypes[1].count, map.inputTypes[2].count)
      let staged = try withTensorErrors {
        try stage(
          { (a: [Tensor]) throws -> [Tensor] in
            let (_, pullback) = try vjp({ (x: [Tensor]) in try map([a[0]] + x)[0] }, at: [a[1], a[2]])
            let cotangents = try pullback(a[3])
            return [cotangents[0], a[4] + cotangents[1]]
          },
          [Tensor.zeros([])] + [n, p, n, p].map { Tensor.zeros([$0]) })
      }
      let source = try ResidentSource(staged.program)
      made.withLock { $0.pullbacks[k] = source }
    }
  }

  /// One thread's functions, for a trajectory's parameters. Must have been prepared.
  func functions(parameters: UnsafePointer<Double>) -> EventFunctions {
    let sources = made.withLock { $0 }
    func program(_ source: ResidentSource?) -> ResidentProgram<Double> {
      guard let source else { preconditionFailure("the events were not prepared") }
      return ResidentProgram(source, isFixed: source.inputTypes.map { _ in false })
    }
    let value = program(sources.values)
    let maps = maps.indices.map { program(sources.maps[$0]) }
    let pullbacks = maps.indices.map { k in sources.pullbacks[k].map { program($0) } }
    return EventFunctions(
      directions: directions, isTerminal: isTerminal,
      values: { time, state, result in
        var time = time
        withUnsafePointer(to: &time) { time in
          value.inputs[0] = time
          value.inputs[1] = state
          value.inputs[2] = parameters
          value.outputs[0] = result
          value.run()
        }
      },
      jump: { event, time, state, result in
        var time = time
        withUnsafePointer(to: &time) { time in
          let map = maps[event]
          map.inputs[0] = time
          map.inputs[1] = state
          map.inputs[2] = parameters
          map.outputs[0] = result
          map.run()
        }
      },
      pullback: { event, time, state, cotangent, parameterCotangents in
        guard let pullback = pullbacks[event] else { preconditionFailure("the events were not prepared") }
        var time = time
        withUnsafePointer(to: &time) { time in
          pullback.inputs[0] = time
          pullback.inputs[1] = state
          pullback.inputs[2] = parameters
          pullback.inputs[3] = UnsafePointer(cotangent)
          pullback.inputs[4] = UnsafePointer(parameterCotangents)
          pullback.outputs[0] = cotangent
          pullback.outputs[1] = parameterCotangents
          pullback.run()
        }
      })
  }

  /// The time of an event and the state there, from a time very near: two steps of Newton's method along the solution.
  static func refined(
    _ rate: Program, _ function: Program, _ time: Tensor, _ state: Tensor, _ parameters: Tensor
  ) throws -> (time: Tensor, state: Tensor) {
    var (t, y) = (time, state)
    for _ in 0..<2 {
      let slope = try rate([t, y, parameters])[0]
      let (value, change) = try jvp(
        { (x: [Tensor]) in try function([x[0], x[1], parameters])[0] }, at: [t, y],
        along: [Tensor.ones([]), slope])
      let step = -value / change
      y = try microStep(rate, t, y, parameters, by: step)
      t = t + step
    }
    return (t, y)
  }

  /// The map of states at an event; see the type.
  static func map(_ rate: Program, _ function: Program, _ jump: Program) throws -> Program {
    let (n, p) = (rate.inputTypes[1].count, rate.inputTypes[2].count)
    return try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (time, before) = try refined(rate, function, a[0], a[1], a[2])
          let after = try jump([time, before, a[2]])[0]
          return [try microStep(rate, time, after, a[2], by: a[0] - time)]
        }, [Tensor.zeros([]), Tensor.zeros([n]), Tensor.zeros([p])]
      ).program
    }
  }
}
