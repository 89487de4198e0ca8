// Physics-informed networks for a damped oscillation, x'' + μ x' + k x = 0 with x(0) = 1 and x'(0) = 0: a network of time alone is
// trained until it obeys the equation (after Moseley's workshop on such networks). Three tasks: the motion at a natural frequency
// ω₀ = 20; the friction μ from noisy measurements; and the motion at ω₀ = 80 as a slow network times a sine.
//
//     swift run -c release DampedOscillator [--quick] [figure.svg]
import Autodiff
import ImplicitLayers
import Learning
import TextFigures

let program = ExampleProgram()
let keys = RandomKey(seed: 1).split(5)
func key(_ k: Int) -> RandomKey { RandomKey(bits: keys.bits[k]) }

/// μ = 2 d and k = ω₀².
let decay = 2.0
let friction = 2 * decay

func exactPlace(_ t: Tensor, frequency: Double) -> Tensor {
  let turn = (frequency * frequency - decay * decay).squareRoot()
  return exp(-decay * t) * (cos(turn * t) + decay / turn * sin(turn * t))
}

/// Place, velocity and acceleration of a function of time, by forward mode in forward mode.
func motion(_ place: (Tensor) throws -> Tensor, at t: Tensor) throws -> (x: Tensor, v: Tensor, a: Tensor) {
  func velocity(_ t: Tensor) throws -> Tensor { try jvp(place, at: t, along: 1.0).tangent }
  let (v, a) = try jvp(velocity, at: t, along: 1.0)
  return (try place(t), v, a)
}

/// How far a function of time is from obeying the equation, in units of x, at times in the root mean square.
func equationResidual(
  _ place: @escaping (Tensor) throws -> Tensor, friction: Tensor, frequency: Double, _ times: Tensor
) throws -> Tensor {
  try vmap { (t: Tensor) in
    let m = try motion(place, at: t)
    return (m.a + friction * m.v) / (frequency * frequency) + m.x
  }(times) / Double(times.count).squareRoot()
}
func startResidual(_ place: (Tensor) throws -> Tensor, frequency: Double) throws -> Tensor {
  let m = try motion(place, at: 0.0)
  return stack([m.x - 1.0, m.v / frequency])
}

/// A network of time with one hidden layer, whose units switch at places spread over the interval as fast as the motion does.
func network(width: Int, frequency: Double, _ key: RandomKey) -> MultilayerPerceptron {
  let parts = key.split(3)
  let slopes = RandomKey(bits: parts.bits[0]).normal([width]) * (frequency / 2)
  let places = RandomKey(bits: parts.bits[1]).uniform([width])
  var result = MultilayerPerceptron(
    sizes: [1, width, 1], activation: .tanh, key: RandomKey(bits: parts.bits[2]))
  result.layers[0] = DenseLayer(weights: slopes.reshaped([1, width]), bias: -slopes * places)
  return result
}
func place(_ network: MultilayerPerceptron, _ t: Tensor) -> Tensor { network(t.reshaped([1]))[0] }

/// Levenberg and Marquardt's method takes some hundred steps where those of first order take tens of thousands.
func fit<Model: TensorTree>(_ start: Model, _ residuals: (Model) throws -> [Tensor]) throws -> Model {
  let clock = ContinuousClock.now
  // It goes on gaining digits for long: the last step counts as converged or not alike.
  let limit = SolveControl(maximumIterations: program.isQuick ? 200 : 1000)
  let report = try nonlinearLeastSquaresWithReport(
    residuals, guess: start, options: LeastSquaresOptions(control: limit))
  let seconds = (ContinuousClock.now - clock) / .seconds(1)
  print("  \(formatted(report.iterations.values)) iterations in \(formatted(seconds: seconds))")
  return report.solution
}
let fine = Tensor.linearSpace(from: 0, to: 1, count: 800)
func relativeError(_ values: Tensor, _ exact: Tensor) -> Double {
  (norm(values - exact) / norm(exact)).scalar
}

// The motion from the equation alone.
print("ω₀ = 20, the motion:")
let times = Tensor.linearSpace(from: 0, to: 1, count: 60)
let free = try fit(network(width: 20, frequency: 20, key(0))) { n in
  [
    try equationResidual({ place(n, $0) }, friction: Tensor(friction), frequency: 20, times),
    try startResidual({ place(n, $0) }, frequency: 20),
  ]
}
let freeValues = try vmap { place(free, $0) }(fine)
let freeError = relativeError(freeValues, exactPlace(fine, frequency: 20))
print("  relative error \(formatted(freeError, digits: 2))")

// Motion and friction from measurements with noise.
struct Unknown: TensorTree {
  var network: MultilayerPerceptron
  var friction: Tensor
}
let (count, noise) = (300, 0.02)
let measuredTimes = key(1).uniform([count])
let measured = exactPlace(measuredTimes, frequency: 20) + noise * key(2).normal([count])
print("ω₀ = 20, the friction from \(count) measurements with a noise of \(noise):")
let found = try fit(
  Unknown(network: network(width: 20, frequency: 20, key(3)), friction: 0.0)
) { u in
  let equation = try equationResidual({ place(u.network, $0) }, friction: u.friction, frequency: 20, times)
  // The equation holds to a part of the noise that no measurement sees.
  let misfit = (try vmap { place(u.network, $0) }(measuredTimes) - measured) / noise
  return [1e4 * equation, misfit]
}
print("  friction \(formatted(found.friction.scalar)), true: \(formatted(friction))")

// Many periods: a slow network times a sine whose frequency and phase are learned.
struct Wave: TensorTree {
  var network: MultilayerPerceptron
  var frequency: Tensor
  var phase: Tensor
  func callAsFunction(_ t: Tensor) -> Tensor { place(network, t) * sin(frequency * t + phase) }
}
print("ω₀ = 80, a network times a sine:")
let wave = try fit(
  Wave(network: network(width: 8, frequency: 4, key(4)), frequency: 70.0, phase: 1.0)
) { w in
  [
    try equationResidual(
      { w($0) }, friction: Tensor(friction), frequency: 80, Tensor.linearSpace(from: 0, to: 1, count: 200)),
    try startResidual({ w($0) }, frequency: 80),
  ]
}
let waveValues = try vmap { wave($0) }(fine)
let waveError = relativeError(waveValues, exactPlace(fine, frequency: 80))
print(
  "  frequency \(formatted(wave.frequency.scalar, digits: 8)), phase \(formatted(wave.phase.scalar, digits: 8))"
)
print("  relative error \(formatted(waveError, digits: 2))")

if let path = program.figurePath {
  var figure = VectorFigure(
    title: "Damped oscillations: networks that learned them from their equation", horizontal: .init("time"),
    vertical: .init("place"))
  figure.add("measured, ω₀ = 20", zip(measuredTimes.values, measured.values), as: .points, color: "#bbbbbb")
  for (frequency, values) in [(80.0, waveValues), (20, freeValues)] {
    let name = "ω₀ = \(formatted(frequency))"
    figure.add("exact, \(name)", zip(fine.values, exactPlace(fine, frequency: frequency).values))
    figure.add("network, \(name)", zip(fine.values, values.values), as: .dashedLine)
  }
  try figure.write(to: path)
}
program.require(freeError < 2e-2, "the network is more than 2 % off the motion at ω₀ = 20")
program.require(
  abs(found.friction.scalar - friction) < 0.05, "the friction found is more than 0.05 off the true one")
program.require(waveError < 1e-4, "the wave is more than 0.01 % off the motion at ω₀ = 80")
