// Solutions as functions: roots and fits beside SciPy and optimistix, one thread each.
//
// Needs Benchmarks/Peers/setup.sh for the peers, which take SciPy, JAX and optimistix. Times are wall time.
import BenchmarkSupport
import Costate
import Foundation

let options = try Options([
  "folder": "Peers", "python": ".venv/bin/python", "fixtures": "../Tests/ImplicitLayersTests/Fixtures",
  "json": "", "rounds": "5", "only": "",
])
let report = Report()
let only = options["only"]
let python = Peer(options["python"])
func script(_ name: String) -> Script? {
  python.map { Script(python: $0, path: "\(options["folder"])/\(name)") }
}
if python == nil {
  print("no peers: run Benchmarks/Peers/setup.sh for the comparison with SciPy and optimistix")
}

try pinToOneCore()
let rounds = Int(options["rounds"]) ?? 5
if only.isEmpty || only == "regression" {
  try measureRegression(options["fixtures"], script("minimize_peers.py"), rounds: rounds, report)
}
for group in ["roots", "leastSquares"] where only.isEmpty || only == group {
  try measureTestProblems(group, script("roots_peers.py"), rounds: rounds, report)
}
if !options["json"].isEmpty { try report.write(to: options["json"]) }
