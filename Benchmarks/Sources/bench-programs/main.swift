// Quadratic programs in batches and their gradients: ours beside PIQP, qpax, ProxSuite and qpth.
//
// Needs Benchmarks/Peers/setup.sh for the peers. Ours take all cores that there are; `taskset -c 1 bench-programs` gives ours and the peers
// one. `--only` takes large, medium, small or errors. Times are wall time of all programs of a batch; on one core of a busy machine
// `--clock thread` gives the time that ours compute.
import BenchmarkSupport
import Costate
import Foundation

let options = try Options([
  "folder": "Peers", "python": ".venv/bin/python", "qpth-python": ".venv-qpth/bin/python", "json": "",
  "rounds": "3", "only": "",
  "clock": "wall",
])
let report = Report()
let rounds = Int(options["rounds"]) ?? 3
let only = options["only"]
let peers = Peers(
  python: options["python"], qpthPython: options["qpth-python"], folder: options["folder"])
if peers.names.isEmpty { print("no peers: run Benchmarks/Peers/setup.sh for the comparison") }
let clock = options["clock"] == "thread" ? Clock.thread : .wall
print("cores: \(ProcessInfo.processInfo.activeProcessorCount)")
func isWanted(_ name: String) -> Bool { only.isEmpty || only == name }

if isWanted("large") {
  try measure(
    SeededPrograms(count: 128, variables: 100, inequalities: 100), peers, rounds: rounds, piqp: 1, qpax: nil,
    report)
}
if isWanted("medium") {
  try measure(
    SeededPrograms(count: 64, variables: 50, inequalities: 50), peers, rounds: rounds, piqp: 1, qpax: nil,
    report)
}
if isWanted("small") {
  try measure(
    SeededPrograms(count: 10_000, variables: 10, inequalities: 20), peers, rounds: rounds, piqp: nil,
    qpax: 10,
    report)
}
if isWanted("errors") {
  report.heading("Gradients against central differences at tight tolerance")
  for (count, n, m) in [(128, 100, 100), (64, 50, 50), (1000, 10, 20)] {
    try measureErrors(SeededPrograms(count: count, variables: n, inequalities: m), report)
  }
}
if !options["json"].isEmpty { try report.write(to: options["json"]) }
