import Lanes

/// Backward differentiation of order 1 to 5 at work on one trajectory.
///
/// Step size and order are chosen together, from estimates of the errors that the present order and its neighbours would have, and are
/// then kept for as many steps as the formula has points (L. F. Shampine, M. W. Reichelt, as above; A. C. Hindmarsh et al., SUNDIALS,
/// ACM Trans. Math. Softw. 31 (2005)). The equations of a step are solved by Newton's method with a Jacobian and factors that are
/// kept while it converges fast.
final class BackwardDifferenceStepper: Stepper {
  private let n: Int
  private let errors: ErrorScale
  private let memory: StepMemory
  private let timeCell: UnsafeMutablePointer<Double>
  private let stepCell: UnsafeMutablePointer<Double>
  private let end: UnsafeMutablePointer<Double>
  private let start: UnsafeMutablePointer<Double>
  private let finish: UnsafeMutablePointer<Double>
  private let rates: UnsafeMutablePointer<Double>
  private let predicted: UnsafeMutablePointer<Double>
  private let constant: UnsafeMutablePointer<Double>
  private let residual: UnsafeMutablePointer<Double>
  private let trial: UnsafeMutablePointer<Double>
  private let jacobian: UnsafeMutablePointer<Double>
  private let none: UnsafeMutablePointer<Double>
  private let matrix: StageMatrix

  /// The points before the step, the latest first.
  private var points: [UnsafeMutablePointer<Double>]
  private var times = SIMD8<Double>()
  private var pointCount = 0
  private var formula = BackwardDifferenceFormula(order: 1, times: SIMD8(), count: 1, end: 1)

  /// The order of the next step, and the steps since order or size changed.
  private var order = 1
  private var stepsSinceChange = 0
  /// The order still rises from the start on, a step at a time.
  private var isStarting = true
  private var failures = 0

  /// h β that the factored matrix belongs to, and whether the Jacobian is that of this step.
  private var factoredCoefficient = Double.nan
  private var relaxation = 1.0
  private var hasJacobian = false
  private var isFresh = false
  /// How much smaller each correction is than the one before, as seen last; infinity: not yet.
  private var contraction = Double.infinity

  private static let pointLimit = BackwardDifferenceFormula.maximumOrder + 1
  private static let iterationLimit = 8
  /// Corrections end below this part of the tolerances.
  private static let newtonTolerance = 1e-3
  /// Factors of systems of at least this size serve step sizes nearby too.
  private static let reuseSize = 24
  /// A change of the step by less does not pay.
  private static let leastGrowth = 1.2

  init(_ functions: RateFunctions<Double>, relativeTolerance: Double, absoluteTolerances: [Double]) {
    let n = functions.stateCount
    self.n = n
    errors = ErrorScale(relativeTolerance: relativeTolerance, tolerances: absoluteTolerances)
    let pattern = functions.jacobian == nil ? nil : functions.jacobianPattern
    matrix = StageMatrix(functions.jacobianBlocks ?? JacobianBlocks(size: n), stages: 1, pattern: pattern)
    let memory = StepMemory(3 + (7 + Self.pointLimit) * n + matrix.entryCount + functions.parameterCount)
    self.memory = memory
    let take = memory.take
    timeCell = take(1)
    stepCell = take(1)
    end = take(1)
    start = take(n)
    finish = take(n)
    rates = take(n)
    predicted = take(n)
    constant = take(n)
    residual = take(n)
    trial = take(n)
    points = (0..<Self.pointLimit).map { _ in take(n) }
    jacobian = take(matrix.entryCount)
    none = take(functions.parameterCount)
    super.init(functions)
  }

  override var errorExponent: Int { 2 }
  override var time: UnsafeMutablePointer<Double> { timeCell }
  override var step: UnsafeMutablePointer<Double> { stepCell }
  override var state: UnsafeMutablePointer<Double> { start }
  override var result: UnsafeMutablePointer<Double> { finish }
  override var startRate: UnsafeMutablePointer<Double> { rates }
  override var stepOrder: Int { formula.order }

  override func begin() {
    functions.rate(timeCell, start, rates)
    points[0].update(from: start, count: n)
    times[0] = timeCell.pointee
    pointCount = 1
    order = 1
    stepsSinceChange = 0
    failures = 0
    isStarting = true
    hasJacobian = false
    factoredCoefficient = .nan
    contraction = .infinity
  }

  override func prescribe(order: Int) { self.order = order }

  // MARK: A step

  private func setFormula() {
    times[0] = timeCell.pointee
    end.pointee = timeCell.pointee + stepCell.pointee
    formula = BackwardDifferenceFormula(order: order, times: times, count: pointCount, end: end.pointee)
  }

  override func attempt() -> Double {
    setFormula()
    predict()
    var error = correct()
    if !error.isFinite && !(isFresh && relaxation == 1) {
      // The Jacobian or its factors are old ones: once more with those of this step.
      hasJacobian = false
      error = correct()
    }
    isFresh = false
    if error == 0 {
      guard areFinite(UnsafePointer(finish), count: n) else { return .nan }
      for c in 0..<n { residual[c] = finish[c] - predicted[c] }
      error = formula.errorCoefficient * norm(residual)
    }
    if !error.isFinite {
      failures += 1
      lowerOrder()
    }
    return error
  }

  /// The polynomial through the latest points at the step's end, and the sum of the formula.
  private func predict() {
    let h = stepCell.pointee
    if pointCount == 1 {
      for c in 0..<n {
        constant[c] = start[c]
        predicted[c] = start[c] + h * rates[c]
      }
      return
    }
    combine(formula.prediction, into: predicted)
    combine(formula.sum, into: constant)
  }
  private func combine(_ weights: SIMD8<Double>, into target: UnsafeMutablePointer<Double>) {
    combine(weights, count: formula.pointCount, into: target)
  }
  private func combine(_ weights: SIMD8<Double>, count: Int, into target: UnsafeMutablePointer<Double>) {
    let first = weights[0]
    var point = points[0]
    var c = 0
    while c < n {
      target[c] = first * point[c]
      c = c &+ 1
    }
    var i = 1
    while i < count {
      point = points[i]
      let weight = weights[i]
      c = 0
      while c < n {
        target[c] += weight * point[c]
        c = c &+ 1
      }
      i = i &+ 1
    }
  }

  /// Newton's method from the prediction on.
  /// - Returns: zero, infinity if it does not converge, or NaN.
  private func correct() -> Double {
    let coefficient = stepCell.pointee * formula.leading
    finish.update(from: predicted, count: n)
    guard prepareMatrix(coefficient) else { return .infinity }
    var last = Double.infinity
    let slowest = matrix.isCheap ? 0.1 : 0.3
    for iteration in 0..<Self.iterationLimit {
      functions.rate(end, finish, trial)
      for c in 0..<n { residual[c] = constant[c] + coefficient * trial[c] - finish[c] }
      matrix.solve(residual, stride: n)
      for c in 0..<n { finish[c] += relaxation * residual[c] }
      let size = relaxation * norm(residual)
      if size.isNaN { return .nan }
      if iteration > 0 {
        let ratio = size / last
        if ratio > 0.5, areRounding(residual, finish, trial, coefficient, count: n) { return 0 }
        if ratio > 2 { return .infinity }
        contraction = max(ratio, contraction.isFinite ? 0.3 * contraction : 0.02)
        if ratio > slowest { hasJacobian = false }
      }
      if size <= Self.newtonTolerance * 1e-3
        || (contraction < 1 && size * contraction / (1 - contraction) <= Self.newtonTolerance)
      {
        return 0
      }
      last = size
    }
    return .infinity
  }

  private func prepareMatrix(_ coefficient: Double) -> Bool {
    if !hasJacobian {
      setJacobian()
      hasJacobian = true
      isFresh = true
      factoredCoefficient = .nan
    }
    let ratio = coefficient / factoredCoefficient
    if ratio == 1 || (n >= Self.reuseSize && ratio > 0.75 && ratio < 1.35) {
      let next = 2 / (1 + ratio)
      if next != relaxation { contraction = .infinity }
      relaxation = next
      return true
    }
    relaxation = 1
    contraction = .infinity
    guard matrix.factor(jacobian, isShared: true, coefficient: { _, _ in coefficient }) else { return false }
    factoredCoefficient = coefficient
    return true
  }
  /// The Jacobian at the step's end, where the state is that in `finish`.
  private func setJacobian() { functions.setJacobian(end, finish, jacobian, unit: trial, none: none) }

  private func norm(_ values: UnsafePointer<Double>) -> Double { errors.norm(values, start, finish) }
  override func worstComponent() -> Int { errors.worst(residual, start) }

  // MARK: Order and step size

  private func lowerOrder() {
    isStarting = false
    stepsSinceChange = 0
    if failures >= 3 { order = 1 } else if failures == 2 { order = max(order - 1, 1) }
  }

  /// The factor for the step with which a formula would have an error just below the tolerances.
  private func factor(_ error: Double, order: Int, safety: Double) -> Double {
    1 / (safety * Double.power(max(error, 1e-12), 1 / Double(order + 1)))
  }
  /// The error that a formula of another order would have made in this step.
  private func otherError(order: Int) -> Double {
    let weights = BackwardDifferenceFormula.weights(formula.places, count: order + 1, at: 0).values
    combine(weights, count: order + 1, into: residual)
    for c in 0..<n { residual[c] = finish[c] - residual[c] }
    return BackwardDifferenceFormula.errorCoefficient(order: order) * norm(residual)
  }

  override var choosesFactors: Bool { true }
  override func stepFactor(error: Double, isAccepted: Bool) -> Double {
    let k = formula.order
    if !isAccepted {
      failures += 1
      lowerOrder()
      if failures > 1 { return 0.25 }
      var best = factor(error, order: k, safety: 1.2)
      if k > 1 {
        let lower = factor(otherError(order: k - 1), order: k - 1, safety: 1.3)
        if lower > best { (best, order) = (lower, k - 1) }
      }
      return min(max(best, 0.2), 0.9)
    }
    failures = 0
    stepsSinceChange += 1
    order = k
    guard isStarting || stepsSinceChange > k + 1 else { return 1 }
    var (best, next) = (factor(error, order: k, safety: 1.2), k)
    if k > 1 {
      let lower = factor(otherError(order: k - 1), order: k - 1, safety: 1.3)
      if lower > best {
        (best, next) = (lower, k - 1)
        isStarting = false
      }
    }
    if k < BackwardDifferenceFormula.maximumOrder && pointCount >= k + 2 {
      let upper = factor(otherError(order: k + 1), order: k + 1, safety: 1.4)
      if upper > best { (best, next) = (upper, k + 1) }
    }
    if best < Self.leastGrowth && best >= 0.9 { return 1 }
    order = next
    stepsSinceChange = 0
    return min(max(best, 0.5), k == 1 ? 10 : 2)
  }

  override func accept() {
    start.update(from: finish, count: n)
    let last = points.removeLast()
    last.update(from: finish, count: n)
    points.insert(last, at: 0)
    // The time of the latest point is that of the next step's start.
    for i in (1..<Self.pointLimit).reversed() { times[i] = times[i - 1] }
    pointCount = min(pointCount + 1, Self.pointLimit)
  }

  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    let weights = formula.interpolation(at: place)
    for c in 0..<n { target[c] = weights[0] * finish[c] }
    for i in 0..<formula.order {
      let (weight, point) = (weights[i + 1], points[i])
      for c in 0..<n { target[c] += weight * point[c] }
    }
  }

  // MARK: Recorded steps

  override func restore(_ record: StepRecord, row: Int) {
    let jump = record.jumps.last { $0.row <= row }
    let first = jump?.row ?? 0
    order = record.order(row)
    pointCount = min(row - first, order) + 1
    for i in 0..<pointCount {
      times[i] = record.times[row - i]
      points[i].update(from: record.states + (row - i) * n, count: n)
    }
    start.update(from: points[0], count: n)
    timeCell.pointee = record.times[row]
    stepCell.pointee = record.times[row + 1] - record.times[row]
    if record.jumps.contains(where: { $0.row == row + 1 }) {
      // What is recorded is the state after the jump.
      if pointCount == 1 { functions.rate(timeCell, start, rates) }
      hasJacobian = false
      // As it was made once; otherwise derivatives are not numbers, and not those of some other point.
      if !attempt().isFinite { finish.update(repeating: .nan, count: n) }
    } else {
      setFormula()
      finish.update(from: record.states + (row + 1) * n, count: n)
    }
  }

  /// The reverse sweep over all recorded steps.
  ///
  /// With ȳ the cotangent of a step's end, (I − h β J)ᵀ μ = ȳ gives a_i μ to the points before and h β (∂f/∂p)ᵀ μ to the parameters.
  func reverse(
    _ record: StepRecord, outputTimes: UnsafeBufferPointer<Double>, cotangents: UnsafePointer<Double>,
    events: EventFunctions?, into cotangent: UnsafeMutablePointer<Double>,
    parameters: UnsafeMutablePointer<Double>
  ) {
    // Cotangents of the rows that a step uses, each in the place of its number's remainder.
    let ring = Self.pointLimit + 2
    let rows = UnsafeMutablePointer<Double>.allocate(capacity: ring * n)
    rows.initialize(repeating: 0, count: ring * n)
    defer { rows.deallocate() }
    func row(_ number: Int) -> UnsafeMutablePointer<Double> { rows + number % ring * n }
    let direction = record.timeCount > 1 && record.times[1] < record.times[0] ? -1.0 : 1.0
    var output = outputTimes.count - 1
    var jump = record.jumps.count - 1
    for k in (0..<record.stepCount).reversed() {
      restore(record, row: k)
      let current = row(k + 1)
      if jump >= 0 && record.jumps[jump].row == k + 1 {
        events!.pullback(record.jumps[jump].event, record.times[k + 1], finish, current, parameters)
        jump -= 1
      }
      while output >= 0 && (outputTimes[output] - timeCell.pointee) * direction > 0 {
        let source = cotangents + output * n
        if outputTimes[output] == record.times[k + 1] {
          for c in 0..<n { current[c] += source[c] }
        } else {
          let weights = formula.interpolation(at: (outputTimes[output] - timeCell.pointee) / stepCell.pointee)
          for i in 0...formula.order {
            let target = row(k + 1 - i)
            for c in 0..<n { target[c] += weights[i] * source[c] }
          }
        }
        output -= 1
      }
      let coefficient = stepCell.pointee * formula.leading
      setJacobian()
      if matrix.factor(jacobian, isShared: true, coefficient: { _, _ in coefficient }) {
        matrix.solve(current, stride: n, transposed: true, isExact: true)
      } else {
        current.update(repeating: .nan, count: n)
      }
      for i in 0..<formula.pointCount {
        let (target, weight) = (row(k - i), formula.sum[i])
        for c in 0..<n { target[c] += weight * current[c] }
      }
      for c in 0..<n { current[c] *= coefficient }
      functions.pullback(end, finish, current, trial, parameters)
      current.update(repeating: 0, count: n)
    }
    hasJacobian = false
    factoredCoefficient = .nan
    cotangent.update(from: row(0), count: n)
    // Outputs at the initial time.
    while output >= 0 {
      for c in 0..<n { cotangent[c] += cotangents[output * n + c] }
      output -= 1
    }
  }
}
