// Solutions as functions: fits beside SciPy and optimistix, one thread each.
//
// Needs Benchmarks/Peers/setup.sh for the peers, which take SciPy, JAX and optimistix. Times are wall time.
import BenchmarkSupport
import Costate
import Foundation

let options = try Options([
  "folder": "Peers", "python": ".venv/bin/python", "fixtures": "../Tests/ImplicitLayersTests/Fixtures",
  "json": "",
  "rounds": "5",
])
let report = Report()
let peers = Peer(options["python"]).map { Script(python: $0, path: "\(options["folder"])/minimize_peers.py") }
if peers == nil {
  print("no peers: run Benchmarks/Peers/setup.sh for the comparison with SciPy and optimistix")
}

try pinToOneCore()
try measureRegression(options["fixtures"], peers, rounds: Int(options["rounds"]) ?? 5, report)
if !options["json"].isEmpty { try report.write(to: options["json"]) }
