import Kinematics
import Lanes

// Derivatives of forward dynamics. From M(q) a + b(q, v) = τ,
//   ∂a/∂τ = M⁻¹,   ∂a/∂q = −M⁻¹ ∂(M a + b)/∂q,   ∂a/∂v = −M⁻¹ ∂b/∂v:
// the derivatives of inverse dynamics at the acceleration that the forces cause, then a solve for all columns.

/// Turns the workspace's mass matrix into its inverse and the derivatives of inverse dynamics into those of forward
/// dynamics, all of them dense by degree of freedom.
///
/// - Complexity: O(nv x entries of the mass matrix).
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func solveDerivativesGroup<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, byPosition: Bool, byVelocity: Bool,
  byForce: Bool
) where L.Scalar: LaneScalar {
  factorDenseMassMatrix(plan, w)
  if byPosition { solveRows(plan, w, w.derivatives.byPosition.entries, negated: true) }
  if byVelocity { solveRows(plan, w, w.derivatives.byVelocity.entries, negated: true) }
  if byForce {
    let n = plan.velocityCount
    let inverse = w.massMatrix.entries
    var row = 0
    while row < n {
      var column = 0
      while column < n {
        inverse[row * n + column] = L(row == column ? 1.0 : 0.0)
        column += 1
      }
      row += 1
    }
    solveRows(plan, w, inverse, negated: false)
  }
}

/// `± M⁻¹ X` in place, for a dense matrix that is zero where a row's and a column's degree of freedom cannot
/// accelerate each other.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
private func solveRows<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, _ x: UnsafeMutablePointer<L>, negated: Bool
) where L.Scalar: LaneScalar {
  let pattern = plan.pattern
  let n = pattern.count
  /// Adds a multiple of one row to another.
  @inline(__always)
  func add(_ source: Int, times factor: L, to target: Int) {
    let from = x + source * n
    let to = x + target * n
    var column = Int(plan.blockStart[source])
    let end = Int(plan.blockEnd[source])
    while column < end {
      to[column] = L.multiplyAdd(factor, from[column], to[column])
      column = column &+ 1
    }
  }
  var k = n - 1
  while k >= 0 {
    let row = w.factor + Int(pattern.rowAddress[k])
    var j = Int(pattern.parent[k])
    var t = 1
    while j >= 0 {
      add(k, times: -row[t], to: j)
      t = t &+ 1
      j = Int(pattern.parent[j])
    }
    k -= 1
  }
  k = 0
  while k < n {
    let row = w.factor + Int(pattern.rowAddress[k])
    let scale = negated ? -row[0] : row[0]
    let target = x + k * n
    var column = Int(plan.blockStart[k])
    while column < Int(plan.blockEnd[k]) {
      target[column] = target[column] * scale
      column = column &+ 1
    }
    var j = Int(pattern.parent[k])
    var t = 1
    while j >= 0 {
      add(j, times: -row[t], to: k)
      t = t &+ 1
      j = Int(pattern.parent[j])
    }
    k += 1
  }
}

/// Gives the entries between degrees of freedom that the tree does not couple back their zeros.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func clearDerivatives<L: Lane>(_ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>)
where L.Scalar: LaneScalar {
  let count = plan.velocityCount * plan.velocityCount
  let zero = L(0.0)
  w.derivatives.byPosition.entries.update(repeating: zero, count: count)
  w.derivatives.byVelocity.entries.update(repeating: zero, count: count)
  w.massMatrix.entries.update(repeating: zero, count: count)
}
