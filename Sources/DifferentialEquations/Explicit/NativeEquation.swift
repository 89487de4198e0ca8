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
/// Mark the functions `@inline(__always)` (or `@inlinable`), so that they are compiled for each lane type: there are some with one number, with eight,
/// and, of fields with few components, with sixteen and thirty-two.
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
  /// Native functions for one lane type, for `width` lane groups with a time each: component `c` of an array is at `[c * width]`.
  @usableFromInline
  struct Functions<L: Lane>: Sendable {
    @usableFromInline let rate:
      @Sendable (
        _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ parameters: UnsafePointer<L>,
        _ result: UnsafeMutablePointer<L>, _ width: Int
      ) -> Void
    @usableFromInline let pullback:
      @Sendable (
        _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ parameters: UnsafePointer<L>,
        _ cotangent: UnsafePointer<L>, _ stateCotangent: UnsafeMutablePointer<L>,
        _ parameterCotangent: UnsafeMutablePointer<L>, _ width: Int
      ) -> Void

    /// Whole steps; nil if the field is too large.
    @usableFromInline let steps: StepFunctions<L>?

    // Of several groups each has its numbers copied together: the copies are values to the compiler, where the arrays are memory.
    @inlinable
    init<Field: VectorField>(_ field: Field) {
      steps = StepFunctions(field)
      rate = { time, state, parameters, result, width in
        if L.laneCount == 1 || width == 1 {
          return field.rate(at: time.pointee, state: state, parameters: parameters, into: result)
        }
        let (n, p) = (field.stateCount, field.parameterCount)
        StepFunctions<L>.withArrays(of: L.self, n, n, p) { y, r, q in
          for w in 0..<width {
            Self.copy(state + w, n, stride: width, to: y)
            Self.copy(parameters + w, p, stride: width, to: q)
            field.rate(at: time[w], state: y, parameters: q, into: r)
            for c in 0..<n { result[c &* width &+ w] = r[c] }
          }
        }
      }
      pullback = { time, state, parameters, cotangent, stateCotangent, parameterCotangent, width in
        if L.laneCount == 1 || width == 1 {
          return field.pullback(
            at: time.pointee, state: state, parameters: parameters, cotangent: cotangent,
            state: stateCotangent, addingTo: parameterCotangent)
        }
        let (n, p) = (field.stateCount, field.parameterCount)
        StepFunctions<L>.withArrays(of: L.self, n, n, p) { y, r, q in
          StepFunctions<L>.withArrays(of: L.self, n, p, 0) { s, g, _ in
            for w in 0..<width {
              Self.copy(state + w, n, stride: width, to: y)
              Self.copy(cotangent + w, n, stride: width, to: r)
              Self.copy(parameters + w, p, stride: width, to: q)
              Self.copy(parameterCotangent + w, p, stride: width, to: g)
              field.pullback(at: time[w], state: y, parameters: q, cotangent: r, state: s, addingTo: g)
              for c in 0..<n { stateCotangent[c &* width &+ w] = s[c] }
              for c in 0..<p { parameterCotangent[c &* width &+ w] = g[c] }
            }
          }
        }
      }
    }
    @inlinable @inline(__always)
    static func copy(
      _ source: UnsafePointer<L>, _ count: Int, stride: Int, to target: UnsafeMutablePointer<L>
    ) {
      for c in 0..<count { (target + c).initialize(to: source[c &* stride]) }
    }

    func bound(_ stateCount: Int, _ parameterCount: Int, width: Int = 1) -> RateFunctions<L> {
      let box = ParameterBox<L>()
      let (rate, pullback) = (rate, pullback)
      var functions = RateFunctions(
        stateCount: stateCount, parameterCount: parameterCount, width: width, bind: { box.pointer = $0 },
        rate: { rate($0, $1, box.pointer, $2, width) },
        pullback: { pullback($0, $1, box.pointer, $2, $3, $4, width) })
      if let steps {
        functions.advance = { steps.advance($0, box.pointer, $1) }
        functions.reverse = { steps.reverse($0, box.pointer, $1, $2, $3) }
      }
      return functions
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
  /// For solutions of one trajectory; copies of the equation share them.
  let solvers = SolverPool()

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
