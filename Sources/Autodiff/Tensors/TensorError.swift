/// Why an operation on tensors, a trace or a transformation was refused.
public struct TensorError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of mistake.
  public enum Reason: String, Sendable, Hashable, CaseIterable {
    /// Shapes do not fit together.
    case shape
    /// Element types do not fit the operation.
    case elementType
    /// An axis, index or count lies outside its range.
    case range
    /// The value of a traced tensor was asked for (by an `if`, an index or a conversion).
    case tracedValue
    /// A traced tensor was used after the function it belongs to had returned, or in another task.
    case escapedTrace
    /// The operation has no rule for what was asked of it.
    case unsupportedDerivative
    /// A matrix is singular, or not positive definite.
    case singular
    /// A matrix has an inverse, but rounding decides what it is.
    case nearlySingular
    /// A sparse matrix is singular whatever its values.
    case structurallySingular
    /// A matrix is said to be positive definite, and is not.
    case notPositiveDefinite
    /// An iteration did not converge.
    case notConverged
    /// A value that must be finite is not.
    case nonFinite
    /// A file or an encoded tree is malformed.
    case format
    /// Other arguments do not fit.
    case argument
  }
  /// The kind of mistake.
  public let reason: Reason
  /// The operation that refused.
  public let operation: String
  /// What is wrong and what to do, in one or two sentences.
  public let message: String
  /// The line of source that called the operation, as `Directory/File.swift:12`; only inside of ``withFiniteChecks(_:)``.
  public let location: String?

  /// An error of an operation.
  public init(_ reason: Reason, _ operation: String, _ message: String) {
    self.init(reason, operation, message, location: nil)
  }
  init(_ reason: Reason, _ operation: String, _ message: String, location: String?) {
    self.reason = reason
    self.operation = operation
    self.message = message
    self.location = location
  }
  /// Operation, message and, if known, location.
  public var description: String { "\(operation): \(message)" + (location.map { " (at \($0))" } ?? "") }
}

/// Where mistakes in tensor expressions go.
///
/// Operators cannot throw. A mistake in one (shapes that do not broadcast, say) is handed to the innermost scope,
/// which keeps the first and throws it when its closure returns; the operator's result is a tensor that remembers
/// the error and makes every result computed from it the same. Without a scope the program stops with the message.
final class FailureScope: @unchecked Sendable {
  /// Mistakes after which a scope gives up: a loop that waits for a value to change would never end.
  private static let limit = 10_000
  private(set) var first: TensorError?
  private var count = 0

  func record(_ error: TensorError) {
    if first == nil { first = error.located }
    count += 1
    if count > Self.limit {
      fatalError("the same computation failed \(count) times and went on; its first error: \(first ?? error)")
    }
  }
}

/// What the running task is tracing, and where its mistakes go.
struct TensorContext: Sendable {
  var trace: Trace?
  var failures: FailureScope?
  /// Set where every result is checked to be finite.
  var checks: FiniteChecks?
  /// The call site of the equation that is being computed or transformed.
  var site: CallSite?

  @TaskLocal static var current = TensorContext()
}

extension TensorError {
  /// Hands the error to the innermost scope, or stops the program.
  package func report() -> Tensor {
    record()
    return Tensor(failed: self)
  }
  /// Hands the error to the innermost scope, or stops the program.
  func record() {
    guard let failures = TensorContext.current.failures else { fatalError("\(self)") }
    failures.record(self)
  }
}

/// Runs a computation whose mistakes (shapes that do not fit, say) are thrown as ``TensorError``.
///
/// Outside such a scope, and outside functions given to a transformation, a mistake in an operator stops the program.
/// - Throws: the first ``TensorError`` of the closure's tensor operations, or what the closure throws.
public func withTensorErrors<Result>(_ body: () throws -> Result) throws -> Result {
  let scope = FailureScope()
  var context = TensorContext.current
  context.failures = scope
  let result = try TensorContext.$current.withValue(context) { try attempt(scope, body) }
  if let error = scope.first { throw error }
  return result
}

/// Runs a closure; an error that follows from an earlier recorded one does not hide it.
func attempt<Result>(_ scope: FailureScope, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch { throw scope.first ?? error }
}
