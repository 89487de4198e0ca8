import Foundation

/// Throws if Jacobian and factors of an implicit method, as dense matrices, do not fit in the machine's memory.
func requireDenseMatrices(size: Int) throws(DifferentialEquationError) {
  try requireMemory(
    numbers: 3 * size * size, "the Jacobian of \(size) equations, which is not sparse, and its factors",
    instead:
      "use an explicit method, or write the right-hand side so that each component depends on few others")
}

/// Throws if so many numbers do not fit in the machine's memory, instead of asking for them.
/// - Parameters:
///   - what: they are.
///   - instead: what to do.
func requireMemory(numbers: Int, _ what: String, instead: String) throws(DifferentialEquationError) {
  let available = ProcessInfo.processInfo.physicalMemory
  let (bytes, overflows) = UInt64(numbers).multipliedReportingOverflow(by: 8)
  if overflows || bytes > available {
    throw DifferentialEquationError(
      .argument,
      message: "\(what) need at least \(bytes) bytes; this machine has \(available). Instead, \(instead)")
  }
}
