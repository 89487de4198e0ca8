import Foundation

/// A number for a person: six significant digits unless told otherwise.
package func formatted(_ number: Double, digits: Int = 6) -> String { String(format: "%.\(digits)g", number) }

/// Numbers for a person, on one line.
package func formatted(_ numbers: some Sequence<Double>, digits: Int = 6) -> String {
  numbers.map { formatted($0, digits: digits) }.joined(separator: " ")
}

/// A duration for a person, in a unit that keeps it between 1 and 1000 where there is one.
package func formatted(seconds: Double) -> String {
  switch seconds {
  case 120...:
    String(
      format: "%.0f min %02.0f s", (seconds / 60).rounded(.down), seconds.truncatingRemainder(dividingBy: 60))
  case 1...: String(format: "%.2f s", seconds)
  case 1e-3...: String(format: "%.3g ms", seconds * 1e3)
  case 1e-6...: String(format: "%.3g µs", seconds * 1e6)
  default: String(format: "%.3g ns", seconds * 1e9)
  }
}
