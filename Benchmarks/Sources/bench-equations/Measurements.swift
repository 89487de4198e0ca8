import BenchmarkSupport
import Costate
import Foundation

/// The programs that are run in turn with ours; nil where Peers/setup.sh has not prepared them.
struct Peers {
  private let diffrax: Script?
  private let cvodes: Peer?

  init(python: String, folder: String) {
    diffrax = Peer(python).map { Script(python: $0, path: "\(folder)/equations_diffrax.py") }
    cvodes = Peer("\(folder)/.build/equations_cvodes")
  }

  func run(_ problem: String) throws -> [Peer.Line] {
    let lines = try diffrax?.run(problem) ?? []
    let isStiff = problem == "robertson" || problem == "brusselator"
    return lines + (isStiff ? try cvodes?.run([problem]) ?? [] : [])
  }

  /// A solution at a tolerance.
  struct PrecisionLine: Decodable {
    var name: String
    var min: Double
    var tolerance: Double
    var state: [Double]
  }
  func precision(_ problem: String) throws -> [PrecisionLine] {
    try (diffrax?.run(["precision", problem], as: PrecisionLine.self) ?? [])
      + (cvodes?.run(["precision", problem], as: PrecisionLine.self) ?? [])
  }
}

/// The solution of one trajectory and its gradient by each method, in turn with the peers.
///
/// - Parameters:
///   - forward: how much faster than diffrax the solution shall be; nil where there is no bar.
///   - gradient: likewise the gradient by initial state and parameters.
func measureSingle(
  _ problem: Problem, _ peers: Peers, rounds: Int, forward: Double? = nil, gradient: Double? = nil,
  _ report: Report
) throws {
  report.heading("\(problem.name), one trajectory")
  let point = [problem.initial, problem.parameters]
  let solution = jit(problem.finalState())
  let slopes = problem.gradients.map { method in
    (method, jit(grad(problem.loss(method))))
  }
  var results = PeerResults()
  let timings = try interleave(
    rounds: rounds,
    [
      { [try repeatedly(problem.repetitions, clock: .thread) { try solution(point) }] },
      {
        results.append(try peers.run(problem.name))
        return []
      },
    ]
      + slopes.map { _, slope in
        { [try repeatedly(problem.repetitions, clock: .thread) { try slope(point) }] }
      })
  report.add("solution", timings[0])
  for (index, (method, _)) in slopes.enumerated() {
    let timing = timings[2 + index]
    report.add("value and gradient, \(method.rawValue)", timing)
    // The bar is one of adjoints.
    report.compare(
      "value and gradient over solution, \(method.rawValue)", timing, over: timings[0],
      method == .forwardSensitivity ? nil : .atMost(4))
  }
  let best = timings[2...].min { $0.minimum < $1.minimum } ?? timings[0]
  for peer in ["diffrax", "cvodes"] {
    let isBarred = peer == "diffrax"
    results.report("\(peer) \(problem.name)", report)
    results.report("\(peer) \(problem.name) gradient", report)
    results.compare(
      "\(peer) \(problem.name)", over: timings[0], report, isBarred ? forward.map { .atLeast($0) } : nil)
    results.compare(
      "\(peer) \(problem.name) gradient", over: best, report, isBarred ? gradient.map { .atLeast($0) } : nil)
  }
}

/// The Lorenz system once, with its right-hand side as native code.
func measureNative(_ peers: Peers, rounds: Int, forward: Double, gradient: Double, _ report: Report) throws {
  let problem = Problem.lorenz
  let native = NativeEquation(NativeLorenz())
  let (initial, parameters) = (problem.initial.values, problem.parameters.values)
  var results = PeerResults()
  let timings = try interleave(
    rounds: rounds,
    [
      {
        [
          try repeatedly(problem.repetitions, clock: .thread) {
            try native.solve(
              from: initial, parameters: parameters, times: [problem.end], options: problem.options)
          }
        ]
      },
      {
        [
          try repeatedly(problem.repetitions, clock: .thread) {
            try native.solve(
              from: initial, parameters: parameters, times: [problem.end], options: problem.options,
              keepsRecord: true
            ).pullback([1, 2, 3])
          }
        ]
      },
      {
        results.append(try peers.run(problem.name))
        return []
      },
    ])
  report.heading("\(problem.name), one trajectory, native right-hand side")
  report.add("solution", timings[0])
  report.add("value and gradient", timings[1])
  results.compare("diffrax \(problem.name)", over: timings[0], report, .atLeast(forward))
  results.compare("diffrax \(problem.name) gradient", over: timings[1], report, .atLeast(gradient))
  report.compare("value and gradient over solution", timings[1], over: timings[0], .atMost(4))
}

/// Trajectories from 1024 states near each other, per trajectory: traced and native right-hand sides.
func measureBatch(_ peers: Peers, rounds: Int, _ report: Report) throws {
  let count = 1024
  let problem = Problem.lorenz
  report.heading("lorenz, batch of \(count), per trajectory")
  var generator = SplitMix(state: 7)
  let rows = (0..<3 * count).map { _ in 1 + Double.random(in: -0.5...0.5, using: &generator) }
  let states = Tensor(rows, shape: [count, 3])
  let many = vmap(problem.finalState(), inputAxes: [0, nil])
  let solution = jit { (x: [Tensor]) in try many(x) }
  let losses = vmap(problem.loss(), inputAxes: [0, nil])
  let slope = jit(grad { (x: [Tensor]) in try losses(x).sum() })
  let point = [states, problem.parameters]
  let native = NativeEquation(NativeLorenz())
  let parameters = problem.parameters.values
  let weights = (0..<count).flatMap { _ in [1.0, 2.0, 3.0] }
  var results = PeerResults()
  func perTrajectory(_ body: () throws -> Void) rethrows -> [Double] {
    [try nanoseconds(per: count, clock: .wall, body)]
  }
  let timings = try interleave(
    rounds: rounds,
    [
      { try perTrajectory { consume(try solution(point)) } },
      { try perTrajectory { consume(try slope(point)) } },
      {
        try perTrajectory {
          consume(
            try native.solve(
              from: rows, parameters: parameters, times: [problem.end], options: problem.options))
        }
      },
      {
        try perTrajectory {
          let found = try native.solve(
            from: rows, parameters: parameters, times: [problem.end], options: problem.options,
            keepsRecord: true)
          consume(try found.pullback(weights))
        }
      },
      {
        results.append(try peers.run("batch"))
        return []
      },
    ])
  for (name, timing) in zip(["traced", "traced, with gradient", "native", "native, with gradient"], timings) {
    report.add(name, timing)
  }
  results.report("diffrax lorenz batch", report)
  results.report("diffrax lorenz batch gradient", report)
  report.compare("value and gradient over solution, traced", timings[1], over: timings[0], .atMost(4))
  report.compare("value and gradient over solution, native", timings[3], over: timings[2], .atMost(4))
  for (name, solution, gradient, bar) in [
    ("traced", timings[0], timings[1], 15.0), ("native", timings[2], timings[3], 30),
  ] {
    report.heading("lorenz batch, \(name)")
    results.compare("diffrax lorenz batch", over: solution, report, nil)
    results.compare("diffrax lorenz batch gradient", over: gradient, report, .atLeast(bar))
  }
}

/// What is kept between the solution and its gradient, as the horizon grows.
func measureMemory(_ report: Report) throws {
  report.heading("Peak of resident memory by horizon, Lorenz, beyond that of a horizon of 1")
  // Backsolve keeps nothing, and does not find the way back of the Lorenz system.
  for method in GradientMethod.allCases where method != .backsolve {
    for checkpoints in [nil, 32] as [Int?] where checkpoints == nil || method == .discreteAdjoint {
      let base = try peak(method, checkpoints, horizon: 1)
      // Derivatives of a chaotic solution grow until they are no numbers any more.
      for horizon in [10, 100, 400] {
        let label = checkpoints.map { ", \($0) checkpoints" } ?? ""
        report.add(
          "\(method.rawValue)\(label), horizon \(horizon)",
          value: Double(try peak(method, checkpoints, horizon: horizon) - base) / 1024, unit: "kB")
      }
    }
  }
}

/// Peak of a process of its own, bytes.
private func peak(_ method: GradientMethod, _ checkpoints: Int?, horizon: Int) throws -> Int {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
  process.arguments = ["--probe", "\(method.rawValue),\(checkpoints ?? 0),\(horizon)"]
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let output = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  let text = String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  guard let bytes = Int(text) else { throw BenchmarkError("the probe said \(text)") }
  return bytes
}

/// One gradient, and the memory it took, for ``peak(_:_:horizon:)``.
func probe(_ text: String) throws {
  let parts = text.split(separator: ",").map(String.init)
  guard parts.count == 3, let method = GradientMethod(rawValue: parts[0]), let checkpoints = Int(parts[1]),
    let horizon = Double(parts[2])
  else { throw BenchmarkError("cannot read \(text)") }
  var problem = Problem.lorenz
  problem.end = horizon
  problem.options.maximumSteps = 10_000_000
  if checkpoints > 0 { problem.options.checkpoints = checkpoints }
  consume(try grad(problem.loss(method))([problem.initial, problem.parameters]))
  print(peakMemory() ?? 0)
}
