import ImplicitLayers
import LinearAlgebra
import TestSupport

/// A random convex program that has a solution: all constraints hold at a random point, some of them barely.
func randomProgram(
  variables n: Int, equalities p: Int, inequalities m: Int, seed: UInt64, rank: Int? = nil,
  hasBounds: Bool = true
) throws -> QuadraticProgram {
  var random = SeededRandom(seed: seed)
  let rank = rank ?? n
  let factor = random.uniform(-1, 1, count: rank * n)
  var q = [Double](repeating: 0, count: n * n)
  for i in 0..<n {
    for j in 0..<n {
      for k in 0..<rank { q[i * n + j] += factor[k * n + i] * factor[k * n + j] }
    }
    if rank == n { q[i * n + i] += 0.1 }
  }
  let a = random.uniform(-1, 1, count: p * n)
  let g = random.uniform(-1, 1, count: m * n)
  let inside = random.uniform(-1, 1, count: n)
  func rows(_ matrix: [Double], _ count: Int) -> [Double] {
    (0..<count).map { row in (0..<n).reduce(0) { $0 + matrix[row * n + $1] * inside[$1] } }
  }
  let values = rows(g, m)
  let lower = values.map { value in
    random.uniform(0, 1) < 0.3 ? -Double.infinity : value - random.uniform(0.05, 1)
  }
  let upper = values.map { value in
    random.uniform(0, 1) < 0.3 ? Double.infinity : value + random.uniform(0.05, 1)
  }
  return try QuadraticProgram(
    denseQuadratic: q, linear: random.uniform(-3, 3, count: n), denseEqualities: a,
    equalityValues: rows(a, p),
    denseInequalities: g, lower: lower, upper: upper,
    lowerBounds: hasBounds ? inside.map { $0 - random.uniform(0.1, 1) } : nil,
    upperBounds: hasBounds ? inside.map { $0 + random.uniform(0.1, 1) } : nil)
}

/// The largest violation of the optimality conditions: constraints, stationarity, signs and complementarity.
func optimalityError(_ program: QuadraticProgram, _ s: QuadraticProgramSolution) throws -> Double {
  let (x, y, z, w) = (s.x, s.equalityMultipliers, s.inequalityMultipliers, s.boundMultipliers)
  var worst = 0.0
  let parts = [
    try program.quadratic.multiply(x), program.linear, try program.equalities.multiply(y, transposed: true),
    try program.inequalities.multiply(z, transposed: true), w,
  ]
  for i in x.indices { worst = max(worst, abs(parts.reduce(0) { $0 + $1[i] })) }
  for (value, b) in zip(try program.equalities.multiply(x), program.equalityValues) {
    worst = max(worst, abs(value - b))
  }
  let values = try program.inequalities.multiply(x) + x
  let (low, high) = (program.lower + program.lowerBounds, program.upper + program.upperBounds)
  for (k, force) in (z + w).enumerated() {
    worst = max(worst, low[k] - values[k], values[k] - high[k])
    // Equal sides make an equation, whose multiplier has any sign.
    if low[k] == high[k] { continue }
    worst = max(worst, min(max(force, 0), high[k] - values[k]), min(max(-force, 0), values[k] - low[k]))
  }
  return worst
}
