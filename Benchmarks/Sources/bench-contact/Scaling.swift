import BenchmarkSupport
import Costate
import Foundation

/// Chains on the floor.
func measureBodies(peer: Peer?, rounds: Int, _ report: Report) throws {
  report.heading("Growth with bodies: chains of capsules on the floor")
  for links in [10, 20, 50, 100, 200, 300] {
    try measureGrowth(
      "\(links) links", chain(links), "chain-\(links)", isLarge: links > 20, seconds: 0.1, peer, rounds,
      report)
  }
}

/// Boxes that lie on one another.
func measureContacts(peer: Peer?, rounds: Int, _ report: Report) throws {
  report.heading("Growth with contacts: piles of boxes")
  for count in [1, 3, 10, 30, 60, 100] {
    try measureGrowth(
      "\(count) boxes", boxes(count), "boxes-\(count)", isLarge: count > 3, seconds: 0.5, peer, rounds, report
    )
  }
}

private func measureGrowth(
  _ label: String, _ text: String, _ name: String, isLarge: Bool, seconds: Double, _ peer: Peer?,
  _ rounds: Int,
  _ report: Report
) throws {
  let worlds = isLarge ? 16 : 64
  let path = try write(text, name)
  let start = try WarmStart(Model.load(path: path), worlds: worlds, steps: isLarge ? 4 : 64, seconds: seconds)
  let float32 = try start.workload(Float.self)
  let float64 = try start.workload(Double.self)
  let single = try start.workload(Double.self, worlds: 1)
  var peerStep = Timing()
  let times = try interleave(
    rounds: max(1, rounds / 2),
    [
      { [try float32.rolloutTime()] }, { [try float64.rolloutTime()] }, { [try single.rolloutTime()] },
      {
        for line in try start.peerSamples(peer, path, worlds: 16, repetitions: 1) {
          peerStep.samples += [line.min]
        }
        return []
      },
    ])
  let contacts = try Simulator<Double>(start.model).evaluate(
    BatchState(
      worldCount: 1, positions: Array(start.state.positions[..<start.model.positionCount]),
      velocities: Array(start.state.velocities[..<start.model.velocityCount]))
  ).contacts.count
  let label = "\(label), \(contacts) contacts"
  let rounded = try float32.simulator.rollout(from: float32.state, inputs: float32.inputs, steps: start.steps)
  let unsolved =
    rounded.unconvergedWorlds.isEmpty ? "" : " (\(rounded.unconvergedWorlds.count) did not converge)"
  report.add("\(label): float32, \(worlds) worlds\(unsolved)", times[0])
  report.add("\(label): float64, \(worlds) worlds", times[1])
  report.add("\(label): float64, one world", times[2])
  if peer != nil { report.add("\(label): mj_step", peerStep) }
}

/// The humanoid with more and more worlds, float32 and float64.
func measureWorlds(_ models: ModelFolders, rounds: Int, _ report: Report) throws {
  report.heading("Growth with worlds: mujoco/humanoid")
  let warm = try WarmStart(
    Model.load(path: try models.path("mujoco/humanoid")), worlds: 1024, steps: 8)
  for worlds in [1, 2, 4, 8, 16, 64, 256, 1024, 4096, 16384, 65536] {
    let start = warm.repeated(worlds: worlds)
    let float32 = try start.workload(Float.self)
    let float64 = try start.workload(Double.self)
    let times = try interleave(
      rounds: worlds > 4096 ? 1 : rounds, [{ [try float32.rolloutTime()] }, { [try float64.rolloutTime()] }])
    report.add("\(worlds) worlds, float32", times[0])
    report.add("\(worlds) worlds, float64", times[1])
  }
}

/// The humanoid on one and on two threads, by the time that passes.
func measureThreads(_ models: ModelFolders, rounds: Int, _ report: Report) throws {
  report.heading("Threads: mujoco/humanoid, 1024 worlds, time that passes")
  let start = try WarmStart(
    Model.load(path: try models.path("mujoco/humanoid")), worlds: 1024, steps: 32)
  let float32 = try start.workload(Float.self)
  let float64 = try start.workload(Double.self)
  func forward<S>(_ w: ContactWorkload<S>, _ threads: Int) throws -> [Double] {
    [
      try nanoseconds(per: w.worldSteps, clock: .wall) {
        consume(try w.simulator.rollout(from: w.state, inputs: w.inputs, steps: w.steps, threads: threads))
      }
    ]
  }
  let tape = try float32.simulator.record(from: float32.state, inputs: float32.inputs, steps: float32.steps)
  let seed = float32.finalCotangents
  func reverse(_ threads: Int) throws -> [Double] {
    [
      try nanoseconds(per: float32.worldSteps, clock: .wall) {
        consume(try tape.gradient(final: seed, threads: threads))
      }
    ]
  }
  let times = try interleave(
    rounds: rounds,
    [
      { try forward(float32, 1) }, { try forward(float32, 2) }, { try forward(float64, 1) },
      { try forward(float64, 2) }, { try reverse(1) }, { try reverse(2) },
    ])
  for (index, name) in ["step, float32", "step, float64", "reverse, float32"].enumerated() {
    report.add("\(name), 1 thread", times[2 * index])
    report.add("\(name), 2 threads", times[2 * index + 1])
    report.compare("\(name): 1 thread over 2", times[2 * index], over: times[2 * index + 1])
  }
}
