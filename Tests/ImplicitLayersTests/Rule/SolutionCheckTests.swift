import Autodiff
import ImplicitLayers
import LinearSolvers
import Testing

/// Derivatives of what is no root, or has another structure than was said, are errors.
@Suite struct SolutionCheckTests {
  private static let matrix = Tensor([2, 1, 1, 3], shape: [2, 2])

  /// A x = w by a solver that answers so much too large.
  private static func layer(_ differentiation: ImplicitDifferentiation, error: Double = 0) -> (Tensor) throws
    -> Tensor
  {
    { w in
      try implicitRoot(
        { x, w in w - matmul(matrix, x) }, guess: Tensor.zeros([2]), parameters: w,
        differentiation: differentiation
      ) { _, w in
        let (a, b) = (w.values[0], w.values[1])
        return Tensor([(3 * a - b) / 5 + error, (2 * b - a) / 5])
      }
    }
  }
  private static let point: Tensor = [1, 2]

  /// Units of equations and of unknowns do not matter: a matrix whose condition is 10²⁴ only for them is regular, one that is singular in any
  /// units is not.
  @Test func units() throws {
    let solve = { (w: Tensor, units: Double) in
      try implicitRoot(
        { x, w in
          let first: Tensor = units * (x[0] * x[0] - w[0])
          let second: Tensor = (x[0] * x[1] * (units * units) - w[1]) / units
          return stack([first, second])
        }, guess: Tensor.ones([2]), parameters: w
      ) { _, w in
        let x = w.values[0].squareRoot()
        return Tensor([x, w.values[1] / x / (units * units)])
      }
    }
    let w = Tensor([2.0, 3])
    let expected = try jacobian { w in try solve(w, 1) }(w)
    #expect(abs(expected).max().scalar > 0.5)
    for units in [1e-6, 1e6, 1e8] {
      let scaled = try jacobian { w in try solve(w, units) }(w) * Tensor([1, units * units]).expandingAxis(1)
      #expect(distance(scaled, expected) < 1e-13)
      // In reverse mode and of order two.
      let curvature = { (units: Double) in
        try hessian { (w: Tensor) in (try solve(w, units) * Tensor([1, units * units])).sum() }(w)
      }
      #expect(distance(try curvature(units), try curvature(1)) < 1e-12)
    }
    let dependent = layerError {
      let report = try rootWithReport(
        { x in stack([1e8 * (x[0] + x[1] - 2.0), 1e-3 * (x[0] + x[1] - 2.0)]) }, guess: Tensor([1.0, 1]))
      #expect(try report.solverStatus() == .degenerate)
    }
    #expect(dependent == nil)
  }

  /// Row sums would pass for the diagonal.
  @Test func diagonalThatIsNone() throws {
    let differentiation = ImplicitDifferentiation(jacobian: .diagonal)
    let text = "\(try #require(layerError { _ = try Self.layer(differentiation)(Self.point) }))"
    #expect(text.contains("element 0") && text.contains("unknown 1"))
    let options = RootOptions(differentiation: differentiation)
    #expect(
      layerError {
        _ = try root({ x in Self.point - matmul(Self.matrix, x) }, guess: Tensor.zeros([2]), options: options)
      } != nil)
    #expect(
      layerError {
        _ = try fixedPoint(
          { x in 0.1 * matmul(Self.matrix, x) + Self.point }, guess: Tensor.zeros([2]),
          options: FixedPointOptions(differentiation: differentiation))
      } != nil)
    // One that is: x² = w.
    let roots = try jvp(
      { w in try root({ x in x * x - w }, guess: Tensor.ones([2]), options: options) }, at: [4, 9],
      along: [1, 1]
    ).tangent
    #expect(distance(roots, [0.25, 1.0 / 6]) < 1e-12)
  }

  static let series: [ImplicitDifferentiation] = [
    .neumann(terms: 3), .phantom(steps: 3, damping: 0.2), .oneStep,
    .matrixFree(), ImplicitDifferentiation(jacobian: .dense), ImplicitDifferentiation(jacobian: .sparse),
  ]
  @Test(arguments: series) func noRoot(_ differentiation: ImplicitDifferentiation) throws {
    func slopes(_ differentiation: ImplicitDifferentiation, error: Double) throws -> [Tensor] {
      let f = Self.layer(differentiation, error: error)
      return [try jvp(f, at: Self.point, along: [1, -1]).tangent, try grad { try f($0).sum() }(Self.point)]
    }
    // The root itself passes, and so does one to a millionth.
    for error in [0, 1e-6] { #expect(try slopes(differentiation, error: error).count == 2) }
    for forward in [true, false] {
      let f = Self.layer(differentiation, error: 0.1)
      let error = tensorError {
        if forward {
          _ = try jvp(f, at: Self.point, along: [1, -1])
        } else {
          _ = try grad { try f($0).sum() }(Self.point)
        }
      }
      #expect("\(try #require(error))".contains("no root"))
    }
    var unchecked = differentiation
    unchecked.checksSolution = false
    #expect(try distance(slopes(unchecked, error: 0.1)[0], slopes(unchecked, error: 0)[0]) < 1e-12)
  }

  /// A failed solve has no derivative, by no parameter: nor by one on which its residual does not depend.
  @Test func failedWithoutInfluence() throws {
    let solution = { (w: Tensor) in
      try rootWithReport(
        { x in x * x + 1.0 + 0.0 * stopGradient(w) }, guess: Tensor(0.5), options: RootOptions()
      ).solution
    }
    #expect(tensorError { _ = try grad(solution)(2.0) } != nil)
  }

  @Test func notFiniteCotangent() throws {
    let pullback = try vjp(Self.layer(.implicit), at: Self.point).pullback
    let result = Result { try pullback(Tensor([Double.nan, 1])).values }
    // An error, or a number that says so; never one that looks like a gradient.
    if case .success(let values) = result { #expect(values.allSatisfy { !$0.isFinite }) }
  }
}
