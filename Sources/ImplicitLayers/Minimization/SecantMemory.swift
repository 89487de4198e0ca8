/// How nonlinear conjugate gradients weigh the last direction; y is the change of the gradient.
public enum ConjugateFormula: Sendable, Hashable {
  /// max(0, g⁺ · y / g · g) (Polak and Ribière 1969, with Powell's restart).
  case polakRibiere
  /// g⁺ · g⁺ / g · g (Fletcher and Reeves 1964), or none where |g⁺ · g| ≥ 0.2 g⁺ · g⁺ (Powell 1977).
  case fletcherReeves
  /// (y − 2 d ‖y‖² / d · y) · g⁺ / d · y, kept above −1 / (‖d‖ min(0.01, ‖g‖)) (Hager and Zhang 2005).
  case hagerZhang
}

/// What the last steps say of the curvature.
struct SecantMemory {
  private let size: Int
  private let kind: DescentCore.Direction
  /// BFGS: the inverse Hessian, row-major.
  private var inverse: [Double] = []
  private var work: [Double] = []
  // L-BFGS: steps and changes of the gradient, oldest first.
  private var steps: [[Double]] = []
  private var changes: [[Double]] = []
  private var curvatures: [Double] = []
  /// Conjugate gradients: the last direction times its weight.
  private var weighted: [Double] = []
  private(set) var isEmpty = true

  init(size: Int, _ kind: DescentCore.Direction) {
    self.size = size
    self.kind = kind
  }
  mutating func reset() {
    isEmpty = true
    steps.removeAll(keepingCapacity: true)
    changes.removeAll(keepingCapacity: true)
    curvatures.removeAll(keepingCapacity: true)
  }

  /// The direction at a gradient.
  mutating func direction(_ g: [Double], into d: inout [Double]) {
    let n = size
    for k in 0..<n { d[k] = -g[k] }
    if isEmpty { return }
    switch kind {
    case .steepest, .newton: break
    case .conjugate: for k in 0..<n { d[k] += weighted[k] }
    case .bfgs:
      multiply(inverse, rows: n, columns: n, g, into: &d)
      for k in 0..<n { d[k] = -d[k] }
    case .limitedMemory:
      // The two loops of Nocedal (1980).
      var alphas = zeros(steps.count)
      for j in steps.indices.reversed() {
        alphas[j] = dot(steps[j], d) / curvatures[j]
        add(-alphas[j], changes[j], to: &d)
      }
      let last = steps.count - 1
      let scale = curvatures[last] / dot(changes[last], changes[last])
      for k in 0..<n { d[k] *= scale }
      for j in steps.indices {
        let beta = dot(changes[j], d) / curvatures[j]
        add(alphas[j] - beta, steps[j], to: &d)
      }
    }
  }

  mutating func append(
    _ s: [Double], _ y: [Double], gradient: [Double], lastGradient: [Double], direction d: [Double]
  ) {
    switch kind {
    case .steepest, .newton: return
    case .conjugate(let formula):
      let beta = weight(formula, gradient, lastGradient, y, d)
      guard beta.isFinite, beta != 0 else {
        isEmpty = true
        return
      }
      weighted = d.map { beta * $0 }
      isEmpty = false
    case .bfgs:
      let curvature = dot(s, y)
      guard curvature > 1e-14 * norm2(s) * norm2(y) else { return }
      updateInverse(s, y, curvature)
      isEmpty = false
    case .limitedMemory(let depth):
      let curvature = dot(s, y)
      guard curvature > 1e-14 * norm2(s) * norm2(y) else { return }
      if steps.count == depth {
        steps.removeFirst()
        changes.removeFirst()
        curvatures.removeFirst()
      }
      steps.append(s)
      changes.append(y)
      curvatures.append(curvature)
      isEmpty = false
    }
  }

  private func weight(
    _ formula: ConjugateFormula, _ g: [Double], _ old: [Double], _ y: [Double], _ d: [Double]
  ) -> Double {
    switch formula {
    case .polakRibiere: return max(0, dot(g, y) / dot(old, old))
    case .fletcherReeves: return dot(g, old).magnitude >= 0.2 * dot(g, g) ? 0 : dot(g, g) / dot(old, old)
    case .hagerZhang:
      let slope = dot(d, y)
      let beta = (dot(y, g) - 2 * dot(y, y) * dot(d, g) / slope) / slope
      return max(beta, -1 / (norm2(d) * min(0.01, norm2(old))))
    }
  }

  /// H⁺ = (I − s yᵀ / sᵀy) H (I − y sᵀ / sᵀy) + s sᵀ / sᵀy, first scaled so that it explains y.
  private mutating func updateInverse(_ s: [Double], _ y: [Double], _ curvature: Double) {
    let n = size
    if isEmpty {
      inverse = zeros(n * n)
      work = zeros(n)
      let scale = curvature / dot(y, y)
      for k in 0..<n { inverse[k * n + k] = scale }
    }
    multiply(inverse, rows: n, columns: n, y, into: &work)
    let factor = (1 + dot(y, work) / curvature) / curvature
    for i in 0..<n {
      for j in 0..<n {
        inverse[i * n + j] += factor * s[i] * s[j] - (work[i] * s[j] + s[i] * work[j]) / curvature
      }
    }
  }
}
