// Forward kinematics, its backward pass and joint Jacobians: ours beside pytorch_kinematics and Pinocchio.
//
// Needs the robot files (--models, or COSTATE_TEST_MODELS) for the comparison with Pinocchio, and
// Benchmarks/Peers/setup.sh for the peers. One thread on one core unless said.
import BenchmarkSupport
import Costate
import Foundation

let environment = ProcessInfo.processInfo.environment
let options = try Options([
  "models": environment["COSTATE_TEST_MODELS"] ?? "../../shared/models", "peers": "Peers",
  "python": ".venv/bin/python", "json": "", "rounds": "6", "only": "",
])
let report = Report()
let rounds = Int(options["rounds"]) ?? 6
let only = options["only"]

// Threads first, while the process may use all cores.
if only.isEmpty || only == "chain" {
  try measureChain(
    peer: Peer(options["python"]), script: "\(options["peers"])/pytorch_kinematics_fk.py", rounds: rounds,
    report)
}
if only.isEmpty || only == "robots" {
  try pinToOneCore()
  for name in ["romeo_small", "panda"] {
    try measureRobot(name, models: options["models"], peers: options["peers"], rounds: rounds, report)
  }
}
if !options["json"].isEmpty { try report.write(to: options["json"]) }
