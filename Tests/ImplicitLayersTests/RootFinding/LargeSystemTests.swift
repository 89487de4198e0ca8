import Autodiff
import ImplicitLayers
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// Systems whose Jacobian is sparse, or is never formed.
@Suite struct LargeSystemTests {
  static let exact = LinearSolveOptions(
    method: .gmres(restart: 60), stopping: StoppingCriterion(relativeTolerance: 1e-13))

  /// Bratu's equation: the sparse, coloured Jacobian, the dense one and products with it find one solution, with one derivative.
  @Test func structuresAgree() throws {
    let m = 12
    let weight = Tensor((0..<m * m).map { Double($0 % 7) - 2 }, shape: [m, m])
    var found: [(u: Tensor, slope: Double, tangent: Tensor)] = []
    for structure in [JacobianStructure.dense, .sparse, .automatic, .matrixFree] {
      for method in [RootMethod.newton(), .chord] {
        let solve = { (lambda: Tensor) in
          try root(
            { u in bratu(u, lambda) }, guess: Tensor.zeros([m, m]),
            options: .init(
              method: method, jacobian: structure,
              differentiation: structure == .matrixFree
                ? .matrixFree(Self.exact) : ImplicitDifferentiation(jacobian: structure)))
        }
        found.append(
          (
            try solve(3.0), try grad { lambda in (weight * (try solve(lambda))).sum() }(3.0).scalar,
            try jvp(solve, at: 3.0, along: 1.0).tangent
          ))
      }
    }
    for other in found {
      #expect(distance(other.u, found[0].u) < 1e-10)
      #expect(distance(other.tangent, found[0].tangent) < 1e-10)
      #expect(abs(other.slope - found[0].slope) < 1e-10 * abs(found[0].slope))
      #expect(abs((weight * other.tangent).sum().scalar - other.slope) < 1e-10 * abs(other.slope))
    }
    #expect(found[0].u.max().scalar > 0.2 && abs(found[0].slope) > 0.1)
    let differences = try CentralDifferences(step: 0.1) { e in
      try (weight * root({ u in bratu(u, Tensor(3.0 + e)) }, guess: Tensor.zeros([m, m]))).sum().scalar
    }
    #expect(abs(differences.convergence - 4) < 0.2)
    #expect(abs(differences.extrapolated - found[0].slope) < 1e-7 * abs(found[0].slope))
  }

  /// 2500 unknowns, whose structure is found from the trace; second order through the sparse factorisation.
  @Test func largeSparse() throws {
    let m = 50
    let solve = { (lambda: Tensor) in
      try root({ u in bratu(u, lambda) }, guess: Tensor.zeros([m, m]))
    }
    let top = { (lambda: Tensor) in try solve(lambda).max() }
    let u = try solve(2.0)
    #expect(abs(bratu(u, 2.0)).max().scalar < 1e-12)
    let slope = try grad(top)(2.0).scalar
    let second = try jvp(grad(top), at: 2.0, along: 1.0).tangent.scalar
    let differences = try CentralDifferences(step: 0.1) { e in try grad(top)(Tensor(2.0 + e)).scalar }
    #expect(slope > 0.05 && second > 0.01)
    #expect(abs(second - differences.extrapolated) < 1e-7 * abs(second))
  }

  /// 20 000 unknowns by products with the Jacobian only, in both modes.
  @Test func matrixFree() throws {
    let n = 20_000
    let solve = { (w: Tensor) in
      try root(
        { x in tridiagonal(x) - w }, guess: Tensor(repeating: -0.7, shape: [n]),
        options: .init(
          method: .newton(), jacobian: .matrixFree, differentiation: .matrixFree(Self.exact)))
    }
    let sparse = { (w: Tensor) in
      try root({ x in tridiagonal(x) - w }, guess: Tensor(repeating: -0.7, shape: [n]))
    }
    let w = Tensor((0..<n).map { 0.1 * Double($0 % 5) / 5 })
    let (a, b) = (try solve(w), try sparse(w))
    #expect(abs(tridiagonal(a) - w).max().scalar < 1e-11)
    #expect(distance(a, b) < 1e-10)
    let (first, second) = (try grad { w in try solve(w).sum() }(w), try grad { w in try sparse(w).sum() }(w))
    #expect(distance(first, second) < 1e-9)
    #expect(abs(second).max().scalar > 0.1)
  }

  /// Methods that hold a dense matrix say so.
  @Test func refusals() throws {
    for (method, structure) in [
      (RootMethod.broyden, JacobianStructure.sparse), (.dogleg, .sparse), (.dogleg, .matrixFree),
      (.levenbergMarquardt, .sparse), (.broyden, .matrixFree),
    ] {
      guard
        case .argument(let text) = layerError({
          _ = try root(
            { x in tridiagonal(x) }, guess: Tensor(repeating: -1, shape: [5]),
            options: .init(method: method, jacobian: structure))
        })
      else {
        Issue.record("\(method) with \(structure)")
        continue
      }
      #expect(text.contains("dense"))
    }
  }

  /// Where rounding hides whether a step helps, a short step is the end; but only if it solves its system. The second equation has no root, and
  /// the products' part of the first is all that an iteration can reduce.
  @Test(arguments: [RootMethod.newton(), .chord]) func unsolvedSteps(method: RootMethod) throws {
    let report = try rootWithReport(
      { x in stack([1e10 * (x[0] * x[0] - 2.0), 0.0 * x[1] + 1e-6]) }, guess: Tensor([1.5, 1]),
      options: .init(method: method, jacobian: .matrixFree))
    #expect(abs(report.solution[0].scalar - 2.0.squareRoot()) < 1e-12)
    #expect(report.measure.scalar >= 1e-6)
    #expect(try report.solverStatus() != .converged)
  }
}
