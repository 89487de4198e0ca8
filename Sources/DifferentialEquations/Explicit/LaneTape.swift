import Lanes

/// The steps of a batch as lanes take them: rows with a step of every lane, one after the other in memory, to be read backwards.
///
/// Lanes without a step of their own in a row, as it was refused or as there is nothing left to do, have one of size zero, which the reverse
/// sweep takes back like the others. Where few lanes are at work, as their trajectories take many more steps than the others', and where
/// a record is not to hold all states, the steps go to records of the trajectories instead.
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
  /// Records of the trajectories, which have the steps instead of the tape.
  @exclusivity(unchecked) private(set) var records: [StepRecord]?
  /// Of the trajectory in each lane its number, nil if there is none, and its first row.
  @exclusivity(unchecked) private var present: [(trajectory: Int, firstRow: Int)?]
  /// Of each trajectory the time and the state at its end.
  private let endTimes: UnsafeMutablePointer<Double>
  private let endStates: UnsafeMutablePointer<Double>

  @exclusivity(unchecked) private var blocks: [UnsafeMutablePointer<L>] = []
  private let rowSize: Int
  private let rowsPerBlock: Int
  private static let blockSize = 1 << 18
  private var byteCount: Int { rowsPerBlock * rowSize * 64 }

  /// - Parameters:
  ///   - width: lane groups.
  ///   - capacity: states that are kept of a trajectory at most; nil: all.
  init(trajectories: Range<Int>, stateCount: Int, width: Int, capacity: Int? = nil) {
    self.trajectories = trajectories
    n = stateCount
    self.width = width
    lanes = 8 * width
    rowSize = (stateCount + 1) * width
    rowsPerBlock = max(2, Self.blockSize / (64 * rowSize))
    entries = Array(repeating: [], count: 8 * width)
    present = Array(repeating: nil, count: 8 * width)
    endTimes = .allocate(capacity: max(trajectories.count, 1))
    endStates = .allocate(capacity: max(trajectories.count * stateCount, 1))
    if let capacity {
      records = trajectories.map { _ in StepRecord(stateCount: stateCount, capacity: capacity) }
    }
  }
  deinit {
    release(from: 0)
    endTimes.deallocate()
    endStates.deallocate()
  }
  private func release(from first: Int) {
    for block in blocks[first...] { BufferStore.give(UnsafeMutableRawPointer(block), byteCount) }
    blocks.removeSubrange(first...)
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
    if records == nil && isMostlyIdle { giveUp() }
    if records != nil && !blocks.isEmpty { return drain() }
    blocks.append(BufferStore.take(byteCount).bindMemory(to: L.self, capacity: rowsPerBlock * rowSize))
  }
  @inline(__always)
  subscript(row: Int) -> Row {
    let base = blocks[row / rowsPerBlock] + row % rowsPerBlock &* rowSize
    return Row(starts: base, states: base + width)
  }
  /// Fetches a row that is so many rows away: the processor sees what comes next too late, as it looks no further than a page. There need
  /// not be one.
  @inline(__always)
  func prepare(_ row: Row, distance: Int) {
    if rowSize > 64 { return }
    prefetch(numbers(row.starts) + distance &* 8 &* rowSize, count: 8 &* rowSize)
  }

  /// The lane's steps are those of a trajectory from the next row on.
  func begin(_ trajectory: Int, lane: Int) { present[lane] = (trajectory, rowCount) }
  /// The lane's trajectory is over with the present row.
  /// - Parameter state: at its end, with a number of each lane for each component.
  func end(lane: Int, time: Double, state: UnsafePointer<Double>) {
    guard let (trajectory, firstRow) = present[lane] else { return }
    present[lane] = nil
    if let record = record(trajectory) {
      copy(firstRow..<rowCount, until: time, lane: lane, to: record)
    } else {
      entries[lane].append(Entry(trajectory: trajectory, rows: firstRow..<rowCount))
    }
    setEnd(trajectory, time, state, spacing: lanes)
  }
  /// A trajectory without steps has its end at its start.
  func setEnd(_ trajectory: Int, _ time: Double, _ state: UnsafePointer<Double>, spacing: Int = 1) {
    if let record = record(trajectory) { return record.append(time, state, spacing: spacing) }
    let place = trajectory - trajectories.lowerBound
    endTimes[place] = time
    for c in 0..<n { endStates[place * n + c] = state[c * spacing] }
  }
  func endTime(of trajectory: Int) -> Double { endTimes[trajectory - trajectories.lowerBound] }

  // MARK: Records

  /// The record that has a trajectory's steps instead of the tape.
  private func record(_ trajectory: Int) -> StepRecord? { records?[trajectory - trajectories.lowerBound] }
  /// Whether rows have become many, and most of what is written is no step.
  private var isMostlyIdle: Bool {
    let count = present.count { $0 != nil }
    return blocks.count >= 8 && count > 0 && count * 4 < lanes
  }
  /// All steps go to records.
  private func giveUp() {
    let all = makeRecords()
    records = all
    entries = Array(repeating: [], count: lanes)
    drain()
    // One block is enough from now on.
    release(from: 1)
  }
  /// The steps of trajectories that are not over go to records, and the tape begins anew.
  private func drain() {
    // The last row goes to the front: where its steps end is not known yet.
    let last = rowCount - 1
    for lane in 0..<lanes {
      guard let (trajectory, firstRow) = present[lane], let record = record(trajectory) else { continue }
      if firstRow < last {
        copy(firstRow..<last, until: numbers(self[last].starts)[lane], lane: lane, to: record)
      }
      present[lane]!.firstRow = firstRow <= last ? 0 : 1
    }
    blocks[0].update(from: self[last].starts, count: rowSize)
    rowCount = 1
  }
  /// A record of each trajectory; of those that are not over with no steps yet.
  func makeRecords() -> [StepRecord] {
    if let records { return records }
    let made = trajectories.map { _ in StepRecord(stateCount: n, capacity: nil) }
    for (lane, own) in entries.enumerated() {
      for entry in own { copy(entry, lane: lane, to: made[entry.trajectory - trajectories.lowerBound]) }
    }
    let unfinished = Set(present.compactMap { $0?.trajectory })
    for (trajectory, record) in zip(trajectories, made) where !unfinished.contains(trajectory) {
      appendEnd(of: trajectory, to: record)
    }
    return made
  }
  /// A record of one trajectory, which is over.
  func makeRecord(of trajectory: Int) -> StepRecord {
    if let record = record(trajectory) { return record }
    let made = StepRecord(stateCount: n, capacity: nil)
    for (lane, own) in entries.enumerated() {
      for entry in own where entry.trajectory == trajectory { copy(entry, lane: lane, to: made) }
    }
    appendEnd(of: trajectory, to: made)
    return made
  }
  private func copy(_ entry: Entry, lane: Int, to record: StepRecord) {
    copy(entry.rows, until: endTime(of: entry.trajectory), lane: lane, to: record)
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
  private func appendEnd(of trajectory: Int, to record: StepRecord) {
    record.append(endTime(of: trajectory), endStates + (trajectory - trajectories.lowerBound) * n)
  }
}

extension LaneTape {
  /// The steps of records that hold all states, of one trajectory for each lane at most; they end with the last row.
  ///
  /// - Parameters:
  ///   - records: of all trajectories of the batch.
  ///   - trajectories: lanes that are left over take the steps of the first of these.
  convenience init(_ records: [StepRecord], trajectories: Range<Int>, width: Int) {
    let n = records[trajectories.lowerBound].stateCount
    self.init(trajectories: trajectories, stateCount: n, width: width)
    let lanes = 8 * width
    let longest = trajectories.map { records[$0].stepCount }.max() ?? 0
    for index in 0..<longest {
      let row = append()
      for lane in 0..<lanes {
        let record = records[trajectories.lowerBound + (lane < trajectories.count ? lane : 0)]
        let place = max(index - (longest - record.stepCount), 0)
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
