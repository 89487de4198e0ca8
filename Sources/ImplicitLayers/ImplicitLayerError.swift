import Autodiff
import LinearAlgebra

/// Why an implicit layer gave no solution, or its solution no derivative.
///
/// Layers that are called with numbers throw it. Inside of a transformation (a gradient, a compiled function) the same error arrives
/// as a `TensorError` with the same text, whose reason is ``tensorReason``.
public enum ImplicitLayerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The solver ended without a solution. To have the best point so far, ask for a report instead.
  case notSolved(SolverStatus, String)
  /// The Jacobian of the residual is singular at the solution, so that the solution has no derivative there.
  case singularJacobian(String)
  /// The solution has no derivative for another reason.
  case degenerate(String)
  /// Shapes or element types do not fit together.
  case shape(String)
  /// An argument lies outside of its range, or options do not fit the problem.
  case argument(String)
  /// A number that must be finite is not.
  case nonFinite(String)
  /// The derivative that was asked for does not exist in this mode.
  case unsupportedDerivative(String)

  /// What happened, why that may be, and what to do.
  public var description: String {
    switch self {
    case .notSolved(let status, let details): details.isEmpty ? "\(status)" : "\(status); \(details)"
    case .singularJacobian(let details), .degenerate(let details), .shape(let details),
      .argument(let details),
      .nonFinite(let details), .unsupportedDerivative(let details):
      details
    }
  }

  /// The reason of the `TensorError` that the error becomes inside of a transformation.
  public var tensorReason: String { reason.rawValue }

  private var reason: TensorError.Reason {
    switch self {
    case .notSolved(.nonFinite, _), .nonFinite: .nonFinite
    case .notSolved(.degenerate, _), .singularJacobian, .degenerate: .singular
    case .notSolved: .notConverged
    case .shape: .shape
    case .argument: .argument
    case .unsupportedDerivative: .unsupportedDerivative
    }
  }

  /// The error as one of an operation on tensors.
  func tensorError(_ operation: String, place: String = "") -> TensorError {
    // The text may begin with the operation's name already, as the error does.
    let text = description
    let named = operation + ": "
    return TensorError(
      reason, operation, place + (text.hasPrefix(named) ? String(text.dropFirst(named.count)) : text))
  }

  /// What an error of the modules below means to the caller of a layer.
  init(_ error: TensorError) {
    let text = "\(error)"
    switch error.reason {
    case .singular, .nearlySingular, .structurallySingular, .notPositiveDefinite:
      self = .singularJacobian(text)
    case .nonFinite: self = .nonFinite(text)
    case .shape, .elementType: self = .shape(text)
    case .unsupportedDerivative: self = .unsupportedDerivative(text)
    default: self = .argument(text)
    }
  }
}

/// The error of an operation on tensors that an error of a solver, or of a closure that it called, is.
func layerTensorError(_ error: any Error, _ operation: String, element: Int? = nil) -> TensorError {
  let place = element.map { "element \($0) of the batch: " } ?? ""
  switch error {
  case let error as ImplicitLayerError: return error.tensorError(operation, place: place)
  case let error as TensorError: return TensorError(error.reason, operation, place + "\(error)")
  case let error as LinearAlgebraError:
    let reason: TensorError.Reason =
      switch error {
      case .singular: .singular
      case .nearlySingular: .nearlySingular
      case .structurallySingular: .structurallySingular
      case .notPositiveDefinite: .notPositiveDefinite
      case .nonFinite: .nonFinite
      case .notConverged, .breakdown: .notConverged
      case .shape: .shape
      case .argument, .notSymmetric, .format: .argument
      }
    return TensorError(reason, operation, place + error.description)
  default: return TensorError(.argument, operation, place + "\(error)")
  }
}
