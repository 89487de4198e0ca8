import BenchmarkSupport
import Costate
import Foundation

/// The programs that are run in turn with ours; nil where Peers/setup.sh has not prepared them.
struct Peers {
  private let python: Peer?
  private let script: String
  private let cvodes: Peer?

  init(python: String, folder: String) {
    self.python = Peer(python)
    script = "\(folder)/equations_diffrax.py"
    cvodes = Peer("\(folder)/.build/equations_cvodes")
  }

  func run(_ problem: String) throws -> [Peer.Line] {
    let diffrax = try python?.run([script, problem]) ?? []
    let isStiff = problem == "robertson" || problem == "brusselator"
    return diffrax + (isStiff ? try cvodes?.run([problem]) ?? [] : [])
  }
}

private func repeatedly(_ count: Int, _ body: () throws -> Void) rethrows -> [Double] {
  [
    try nanoseconds(per: count, clock: .wall) {
      for _ in 0..<count { try body() }
    }
  ]
}

private func add(_ lines: [Peer.Line], to timings: inout [String: Timing]) {
  for line in lines { timings[line.name, default: Timing()].samples += [line.min, line.median] }
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
  var peerTimings: [String: Timing] = [:]
  let timings = try interleave(
    rounds: rounds,
    [
      { try repeatedly(problem.repetitions) { consume(try solution(point)) } },
      {
        add(try peers.run(problem.name), to: &peerTimings)
        return []
      },
    ]
      + slopes.map { _, slope in
        { try repeatedly(problem.repetitions) { consume(try slope(point)) } }
      })
  report.add("solution", timings[0])
  for (index, (method, _)) in slopes.enumerated() {
    let timing = timings[2 + index]
    report.add("value and gradient, \(method.rawValue)", timing)
    report.compare(
      "value and gradient over solution, \(method.rawValue)", timing, over: timings[0], .atMost(4))
  }
  for (name, timing) in peerTimings.sorted(by: { $0.key < $1.key }) { report.add(name, timing) }
  let best = timings[2...].min { $0.minimum < $1.minimum } ?? timings[0]
  for name in Set(peerTimings.keys.compactMap { $0.split(separator: " ").first.map(String.init) }).sorted() {
    let isBarred = name == "diffrax"
    if let peer = peerTimings["\(name) \(problem.name)"] {
      report.compare(
        "\(name) over ours, solution", peer, over: timings[0], isBarred ? forward.map { .atLeast($0) } : nil)
    }
    if let peer = peerTimings["\(name) \(problem.name) gradient"] {
      report.compare(
        "\(name) over ours, gradient", peer, over: best, isBarred ? gradient.map { .atLeast($0) } : nil)
    }
  }
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
  var peerTimings: [String: Timing] = [:]
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
        add(try peers.run("batch"), to: &peerTimings)
        return []
      },
    ])
  for (name, timing) in zip(["traced", "traced, with gradient", "native", "native, with gradient"], timings) {
    report.add(name, timing)
  }
  for (name, timing) in peerTimings.sorted(by: { $0.key < $1.key }) { report.add(name, timing) }
  report.compare("value and gradient over solution, traced", timings[1], over: timings[0], .atMost(4))
  report.compare("value and gradient over solution, native", timings[3], over: timings[2], .atMost(4))
  if let peer = peerTimings["diffrax lorenz batch"] {
    report.compare("diffrax over ours, solution, traced", peer, over: timings[0])
    report.compare("diffrax over ours, solution, native", peer, over: timings[2])
  }
  if let peer = peerTimings["diffrax lorenz batch gradient"] {
    report.compare("diffrax over ours, gradient, traced", peer, over: timings[1], .atLeast(15))
    report.compare("diffrax over ours, gradient, native", peer, over: timings[3], .atLeast(30))
  }
}

/// What is kept between the solution and its gradient, as the horizon grows.
func measureMemory(_ report: Report) throws {
  report.heading("Peak of resident memory by horizon, Lorenz, beyond that of a horizon of 1")
  for method in GradientMethod.allCases {
    for checkpoints in [nil, 32] as [Int?] where checkpoints == nil || method == .discreteAdjoint {
      let base = try peak(method, checkpoints, horizon: 1)
      for horizon in [10, 100, 1000] {
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
