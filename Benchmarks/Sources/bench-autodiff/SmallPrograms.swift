import BenchmarkSupport
import Costate
import Foundation

/// A function that is timed alone and in batches.
struct SmallProgram {
  var name: String
  var function: (Tensor) throws -> Tensor
  var argumentCount: Int
  /// How many calls make one sample.
  var calls: Int

  /// The gradient of the weighed sum of the results.
  var gradient: SmallProgram {
    let function = function
    return SmallProgram(
      name: "\(name) gradient",
      function: grad { x in
        let y = try function(x)
        return (y.flattened * Tensor.range(to: Double(y.count))).sum() + y.sum()
      }, argumentCount: argumentCount, calls: calls)
  }

  static var all: [SmallProgram] {
    [
      SmallProgram(name: "lorenz", function: Workloads.lorenz, argumentCount: 3, calls: 2000),
      SmallProgram(
        name: "lorenz Jacobian", function: jacobian(Workloads.lorenz), argumentCount: 3, calls: 2000),
      SmallProgram(
        name: "arm", function: Workloads.arm, argumentCount: 3 * Workloads.joints, calls: 100),
    ]
  }
}

/// Call overhead, single calls, and batches of 4096, in turn with the peers.
func measureSmallPrograms(_ peers: Peers, rounds: Int, _ report: Report) throws {
  let batch = 4096
  var generator = SplitMix(state: 3)
  var results = PeerResults()

  report.heading("A jitted scalar function, per call")
  let scalar = jit(Workloads.scalar)
  let scalarGradient = jit(grad(Workloads.scalar))
  let point = Tensor(0.7)
  let overhead = try interleave(
    rounds: rounds,
    [
      { [try repeatedly(5000) { try scalar(point) }] },
      { [try repeatedly(5000) { try scalarGradient(point) }] },
      {
        results.append(try peers.jax?.run("small") ?? [])
        return []
      },
      {
        results.append(try peers.casadi?.run() ?? [])
        return []
      },
      {
        results.append(try peers.torch?.run("small") ?? [])
        return []
      },
    ])
  report.add("jit of a scalar function", overhead[0])
  report.add("jit of its gradient", overhead[1])
  results.report("jax scalar", report)
  results.report("torch scalar", report)
  report.compare("gradient over value: scalar function", overhead[1], over: overhead[0], .atMost(3))
  results.compare("jax scalar", over: overhead[0], report, .atLeast(10))

  for program in SmallProgram.all {
    report.heading("\(program.name), per evaluation")
    let x = Tensor((0..<program.argumentCount).map { _ in Double.random(in: -1...1, using: &generator) })
    let rows = Tensor(
      (0..<batch * program.argumentCount).map { _ in Double.random(in: -1...1, using: &generator) },
      shape: [batch, program.argumentCount])
    let single = jit(program.function)
    let many = jit(vmap(program.function))
    let slopes = jit(vmap(program.gradient.function))
    let value = try PlainCall(program, at: x)
    let gradient = try PlainCall(program.gradient, at: x)
    let times = try interleave(
      rounds: 10 * rounds,
      [
        { [try repeatedly(program.calls) { try value() }] },
        { [try repeatedly(program.calls) { try gradient() }] },
        { [try repeatedly(4) { try many(rows) } / Double(batch)] },
        { [try repeatedly(4) { try slopes(rows) } / Double(batch)] },
        { [try repeatedly(program.calls) { try single(x) }] },
      ])
    report.add("\(program.name), instructions", value: Double(value.instructionCount), unit: "")
    report.add("\(program.name) gradient, instructions", value: Double(gradient.instructionCount), unit: "")
    report.add("\(program.name), single", times[0])
    report.add("\(program.name), single, jit of tensors", times[4])
    report.add("\(program.name) gradient, single", times[1])
    report.add("\(program.name), batch of \(batch)", times[2])
    report.add("\(program.name) gradient, batch of \(batch)", times[3])
    for peer in ["jax", "torch"] {
      results.report("\(peer) \(program.name)", report)
      results.report("\(peer) \(program.name) batch", report)
    }
    for kind in ["", " map", " in C", " gradient", " gradient map", " gradient in C"] {
      results.report("casadi \(program.name)\(kind)", report)
    }
    report.compare("gradient over value: \(program.name), single", times[1], over: times[0], .atMost(3))
    report.compare("gradient over value: \(program.name), batch", times[3], over: times[2], .atMost(3))
    results.compare("casadi \(program.name)", over: times[0], report, .atLeast(1))
    results.compare("casadi \(program.name) map", over: times[2], report, .atLeast(8))
    results.compare("casadi \(program.name) in C", over: times[2], report, nil)
    results.compare("jax \(program.name) batch", over: times[2], report, .atLeast(2))
  }
}

/// A function compiled for plain memory, as solvers call it, with its memory.
private final class PlainCall {
  private let function: CompiledFunction
  private let input: UnsafeMutableBufferPointer<Double>
  private let output: UnsafeMutableBufferPointer<Double>
  private let inputs: [UnsafePointer<Double>]
  private let outputs: [UnsafeMutablePointer<Double>]

  init(_ program: SmallProgram, at x: Tensor) throws {
    function = try CompiledFunction({ [try program.function($0[0])] }, at: [x])
    input = .allocate(capacity: x.count)
    output = .allocate(capacity: function.outputShapes[0].reduce(1, *))
    _ = input.initialize(from: x.values)
    output.initialize(repeating: 0)
    inputs = [UnsafePointer(input.baseAddress!)]
    outputs = [output.baseAddress!]
  }
  deinit {
    input.deallocate()
    output.deallocate()
  }
  var instructionCount: Int { function.instructionCount ?? 0 }
  func callAsFunction() throws { try function(inputs: inputs, outputs: outputs) }
}
