import Lanes

/// How many steps of an input are brought into lanes, or out of them, at a time: in larger pieces rows are read and
/// written by whole cache lines.
func inputChunk(width: Int) -> Int { max(1, min(8, 192 / max(1, width))) }

/// One input of a lane group, some steps at a time.
struct InputChunks<L: Lane> where L.Scalar: LaneScalar {
  private let values: UnsafeMutablePointer<L>
  private let width: Int
  private let chunk: Int
  /// Which worlds' rows and which chunk are loaded, for primal numbers and for tangents.
  private var loaded = (primal: Key?.none, tangent: Key?.none)

  private var isZero = true

  private struct Key: Equatable {
    var first: Int
    var chunk: Int
  }

  init(_ arena: inout Arena, width: Int) {
    self.width = width
    chunk = inputChunk(width: width)
    values = arena.take(L.self, width * chunk)
  }

  static func measure(_ measure: inout ArenaMeasure, width: Int) {
    measure.take(L.self, width * inputChunk(width: width))
  }

  /// Forgets what is loaded.
  mutating func reset() { loaded = (nil, nil) }

  /// One step's values in lanes, or nil where there is no such input.
  mutating func load(
    _ input: InputPointer<L.Scalar>, step: Int, first: Int, last: Int, tangent: Bool
  ) -> UnsafePointer<L>? {
    guard let source = input.values else { return nil }
    let isShared = input.worldCount == 1
    let isConstant = input.stepCount == 1
    let key = Key(first: first, chunk: isConstant ? 0 : step / chunk)
    if (tangent ? loaded.tangent : loaded.primal) != key {
      let start = key.chunk * chunk
      let rows = LaneRows(
        first: isShared ? 0 : first, last: isShared ? 0 : last, stride: input.stepCount * width,
        start: start * width)
      loadLanes(
        source, rows, count: min(chunk, input.stepCount - start) * width, into: values, tangent: tangent)
      if tangent { loaded.tangent = key } else { loaded.primal = key }
      isZero = false
    }
    return UnsafePointer(values + (isConstant ? 0 : step % chunk) * width)
  }

  /// Values of an input that is absent. A direction in which a present input does not change leaves the input alone.
  mutating func zeros() -> UnsafePointer<L> {
    guard loaded.primal == nil else { return UnsafePointer(values) }
    if !isZero { values.update(repeating: L(0.0), count: width * chunk) }
    isZero = true
    return UnsafePointer(values)
  }
}

/// Cotangents of one input of a lane group, some steps at a time.
struct InputCotangentChunks<L: Lane> where L.Scalar: SimulationScalar {
  private let values: UnsafeMutablePointer<L>
  private let width: Int
  private let chunk: Int
  /// Whether all steps share one input, whose cotangents then add up in lanes.
  private let isConstant: Bool

  /// Chunks for the input of an accumulator; nil where nobody collects.
  init?(_ arena: inout Arena, _ accumulator: InputAccumulator<L.Scalar>?) {
    guard let accumulator else { return nil }
    width = accumulator.width
    isConstant = accumulator.isConstant
    chunk = isConstant ? 1 : inputChunk(width: width)
    values = arena.take(L.self, width * chunk)
  }

  static func measure(_ measure: inout ArenaMeasure, width: Int) {
    measure.take(L.self, width * inputChunk(width: width))
  }

  /// Where the cotangents of a step are added; zero at first. Steps must come from the last to the first.
  func target(step: Int, steps: Int) -> UnsafeMutablePointer<L> {
    if step == steps - 1 || !isConstant && step % chunk == chunk - 1 {
      values.update(repeating: L(0.0), count: width * chunk)
    }
    return values + (isConstant ? 0 : step % chunk) * width
  }

  /// Hands on what is complete after a step.
  func collect(
    into accumulator: InputAccumulator<L.Scalar>, step: Int, steps: Int, group: Int, lanes: Int,
    skipping skipped: L.Mask, tangent: Bool
  ) {
    guard isConstant ? step == 0 : step % chunk == 0 else { return }
    accumulator.add(
      values, step: step, count: isConstant ? 1 : min(chunk, steps - step), group: group, lanes: lanes,
      skipping: skipped, tangent: tangent)
  }
}
