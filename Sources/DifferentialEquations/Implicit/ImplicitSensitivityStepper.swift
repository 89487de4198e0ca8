import Autodiff
import Lanes

/// An implicit Runge–Kutta method at work on a state and its derivatives along several directions.
///
/// A step of the state is made by itself; then the stages of the derivatives, whose equations are linear, are solved with the Jacobians at
/// the stages of the state: one factorisation serves all directions, eight of which share a lane group. These are the exact derivatives of the
/// state's stages. For small systems.
///
/// The state of this stepper is that of the equation, followed by the groups of derivatives.
final class ImplicitSensitivityStepper: Stepper {
  typealias Group = SIMD8<Double>
  private let base: ImplicitStepper
  private let tableau: ImplicitTableau
  private let layout: SensitivityLayout
  private let errors: ErrorScale
  private let n: Int
  private let stageCount: Int
  private let groupCount: Int
  private let memory: StepMemory
  private let start: UnsafeMutablePointer<Double>
  private let finish: UnsafeMutablePointer<Double>
  private let startRates: UnsafeMutablePointer<Double>
  /// ∂f/∂y and ∂f/∂p of the stages, rows of n + p numbers.
  private let derivatives: UnsafeMutablePointer<Double>
  private let matrix: DenseMatrix
  private let filterMatrix: DenseMatrix?
  private let lanes: Lanes
  private let program: ResidentProgram<Double>
  private let stageTime: UnsafeMutablePointer<Double>

  /// Arrays of lanes.
  private final class Lanes {
    /// Rates of the stages, `[groups][stages][n]`; the right-hand sides of a block; a sum; what the parameters' directions add.
    let rates: UnsafeMutablePointer<Group>
    let residual: UnsafeMutablePointer<Group>
    let sum: UnsafeMutablePointer<Group>
    let directions: UnsafeMutablePointer<Group>
    private let memory: LaneMemory
    init(rates: Int, residual: Int, sum: Int, directions: Int) {
      memory = LaneMemory(rates + residual + sum + directions)
      (self.rates, self.residual) = (memory.take(rates), memory.take(residual))
      (self.sum, self.directions) = (memory.take(sum), memory.take(directions))
    }
  }

  /// Systems of more components than this are solved as a whole, with factors that serve several stages and steps.
  static let largestSize = 16

  /// - Parameters:
  ///   - functions: of the equation.
  ///   - source: time, state and parameters to ∂f/∂y and ∂f/∂p, in rows of both.
  ///   - tolerances: of a state.
  init(
    _ tableau: ImplicitTableau, _ functions: RateFunctions<Double>, _ source: ResidentSource,
    _ layout: SensitivityLayout, relativeTolerance: Double, tolerances: [Double]
  ) {
    self.tableau = tableau
    self.layout = layout
    base = ImplicitStepper(
      tableau, functions, relativeTolerance: relativeTolerance, absoluteTolerances: tolerances)
    errors = ErrorScale(relativeTolerance: relativeTolerance, tolerances: tolerances)
    let (n, stages, groups) = (layout.stateCount, tableau.table.stageCount, layout.groupCount)
    (self.n, stageCount, groupCount) = (n, stages, groups)
    let count = tableau.blocks[0].count
    let memory = StepMemory(1 + 3 * layout.count + stages * n * layout.columnCount)
    self.memory = memory
    // Lanes first: they are aligned there.
    start = memory.take(layout.count)
    finish = memory.take(layout.count)
    startRates = memory.take(layout.count)
    derivatives = memory.take(stages * n * layout.columnCount)
    stageTime = memory.take(1)
    matrix = DenseMatrix(size: n * count)
    filterMatrix = count > 1 ? DenseMatrix(size: n) : nil
    let lanes = Lanes(
      rates: groups * stages * n, residual: count * n, sum: n, directions: groups * layout.parameterCount)
    self.lanes = lanes
    for g in 0..<groups {
      for k in 0..<layout.parameterCount {
        lanes.directions[g * layout.parameterCount + k] = layout.directions(group: g, parameter: k)
      }
    }
    let startRates = startRates
    let program = ResidentProgram<Double>(source, width: 1, isFixed: [false, false, true], inPlace: [nil])
    self.program = program
    super.init(
      RateFunctions<Double>(
        stateCount: layout.count, parameterCount: layout.parameterCount, width: 1,
        bind: {
          functions.bind($0)
          program.inputs[2] = $0
          program.load()
        },
        // Only the estimate of the first step asks for it: the state's scale in time is that of the derivatives.
        rate: { time, state, result in
          result.update(from: startRates, count: layout.count)
          functions.rate(time, state, result)
        },
        pullback: { _, _, _, _, _ in preconditionFailure("sensitivities are not differentiated") },
        failure: { functions.failure() ?? program.failure }))
  }

  override var errorExponent: Int { base.errorExponent }
  override var prefersEqualSteps: Bool { true }
  override var landsOnOutputs: Bool { base.landsOnOutputs }
  override var time: UnsafeMutablePointer<Double> { base.time }
  override var step: UnsafeMutablePointer<Double> { base.step }
  override var state: UnsafeMutablePointer<Double> { start }
  override var result: UnsafeMutablePointer<Double> { finish }
  override var startRate: UnsafeMutablePointer<Double> { startRates }

  private func group(_ array: UnsafeMutablePointer<Double>, _ g: Int) -> UnsafeMutablePointer<Group> {
    UnsafeMutableRawPointer(array + layout.place(group: g, component: 0)).assumingMemoryBound(to: Group.self)
  }
  private func rates(_ g: Int, _ stage: Int) -> UnsafeMutablePointer<Group> {
    lanes.rates + (g * stageCount + stage) * n
  }
  private func differentiate(_ stage: Int, _ time: Double, _ state: UnsafePointer<Double>) {
    stageTime.pointee = time
    program.inputs[0] = UnsafePointer(stageTime)
    program.inputs[1] = state
    program.outputs[0] = derivatives + stage * n * layout.columnCount
    program.runSingle()
  }
  /// ∂f/∂y s + ∂f/∂p ṗ at a stage.
  private func multiply(
    _ stage: Int, _ g: Int, _ vector: UnsafePointer<Group>, into target: UnsafeMutablePointer<Group>
  ) {
    let (width, p) = (layout.columnCount, layout.parameterCount)
    let directions = lanes.directions + g * p
    for i in 0..<n {
      let row = derivatives + (stage * n + i) * width
      var sum = Group()
      for k in 0..<n { sum = Group.multiplyAdd(vector[k], Group(repeating: row[k]), sum) }
      for k in 0..<p { sum = Group.multiplyAdd(directions[k], Group(repeating: row[n + k]), sum) }
      target[i] = sum
    }
  }
  /// start + h Σ weights · rates.
  private func combine(
    _ weights: [Double], count: Int, _ g: Int, onto base: UnsafePointer<Group>?,
    into target: UnsafeMutablePointer<Group>
  ) {
    let h = step.pointee
    for c in 0..<n { target[c] = base?[c] ?? Group() }
    for j in 0..<count where weights[j] != 0 {
      let (weight, rate) = (Group(repeating: h * weights[j]), rates(g, j))
      for c in 0..<n { target[c] = Group.multiplyAdd(rate[c], weight, target[c]) }
    }
  }

  override func begin() {
    base.state.update(from: start, count: n)
    base.begin()
    startRates.update(from: base.startRate, count: n)
    differentiate(0, time.pointee, base.state)
    for g in 0..<groupCount {
      multiply(0, g, group(start, g), into: rates(g, 0))
      group(startRates, g).update(from: rates(g, 0), count: n)
    }
  }

  override func attempt() -> Double {
    let error = base.attempt()
    guard error.isFinite else { return error }
    let (h, a, c) = (step.pointee, tableau.table.a, tableau.table.c)
    for block in tableau.blocks {
      for i in block { differentiate(i, time.pointee + c[i] * h, base.stageStates + i * n) }
      guard setMatrix(block, h) else { return .infinity }
      let first = block.lowerBound
      for g in 0..<groupCount {
        for i in block {
          combine(a[i], count: first, g, onto: group(start, g), into: lanes.sum)
          multiply(i, g, lanes.sum, into: lanes.residual + (i - first) * n)
        }
        matrix.solve(lanes.residual)
        rates(g, first).update(from: lanes.residual, count: block.count * n)
      }
    }
    if let filterMatrix {
      set(filterMatrix, 0, 0, stage: stageCount - 1, factor: h * tableau.filter, isDiagonal: true)
      guard filterMatrix.factor() else { return .infinity }
    }
    finish.update(from: base.result, count: n)
    var sum = Group()
    for g in 0..<groupCount {
      let (from, to) = (group(start, g), group(finish, g))
      combine(a[stageCount - 1], count: stageCount, g, onto: from, into: to)
      combine(tableau.table.error, count: tableau.table.error.count, g, onto: nil, into: lanes.sum)
      (filterMatrix ?? matrix).solve(lanes.sum)
      for c in 0..<n {
        let scale =
          Group.maximum(from[c].magnitude, to[c].magnitude) * errors.relativeTolerance + errors.tolerances[c]
        let ratio = (lanes.sum[c] / scale).replacing(with: 0, where: .!layout.isUsed(group: g))
        sum = Group.multiplyAdd(ratio, ratio, sum)
      }
    }
    guard areFinite(UnsafePointer(finish), count: layout.count) else { return .nan }
    return max(error, (sum.sum() / Double(n * layout.directionCount)).squareRoot())
  }

  /// δ_ij − h a_ij ∂f/∂y at the stages of a block, factored.
  private func setMatrix(_ block: Range<Int>, _ h: Double) -> Bool {
    let first = block.lowerBound
    for i in block {
      for j in block {
        set(
          matrix, (i - first) * n, (j - first) * n, stage: i, factor: h * tableau.table.a[i][j],
          isDiagonal: i == j)
      }
    }
    return matrix.factor()
  }
  private func set(
    _ matrix: DenseMatrix, _ row: Int, _ column: Int, stage: Int, factor: Double, isDiagonal: Bool
  ) {
    for r in 0..<n {
      let target = matrix.values + (row + r) * matrix.size + column
      let source = derivatives + (stage * n + r) * layout.columnCount
      for k in 0..<n { target[k] = -factor * source[k] }
      if isDiagonal { target[r] += 1 }
    }
  }

  override func component(at place: Int) -> Int { layout.component(at: place) }
  override func worstComponent() -> Int { base.worstComponent() }
  override func accept() {
    base.accept()
    start.update(from: finish, count: layout.count)
    startRates.update(from: base.startRate, count: n)
    for g in 0..<groupCount {
      rates(g, 0).update(from: rates(g, stageCount - 1), count: n)
      group(startRates, g).update(from: rates(g, 0), count: n)
    }
  }
  override func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    base.output(at: place, into: target)
    let weights = tableau.table.weights(at: place)
    for g in 0..<groupCount {
      combine(weights, count: stageCount, g, onto: group(start, g), into: group(target, g))
    }
  }
}
