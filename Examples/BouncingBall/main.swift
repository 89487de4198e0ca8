// Throws a ball so that it is where it should be after three bounces: gradients through impacts, whose times move with the throw.
//
//     swift run -c release BouncingBall [--quick] [figure.svg]
import Autodiff
import DifferentialEquations
import ImplicitLayers
import TextFigures

let program = ExampleProgram()

/// Height and velocity. The parameters are gravity and the part of the speed that a bounce leaves.
let ball = OrdinaryDifferentialEquation(
  events: [
    EquationEvent<Tensor, Tensor>(
      .falling, of: { _, y, _ in y[0] }, jump: { _, y, p in stack([y[0], -p[1] * y[1]]) })
  ]
) { (_, y: Tensor, p: Tensor) in stack([y[1], -p[0] + 0.0 * y[0]]) }

let options = SolverOptions(relativeTolerance: 1e-10, absoluteTolerance: 1e-12)
let (startHeight, gravity, end, bounces) = (1.0, 9.81, 3.0, 3)

/// The height at the end, by the solver, of `[velocity, restitution]`.
func height(_ x: Tensor) throws -> Tensor {
  try ball.solve(
    from: stack([Tensor(startHeight), x[0]]), parameters: stack([Tensor(gravity), x[1]]),
    endTime: Tensor(end),
    options: options)[0]
}

/// The same in closed form: the first impact has the speed u = √(v² + 2 g h), the k-th flight the speed u eᵏ and the duration 2 u eᵏ / g.
func exactHeight(_ x: Tensor) -> Tensor {
  let (velocity, restitution) = (x[0], x[1])
  let speed = sqrt(square(velocity) + 2 * gravity * startHeight)
  var (impact, rising) = ((velocity + speed) / gravity, restitution * speed)
  for _ in 1..<bounces { (impact, rising) = (impact + 2.0 * rising / gravity, restitution * rising) }
  let flight = end - impact
  return rising * flight - 0.5 * gravity * square(flight)
}

// Derivatives of first and second order at a guess, beside the closed form's.
let restitution = 0.85
let guess = Tensor([2.6, restitution])
let slope = try grad(height)(guess)
let exactSlope = try grad(exactHeight)(guess)
let curvature = try hessian(height)(guess)
let exactCurvature = try hessian(exactHeight)(guess)
print("by throwing velocity and restitution, through \(bounces) bounces:")
print("  gradient by the solver  \(formatted(slope.values, digits: 12))")
print("  gradient in closed form \(formatted(exactSlope.values, digits: 12))")
print("  Hessian by the solver   \(formatted(curvature.values, digits: 12))")
print("  Hessian in closed form  \(formatted(exactCurvature.values, digits: 12))")

/// The largest difference, relative to the largest number.
func difference(_ a: Tensor, _ b: Tensor) -> Double { (abs(a - b).max() / abs(b).max()).scalar }

// The velocity that meets a target is the root of an equation that holds the whole flight, and a differentiable function of the target.
func velocity(meeting target: Tensor) throws -> Tensor {
  try root({ v in try height(stack([v, Tensor(restitution)])) - target }, guess: guess[0])
}
let target = 0.45
let (found, rate) = try valueAndGrad(velocity)(Tensor(target))
let reached = exactHeight(stack([found, Tensor(restitution)])).scalar
let exactRate = try 1.0 / grad(exactHeight)(stack([found, Tensor(restitution)]))[0]
print(
  "to be at \(target) m after \(end) s: throw with \(formatted(found.scalar)) m/s; in closed form that is \(reached) m"
)
print(
  "a target 1 m higher needs \(formatted(rate.scalar)) m/s more; in closed form \(formatted(exactRate.scalar))"
)

if let path = program.figurePath {
  var figure = VectorFigure(
    title: "A ball that shall be \(target) m high after \(end) s", horizontal: .init("time [s]"),
    vertical: .init("height [m]"))
  let times = Tensor.linearSpace(from: 0.005, to: end, count: 600)
  for (name, velocity) in [("first guess", guess[0]), ("found", found)] {
    let path = try ball.solve(
      from: stack([Tensor(startHeight), velocity]), parameters: Tensor([gravity, restitution]), times: times,
      options: options)
    figure.add(name, zip(times.values, path[.all, 0].values))
  }
  figure.add("target", [(end, target)], as: .points)
  try figure.write(to: path)
}
program.require(
  difference(slope, exactSlope) < 1e-8 && difference(curvature, exactCurvature) < 1e-8,
  "derivatives through the impacts differ from the closed form's")
program.require(
  abs(reached - target) < 1e-8 && difference(rate, exactRate) < 1e-8, "the throw misses its target")
