import Autodiff
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@testable import DifferentialEquations

@Suite struct MultistepTests {
  // y' = -2 (y - cos t), from points of the solution itself, with steps that are equal or alternate: the errors fall with the order.
  @Test(arguments: 1...5, [1.0, 1.4]) func orderOfFormula(_ order: Int, _ ratio: Double) {
    func solution(_ t: Double) -> Double { 0.8 * cos(t) + 0.4 * sin(t) + exp(-2 * t) }
    func error(_ count: Int) -> Double {
      var times: [Double] = [0]
      let mean = 2 / (Double(count) * (1 + ratio))
      for k in 0..<2 * count { times.append(times[k] + mean * (k % 2 == 0 ? 1 : ratio) * 0.5) }
      var values = times.prefix(order + 1).map(solution)
      for k in order + 1..<times.count {
        var points = SIMD8<Double>()
        for i in 0...order { points[i] = times[k - 1 - i] }
        let formula = BackwardDifferenceFormula(
          order: order, times: points, count: order + 1, end: times[k])
        #expect(formula.order == order)
        let sum = (0..<formula.pointCount).reduce(0) { $0 + formula.sum[$1] * values[k - 1 - $1] }
        let g = (times[k] - times[k - 1]) * formula.leading
        values.append((sum + 2 * g * cos(times[k])) / (1 + 2 * g))
      }
      return abs(values.last! - solution(times.last!))
    }
    let count = order >= 4 ? 16 : 64
    let errors = [count, 2 * count, 4 * count].map(error)
    let rate = log2(errors[0] / errors[2]) / 2
    #expect(rate > Double(order) - 0.4 && rate < Double(order) + 0.9, "\(rate) \(errors)")
  }

  // What the formula leaves of y = t^(k + 1), for points on it with equal steps, in units of the difference from the prediction.
  @Test(arguments: 1...5) func errorCoefficients(_ order: Int) {
    var points = SIMD8<Double>()
    for i in 0...order { points[i] = -Double(i) - 1 }
    let formula = BackwardDifferenceFormula(order: order, times: points, count: order + 1, end: 0)
    func applied(_ weights: SIMD8<Double>) -> Double {
      (0...order).reduce(0) { $0 + weights[$1] * Foundation.pow(points[$1], Double(order + 1)) }
    }
    // At the end y and y' are zero.
    let (rest, difference) = (applied(formula.sum) / formula.leading, applied(formula.prediction))
    #expect(abs(rest / difference).distance(to: formula.errorCoefficient).magnitude < 1e-12)
    #expect(
      abs(formula.errorCoefficient - BackwardDifferenceFormula.errorCoefficient(order: order)) < 1e-12)
  }

  static let options = SolverOptions(
    method: .backwardDifferentiation, relativeTolerance: 1e-11, absoluteTolerance: 1e-12)

  // Derivatives of the steps taken: forward and reverse mode agree, second derivatives too; the differences see those of the exact
  // solution, to the tolerances.
  @Test func laws() throws {
    let equation = GradientTests.oscillator(.backwardDifferentiation)
    let f = { (x: [Tensor]) in
      try equation.solve(
        from: x[0], parameters: x[1], startTime: x[2], times: x[3], options: Self.options)
    }
    var laws = GradientLaws()
    laws.identityTolerance = 1e-9
    laws.tolerance = 1e-6
    #expect(try laws.violations(of: f, at: GradientTests.point + [0.1, [0.13, 0.5, 0.9, 1.4]]) == [])
  }

  // Errors of solution and gradient follow the tolerance.
  @Test func accuracy() throws {
    let equation = GradientTests.oscillator(.backwardDifferentiation)
    func solve(_ options: SolverOptions) throws -> (value: [Double], gradient: [Double]) {
      let f = { (x: [Tensor]) in
        try equation.solve(from: x[0], parameters: x[1], endTime: 4, options: options)
      }
      let (value, pullback) = try vjp(f, at: GradientTests.point)
      return (value.values, try pullback([1.0, -0.5]).flatMap(\.values))
    }
    let exact = try solve(
      SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-13, absoluteTolerance: 1e-14))
    func distance(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).map { abs($0 - $1) }.max()! }
    var last = Double.infinity
    for exponent in [4, 6, 8, 10] {
      let tolerance = Foundation.pow(10, -Double(exponent))
      let found = try solve(
        SolverOptions(
          method: .backwardDifferentiation, relativeTolerance: tolerance, absoluteTolerance: tolerance))
      let errors = [distance(found.value, exact.value), distance(found.gradient, exact.gradient)]
      #expect(errors.max()! < 2e2 * tolerance && errors.max()! < 0.2 * last, "\(tolerance) \(errors)")
      last = errors.max()!
    }
  }

  // Where the solution is smooth, high orders take few steps; a long quiet time takes hardly any.
  @Test func steps() throws {
    let reference = try #require(ReferenceSolutions.all.stiff["Robertson"])
    let options = SolverOptions(
      method: .backwardDifferentiation, relativeTolerance: 1e-6, absoluteTolerance: 1e-10)
    let solution = try ProblemTests.equation(StiffProblems.rate("Robertson")).trajectory(
      from: Tensor(reference.initial!), parameters: [0.0], times: [1, 1e11], options: options)
    #expect(solution.statistics[0].acceptedSteps < 750)
    let record = try #require(solution.steps?.records[0])
    #expect((0..<record.stepCount).map { record.order($0) }.max()! >= 4)
    // The continuous extension agrees with the output between steps.
    let between = try solution.state(at: 1)
    #expect(zip(between, solution.state(time: 0)).allSatisfy { abs($0 - $1) <= 1e-15 })
  }

  // The same backwards in time, with the gradient of both ways together: the identity.
  @Test func backwardInTime() throws {
    let equation = GradientTests.oscillator(.backwardDifferentiation)
    let parameters = GradientTests.point[1]
    let f = { (y: Tensor) throws -> Tensor in
      let there = try equation.solve(
        from: y, parameters: parameters, endTime: 2, options: Self.options)
      return try equation.solve(
        from: there, parameters: parameters, startTime: 2, times: [1.3, 0], options: Self.options)[1]
    }
    let (value, pullback) = try vjp(f, at: GradientTests.point[0])
    #expect(abs(value - GradientTests.point[0]).values.max()! < 1e-8)
    #expect(abs(try pullback([0.7, -0.4]) - Tensor([0.7, -0.4])).values.max()! < 1e-7)
  }

  // The continuous extension between bounces, where the steps that end at them are made again.
  @Test func events() throws {
    let solution = try EventTests.ball.trajectory(
      from: [1.3, 0.4], parameters: [9.81, 0.8], times: [2.0],
      options: SolverOptions(
        method: .backwardDifferentiation, relativeTolerance: 1e-9, absoluteTolerance: 1e-10))
    #expect(solution.events[0].map(\.index) == [0, 0])
    for time in stride(from: 0.0, through: 2, by: 0.05) + [solution.events[0][0].time - 1e-9] {
      let expected = EventTests.exact(1.3, 0.4, 9.81, 0.8, time).y
      #expect(zip(try solution.state(at: time), expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    let record = try #require(solution.steps?.records[0])
    #expect(record.jumps.count == 2 && record.jumps.allSatisfy { record.order($0.row) == 1 })
  }

  // A batch, one trajectory after the other.
  @Test func batch() throws {
    let f = { (x: [Tensor]) throws -> [Tensor] in
      let end = { (x: [Tensor]) in
        try lorenz.solve(from: x[0], parameters: x[1], times: [0.05, 0.4], options: Self.options)
      }
      let (value, pullback) = try vjp(end, at: x)
      return [value] + (try pullback(Tensor.ones(value.shape)))
    }
    var random = SeededRandom(seed: 3)
    let states = Tensor(random.uniform(-2, 2, count: 15), shape: [5, 3])
    let both = try vmap(f, inputAxes: [0, nil])([states, [10.0, 28.0, 2.5]])
    for k in 0..<5 {
      for (a, b) in zip(both, try f([states[k], [10.0, 28.0, 2.5]])) {
        #expect(abs(a[k] - b).values.max()! <= 1e-12 * abs(b).values.max()!)
      }
    }
  }
}

@Suite struct StageMatrixTests {
  /// 1 - c times the five-point Laplacian with a skew part.
  static func matrix(_ side: Int, _ c: Double) -> (SparsityPattern, [Double]) {
    var entries: [(row: Int, column: Int, value: Double)] = []
    for i in 0..<side {
      for j in 0..<side {
        let row = i * side + j
        entries.append((row, row, -4))
        for (a, b, skew) in [(1, 0, 0.2), (-1, 0, -0.2), (0, 1, 0.1), (0, -1, -0.1)]
        where (0..<side).contains(i + a) && (0..<side).contains(j + b) {
          entries.append((row, (i + a) * side + j + b, 1 + skew))
        }
      }
    }
    let matrix = try! CompressedMatrix(rowCount: side * side, columnCount: side * side, entries: entries)
    return (matrix.pattern, matrix.values)
  }

  // Iterations where the steps are short, a decomposition where they would take too long; exact if asked for.
  @Test(arguments: [0.1, 10, 1e5, -10], [10, 30]) func solves(_ c: Double, _ side: Int) throws {
    let (pattern, jacobian) = Self.matrix(side, c)
    let n = side * side
    let matrix = StageMatrix(JacobianBlocks(size: n), stages: 1, pattern: pattern)
    #expect(matrix.factor(jacobian, isShared: true, coefficient: { _, _ in c }))
    let wasCheap = matrix.isCheap
    #expect(wasCheap == (side == 30))
    var random = SeededRandom(seed: 9)
    let b = random.uniform(-1, 1, count: n)
    for transposed in [false, true] {
      for isExact in [false, true] {
        var x = b
        matrix.solve(&x, stride: n, transposed: transposed, isExact: isExact)
        let product = try CompressedMatrix(pattern, values: jacobian).multiply(x, transposed: transposed)
        let rest = (0..<n).map { Foundation.pow(b[$0] - x[$0] + c * product[$0], 2) }.reduce(0, +)
          .squareRoot()
        let scale = b.map { $0 * $0 }.reduce(0, +).squareRoot()
        #expect(rest < (isExact || !wasCheap ? 1e-10 : 0.11) * scale, "\(rest / scale)")
      }
    }
    #expect(matrix.isCheap == (side == 30 && c > 0))
  }

  // Copies of one block in several stages, and components without a matrix.
  @Test func blocks() throws {
    let n = 3
    let jacobian: [Double] = [-2, 1, 0, 0.5, -3, 1, 0, 1, -1]
    let stages = [[0.3, -0.1], [0.4, 0.2]]
    let stride = 2 * n + 1
    let matrix = StageMatrix(JacobianBlocks(size: n, copies: 2), stages: 2, pattern: nil)
    #expect(matrix.factor(jacobian, isShared: true, coefficient: { stages[$0][$1] }))
    var random = SeededRandom(seed: 2)
    let b = random.uniform(-1, 1, count: 2 * stride)
    var x = b
    matrix.solve(&x, stride: stride)
    for stage in 0..<2 {
      for copy in 0..<2 {
        for row in 0..<n {
          var sum = x[stage * stride + copy * n + row]
          for other in 0..<2 {
            for column in 0..<n {
              sum -=
                stages[stage][other] * jacobian[row * n + column] * x[other * stride + copy * n + column]
            }
          }
          #expect(abs(sum - b[stage * stride + copy * n + row]) < 1e-13)
        }
      }
      #expect(x[stage * stride + 2 * n] == b[stage * stride + 2 * n])
    }
  }
}

@Suite struct RosenbrockTests {
  // The continuous extension has order 4, at places of steps and for equations that depend on time.
  @Test func continuousExtension() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([y[1] + sin(t), -y[0] * y[0] * p[0] + cos(2.0 * t)])
    }
    func values(_ options: SolverOptions) throws -> [Double] {
      try equation.solve(
        from: [0.7, -0.2], parameters: [1.3], times: [0.21, 0.63, 1.01, 1.37], options: options
      ).values
    }
    let exact = try values(
      SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-13, absoluteTolerance: 1e-14))
    let errors = try [10.0, 20, 40].map { count in
      zip(try values(SolverOptions(method: .rodas5P, fixedStep: 1.4 / count)), exact).map { abs($0 - $1) }
        .max()!
    }
    let rate = log2(errors[0] / errors[2]) / 2
    #expect(errors[0] > 1e-8 && rate > 3.7 && rate < 5.6, "\(rate) \(errors)")
  }

  // At both ends the continuous extension is the step's.
  @Test func weights() {
    let tableau = RosenbrockTableau.rodas5P
    #expect(tableau.weights(at: 0).allSatisfy { $0 == 0 } && tableau.weights(at: 1) == tableau.b)
    #expect(
      tableau.c.count == tableau.stageCount && tableau.a.enumerated().allSatisfy { $0 >= $1.count }
        && tableau.stageCoupling.enumerated().allSatisfy { $0 == $1.count })
  }
}

extension GradientTests {
  // A sparse system by every gradient method: sensitivities and adjoint equations have its sparse Jacobian.
  @Test(
    arguments: [SolverMethod.kvaerno5, .radau5, .backwardDifferentiation],
    [GradientMethod.forwardSensitivity, .continuousAdjoint])
  func sparseAdjoints(_ method: SolverMethod, _ gradient: GradientMethod) throws {
    let n = 40
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      let zero = Tensor.zeros([1])
      let difference = concatenate([y[1..<n], zero]) + concatenate([zero, y[0..<n - 1]]) - y * 2.0
      return difference * p[0] - y * y * y * p[1]
    }
    let start = Tensor((0..<n).map { 1 + 0.1 * Double($0 % 7) })
    func slope(_ method: SolverMethod, _ tolerance: Double, _ gradient: GradientMethod) throws -> [Double] {
      let options = SolverOptions(
        method: method, relativeTolerance: tolerance, absoluteTolerance: tolerance * 1e-2)
      return try grad { (x: [Tensor]) in
        try equation.solve(
          from: x[0], parameters: x[1], times: [0.2, 0.5], options: options, gradient: gradient
        ).sum()
      }([start, [40.0, 0.7]]).flatMap(\.values)
    }
    let found = try slope(method, 1e-8, gradient)
    let expected = try slope(.dormandPrince8, 1e-11, .discreteAdjoint)
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 * max(abs($1), 0.1) })
    #expect(expected.map { abs($0) }.max()! > 0.1)
  }
}
