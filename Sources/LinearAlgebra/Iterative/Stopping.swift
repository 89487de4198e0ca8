/// When an iteration ends: at a residual of max(relative · ‖b‖, absolute), or after so many steps.
public struct StoppingCriterion: Sendable, Hashable {
  /// Fraction of the right-hand side's norm.
  public var relativeTolerance: Double
  /// Norm of the residual that is enough whatever the right-hand side.
  public var absoluteTolerance: Double
  /// Most steps; ten times the number of unknowns if left out.
  public var maximumIterations: Int?

  /// A criterion.
  public init(relativeTolerance: Double = 1e-10, absoluteTolerance: Double = 0, maximumIterations: Int? = nil)
  {
    self.relativeTolerance = relativeTolerance
    self.absoluteTolerance = absoluteTolerance
    self.maximumIterations = maximumIterations
  }
  func target(_ norm: Double) -> Double { max(relativeTolerance * norm, absoluteTolerance) }
  func limit(_ size: Int) -> Int { maximumIterations ?? max(10 * size, 20) }
  /// Throws if a number lies outside of its range.
  package func check() throws(LinearAlgebraError) {
    guard relativeTolerance >= 0, absoluteTolerance >= 0, relativeTolerance.isFinite,
      absoluteTolerance.isFinite
    else { throw .argument("tolerances must be finite and not negative") }
    guard maximumIterations ?? 1 >= 0 else {
      throw .argument("the number of iterations must not be negative")
    }
  }
}

/// What an iteration did.
public struct IterationReport: Sendable, Hashable {
  /// How it ended.
  public enum Outcome: Sendable, Hashable {
    /// The residual is below the target.
    case converged
    /// It used up its steps.
    case iterationLimit
    /// It could not go on, for this reason.
    case breakdown(String)
  }
  /// The method's name.
  public var method: String
  /// How it ended.
  public var outcome: Outcome
  /// Steps that were made.
  public var iterations: Int
  /// The norm of the true residual b − A x at the end (for least squares of Aᵀ (b − A x), relative to ‖A‖ ‖b − A x‖).
  public var residual: Double
  /// What it was to fall below.
  public var target: Double
  /// The residual's norm before the first and after each step, as the method estimates it.
  public var history: [Double]

  /// True if the residual is below the target.
  public var isConverged: Bool { outcome == .converged }
  /// Throws if the iteration did not converge.
  public func requireConvergence() throws(LinearAlgebraError) {
    switch outcome {
    case .converged: return
    case .iterationLimit:
      throw .notConverged(method: method, iterations: iterations, residual: residual, target: target)
    case .breakdown(let cause): throw .breakdown(method: method, iteration: iterations, cause: cause)
    }
  }
}

/// An approximate inverse M⁻¹ that is cheap to apply.
public protocol Preconditioner: Sendable {
  /// y = M⁻¹ x, or y = M⁻ᵀ x. The two do not overlap.
  func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) throws
  /// With M = M₁ M₂: y = M₁⁻¹ x (left half) or M₂⁻¹ x, or their transposes.
  func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) throws
}
/// Which factor of M = M₁ M₂.
public enum PreconditionerHalf: Sendable {
  /// M₁.
  case left
  /// M₂.
  case right
}
extension Preconditioner {
  /// Refused: the preconditioner has no two factors.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) throws {
    throw LinearAlgebraError.argument(
      "\(Self.self) is not a product of two factors, so that it cannot be split; use it from the left or the right"
    )
  }
}

/// Where the preconditioner stands.
public enum PreconditionerSide: Sendable, Hashable {
  /// M⁻¹ A x = M⁻¹ b.
  case left
  /// A M⁻¹ y = b, x = M⁻¹ y: the residual is the system's own.
  case right
  /// M₁⁻¹ A M₂⁻¹ y = M₁⁻¹ b, x = M₂⁻¹ y.
  case split
}
