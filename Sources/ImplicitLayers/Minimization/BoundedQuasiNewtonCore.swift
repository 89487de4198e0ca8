import LinearAlgebra

/// L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995): a limited-memory model of the Hessian, the first minimum of the model along the projected gradient
/// (the generalised Cauchy point), its minimum over the unknowns that are not at a bound there, and a line search towards that point.
struct BoundedQuasiNewtonCore {
  var memory: Int
  var lineSearch: LineSearch
  /// ‖P(x − ∇f) − x‖∞ relative to max(1, |f|) and no more than at the start, with P the projection onto the box.
  var tolerance: Double
  var control: SolveControl

  func run(_ function: VectorFunction, from start: [Double], bounds: BoxBounds) throws -> CoreResult {
    let n = function.n
    var recorder = SolveRecorder(control)
    var point = LinePoint(x: start, gradient: zeros(n))
    bounds.clamp(&point.x)
    point.value = try function.objective(point.x, gradient: &point.gradient)
    guard point.value.isFinite, areFinite(point.gradient) else {
      return recorder.failedStart(point.x, function, value: point.value, "the objective or its gradient")
    }
    var model = CompactModel(size: n, memory: memory)
    var (d, step, change) = (zeros(n), zeros(n), zeros(n))
    var lastStep = 0.0
    // Where the objective grows, its size must not excuse a large gradient.
    let firstValue = point.value.magnitude
    for iteration in 0... {
      var measure = 0.0
      for k in 0..<n {
        // ‖P(x − ∇f) − x‖, without the difference that would cancel.
        let g = point.gradient[k]
        measure = max(
          measure, g > 0 ? min(g, point.x[k] - bounds.lower[k]) : min(-g, bounds.upper[k] - point.x[k]))
      }
      func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
        recorder.result(status, point.x, function, measure: measure, value: point.value, details)
      }
      guard recorder.record(iteration, function, measure: measure, value: point.value, step: lastStep) else {
        return finish(.cancelled)
      }
      if measure <= tolerance * max(1, min(point.value.magnitude, firstValue)) { return finish(.converged) }
      if point.value < -1e20 { return finish(.unbounded) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      var found: LinePoint?
      while true {
        let target = model.minimum(point.x, point.gradient, bounds)
        set(&d, target, plus: -1, point.x)
        point.slope = dot(point.gradient, d)
        if point.slope < 0 {
          var longest = 1e20
          for k in 0..<n where d[k] != 0 {
            longest = min(longest, ((d[k] > 0 ? bounds.upper[k] : bounds.lower[k]) - point.x[k]) / d[k])
          }
          longest = max(longest, 1)
          let first = model.isEmpty ? min(1, 1 / norm2(d)) : 1
          found = try lineSearch.search(function, from: point, along: d, first: first, longest: longest)
          if found != nil { break }
        }
        if model.isEmpty { break }
        model.reset()
      }
      guard var next = found else {
        if measure <= max(1e3 * tolerance, 1e-8) * max(1, min(point.value.magnitude, firstValue)) {
          return finish(.converged)
        }
        return finish(
          function.failure == nil ? .stalled : .nonFinite,
          "no step along the projected gradient lowers the objective")
      }
      // A full step may miss the bound by rounding.
      bounds.clamp(&next.x)
      set(&step, next.x, plus: -1, point.x)
      set(&change, next.gradient, plus: -1, point.gradient)
      model.append(step, change)
      lastStep = norm2(step)
      swap(&point, &next)
      if lastStep == 0 { return finish(.stalled, "steps no longer change the unknowns") }
    }
    fatalError("the loop has no end of its own")
  }
}

/// B = θ I − W M Wᵀ with W = [Y, θ S] and M = [−D, Lᵀ; L, θ SᵀS]⁻¹, the compact form of L-BFGS (Byrd, Nocedal and Schnabel 1994).
private struct CompactModel {
  private let size: Int
  private let memory: Int
  private var steps: [[Double]] = []
  private var changes: [[Double]] = []
  private var theta = 1.0
  /// 2m x 2m, row-major.
  private var middle: [Double] = []
  /// The same model by its two loops, which lose fewer digits, for steps that no bound touches.
  private var loops: SecantMemory
  var isEmpty: Bool { steps.isEmpty }

  init(size: Int, memory: Int) {
    self.size = size
    self.memory = memory
    loops = SecantMemory(size: size, .limitedMemory(memory))
  }
  mutating func reset() {
    loops.reset()
    steps.removeAll()
    changes.removeAll()
    theta = 1
    middle = []
  }
  mutating func append(_ s: [Double], _ y: [Double]) {
    let curvature = dot(s, y)
    guard curvature > 1e-14 * norm2(s) * norm2(y) else { return }
    loops.append(s, y, gradient: [], lastGradient: [], direction: [])
    if steps.count == memory {
      steps.removeFirst()
      changes.removeFirst()
    }
    steps.append(s)
    changes.append(y)
    theta = dot(y, y) / curvature
    let m = steps.count
    var matrix = zeros(4 * m * m)
    for i in 0..<m {
      for j in 0..<m {
        let product = dot(steps[i], changes[j])
        if i == j { matrix[i * 2 * m + i] = -product }
        if i > j {
          matrix[(m + i) * 2 * m + j] = product
          matrix[j * 2 * m + m + i] = product
        }
        matrix[(m + i) * 2 * m + m + j] = theta * dot(steps[i], steps[j])
      }
    }
    guard let inverse = Self.inverse(matrix, 2 * m) else {
      reset()
      return
    }
    middle = inverse
  }
  private static func inverse(_ matrix: [Double], _ n: Int) -> [Double]? {
    guard areFinite(matrix), let factor = try? LUFactorization(matrix, size: n, minimumReciprocalCondition: 0)
    else {
      return nil
    }
    var identity = zeros(n * n)
    for k in 0..<n { identity[k * n + k] = 1 }
    var result = zeros(n * n)
    // Column after column; the matrix is symmetric, and so is its inverse.
    factor.solve(identity, into: &result, count: n, transposed: false)
    return areFinite(result) ? result : nil
  }
  /// Row k of W.
  private func row(_ k: Int, into w: inout [Double]) {
    let m = steps.count
    for j in 0..<m {
      w[j] = changes[j][k]
      w[m + j] = theta * steps[j][k]
    }
  }

  /// The minimum of the model in the box, approximately: the Cauchy point improved over the free unknowns.
  mutating func minimum(_ x: [Double], _ g: [Double], _ bounds: BoxBounds) -> [Double] {
    let n = size
    let width = 2 * steps.count
    var cauchy = x
    var d = zeros(n)
    var limits = [Double](repeating: .infinity, count: n)
    for k in 0..<n {
      if g[k] < 0 { limits[k] = (x[k] - bounds.upper[k]) / g[k] }
      if g[k] > 0 { limits[k] = (x[k] - bounds.lower[k]) / g[k] }
      d[k] = limits[k] > 0 ? -g[k] : 0
    }
    var (w, p, c, image) = (zeros(width), zeros(width), zeros(width), zeros(width))
    for j in 0..<steps.count {
      p[j] = dot(changes[j], d)
      p[steps.count + j] = theta * dot(steps[j], d)
    }
    var slope = -dot(d, d)
    if slope == 0 { return x }
    multiply(middle, rows: width, columns: width, p, into: &image)
    let firstCurvature = -theta * slope
    var curvature = firstCurvature - dot(p, image)
    var way = curvature > 0 ? -slope / curvature : .infinity
    var reached = 0.0
    let order = (0..<n).filter { limits[$0] > 0 && limits[$0] < .infinity }.sorted { limits[$0] < limits[$1] }
    for k in order {
      let part = limits[k] - reached
      if way < part { break }
      reached = limits[k]
      cauchy[k] = d[k] > 0 ? bounds.upper[k] : bounds.lower[k]
      let moved = cauchy[k] - x[k]
      add(part, p, to: &c)
      row(k, into: &w)
      multiply(middle, rows: width, columns: width, c, into: &image)
      slope += part * curvature + g[k] * g[k] + theta * g[k] * moved - g[k] * dot(w, image)
      multiply(middle, rows: width, columns: width, p, into: &image)
      let coupling = dot(w, image)
      multiply(middle, rows: width, columns: width, w, into: &image)
      curvature -= theta * g[k] * g[k] + 2 * g[k] * coupling + g[k] * g[k] * dot(w, image)
      curvature = max(curvature, 2.2e-16 * firstCurvature)
      add(g[k], w, to: &p)
      d[k] = 0
      way = slope < 0 ? -slope / curvature : 0
      if slope >= 0 { break }
    }
    if !way.isFinite { way = 1 }
    way = max(way, 0)
    for k in 0..<n where d[k] != 0 {
      cauchy[k] = min(max(x[k] + (reached + way) * d[k], bounds.lower[k]), bounds.upper[k])
    }
    add(way, p, to: &c)
    return width == 0 ? cauchy : improved(cauchy, c, x, g, bounds)
  }

  /// The minimum over the unknowns that are inside of the box at the Cauchy point, cut off at the box (the direct primal method).
  private mutating func improved(
    _ cauchy: [Double], _ c: [Double], _ x: [Double], _ g: [Double], _ bounds: BoxBounds
  ) -> [Double] {
    let n = size
    let width = 2 * steps.count
    let free = (0..<n).filter { cauchy[$0] > bounds.lower[$0] && cauchy[$0] < bounds.upper[$0] }
    if free.isEmpty { return cauchy }
    var d = zeros(n)
    if free.count == n {
      loops.direction(g, into: &d)
      for k in 0..<n { d[k] += x[k] - cauchy[k] }
      return moved(cauchy, along: d, free, bounds)
    }
    var (w, image, v, u) = (zeros(width), zeros(width), zeros(width), zeros(width))
    multiply(middle, rows: width, columns: width, c, into: &image)
    var r = zeros(n)
    var inner = zeros(width * width)
    for k in free {
      row(k, into: &w)
      r[k] = g[k] + theta * (cauchy[k] - x[k]) - dot(w, image)
      add(r[k], w, to: &v)
      for i in 0..<width { for j in 0..<width { inner[i * width + j] += w[i] * w[j] / theta } }
    }
    multiply(middle, rows: width, columns: width, v, into: &u)
    // I − M (WᵀW) / θ over the free unknowns.
    var system = zeros(width * width)
    for i in 0..<width {
      for j in 0..<width {
        var sum = i == j ? 1.0 : 0
        for k in 0..<width { sum -= middle[i * width + k] * inner[k * width + j] }
        system[i * width + j] = sum
      }
    }
    guard areFinite(system),
      let factor = try? LUFactorization(system, size: width, minimumReciprocalCondition: 0)
    else { return cauchy }
    factor.solve(u, into: &v, count: 1, transposed: false)
    guard areFinite(v) else { return cauchy }
    for k in free {
      row(k, into: &w)
      d[k] = -r[k] / theta - dot(w, v) / (theta * theta)
    }
    return moved(cauchy, along: d, free, bounds)
  }

  /// As far as the box allows.
  private func moved(_ x: [Double], along d: [Double], _ free: [Int], _ bounds: BoxBounds) -> [Double] {
    var fraction = 1.0
    for k in free {
      if d[k] > 0 { fraction = min(fraction, (bounds.upper[k] - x[k]) / d[k]) }
      if d[k] < 0 { fraction = min(fraction, (bounds.lower[k] - x[k]) / d[k]) }
    }
    var result = x
    for k in free { result[k] = min(max(x[k] + fraction * d[k], bounds.lower[k]), bounds.upper[k]) }
    return result
  }
}
