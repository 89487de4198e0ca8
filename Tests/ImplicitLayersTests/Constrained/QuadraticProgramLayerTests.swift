import Autodiff
import ImplicitLayers
import LinearAlgebra
import TestSupport
import Testing

@Suite struct QuadraticProgramLayerTests {
  /// Data of a small program whose solution has active and inactive rows on both sides.
  private func data(seed: UInt64, variables n: Int = 5, equalities p: Int = 1, inequalities m: Int = 6) throws
    -> [Tensor]
  {
    let program = try randomProgram(variables: n, equalities: p, inequalities: m, seed: seed)
    func matrix(_ a: CompressedMatrix) -> Tensor { Tensor(a.values, shape: [a.rows, a.columns]) }
    return [
      matrix(program.quadratic), Tensor(program.linear), matrix(program.equalities),
      Tensor(program.equalityValues),
      matrix(program.inequalities), Tensor(program.lower.map { max($0, -50) }),
      Tensor(program.upper.map { min($0, 50) }),
      Tensor(program.lowerBounds), Tensor(program.upperBounds),
    ]
  }
  private func solve(_ d: [Tensor], options: QuadraticProgramOptions = .init()) throws -> Tensor {
    let s = try quadraticProgram(
      quadratic: d[0], linear: d[1], equalities: d[2], equalityValues: d[3], inequalities: d[4], lower: d[5],
      upper: d[6], lowerBounds: d[7], upperBounds: d[8], options: options)
    return concatenate([s.x, s.equalityMultipliers, s.inequalityMultipliers, s.boundMultipliers])
  }

  /// Differences, dot products, vmap, compilation, and all of that for the gradient: with respect to every datum.
  @Test(arguments: [1, 2, 4, 6] as [UInt64])
  func laws(seed: UInt64) throws {
    let laws = GradientLaws(tolerance: 1e-7, step: 2e-5, order: 1)
    let violations = try laws.violations(of: { try solve($0) }, at: data(seed: seed))
    #expect(violations == [])
  }
  @Test func secondOrder() throws {
    var laws = GradientLaws(tolerance: 1e-6, step: 2e-4, order: 2)
    laws.identityTolerance = 1e-9
    #expect(try laws.violations(of: { try solve($0) }, at: data(seed: 1)) == [])
  }
  /// On the central path of a barrier, second order included.
  @Test(arguments: [1, 2] as [UInt64])
  func smoothedLaws(seed: UInt64) throws {
    var options = QuadraticProgramOptions()
    options.barrier = 0.05
    (options.absoluteTolerance, options.relativeTolerance) = (1e-13, 1e-13)
    var laws = GradientLaws(tolerance: 1e-6, step: 1e-3, order: 2)
    laws.identityTolerance = 1e-9
    #expect(try laws.violations(of: { try solve($0, options: options) }, at: data(seed: seed)) == [])
  }

  /// Lanes give what single programs give, for batches that do and do not fill groups.
  @Test(arguments: [1, 2, 7, 8, 19])
  func batches(count: Int) throws {
    let all = try (0..<count).map { try data(seed: UInt64($0), variables: 7, equalities: 2, inequalities: 9) }
    let stacked = (0..<9).map { k in stack(all.map { $0[k] }) }
    let together = try vmap { (d: [Tensor]) in try solve(d) }(stacked)
    for (k, d) in all.enumerated() {
      let alone = try solve(d).values
      #expect(zip(together[k].values, alone).allSatisfy { abs($0 - $1) < 1e-9 }, "\(k)")
    }
    let gradients = try vmap { (d: [Tensor]) in
      try grad { (d: [Tensor]) in try (solve(d) * solve(d)).sum() }(d)
    }(stacked)
    for (k, d) in all.enumerated() {
      let alone = try grad { (d: [Tensor]) in try (solve(d) * solve(d)).sum() }(d)
      for (a, b) in zip(gradients, alone) {
        #expect(zip(a[k].values, b.values).allSatisfy { abs($0 - $1) < 1e-7 * max(1, abs($1)) })
      }
    }
  }

  /// Batches of programs that are too large for lanes give what sparse solvers of one program give, and gradients along directions what
  /// differences give.
  @Test(arguments: [(26, 3, 30), (41, 0, 60)])
  func batchesOfLargePrograms(variables: Int, equalities: Int, inequalities: Int) throws {
    let count = 5
    let programs = try (0..<count).map {
      try data(
        seed: UInt64($0), variables: variables, equalities: equalities, inequalities: inequalities)
    }
    let stacked = (0..<9).map { k in stack(programs.map { $0[k] }) }
    let batched = vmap { (d: [Tensor]) in try solve(d) }
    let found = try batched(stacked)
    for (k, d) in programs.enumerated() {
      let program = try QuadraticProgram(
        denseQuadratic: d[0].values, linear: d[1].values, denseEqualities: d[2].values,
        equalityValues: d[3].values, denseInequalities: d[4].values, lower: d[5].values, upper: d[6].values,
        lowerBounds: d[7].values, upperBounds: d[8].values)
      let alone = try program.solve(storage: .sparse)
      let expected =
        alone.x + alone.equalityMultipliers + alone.inequalityMultipliers + alone.boundMultipliers
      #expect(zip(found[k].values, expected).allSatisfy { abs($0 - $1) < 1e-9 * max(1, abs($1)) }, "\(k)")
    }
    var random = SeededRandom(seed: 9)
    let direction = stacked.map { Tensor(random.uniform(-1, 1, count: $0.count), shape: $0.shape) }
    func total(_ d: [Tensor]) throws -> Tensor {
      let x = try batched(d)
      return (x * x).sum()
    }
    let slope = zip(try grad(total)(stacked), direction).reduce(0.0) { $0 + ($1.0 * $1.1).sum().values[0] }
    let step = 1e-6
    let up = try total(zip(stacked, direction).map { $0 + $1 * step }).values[0]
    let down = try total(zip(stacked, direction).map { $0 - $1 * step }).values[0]
    #expect(abs(slope) > 1)
    #expect(abs(slope - (up - down) / (2 * step)) < 1e-6 * abs(slope))
  }

  /// What derivatives need of many programs has no room in the caches and is written past them: in lanes, and one by one.
  @Test(arguments: [(20, 39, 1200), (60, 60, 160)])
  func derivativesOfBatchesLargerThanCaches(variables: Int, inequalities: Int, count: Int) throws {
    let few = 16
    let all = try (0..<few).map {
      try data(seed: UInt64($0), variables: variables, equalities: 0, inequalities: inequalities)
    }
    let stacked = (0..<9).map { k in stack(all.map { $0[k] }) }
    let repeated = stacked.map { concatenate(Array(repeating: $0, count: count / few), axis: 0) }
    let slope = grad { (d: [Tensor]) throws -> Tensor in
      try vmap { (d: [Tensor]) in try solve(d).sum() }(d).sum()
    }
    let (expected, found) = (try slope(stacked), try slope(repeated))
    for (k, (expected, found)) in zip(expected, found).enumerated() {
      let values = expected.values
      let size = values.reduce(1e-3) { max($0, $1.magnitude) }
      #expect(found.count == values.count * (count / few))
      let isSame = found.values.enumerated().allSatisfy {
        abs($0.element - values[$0.offset % values.count]) <= 1e-9 * size
      }
      #expect(isSame, "\(k)")
    }
  }

  /// A parameter that all programs of a batch share has the sum of the gradients, not their mean.
  @Test func sharedParametersSum() throws {
    let all = try (0..<9).map { try data(seed: UInt64($0)) }
    let stacked = (0..<9).map { k in stack(all.map { $0[k] }) }
    let offset = Tensor([0.0, 0, 0, 0, 0])
    func total(_ shift: Tensor, _ d: [Tensor]) throws -> Tensor {
      var d = d
      d[1] = d[1] + shift
      return try solve(d).sum()
    }
    let shared = try grad { (shift: Tensor) in
      try vmap { (d: [Tensor]) in try total(shift, d) }(stacked).sum()
    }(offset)
    var sum = [Double](repeating: 0, count: 5)
    for d in all {
      let one = try grad { (shift: Tensor) in try total(shift, d) }(offset).values
      for i in 0..<5 { sum[i] += one[i] }
    }
    #expect(zip(shared.values, sum).allSatisfy { abs($0 - $1) < 1e-8 * max(1, abs($1)) })
    #expect(sum.contains { abs($0) > 0.1 })
  }

  /// OptNet's layer: minimise ½ zᵀQz + qᵀz subject to A z = b, G z ≤ h, with Q = L Lᵀ + I, trained to give what another one gives.
  @Test func optNetLayerTrains() throws {
    var random = SeededRandom(seed: 4)
    let (n, m) = (5, 5)
    func layer(_ parameters: [Tensor], _ input: Tensor) throws -> Tensor {
      let q = matmul(parameters[0], parameters[0].transposed) + Tensor.identity(n)
      return try quadraticProgram(
        quadratic: q, linear: input, inequalities: parameters[1], upper: parameters[2], policy: .leastNorm
      ).x
    }
    func parameters() -> [Tensor] {
      [
        Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n]) + Tensor.identity(n),
        Tensor(random.uniform(-1, 1, count: m * n), shape: [m, n]), Tensor(random.uniform(0.3, 1, count: m)),
      ]
    }
    let truth = parameters()
    var own = parameters()
    let inputs = Tensor(random.uniform(-2, 2, count: 32 * n), shape: [32, n])
    let targets = try vmap { (x: Tensor) in try layer(truth, x) }(inputs)
    func loss(_ p: [Tensor]) throws -> Tensor {
      let difference = try vmap { (x: Tensor) in try layer(p, x) }(inputs) - targets
      return (difference * difference).mean()
    }
    let first = try loss(own).values[0]
    for _ in 0..<40 {
      let slope = try grad(loss)(own)
      own = zip(own, slope).map { $0 - 0.3 * $1 }
    }
    let last = try loss(own).values[0]
    #expect(last < 0.25 * first, "from \(first) to \(last)")
  }

  @Test func failuresAreNamed() throws {
    func message(_ body: () throws -> Tensor) -> String {
      do {
        _ = try body()
        return ""
      } catch { return "\(error)" }
    }
    let q = Tensor([1.0, 0, 0, 1], shape: [2, 2])
    #expect(
      message { try quadraticProgram(quadratic: q, linear: Tensor([1.0, 2, 3])).x }.contains(
        "Q has shape [2, 2]"))
    #expect(
      message {
        try quadraticProgram(quadratic: -q, linear: Tensor([1.0, 2]), lowerBounds: Tensor([0.0, 0])).x
      }.contains("not positive semidefinite"))
    #expect(
      message {
        try quadraticProgram(
          quadratic: q, linear: Tensor([1.0, .nan]), lowerBounds: Tensor([0.0, 0])
        ).x
      }.contains("element 1 of q is nan"))
    #expect(
      message {
        try quadraticProgram(
          quadratic: q, linear: Tensor([1.0, 1]), lowerBounds: Tensor([0.0, 2]),
          upperBounds: Tensor([1.0, 1])
        ).x
      }.contains("variable 1"))
    let three = Tensor([1.0, 5, 1])
    #expect(
      message {
        try vmap { (u: Tensor) in
          try quadraticProgram(
            quadratic: q, linear: Tensor([1.0, 1]), inequalities: Tensor([1.0, 1], shape: [1, 2]),
            lower: u.reshaped([1]), upperBounds: Tensor([1.0, 1])
          ).x
        }(three)
      }.contains("program 1 of the batch: infeasible"))
    // A weakly active bound: the value is fine, the gradient is refused, or that of the active set.
    let weak = { (c: Tensor) in
      try quadraticProgram(quadratic: q, linear: c, lowerBounds: Tensor([0.0, 0])).x.sum()
    }
    #expect(abs(try weak(Tensor([0.0, -1])).values[0] - 1) < 1e-9)
    #expect(message { try grad(weak)(Tensor([0.0, -1])) }.contains("strict complementarity fails"))
    let status = try quadraticProgram(
      quadratic: Tensor.zeros([1, 1]), linear: Tensor([1.0]), throwsOnFailure: false
    ).status
    #expect(status.values(Int32.self) == [SolverStatus.unbounded.rawValue])
  }

  /// Program 3 of a batch is flat along x1, and its derivative along that does not exist: it is named, whether programs are solved one by one or
  /// in lanes, and whether all of a batch are asked for or some.
  @Test(arguments: [4, 5, 19])
  func programsWithoutDerivativeAreNamed(count: Int) throws {
    var options = QuadraticProgramOptions()
    options.barrier = 1e-3
    var curvature = [Double](repeating: 1, count: count)
    let linear = curvature.map { $0 - 2 }
    let flat = count == 5 ? 4 : 3
    curvature[flat] = 0
    func solve(_ curvature: Tensor, _ slope: Tensor) throws -> Tensor {
      let zero = Tensor(0.0)
      let q = stack([Tensor(1.0), zero, zero, curvature]).reshaped([2, 2])
      return try quadraticProgram(
        quadratic: q, linear: stack([slope, zero]), lowerBounds: Tensor([0.0, -.infinity]), options: options,
        policy: .leastNorm
      ).x
    }
    let data = [Tensor(curvature), Tensor(linear)]
    let together = tensorError {
      _ = try vmap(grad { (d: [Tensor]) in try solve(d[0], d[1]).sum() })(data)
    }
    #expect(
      together?.message.contains("program \(flat) of the batch: the system") == true, "\(together as Any)")
    let alone = tensorError {
      _ = try grad { (d: [Tensor]) in try solve(d[0], d[1]).sum() }(data.map { $0[flat] })
    }
    #expect(alone?.message.contains("the system of the derivative has no solution") == true)
    #expect(alone?.message.contains("of the batch") == false)
  }

  /// Cotangents and tangents that are not finite are errors: the derivative's residual, a maximum, would pass over them.
  @Test(arguments: [1, 5], [Double.nan, .infinity]) func rightSidesThatAreNotFinite(count: Int, bad: Double)
    throws
  {
    let data = try data(seed: 2, variables: 5, equalities: 1, inequalities: 6)
    let stacked = data.map { stack([Tensor](repeating: $0, count: count)) }
    let size = try solve(data).count
    func pull(_ weights: Tensor) throws -> [Tensor] {
      if count == 1 { return try vjp({ try solve($0) }, at: data).pullback(weights[0]) }
      return try vmap { (x: [Tensor]) in
        try vjp({ try solve($0) }, at: Array(x.dropLast())).pullback(x.last!)
      }(stacked + [weights])
    }
    #expect(try pull(Tensor.ones([count, size])).count == data.count)
    for place in 0..<size {
      var weights = [Double](repeating: 1, count: count * size)
      weights[(count - 1) * size + place] = bad
      let error = tensorError { _ = try pull(Tensor(weights, shape: [count, size])) }
      #expect(error?.reason == .nonFinite, "result \(place): \(error as Any)")
    }
    // Tangents of q and of b are the two right-hand sides themselves.
    for k in [1, 3] {
      var directions = data.map { Tensor.zeros($0.shape) }
      directions[k] = directions[k] + Tensor(bad)
      let error = tensorError { _ = try jvp({ try solve($0) }, at: data, along: directions) }
      #expect(
        error?.reason == .nonFinite && error?.message.contains("right-hand side") == true, "\(error as Any)")
    }
  }
}
