import Synchronization

/// The steps of the trajectories of a batch: a record of each, or the tapes of lanes, of which records are made when they are asked for.
final class RecordedSteps: Sendable {
  private let trajectoryCount: Int
  private let stateCount: Int
  /// Of neighbouring trajectories, in order; empty if they were solved one by one, or if a record is not to hold all states.
  let tapes: [LaneTape]
  private let made: Mutex<[StepRecord]?>

  /// Steps on tapes.
  init(_ tapes: [LaneTape], stateCount: Int) {
    trajectoryCount = tapes.last?.trajectories.upperBound ?? 0
    self.stateCount = stateCount
    self.tapes = tapes
    made = Mutex(nil)
  }
  init(_ records: [StepRecord]) {
    trajectoryCount = records.count
    stateCount = 0
    tapes = []
    made = Mutex(records)
  }

  /// A record of each trajectory.
  var records: [StepRecord] {
    made.withLock { made in
      if let made { return made }
      let records = (0..<trajectoryCount).map { _ in StepRecord(stateCount: stateCount, capacity: nil) }
      for tape in tapes { tape.copy(to: records) }
      made = records
      return records
    }
  }
}
