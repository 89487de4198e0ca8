import Synchronization

/// The steps of the trajectories of a batch: a record of each, or the tapes of lanes, of which records are made when they are asked for.
final class RecordedSteps: Sendable {
  private struct State {
    /// Of neighbouring trajectories, in order; none once there are records of all.
    var tapes: [LaneTape] = []
    /// Of single trajectories those that were asked for.
    var some: [Int: StepRecord] = [:]
    var all: [StepRecord]?
  }
  private let state: Mutex<State>

  /// Steps on tapes.
  init(_ tapes: [LaneTape]) { state = Mutex(State(tapes: tapes)) }
  init(_ records: [StepRecord]) { state = Mutex(State(all: records)) }

  /// Tapes that hold all steps; nil if there are records.
  var tapes: [LaneTape]? {
    state.withLock { state in
      state.all == nil && state.tapes.allSatisfy { $0.records == nil } ? state.tapes : nil
    }
  }
  /// A record of each trajectory. The tapes are not kept any longer.
  var records: [StepRecord] {
    state.withLock { state in
      if let all = state.all { return all }
      let all = state.tapes.flatMap { $0.makeRecords() }
      state = State(all: all)
      return all
    }
  }
  /// The record of one trajectory; nil if there is no such trajectory.
  func record(of trajectory: Int) -> StepRecord? {
    state.withLock { state in
      if let all = state.all { return all.indices.contains(trajectory) ? all[trajectory] : nil }
      if let known = state.some[trajectory] { return known }
      guard let tape = state.tapes.first(where: { $0.trajectories.contains(trajectory) }) else { return nil }
      let made = tape.makeRecord(of: trajectory)
      state.some[trajectory] = made
      return made
    }
  }
}
