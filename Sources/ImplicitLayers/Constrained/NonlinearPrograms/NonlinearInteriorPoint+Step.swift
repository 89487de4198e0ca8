extension NonlinearInteriorPoint {
  struct Step {
    var v: [Double]
    var lambda: [Double]
    var zLow: [Double]
    var zHigh: [Double]
    var factor: SymmetricIndefinite
    var barrierGradient: [Double]
  }

  /// The Newton step of the barrier problem, the Hessian convexified as far as needed.
  func direction(mu: Double, lastRegularization: inout Double) -> Step? {
    let size = total + equations
    var sigma = [Double](repeating: 0, count: total)
    var barrier = gradient
    for i in 0..<total {
      if low[i].isFinite {
        sigma[i] += zLow[i] / (v[i] - low[i])
        barrier[i] -= mu / (v[i] - low[i])
      }
      if high[i].isFinite {
        sigma[i] += zHigh[i] / (high[i] - v[i])
        barrier[i] += mu / (high[i] - v[i])
      }
    }
    var (added, dual) = (0.0, 0.0)
    for attempt in 0..<40 {
      var matrix = [Double](repeating: 0, count: size * size)
      for i in 0..<n {
        for j in 0..<n { matrix[i * size + j] = 0.5 * (hessian[i * n + j] + hessian[j * n + i]) }
      }
      for i in 0..<total { matrix[i * size + i] += sigma[i] + added }
      for row in 0..<equations {
        for i in 0..<total {
          matrix[(total + row) * size + i] = jacobian[row * total + i]
          matrix[i * size + total + row] = jacobian[row * total + i]
        }
        matrix[(total + row) * size + total + row] = -dual
      }
      let factor = SymmetricIndefinite(matrix, size: size)
      if factor.isRegular, factor.negativeCount == equations {
        if added > 0 { lastRegularization = added }
        var right = barrier.map { -$0 } + residual.map { -$0 }
        for row in 0..<equations {
          for i in 0..<total { right[i] -= jacobian[row * total + i] * lambda[row] }
        }
        let solved = factor.solve(right)
        guard solved.allSatisfy(\.isFinite) else { return nil }
        var step = Step(
          v: Array(solved[..<total]), lambda: Array(solved[total...]), zLow: zLow.map { _ in 0 },
          zHigh: zHigh.map { _ in 0 }, factor: factor, barrierGradient: barrier)
        for i in 0..<total {
          if low[i].isFinite {
            step.zLow[i] = (mu - zLow[i] * step.v[i]) / (v[i] - low[i]) - zLow[i]
          }
          if high[i].isFinite {
            step.zHigh[i] = (mu + zHigh[i] * step.v[i]) / (high[i] - v[i]) - zHigh[i]
          }
        }
        return step
      }
      if !factor.isRegular, dual == 0, equations > 0 { dual = 1e-8 * mu.squareRoot().squareRoot() }
      if added == 0 {
        added = lastRegularization == 0 ? 1e-4 : max(1e-20, lastRegularization / 3)
      } else {
        added *= lastRegularization == 0 ? 100 : 8
      }
      if added > 1e40 || attempt == 39 { return nil }
    }
    return nil
  }

  /// The largest step up to one along `d` that keeps a share of the distance to the sides.
  func longest(_ d: [Double], share: Double) -> Double {
    var length = 1.0
    for i in 0..<total {
      if low[i].isFinite, d[i] < 0 { length = min(length, -share * (v[i] - low[i]) / d[i]) }
      if high[i].isFinite, d[i] > 0 { length = min(length, share * (high[i] - v[i]) / d[i]) }
    }
    return length
  }
  func longest(_ z: [Double], _ d: [Double], share: Double) -> Double {
    zip(z, d).reduce(1.0) { $1.1 < 0 && $1.0 > 0 ? min($0, -share * $1.0 / $1.1) : $0 }
  }
}
