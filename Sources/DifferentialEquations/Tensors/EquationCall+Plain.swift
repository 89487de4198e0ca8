import Autodiff

extension EquationCall: PlainPrimitive {
  /// One solution for its value alone: of a small system what else a call takes would be a good part of the time.
  package func plainKernel(_ operands: [TensorType]) -> PlainKernel? {
    let kernel = kernel
    guard rows == 1, !keepsTape, kernel.keepsSolvers else { return nil }
    return PlainKernel(byteCounts: [kernel.resultType(rows: 1).count * 8]) {
      operands, results throws(TensorError) in
      func numbers(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Double> {
        place.assumingMemoryBound(to: Double.self)
      }
      let problem = BatchProblem(
        stateCount: kernel.n, parameterCount: kernel.p, initialStates: numbers(operands[0]),
        parameters: numbers(operands[1]), rowsPerBlock: 1, startTimes: numbers(operands[2]),
        outputTimes: numbers(operands[3]), outputCount: kernel.timeCount)
      try kernel.solve(problem, into: numbers(results[0]))
    }
  }
}
