/// Runs a computation in which every operation's results are checked: the first infinite or NaN result is thrown, named with
/// its operation, its operands, and the line of source that called it.
///
/// Inside, compiled functions are traced anew, and run operation by operation in the order in which they were recorded. Operations
/// inside of `scan`, `cond` and other control flow are checked too. What a derivative computes has the line of the operation that is
/// being differentiated. Other mistakes have their line here, too (``TensorError/location``).
///
/// Lines are found on Linux from debug information, which Swift packages have in release builds as well; without it the function
/// is named.
///
/// ```swift
/// try withFiniteChecks { try grad(loss)(parameters) }
/// // logarithm: gives -inf (element 3 of the shape [8]) for operands of types [float64[8]], whose elements there are [0.0] (at Model/Loss.swift:12)
/// ```
/// - Throws: ``TensorError`` with reason ``TensorError/Reason/nonFinite``, any other mistake, or what the closure throws.
public func withFiniteChecks<Result>(_ body: () throws -> Result) throws -> Result {
  var context = TensorContext.current
  context.checks = FiniteChecks()
  context.site = nil
  return try TensorContext.$current.withValue(context) { try withTensorErrors(body) }
}

/// Whether the calling task is inside of ``withFiniteChecks(_:)``.
package var checksFiniteValues: Bool { TensorContext.current.checksFinite }

extension Primitive {
  /// Computes the results; inside of ``withFiniteChecks(_:)`` throws if one is not finite.
  func checkedEvaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    guard TensorContext.current.checksFinite else { return try evaluate(operands) }
    do throws(TensorError) {
      let results = try evaluate(operands)
      try requireFinite(results, operands)
      return results
    } catch { throw error.located }
  }

  func requireFinite(_ results: [DenseArray], _ operands: [DenseArray]) throws(TensorError) {
    for result in results where result.elementType.isFloatingPoint {
      let wide = try result.converted(to: .float64).contiguous()
      guard let place = (0..<wide.count).first(where: { !wide.read(at: $0).isFinite }) else { continue }
      // Element by element the operands' elements at the same place say why.
      let causes = operands.filter { $0.shape == result.shape }.map { $0.contiguous().read(at: place) }
      throw TensorError(
        .nonFinite, name,
        "gives \(wide.read(at: place)) (element \(place) of the shape \(result.shape)) for operands of types "
          + "\(operands.map(\.type))" + (causes.isEmpty ? "" : ", whose elements there are \(causes)"))
    }
  }
}
