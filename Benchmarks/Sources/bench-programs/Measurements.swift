import BenchmarkSupport
import Costate
import Foundation

/// The programs that solve the same, run in turn with ours; none where Peers/setup.sh has not prepared them.
struct Peers {
  private var scripts: [(solver: String, script: Script)] = []

  init(python: String, qpthPython: String, folder: String) {
    for (solver, path) in [("piqp", python), ("qpax", python), ("proxsuite", python), ("qpth", qpthPython)] {
      if let peer = Peer(path) {
        scripts.append((solver, Script(python: peer, path: "\(folder)/programs_peers.py")))
      }
    }
  }

  var names: [String] { scripts.map(\.solver) }
  func run(_ index: Int, _ size: SeededPrograms) throws -> [Peer.Line] {
    try scripts[index].script.run(
      scripts[index].solver, "\(size.count)", "\(size.variables)", "\(size.inequalities)")
  }
}

/// All programs of one size: solutions, and solutions with the gradient of their sum by Q, q, G and h.
///
/// - Parameters:
///   - piqp: what part of PIQP's time ours may be at most; nil where there is no bar.
///   - qpax: how many times as fast as qpax ours shall be.
func measure(
  _ size: SeededPrograms, _ peers: Peers, rounds: Int, piqp: Double?, qpax: Double?, _ report: Report
) throws {
  report.heading("\(size.count) programs, \(size.variables) variables, \(size.inequalities) inequalities")
  let forward = jit(SeededPrograms.solutions())
  let slope = jit(valueAndGrad(SeededPrograms.loss()))
  let found = try forward(size.data)
  let steps = found[2].values
  report.add("iterations, mean", value: steps.reduce(0, +) / Double(steps.count), unit: "")
  report.add("largest residual", value: size.residual(found[0].values, found[1].values), unit: "")
  var results = PeerResults()
  var (own, ownSlope) = (Timing(), Timing())
  // Ours between every two peers: whatever slows the machine for a while slows both.
  func ours() throws {
    _ = try slope(size.data)
    for _ in 0..<5 {
      own.samples.append(try repeatedly(1, clock: clock) { try forward(size.data) })
      ownSlope.samples.append(try repeatedly(1, clock: clock) { try slope(size.data) })
    }
  }
  for _ in 0..<rounds {
    try ours()
    for index in peers.names.indices {
      results.append(try peers.run(index, size))
      try ours()
    }
  }
  report.add("forward", own)
  report.add("forward and gradient", ownSlope)
  for name in peers.names {
    results.report("\(name) forward", report)
    results.report("\(name) gradient", report)
    for line in ["\(name) residual", "\(name) residual (constraints)", "\(name) iterations"] {
      if let value = results[line] { report.add(line, value: value.maximum, unit: "") }
    }
  }
  report.compare(
    "forward and gradient over forward", ownSlope, over: own, piqp == nil ? nil : .atMost(1.2))
  for name in peers.names {
    let bar = name == "piqp" ? piqp : name == "qpax" ? qpax : nil
    results.compare("\(name) forward", over: own, report, bar.map { .atLeast($0) })
    results.compare(
      "\(name) gradient", over: ownSlope, report, (name == "qpax" ? qpax : nil).map { .atLeast($0) })
  }
}

/// The gradient along a random direction in all data, program by program, against central differences of tightly solved programs. Programs
/// whose active constraints change within the differences' steps are left out: there the solution has a kink.
func measureErrors(_ size: SeededPrograms, _ report: Report) throws {
  var options = QuadraticProgramOptions()
  (options.absoluteTolerance, options.relativeTolerance) = (1e-12, 1e-12)
  let (solutions, slope) = (SeededPrograms.solutions(options), grad(SeededPrograms.loss(options)))
  var generator = SplitMix(state: 12)
  let direction = size.data.map { tensor in
    Tensor((0..<tensor.count).map { _ in Double.random(in: -1...1, using: &generator) }, shape: tensor.shape)
  }
  let gradient = try slope(size.data)
  func rows(_ x: Tensor) -> [ArraySlice<Double>] {
    let (each, values) = (x.count / size.count, x.values)
    return (0..<size.count).map { values[$0 * each..<($0 + 1) * each] }
  }
  func sums(_ x: Tensor) -> [Double] { rows(x).map { $0.reduce(0, +) } }
  let slopes = zip(gradient, direction).map { sums($0 * $1) }
  let exact = (0..<size.count).map { p in slopes.reduce(0.0) { $0 + $1[p] } }
  /// Sums of solutions at a distance along the direction, and which constraints are active.
  func values(_ step: Double) throws -> (sums: [Double], active: [[Bool]]) {
    let found = try solutions(zip(size.data, direction).map { $0 + $1 * step })
    return (sums(found[0]), rows(found[1]).map { $0.map { $0 > 0 } })
  }
  // Central differences of two steps, extrapolated.
  let step = 2e-6
  let points = try [-1.0, -0.5, 0.5, 1].map { try values($0 * step) }
  var (worst, kinks) = (0.0, 0)
  for p in 0..<size.count {
    guard points.allSatisfy({ $0.active[p] == points[0].active[p] }) else {
      kinks += 1
      continue
    }
    let coarse = (points[3].sums[p] - points[0].sums[p]) / (2 * step)
    let fine = (points[2].sums[p] - points[1].sums[p]) / step
    let expected = (4 * fine - coarse) / 3
    let error = abs(exact[p] - expected) / max(1, abs(expected))
    worst = error.isNaN ? .infinity : max(worst, error)
  }
  if kinks == size.count { worst = .infinity }
  let label = "\(size.count) x (\(size.variables), \(size.inequalities))"
  report.compare("gradient, largest relative error, \(label)", worst, .atMost(1e-7))
  report.add("programs with a kink left out, \(label)", value: Double(kinks), unit: "")
}
