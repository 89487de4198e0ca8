// Ordinary differential equations: ours beside diffrax and CVODES on one core.
//
// Needs Benchmarks/Peers/setup.sh for the peers. Times are of one thread.
import BenchmarkSupport
import Costate
import Foundation

let options = try Options([
  "folder": "Peers", "python": ".venv/bin/python", "json": "", "rounds": "5", "only": "",
  "probe": "", "figures": ".build/figures",
])
if !options["probe"].isEmpty {
  try probe(options["probe"])
  exit(0)
}
let report = Report()
let rounds = Int(options["rounds"]) ?? 5
let only = options["only"]
let peers = Peers(python: options["python"], folder: options["folder"])
try pinToOneCore()
func isWanted(_ name: String) -> Bool { only.isEmpty || only == name }

if isWanted("lorenz") {
  try measureSingle(.lorenz, peers, rounds: rounds, forward: 3, gradient: 20, report)
  try measureNative(peers, rounds: rounds, forward: 3, gradient: 20, report)
}
if isWanted("batch") { try measureBatch(peers, rounds: rounds, report) }
if isWanted("pleiades") { try measureSingle(.pleiades, peers, rounds: rounds, report) }
if isWanted("robertson") { try measureSingle(.robertson, peers, rounds: rounds, report) }
if isWanted("brusselator") { try measureSingle(.brusselator, peers, rounds: min(rounds, 2), report) }
if isWanted("memory") { try measureMemory(report) }
// Diagrams of work and precision are asked for by name.
if only == "precision" { try measurePrecision(peers, rounds: rounds, folder: options["figures"], report) }
if !options["json"].isEmpty { try report.write(to: options["json"]) }
