import Lanes

/// A few steps of all lanes, between lanes and the records of their trajectories: what all lanes have is exchanged as whole vectors.
final class StepTile {
  typealias L = SIMD8<Double>
  private let n: Int
  private let width: Int
  private let lanes: Int
  /// Steps that fit.
  let rowCount: Int
  /// Times `[row][lane]`: of a step's start and its end; the states at one of them, `[row][component][lane]`.
  let starts: UnsafeMutablePointer<L>
  let ends: UnsafeMutablePointer<L>
  let states: UnsafeMutablePointer<L>
  /// One where a lane has a step that its record does not have yet, `[row][lane]`; the sums.
  private let isNew: UnsafeMutablePointer<L>
  private let newCount: UnsafeMutablePointer<L>
  /// Rows in use.
  private var row = 0
  /// One lane group's steps, as in records: `[lane][row]`, and with components.
  private let laneTimes: UnsafeMutablePointer<Double>
  private let laneStates: UnsafeMutablePointer<Double>
  private let memory: Memory

  /// Owns the arrays.
  private final class Memory {
    let arena: Arena
    init(_ arena: consuming Arena) { self.arena = arena }
  }

  init(stateCount n: Int, width: Int) {
    // Of large states fewer steps, so that they stay in the cache.
    let rows = max(1, min(8, 256 / (n * width)))
    (self.n, self.width, rowCount) = (n, width, rows)
    lanes = 8 * width
    var measure = ArenaMeasure()
    for _ in 0..<3 { measure.take(L.self, rows * width) }
    measure.take(L.self, rows * n * width)
    measure.take(L.self, width)
    measure.take(Double.self, 8 * rows)
    measure.take(Double.self, 8 * rows * n)
    var arena = Arena(byteCount: measure.byteCount)
    starts = arena.take(L.self, rows * width)
    ends = arena.take(L.self, rows * width)
    isNew = arena.take(L.self, rows * width)
    states = arena.take(L.self, rows * n * width)
    newCount = arena.take(L.self, width)
    laneTimes = arena.take(Double.self, 8 * rows)
    laneStates = arena.take(Double.self, 8 * rows * n)
    memory = Memory(arena)
  }

  // MARK: From lanes to records

  /// Takes the states of a lane group at the ends of steps.
  /// - Parameter isAccepted: one where there is a step, zero elsewhere.
  @inline(__always)
  func put(group w: Int, time: L, state: UnsafeMutablePointer<L>, isAccepted: L) {
    let place = row &* width &+ w
    ends[place] = time
    isNew[place] = isAccepted
    newCount[w] += isAccepted
    let target = states + row &* n &* width
    var c = 0
    while c < n {
      target[c &* width &+ w] = state[c &* width &+ w]
      c = c &+ 1
    }
  }

  /// All groups have put their steps.
  @inline(__always)
  func endRow(_ records: UnsafeMutablePointer<Unmanaged<StepRecord>?>) {
    row &+= 1
    if row == rowCount { flush(records) }
  }

  /// Records the steps of a lane whose trajectory ends, those of the present row included.
  func flush(lane: Int, _ record: StepRecord) {
    let isNew = numbers(isNew)
    for r in 0..<min(row + 1, rowCount) where isNew[r * lanes + lane] != 0 {
      isNew[r * lanes + lane] = 0
      record.append(
        numbers(ends)[r * lanes + lane], numbers(states) + r * n * lanes + lane, spacing: lanes)
    }
    numbers(newCount)[lane] = 0
  }

  @inline(never)
  private func flush(_ records: UnsafeMutablePointer<Unmanaged<StepRecord>?>) {
    row = 0
    let full = Double(rowCount)
    for w in 0..<width {
      let counts = newCount[w]
      newCount[w] = L(0.0)
      Double.transpose(
        numbers(ends) + 8 * w, rows: rowCount, columns: 8, stride: lanes, into: laneTimes, stride: rowCount)
      Double.transpose(
        numbers(states) + 8 * w, rows: rowCount * n, columns: 8, stride: lanes, into: laneStates,
        stride: rowCount * n)
      for k in 0..<8 where counts[k] > 0 {
        let lane = 8 * w + k
        records[lane].unsafelyUnwrapped._withUnsafeGuaranteedRef { record in
          if counts[k] == full {
            record.append(laneTimes + k * rowCount, laneStates + k * rowCount * n, count: rowCount)
          } else {
            for r in 0..<rowCount where numbers(isNew)[r * lanes + lane] != 0 {
              record.append(laneTimes[k * rowCount + r], laneStates + (k * rowCount + r) * n)
            }
          }
        }
      }
    }
  }
  @inline(__always)
  private func numbers(_ array: UnsafeMutablePointer<L>) -> UnsafeMutablePointer<Double> {
    UnsafeMutableRawPointer(array).assumingMemoryBound(to: Double.self)
  }

  // MARK: From records to lanes

  /// Fetches ``rowCount`` steps of every lane of a group: their starts, states there, and ends.
  /// - Parameters:
  ///   - times: of each lane the first step's start, and after it the others' and the last end.
  ///   - states: likewise.
  func fetch(
    group w: Int, times: UnsafeMutablePointer<UnsafePointer<Double>?>,
    states places: UnsafeMutablePointer<UnsafePointer<Double>?>
  ) {
    interleave(
      UnsafeBufferPointer(start: places + 8 * w, count: 8), count: rowCount * n,
      into: numbers(states) + 8 * w, stride: lanes)
    let own = UnsafeMutableBufferPointer(start: times + 8 * w, count: 8)
    interleave(UnsafeBufferPointer(own), count: rowCount, into: numbers(starts) + 8 * w, stride: lanes)
    for k in 0..<8 { own[k] = own[k].unsafelyUnwrapped + 1 }
    interleave(UnsafeBufferPointer(own), count: rowCount, into: numbers(ends) + 8 * w, stride: lanes)
  }

  /// Fetches one step of a lane, or, without `isStep`, a step of size zero at its start.
  func fetch(
    row: Int, lane: Int, times: UnsafePointer<Double>, state: UnsafePointer<Double>, isStep: Bool = true
  ) {
    let place = row * lanes + lane
    numbers(starts)[place] = times[0]
    numbers(ends)[place] = times[isStep ? 1 : 0]
    let target = numbers(states) + row * n * lanes + lane
    for c in 0..<n { target[c * lanes] = state[c] }
  }
}
