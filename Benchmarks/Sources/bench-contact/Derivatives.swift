import BenchmarkSupport
import Costate
import Foundation

/// A and B of the humanoid's step, on one thread, beside mjd_transitionFD from the same states.
func measureDerivatives(_ models: ModelFolders, peer: Peer?, rounds: Int, _ report: Report) throws {
  let path = try models.path("mujoco/humanoid")
  let model = try Model.load(path: path)
  report.heading("A and B of mujoco/humanoid (nv \(model.velocityCount))")
  let start = try WarmStart(model, worlds: 64, steps: 1)
  let workload = try start.workload(Double.self)
  var peers = ["one-sided": Timing(), "centred": Timing()]
  let times = try interleave(
    rounds: rounds,
    [
      {
        [
          try nanoseconds(per: 64) {
            consume(
              try workload.simulator.stepJacobians(at: workload.state, inputs: workload.inputs, threads: 1))
          }
        ]
      },
      {
        for line in try start.peerSamples(peer, path, worlds: 64, repetitions: 2, mode: ["derivatives"]) {
          peers[line.name]?.samples += [line.min, line.median]
        }
        return []
      },
    ])
  report.add("A and B, float64, mean of 64 worlds", times[0])
  guard peer != nil else { return }
  for (name, timing) in peers.sorted(by: { $0.key > $1.key }) {
    report.add("mjd_transitionFD, \(name)", timing)
    report.compare("mjd_transitionFD (\(name)) over A and B", timing, over: times[0], .atLeast(10))
  }
}
