// Forward dynamics under constraints beside MuJoCo's on random reachable states (float64), and float32 beside float64 on many
// states of the humanoid.
//
// Needs the robot files (--models, or COSTATE_TEST_MODELS) and Benchmarks/Peers/setup.sh. Ends with status 1 where a model does
// not conform.
import BenchmarkSupport
import Costate
import Foundation

let environment = ProcessInfo.processInfo.environment
let options = try Options([
  "models": environment["COSTATE_TEST_MODELS"] ?? "../../shared/models", "own": "../Models",
  "peer": "Peers/.build/mujoco_states", "states": "100", "seed": "1", "filter": "", "precision": "100000",
])
guard let peer = Peer(options["peer"]) else {
  throw BenchmarkError("no peer at \(options["peer"]): run Benchmarks/Peers/setup.sh")
}

let folders =
  [("Models", options["own"])]
  + ["gymnasium", "dm_control", "mujoco"].map { ($0, "\(options["models"])/\($0)") }
let models = folders.flatMap { label, folder in
  ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".xml") }
    .sorted()
    .map { (name: "\(label)/\($0.dropLast(4))", path: "\(folder)/\($0)") }
}

var allConform = true
print("worst relative errors over \(options["states"]) reachable states (bar: 1e-7)")
print(ConformanceTable.header)
for (name, path) in models where options["filter"].isEmpty || name.contains(options["filter"]) {
  let row = try ConformanceTable(name, path, peer: peer, count: options["states"], seed: options["seed"])
  print(row.text)
  allConform = allConform && row.conforms
}
if let count = Int(options["precision"]), count > 0 {
  print("")
  try comparePrecisions("\(options["models"])/mujoco/humanoid.xml", count: count)
}
exit(allConform ? 0 : 1)
