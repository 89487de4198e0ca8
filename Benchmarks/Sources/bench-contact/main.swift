// Steps under constraints and their gradients: ours beside MuJoCo's C engine, on the same states and controls.
//
// Needs the robot files (--models, or COSTATE_TEST_MODELS) and, for the comparison, Benchmarks/Peers/setup.sh.
// One thread on one core; times are per world and step.
import BenchmarkSupport
import Costate
import Foundation

let environment = ProcessInfo.processInfo.environment
let options = try Options([
  "models": environment["COSTATE_TEST_MODELS"] ?? "../../shared/models",
  "peer": "Peers/.build/mujoco_contact", "json": "", "filter": "", "rounds": "4",
])
let report = Report()
let rounds = Int(options["rounds"]) ?? 4
try pinToOneCore()
let peer = Peer(options["peer"])
if peer == nil {
  print("no peer at \(options["peer"]): run Benchmarks/Peers/setup.sh for the comparison with MuJoCo")
}
let files = [
  "mujoco/humanoid", "gymnasium/hopper", "gymnasium/half_cheetah", "gymnasium/ant", "dm_control/humanoid",
  "dm_control/cheetah",
].filter { options["filter"].isEmpty || $0.contains(options["filter"]) }
for file in files {
  try measureContact("\(options["models"])/\(file).xml", file, peer: peer, rounds: rounds, report)
}
if !options["json"].isEmpty { try report.write(to: options["json"]) }
