import Lanes

/// An implicit Runge–Kutta method at work on the adjoint equation λ' = M(t) λ, with M = −(∂f/∂y)ᵀ along a known solution.
///
/// The stages' equations are linear, and are solved with the matrices at the stages themselves: nothing has to converge, and a rate is
/// a product with a matrix that is there. What is integrated along, the parameters' cotangents, takes a pullback for each stage of an
/// accepted step. For small systems, whose factorisations take little time.
final class ImplicitAdjointStepper: Stepper {
  private let tableau: ImplicitTableau
  private let errors: ErrorScale
  private let n: Int
  private let stageCount: Int
  private let memory: StepMemory
  private let trajectory: InterpolatedTrajectory
  private let forward: RateFunctions<Double>
  private let integrals: UnsafeMutablePointer<Double>
  private let blockMatrix: StageMatrix
  private let filterMatrix: StageMatrix?
  private let timeCell: UnsafeMutablePointer<Double>
  private let stepCell: UnsafeMutablePointer<Double>
  private let stageTime: UnsafeMutablePointer<Double>
  private let start: UnsafeMutablePointer<Double>
  private let finish: UnsafeMutablePointer<Double>
  private let residual: UnsafeMutablePointer<Double>
  private let rates: UnsafeMutablePointer<Double>
  /// Of the stages: cotangents, states of the solution, Jacobians and matrices.
  private let stages: UnsafeMutablePointer<Double>
  private let states: UnsafeMutablePointer<Double>
  private let entries: UnsafeMutablePointer<Double>
  private let matrices: UnsafeMutablePointer<Double>

  /// Systems of more components than this take Newton's method, with factors that serve several stages and steps.
  static let largestSize = 16

  /// - Parameters:
  ///   - forward: of the equation that was solved, with a Jacobian that is not sparse.
  ///   - integrals: to which the integrals of (∂f/∂p)ᵀ λ are added.
  init(
    _ tableau: ImplicitTableau, forward: RateFunctions<Double>, _ trajectory: InterpolatedTrajectory,
    relativeTolerance: Double, absoluteTolerances: [Double],
    integrals: UnsafeMutablePointer<Double>
  ) {
    self.tableau = tableau
    self.trajectory = trajectory
    self.forward = forward
    self.integrals = integrals
    errors = ErrorScale(relativeTolerance: relativeTolerance, tolerances: absoluteTolerances)
    let (n, stages) = (forward.stateCount, tableau.table.stageCount)
    (self.n, stageCount) = (n, stages)
    let count = tableau.blocks[0].count
    blockMatrix = StageMatrix(JacobianBlocks(size: n), stages: count, pattern: nil)
    filterMatrix = count > 1 ? StageMatrix(JacobianBlocks(size: n), stages: 1, pattern: nil) : nil
    let memory = StepMemory(3 + forward.parameterCount + n * (2 + count + n + stages * (3 + n)))
    self.memory = memory
    let take = memory.take
    timeCell = take(1)
    stepCell = take(1)
    stageTime = take(1)
    start = take(n)
    finish = take(n)
    residual = take(count * n)
    rates = take(stages * n)
    self.stages = take(stages * n)
    states = take(stages * n)
    entries = take(n * n)
    matrices = take(stages * n * n)
    let (entries, none) = (entries, take(forward.parameterCount))
    super.init(
      RateFunctions<Double>(
        stateCount: n, parameterCount: 0, width: 1, bind: forward.bind,
        rate: { [n] time, cotangent, result in
          trajectory.state(at: time.pointee, into: entries)
          forward.pullback(time, entries, cotangent, result, none)
          for c in 0..<n { result[c] = -result[c] }
        },
        pullback: { _, _, _, _, _ in preconditionFailure("the adjoint equation is not differentiated") },
        failure: forward.failure))
  }

  override var errorExponent: Int { min(tableau.table.order, tableau.table.embeddedOrder) + 1 }
  override var time: UnsafeMutablePointer<Double> { timeCell }
  override var step: UnsafeMutablePointer<Double> { stepCell }
  override var state: UnsafeMutablePointer<Double> { start }
  override var result: UnsafeMutablePointer<Double> { finish }
  override var startRate: UnsafeMutablePointer<Double> { rates }

  override func begin() {
    setMatrix(0, timeCell.pointee)
    multiply(0, start, into: rates)
  }

  private func setMatrix(_ stage: Int, _ time: Double) {
    stageTime.pointee = time
    let state = states + stage * n
    trajectory.state(at: time, into: state)
    guard let jacobian = forward.jacobian else {
      preconditionFailure("the adjoint equation needs the Jacobian")
    }
    jacobian(stageTime, state, entries)
    let matrix = matrices + stage * n * n
    for i in 0..<n { for k in 0..<n { matrix[k * n + i] = -entries[i * n + k] } }
  }
  private func multiply(
    _ stage: Int, _ vector: UnsafePointer<Double>, into target: UnsafeMutablePointer<Double>
  ) {
    let matrix = matrices + stage * n * n
    for i in 0..<n {
      var sum = 0.0
      for k in 0..<n { sum += matrix[i * n + k] * vector[k] }
      target[i] = sum
    }
  }
  /// start + h Σ weights · rates.
  private func combine(_ weights: [Double], count: Int, into target: UnsafeMutablePointer<Double>) {
    let h = stepCell.pointee
    for c in 0..<n {
      var sum = 0.0
      for j in 0..<count { sum += weights[j] * rates[j * n + c] }
      target[c] = start[c] + h * sum
    }
  }

  // With ψ_i = λ + h Σ a_ij k_j over the stages before a block, its rates fulfil k_i − h M_i Σ a_ij k_j = M_i ψ_i.
  override func attempt() -> Double {
    let (h, a, c) = (stepCell.pointee, tableau.table.a, tableau.table.c)
    for block in tableau.blocks {
      let first = block.lowerBound
      for i in block {
        // Stages at the same time have the same matrix.
        if i > first || first == tableau.blocks[0].lowerBound || c[i] != c[i - 1] {
          setMatrix(i, timeCell.pointee + c[i] * h)
        } else {
          (matrices + i * n * n).update(from: matrices + (i - 1) * n * n, count: n * n)
          (states + i * n).update(from: states + (i - 1) * n, count: n)
        }
        combine(a[i], count: first, into: stages + i * n)
        multiply(i, stages + i * n, into: residual + (i - first) * n)
      }
      guard
        blockMatrix.factor(
          matrices + first * n * n, isShared: false, coefficient: { h * a[first + $0][first + $1] })
      else { return .infinity }
      blockMatrix.solve(residual, stride: n, isExact: true)
      (rates + first * n).update(from: residual, count: block.count * n)
      for i in block { combine(a[i], count: block.upperBound, into: stages + i * n) }
    }
    finish.update(from: stages + (stageCount - 1) * n, count: n)
    guard areFinite(UnsafePointer(finish), count: n) else { return .nan }
    for c in 0..<n {
      var sum = 0.0
      for (j, weight) in tableau.table.error.enumerated() { sum += weight * rates[j * n + c] }
      residual[c] = h * sum
    }
    if let filterMatrix {
      let gamma = h * tableau.filter
      guard
        filterMatrix.factor(
          matrices + (stageCount - 1) * n * n, isShared: true, coefficient: { _, _ in gamma })
      else { return .infinity }
      filterMatrix.solve(residual, stride: n)
    } else {
      blockMatrix.solve(residual, stride: n)
    }
    return errors.norm(residual, start, finish)
  }
  override func worstComponent() -> Int { errors.worst(residual, start) }

  override func accept() {
    let b = tableau.table.b
    (stages).update(from: start, count: n)
    for i in 0..<stageCount where b[i] != 0 {
      // Time runs backwards: the integrals grow by −h b (∂f/∂p)ᵀ λ.
      let weight = -stepCell.pointee * b[i]
      let cotangent = stages + i * n
      for c in 0..<n { cotangent[c] *= weight }
      stageTime.pointee = timeCell.pointee + tableau.table.c[i] * stepCell.pointee
      forward.pullback(stageTime, states + i * n, cotangent, residual, integrals)
    }
    start.update(from: finish, count: n)
    let last = stageCount - 1
    rates.update(from: rates + last * n, count: n)
    states.update(from: states + last * n, count: n)
    matrices.update(from: matrices + last * n * n, count: n * n)
  }
}
