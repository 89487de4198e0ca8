extension ImplicitStepper {
  // With s_l the cotangents that stages' states have of themselves (the result's, for the last stage) and r_l = h Σ_{j>l} a_jl Ȳ_j plus
  // outputs', the cotangents of rates w = k̄ of a block fulfil
  //   w_l − h Σ_j a_jl J_jᵀ w_j = r_l + h Σ_j a_jl s_j,   Ȳ_j = J_jᵀ w_j + s_j,
  // with the Jacobians at the solved stages.

  /// Solves the equations of a block's rate cotangents with the Jacobians at its stages.
  private func solveTransposed(_ block: Range<Int>, _ h: Double) {
    let first = block.lowerBound
    let a = tableau.table.a
    // The matrices are no longer those of steps.
    factoredStep = .nan
    hasJacobian = false
    for j in block {
      setJacobian(
        timeCell.pointee + tableau.table.c[j] * h, stageStates + j * n,
        jacobian + (j - first) * blockMatrix.entryCount)
    }
    // The matrix is the transposed of that of the stages' equations.
    if blockMatrix.factor(jacobian, isShared: false, coefficient: { h * a[first + $0][first + $1] }) {
      blockMatrix.solve(rateCotangents + first * n, stride: n, transposed: true, isExact: true)
    } else {
      (rateCotangents + first * n).update(repeating: .nan, count: block.count * n)
    }
  }

  /// As above for a large system, to rounding, with the factors that there are: iterative refinement with products with the stages' own
  /// Jacobians, which are pullbacks.
  /// - Returns: false, with nothing changed, if that does not converge.
  private func refine(_ block: Range<Int>, _ h: Double) -> Bool {
    guard hasJacobian, factoredStep.isFinite else { return false }
    let first = block.lowerBound
    let count = block.count * n
    let a = tableau.table.a
    let target = rateCotangents + first * n
    let (solution, correction, product) = (trial, residual, constant)
    func size(_ values: UnsafeMutablePointer<Double>) -> Double {
      (0..<count).reduce(0) { max($0, values[$1].magnitude) }
    }
    let scale = size(target)
    solution.update(repeating: 0, count: count)
    correction.update(from: target, count: count)
    var last = scale
    for _ in 0..<25 where scale > 0 {
      blockMatrix.solve(correction, stride: n, transposed: true)
      for c in 0..<count { solution[c] += correction[c] }
      for j in 0..<block.count {
        stageTime.pointee = timeCell.pointee + tableau.table.c[first + j] * h
        functions.pullback(
          stageTime, stageStates + (first + j) * n, solution + j * n, product + j * n, none)
      }
      for l in 0..<block.count {
        for c in 0..<n {
          var sum = target[l * n + c] - solution[l * n + c]
          for j in 0..<block.count { sum += h * a[first + j][first + l] * product[j * n + c] }
          correction[l * n + c] = sum
        }
      }
      let rest = size(correction)
      let isStalled = rest > 0.5 * last
      last = rest
      if rest <= 1e-14 * scale || isStalled { break }
    }
    guard last <= 1e-12 * scale else { return false }
    target.update(from: solution, count: count)
    return true
  }

  /// Takes cotangents back through the step's stages; see ``Stepper/reverse(_:parameters:outputs:)``.
  func reverseStages(
    _ cotangent: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>,
    outputs: UnsafeMutablePointer<Double>?
  ) {
    let h = stepCell.pointee
    let a = tableau.table.a
    stateCotangents.update(repeating: 0, count: stageCount * n)
    for block in tableau.blocks.reversed() {
      for l in block {
        for c in 0..<n {
          var sum = outputs == nil ? 0 : outputCotangents[l * n + c]
          for j in block.upperBound..<stageCount { sum += h * a[j][l] * stateCotangents[j * n + c] }
          if block.upperBound == stageCount { sum += h * a[stageCount - 1][l] * cotangent[c] }
          rateCotangents[l * n + c] = sum
        }
      }
      if n < Self.refinementSize || blockMatrix.isCheap || !refine(block, h) { solveTransposed(block, h) }
      for j in block {
        stageTime.pointee = timeCell.pointee + tableau.table.c[j] * h
        functions.pullback(
          stageTime, stageStates + j * n, rateCotangents + j * n, stateCotangents + j * n, parameters)
      }
      if block.upperBound == stageCount {
        for c in 0..<n { stateCotangents[(stageCount - 1) * n + c] += cotangent[c] }
      }
    }
    // The first stage is the rate at the start.
    for c in 0..<n {
      var sum = outputs == nil ? 0 : outputCotangents[c]
      for j in 1..<stageCount { sum += h * a[j][0] * stateCotangents[j * n + c] }
      rateCotangents[c] = sum
    }
    stageTime.pointee = timeCell.pointee
    functions.pullback(stageTime, start, rateCotangents, stateCotangents, parameters)
    for c in 0..<n {
      var sum = outputs?[c] ?? 0
      for j in 0..<stageCount { sum += stateCotangents[j * n + c] }
      cotangent[c] = sum
    }
  }
}
