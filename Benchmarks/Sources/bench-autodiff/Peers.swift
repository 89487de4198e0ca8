import BenchmarkSupport
import Foundation

/// The programs that are run in turn with ours; nil where Peers/setup.sh has not prepared them.
struct Peers {
  /// A script for one of our environments' Python.
  struct Script {
    var python: Peer
    var path: String
    func run(_ arguments: String...) throws -> [Peer.Line] { try python.run([path] + arguments) }
  }
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

/// What the peers printed, by name, over all rounds.
struct PeerResults {
  private var timings: [String: Timing] = [:]

  mutating func append(_ lines: [Peer.Line]) {
    for line in lines { timings[line.name, default: Timing()].samples += [line.min, line.median] }
  }
  func report(_ name: String, _ report: Report) {
    if let timing = timings[name] { report.add(name, timing) }
  }
  /// The peer's time over ours.
  func compare(_ name: String, over ours: Timing, _ report: Report, _ bar: Report.Bar?) {
    if let timing = timings[name] { report.compare("\(name) over ours", timing, over: ours, bar) }
  }
  /// Our time over the peer's.
  func compare(_ label: String, _ ours: Timing, over name: String, _ report: Report, _ bar: Report.Bar?) {
    if let timing = timings[name] { report.compare(label, ours, over: timing, bar) }
  }
}
