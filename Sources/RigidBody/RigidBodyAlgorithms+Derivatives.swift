import RobotModels

/// Which derivatives of the dynamics are wanted; those left out are not written, which saves their memory traffic.
public struct DynamicsDerivativeParts: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// By the positions, in tangent coordinates.
  public static let position = Self(rawValue: 1 << 0)
  /// By the velocities.
  public static let velocity = Self(rawValue: 1 << 1)
  /// By the accelerations for inverse dynamics, by the forces for forward dynamics.
  public static let input = Self(rawValue: 1 << 2)
  /// All three.
  public static let all: Self = [.position, .velocity, .input]
}

/// Derivatives of inverse dynamics: dense `nv x nv` matrices, row by row, one after another. Row `i` is about the force
/// at degree of freedom `i`. Parts that were not asked for are empty.
public struct InverseDynamicsDerivatives<Scalar: SimulationScalar>: Sendable {
  /// `∂τ/∂q`, `[configurations, nv, nv]`, by tangent coordinates: angles, lengths, and for the orientation of a free or
  /// ball joint a small turn in the body's axes.
  public var byPosition: [Scalar] = []
  /// `∂τ/∂v`, `[configurations, nv, nv]`.
  public var byVelocity: [Scalar] = []
  /// `∂τ/∂a`, `[configurations, nv, nv]`: the mass matrix, armature included.
  public var byAcceleration: [Scalar] = []

  /// Empty arrays, to be filled.
  public init() {}
}

/// Derivatives of forward dynamics: dense `nv x nv` matrices, row by row, one after another. Row `i` is about the
/// acceleration of degree of freedom `i`. Parts that were not asked for are empty.
public struct ForwardDynamicsDerivatives<Scalar: SimulationScalar>: Sendable {
  /// `∂a/∂q`, `[configurations, nv, nv]`, by tangent coordinates: angles, lengths, and for the orientation of a free or
  /// ball joint a small turn in the body's axes.
  public var byPosition: [Scalar] = []
  /// `∂a/∂v`, `[configurations, nv, nv]`.
  public var byVelocity: [Scalar] = []
  /// `∂a/∂τ`, `[configurations, nv, nv]`: the inverse of the mass matrix, armature included.
  public var byForce: [Scalar] = []

  /// Empty arrays, to be filled.
  public init() {}
}

extension RigidBodyAlgorithms {
  /// Derivatives of ``inverseDynamics(at:velocities:accelerations:bodyForces:threads:)`` without forces on bodies.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - velocities: `[configurations, nv]` numbers.
  ///   - accelerations: `[configurations, nv]` numbers.
  ///   - parts: which derivatives are wanted.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Throws: ``RigidBodyError`` for arrays of the wrong length, numbers that are not finite, quaternions without
  ///   length, and inputs so large that the result is not finite.
  /// - Complexity: O(configurations x (nv x depth + nv²)), the second term for writing the zeros between joints of
  ///   different branches. Carpentier & Mansard, Analytical Derivatives of Rigid Body Dynamics Algorithms (2018), as
  ///   arranged by Singh, Russell & Wensing (2022).
  public func inverseDynamicsDerivatives(
    at positions: [Scalar], velocities: [Scalar], accelerations: [Scalar],
    parts: DynamicsDerivativeParts = .all, threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> InverseDynamicsDerivatives<Scalar> {
    var derivatives = InverseDynamicsDerivatives<Scalar>()
    try inverseDynamicsDerivatives(
      at: positions, velocities: velocities, accelerations: accelerations, into: &derivatives, parts: parts,
      threads: threads)
    return derivatives
  }

  /// Derivatives of inverse dynamics into arrays that are kept between calls, whose memory is reused; otherwise as
  /// ``inverseDynamicsDerivatives(at:velocities:accelerations:parts:threads:)``. After an error the numbers in
  /// `derivatives` mean nothing.
  public func inverseDynamicsDerivatives(
    at positions: [Scalar], velocities: [Scalar], accelerations: [Scalar],
    into derivatives: inout InverseDynamicsDerivatives<Scalar>, parts: DynamicsDerivativeParts = .all,
    threads: Int = defaultThreadCount
  ) throws(RigidBodyError) {
    let inputs = AlgorithmInputs(positions: positions, velocities: velocities, accelerations: accelerations)
    let count = try configurationCount(inputs)
    try fill(
      &derivatives.byPosition, &derivatives.byVelocity, &derivatives.byAcceleration, parts, count
    ) { rows throws(RigidBodyError) in
      try run(.inverseDynamicsDerivatives, inputs, count, threads, into: rows)
    }
  }

  /// Derivatives of ``forwardDynamics(at:velocities:forces:bodyForces:threads:)`` without forces on bodies.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - velocities: `[configurations, nv]` numbers.
  ///   - forces: `[configurations, nv]` numbers.
  ///   - parts: which derivatives are wanted.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Throws: ``RigidBodyError``, as ``forwardDynamics(at:velocities:forces:bodyForces:threads:)``.
  /// - Complexity: O(configurations x nv x entries of the mass matrix): the derivatives of inverse dynamics at the
  ///   acceleration that the forces cause, and a sparse solve for all columns (Carpentier & Mansard 2018,
  ///   section V).
  public func forwardDynamicsDerivatives(
    at positions: [Scalar], velocities: [Scalar], forces: [Scalar], parts: DynamicsDerivativeParts = .all,
    threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> ForwardDynamicsDerivatives<Scalar> {
    var derivatives = ForwardDynamicsDerivatives<Scalar>()
    try forwardDynamicsDerivatives(
      at: positions, velocities: velocities, forces: forces, into: &derivatives, parts: parts,
      threads: threads)
    return derivatives
  }

  /// Derivatives of forward dynamics into arrays that are kept between calls, whose memory is reused; otherwise as
  /// ``forwardDynamicsDerivatives(at:velocities:forces:parts:threads:)``. After an error the numbers in `derivatives`
  /// mean nothing.
  public func forwardDynamicsDerivatives(
    at positions: [Scalar], velocities: [Scalar], forces: [Scalar],
    into derivatives: inout ForwardDynamicsDerivatives<Scalar>, parts: DynamicsDerivativeParts = .all,
    threads: Int = defaultThreadCount
  ) throws(RigidBodyError) {
    let inputs = AlgorithmInputs(positions: positions, velocities: velocities, forces: forces)
    let count = try configurationCount(inputs)
    try fill(
      &derivatives.byPosition, &derivatives.byVelocity, &derivatives.byForce, parts, count
    ) { rows throws(RigidBodyError) in
      try run(.forwardDynamicsDerivatives, inputs, count, threads, into: rows)
    }
  }

  /// Gives the arrays of the wanted parts their length, empties the others, and lends their memory for filling.
  private func fill(
    _ byPosition: inout [Scalar], _ byVelocity: inout [Scalar], _ byInput: inout [Scalar],
    _ parts: DynamicsDerivativeParts, _ count: Int,
    _ body: (OutputRows<Scalar>) throws(RigidBodyError) -> Void
  ) throws(RigidBodyError) {
    let size = count * model.velocityCount * model.velocityCount
    resize(&byPosition, to: parts.contains(.position) ? size : 0)
    resize(&byVelocity, to: parts.contains(.velocity) ? size : 0)
    resize(&byInput, to: parts.contains(.input) ? size : 0)
    var failure: RigidBodyError?
    byPosition.withUnsafeMutableBufferPointer { byPosition in
      byVelocity.withUnsafeMutableBufferPointer { byVelocity in
        byInput.withUnsafeMutableBufferPointer { byInput in
          func address(_ buffer: UnsafeMutableBufferPointer<Scalar>) -> UnsafeMutablePointer<Scalar>? {
            buffer.isEmpty ? nil : buffer.baseAddress
          }
          let rows = OutputRows(
            byPosition: address(byPosition), byVelocity: address(byVelocity), byInput: address(byInput))
          do throws(RigidBodyError) { try body(rows) } catch { failure = error }
        }
      }
    }
    if let failure { throw failure }
  }
}
