import Autodiff
import ImplicitLayers
import LinearSolvers
import TestSupport
import Testing

/// What callers say of the Jacobian: it chooses the linear solver, and is an error where it is not so.
@Suite struct JacobianTagTests {
  /// Symmetric and positive definite, indefinite if `sign` is −1 for the last row.
  private static func matrix(_ sign: Double = 1) -> Tensor {
    Tensor([4, 1, 0, 1, 3, -1, 0, -1, 2 * sign], shape: [3, 3])
  }
  private static func solution(_ tags: OperatorTags, _ structure: JacobianStructure, sign: Double = 1)
    -> @Sendable ([Tensor]) throws -> Tensor
  {
    let differentiation = ImplicitDifferentiation(
      jacobian: structure, tags: tags,
      linearSolve: LinearSolveOptions(stopping: .init(relativeTolerance: 1e-14)))
    return { w in
      try root(
        { x in matmul(matrix(sign), x) + 0.1 * x * x * x * sign - w[0] * w[0] }, guess: Tensor.zeros([3]),
        options: RootOptions(tolerance: 1e-14, differentiation: differentiation))
    }
  }
  private static let point: [Tensor] = [[0.7, -1.2, 0.5]]

  @Test(
    arguments: [OperatorTags([]), .symmetric, .positiveDefinite],
    [JacobianStructure.dense, .sparse, .matrixFree])
  func symmetric(_ tags: OperatorTags, _ structure: JacobianStructure) throws {
    let solve = Self.solution(tags, structure)
    let expected = try jacobian { w in try Self.solution([], .dense)([w]) }(Self.point[0])
    let found = try jacobian { w in try solve([w]) }(Self.point[0])
    #expect(abs(expected).max().scalar > 0.3)
    #expect(distance(found, expected) < 1e-11)
    #expect(try GradientLaws(tolerance: 1e-7, step: 1e-2).violations(of: solve, at: Self.point) == [])
    // In a batch too, where small systems are factored together.
    let rows = Tensor((0..<24).map { 0.5 + 0.1 * Double($0) }, shape: [8, 3])
    let gradients = try vmap(grad { (w: Tensor) in try solve([w]).sum() })(rows)
    for k in 0..<8 {
      let alone = try grad { (w: Tensor) in try Self.solution([], .dense)([w]).sum() }(rows[k])
      #expect(distance(gradients[k], alone) < 1e-11)
    }
  }

  @Test(arguments: [true, false], [JacobianStructure.automatic, .dense, .sparse])
  func triangular(isLower: Bool, structure: JacobianStructure) throws {
    func solution(_ tags: OperatorTags, _ structure: JacobianStructure)
      -> @Sendable ([Tensor]) throws -> Tensor
    {
      { w in
        let options = RootOptions(
          tolerance: 1e-14, differentiation: ImplicitDifferentiation(jacobian: structure, tags: tags))
        return try root(
          { x in
            let sides = x.padded(before: [1], after: [1])
            let neighbour = isLower ? sides[..<5] : sides[2...]
            return 2.0 * x + x * x * x + sin(neighbour) * w[0] - w[0] * w[0]
          }, guess: Tensor.zeros([5]), options: options)
      }
    }
    let point: [Tensor] = [[0.7, -1.2, 0.5, 1.4, -0.3]]
    let tagged = solution(isLower ? .lowerTriangular : .upperTriangular, structure)
    let expected = try jacobian { w in try solution([], .dense)([w]) }(point[0])
    #expect(distance(try jacobian { w in try tagged([w]) }(point[0]), expected) < 1e-13)
    #expect(try GradientLaws(tolerance: 1e-7, step: 1e-2).violations(of: tagged, at: point) == [])
    // The other half.
    let wrong = solution(isLower ? .upperTriangular : .lowerTriangular, structure)
    let error = tensorError { _ = try grad { (w: [Tensor]) in try wrong(w).sum() }(point) }
    #expect(error?.reason == .argument && error?.message.contains("triangular") == true)
    let forward = tensorError { _ = try jvp(wrong, at: point, along: point) }
    #expect(forward?.reason == .argument)
  }

  /// Tags that are wrong never give a number.
  @Test(arguments: [JacobianStructure.dense, .sparse, .matrixFree], [1, 8])
  func wrongTags(_ structure: JacobianStructure, worlds: Int) throws {
    func error(_ solve: @escaping (Tensor) throws -> Tensor) -> TensorError? {
      let rows = Tensor((0..<3 * worlds).map { 0.5 + 0.1 * Double($0) }, shape: [worlds, 3])
      return tensorError {
        _ =
          worlds == 1
          ? try grad { w in try solve(w).sum() }(rows[0])
          : try vmap(grad { w in try solve(w).sum() })(rows)
      }
    }
    let skew = Tensor([4, 1, 0, 0.9, 3, -1, 0, -1, 2], shape: [3, 3])
    for tags in [OperatorTags.symmetric, .positiveDefinite] {
      let options = RootOptions(differentiation: ImplicitDifferentiation(jacobian: structure, tags: tags))
      let found = error { w in
        try root({ x in matmul(skew, x) - w }, guess: Tensor.zeros([3]), options: options)
      }
      #expect(found?.reason == .argument, "\(String(describing: found))")
    }
    // Symmetric, but not positive definite.
    let indefinite = error { w in try Self.solution(.positiveDefinite, structure, sign: -1)([w]) }
    #expect(indefinite != nil)
    #expect(indefinite?.reason != .shape, "\(String(describing: indefinite))")
  }

  @Test func contradictions() {
    for tags in [
      OperatorTags([.lowerTriangular, .upperTriangular]), [.lowerTriangular, .symmetric], [.unitDiagonal],
    ] {
      let error = layerError {
        _ = try root(
          { x in x - 1.0 }, guess: Tensor([0.0, 0]),
          options: RootOptions(differentiation: ImplicitDifferentiation(tags: tags)))
      }
      guard case .argument = error else {
        Issue.record("\(tags)")
        continue
      }
    }
    let error = layerError {
      _ = try root(
        { x in x - 1.0 }, guess: Tensor([0.0]),
        options: RootOptions(
          differentiation: ImplicitDifferentiation(jacobian: .matrixFree, tags: .lowerTriangular)))
    }
    #expect(error != nil)
  }

  /// A minimiser's Hessian is symmetric anyhow; said to be positive definite it is factored as such, and a saddle is refused.
  @Test func minimisers() throws {
    let options = MinimizationOptions(differentiation: ImplicitDifferentiation(tags: .positiveDefinite))
    let solve = { (w: Tensor, options: MinimizationOptions) in
      try minimize(
        { x in (exp(x * w) - 2.0 * x).sum() + square(x.sum()) }, guess: Tensor.zeros([3]), options: options)
    }
    let w = Tensor([0.8, 1.1, 1.3])
    let tagged = try jacobian { w in try solve(w, options) }(w)
    #expect(distance(tagged, try jacobian { w in try solve(w, MinimizationOptions()) }(w)) < 1e-12)
    #expect(abs(tagged).max().scalar > 0.1)
  }

  /// A Jacobian whose products are not finite is not symmetric.
  @Test(arguments: [JacobianStructure.sparse, .matrixFree])
  func symmetryThatIsNotFinite(_ structure: JacobianStructure) throws {
    let differentiation = ImplicitDifferentiation(
      jacobian: structure, tags: .symmetric, checksSolution: false)
    let error = tensorError {
      _ = try jvp(
        { (w: Tensor) in
          try implicitRoot(
            { (x: Tensor, w: Tensor) in sqrt(x) - w }, guess: Tensor.zeros([3]), parameters: w,
            differentiation: differentiation
          ) { _, w in w * w }
        }, at: Tensor([1.0, 0, 2]), along: Tensor([1.0, 1, 1]))
    }
    #expect(error?.reason == .nonFinite && error?.message.contains("symmetric") == true, "\(error as Any)")
  }
}
