import BenchmarkSupport
import Costate
import Foundation

/// What a gradient by conjugate gradients to some tolerance took.
struct MemoryResult: Codable {
  var iterations: Int
  var bytes: Int
  var nanoseconds: Double
}

/// Memory of implicit and unrolled gradients as the tolerance falls and iterations grow, each in a process of its own.
func measureMemory(_ report: Report) throws {
  report.heading(
    "Peak memory of a gradient through conjugate gradients, Poisson equation on 128 x 128 points")
  guard let own = Peer(CommandLine.arguments[0]) else { throw BenchmarkError("cannot start itself") }
  var (first, last): ([String: MemoryResult], [String: MemoryResult]) = ([:], [:])
  for exponent in [1, 2, 4, 6, 8, 10] {
    for kind in ["implicit", "unrolled"] {
      let result = try own.run(["--probe", "memory,\(kind),\(exponent)"], as: MemoryResult.self)[0]
      report.add("\(kind), \(result.iterations) iterations", value: Double(result.bytes) / 1e6, unit: "MB")
      report.add("\(kind), \(result.iterations) iterations, time", Timing([result.nanoseconds]))
      if first[kind] == nil { first[kind] = result }
      last[kind] = result
    }
  }
  for kind in ["implicit", "unrolled"] {
    guard let few = first[kind], let many = last[kind] else { continue }
    let slope = Double(many.bytes - few.bytes) / Double(many.iterations - few.iterations)
    report.add(
      "\(kind): vectors of memory for each iteration more", value: slope / Double(8 * 128 * 128), unit: "")
  }
}

func probeMemory(_ kind: String, exponent: Int) throws {
  let (pattern, numbers) = try poisson(128)
  let values = Tensor(numbers)
  let b = Tensor((0..<pattern.rowCount).map { Foundation.sin(0.1 * Double($0) + 0.3) })
  func a(_ values: Tensor) -> LinearOperator { .sparse(pattern, values: values, tags: .positiveDefinite) }
  var options = LinearSolveOptions(
    method: .conjugateGradients,
    stopping: StoppingCriterion(relativeTolerance: Foundation.pow(10, -Double(exponent))))
  let iterations = Int(try solveWithReport(a(values), b, options).iterations.scalar)
  if kind == "unrolled" { options.differentiation = .unrolled(iterations: iterations) }
  let slope = valueAndGrad { (values: Tensor, b: Tensor) in
    let x = solve(a(values), b, options)
    return (x * x).sum()
  }
  let before = peakMemory() ?? 0
  let time = try repeatedly(1) { try slope(values, b) }
  let result = MemoryResult(iterations: iterations, bytes: (peakMemory() ?? 0) - before, nanoseconds: time)
  print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
}
