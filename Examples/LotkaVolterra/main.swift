// Finds the four rates of a predator–prey model from noisy counts, by gradients through the solver, and draws the fit.
//
//     swift run -c release LotkaVolterra [figure.svg]
import Autodiff
import DifferentialEquations
import Learning
import TextFigures

let program = ExampleProgram()

/// Prey and predators: births, what predators take, what they gain from it, and their deaths.
let model = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, rates: Tensor) in
  stack([(rates[0] - rates[1] * y[1]) * y[0], (rates[2] * y[0] - rates[3]) * y[1]])
}
let start: Tensor = [1.0, 1.0]
let truth: Tensor = [1.5, 1.0, 0.8, 3.0]
let times = Tensor.linearSpace(from: 0.1, to: 10, count: 100)

let exact = try model.solve(from: start, parameters: truth, times: times)
let measured = exact * exp(RandomKey(seed: 1).normal(exact.shape) * 0.1)

/// The mean square of how far logarithms of the counts are off. Rates are sought as logarithms too: they stay positive.
let valueAndGradient = jit { (logarithms: [Tensor]) -> [Tensor] in
  let (value, gradient) = try valueAndGrad { (x: Tensor) in
    let counts = try model.solve(from: start, parameters: exp(x), times: times)
    return square(log(counts) - log(measured)).mean()
  }(logarithms[0])
  return [value, gradient]
}

let guess: Tensor = [1.2, 0.8, 0.9, 2.5]
var losses: [Double] = []
var gradientCount = 0
let begin = ContinuousClock.now
let result = try LimitedMemoryBFGS().minimize(
  from: log(guess),
  { x in
    gradientCount += 1
    // Rates that let the populations explode are no candidates: the search steps back.
    do {
      let both = try valueAndGradient([x])
      return (both[0], both[1])
    } catch is TensorError { return (Tensor(Double.infinity), x) }
  }, report: { losses.append($1) })
let seconds = (ContinuousClock.now - begin) / .seconds(1)
let rates = exp(result.point)

print(TextPlot(title: "mean square error by iteration (logarithmic)", isLogarithmic: true).text(losses))
print("\(gradientCount) gradients through the solver in \(formatted(seconds: seconds))")
print("rates found: \(formatted(rates.values, digits: 4)); true: \(formatted(truth.values, digits: 4))")

if let path = program.figurePath {
  let fine = Tensor.linearSpace(from: 0.02, to: 10, count: 500)
  let fitted = try model.solve(from: start, parameters: rates, times: fine)
  var figure = VectorFigure(
    title: "Prey and predators: noisy counts and the model found from them", horizontal: .init("time"),
    vertical: .init("count"))
  for (species, (name, color)) in [("prey", "#1f77b4"), ("predators", "#d62728")].enumerated() {
    figure.add(
      "\(name), counted", zip(times.values, measured[.all, species].values), as: .points, color: color)
    figure.add(name, zip(fine.values, fitted[.all, species].values), color: color)
  }
  try figure.write(to: path)
}
program.require(
  zip(rates.values, truth.values).allSatisfy { abs($0 / $1 - 1) < 0.05 },
  "the rates found are more than 5 % off the true ones")
