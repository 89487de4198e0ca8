import Lanes

// What goes in and out in the programs' own units: x = D x̂, net multipliers ν = E ν̂ / c.

extension ProximalInteriorPoint {
  /// Takes the sides of all constraints, unscaled.
  func load(
    lower low: UnsafePointer<Double>, upper high: UnsafePointer<Double>, programs: Int, infinity: Double
  ) {
    matrices.loadConstraints(low, place: 0, programs: programs, into: lower, padding: -.infinity)
    matrices.loadConstraints(high, place: 0, programs: programs, into: upper, padding: .infinity)
    let (zero, one) = (L(0.0), L(1.0))
    for k in 0..<constraintCount {
      let (low, high) = (lower[k], upper[k])
      let equal = low .== high
      let (hasLow, hasHigh) = (
        (.!equal) .& (L(-infinity) .< low), (.!equal) .& (high .< L(infinity))
      )
      isEquation[k] = select(equal, one, zero)
      hasLower[k] = select(hasLow, one, zero)
      hasUpper[k] = select(hasHigh, one, zero)
      lower[k] = select(hasLow, low, zero)
      upper[k] = select(hasHigh .| equal, high, zero)
    }
    countConstraints()
  }

  /// A point to start from, unscaled: to `x`, and net multipliers to `upperMultiplier`.
  func loadStart(x start: UnsafePointer<Double>, multipliers: UnsafePointer<Double>, programs: Int) {
    matrices.loadVariables(start, place: 0, programs: programs, into: x)
    matrices.loadConstraints(multipliers, place: 0, programs: programs, into: upperMultiplier, padding: 0)
    for i in 0..<n { x[i] = x[i] / columnScale[i] }
    for k in 0..<count { upperMultiplier[k] *= objectiveScale / rowScale[k] }
  }

  /// x and the net multipliers.
  func storeSolution(
    x: UnsafeMutablePointer<Double>, multipliers: UnsafeMutablePointer<Double>, programs: Int
  ) {
    for i in 0..<n { errorX[i] = self.x[i] * columnScale[i] }
    matrices.storeVariables(errorX, place: 0, programs: programs, into: x)
    for k in 0..<constraintCount { product[k] = netMultiplier(k) * rowScale[k] / objectiveScale }
    matrices.storeConstraints(product, place: 0, programs: programs, into: multipliers)
  }

  /// The same of one program.
  func solution(variables: Int, constraints: Int) -> (x: [Double], multipliers: [Double]) {
    var (x, multipliers) = (
      [Double](repeating: 0, count: variables), [Double](repeating: 0, count: constraints)
    )
    x.withUnsafeMutableBufferPointer { x in
      multipliers.withUnsafeMutableBufferPointer { multipliers in
        if let x = x.baseAddress, let multipliers = multipliers.baseAddress {
          storeSolution(x: x, multipliers: multipliers, programs: 1)
        }
      }
    }
    return (x, multipliers)
  }
  /// The sides times their multipliers, added up.
  func support() -> L {
    var sum = L(0.0)
    for k in 0..<count {
      let up = upper[k] * upperMultiplier[k] * L.maximum(hasUpper[k], isEquation[k])
      sum += (up - lower[k] * lowerMultiplier[k] * hasLower[k]) / objectiveScale
    }
    return Matrices.sum(sum)
  }

  /// Which of the constraints are moved by which side.
  func storeShares(upper: UnsafeMutablePointer<Double>, lower: UnsafeMutablePointer<Double>, programs: Int) {
    matrices.storeConstraints(shareUpper, place: 0, programs: programs, into: upper)
    matrices.storeConstraints(shareLower, place: 0, programs: programs, into: lower)
  }

  /// The same of one program.
  func shares(constraints: Int) -> (upper: [Double], lower: [Double]) {
    let zeros = [Double](repeating: 0, count: constraints)
    var (up, down) = (zeros, zeros)
    if constraints > 0 { storeShares(upper: &up, lower: &down, programs: 1) }
    return (up, down)
  }

  /// Solves the derivative's system for one right-hand side of each program from `first` on.
  /// - Parameter next: what is fetched meanwhile.
  /// - Returns: relative residuals.
  func solveDerivative(
    x: UnsafePointer<Double>, rows: UnsafePointer<Double>, first: Int, programs: Int,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>,
    next: PacedPrefetch = PacedPrefetch()
  ) -> L {
    matrices.loadVariables(x, place: first, programs: programs, into: residualX)
    matrices.loadConstraints(rows, place: first, programs: programs, into: residualUpper, padding: 0)
    // Rows of the first block times c D, those of the second times E.
    for i in 0..<n { residualX[i] *= columnScale[i] * objectiveScale }
    for k in 0..<count { residualUpper[k] *= rowScale[k] }
    let error = solveDerivative(next)
    for i in 0..<n { center[i] *= columnScale[i] }
    for k in 0..<count { upperCenter[k] *= rowScale[k] / objectiveScale }
    matrices.storeVariables(center, place: first, programs: programs, into: intoX)
    matrices.storeConstraints(upperCenter, place: first, programs: programs, into: intoRows)
    return error
  }
}
