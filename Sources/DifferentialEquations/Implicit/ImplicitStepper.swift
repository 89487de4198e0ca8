import Lanes

/// An implicit Runge–Kutta method at work on one trajectory.
///
/// The equations of a block of stages, `Y_i = ψ_i + h Σ_j a_ij f(Y_j)`, are solved by Newton's method with the Jacobian at the step's
/// start (or an earlier one, while that converges fast), to a small part of the tolerances.
final class ImplicitStepper: Stepper {
  let tableau: ImplicitTableau
  private let errors: ErrorScale
  let n: Int
  let stageCount: Int
  private let memory: StepMemory
  /// One Jacobian, or those of all stages of a block in the reverse sweep.
  let jacobian: UnsafeMutablePointer<Double>
  let blockMatrix: StageMatrix
  private let filterMatrix: StageMatrix?
  /// Inverses of the blocks of coefficients, for the rates of solved stages.
  private let inverses: [[Double]]
  /// The first guess of a stage's rate: these times the rates of stages before its block.
  private let guesses: [[Double]]
  /// The state of the matrices: the step that the factored ones belong to, and whether the Jacobian is that of this step's start.
  var factoredStep = Double.nan
  /// What Newton's corrections are multiplied with where the factors are those of another step size.
  private var relaxation = 1.0
  var hasJacobian = false
  private var isFresh = false
  private var convergesFast = false
  /// Scratch parameters for Jacobians from pullbacks.
  let none: UnsafeMutablePointer<Double>

  private static let iterationLimit = 15
  /// Factors of systems of at least this size serve step sizes nearby too.
  private static let reuseSize = 24
  /// In the reverse sweep of systems of at least this size, refinement takes less time than another factorisation.
  static let refinementSize = 256
  /// Newton's corrections end below this part of the tolerances.
  private static let newtonTolerance = 1e-4

  let timeCell: UnsafeMutablePointer<Double>
  let stepCell: UnsafeMutablePointer<Double>
  let stageTime: UnsafeMutablePointer<Double>
  let start: UnsafeMutablePointer<Double>
  let stageStates: UnsafeMutablePointer<Double>
  private let rates: UnsafeMutablePointer<Double>
  let constant: UnsafeMutablePointer<Double>
  let residual: UnsafeMutablePointer<Double>
  let trial: UnsafeMutablePointer<Double>
  let stateCotangents: UnsafeMutablePointer<Double>
  let rateCotangents: UnsafeMutablePointer<Double>
  let outputCotangents: UnsafeMutablePointer<Double>

  init(
    _ tableau: ImplicitTableau, _ functions: RateFunctions<Double>, relativeTolerance: Double,
    absoluteTolerances: [Double]
  ) {
    self.tableau = tableau
    errors = ErrorScale(relativeTolerance: relativeTolerance, tolerances: absoluteTolerances)
    n = functions.stateCount
    let n = functions.stateCount
    let stages = tableau.table.stageCount
    stageCount = stages
    let memory = StepMemory(3 + n + 8 * stages * n)
    self.memory = memory
    let take = memory.take
    timeCell = take(1)
    stepCell = take(1)
    stageTime = take(1)
    start = take(n)
    stageStates = take(stages * n)
    rates = take(stages * n)
    constant = take(stages * n)
    residual = take(stages * n)
    trial = take(stages * n)
    stateCotangents = take(stages * n)
    rateCotangents = take(stages * n)
    outputCotangents = take(stages * n)
    let blockCount = tableau.blocks[0].count
    let pattern = functions.jacobian == nil ? nil : functions.jacobianPattern
    let blocks = functions.jacobianBlocks ?? JacobianBlocks(size: n)
    blockMatrix = StageMatrix(blocks, stages: blockCount, pattern: pattern)
    filterMatrix = blockCount > 1 ? StageMatrix(blocks, stages: 1, pattern: pattern) : nil
    jacobian = .allocate(capacity: max(blockCount * blockMatrix.entryCount, 1))
    none = .allocate(capacity: max(functions.parameterCount, 1))
    none.initialize(repeating: 0, count: max(functions.parameterCount, 1))
    inverses = tableau.blocks.map { block in
      let inverse = DenseMatrix(size: block.count)
      var result = [Double](repeating: 0, count: block.count * block.count)
      for (i, row) in block.enumerated() {
        for (j, column) in block.enumerated() {
          inverse.values[i * block.count + j] = tableau.table.a[row][column]
        }
      }
      _ = inverse.factor()
      for column in 0..<block.count {
        var unit = [Double](repeating: 0, count: block.count)
        unit[column] = 1
        inverse.solve(&unit)
        for row in 0..<block.count { result[row * block.count + column] = unit[row] }
      }
      return result
    }
    guesses = Self.guesses(tableau)
    super.init(functions)
  }
  deinit {
    jacobian.deallocate()
    none.deallocate()
  }

  /// The polynomial through the rates of the last stages before a block that belong to different times.
  private static func guesses(_ tableau: ImplicitTableau) -> [[Double]] {
    let c = tableau.table.c
    var result = [[Double]](repeating: [], count: tableau.table.stageCount)
    for block in tableau.blocks {
      var nodes: [Int] = []
      for j in (0..<block.lowerBound).reversed() where nodes.count < 2 {
        if nodes.allSatisfy({ (c[$0] - c[j]).magnitude > 0.05 }) { nodes.append(j) }
      }
      for i in block {
        result[i] = [Double](repeating: 0, count: block.lowerBound)
        for j in nodes {
          result[i][j] = nodes.reduce(1) { $1 == j ? $0 : $0 * (c[i] - c[$1]) / (c[j] - c[$1]) }
        }
      }
    }
    return result
  }

  override var errorExponent: Int { min(tableau.table.order, tableau.table.embeddedOrder) + 1 }
  override var prefersEqualSteps: Bool { true }
  override var landsOnOutputs: Bool { tableau.landsOnOutputs }
  override var time: UnsafeMutablePointer<Double> { timeCell }
  override var step: UnsafeMutablePointer<Double> { stepCell }
  override var state: UnsafeMutablePointer<Double> { start }
  override var result: UnsafeMutablePointer<Double> { stageStates + (stageCount - 1) * n }
  override var startRate: UnsafeMutablePointer<Double> { rates }

  // MARK: Forward

  override func begin() {
    functions.rate(timeCell, start, rates)
    hasJacobian = false
    factoredStep = .nan
  }

  func setJacobian(
    _ time: Double, _ state: UnsafePointer<Double>, _ matrix: UnsafeMutablePointer<Double>
  ) {
    stageTime.pointee = time
    functions.setJacobian(stageTime, state, matrix, unit: trial, none: none)
  }

  private func prepareMatrices() -> Bool {
    let h = stepCell.pointee
    if !hasJacobian {
      setJacobian(timeCell.pointee, start, jacobian)
      hasJacobian = true
      isFresh = true
      factoredStep = .nan
    }
    let ratio = h / factoredStep
    if ratio == 1 || (n >= Self.reuseSize && ratio > 0.75 && ratio < 1.35) {
      // The mean of what is right for the parts that decay fast and those that do not.
      relaxation = 2 / (1 + ratio)
      return true
    }
    relaxation = 1
    // All blocks of diagonal methods have the same coefficient.
    let first = tableau.blocks[0].lowerBound
    let a = tableau.table.a
    guard blockMatrix.factor(jacobian, isShared: true, coefficient: { h * a[first + $0][first + $1] }) else {
      return false
    }
    if let filterMatrix {
      let gamma = h * tableau.filter
      guard filterMatrix.factor(jacobian, isShared: true, coefficient: { _, _ in gamma }) else {
        return false
      }
    }
    factoredStep = h
    return true
  }

  override func attempt() -> Double {
    let error = attemptOnce()
    if error.isFinite || (isFresh && relaxation == 1) { return error }
    // The Jacobian or its factors are old ones: once more with those of this step.
    hasJacobian = false
    return attemptOnce()
  }

  private func attemptOnce() -> Double {
    let h = stepCell.pointee
    guard prepareMatrices() else { return .infinity }
    stageStates.update(from: start, count: n)
    convergesFast = true
    for (index, block) in tableau.blocks.enumerated() {
      let error = solve(block, inverses[index], h)
      if error != 0 { return error }
    }
    guard areFinite(UnsafePointer(result), count: n) else { return .nan }
    // The estimate, divided by the matrix.
    for c in 0..<n {
      var sum = 0.0
      for (j, weight) in tableau.table.error.enumerated() { sum += weight * rates[j * n + c] }
      residual[c] = h * sum
    }
    (filterMatrix ?? blockMatrix).solve(residual, stride: n)
    return norm(residual, result)
  }

  /// Newton's method for the stages of a block.
  /// - Returns: zero, infinity if it does not converge, or NaN.
  private func solve(_ block: Range<Int>, _ inverse: [Double], _ h: Double) -> Double {
    let count = block.count
    let first = block.lowerBound
    for i in block {
      let row = tableau.table.a[i]
      let guess = guesses[i]
      var own = 0.0
      for j in block { own += row[j] }
      for c in 0..<n {
        var (sum, rate) = (0.0, 0.0)
        for j in 0..<first {
          sum += row[j] * rates[j * n + c]
          rate += guess[j] * rates[j * n + c]
        }
        constant[i * n + c] = start[c] + h * sum
        stageStates[i * n + c] = constant[i * n + c] + h * own * rate
      }
    }
    // Slower than this, a new Jacobian pays.
    let slowest = blockMatrix.isCheap ? 0.1 : n < Self.refinementSize ? 0.3 : 0.5
    var last = Double.infinity
    for iteration in 0..<Self.iterationLimit {
      for i in block {
        stageTime.pointee = timeCell.pointee + tableau.table.c[i] * h
        functions.rate(stageTime, stageStates + i * n, rates + i * n)
      }
      for i in block {
        for c in 0..<n {
          var sum = constant[i * n + c] - stageStates[i * n + c]
          for j in block { sum += h * tableau.table.a[i][j] * rates[j * n + c] }
          residual[(i - first) * n + c] = sum
        }
      }
      blockMatrix.solve(residual, stride: n)
      var size = 0.0
      for i in block {
        for c in 0..<n { stageStates[i * n + c] += relaxation * residual[(i - first) * n + c] }
        size = max(size, relaxation * norm(residual + (i - first) * n, start))
      }
      if size.isNaN { return .nan }
      let ratio = size / last
      if iteration > 0 && ratio > slowest { convergesFast = false }
      if size <= Self.newtonTolerance * 1e-3
        || (iteration > 0 && ratio < 1 && size * ratio / (1 - ratio) <= Self.newtonTolerance)
        || (iteration > 0 && ratio > 0.5
          && block.allSatisfy {
            areRounding(residual + ($0 - first) * n, stageStates + $0 * n, rates + $0 * n, h, count: n)
          })
      {
        // Rates that fulfil the stages' equations: k = A⁻¹ (Y − ψ) / h.
        for i in 0..<count {
          for c in 0..<n {
            var sum = 0.0
            for j in 0..<count {
              sum +=
                inverse[i * count + j] * (stageStates[(first + j) * n + c] - constant[(first + j) * n + c])
            }
            rates[(first + i) * n + c] = sum / h
          }
        }
        return 0
      }
      if iteration > 0 && ratio > 2 { return .infinity }
      last = size
    }
    return .infinity
  }

  private func norm(_ values: UnsafePointer<Double>, _ other: UnsafePointer<Double>) -> Double {
    errors.norm(values, start, other)
  }
  override func worstComponent() -> Int { errors.worst(residual, start) }

  override func accept() {
    start.update(from: result, count: n)
    rates.update(from: rates + (stageCount - 1) * n, count: n)
    isFresh = false
    if !convergesFast { hasJacobian = false }
  }

  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    let weights = tableau.table.weights(at: place)
    for c in 0..<n {
      var sum = 0.0
      for j in 0..<stageCount { sum += weights[j] * rates[j * n + c] }
      target[c] = start[c] + stepCell.pointee * sum
    }
  }

  override var stageRateCount: Int { stageCount }
  override var outputDegree: Int { tableau.table.interpolation[0].count }
  override func setOutputCoefficients(_ target: UnsafeMutablePointer<Double>) {
    tableau.table.setOutputCoefficients(
      UnsafePointer(rates), step: stepCell.pointee, stateCount: n, target)
  }
  override func restore(_ record: StepRecord, row: Int) {
    guard let known = record.stages(ofStep: row) else { return super.restore(record, row: row) }
    restoreStart(record, row: row)
    rates.update(from: known, count: stageCount * n)
  }

  // MARK: Reverse

  override func replay(all: Bool) {
    // The matrices of the step replayed before, the next one in time, do well for this one too.
    functions.rate(timeCell, start, rates)
    isFresh = false
    if !convergesFast { hasJacobian = false }
    // As it was made once; otherwise derivatives are not numbers, and not those of some other point.
    if !attempt().isFinite {
      stageStates.update(repeating: .nan, count: stageCount * n)
      rates.update(repeating: .nan, count: stageCount * n)
    }
  }
  override func clearOutputs() { outputCotangents.update(repeating: 0, count: stageCount * n) }
  override func addOutput(
    _ cotangent: UnsafePointer<Double>, at place: Double, to stateCotangent: UnsafeMutablePointer<Double>
  ) {
    let weights = tableau.table.weights(at: place)
    for c in 0..<n {
      for j in 0..<stageCount {
        outputCotangents[j * n + c] += stepCell.pointee * weights[j] * cotangent[c]
      }
      stateCotangent[c] += cotangent[c]
    }
  }
  override func reverse(
    _ cotangent: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>,
    outputs: UnsafeMutablePointer<Double>?
  ) { reverseStages(cotangent, parameters: parameters, outputs: outputs) }
}
