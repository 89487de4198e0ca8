import Lanes

/// The steps of a batch as lanes take them: rows with a step of every lane, one after the other in memory, to be read backwards.
///
/// Lanes without a step of their own in a row, as it was refused or as there is nothing left to do, have one of size zero.
final class LaneTape: @unchecked Sendable {
  typealias L = SIMD8<Double>
  /// A trajectory in a lane: its rows.
  struct Entry {
    var trajectory: Int
    var rows: Range<Int>
  }
  /// A row: its steps' starts, `[width]`, and the states there, `[stateCount][width]`. A step ends where the next one starts, the last one of a
  /// trajectory at ``endTime(of:)``.
  struct Row {
    let starts: UnsafeMutablePointer<L>
    let states: UnsafeMutablePointer<L>
  }
  /// The trajectories of the batch that are here.
  let trajectories: Range<Int>
  private let n: Int
  private let width: Int
  private let lanes: Int
  /// The trajectories of each lane that are over, in order.
  @exclusivity(unchecked) private(set) var entries: [[Entry]]
  @exclusivity(unchecked) private(set) var rowCount = 0
  /// Of the trajectory in each lane its number, nil if there is none, and its first row.
  @exclusivity(unchecked) private var present: [(trajectory: Int, firstRow: Int)?]
  /// Of each trajectory the time and the state at its end.
  private let endTimes: UnsafeMutablePointer<Double>
  private let endStates: UnsafeMutablePointer<Double>
  /// Where steps go to whenever a block is full; nil: they stay.
  private let records: [StepRecord]?

  @exclusivity(unchecked) private var blocks: [UnsafeMutablePointer<L>] = []
  private let rowSize: Int
  private let rowsPerBlock: Int
  private static let blockSize = 1 << 18
  private var byteCount: Int { rowsPerBlock * rowSize * 64 }

  /// - Parameters:
  ///   - width: lane groups.
  ///   - records: of all trajectories of the batch, which shall have the steps instead of the tape.
  init(trajectories: Range<Int>, stateCount: Int, width: Int, records: [StepRecord]? = nil) {
    self.trajectories = trajectories
    self.records = records
    n = stateCount
    self.width = width
    lanes = 8 * width
    rowSize = (stateCount + 1) * width
    rowsPerBlock = max(2, Self.blockSize / (64 * rowSize))
    entries = Array(repeating: [], count: 8 * width)
    present = Array(repeating: nil, count: 8 * width)
    endTimes = .allocate(capacity: max(trajectories.count, 1))
    endStates = .allocate(capacity: max(trajectories.count * stateCount, 1))
  }
  deinit {
    for block in blocks { BufferStore.give(UnsafeMutableRawPointer(block), byteCount) }
    endTimes.deallocate()
    endStates.deallocate()
  }

  /// A new row, to be filled in.
  @inline(__always)
  func append() -> Row {
    if rowCount == blocks.count &* rowsPerBlock { makeRoom() }
    rowCount &+= 1
    let row = self[rowCount &- 1]
    prepare(row, distance: 3)
    return row
  }
  @inline(never)
  private func makeRoom() {
    if let records, !blocks.isEmpty {
      // The last row goes to the front: where its steps end is not known yet.
      let last = rowCount - 1
      for lane in 0..<lanes {
        guard let (trajectory, firstRow) = present[lane] else { continue }
        if firstRow < last {
          copy(
            firstRow..<last, until: numbers(self[last].starts)[lane], lane: lane, to: records[trajectory])
        }
        present[lane]!.firstRow = firstRow <= last ? 0 : 1
      }
      blocks[0].update(from: self[last].starts, count: rowSize)
      rowCount = 1
      return
    }
    blocks.append(BufferStore.take(byteCount).bindMemory(to: L.self, capacity: rowsPerBlock * rowSize))
  }
  @inline(__always)
  subscript(row: Int) -> Row {
    let base = blocks[row / rowsPerBlock] + row % rowsPerBlock &* rowSize
    return Row(starts: base, states: base + width)
  }

  /// Fetches a row that is so many rows away: the processor sees what comes next too late, as it looks no further than a page.
  @inline(__always)
  func prepare(_ row: Row, distance: Int) {
    prefetch(numbers(row.starts) + distance &* 8 &* rowSize, count: 8 &* rowSize)
  }

  /// The lane's steps are those of a trajectory from the next row on.
  func begin(_ trajectory: Int, lane: Int) { present[lane] = (trajectory, rowCount) }
  /// The lane's trajectory is over with the present row.
  /// - Parameter state: at its end, with a number of each lane for each component.
  func end(lane: Int, time: Double, state: UnsafePointer<Double>) {
    guard let (trajectory, firstRow) = present[lane] else { return }
    present[lane] = nil
    if let records {
      copy(firstRow..<rowCount, until: time, lane: lane, to: records[trajectory])
    } else {
      entries[lane].append(Entry(trajectory: trajectory, rows: firstRow..<rowCount))
    }
    setEnd(trajectory, time, state, spacing: lanes)
  }
  /// A trajectory without steps has its end at its start.
  func setEnd(_ trajectory: Int, _ time: Double, _ state: UnsafePointer<Double>, spacing: Int = 1) {
    if let records { return records[trajectory].append(time, state, spacing: spacing) }
    let place = trajectory - trajectories.lowerBound
    endTimes[place] = time
    for c in 0..<n { endStates[place * n + c] = state[c * spacing] }
  }

  func endTime(of trajectory: Int) -> Double { endTimes[trajectory - trajectories.lowerBound] }

  /// Appends the steps of each trajectory to its record.
  /// - Parameter records: of all trajectories of the batch.
  func copy(to records: [StepRecord]) {
    for (lane, own) in entries.enumerated() {
      for entry in own {
        copy(entry.rows, until: endTime(of: entry.trajectory), lane: lane, to: records[entry.trajectory])
      }
    }
    for (place, trajectory) in trajectories.enumerated() {
      records[trajectory].append(endTimes[place], endStates + place * n)
    }
  }
  private func copy(_ rows: Range<Int>, until end: Double, lane: Int, to record: StepRecord) {
    for index in rows {
      let row = self[index]
      let start = numbers(row.starts)[lane]
      if start != (index + 1 < rows.upperBound ? numbers(self[index + 1].starts)[lane] : end) {
        record.append(start, numbers(row.states) + lane, spacing: lanes)
      }
    }
  }
  @inline(__always)
  private func numbers(_ array: UnsafeMutablePointer<L>) -> UnsafeMutablePointer<Double> {
    UnsafeMutableRawPointer(array).assumingMemoryBound(to: Double.self)
  }
}

extension LaneTape {
  /// The steps of records that hold all states, of one trajectory for each lane at most; they end with the last row.
  convenience init(_ records: [StepRecord], trajectories: Range<Int>, width: Int) {
    let n = records[trajectories.lowerBound].stateCount
    self.init(trajectories: trajectories, stateCount: n, width: width)
    let lanes = 8 * width
    let longest = trajectories.map { records[$0].stepCount }.max() ?? 0
    for index in 0..<longest {
      let row = append()
      for lane in 0..<lanes {
        // Lanes that are left over do what the first does.
        let record = records[trajectories.lowerBound + (lane < trajectories.count ? lane : 0)]
        let step = index - (longest - record.stepCount)
        let place = max(step, 0)
        numbers(row.starts)[lane] = record.times[place]
        for c in 0..<n { numbers(row.states)[c * lanes + lane] = record.states[place * n + c] }
      }
    }
    for (lane, trajectory) in trajectories.enumerated() {
      let record = records[trajectory]
      setEnd(trajectory, record.times[record.stepCount], record.states + record.stepCount * n)
      if record.stepCount == 0 { continue }
      entries[lane] = [Entry(trajectory: trajectory, rows: longest - record.stepCount..<longest)]
    }
  }
}
