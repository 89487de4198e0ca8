import Costate

let model = try Model.load(path: "Models/cartpole.xml")
let simulator = try Simulator<Double>(model)
var start = BatchState<Double>(model, worldCount: 1024)
for world in 0..<1024 { start.positions[2 * world + 1] = 1e-4 * Double(world) }

// Half a second in 1024 worlds, each with the pole leaning a little more; nobody pushes the cart.
let noPush = SimulationInputs<Double>(controls: InputSequence(values: [0]))
let tape = try simulator.record(from: start, inputs: noPush, steps: 100)
let angles = (0..<1024).map { tape.result.finalState.positions[2 * $0 + 1] }
print("pole after 0.5 s:", angles[1], "to", angles[1023], "rad")

// How the last angles depend on the initial ones, and their sum on a steady push.
let byAngle = StateCotangents<Double>(
  positions: (0..<1024).flatMap { _ in [0, 1] }, velocities: Array(repeating: 0, count: 2048))
let gradient = try tape.gradient(final: byAngle)
print(
  "growth of a lean:", gradient.initialState.positions[1], "small;", gradient.initialState.positions[2047],
  "large")
print("sum of angles by the push:", gradient.controls!.values[0])
