import LinearAlgebra

extension RateFunctions where L == Double {
  /// The right-hand side of the adjoint equation for λ and the parameters' cotangents, along a recorded solution or, without one, after the
  /// state, which is solved for backwards.
  static func adjoint(of functions: RateFunctions<Double>, along trajectory: InterpolatedTrajectory?) -> Self
  {
    let (n, p) = (functions.stateCount, functions.parameterCount)
    let offset = trajectory == nil ? n : 0
    let count = offset + n + p
    let pattern = functions.jacobianPattern
    let memory = StepMemory(3 * n + p + max(pattern?.entryCount ?? n * n, 1))
    let (state, unit, column) = (memory.take(n), memory.take(n), memory.take(n + p))
    let entries = memory.take(max(pattern?.entryCount ?? n * n, 1))
    // What grows by (∂f/∂p)ᵀ λ needs no matrix.
    let size = offset + n
    let transposition = trajectory == nil ? nil : pattern?.transposition
    func setState(_ time: Double, _ z: UnsafePointer<Double>) {
      if let trajectory {
        trajectory.state(at: time, into: state)
      } else {
        state.update(from: z, count: n)
      }
    }
    return Self(
      stateCount: count, parameterCount: 0, width: 1, bind: functions.bind,
      rate: { [memory] time, z, result in
        _ = memory
        setState(time.pointee, z)
        if trajectory == nil { functions.rate(time, state, result) }
        (result + offset + n).update(repeating: 0, count: p)
        functions.pullback(time, state, z + offset, result + offset, result + offset + n)
        for k in offset..<count { result[k] = -result[k] }
      },
      pullback: { _, _, _, _, _ in preconditionFailure("the adjoint equation has a Jacobian of its own") },
      jacobian: { [memory] time, z, matrix in
        // ∂λ'/∂λ = −(∂f/∂y)ᵀ. How λ' changes with a state that is solved for along is left out: Newton's method only converges a
        // little slower for it.
        _ = memory
        setState(time.pointee, z)
        if trajectory != nil, let compute = functions.jacobian {
          compute(time, state, entries)
          if let transposition {
            for (k, place) in transposition.places.enumerated() { matrix[k] = -entries[place] }
          } else {
            for i in 0..<n { for k in 0..<n { matrix[k * n + i] = -entries[i * n + k] } }
          }
          return
        }
        // Column by column from pullbacks.
        matrix.update(repeating: 0, count: size * size)
        for i in 0..<n {
          for k in 0..<n { unit[k] = k == i ? 1 : 0 }
          functions.pullback(time, state, unit, column, column + n)
          for k in 0..<n { matrix[(offset + k) * size + offset + i] = -column[k] }
          if offset > 0 { for k in 0..<n { matrix[i * size + k] = column[k] } }
        }
      }, jacobianPattern: transposition?.pattern, jacobianBlocks: JacobianBlocks(size: size),
      failure: functions.failure)
  }
}
