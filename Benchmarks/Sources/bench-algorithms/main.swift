// Rigid-body algorithms in batches: ours beside Pinocchio's C++.
//
// Needs the robot files (--models, or COSTATE_TEST_MODELS) and, for the comparison, Benchmarks/Peers/setup.sh.
// One thread on one core; times are per configuration. Arrays are kept between calls, as the peer keeps its own.
import BenchmarkSupport
import Costate
import Foundation

let environment = ProcessInfo.processInfo.environment
let options = try Options([
  "models": environment["COSTATE_TEST_MODELS"] ?? "../../shared/models",
  "peer": "Peers/.build/pinocchio_dynamics", "json": "", "filter": "", "rounds": "6",
  "configurations": "256",
])
let report = Report()
let rounds = Int(options["rounds"]) ?? 6
let configurations = Int(options["configurations"]) ?? 256

try pinToOneCore()
let peer = Peer(options["peer"])
if peer == nil {
  print("no peer at \(options["peer"]): run Benchmarks/Peers/setup.sh for the comparison with Pinocchio")
}
for name in ["romeo_small", "panda"] where options["filter"].isEmpty || name.contains(options["filter"]) {
  try measureModel(name, models: options["models"], peer: peer, rounds: rounds, configurations, report)
}
if !options["json"].isEmpty { try report.write(to: options["json"]) }
