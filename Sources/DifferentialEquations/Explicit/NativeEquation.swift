public import Lanes

/// A right-hand side y' = f(t, y, p) written over lanes, with its derivative.
///
/// ```swift
/// struct Lorenz: VectorField {
///   var stateCount: Int { 3 }
///   var parameterCount: Int { 3 }
///   @inlinable func rate<L: Lane>(
///     at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>
///   ) { … }
/// }
/// let equation = NativeEquation(Lorenz())
/// ```
///
/// Mark the functions `@inline(__always)` (or `@inlinable`), so that they are compiled for each lane type.
public protocol VectorField: Sendable {
  /// Components of the state.
  var stateCount: Int { get }
  /// Number of parameters.
  var parameterCount: Int { get }
  /// Sets the rates of change of all components.
  func rate<L: Lane>(
    at time: L, state: UnsafePointer<L>, parameters: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>)
  /// From cotangents of the rates, sets the cotangents of all components of the state, (∂f/∂y)ᵀ c, and adds (∂f/∂p)ᵀ c to those of the
  /// parameters.
  func pullback<L: Lane>(
    at time: L, state: UnsafePointer<L>, parameters: UnsafePointer<L>, cotangent: UnsafePointer<L>,
    state stateCotangent: UnsafeMutablePointer<L>, addingTo parameterCotangent: UnsafeMutablePointer<L>)
}

/// A differential equation whose right-hand side is native code.
public struct NativeEquation: Sendable {
  /// Native functions for one lane type.
  @usableFromInline
  struct Functions<L: Lane>: Sendable {
    @usableFromInline let rate:
      @Sendable (
        _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ parameters: UnsafePointer<L>,
        _ result: UnsafeMutablePointer<L>
      ) -> Void
    @usableFromInline let pullback:
      @Sendable (
        _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ parameters: UnsafePointer<L>,
        _ cotangent: UnsafePointer<L>, _ stateCotangent: UnsafeMutablePointer<L>,
        _ parameterCotangent: UnsafeMutablePointer<L>
      ) -> Void

    @inlinable
    init<Field: VectorField>(_ field: Field) {
      rate = { field.rate(at: $0.pointee, state: $1, parameters: $2, into: $3) }
      pullback = {
        field.pullback(at: $0.pointee, state: $1, parameters: $2, cotangent: $3, state: $4, addingTo: $5)
      }
    }

    func bound(_ stateCount: Int, _ parameterCount: Int) -> RateFunctions<L> {
      let box = ParameterBox<L>()
      let (rate, pullback) = (rate, pullback)
      return RateFunctions(
        stateCount: stateCount, parameterCount: parameterCount, width: 1, bind: { box.pointer = $0 },
        rate: { rate($0, $1, box.pointer, $2) }, pullback: { pullback($0, $1, box.pointer, $2, $3, $4) })
    }
  }
  private final class ParameterBox<L> {
    @exclusivity(unchecked) var pointer = UnsafePointer<L>(bitPattern: 64)!
  }

  /// Components of the state.
  public let stateCount: Int
  /// Number of parameters.
  public let parameterCount: Int
  let single: Functions<Double>
  let group: Functions<SIMD8<Double>>

  /// The equation of a vector field.
  @inlinable
  public init<Field: VectorField>(_ field: Field) {
    self.init(
      field.stateCount, field.parameterCount, Functions<Double>(field), Functions<SIMD8<Double>>(field))
  }
  @usableFromInline
  init(
    _ stateCount: Int, _ parameterCount: Int, _ single: Functions<Double>, _ group: Functions<SIMD8<Double>>
  ) {
    self.stateCount = stateCount
    self.parameterCount = parameterCount
    self.single = single
    self.group = group
  }
}
