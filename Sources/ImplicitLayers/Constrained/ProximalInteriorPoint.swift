import Lanes

/// min ½ xᵀQx + qᵀx subject to sides lower ≤ (C x, x) ≤ upper, by the proximal interior-point method of Schwan, Jiang, Kuhn and
/// Jones (PIQP: A Proximal Interior-Point Quadratic Programming Solver, 2023): the proximal method of multipliers, whose subproblems take one
/// step of Mehrotra's predictor–corrector method each. Regularisation by the proximal terms makes every system quasidefinite, so that neither
/// Q nor the constraints need full rank.
///
/// Solves one program, or one in each lane; lanes that are done stand still. Nothing allocates in a step.
///
/// The constraints, in order: the equations, the rows with two sides, and the bounds of the variables; N in all. A constraint whose
/// sides are equal is an equation without slacks, whose multiplier is kept as that of the upper side.
final class ProximalInteriorPoint<Matrices: ProgramMatrices> {
  typealias L = Matrices.L
  typealias Vector = UnsafeMutablePointer<L>

  let matrices: Matrices
  let n: Int
  let m: Int
  /// Rows and bounds.
  let constraintCount: Int
  /// How many of them there are to look at: the rows alone where no variable has bounds.
  private(set) var count: Int
  /// Whether any constraint has a lower side.
  private(set) var hasLowerSides = true
  private let memory: LaneMemory<L>
  private let scratch: LaneMemory<L>

  // Data, scaled: q, the sides, and one or zero where a side exists, or both are one equation.
  let linear: Vector
  let lower, upper, hasLower, hasUpper, isEquation: Vector
  /// x = D x̂, rows times E; the objective times c.
  private(set) var columnScale, rowScale: Vector
  /// What turns residuals into the program's own units: 1/(c D) and 1/E.
  let columnUnit, rowUnit: Vector
  var objectiveScale = L(1.0)
  /// What residuals of stationarity and gaps are measured in: one, or the power of two just below an objective's largest coefficient if
  /// that is smaller.
  private(set) var objectiveUnit = L(1.0)

  // The iterate, and the proximal centres.
  let x, center: Vector
  let upperMultiplier, lowerMultiplier, upperSlack, lowerSlack, upperCenter, lowerCenter: Vector
  /// (C x, x), Q x, and Cᵀ z with the bounds' multipliers added.
  let values, quadraticTimesX, transposedMultipliers: Vector

  // The step, and what its system is made of.
  let stepX, stepUpper, stepLower, stepUpperSlack, stepLowerSlack, stepValues: Vector
  let residualX, residualUpper, residualLower, targetUpper, targetLower: Vector
  private(set) var weights: Vector
  let diagonal, reducedX, reducedRows, netStep: Vector
  /// Reciprocals of slacks, of multipliers, and of s + δ z.
  let perUpperSlack, perLowerSlack, perUpperMultiplier, perLowerMultiplier, perUpperSum, perLowerSum: Vector
  /// Q and Cᵀ times the step's parts, where `hasStepProducts` says so.
  let stepQuadratic, stepTransposed: Vector
  var hasStepProducts = false
  let refineX, refineRows, errorX, errorRows, product: Vector
  // Of derivatives: which side of a constraint moves its value, and how far the constraint yields to its multiplier.
  let shareUpper, shareLower: Vector
  private(set) var compliance: Vector

  var rho = L(0.0)
  var delta = L(0.0)
  /// Whether systems are solved as exactly as rounding permits, and step lengths always differ: slower, and for programs on which the usual
  /// way stalls.
  var isCareful = false
  /// The last factor is that of the active set, whose shares are known.
  var hasActiveFactor = false

  /// - Parameter scratch: for what need not last from a solution to its derivatives; of its own if none is given.
  init(_ matrices: Matrices, scratch given: LaneMemory<L>? = nil) {
    self.matrices = matrices
    (n, m) = (matrices.variableCount, matrices.rowCount)
    constraintCount = n + m
    count = n + m
    let (n, m, count) = (n, m, n + m)
    let memory = LaneMemory<L>(Self.keptCount(n: n, m: m))
    let scratch = given ?? LaneMemory<L>(Self.scratchCount(n: n, m: m))
    (self.memory, self.scratch) = (memory, scratch)
    (columnScale, rowScale, weights, compliance) = (memory.base, memory.base, memory.base, memory.base)
    func variables() -> Vector { scratch.take(n) }
    func sides() -> Vector { scratch.take(count) }
    (linear, x, center, quadraticTimesX, transposedMultipliers) =
      (variables(), variables(), variables(), variables(), variables())
    (lower, upper, hasLower, hasUpper, isEquation) = (sides(), sides(), sides(), sides(), sides())
    (upperMultiplier, lowerMultiplier, upperSlack, lowerSlack) = (sides(), sides(), sides(), sides())
    (upperCenter, lowerCenter, values) = (sides(), sides(), sides())
    (stepUpper, stepLower, stepUpperSlack, stepLowerSlack, stepValues) =
      (sides(), sides(), sides(), sides(), sides())
    (residualUpper, residualLower, targetUpper, targetLower) = (sides(), sides(), sides(), sides())
    (netStep, product, shareUpper, shareLower, rowUnit) = (sides(), sides(), sides(), sides(), sides())
    (perUpperSlack, perLowerSlack, perUpperMultiplier) = (sides(), sides(), sides())
    (perLowerMultiplier, perUpperSum, perLowerSum) = (sides(), sides(), sides())
    (columnUnit, stepQuadratic, stepTransposed) = (variables(), variables(), variables())
    (stepX, residualX, diagonal, reducedX, refineX, errorX) =
      (variables(), variables(), variables(), variables(), variables(), variables())
    (reducedRows, refineRows, errorRows) = (scratch.take(m), scratch.take(m), scratch.take(m))
    bind(nil)
  }
  /// What lasts from a solution to its derivatives takes so much memory.
  static func keptCount(n: Int, m: Int) -> Int { n + 3 * (n + m) }
  /// Copies what lies in its own memory, past the caches.
  func copyKept(to target: Vector) { memory.copy(to: target) }
  /// Has that in other memory from here on, or in its own.
  func bind(_ given: Vector?) {
    let memory = given ?? memory.base
    columnScale = memory
    rowScale = columnScale + n
    weights = rowScale + constraintCount
    compliance = weights + constraintCount
  }
  /// Goes on, for derivatives, with a program that was solved in the memory that is bound.
  func resume(objectiveScale: L, constraintCount: Int) {
    (self.objectiveScale, count) = (objectiveScale, constraintCount)
  }
  /// Scratch memory of the method itself.
  static func scratchCount(n: Int, m: Int) -> Int { 14 * n + 32 * (n + m) + 3 * m }

  /// Scales the program in place (the matrices must be unscaled): Ruiz' equilibration of [Q Cᵀ; C 0], and the objective by its size.
  /// Objectives whose coefficients are all below one are brought to that size first, by a power of two: a minimiser does not depend on it, and
  /// they must not be taken for zero.
  ///
  /// `linear`, `lower` and `upper` hold numbers; sides that do not exist are zero there.
  func equilibrate(rounds: Int) {
    for i in 0..<n { columnScale[i] = L(1.0) }
    for k in 0..<constraintCount { rowScale[k] = L(1.0) }
    objectiveScale = L(1.0)
    let (columns, rows) = (errorX, errorRows)
    let first = 1.0 / measureObjective(scratch: columns)
    if !(first .== L(1.0)).allTrue {
      for i in 0..<n { linear[i] *= first }
      matrices.scale(columns: columnScale, rows: rowScale, objective: first)
    }
    for _ in 0..<rounds {
      matrices.norms(columns: columns, rows: rows, columnScale: columnScale, rowScale: rowScale)
      var worst = L(0.0)
      @inline(__always)
      func factor(_ norm: L) -> L {
        let isZero = norm .<= L(1e-12)
        worst = L.maximum(worst, (norm - 1.0).magnitude.replacing(with: L(0.0), where: isZero))
        return (1.0 / norm.replacing(with: L(1.0), where: isZero)).squareRoot
      }
      for i in 0..<n { columnScale[i] *= factor(columns[i]) }
      for k in 0..<m { rowScale[k] *= factor(rows[k]) }
      if (worst .< L(0.1)).allTrue { break }
    }
    matrices.quadraticNorms(columns, columnScale: columnScale)
    var size = L(0.0)
    for i in 0..<n {
      linear[i] *= columnScale[i]
      size = L.maximum(size, L.maximum(columns[i], linear[i].magnitude))
    }
    size = Matrices.largest(size)
    let objective = 1.0 / size.clamped(L(1e-6), L(1e12))
    let second = objective.replacing(with: L(1.0), where: size .== L(0.0))
    for i in 0..<n { linear[i] *= second }
    matrices.scale(columns: columnScale, rows: rowScale, objective: second)
    objectiveScale = second * first
    let unit = 1.0 / objectiveScale
    for i in 0..<n {
      rowScale[m + i] = 1.0 / columnScale[i]
      (columnUnit[i], rowUnit[m + i]) = (unit * rowScale[m + i], columnScale[i])
    }
    for k in 0..<m { rowUnit[k] = 1.0 / rowScale[k] }
    for k in 0..<count {
      lower[k] *= rowScale[k]
      upper[k] *= rowScale[k]
    }
  }

  /// Sets ``objectiveUnit`` from the unscaled objective.
  private func measureObjective(scratch columns: Vector) -> L {
    matrices.quadraticNorms(columns, columnScale: columnScale)
    var largest = L(0.0)
    for i in 0..<n { largest = L.maximum(largest, L.maximum(columns[i], linear[i].magnitude)) }
    largest = Matrices.largest(largest)
    objectiveUnit = L(1.0)
    for lane in 0..<L.laneCount where largest[lane: lane] > 0 && largest[lane: lane] < 1 {
      // The reciprocal of what is nearly zero must exist.
      objectiveUnit[lane: lane] = max(largest[lane: lane].binade, 0x1p-900)
    }
    return objectiveUnit
  }

  /// Says which constraints there are to look at, after the sides have been loaded. Those past ``count`` count as zero from here on.
  func countConstraints() {
    var (bounds, lowerSides) = (L(0.0), L(0.0))
    for k in m..<constraintCount { bounds += hasLower[k] + hasUpper[k] + isEquation[k] }
    for k in 0..<constraintCount { lowerSides += hasLower[k] }
    hasLowerSides = (lowerSides .> L(0.0)).anyTrue
    count = (bounds .> L(0.0)).anyTrue ? constraintCount : m
    guard count == m else { return }
    let zero = L(0.0)
    for k in m..<constraintCount {
      (weights[k], netStep[k], product[k], upperMultiplier[k], lowerMultiplier[k]) = (
        zero, zero, zero, zero, zero
      )
      (upperCenter[k], lowerCenter[k], stepUpper[k], stepLower[k]) = (zero, zero, zero, zero)
      (residualUpper[k], shareUpper[k], shareLower[k], compliance[k]) = (zero, zero, zero, zero)
      (stepUpperSlack[k], stepLowerSlack[k]) = (zero, zero)
    }
  }

  /// v = (C x, x).
  func multiplyConstraints(_ x: UnsafePointer<L>, into v: Vector) {
    matrices.multiplyRows(x, into: v)
    (v + m).update(from: x, count: n)
  }
  /// y = Cᵀ z with the bounds' part added.
  func multiplyTransposed(_ z: UnsafePointer<L>, into y: Vector) {
    y.update(from: z + m, count: n)
    matrices.addTransposedRows(z, to: y)
  }
  /// z of the upper sides and equations less that of the lower sides.
  @inline(__always)
  func netMultiplier(_ k: Int) -> L { upperMultiplier[k] - lowerMultiplier[k] }

  /// Q x, (C x, x) and Cᵀ z of the iterate.
  func evaluateIterate() {
    matrices.multiplyQuadratic(x, into: quadraticTimesX)
    multiplyConstraints(x, into: values)
    for k in 0..<count { product[k] = netMultiplier(k) }
    multiplyTransposed(product, into: transposedMultipliers)
  }
}
