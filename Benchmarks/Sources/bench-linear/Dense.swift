import BenchmarkSupport
import Costate
import Foundation

/// The sum of squares of the solution.
func loss(_ a: Tensor, _ b: Tensor) -> Tensor {
  let x = solve(.dense(a), b)
  return (x * x).sum()
}

/// Numbers between minus one and one.
func random(_ shape: [Int], _ generator: inout SplitMix, type: ElementType = .float64) -> Tensor {
  let count = shape.reduce(1, *)
  return Tensor((0..<count).map { _ in Double.random(in: -1...1, using: &generator) }, shape: shape)
    .converted(to: type)
}

/// One dense system: its value, and its value with gradients with respect to the matrix and the right-hand side.
func measureDense(_ chosen: [Int], _ jax: Script?, _ torch: Script?, rounds: Int, _ report: Report) throws {
  let calls = [16: 2000, 64: 200, 256: 20, 1024: 2]
  var results = PeerResults()
  var timings: [String: Timing] = [:]
  let value = jit(loss)
  let both = jit(valueAndGrad(loss))
  var generator = SplitMix(state: 11)
  var cases: [(name: String, measure: () throws -> Double)] = []
  let sizes = chosen.isEmpty ? calls.keys.sorted() : chosen
  for size in sizes {
    for type in [ElementType.float64, .float32] {
      let (a, b) = (random([size, size], &generator, type: type), random([size], &generator, type: type))
      let count = calls[size] ?? 1
      if size == 16, type == .float64 {
        let call = try PlainGradient(a, b)
        cases.append(("gradient 16 in plain memory", { try repeatedly(count) { try call() } }))
      }
      cases.append(("value \(size) \(type)", { try repeatedly(count) { try value(a, b) } }))
      cases.append(("gradient \(size) \(type)", { try repeatedly(count) { try both(a, b) } }))
    }
  }
  // Our repetitions are spread among the peers' programs, which run for seconds.
  for _ in 0..<rounds {
    for (name, measure) in cases {
      _ = try measure()
      for _ in 0..<5 { timings[name, default: Timing()].samples.append(try measure()) }
    }
    results.append(try jax?.run("dense") ?? [])
    results.append(try torch?.run("dense") ?? [])
  }
  for size in sizes {
    report.heading("Dense, \(size) unknowns: value, and value with gradients of A and b")
    for type in [ElementType.float64, .float32] {
      for kind in ["value", "gradient"] {
        let name = "\(kind) \(size) \(type)"
        report.add(name, timings[name]!)
        results.report("jax \(name)", report)
        results.report("torch \(name)", report)
      }
    }
    if let plain = timings["gradient \(size) in plain memory"] {
      report.add("gradient \(size) float64 by CompiledFunction", plain)
    }
    let own = timings["gradient \(size) float64"]!
    let peers = ["jax", "torch"].compactMap { results["\($0) gradient \(size) float64"] }
    guard let fastest = peers.min(by: { $0.minimum < $1.minimum }) else { continue }
    report.compare("ours over the faster peer, \(size), float64", own, over: fastest, .atMost(1.05))
    if size == 16 {
      report.compare("the faster peer over ours, 16, float64", fastest, over: own, .atLeast(5))
    }
  }
}

/// Value and gradients as a function on plain memory, as solvers and programs in C call it.
private final class PlainGradient {
  private let function: CompiledFunction
  private let inputs: [UnsafePointer<Double>]
  private let outputs: [UnsafeMutablePointer<Double>]

  init(_ a: Tensor, _ b: Tensor) throws {
    let both = valueAndGrad(loss)
    function = try CompiledFunction(
      { x in
        let result = try both(x[0], x[1])
        return [result.value, result.gradient.0, result.gradient.1]
      }, at: [a, b])
    inputs = [a, b].map { tensor in
      let memory = UnsafeMutablePointer<Double>.allocate(capacity: tensor.count)
      memory.initialize(from: tensor.values, count: tensor.count)
      return UnsafePointer(memory)
    }
    outputs = function.outputShapes.map { .allocate(capacity: $0.reduce(1, *)) }
  }
  deinit {
    for memory in inputs { memory.deallocate() }
    for memory in outputs { memory.deallocate() }
  }
  func callAsFunction() throws { try function(inputs: inputs, outputs: outputs) }
}
