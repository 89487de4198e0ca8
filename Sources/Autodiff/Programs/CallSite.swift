import Foundation
import Synchronization

#if os(Linux) && canImport(Runtime)
  import Runtime
#endif

/// Where in a program's source an operation was called: a call stack, looked up only if somebody asks.
///
/// Operations that a derivative or batching rule makes have the call site of the one they belong to.
package final class CallSite: Sendable {
  #if os(Linux) && canImport(Runtime)
    /// In parts, innermost first: looking up a frame takes long, and the first few are mostly enough.
    private let stack: [Backtrace]
    private let text = Mutex<String??>(nil)

    fileprivate init() {
      stack = [2, 10, 18, 26].compactMap { try? Backtrace.capture(limit: 8, offset: $0, top: 0) }
    }

    /// The innermost line that is not this library's, as `File.swift:12` after the name of its directory; without debug
    /// information the function's name.
    func description() -> String? {
      text.withLock { known in
        if let known { return known }
        let found = lookUp()
        known = .some(found)
        return found
      }
    }
    private func lookUp() -> String? {
      var name: String?
      for part in stack {
        for frame in part.symbolicated()?.frames.map({ $0 }) ?? [] {
          guard let symbol = frame.symbol else { continue }
          if let place = symbol.sourceLocation, place.line > 0, !place.path.hasSuffix("<compiler-generated>"),
            !Self.libraries.contains(where: { place.path.contains("Sources/\($0)/") })
          {
            return "\(place.path.split(separator: "/").suffix(2).joined(separator: "/")):\(place.line)"
          }
          if name == nil, symbol.rawName.hasPrefix("$s"), symbol.sourceLocation == nil,
            !Self.skippedSymbols.contains(where: { symbol.rawName.hasPrefix($0) })
          {
            name = symbol.name
          }
        }
      }
      return name.map { "\($0); build with debug information (-g) for the line" }
    }
    private static let skippedSymbols = ["$ss", "$sS", "$sI"] + libraries.map { "$s\($0.count)\($0)" }
    /// Modules whose lines are not the user's.
    private static let libraries = ["Autodiff", "Learning", "Simulation"]
  #else
    fileprivate init() {}
    /// Not known on this system.
    func description() -> String? { nil }
  #endif
}

/// What a ``withFiniteChecks(_:)`` scope keeps: the call sites met so far.
final class FiniteChecks: Sendable {
  private let sites = Mutex<[[UInt]: CallSite]>([:])

  /// The call site of the operation that is running. Return addresses alone are quick to get; each stack is captured in full
  /// once.
  func site() -> CallSite {
    let addresses = Thread.callStackReturnAddresses.map(\.uintValue)
    if let known = sites.withLock({ $0[addresses] }) { return known }
    let made = CallSite()
    sites.withLock { $0[addresses] = made }
    return made
  }
}

extension TensorContext {
  /// Whether every result is checked to be finite.
  var checksFinite: Bool { checks != nil }
  /// The call site of what is being computed or recorded; nil outside of ``withFiniteChecks(_:)``.
  var currentSite: CallSite? { site ?? checks?.site() }
}

extension TensorError {
  /// With the call site of the operation that is running, where that is being followed.
  var located: TensorError {
    guard location == nil, let place = TensorContext.current.currentSite?.description() else { return self }
    return TensorError(reason, operation, message, location: place)
  }
}

extension Program {
  /// Runs what an equation stands for: results, errors and recorded operations have its call site.
  @inline(__always) func located<Result, Failure: Error>(
    _ equation: Int, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if sites.isEmpty { return try body() }
    return try withSite(sites[Int32(equation)], body)
  }
  private func withSite<Success, Failure: Error>(
    _ site: CallSite?, _ body: () throws(Failure) -> Success
  ) throws(Failure) -> Success {
    guard let site else { return try body() }
    var context = TensorContext.current
    context.site = site
    let result: Result<Success, Failure> = TensorContext.$current.withValue(context) {
      do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }
}
