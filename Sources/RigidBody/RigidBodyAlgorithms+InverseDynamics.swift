import RobotModels

extension RigidBodyAlgorithms {
  /// Inverse dynamics: the generalised forces that cause given accelerations, `τ = M(q) a + b(q, v) − Σ Jᵀ f`.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - velocities: `[configurations, nv]` numbers.
  ///   - accelerations: `[configurations, nv]` numbers, time derivatives of the velocities.
  ///   - bodyForces: `[configurations, bodies, 6]` numbers: force, then torque, in world axes at the centre of mass of
  ///     each of the model's bodies (`xfrc_applied`); nil for none. Those on bodies that do not move have no effect.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv]` numbers.
  /// - Throws: ``RigidBodyError`` for arrays of the wrong length, numbers that are not finite, quaternions without
  ///   length, and inputs so large that the result is not finite.
  /// - Complexity: O(configurations x joints), by the recursive Newton–Euler algorithm (Featherstone 2008,
  ///   section 5.3).
  public func inverseDynamics(
    at positions: [Scalar], velocities: [Scalar], accelerations: [Scalar], bodyForces: [Scalar]? = nil,
    threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> [Scalar] {
    var forces: [Scalar] = []
    try inverseDynamics(
      at: positions, velocities: velocities, accelerations: accelerations, bodyForces: bodyForces,
      into: &forces, threads: threads)
    return forces
  }

  /// Inverse dynamics into an array that is kept between calls, whose memory is reused; otherwise as
  /// ``inverseDynamics(at:velocities:accelerations:bodyForces:threads:)``. After an error the numbers in `forces`
  /// mean nothing.
  public func inverseDynamics(
    at positions: [Scalar], velocities: [Scalar], accelerations: [Scalar], bodyForces: [Scalar]? = nil,
    into forces: inout [Scalar], threads: Int = defaultThreadCount
  ) throws(RigidBodyError) {
    try computeInverseDynamics(
      AlgorithmInputs(
        positions: positions, velocities: velocities, accelerations: accelerations, bodyForces: bodyForces),
      threads, into: &forces)
  }

  /// The bias force `b(q, v)`: Coriolis, centrifugal and gravity forces (MuJoCo's `qfrc_bias`, Pinocchio's
  /// `nonLinearEffects`).
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - velocities: `[configurations, nv]` numbers.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv]` numbers.
  /// - Throws: as ``inverseDynamics(at:velocities:accelerations:bodyForces:threads:)``.
  /// - Complexity: O(configurations x joints).
  public func biasForce(
    at positions: [Scalar], velocities: [Scalar], threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> [Scalar] {
    var forces: [Scalar] = []
    try computeInverseDynamics(
      AlgorithmInputs(positions: positions, velocities: velocities), threads, into: &forces)
    return forces
  }

  /// The gravity force `b(q, 0)`: what holds the model still against gravity.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv]` numbers.
  /// - Throws: as ``inverseDynamics(at:velocities:accelerations:bodyForces:threads:)``.
  /// - Complexity: O(configurations x joints).
  public func gravityForce(
    at positions: [Scalar], threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> [Scalar] {
    var forces: [Scalar] = []
    try computeInverseDynamics(AlgorithmInputs(positions: positions), threads, into: &forces)
    return forces
  }

  private func computeInverseDynamics(
    _ inputs: AlgorithmInputs<Scalar>, _ threads: Int, into forces: inout [Scalar]
  ) throws(RigidBodyError) {
    let count = try configurationCount(inputs)
    try fill(&forces, count: count * model.velocityCount) { rows throws(RigidBodyError) in
      try run(.inverseDynamics, inputs, count, threads, into: OutputRows(vectors: rows))
    }
  }

  /// The mass matrix `M(q)`, armature included.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv, nv]` numbers: dense symmetric matrices, row by row.
  /// - Throws: as ``inverseDynamics(at:velocities:accelerations:bodyForces:threads:)``.
  /// - Complexity: O(configurations x (nv x depth + nv²)) with a small factor in the second term, by the composite
  ///   rigid-body algorithm (Featherstone 2008, section 6.2) over the pairs of joints that the tree couples.
  public func massMatrix(
    at positions: [Scalar], threads: Int = defaultThreadCount
  ) throws(RigidBodyError) -> [Scalar] {
    var matrices: [Scalar] = []
    try massMatrix(at: positions, into: &matrices, threads: threads)
    return matrices
  }

  /// The mass matrix into an array that is kept between calls, whose memory is reused; otherwise as
  /// ``massMatrix(at:threads:)``. After an error the numbers in `matrices` mean nothing.
  public func massMatrix(
    at positions: [Scalar], into matrices: inout [Scalar], threads: Int = defaultThreadCount
  ) throws(RigidBodyError) {
    let inputs = AlgorithmInputs(positions: positions)
    let count = try configurationCount(inputs)
    let size = model.velocityCount * model.velocityCount
    try fill(&matrices, count: count * size) { rows throws(RigidBodyError) in
      try run(.massMatrix, inputs, count, threads, into: OutputRows(byInput: rows))
    }
  }
}
