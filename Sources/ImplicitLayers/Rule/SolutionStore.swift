import Autodiff

/// The results of a layer for all problems of a batch. Threads store those of their own problems.
final class SolutionStore: @unchecked Sendable {
  private let layer: ImplicitLayer
  /// Float64, problem by problem.
  private let unknowns: [DenseArray]
  private let counts: [DenseArray]
  private let numbers: [DenseArray]
  private let types: [TensorType]

  init(_ layer: ImplicitLayer, _ batch: ProblemBatch) {
    self.layer = layer
    let isBatch = batch.isBatched != nil
    let types = isBatch ? layer.resultTypes.map { $0.withBatch(batch.count) } : layer.resultTypes
    self.types = types
    func arrays(_ places: Range<Int>, _ type: ElementType) -> [DenseArray] {
      types[places].map { DenseArray(uninitialized: type, $0.shape) }
    }
    let n = layer.unknownCount
    unknowns = arrays(0..<n, .float64)
    counts = layer.reports ? arrays(n..<n + 4, .int32) : []
    numbers = layer.reports ? arrays(n + 4..<n + 7, .float64) : []
  }

  /// Stores a solution.
  /// - Throws: the error that its status is, if the layer does not report it.
  func store(_ result: CoreResult, _ problem: Int) throws(ImplicitLayerError) {
    let report = result.report
    guard layer.reports || report.status == .converged else {
      throw .notSolved(
        report.status,
        "\(layer.name) stopped after \(report.iterations) iterations with a measure of \(report.measure)"
          + (result.details.isEmpty ? "" : ": \(result.details)"))
    }
    var place = 0
    result.x.withUnsafeBufferPointer { x in
      guard let base = x.baseAddress else { return }
      for (array, type) in zip(unknowns, layer.residual.inputTypes) {
        let size = type.count
        (array.pointer(Double.self) + problem * size).update(from: base + place, count: size)
        place += size
      }
    }
    guard layer.reports else { return }
    let whole = [
      report.status.rawValue, Int32(clamping: report.iterations), Int32(clamping: report.evaluations),
      Int32(clamping: report.derivativeEvaluations),
    ]
    for (array, value) in zip(counts, whole) { array.pointer(Int32.self)[problem] = value }
    numbers[0].pointer(Double.self)[problem] = report.measure
    numbers[1].pointer(Double.self)[problem] = report.value
    let trace = numbers[2].pointer(Double.self) + problem * layer.traceLength
    for k in 0..<layer.traceLength {
      trace[k] =
        k < report.trace.count ? report.trace[k].measure : report.trace.last?.measure ?? report.measure
    }
  }

  /// All results, of the layer's types.
  func results() throws(TensorError) -> [DenseArray] {
    var results: [DenseArray] = []
    for (array, type) in zip(unknowns + counts + numbers, types) {
      results.append(try array.converted(to: type.elementType))
    }
    return results
  }
}
