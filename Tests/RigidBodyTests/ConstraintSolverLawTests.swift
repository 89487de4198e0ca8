import Lanes
import TestSupport
import Testing

@testable import RigidBody

@Suite struct ConstraintSolverLawTests {
  static func options(_ tolerance: Double = 1e-16) -> ConstraintSolverOptions {
    var options = ConstraintSolverOptions()
    options.tolerance = tolerance
    return options
  }

  /// At the solution the cost's gradient is zero and forces are in their cones, in every lane. 2560 systems, half of them
  /// with weights over twelve orders of magnitude.
  @Test(arguments: 0..<80, [false, true])
  func isOptimal(_ block: Int, _ isElliptic: Bool) {
    let spread = block % 2 == 0 ? 2.0 : 6.0
    let problems = (0..<16).map {
      ConstraintProblem.random(seed: UInt64(16 * block + $0), isElliptic: isElliptic, spread: spread)
    }
    for half in [problems[0..<8], problems[8..<16]] {
      let lanes = ConstraintLanes<SIMD8<Double>>(Array(half), options: Self.options())
      lanes.solve(factorsHessian: block % 4 == 0)
      for lane in 0..<8 { expectOptimal(lanes.outcome(lane), lanes.problems[lane], tolerance: 1e-9) }
    }
  }

  private func expectOptimal(_ outcome: ConstraintOutcome, _ problem: ConstraintProblem, tolerance: Double) {
    #expect(outcome.status == .converged)
    let gradient = problem.gradient(at: outcome.acceleration)
    let residual = gradient.value.map { $0 * $0 }.reduce(0, +).squareRoot() / gradient.size
    #expect(residual < tolerance, "\(residual) after \(outcome.iterations)")
    for (row, force) in zip(problem.rows, outcome.rowForces) {
      #expect(row.kind != .limit || force >= 0)
      #expect(row.kind != .friction || abs(force) <= row.limit * (1 + 1e-15))
    }
    for (contact, force) in zip(problem.contacts, outcome.contactForces) {
      #expect(force[0] >= 0)
      let ratios = (1..<max(1, contact.dimension)).map { abs(force[$0]) / contact.friction[$0] }
      let used = problem.isElliptic ? ratios.map { $0 * $0 }.reduce(0, +).squareRoot() : ratios.reduce(0, +)
      #expect(used <= force[0] * (1 + 1e-12))
    }
  }

  /// One lane type agrees with another, whatever is in the other lanes.
  @Test(arguments: 0..<20, [false, true])
  func laneTypesAgree(_ block: Int, _ isElliptic: Bool) {
    let problems = (0..<16).map {
      ConstraintProblem.random(seed: UInt64(900 + 16 * block + $0), isElliptic: isElliptic, spread: 1)
    }
    let eight = ConstraintLanes<SIMD8<Double>>(Array(problems[0..<8]), options: Self.options())
    eight.solve()
    let sixteen = ConstraintLanes<SIMD16<Float>>(problems, options: Self.options(1e-6))
    sixteen.solve()
    for lane in 0..<16 {
      let one = ConstraintLanes<Double>([problems[lane]], options: Self.options())
      one.solve()
      let expected = one.outcome()
      if lane < 8 {
        #expect(relativeDistance(eight.outcome(lane).acceleration, expected.acceleration) < 1e-11)
        #expect(relativeDistance(eight.outcome(lane).constraintForce, expected.constraintForce) < 1e-11)
      }
      let single = sixteen.outcome(lane)
      #expect(single.status == .converged)
      #expect(relativeDistance(single.acceleration, expected.acceleration) < 2e-4)
    }
  }

  /// The factor is that of the gradient's derivative: central differences of a gradient written independently.
  @Test(arguments: 0..<40, [false, true])
  func hessianIsTheGradientsDerivative(_ seed: Int, _ isElliptic: Bool) {
    let problem = ConstraintProblem.random(seed: UInt64(5000 + seed), isElliptic: isElliptic, spread: 1)
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let outcome = lanes.outcome()
    // A step that crosses no kink; of pyramids the difference is then exact but for rounding.
    let step = isElliptic ? 1e-6 : 1e-5
    guard outcome.kinkMargin > 1e-4 else { return }
    let n = problem.count
    var columns: [[Double]] = []
    for i in 0..<n {
      var (forward, backward) = (outcome.acceleration, outcome.acceleration)
      forward[i] += step
      backward[i] -= step
      let difference = zip(problem.gradient(at: forward).value, problem.gradient(at: backward).value)
      columns.append(difference.map { ($0 - $1) / (2 * step) })
    }
    var random = SeededRandom(seed: UInt64(seed))
    let x = random.uniform(-1, 1, count: n)
    let product = (0..<n).map { row in (0..<n).reduce(0) { $0 + columns[$1][row] * x[$1] } }
    #expect(relativeDistance(lanes.solveHessian(product), x) < (isElliptic ? 1e-5 : 1e-7))
    // Solving is accurate: H (H⁻¹ b) = b with the H that was factored.
    let b = product
    let again = lanes.solveHessian(b)
    lanes.solve()
    #expect(relativeDistance(lanes.solveHessian(b), again) < 1e-10)
  }

  /// No contact, no row: the smooth acceleration to the bit, and the factor of M.
  @Test func withoutRows() {
    var problem = ConstraintProblem.random(seed: 3, isElliptic: false)
    problem.rows = []
    problem.contacts = []
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let outcome = lanes.outcome()
    #expect(outcome.acceleration == problem.smoothAcceleration)
    #expect(outcome.constraintForce.allSatisfy { $0 == 0 })
    #expect(outcome.status == .converged && outcome.iterations == 0 && outcome.kinkMargin == 1)
    #expect(relativeDistance(lanes.solveHessian(problem.smoothForce), problem.smoothAcceleration) < 1e-12)
  }

  /// A world without contacts beside worlds with them.
  @Test func lanesWithoutRows() {
    var free = ConstraintProblem.random(seed: 8, isElliptic: true)
    free.rows = []
    free.contacts = []
    let busy = ConstraintProblem.random(seed: 9, isElliptic: true)
    let lanes = ConstraintLanes<SIMD8<Double>>([free, busy], options: Self.options())
    lanes.solve()
    for lane in stride(from: 0, to: 8, by: 2) {
      #expect(lanes.outcome(lane).acceleration == free.smoothAcceleration)
      #expect(lanes.outcome(lane).iterations == 0)
    }
    expectOptimal(lanes.outcome(1), busy, tolerance: 1e-12)
  }

  /// Two equalities that ask for different accelerations of one degree of freedom share the error by weight.
  @Test func inconsistentEqualities() {
    var problem = Self.oneMass(mass: 2, smooth: 1)
    for (reference, weight) in [(5.0, 1e4), (-3.0, 3e4)] {
      problem.rows.append(
        .init(support: [0], jacobian: [1], kind: .equality, reference: reference, weight: weight))
    }
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let expected = (2 * 1.0 + 1e4 * 5 - 3e4 * 3) / (2 + 4e4)
    #expect(abs(lanes.outcome().acceleration[0] - expected) < 1e-12)
    #expect(lanes.outcome().status == .converged)
  }

  static func oneMass(mass: Double, smooth: Double) -> ConstraintProblem {
    ConstraintProblem(
      parents: [-1], mass: [mass], smoothAcceleration: [smooth], smoothForce: [mass * smooth], warmStart: [0])
  }

  /// ½ m (a − s)² + ½ D min(a − r, 0)².
  @Test(arguments: [-9.81, 4])
  func massOnFloor(_ smooth: Double) {
    var problem = Self.oneMass(mass: 3, smooth: smooth)
    problem.contacts = [
      .init(
        dimension: 1, support: [0], jacobian: [1], reference: [0.5], weight: [50],
        friction: [1, 1, 1, 1, 1, 1])
    ]
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let expected = smooth < 0.5 ? (3 * smooth + 50 * 0.5) / 53 : smooth
    #expect(abs(lanes.outcome().acceleration[0] - expected) < 1e-13)
    #expect(abs(lanes.outcome().contactForces[0][0] - 3 * (expected - smooth)) < 1e-12)
  }

  /// A joint with dry friction F: held by −D y up to |D y| = F, dragged beyond.
  @Test(arguments: [0.2, 3.0, -3.0])
  func stickAndSlip(_ smooth: Double) {
    var problem = Self.oneMass(mass: 2, smooth: smooth)
    problem.rows = [.init(support: [0], jacobian: [1], kind: .friction, reference: 0, weight: 100, limit: 1)]
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let stuck = 2 * smooth / 102
    let expected = abs(100 * stuck) < 1 ? stuck : smooth - (smooth > 0 ? 0.5 : -0.5)
    #expect(abs(lanes.outcome().acceleration[0] - expected) < 1e-13)
    #expect(abs(lanes.outcome().rowForces[0] - 2 * (expected - smooth)) < 1e-12)
  }

  /// A block on a floor, pushed sideways: held, sliding with friction mu N, leaving the floor.
  @Test(arguments: [[0, -9.81], [2, -9.81], [30, -9.81], [1, 5]])
  func slidingBlock(_ smooth: [Double]) {
    let mu = 0.6
    var problem = ConstraintProblem(
      isElliptic: true, parents: [-1, 0, 1], mass: [4, 0, 0, 4, 0, 4],
      smoothAcceleration: [smooth[0], 0, smooth[1]], smoothForce: [4 * smooth[0], 0, 4 * smooth[1]],
      warmStart: [0, 0, 0])
    // Normal along the third axis; with regularisers R, R, R the problem is exact for a = a_smooth + f / m.
    problem.contacts = [
      .init(
        dimension: 3, support: [0, 1, 2], jacobian: [0, 0, 1, 1, 0, 0, 0, 1, 0], reference: [0, 0, 0],
        weight: [1e3, 1e3, 1e3], friction: [mu, mu, mu, 0, 0, 0])
    ]
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let outcome = lanes.outcome()
    let force = outcome.contactForces[0]
    for i in 0..<3 {
      let own = i == 2 ? force[0] : force[1 + i]
      #expect(abs(4 * (outcome.acceleration[i] - problem.smoothAcceleration[i]) - own) < 1e-11)
    }
    if smooth[1] > 0 {
      #expect(force == [0, 0, 0])
    } else if smooth[0] > 10 {
      #expect(abs(force[1] + mu * force[0]) < 1e-11 && force[0] > 0)
    } else {
      #expect(abs(force[0] - 1e3 / 1004 * 4 * 9.81) < 1e-10)
      #expect(abs(force[1] + 1e3 / 1004 * 4 * smooth[0]) < 1e-10)
    }
  }

  /// What is not finite in one lane is reported there, never leaves it, and does not touch the others.
  @Test(arguments: 0..<7, [Double.nan, .infinity])
  func notFinite(_ place: Int, _ value: Double) {
    let problems = (0..<8).map { ConstraintProblem.random(seed: UInt64(40 + $0), isElliptic: place % 2 == 0) }
    var spoiled = problems
    switch place {
    case 0: spoiled[3].smoothAcceleration[2] = value
    case 1: spoiled[3].smoothForce[4] = value
    case 2: spoiled[3].mass[5] = value
    case 3: spoiled[3].contacts[0].jacobian[0] = value
    case 4: spoiled[3].contacts[1].weight[0] = value
    case 5: spoiled[3].rows[0].reference = value
    default: spoiled[3].warmStart[1] = value
    }
    let clean = ConstraintLanes<SIMD8<Double>>(problems, options: Self.options())
    clean.solve()
    let lanes = ConstraintLanes<SIMD8<Double>>(spoiled, options: Self.options())
    lanes.solve()
    for lane in 0..<8 {
      let outcome = lanes.outcome(lane)
      let isSpoiled = lane == 3 && place < 6
      #expect(outcome.status == (isSpoiled ? .notFinite : .converged))
      let numbers =
        outcome.acceleration + outcome.constraintForce + outcome.rowForces
        + outcome.contactForces.flatMap { $0 }
        + [outcome.kinkMargin] + lanes.solveHessian([Double](repeating: 1, count: 12), lane: lane)
      #expect(numbers.allSatisfy { $0.isFinite })
      if lane != 3 {
        #expect(relativeDistance(outcome.acceleration, clean.outcome(lane).acceleration) < 1e-11)
      } else if isSpoiled {
        #expect(outcome.constraintForce.allSatisfy { $0 == 0 })
      }
    }
  }

  @Test func limitOfIterations() {
    var options = Self.options()
    options.iterationLimit = 1
    let problems = (0..<8).map { ConstraintProblem.random(seed: UInt64($0), isElliptic: true) }
    let lanes = ConstraintLanes<SIMD8<Double>>(problems, options: options)
    lanes.solve()
    for lane in 0..<8 {
      #expect(lanes.outcome(lane).status == .notConverged)
      #expect(lanes.outcome(lane).iterations == 1)
      #expect(lanes.outcome(lane).acceleration.allSatisfy { $0.isFinite })
    }
  }

  /// The margin goes to zero where a row changes its state, linearly.
  @Test(arguments: [1e-2, 1e-5, 1e-9])
  func kinkMargin(_ distance: Double) {
    var problem = Self.oneMass(mass: 1, smooth: 2 + distance)
    problem.rows = [.init(support: [0], jacobian: [1], kind: .limit, reference: 2, weight: 10)]
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    let margin = lanes.outcome().kinkMargin
    #expect(abs(margin - distance / (4 + distance)) < 1e-14)
  }

  /// Free bodies that do not touch are not coupled; those that touch are.
  @Test func sparsityOfAPile() {
    let parents = (0..<60).map { $0 % 6 == 0 ? -1 : $0 - 1 }
    var problem = ConstraintProblem.random(
      seed: 1, count: 60, isElliptic: false, contactCount: 0, parents: parents)
    problem.rows = []
    var random = SeededRandom(seed: 2)
    for body in [0, 3, 4] {
      let support = Array(6 * body..<6 * body + 12)
      problem.contacts.append(
        .init(
          dimension: 3, support: support, jacobian: random.uniform(-1, 1, count: 36), reference: [1, 0, 0],
          weight: [100, 0, 0, 0, 0, 0], friction: [1, 1, 1, 0, 0, 0]))
    }
    let lanes = ConstraintLanes<Double>([problem], options: Self.options())
    lanes.solve()
    expectOptimal(lanes.outcome(), problem, tolerance: 1e-12)
    let hessian = lanes.workspace.hessian
    var entries = 0
    for run in 0..<Int(hessian.runStart[60]) {
      entries += Int(hessian.runs[run].end - hessian.runs[run].start)
    }
    #expect(entries == 10 * 15 + 3 * 36)
  }
}
