import BenchmarkSupport
import Costate
import Foundation

/// Steps, reverse passes and step Jacobians of one model, in turn with the peer.
func measureModel(
  _ file: String, models: String, peer: Peer?, rounds: Int, _ report: Report
) throws {
  let path = "\(models)/\(file).xml"
  let model = try Model.load(path: path)
  let isRungeKutta = model.options.integrator == .rungeKutta4
  report.heading("\(file) (nv \(model.velocityCount), \(model.options.integrator.rawValue))")

  let float32 = try Workload<Float>(model, worlds: 1024, steps: 64)
  let float64 = try Workload<Double>(model, worlds: 1024, steps: 64)
  let single = try Workload<Double>(model, worlds: 1, steps: 1000)
  var peerStep = Timing()
  var peerJacobian = Timing()
  let steps = try interleave(
    rounds: rounds,
    [
      { try repeated(2) { try float32.rolloutTime() } },
      {
        guard let peer else { return [] }
        for line in try peer.run([path, "file", "1000", "8"]) {
          let isStep = line.name == "mj_step"
          if isStep {
            peerStep.samples += [line.min, line.median]
          } else {
            peerJacobian.samples += [line.min, line.median]
          }
        }
        return []
      },
      { try repeated(2) { try float64.rolloutTime() } },
      { try repeated(8) { try single.rolloutTime() } },
    ])
  report.add("step, float32, 1024 worlds", steps[0])
  report.add("step, float64, 1024 worlds", steps[2])
  report.add("step, float64, one world", steps[3])
  if peer != nil {
    report.add("mj_step, float64, one world", peerStep)
    report.compare("mj_step over step, float32 batch", peerStep, over: steps[0], .atLeast(8))
    report.compare("mj_step over step, float64 batch", peerStep, over: steps[2], .atLeast(4))
    report.compare("step of one world over mj_step", steps[3], over: peerStep, .atMost(1.3))
  }

  try measureReverse(
    Workload<Float>(model, worlds: 1024, steps: 16), "float32, 1024 worlds", isRungeKutta, rounds, report)
  try measureReverse(
    Workload<Double>(model, worlds: 1024, steps: 16), "float64, 1024 worlds", isRungeKutta, rounds, report)
  try measureReverse(
    Workload<Double>(model, worlds: 1, steps: 100), "float64, one world", isRungeKutta, 4 * rounds, report)

  let one = try Workload<Double>(model, worlds: 1, steps: 1)
  let batch = try Workload<Double>(model, worlds: 64, steps: 1)
  let jacobians = try interleave(
    rounds: rounds,
    [
      {
        try repeated(4) {
          try nanoseconds(per: 20) {
            for _ in 0..<20 {
              consume(try one.simulator.stepJacobians(at: one.state, inputs: one.inputs, threads: 1))
            }
          }
        }
      },
      {
        try repeated(4) {
          try nanoseconds(per: 64) {
            consume(try batch.simulator.stepJacobians(at: batch.state, inputs: batch.inputs, threads: 1))
          }
        }
      },
    ])
  report.add("A and B of a step, float64, one world", jacobians[0])
  report.add("A and B of a step, float64, of 64 worlds", jacobians[1])
  if !peerJacobian.samples.isEmpty {
    report.add("mjd_transitionFD", peerJacobian)
    report.compare("mjd_transitionFD over A and B, one world", peerJacobian, over: jacobians[0], .atLeast(10))
  }
}

/// The reverse pass of a rollout beside its forward pass.
private func measureReverse<Scalar: SimulationScalar>(
  _ workload: Workload<Scalar>, _ label: String, _ isRungeKutta: Bool, _ rounds: Int, _ report: Report
) throws {
  let simulator = workload.simulator
  func record(_ memory: RolloutMemory) throws -> RolloutTape<Scalar> {
    try simulator.record(
      from: workload.state, inputs: workload.inputs, steps: workload.steps, memory: memory, threads: 1)
  }
  let stored = try record(.storeAll)
  let states = try record(.storeStates)
  let recomputed = try record(.checkpoint(every: 8))
  let seed = workload.finalCotangents
  let times = try interleave(
    rounds: rounds,
    [
      { try repeated(2) { try workload.rolloutTime() } },
      {
        try repeated(2) {
          try nanoseconds(per: workload.worldSteps) { consume(try stored.gradient(final: seed, threads: 1)) }
        }
      },
      {
        try repeated(2) {
          try nanoseconds(per: workload.worldSteps) {
            consume(try recomputed.gradient(final: seed, threads: 1))
          }
        }
      },
      { [try nanoseconds(per: workload.worldSteps) { consume(try record(.storeAll)) }] },
      {
        try repeated(2) {
          try nanoseconds(per: workload.worldSteps) { consume(try states.gradient(final: seed, threads: 1)) }
        }
      },
      {
        try repeated(2) {
          try nanoseconds(per: workload.worldSteps) {
            consume(
              try simulator.valuesAndGradient(
                from: workload.state, inputs: workload.inputs, steps: workload.steps, threads: 1
              ) { cost in
                for i in cost.cotangents.positions.indices { cost.cotangents.positions[i] = 1 }
                for i in cost.cotangents.velocities.indices { cost.cotangents.velocities[i] = 1 }
                for i in cost.cotangents.activations.indices { cost.cotangents.activations[i] = 1 }
              })
          }
        }
      },
    ])
  report.add("forward, \(label)", times[0])
  report.add("forward with recording, \(label)", times[3])
  report.add("reverse, stored, \(label)", times[1])
  report.add("reverse, states stored, \(label)", times[4])
  report.add("forward and reverse, a group at a time, \(label)", times[5])
  report.add("reverse, checkpoints every 8 steps, \(label)", times[2])
  report.compare(
    "reverse over forward, stored, \(label)", times[1], over: times[0], .atMost(isRungeKutta ? 1.5 : 1))
  report.compare("reverse over forward, states stored, \(label)", times[4], over: times[0], .atMost(1.5))
  report.compare(
    "forward and reverse over forward, a group at a time, \(label)", times[5], over: times[0],
    .atMost(isRungeKutta ? 2.5 : 2))
  report.compare("reverse over forward, checkpoints, \(label)", times[2], over: times[0])
}

func repeated(_ count: Int, _ measure: () throws -> Double) rethrows -> [Double] {
  try (0..<count).map { _ in try measure() }
}
