import BenchmarkSupport
import Costate
import Foundation

/// Ten thousand small systems.
func measureBatches(_ chosen: [Int], _ jax: Script?, _ torch: Script?, rounds: Int, _ report: Report) throws {
  let count = 10_000
  let solutions = jit(vmap { (a: Tensor, b: Tensor) in solve(.dense(a), b) })
  let both = jit(
    valueAndGrad { (a: Tensor, b: Tensor) in
      let x = try vmap { (a: Tensor, b: Tensor) in solve(.dense(a), b) }(a, b)
      return (x * x).sum()
    })
  var generator = SplitMix(state: 12)
  var cases: [(name: String, measure: () throws -> Double)] = []
  let sizes = chosen.isEmpty ? [8, 16, 24, 32] : chosen
  for size in sizes {
    let (a, b) = (random([count, size, size], &generator), random([count, size], &generator))
    cases.append(("batch value \(size)", { try repeatedly(1) { try solutions(a, b) } }))
    cases.append(("batch gradient \(size)", { try repeatedly(1) { try both(a, b) } }))
    let matrices = a.values
    cases.append(
      (
        "factors one by one \(size)",
        {
          try repeatedly(1) {
            try matrices.withUnsafeBufferPointer { all in
              for k in 0..<count {
                consume(try LUFactorization(all.baseAddress! + k * size * size, size: size))
              }
            }
          }
        }
      ))
    cases.append(
      (
        "factors in lanes \(size)",
        {
          try repeatedly(1) {
            try matrices.withUnsafeBufferPointer {
              try BatchedFactorization($0.baseAddress!, size: size, count: count, kind: .lu)
            }
          }
        }
      ))
  }
  var results = PeerResults()
  var timings: [String: Timing] = [:]
  for _ in 0..<rounds {
    for (name, measure) in cases {
      _ = try measure()
      for _ in 0..<5 { timings[name, default: Timing()].samples.append(try measure()) }
    }
    results.append(try jax?.run("batch") ?? [])
    results.append(try torch?.run("batch") ?? [])
  }
  for size in sizes {
    report.heading("\(count) systems of \(size) unknowns, float64")
    for kind in ["value", "gradient"] {
      let name = "batch \(kind) \(size)"
      report.add(name, timings[name]!)
      results.report("jax \(name)", report)
      results.report("torch \(name)", report)
      results.compare("torch \(name)", over: timings[name]!, report, .atLeast(5))
    }
    let (single, lanes) = (timings["factors one by one \(size)"]!, timings["factors in lanes \(size)"]!)
    report.add("LU factors in lanes", lanes)
    report.add("LU factors one by one", single)
    report.compare("one by one over in lanes", single, over: lanes)
  }
}
