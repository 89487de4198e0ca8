// Linear solves and their gradients: ours beside JAX, PyTorch and SciPy, one thread each.
//
// Needs Benchmarks/Peers/setup.sh for the peers. `--only` takes dense, batch, sparse or memory. Times are wall time.
import BenchmarkSupport
import CGemm
import Costate
import Foundation

let options = try Options([
  "folder": "Peers", "python": ".venv/bin/python", "torch-python": "", "json": "", "rounds": "3", "only": "",
  "sizes": "", "grid": "1000", "methods": "cg,cholesky,lu", "probe": "",
])
gemm_set_threads(1)
if !options["probe"].isEmpty {
  try probe(options["probe"])
  exit(0)
}
let report = Report()
let rounds = Int(options["rounds"]) ?? 3
let only = options["only"]
let torchPython = options["torch-python"].isEmpty ? options["python"] : options["torch-python"]
func script(_ python: String, _ name: String) -> Script? {
  Peer(python).map { Script(python: $0, path: "\(options["folder"])/\(name).py") }
}
let sizes = options["sizes"].split(separator: ",").compactMap { Int($0) }
let (jax, torch) = (script(options["python"], "linear_jax"), script(torchPython, "linear_torch"))
if jax == nil {
  print("no peers: run Benchmarks/Peers/setup.sh for the comparison with JAX, PyTorch and SciPy")
}

try pinToOneCore()
if only.isEmpty || only == "dense" { try measureDense(sizes, jax, torch, rounds: rounds, report) }
if only.isEmpty || only == "batch" { try measureBatches(sizes, jax, torch, rounds: rounds, report) }
if only.isEmpty || only == "memory" { try measureMemory(report) }
if only.isEmpty || only == "sparse" {
  try measureSparse(
    grid: Int(options["grid"]) ?? 1000, methods: options["methods"].split(separator: ",").map(String.init),
    script(options["python"], "linear_scipy"), report)
}
if !options["json"].isEmpty { try report.write(to: options["json"]) }
