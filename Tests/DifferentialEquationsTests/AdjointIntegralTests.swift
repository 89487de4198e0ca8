import Autodiff
import DifferentialEquations
import Foundation
import Testing

/// Gradients by parameters where the cotangent of the state says little of them.
@Suite struct AdjointIntegralTests {
  private func equation(_ method: SolverMethod, _ options: SolverOptions = SolverOptions()) -> SolverOptions {
    var options = options
    options.method = method
    (options.relativeTolerance, options.absoluteTolerances) = (1e-8, [1e-8])
    options.maximumSteps = 1_000_000
    return options
  }

  /// y' = p sin 10 t: the cotangent of y is constant, so that nothing but the steps' limit resolves what the parameter does.
  @Test(
    arguments: [
      SolverMethod.dormandPrince5, .tsitouras5, .dormandPrince8, .kvaerno3, .kvaerno5, .radau5,
      .backwardDifferentiation,
    ], [1, 20])
  func forcing(method: SolverMethod, copies: Int) throws {
    let forced = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      p[0] * sin(10.0 * t) + 0.0 * y
    }
    let slope = try grad { (p: Tensor) in
      try forced.solve(
        from: Tensor.zeros([copies]), parameters: p, times: [10.0], options: equation(method),
        gradient: .continuousAdjoint
      )[0, 0]
    }([1.0]).values[0]
    #expect(abs(slope - 0.1 * (1 - Foundation.cos(100))) < 2e-5, "\(slope)")
  }

  /// The last of the recorded steps is as short as rounding makes it.
  @Test func tinyLastStep() throws {
    var options = equation(.tsitouras5)
    (options.initialStep, options.maximumStep) = (0.1, 0.1)
    let decay = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in -p * y }
    let slope = try grad { (p: Tensor) in
      try decay.solve(
        from: [1.0], parameters: p, times: [1.0], options: options, gradient: .continuousAdjoint
      )
      .sum()
    }([1.0]).values[0]
    #expect(abs(slope + Foundation.exp(-1)) < 1e-7)
  }

  /// ∂f/∂p is infinite where f and ∂f/∂y are not.
  @Test(arguments: [SolverMethod.tsitouras5, .radau5, .kvaerno5], GradientMethod.allCases)
  func infiniteDerivatives(method: SolverMethod, gradient: GradientMethod) throws {
    let growth = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in sqrt(p) * y }
    #expect(throws: TensorError.self) {
      _ = try grad { (p: Tensor) in
        try growth.solve(
          from: [1.0], parameters: p, times: [1.0], options: equation(method), gradient: gradient
        ).sum()
      }([0.0])
    }
  }
}
