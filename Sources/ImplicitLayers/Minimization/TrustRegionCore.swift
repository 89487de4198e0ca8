import COpenBLAS

/// Newton's method in a trust region. The model's minimum is found from the eigenvalues of the Hessian (Moré and Sorensen 1983) in the region
/// ‖D d‖ ≤ Δ, with D the roots of the largest curvatures met along the axes, so that the units of the unknowns do not matter; or in ‖d‖ ≤ Δ by
/// conjugate gradients that stop at the edge or at negative curvature (Steihaug 1983, Toint 1981).
struct TrustRegionCore {
  enum Subproblem {
    case exact
    case truncated
  }
  var subproblem: Subproblem
  var tolerance: Double
  var control: SolveControl

  func run(_ function: VectorFunction, from start: [Double]) throws -> CoreResult {
    let n = function.n
    var recorder = SolveRecorder(control)
    var (x, gradient, trialGradient) = (start, zeros(n), zeros(n))
    var (d, trial) = (zeros(n), zeros(n))
    var value = try function.objective(x, gradient: &gradient)
    var measure = normInfinity(gradient)
    func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
      recorder.result(status, x, function, measure: measure, value: value, details)
    }
    guard value.isFinite, measure.isFinite else {
      measure = .infinity
      _ = recorder.record(0, function, measure: measure, value: value, step: 0)
      return finish(.nonFinite, "the objective or its gradient is not finite at the initial point")
    }
    var model = QuadraticModel(size: n, subproblem)
    var radius = 0.0
    var lastStep = 0.0
    // Where the objective grows, its size must not excuse a large gradient.
    let firstValue = value.magnitude
    var rejected = 0
    for iteration in 0... {
      guard recorder.record(iteration, function, measure: measure, value: value, step: lastStep) else {
        return finish(.cancelled)
      }
      if measure <= tolerance * max(1, min(value.magnitude, firstValue)) { return finish(.converged) }
      if value < -1e20 { return finish(.unbounded) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      guard try model.prepare(function, x, gradient) else {
        return finish(.nonFinite, "the Hessian is not finite")
      }
      if iteration == 0 { radius = model.firstRadius(x) }
      while true {
        let predicted = try model.step(function, x, gradient, radius, into: &d)
        let length = model.length(d)
        set(&trial, x, plus: 1, d)
        let trialValue = try function.objective(trial, gradient: &trialGradient)
        let isFinite = trialValue.isFinite && areFinite(trialGradient)
        let actual = isFinite ? value - trialValue : -.infinity
        // Where rounding hides the decrease, the trapezoidal rule for slopes replaces it.
        let isHidden = predicted <= 1e-13 * value.magnitude && actual.magnitude <= 1e-12 * value.magnitude
        let change = isHidden ? -0.5 * (dot(gradient, d) + dot(trialGradient, d)) : actual
        let ratio = predicted > 0 ? change / predicted : -1
        if ratio < 0.25 || !isFinite {
          radius = 0.25 * min(length, radius)
        } else if ratio > 0.75, length > 0.9 * radius {
          radius = min(2 * radius, 1e20)
        }
        if ratio > 1e-4, isFinite {
          lastStep = norm2(d)
          swap(&x, &trial)
          swap(&gradient, &trialGradient)
          value = trialValue
          measure = normInfinity(gradient)
          rejected = 0
          break
        }
        rejected += 1
        if norm2(d) <= 2 * Double.ulpOfOne * norm2(x) || rejected > 100 || predicted <= 0 {
          if model.newtonDecrease <= roundingOfObjective * value.magnitude
            || measure <= max(1e3 * tolerance, 1e-8) * max(1, min(value.magnitude, firstValue))
          {
            return finish(.converged)
          }
          return finish(.stalled, "no step in the trust region lowers the objective")
        }
        if control.cancellation?.isCancelled == true { return finish(.cancelled) }
      }
    }
    fatalError("the loop has no end of its own")
  }
}

/// g · d + ½ dᵀ H d
private struct QuadraticModel {
  private let size: Int
  private let kind: TrustRegionCore.Subproblem
  private var hessian: [Double] = []
  private var vectors: [Double] = []
  private var eigenvalues: [Double] = []
  private var components: [Double] = []
  private var scale: [Double] = []

  init(size: Int, _ kind: TrustRegionCore.Subproblem) {
    self.size = size
    self.kind = kind
    guard case .exact = kind else { return }
    hessian = zeros(size * size)
    vectors = hessian
    eigenvalues = zeros(size)
    components = eigenvalues
    scale = eigenvalues
  }

  /// What Newton's step promises; infinite where the Hessian is not positive definite, or not known.
  var newtonDecrease: Double {
    guard let least = eigenvalues.first, least > 0 else { return .infinity }
    return zip(components, eigenvalues).reduce(0) { $0 + 0.5 * $1.0 * $1.0 / $1.1 }
  }
  /// ‖D d‖
  func length(_ d: [Double]) -> Double { scale.isEmpty ? norm2(d) : scaledNorm(d, scale) }
  func firstRadius(_ x: [Double]) -> Double {
    let size = length(x)
    if scale.isEmpty { return max(1, 0.1 * size) }
    return size > 0 ? 0.1 * size : 1
  }

  /// Evaluates what the model is made of.
  mutating func prepare(_ function: VectorFunction, _ x: [Double], _ gradient: [Double]) throws -> Bool {
    guard case .exact = kind, size > 0 else { return true }
    var ignored = zeros(size)
    try function.hessian(x, gradient: &ignored, into: &hessian)
    guard areFinite(hessian) else { return false }
    for k in 0..<size {
      scale[k] = max(scale[k], hessian[k * size + k].magnitude.squareRoot())
      if scale[k] == 0 { scale[k] = 1 }
    }
    for i in 0..<size {
      for j in 0..<size { hessian[i * size + j] /= scale[i] * scale[j] }
    }
    if size <= JacobiEigenvalues.largestSize {
      JacobiEigenvalues.compute(&hessian, into: &eigenvalues, vectors: &vectors)
    } else {
      for k in hessian.indices { vectors[k] = hessian[k] }
      let n = Int32(size)
      // Column-major: eigenvector k is a row of the row-major array.
      guard
        LAPACKE_dsyevd(
          LAPACK_COL_MAJOR, Int8(UInt8(ascii: "V")), Int8(UInt8(ascii: "U")), n, &vectors, n, &eigenvalues)
          == 0
      else { return false }
    }
    var scaled = gradient
    for k in 0..<size { scaled[k] /= scale[k] }
    multiply(vectors, rows: size, columns: size, scaled, into: &components)
    return true
  }

  /// Minimises the model in the region.
  /// - Returns: the decrease that it predicts.
  func step(
    _ function: VectorFunction, _ x: [Double], _ gradient: [Double], _ radius: Double, into d: inout [Double]
  ) throws -> Double {
    switch kind {
    case .exact: return exact(radius, into: &d)
    case .truncated: return try truncated(function, x, gradient, radius, into: &d)
    }
  }

  private func exact(_ radius: Double, into d: inout [Double]) -> Double {
    let n = size
    let least = eigenvalues[0]
    let scale = max(eigenvalues[n - 1].magnitude, least.magnitude, 1e-300)
    func length(_ shift: Double) -> Double {
      var sum = 0.0
      for k in 0..<n where components[k] != 0 {
        let part = components[k] / (eigenvalues[k] + shift)
        sum += part * part
      }
      return sum.squareRoot()
    }
    var shift = 0.0
    var extra = 0.0
    if least <= 1e-14 * scale || length(0) > radius {
      // ‖d(λ)‖ = Δ for λ above −least: by Newton's method on 1/‖d‖, inside of a bracket.
      var low = max(0, -least)
      // A positive definite Hessian needs no shift that keeps away from its lowest eigenvalue.
      let smallest = least > 1e-14 * scale ? 0 : low + 1e-14 * scale
      if length(smallest) < radius {
        // The hard case: the gradient hardly has a part along the lowest eigenvector, which fills up the length.
        shift = smallest
        if least < -1e-14 * scale {
          let inner = length(shift)
          extra = max(radius * radius - inner * inner, 0).squareRoot()
        }
      } else {
        var high = low + normInfinity(components) * Double(n).squareRoot() / radius
        high = max(high, smallest)
        shift = max(low + 1e-3 * (high - low), smallest)
        for _ in 0..<60 {
          let size = length(shift)
          if (size - radius).magnitude <= 1e-3 * radius { break }
          if size > radius { low = shift } else { high = shift }
          var slope = 0.0
          for k in 0..<n {
            let denominator = eigenvalues[k] + shift
            slope += components[k] * components[k] / (denominator * denominator * denominator)
          }
          var next = shift + size * size / slope * (size - radius) / radius
          if !(next > low && next < high) {
            next = (low > 0 ? (low * high).squareRoot() : 0.5 * (low + high))
          }
          if next == shift { break }
          shift = next
        }
      }
    }
    for k in 0..<n { d[k] = 0 }
    var predicted = 0.0
    for k in 0..<n {
      let denominator = eigenvalues[k] + shift
      var part = denominator != 0 ? -components[k] / denominator : 0
      if k == 0 { part += components[0] > 0 ? -extra : extra }
      predicted -= part * (components[k] + 0.5 * eigenvalues[k] * part)
      for j in 0..<n { d[j] += part * vectors[k * n + j] }
    }
    for j in 0..<n { d[j] /= self.scale[j] }
    return predicted
  }

  private func truncated(
    _ function: VectorFunction, _ x: [Double], _ gradient: [Double], _ radius: Double, into d: inout [Double]
  ) throws -> Double {
    let n = size
    let target = min(0.5, norm2(gradient).squareRoot()) * norm2(gradient)
    for k in 0..<n { d[k] = 0 }
    var r = gradient
    var p = r.map { -$0 }
    var (image, product) = (zeros(n), zeros(n))
    var rho = dot(r, r)
    /// To the edge along p.
    func toEdge() {
      let (a, b, c) = (dot(p, p), dot(d, p), dot(d, d) - radius * radius)
      let t = -c / (b + max(b * b - a * c, 0).squareRoot())
      add(t, p, to: &d)
      add(t, image, to: &product)
    }
    for _ in 0..<max(2 * n, 20) {
      try function.hessianProduct(x, p, into: &image)
      let curvature = dot(p, image)
      guard curvature.isFinite else { break }
      if curvature <= 0 {
        toEdge()
        break
      }
      let alpha = rho / curvature
      var next = d
      add(alpha, p, to: &next)
      if norm2(next) >= radius {
        toEdge()
        break
      }
      d = next
      add(alpha, image, to: &product)
      add(alpha, image, to: &r)
      let new = dot(r, r)
      if new.squareRoot() <= target { break }
      let beta = new / rho
      rho = new
      for k in 0..<n { p[k] = beta * p[k] - r[k] }
    }
    return -(dot(gradient, d) + 0.5 * dot(product, d))
  }
}
