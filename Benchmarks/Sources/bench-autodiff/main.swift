// Programs of tensors: ours beside JAX, PyTorch and CasADi on the CPU.
//
// Needs Benchmarks/Peers/setup.sh for the peers. Small programs run on one core; large arrays, products and training on
// all cores, as the peers do. Times are wall time.
import BenchmarkSupport
import Costate
import Foundation

let options = try Options([
  "folder": "Peers", "python": ".venv/bin/python", "json": "", "rounds": "5", "only": "",
  "peers": "jax,torch,casadi",
])
let report = Report()
let rounds = Int(options["rounds"]) ?? 5
let only = options["only"]
let peers = Peers(python: options["python"], folder: options["folder"], only: options["peers"])

// Threads first, while the process may use all cores.
if only.isEmpty || only == "chain" { try measureChain(peers, rounds: rounds, report) }
if only.isEmpty || only == "product" { try measureProduct(peers, rounds: rounds, report) }
if only.isEmpty || only == "training" { try measureTraining(peers, rounds: rounds, report) }
try pinToOneCore()
if only.isEmpty || only == "tracing" { try measureTracing(peers, rounds: rounds, report) }
if only.isEmpty || only == "small" { try measureSmallPrograms(peers, rounds: rounds, report) }
if !options["json"].isEmpty { try report.write(to: options["json"]) }
