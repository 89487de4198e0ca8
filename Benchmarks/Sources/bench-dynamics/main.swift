// Smooth steps and their gradients: ours beside MuJoCo's C engine.
//
// Needs the robot files (--models, or COSTATE_TEST_MODELS) and, for the comparison, Benchmarks/Peers/setup.sh.
// One thread on one core unless said; times are per world and step.
import BenchmarkSupport
import Costate
import Foundation

let environment = ProcessInfo.processInfo.environment
let options = try Options([
  "models": environment["COSTATE_TEST_MODELS"] ?? "../../shared/models",
  "peer": "Peers/.build/mujoco_step", "json": "", "filter": "", "rounds": "6", "memory-probe": "",
])
if !options["memory-probe"].isEmpty {
  try probeMemory(options["memory-probe"], models: options["models"])
  exit(0)
}

let report = Report()
let rounds = Int(options["rounds"]) ?? 6
let files = ["mujoco/humanoid", "gymnasium/half_cheetah", "gymnasium/ant", "dm_control/cheetah"]
  .filter { options["filter"].isEmpty || $0.contains(options["filter"]) }

// Threads first, while the process may use all cores.
report.heading("Threads, 1024 worlds, float32")
for file in files {
  let model = try Model.load(path: "\(options["models"])/\(file).xml")
  let workload = try Workload<Float>(model, worlds: 1024, steps: 64)
  let times = try interleave(
    rounds: 4 * rounds,
    [
      { [try workload.rolloutTime(threads: 1, clock: .wall)] },
      { [try workload.rolloutTime(threads: 2, clock: .wall)] },
    ])
  report.compare("\(file): one thread over two", times[0], over: times[1], .atLeast(1.8))
}

try pinToOneCore()
let peer = Peer(options["peer"])
if peer == nil {
  print("no peer at \(options["peer"]): run Benchmarks/Peers/setup.sh for the comparison with MuJoCo")
}
for file in files {
  try measureModel(file, models: options["models"], peer: peer, rounds: rounds, report)
}
try measureMemory(files, models: options["models"], report)
if !options["json"].isEmpty { try report.write(to: options["json"]) }
