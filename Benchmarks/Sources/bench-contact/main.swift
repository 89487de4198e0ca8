// Steps under constraints and their gradients: ours beside MuJoCo's C engine, on the same states and controls.
//
// Needs the robot files (--models, or COSTATE_TEST_MODELS) and, for the comparison, Benchmarks/Peers/setup.sh.
// One thread on one core but where threads are counted; times are per world and step.
//
// --parts chooses among
//   steps        steps and reverse passes of the models (those whose name contains --filter)
//   derivatives  A and B of the humanoid beside mjd_transitionFD
//   memory       peak memory per world, each from a process of its own
//   bodies, contacts, worlds, threads  how the cost of a step grows with these
import BenchmarkSupport
import Costate
import Foundation

let environment = ProcessInfo.processInfo.environment
let options = try Options([
  "models": environment["COSTATE_TEST_MODELS"] ?? "../../shared/models", "own": "../Models",
  "peer": "Peers/.build/mujoco_contact", "json": "", "filter": "", "rounds": "4", "parts": "steps",
  "memory-probe": "",
])
let models = ModelFolders(shared: options["models"], own: options["own"])
if !options["memory-probe"].isEmpty {
  try probeMemory(options["memory-probe"], models)
  exit(0)
}
let report = Report()
let rounds = Int(options["rounds"]) ?? 4
let parts = Set(options["parts"].split(separator: ",").map(String.init))
let unknown = parts.subtracting(["steps", "derivatives", "memory", "bodies", "contacts", "worlds", "threads"])
guard unknown.isEmpty else {
  throw BenchmarkError("unknown parts: \(unknown.sorted().joined(separator: ", "))")
}
if parts.contains("threads") { try measureThreads(models, rounds: rounds, report) }
try pinToOneCore()
let peer = Peer(options["peer"])
if peer == nil {
  print("no peer at \(options["peer"]): run Benchmarks/Peers/setup.sh for the comparison with MuJoCo")
}
if parts.contains("steps") {
  let names = [
    "mujoco/humanoid", "gymnasium/hopper", "gymnasium/half_cheetah", "gymnasium/ant", "dm_control/humanoid",
    "dm_control/cheetah", "Models/quadruped, elliptic", "pile of 30 boxes",
  ].filter { options["filter"].isEmpty || $0.contains(options["filter"]) }
  for name in names { try measureContact(name, models, peer: peer, rounds: rounds, report) }
}
if parts.contains("derivatives") { try measureDerivatives(models, peer: peer, rounds: rounds, report) }
if parts.contains("bodies") { try measureBodies(peer: peer, rounds: rounds, report) }
if parts.contains("contacts") { try measureContacts(peer: peer, rounds: rounds, report) }
if parts.contains("worlds") { try measureWorlds(models, rounds: rounds, report) }
if parts.contains("memory") { try measureMemory(models, options, report) }
if !options["json"].isEmpty { try report.write(to: options["json"]) }
