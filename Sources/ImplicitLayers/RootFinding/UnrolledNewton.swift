import Autodiff
import LinearSolvers

/// Newton's method as recorded operations: x ← x − F_x(x)⁻¹ F(x), a fixed number of times.
func unrolledNewton<Unknown: TensorTree>(
  _ residual: (Unknown) throws -> Unknown, _ guess: Unknown, _ options: RootOptions,
  _ iterations: (all: Int, differentiated: Int)
) throws -> Unknown {
  let name = "root"
  try options.differentiation.check()
  guard options.method == .automatic || options.method == .newton(lineSearch: false) else {
    throw ImplicitLayerError.argument(
      "\(name): the iteration that can be unrolled is Newton's without a line search; differentiate other methods implicitly"
    )
  }
  let staged = try StagedFunction(name, guess: guess) { x, _ in try residual(x).leaves }
  try staged.requireResidual(name)
  func steps(_ count: Int, _ start: [Tensor], _ parameters: [Tensor]) throws -> [Tensor] {
    let flat = FlatResidual(
      program: staged.program, unknownTypes: staged.unknownTypes, parameters: parameters)
    guard flat.count > 0 else { return start }
    let x = try forLoop(count, initial: flat.joined(start)) { _, x in
      let matrix = try jacobian(flat.callAsFunction, mode: .forward)(x)
      return x - LinearSolvers.solve(.dense(matrix), try flat(x), options.differentiation.linearSolve)
    }
    return flat.separated(x)
  }
  return try guess.replacing(leaves: recordedSteps(iterations, staged.guess, staged.parameters, steps))
}

/// Makes steps of which only the last are differentiated.
func recordedSteps(
  _ iterations: (all: Int, differentiated: Int), _ start: [Tensor], _ parameters: [Tensor],
  _ steps: (_ count: Int, _ start: [Tensor], _ parameters: [Tensor]) throws -> [Tensor]
) throws -> [Tensor] {
  guard iterations.differentiated < iterations.all else {
    return try steps(iterations.all, start, parameters)
  }
  let first = try steps(
    iterations.all - iterations.differentiated, start.map { stopGradient($0) },
    parameters.map { stopGradient($0) })
  return try steps(iterations.differentiated, first.map { stopGradient($0) }, parameters)
}
