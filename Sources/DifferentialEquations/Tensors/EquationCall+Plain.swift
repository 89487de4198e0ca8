import Autodiff

extension EquationCall: PlainPrimitive {
  /// One solution by an explicit method, of an equation without events, for its value alone: what else a call takes would be a good part
  /// of the time of a small system.
  package func plainKernel(_ operands: [TensorType]) -> PlainKernel? {
    let (kernel, options) = (kernel, kernel.options)
    guard rows == 1, blocks == 1, !keepsTape, !kernel.equation.hasEvents,
      kernel.gradient != .forwardSensitivity, options.method.explicitTableau != nil
    else { return nil }
    let solvers = SolverPool(kernel.equation, options)
    return PlainKernel(byteCounts: [kernel.resultType(rows: 1).count * 8]) {
      operands, results throws(TensorError) in
      func numbers(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Double> {
        place.assumingMemoryBound(to: Double.self)
      }
      let start = numbers(operands[2]).pointee
      let times = UnsafeBufferPointer(start: numbers(operands[3]), count: kernel.timeCount)
      do {
        try requireMonotone(times, from: start)
        let outcome = try solvers.withSolver { solver in
          solver.stepper.functions.bind(numbers(operands[1]))
          return solver.solve(
            from: start, numbers(operands[0]), outputTimes: times, outputs: numbers(results[0]))
        }
        if let failure = outcome.failure { throw failure }
      } catch { throw kernel.tensorError(error) }
    }
  }
}
