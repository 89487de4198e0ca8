import Autodiff
import ImplicitLayers
import TestSupport
import Testing

@Suite struct ProjectionTests {
  /// A projection with what it depends on, as a function of tensors; what says whether a point is in the set.
  struct Case: Sendable, CustomStringConvertible {
    var description: String
    var project: @Sendable ([Tensor]) throws -> Tensor
    var parameters: [Tensor]
    /// The largest violation of the set.
    var violation: @Sendable ([Double]) -> Double
  }
  static let normal = [0.5, -1.0, 0.25, 2.0]
  static let matrix = [1.0, 2, 0, -1, 0.5, -1, 1, 1]
  static let cases = [
    Case(
      description: "box", project: { projectOntoBox($0[0], lower: $0[1], upper: $0[2]) },
      parameters: [Tensor([-0.5, -0.1, -1, 0.2]), Tensor([0.3, 0.4, 0.1, 0.6])],
      violation: { x in
        zip(x, [(-0.5, 0.3), (-0.1, 0.4), (-1, 0.1), (0.2, 0.6)]).map { max($1.0 - $0, $0 - $1.1) }.max()!
      }),
    Case(
      description: "simplex", project: { try projectOntoSimplex($0[0], total: $0[1]) },
      parameters: [Tensor(1.5)],
      violation: { x in max(x.map { -$0 }.max()!, abs(x.reduce(0, +) - 1.5)) }),
    Case(
      description: "l1", project: { try projectOntoL1Ball($0[0], radius: $0[1]) }, parameters: [Tensor(0.8)],
      violation: { x in x.map(abs).reduce(0, +) - 0.8 }),
    Case(
      description: "l2", project: { try projectOntoL2Ball($0[0], radius: $0[1]) }, parameters: [Tensor(0.8)],
      violation: { x in x.map { $0 * $0 }.reduce(0, +).squareRoot() - 0.8 }),
    Case(
      description: "infinity", project: { try projectOntoInfinityBall($0[0], radius: $0[1]) },
      parameters: [Tensor(0.3)], violation: { x in x.map(abs).max()! - 0.3 }),
    Case(
      description: "cone", project: { try projectOntoSecondOrderCone($0[0]) }, parameters: [],
      violation: { x in x.dropLast().map { $0 * $0 }.reduce(0, +).squareRoot() - x.last! }),
    Case(
      description: "halfspace", project: { try projectOntoHalfspace($0[0], normal: $0[1], offset: $0[2]) },
      parameters: [Tensor(normal), Tensor(-0.5)],
      violation: { x in zip(x, normal).map { $0 * $1 }.reduce(0, +) + 0.5 }),
    Case(
      description: "affine", project: { try projectOntoAffineSet($0[0], matrix: $0[1], values: $0[2]) },
      parameters: [Tensor(matrix, shape: [2, 4]), Tensor([0.5, -1])],
      violation: { x in
        max(
          abs(zip(x, matrix[..<4]).map { $0 * $1 }.reduce(0, +) - 0.5),
          abs(zip(x, matrix[4...]).map { $0 * $1 }.reduce(0, +) + 1))
      }),
    Case(
      description: "polyhedron",
      project: {
        try projectOntoPolyhedron($0[0], inequalities: $0[1], upper: $0[2], lowerBounds: $0[3])
      },
      parameters: [Tensor(matrix, shape: [2, 4]), Tensor([0.1, 0.2]), Tensor([-0.6, -0.6, -0.6, -0.6])],
      violation: { x in
        max(
          zip(x, matrix[..<4]).map { $0 * $1 }.reduce(0, +) - 0.1,
          zip(x, matrix[4...]).map { $0 * $1 }.reduce(0, +) - 0.2,
          x.map { -0.6 - $0 }.max()!)
      }),
  ]

  @Test(arguments: cases, 1..<7 as Range<UInt64>)
  func projectionsAreNearestPoints(item: Case, seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let y = random.uniform(-1.5, 1.5, count: 4)
    let x = try item.project([Tensor(y)] + item.parameters).values
    #expect(item.violation(x) < 1e-10)
    // Nobody in the set is nearer: (y − x) · (v − x) ≤ 0 for all v in it.
    for _ in 0..<20 {
      let v = try item.project([Tensor(random.uniform(-3, 3, count: 4))] + item.parameters).values
      let product = (0..<4).reduce(0.0) { sum, k in sum + (y[k] - x[k]) * (v[k] - x[k]) }
      #expect(product < 1e-9)
    }
    // Projecting again changes nothing.
    let again = try item.project([Tensor(x)] + item.parameters).values
    #expect(zip(again, x).allSatisfy { abs($0 - $1) < 1e-9 })
    let laws = GradientLaws(tolerance: 1e-7, step: 1e-4, order: 1)
    #expect(try laws.violations(of: item.project, at: [Tensor(y)] + item.parameters, seed: seed) == [])
  }

  @Test func pointsInsideStayAndTheCentreHasADerivative() throws {
    let zero = Tensor([0.0, 0, 0])
    let jacobian = try jacobian { try projectOntoL2Ball($0) }(zero)
    #expect(jacobian.values == [1, 0, 0, 0, 1, 0, 0, 0, 1])
    let apex = try grad { (x: Tensor) in try projectOntoSecondOrderCone(x).sum() }(Tensor([0.0, 0, -1]))
    #expect(apex.values == [0, 0, 0])
    let inside = try grad { (x: Tensor) in try projectOntoL1Ball(x).sum() }(Tensor([0.1, -0.2, 0]))
    #expect(inside.values == [1, 1, 1])
  }

  @Test func batchesGoAlongTheLastAxis() throws {
    var random = SeededRandom(seed: 3)
    let points = Tensor(random.uniform(-2, 2, count: 20), shape: [5, 4])
    for project in [
      { try projectOntoSimplex($0) }, { try projectOntoL1Ball($0) }, { try projectOntoL2Ball($0) },
      { try projectOntoSecondOrderCone($0) },
    ] as [(Tensor) throws -> Tensor] {
      let all = try project(points)
      for k in 0..<5 {
        let one = try project(points[k]).values
        #expect(zip(all[k].values, one).allSatisfy { abs($0 - $1) < 1e-14 })
      }
    }
  }

  @Test func mistakesAreNamed() {
    #expect(throws: TensorError.self) { try projectOntoSimplex(Tensor([1.0]), total: Tensor(0.0)) }
    #expect(throws: TensorError.self) { try projectOntoL2Ball(Tensor([1.0]), radius: Tensor(-1.0)) }
    #expect(throws: TensorError.self) {
      try projectOntoHalfspace(Tensor([1.0, 2]), normal: Tensor([0.0, 0]), offset: Tensor(1.0))
    }
    #expect(throws: TensorError.self) {
      try projectOntoAffineSet(
        Tensor([1.0, 2]), matrix: Tensor([1.0, 1, 2, 2], shape: [2, 2]), values: Tensor([1.0, 2]))
    }
  }
}
