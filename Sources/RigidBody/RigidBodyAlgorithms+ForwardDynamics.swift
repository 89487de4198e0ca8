import RobotModels

extension RigidBodyAlgorithms {
  /// Forward dynamics: the accelerations that generalised forces cause, `a = M(q)⁻¹ (τ + Σ Jᵀ f − b(q, v))`.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - velocities: `[configurations, nv]` numbers.
  ///   - forces: `[configurations, nv]` numbers: all that acts on the joints besides gravity and `bodyForces`.
  ///   - bodyForces: `[configurations, bodies, 6]` numbers: force, then torque, in world axes at the centre of mass of
  ///     each of the model's bodies (`xfrc_applied`); nil for none.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv]` numbers, time derivatives of the velocities.
  /// - Throws: ``RigidBodyError`` for arrays of the wrong length, numbers that are not finite, quaternions without
  ///   length, a mass matrix that is singular to working precision (the error names the joint), and inputs so large
  ///   that the result is not finite.
  /// - Complexity: O(configurations x joints), by the articulated-body algorithm (Featherstone 2008, section 7.3);
  ///   with mimic joints, which it does not know, by a sparse factorisation of the mass matrix (section 6.5), O(joints x
  ///   depth²).
  public func forwardDynamics(
    at positions: [Scalar], velocities: [Scalar], forces: [Scalar], bodyForces: [Scalar]? = nil,
    threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> [Scalar] {
    var accelerations: [Scalar] = []
    try forwardDynamics(
      at: positions, velocities: velocities, forces: forces, bodyForces: bodyForces, into: &accelerations,
      threads: threads)
    return accelerations
  }

  /// Forward dynamics into an array that is kept between calls, whose memory is reused; otherwise as
  /// ``forwardDynamics(at:velocities:forces:bodyForces:threads:)``. After an error the numbers in `accelerations`
  /// mean nothing.
  public func forwardDynamics(
    at positions: [Scalar], velocities: [Scalar], forces: [Scalar], bodyForces: [Scalar]? = nil,
    into accelerations: inout [Scalar], threads: Int = defaultThreadCount
  ) throws(RigidBodyError) {
    let inputs = AlgorithmInputs(
      positions: positions, velocities: velocities, forces: forces, bodyForces: bodyForces)
    let count = try configurationCount(inputs)
    try fill(&accelerations, count: count * model.velocityCount) { rows throws(RigidBodyError) in
      try run(.forwardDynamics, inputs, count, threads, into: OutputRows(vectors: rows))
    }
  }
}
