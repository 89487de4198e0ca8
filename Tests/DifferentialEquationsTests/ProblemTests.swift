import Autodiff
import DifferentialEquations
import Foundation
import TestSupport
import Testing

@Suite struct ProblemTests {
  static func equation(_ rate: @escaping RightHandSide) -> OrdinaryDifferentialEquation<Tensor, Tensor> {
    OrdinaryDifferentialEquation { t, y, p in try rate(t, y) }
  }
  /// The largest error, relative to each component or to a thousandth of the largest one, or to a number.
  static func error(_ found: Tensor, _ expected: [Double], floor: Double = 0) -> Double {
    let floor = max(expected.map { abs($0) }.max()! * 1e-3, floor)
    return zip(found.values, expected).map { abs($0 - $1) / max(abs($1), floor) }.max()!
  }

  // Errors at the end are near the tolerances: within a factor that the problem's own sensitivity makes.
  @Test(
    arguments: DetestProblems.names,
    [SolverMethod.tsitouras5, .dormandPrince5, .dormandPrince8, .bogackiShampine3])
  func detest(_ name: String, _ method: SolverMethod) throws {
    let reference = try #require(ReferenceSolutions.all.detest[name])
    let tolerance = method == .bogackiShampine3 ? 1e-6 : 1e-9
    let options = SolverOptions(
      method: method, relativeTolerance: tolerance, absoluteTolerance: tolerance * 1e-2)
    let solution = try Self.equation(DetestProblems.rate(name)).solve(
      from: Tensor(reference.initial!), parameters: [0.0], endTime: 20, options: options)
    #expect(Self.error(solution, reference.final, floor: 1e-2) < 3e3 * tolerance)
  }

  @Test(
    arguments: StiffProblems.names,
    [SolverMethod.kvaerno3, .kvaerno5, .radau5, .rodas5P, .backwardDifferentiation])
  func stiff(_ name: String, _ method: SolverMethod) throws {
    let reference = try #require(ReferenceSolutions.all.stiff[name])
    let tolerance = method == .kvaerno3 ? 1e-6 : 1e-7
    // Small components matter in chemistry.
    let options = SolverOptions(
      method: method, relativeTolerance: tolerance, absoluteTolerance: tolerance * 1e-4)
    let solution = try Self.equation(StiffProblems.rate(name)).solve(
      from: Tensor(reference.initial!), parameters: [0.0], endTime: Tensor(reference.end!), options: options)
    #expect(
      Self.error(solution, reference.final) < 1e3 * tolerance, "\(Self.error(solution, reference.final))")
  }

  @Test func implicitEulerOfRobertson() throws {
    let reference = try #require(ReferenceSolutions.all.stiff["Robertson"])
    let options = SolverOptions(method: .implicitEuler, relativeTolerance: 1e-5, absoluteTolerance: 1e-10)
    let solution = try Self.equation(StiffProblems.rate("Robertson")).solve(
      from: Tensor(reference.initial!), parameters: [0.0], endTime: 40, options: options)
    #expect(Self.error(solution, reference.final) < 1e-2)
  }

  @Test(arguments: [SolverMethod.tsitouras5, .dormandPrince8]) func sevenStars(_ method: SolverMethod) throws
  {
    let reference = ReferenceSolutions.all.pleiades
    let options = SolverOptions(method: method, relativeTolerance: 1e-10, absoluteTolerance: 1e-12)
    let solution = try Self.equation(pleiades).solve(
      from: Tensor(reference.initial!), parameters: [0.0], endTime: 3, options: options)
    #expect(Self.error(solution, reference.final) < 1e-5)
  }

  // All derivatives of the Lorenz system against the variational equations in extended precision. (Solved backwards, what the
  // system contracts grows by e^27, so that the method .backsolve has no digit left.)
  @Test(
    arguments: GradientMethod.allCases.filter { $0 != .backsolve },
    [SolverMethod.tsitouras5, .dormandPrince8])
  func lorenzSensitivities(_ gradient: GradientMethod, _ method: SolverMethod) throws {
    let reference = ReferenceSolutions.all.lorenz.final
    let options = SolverOptions(method: method, relativeTolerance: 1e-11, absoluteTolerance: 1e-12)
    let f = { (x: [Tensor]) in
      try lorenz.solve(from: x[0], parameters: x[1], endTime: 2, options: options, gradient: gradient)
    }
    let x: [Tensor] = [[1.0, 1.0, 1.0], [10.0, 28.0, Tensor(8.0 / 3)]]
    let (value, pullback) = try vjp(f, at: x)
    #expect(zip(value.values, reference).allSatisfy { abs($0 - $1) < 1e-8 })
    let rows = try (0..<3).map { row in
      try pullback(Tensor((0..<3).map { $0 == row ? 1.0 : 0.0 })).flatMap(\.values)
    }
    let tolerance = 2e-9
    for row in 0..<3 {
      for column in 0..<6 {
        let expected = reference[3 + 3 * column + row]
        #expect(
          abs(rows[row][column] - expected) < tolerance * max(abs(expected), 1),
          "\(gradient) \(row) \(column): \(rows[row][column]), \(expected)")
      }
    }
    let forward = try jvp(f, at: x, along: [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).tangent.values
    #expect(zip(forward, reference[15..<18]).allSatisfy { abs($0 - $1) < tolerance * max(abs($1), 1) })
  }

  // Gradients of stiff problems against differences of the same steps.
  @Test(arguments: [SolverMethod.kvaerno3, .kvaerno5, .radau5, .rodas5P, .backwardDifferentiation])
  func gradientOfRobertson(
    _ method: SolverMethod
  ) throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, k: Tensor) in
      let (a, b, c) = (y[0] * k[0], y[1] * y[2] * k[1] * 1e4, y[1] * y[1] * k[2] * 1e7)
      return stack([b - a, a - b - c, c])
    }
    let options = SolverOptions(method: method, relativeTolerance: 1e-9, absoluteTolerance: 1e-13)
    let f = { (k: Tensor) in
      try equation.solve(from: [1.0, 0.0, 0.0], parameters: k, endTime: 40, options: options)[0]
    }
    let k = [0.04, 1, 3]
    let found = try grad(f)(Tensor(k)).values
    for i in 0..<3 {
      let difference = try CentralDifferences(step: 1e-3 * k[i]) { s in
        var moved = k
        moved[i] += s
        return try f(Tensor(moved)).scalar
      }.extrapolated
      #expect(abs(found[i] - difference) < 1e-5 * abs(difference), "\(found[i]) \(difference)")
    }
  }

  // Symplectic methods go the same way back, and keep the energy.
  @Test(arguments: SolverMethod.allCases.filter(\.isSymplectic)) func timeReversal(_ method: SolverMethod)
    throws
  {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      let r = sqrt(y[0] * y[0] + y[1] * y[1])
      return stack([y[2], y[3], -y[0] / (r * r * r), -y[1] / (r * r * r)])
    }
    let options = SolverOptions(method: method, fixedStep: 1.0 / 64)
    let start: Tensor = [0.7, 0.0, 0.0, 1.3]
    let there = try equation.solve(from: start, parameters: [0.0], times: [25.0, 50.0], options: options)
    let back = try equation.solve(
      from: there[1] * Tensor([1.0, 1, -1, -1]), parameters: [0.0], endTime: 50, options: options)
    #expect(abs(back * Tensor([1.0, 1, -1, -1]) - start).values.max()! < 1e-10)
    func energy(_ y: [Double]) -> Double {
      (y[2] * y[2] + y[3] * y[3]) / 2 - 1 / (y[0] * y[0] + y[1] * y[1]).squareRoot()
    }
    #expect(abs(energy(there[1].values) - energy(start.values)) < (method == .leapfrog ? 1e-3 : 1e-5))
  }

  // The continuous extension is as accurate as its order promises, and times of output do not change the steps.
  @Test(arguments: SolverMethod.allCases.filter { $0.hasErrorEstimate && $0.order > 2 })
  func outputs(_ method: SolverMethod) throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in stack([y[1], -y[0]]) }
    let options = SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    let times = (0...200).map { Double($0) * 0.05 }
    let solution = try equation.solve(
      from: [0.0, 1.0], parameters: [0.0], times: Tensor(times), options: options)
    let errors = times.indices.map { abs(solution[$0, 0].scalar - sin(times[$0])) }
    #expect(errors.max()! < 3e-6)
    #expect(errors[0] == 0)
  }
}

extension ProblemTests {
  // A large sparse system, a diffusing reaction in two dimensions: the gradient of what is left along a direction.
  @Test(
    arguments: [SolverMethod.kvaerno3, .kvaerno5, .radau5, .rodas5P, .backwardDifferentiation], [7, 17, 24])
  func sparseSystem(_ method: SolverMethod, _ side: Int) throws {
    let zeros = { Tensor.zeros([1, side]) }
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      let u = y.reshaped([side, side])
      let up = concatenate([u[1..<side, 0..<side], zeros()])
      let down = concatenate([zeros(), u[0..<side - 1, 0..<side]])
      let left = concatenate([u[0..<side, 1..<side], zeros().transposed], axis: 1)
      let right = concatenate([zeros().transposed, u[0..<side, 0..<side - 1]], axis: 1)
      return ((up + down + left + right - u * 4.0) * p[0] - u * u * u * p[1]).flattened
    }
    let options = SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-10)
    let explicit = SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-11, absoluteTolerance: 1e-12)
    let start = Tensor((0..<side * side).map { 1 + 0.1 * Double($0 % 7) })
    func gradients(_ options: SolverOptions) throws -> [Double] {
      try grad { (x: [Tensor]) in
        try equation.solve(from: x[0], parameters: x[1], endTime: 0.5, options: options).sum()
      }([start, [10.0, 0.7]]).flatMap(\.values)
    }
    let (found, expected) = (try gradients(options), try gradients(explicit))
    let tolerance = method == .kvaerno3 || method == .backwardDifferentiation ? 1e-4 : 1e-6
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < tolerance * max(abs($1), 1) })
    #expect(expected.map { abs($0) }.max()! > 1e-2)
  }
}
