import BenchmarkSupport
import Foundation

/// The programs that are run in turn with ours; nil where Peers/setup.sh has not prepared them.
struct Peers {
  /// The C program that times CasADi's functions.
  struct CasADi {
    var program: Peer
    var folder: String
    func run() throws -> [Peer.Line] { try program.run([folder]) }
  }

  var jax: Script?
  var torch: Script?
  var casadi: CasADi?

  init(python: String, folder: String, only: String) {
    if let interpreter = Peer(python) {
      let wanted = only.split(separator: ",")
      if wanted.contains("jax") { jax = Script(python: interpreter, path: "\(folder)/autodiff_jax.py") }
      if wanted.contains("torch") { torch = Script(python: interpreter, path: "\(folder)/autodiff_torch.py") }
    }
    let functions = "\(folder)/.build/casadi"
    if only.contains("casadi"), let program = Peer("\(folder)/.build/casadi_time"),
      FileManager.default.fileExists(atPath: functions)
    {
      casadi = CasADi(program: program, folder: functions)
    }
    if jax == nil && torch == nil && casadi == nil {
      print("no peers: run Benchmarks/Peers/setup.sh for the comparison with JAX, PyTorch and CasADi")
    }
  }
}
