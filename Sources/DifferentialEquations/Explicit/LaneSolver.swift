import Lanes

/// The data of a batch: rows of numbers, one for each trajectory.
struct BatchProblem: @unchecked Sendable {
  var stateCount: Int
  var parameterCount: Int
  /// `[rows][stateCount]`.
  var initialStates: UnsafePointer<Double>
  /// A block of neighbouring rows has the same parameters: `[blocks][parameterCount]`.
  var parameters: UnsafePointer<Double>
  var rowsPerBlock: Int
  var startTimes: UnsafePointer<Double>
  /// `[rows][outputCount]`, each monotone.
  var outputTimes: UnsafePointer<Double>
  var outputCount: Int

  func parameters(of row: Int) -> UnsafePointer<Double> { parameters + row / rowsPerBlock * parameterCount }
  func outputTimes(of row: Int) -> UnsafeBufferPointer<Double> {
    UnsafeBufferPointer(start: outputTimes + row * outputCount, count: outputCount)
  }
}

/// Solves many trajectories in lanes, each with steps of its own: a lane whose trajectory ends takes the next one.
final class LaneSolver {
  typealias L = SIMD8<Double>
  let kernel: ExplicitKernel<L>
  let options: SolverOptions
  let tolerances: [Double]
  let n: Int
  let width: Int
  var lanes: Int { 8 * width }

  let arena: LaneArena
  let books: LaneBooks

  /// What lanes are doing.
  final class LaneBooks {
    /// The trajectory of each lane, -1 if it has none; its next output; and a number of steps or a row.
    let row: UnsafeMutablePointer<Int>
    let output: UnsafeMutablePointer<Int>
    let count: UnsafeMutablePointer<Int>
    /// The lane's recorded times.
    let times: UnsafeMutablePointer<UnsafeMutablePointer<Double>>
    private let arena: Arena
    /// Lanes at work, and the next trajectory that waits for one.
    @exclusivity(unchecked) var active = 0
    @exclusivity(unchecked) var waiting = 0
    init(_ lanes: Int) {
      var measure = ArenaMeasure()
      for _ in 0..<3 { measure.take(Int.self, lanes) }
      measure.take(UnsafeMutablePointer<Double>.self, lanes)
      var arena = Arena(byteCount: measure.byteCount)
      row = arena.take(Int.self, lanes)
      output = arena.take(Int.self, lanes)
      count = arena.take(Int.self, lanes)
      times = arena.take(UnsafeMutablePointer<Double>.self, lanes)
      self.arena = arena
    }
  }
  var parameters: UnsafeMutablePointer<L> { arena.parameters }

  init(
    _ tableau: RungeKuttaTableau, _ functions: RateFunctions<L>, _ options: SolverOptions,
    tolerances: [Double]
  ) {
    kernel = ExplicitKernel(
      tableau, functions, relativeTolerance: options.relativeTolerance, absoluteTolerances: tolerances)
    self.options = options
    self.tolerances = tolerances
    n = functions.stateCount
    width = functions.width
    arena = LaneArena(functions.stateCount, functions.parameterCount, functions.width)
    books = LaneBooks(8 * functions.width)
    functions.bind(arena.parameters)
  }

  /// One thread's arrays.
  final class LaneArena {
    private let memory: LaneMemory
    let parameters: UnsafeMutablePointer<L>
    let scratch: UnsafeMutablePointer<L>
    let rate: UnsafeMutablePointer<L>
    let cotangent: UnsafeMutablePointer<L>
    let parameterCotangent: UnsafeMutablePointer<L>
    let end: UnsafeMutablePointer<L>
    let direction: UnsafeMutablePointer<L>
    let size: UnsafeMutablePointer<L>
    let newTime: UnsafeMutablePointer<L>
    let places: UnsafeMutablePointer<L>
    let history: UnsafeMutablePointer<L>
    let olderHistory: UnsafeMutablePointer<L>
    /// The largest factor of the next step: one after a refusal.
    let limit: UnsafeMutablePointer<L>
    /// The time of the next output.
    let nextTime: UnsafeMutablePointer<L>
    /// Steps tried and accepted.
    let attempts: UnsafeMutablePointer<L>
    let accepted: UnsafeMutablePointer<L>
    /// One where a trajectory is, zero elsewhere.
    let isActive: UnsafeMutablePointer<L>

    init(_ n: Int, _ p: Int, _ width: Int) {
      let memory = LaneMemory((3 * n + 2 * p + 12) * width)
      self.memory = memory
      func take(_ count: Int) -> UnsafeMutablePointer<L> { memory.take(count * width) }
      parameters = take(p)
      parameterCotangent = take(p)
      scratch = take(n)
      rate = take(n)
      cotangent = take(n)
      end = take(1)
      direction = take(1)
      size = take(1)
      newTime = take(1)
      places = take(1)
      history = take(1)
      olderHistory = take(1)
      limit = take(1)
      nextTime = take(1)
      attempts = take(1)
      accepted = take(1)
      isActive = take(1)
    }
  }

  /// Copies a row of numbers to a lane.
  @inline(__always)
  func put(_ row: UnsafePointer<Double>, _ count: Int, _ array: UnsafeMutablePointer<L>, _ lane: Int) {
    let target = numbers(array) + lane
    var c = 0
    while c < count {
      target[c &* lanes] = row[c]
      c = c &+ 1
    }
  }
  /// Copies a lane to a row of numbers.
  @inline(__always)
  func get(
    _ array: UnsafeMutablePointer<L>, _ count: Int, _ lane: Int, _ row: UnsafeMutablePointer<Double>
  ) {
    let source = numbers(array) + lane
    var c = 0
    while c < count {
      row[c] = source[c &* lanes]
      c = c &+ 1
    }
  }
}
