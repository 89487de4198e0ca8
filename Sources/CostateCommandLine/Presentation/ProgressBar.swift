import Foundation
import Synchronization
import TextFigures

/// A bar on stderr with rate and time left: only where stderr is a terminal, and only for work of over a second.
final class ProgressBar: Sendable {
  private struct Drawing {
    var completed = 0
    var lastDrawn: ContinuousClock.Instant?
  }
  private let label: String
  private let unit: String
  private let total: Int
  private let start: ContinuousClock.Instant
  private let drawing = Mutex(Drawing())

  /// Whether stderr is a terminal.
  static let isShown = isatty(2) == 1

  /// - Parameter total: the number of units of work that make it complete.
  init(_ label: String, total: Int, unit: String) {
    self.label = label
    self.total = total
    self.unit = unit
    start = .now
  }

  /// Says that more of the work is done; may be called from any thread.
  func advance(by count: Int = 1) {
    guard Self.isShown else { return }
    let now = ContinuousClock.now
    drawing.withLock { drawing in
      drawing.completed += count
      guard now - start > .seconds(1), drawing.lastDrawn.map({ now - $0 > .milliseconds(100) }) ?? true else {
        return
      }
      drawing.lastDrawn = now
      let line = Self.line(
        label: label, unit: unit, completed: drawing.completed, total: total,
        elapsed: (now - start) / .seconds(1))
      FileHandle.standardError.write(Data("\r\u{1b}[K\(line)".utf8))
    }
  }

  /// Clears the bar.
  func finish() {
    guard Self.isShown else { return }
    drawing.withLock { drawing in
      guard drawing.lastDrawn != nil else { return }
      FileHandle.standardError.write(Data("\r\u{1b}[K".utf8))
      drawing.lastDrawn = nil
    }
  }

  /// One line of the bar, as drawn after `elapsed` seconds.
  static func line(label: String, unit: String, completed: Int, total: Int, elapsed: Double) -> String {
    let fraction = total > 0 ? min(Double(completed) / Double(total), 1) : 1
    let width = 30
    let filled = Int(fraction * Double(width))
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
    let rate = Double(completed) / elapsed
    let left = rate > 0 ? formatted(seconds: max(0, Double(total - completed) / rate)) : "?"
    return "\(label) [\(bar)] \(Int(fraction * 100)) %  \(formatted(rate, digits: 3)) \(unit)/s  \(left) left"
  }
}

/// Rows that are computed in pieces, so that progress can be shown; in one piece where nobody looks.
///
/// - Parameters:
///   - pieces: about how many.
///   - body: the numbers of a range of rows, which must not depend on the others. No range has one row alone unless all
///     have: a single row may be computed in other lanes, with other rounding.
func inPieces<Number>(
  _ label: String, rows: Int, unit: String, pieces: Int = ProgressBar.isShown ? 50 : 1,
  _ body: (Range<Int>) throws(CommandFailure) -> [Number]
) throws(CommandFailure) -> [Number] {
  let size = max(16, (rows / pieces + 15) / 16 * 16)
  guard pieces > 1, rows > size else { return try body(0..<rows) }
  let bar = ProgressBar(label, total: rows, unit: unit)
  defer { bar.finish() }
  var numbers: [Number] = []
  var start = 0
  while start < rows {
    let end = rows - start <= size + 1 ? rows : start + size
    do {
      numbers += try body(start..<end)
    } catch {
      // Once more in one piece, so that the error counts rows from the first.
      return try body(0..<rows)
    }
    bar.advance(by: end - start)
    start = end
  }
  return numbers
}
