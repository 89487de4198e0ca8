import Autodiff
import DifferentialEquations
import TestSupport
import Testing

/// The Lorenz system as a function of tensors.
let lorenz = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
  stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])
}

@Suite struct GradientTests {
  /// A driven oscillator with a cubic spring; symplectic methods leave damping out.
  static func oscillator(_ method: SolverMethod) -> OrdinaryDifferentialEquation<Tensor, Tensor> {
    OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      let damping = method.isSymplectic ? 0.0 * y[1] : 0.2 * y[1]
      return stack([y[1], -p[0] * y[0] - p[1] * y[0] * y[0] * y[0] - damping + cos(t)])
    }
  }
  static let point: [Tensor] = [[0.6, -0.3], [1.5, 0.4]]

  // Step sizes are frozen, and so they must be when laws are checked by differences: fixed steps.
  @Test(arguments: SolverMethod.allCases.filter { $0 != .backwardDifferentiation })
  func lawsOfMethods(_ method: SolverMethod) throws {
    let equation = Self.oscillator(method)
    var options = SolverOptions(
      method: method, relativeTolerance: 1e-12, absoluteTolerance: 1e-12, fixedStep: 0.05)
    options.checkpoints = 5
    // Times between steps, at the initial time, and at a step's end.
    let f = { (x: [Tensor]) in
      try equation.solve(from: x[0], parameters: x[1], times: [0.0, 0.13, 0.5, 0.77], options: options)
    }
    var laws = GradientLaws()
    laws.identityTolerance = method.isImplicit ? 1e-10 : 1e-12
    laws.tolerance = method.isImplicit ? 1e-6 : 1e-8
    #expect(try laws.violations(of: f, at: Self.point) == [])
  }

  // Times, and adaptive steps: differences see the derivative of the exact solution to the tolerances.
  @Test(arguments: GradientMethod.allCases) func lawsOfGradientMethods(_ gradient: GradientMethod) throws {
    let equation = Self.oscillator(.tsitouras5)
    let options = SolverOptions(relativeTolerance: 1e-11, absoluteTolerance: 1e-12)
    let f = { (x: [Tensor]) in
      try equation.solve(
        from: x[0], parameters: x[1], startTime: x[2], times: x[3], options: options, gradient: gradient)
    }
    var laws = GradientLaws()
    laws.order = gradient == .discreteAdjoint ? 2 : 1
    laws.tolerance = 1e-6
    laws.identityTolerance = gradient == .discreteAdjoint || gradient == .forwardSensitivity ? 1e-12 : 1e-8
    #expect(try laws.violations(of: f, at: Self.point + [0.1, [0.5, 0.9, 1.4]]) == [])
  }

  // Forward mode and second derivatives of batches in lanes agree with trajectories by themselves.
  @Test(arguments: [SolverMethod.tsitouras5, .dormandPrince8, .rungeKutta4], [1, 5, 40])
  func batchesOfDerivatives(_ method: SolverMethod, _ count: Int) throws {
    let equation = Self.oscillator(method)
    let options = SolverOptions(
      method: method, relativeTolerance: 1e-9, absoluteTolerance: 1e-9,
      fixedStep: method.hasErrorEstimate ? nil : 0.01)
    let f = { (x: [Tensor]) throws -> [Tensor] in
      let y = { (x: [Tensor]) in
        try equation.solve(from: x[0], parameters: x[1], times: [0.0, 0.21, 0.7, 1.3], options: options)
      }
      let direction: [Tensor] = [[0.3, -0.7], [0.2, 1.0]]
      let product = try hvp({ (x: [Tensor]) in try square(y(x)).sum() }, at: x, along: direction)
      return [try jvp(y, at: x, along: direction).tangent] + product
    }
    var random = SeededRandom(seed: 11)
    let states = Tensor(random.uniform(-1, 1, count: 2 * count), shape: [count, 2])
    let parameters = Tensor(random.uniform(0.5, 2, count: 2 * count), shape: [count, 2])
    let batch = try vmap(f)([states, parameters])
    for k in 0..<count {
      for (a, b) in zip(batch, try f([states[k], parameters[k]])) {
        let scale = max(b.values.map { abs($0) }.max()!, 1)
        #expect(zip(a[k].values, b.values).allSatisfy { abs($0 - $1) < 1e-7 * scale })
      }
    }
  }

  // The same backwards in time.
  @Test func backwardInTime() throws {
    let equation = Self.oscillator(.tsitouras5)
    let options = SolverOptions(relativeTolerance: 1e-11, absoluteTolerance: 1e-12)
    let f = { (x: [Tensor]) in
      try equation.solve(from: x[0], parameters: x[1], startTime: x[2], times: x[3], options: options)
    }
    #expect(
      try GradientLaws(tolerance: 1e-6).violations(of: f, at: Self.point + [1.4, [0.9, 0.5, 0.1]]) == [])
    let there = try f(Self.point + [0.0, [2.0]])[0]
    let back = try f([there, Self.point[1], 2.0, [0.0]])[0]
    #expect(abs(back - Self.point[0]).values.max()! < 1e-9)
  }

  struct Planet: TensorTree {
    var position: Tensor
    var velocity: Tensor
  }

  // State and parameters in structures; what the closure captures is differentiated too.
  @Test func structures() throws {
    struct Field: TensorTree {
      var strength: Tensor
      var drag: [Tensor]
    }
    let options = SolverOptions(relativeTolerance: 1e-10, absoluteTolerance: 1e-12)
    func end(_ x: [Tensor]) throws -> Tensor {
      let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Planet, p: Field) in
        let r = sqrt((y.position * y.position).sum())
        return Planet(
          position: y.velocity,
          velocity: -p.strength * y.position / (r * r * r) - (p.drag[0] + p.drag[1]) * y.velocity * x[2])
      }
      let planet = try equation.solve(
        from: Planet(position: x[0], velocity: [0.0, 1.1]),
        parameters: Field(strength: x[1], drag: [0.01, 0.02]), endTime: 2.0, options: options)
      return concatenate([planet.position, planet.velocity])
    }
    #expect(try GradientLaws(tolerance: 1e-6).violations(of: end, at: [[1.0, 0.1], 1.2, 0.7]) == [])
  }

  // Lanes whose trajectories have from none to many steps, with outputs within and at the ends of steps. The steps are given, so that only
  // rounding differs from trajectories by themselves.
  @Test(arguments: [3, 9, 70, 200]) func lanesOfAllLengths(_ count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let options = SolverOptions(fixedStep: 0.01)
    let weights = Tensor([1, 2, 3, -1, 1, 2, 0.5, 1, 1, 1, -1, 1], shape: [4, 3])
    let f = { (x: [Tensor]) throws -> [Tensor] in
      let (value, pullback) = try vjp(
        { (y: [Tensor]) in
          try lorenz.solve(from: y[0], parameters: y[1], times: x[2], options: options)
        }, at: [x[0], x[1]])
      return [value] + (try pullback(weights))
    }
    let states = Tensor(random.uniform(-2, 2, count: 3 * count), shape: [count, 3])
    let parameters = Tensor(random.uniform(2, 12, count: 3 * count), shape: [count, 3])
    var ends = random.uniform(0.01, 0.4, count: count)
    (ends[0], ends[1], ends[2]) = (0, 0.08, 0.16)
    let times = stack(ends.map { Tensor([0, 0.3, 0.5, 1]) * $0 })
    let batch = try vmap(f)([states, parameters, times])
    for k in 0..<count {
      for (a, b) in zip(batch, try f([states[k], parameters[k], times[k]])) {
        let scale = b.values.map { abs($0) }.max()!
        #expect(zip(a[k].values, b.values).allSatisfy { abs($0 - $1) <= 1e-12 * scale })
      }
    }
  }

  // A long trajectory of few components goes back many steps at once. Its gradient is that of one step after the other (which
  // checkpoints ask for), by every explicit method, with no output, some and many within steps, forwards and backwards in time.
  @Test(
    arguments: [SolverMethod.bogackiShampine3, .dormandPrince5, .tsitouras5, .dormandPrince8],
    [[2], [0, 0.37, 0.9, 0.9, 1.999, 2], (1...60).map { Double($0) / 30 }])
  func manyStepsAtOnce(_ method: SolverMethod, _ times: [Double]) throws {
    let accuracy = method.order < 4 ? 1e-5 : 1e-9
    var options = SolverOptions(method: method, relativeTolerance: accuracy, absoluteTolerance: accuracy)
    for direction in [1.0, -0.2] {
      func slope(_ x: [Tensor]) throws -> [Tensor] {
        let (value, pullback) = try vjp(
          { (x: [Tensor]) in
            try lorenz.solve(
              from: x[0], parameters: x[1], times: Tensor(times) * direction, options: options)
          }, at: x)
        return try pullback(Tensor.range(1, to: Double(value.count) + 0.5).reshaped(value.shape))
      }
      let point: [Tensor] = [[1.0, -0.5, 2.0], [10, 28, 8 / 3]]
      let found = try slope(point)
      options.checkpoints = 1000
      let same = try slope(point)
      options.checkpoints = 8
      let expected = try slope(point)
      options.checkpoints = nil
      for (a, (b, c)) in zip(found, zip(same, expected)) {
        let scale = c.values.map { abs($0) }.max()!
        #expect(scale > 1)
        #expect(zip(a.values, c.values).allSatisfy { abs($0 - $1) <= 1e-12 * scale })
        #expect(zip(b.values, c.values).allSatisfy { abs($0 - $1) <= 1e-12 * scale })
      }
    }
  }

  // Batches in lanes agree with trajectories by themselves, whatever their number, with parameters shared or not.
  @Test(arguments: [1, 2, 3, 7, 16, 100]) func batches(_ count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let options = SolverOptions(relativeTolerance: 1e-7, absoluteTolerance: 1e-9)
    let f = { (x: [Tensor]) throws -> [Tensor] in
      let (value, pullback) = try vjp(
        { (x: [Tensor]) in
          try lorenz.solve(from: x[0], parameters: x[1], times: [0.05, 0.3, 0.31, 1.0], options: options)
        }, at: x)
      return [value] + (try pullback(Tensor.ones(value.shape)))
    }
    let states = Tensor(random.uniform(-2, 2, count: 3 * count), shape: [count, 3])
    let parameters = Tensor(random.uniform(2, 12, count: 3 * count), shape: [count, 3])
    let both = try vmap(f)([states, parameters])
    let shared = try vmap(f, inputAxes: [0, nil])([states, parameters[0]])
    for k in 0..<count {
      for (batch, alone) in [
        (both, try f([states[k], parameters[k]])), (shared, try f([states[k], parameters[0]])),
      ] {
        for (a, b) in zip(batch, alone) {
          let scale = max(b.values.map { abs($0) }.max()!, 1)
          // Sums are taken in another order, which steps that are chosen by errors magnify.
          #expect(zip(a[k].values, b.values).allSatisfy { abs($0 - $1) < 1e-6 * scale })
        }
      }
    }
  }
}

extension GradientTests {
  // Every method with every adjoint, for a problem that is mildly stiff: gradients agree to the tolerances.
  @Test(
    arguments: SolverMethod.allCases.filter { $0.hasErrorEstimate && $0.order > 2 }, GradientMethod.allCases)
  func everyAdjoint(_ method: SolverMethod, _ gradient: GradientMethod) throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([p[0] * (y[1] - y[0] * y[0]) + cos(t), y[0] - p[1] * y[1] * y[1]])
    }
    var options = SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-10)
    if method != .backwardDifferentiation { options.checkpoints = 6 }
    func slope(_ options: SolverOptions, _ gradient: GradientMethod) throws -> [Double] {
      try grad { (x: [Tensor]) in
        let y = try equation.solve(
          from: x[0], parameters: x[1], times: [0.3, 0.5], options: options, gradient: gradient)
        return (y * Tensor([1.0, 2, 3, 4], shape: [2, 2])).sum()
      }([[0.7, 0.4], [5.0, 0.6]]).flatMap(\.values)
    }
    if method == .rodas5P && gradient != .discreteAdjoint {
      // The other adjoints' matrices are not the whole Jacobian.
      let error = #expect(throws: TensorError.self) { _ = try slope(options, gradient) }
      #expect(error?.description.contains("discreteAdjoint") == true)
      return
    }
    let found = try slope(options, gradient)
    options.method = .dormandPrince8
    options.relativeTolerance = 1e-12
    let expected = try slope(options, .discreteAdjoint)
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 2e-5 * max(1, abs($1)) }, "\(found) \(expected)")
  }

  @Test func adjointsThatSymplecticMethodsDoNotHave() throws {
    let equation = Self.oscillator(.leapfrog)
    let options = SolverOptions(method: .leapfrog, fixedStep: 0.1)
    for gradient in [GradientMethod.continuousAdjoint, .backsolve] {
      #expect(throws: TensorError.self) {
        _ = try grad { (x: Tensor) in
          try equation.solve(
            from: x, parameters: [1.0, 0.1], endTime: 1, options: options, gradient: gradient)[0]
        }([1.0, 0.0])
      }
    }
    let f = { (x: Tensor) in
      try equation.solve(
        from: x, parameters: [1.0, 0.1], endTime: 1, options: options, gradient: .forwardSensitivity)[0]
    }
    let g = { (x: Tensor) in
      try equation.solve(from: x, parameters: [1.0, 0.1], endTime: 1, options: options)[0]
    }
    #expect(abs(try grad(f)([1.0, 0.0]) - (try grad(g)([1.0, 0.0]))).values.max()! < 1e-12)
  }
}

extension GradientTests {
  // Right-hand sides too large for scalar instructions work on arrays: alone, in lanes, and implicitly.
  @Test(arguments: [SolverMethod.tsitouras5, .kvaerno3]) func largeRightHandSides(_ method: SolverMethod)
    throws
  {
    let n = 120
    var random = SeededRandom(seed: 5)
    let weights = Tensor(random.uniform(-0.3, 0.3, count: n * n), shape: [n, n])
    let network = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, w: Tensor) in
      tanh(matmul(w, tanh(matmul(w, y)))) - y
    }
    let options = SolverOptions(method: method, relativeTolerance: 1e-7, absoluteTolerance: 1e-9)
    let f = { (x: [Tensor]) in
      try network.solve(from: x[0], parameters: x[1], times: [0.2, 0.5], options: options)
    }
    let count = method.isImplicit ? 1 : 4
    let states = Tensor(random.uniform(-1, 1, count: n * count), shape: [count, n])
    let point = [states[0], weights]
    let direction = [
      Tensor(random.uniform(-1, 1, count: n)), Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n]),
    ]
    let weight = Tensor(random.uniform(-1, 1, count: 2 * n), shape: [2, n])
    let tangent = try jvp(f, at: point, along: direction).tangent
    let cotangents = try vjp(f, at: point).pullback(weight)
    let forward = (tangent * weight).sum().scalar
    let backward = zip(cotangents, direction).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    #expect(
      abs(forward - backward) < 1e-9 * abs(forward) && abs(forward) > 1e-3, "\(forward) \(backward - forward)"
    )
    if count > 1 {
      let pull = { (x: [Tensor]) in try vjp(f, at: x).pullback(weight) }
      let batch = try vmap(pull, inputAxes: [0, nil])([states, weights])
      for k in 0..<count {
        let alone = try pull([states[k], weights])
        for (a, b) in zip(batch, alone) {
          #expect(abs(a[k] - b).values.max()! < 1e-6 * abs(b).values.max()!)
        }
      }
    }
  }
}

extension GradientTests {
  // A state of 4e-5, below most tolerances: the steps that the adjoint equation interpolates must be those that were taken.
  @Test func continuousAdjointOfRobertson() throws {
    let equation = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, k: Tensor) in
      let (a, b, c) = (k[0] * y[0], k[1] * y[1] * y[1], k[2] * y[1] * y[2])
      return stack([c - a, a - b - c, b])
    }
    func slope(_ method: SolverMethod, _ tolerance: Double, _ gradient: GradientMethod) throws -> [Double] {
      try grad { (k: Tensor) in
        try equation.solve(
          from: [1, 0, 0], parameters: k, times: [40.0],
          options: SolverOptions(
            method: method, relativeTolerance: tolerance, absoluteTolerance: tolerance * 1e-5),
          gradient: gradient)[0, 0]
      }([0.04, 3e7, 1e4]).values
    }
    let found = try slope(.kvaerno5, 1e-8, .continuousAdjoint)
    let expected = try slope(.radau5, 1e-10, .discreteAdjoint)
    #expect(
      zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 * abs($1) && $1 != 0 }, "\(found) \(expected)")
  }
}
