import BenchmarkSupport
import CGemm
import Costate
import Dispatch
import Foundation

/// An elementwise chain against the copy of as many bytes.
func measureChain(_ peers: Peers, rounds: Int, _ report: Report) throws {
  let count = 10_000_000
  report.heading("An elementwise chain over \(count) values")
  let x = sin(Tensor.range(to: Double(count)))
  let chain = jit(Workloads.chain)
  let slope = jit(grad { (x: Tensor) in Workloads.chain(x).sum() })
  let source = UnsafeMutablePointer<Double>.allocate(capacity: count)
  let target = UnsafeMutablePointer<Double>.allocate(capacity: count)
  defer {
    source.deallocate()
    target.deallocate()
  }
  source.initialize(repeating: 1, count: count)
  target.initialize(repeating: 0, count: count)
  nonisolated(unsafe) let (from, to) = (source, target)
  let threads = ProcessInfo.processInfo.activeProcessorCount
  var results = PeerResults()
  let times = try interleave(
    rounds: 3 * rounds,
    [
      { [try repeatedly(2) { try chain(x) }] },
      { [try repeatedly(2) { try slope(x) }] },
      { [repeatedly(2) { to.update(from: from, count: count) }] },
      {
        [
          repeatedly(2) {
            DispatchQueue.concurrentPerform(iterations: threads) { k in
              let (start, end) = (k * count / threads, (k + 1) * count / threads)
              (to + start).update(from: from + start, count: end - start)
            }
          }
        ]
      },
    ])
  results.append(try peers.jax?.run("chain") ?? [])
  results.append(try peers.torch?.run("chain") ?? [])
  report.add("chain", times[0])
  report.add("chain's gradient", times[1])
  report.add("copy, one thread", times[2])
  report.add("copy, all threads", times[3])
  results.report("jax chain", report)
  results.report("torch chain", report)
  let copy = times[2].minimum < times[3].minimum ? times[2] : times[3]
  report.compare("copy over chain: fraction of memory bandwidth", copy, over: times[0], .atLeast(0.8))
  report.compare("gradient over value: chain", times[1], over: times[0], .atMost(3))
}

/// A matrix product against OpenBLAS called directly.
func measureProduct(_ peers: Peers, rounds: Int, _ report: Report) throws {
  let n = 1024
  report.heading("The product of \(n) x \(n) matrices, float64")
  let a = sin(Tensor.range(to: Double(n * n))).reshaped([n, n])
  let b = cos(Tensor.range(to: Double(n * n))).reshaped([n, n])
  let (left, right) = (a.values, b.values)
  var result = [Double](repeating: 0, count: n * n)
  let product = jit { (a: Tensor, b: Tensor) in matmul(a, b) }
  let slope = jit(grad { (a: Tensor, b: Tensor) in matmul(a, b).sum() })
  let weighed = { (a: Tensor, b: Tensor) in (matmul(a, b) * a).sum() }
  let value = jit(weighed)
  let square = jit(grad(weighed))
  print("  OpenBLAS's kernels: \(String(cString: gemm_kernels()))")
  gemm_set_threads(Int32(ProcessInfo.processInfo.activeProcessorCount))
  let times = try interleave(
    rounds: rounds,
    [
      { [try repeatedly(2) { try product(a, b) }] },
      { [repeatedly(2) { gemm_reference(Int32(n), left, right, &result) }] },
      { [try repeatedly(1) { try slope(a, b) }] },
      { [try repeatedly(1) { try square(a, b) }] },
      { [try repeatedly(1) { try value(a, b) }] },
    ])
  var results = PeerResults()
  results.append(try peers.jax?.run("product") ?? [])
  results.append(try peers.torch?.run("product") ?? [])
  report.add("product", times[0])
  report.add("cblas_dgemm", times[1])
  report.add("gradient of the sum of the product", times[2])
  report.add("weighed sum of the product", times[4])
  report.add("gradient of a weighed sum of the product", times[3])
  results.report("jax product", report)
  results.report("torch product", report)
  report.compare("product over OpenBLAS", times[0], over: times[1], .atMost(1.1))
  report.compare("gradient over value: product", times[3], over: times[4], .atMost(3))
}

/// A training step of a perceptron.
func measureTraining(_ peers: Peers, rounds: Int, _ report: Report) throws {
  report.heading("Training step 784-256-256-10, batch 128, float32")
  var generator = SplitMix(state: 5)
  var network = Perceptron(&generator)
  let x = Tensor((0..<128 * 784).map { _ in Float.random(in: 0...1, using: &generator) }, shape: [128, 784])
  let labels = Tensor((0..<128).map { Int32($0 % 10) }).oneHot(10, type: .float32)
  let step = jit { (network: Perceptron, x: Tensor, labels: Tensor) in try network.stepped(x, labels) }
  let loss = jit { (network: Perceptron, x: Tensor, labels: Tensor) in network.loss(x, labels) }
  let slope = jit { (network: Perceptron, x: Tensor, labels: Tensor) in
    try grad { (n: Perceptron) in n.loss(x, labels) }(network)
  }
  let before = try loss(network, x, labels).scalar
  var results = PeerResults()
  let times = try interleave(
    rounds: 3 * rounds,
    [
      { [try repeatedly(5) { network = try step(network, x, labels) }] },
      { [try repeatedly(5) { try loss(network, x, labels) }] },
      { [try repeatedly(5) { try slope(network, x, labels) }] },
    ])
  guard try loss(network, x, labels).scalar < before else {
    throw BenchmarkError("training does not lower the loss")
  }
  for _ in 0..<2 {
    results.append(try peers.jax?.run("training") ?? [])
    results.append(try peers.torch?.run("training") ?? [])
  }
  report.add("training step", times[0])
  report.add("loss alone", times[1])
  report.add("loss gradient", times[2])
  results.report("jax training", report)
  results.report("torch training", report)
  report.compare("gradient over value: perceptron", times[2], over: times[1], .atMost(3))
  results.compare("training step over PyTorch's", times[0], over: "torch training", report, .atMost(1))
  results.compare("training step over JAX's", times[0], over: "jax training", report, nil)
}

/// Tracing and compilation of a long program.
func measureTracing(_ peers: Peers, rounds: Int, _ report: Report) throws {
  report.heading("Tracing and compiling 10⁵ operations, first call included")
  let x = Tensor(0.3)
  let times = try interleave(
    rounds: min(rounds, 3),
    [
      { [try repeatedly(1) { try jit(Workloads.long)(x) }] },
      { [try repeatedly(1) { try jit(grad(Workloads.long))(x) }] },
    ])
  report.add("value", times[0])
  report.add("gradient", times[1])
  report.compare("seconds for the value", times[0], over: Timing([1e9]), .atMost(1))
  report.compare("seconds for the gradient", times[1], over: Timing([1e9]))
}
