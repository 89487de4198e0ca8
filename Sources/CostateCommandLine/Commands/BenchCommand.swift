import ArgumentParser
import Costate
import Foundation
import TextFigures

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Time the kernels and the package's models.",
    discussion: "One thread unless --threads says more. Times are per step and world.")

  @OptionGroup var common: CommonOptions

  @Option(help: ArgumentHelp("Run only what has this text in its name.", valueName: "text"))
  var filter: String?

  @Option(help: ArgumentHelp("The directory of the package's models.", valueName: "directory"))
  var models: String?

  func run() throws {
    let threads = common.threads ?? 1
    var benchmarks = KernelBenchmarks.all
    let models = try ProjectModels(directory: self.models)
    for name in ProjectModels.names {
      benchmarks += try ModelBenchmarks(
        name: name, path: models.path(name), model: models.load(name), threads: threads
      )
      .all()
    }
    let chosen = benchmarks.filter { filter.map($0.name.contains) ?? true }
    guard !chosen.isEmpty else {
      let names = benchmarks.map(\.name).joined(separator: "\n  ")
      throw CommandFailure(
        .wrongUsage, "--filter: no benchmark's name contains '\(filter ?? "")'; known are\n  \(names)")
    }
    let bar = ProgressBar("bench", total: chosen.count, unit: "benchmarks")
    var results: [BenchmarkResult] = []
    for benchmark in chosen {
      results.append(try reportingFailures { try BenchmarkRunner().run(benchmark) })
      bar.advance()
    }
    bar.finish()
    try Report(
      json: ["results": .array(results.map(\.json)), "threads": .integer(threads)],
      text: Self.table(results).text
    ).print(asJSON: common.json)
  }

  private static func table(_ results: [BenchmarkResult]) -> TextTable {
    var table = TextTable([
      .init("benchmark", .left), .init("median"), .init("min"), .init("max"), .init("unit", .left),
    ])
    for result in results {
      table.append(
        [result.name] + [result.median, result.min, result.max].map { formatted($0, digits: 4) } + [
          result.unit
        ])
    }
    return table
  }
}

/// Vector functions and forward kinematics, per lane type.
enum KernelBenchmarks {
  static var all: [Benchmark] {
    functions(Double.self, "float64 x 1") + functions(SIMD8<Double>.self, "float64 x 8")
      + functions(SIMD16<Float>.self, "float32 x 16")
  }

  private static func functions<L: Lane>(_ lane: L.Type, _ label: String) -> [Benchmark] {
    let count = 4096
    let input = (0..<count).map { L(0.1 + 1.7 * Double($0) / Double(count)) }
    func benchmark(_ name: String, _ function: @escaping (L) -> L) -> Benchmark {
      Benchmark(name: "lanes/\(name)/\(label)", item: "number", items: count * L.laneCount) {
        // The sum keeps the work from being left out.
        var sum = L(0.0)
        for x in input { sum += function(x) }
        blackHole(sum)
      }
    }
    return [
      benchmark("sin") { $0.sine }, benchmark("exp") { $0.exponential },
      benchmark("log") { $0.naturalLogarithm },
      benchmark("sqrt") { $0.squareRoot },
    ]
  }
}

/// Hides that a value is not used.
@inline(never)
private func blackHole<T>(_ value: T) {}

/// Loading, steps, gradients and Jacobians of one model, without constraints.
struct ModelBenchmarks {
  var name: String
  var path: String
  var model: Model
  var threads: Int

  func all() throws(CommandFailure) -> [Benchmark] {
    let setup = SimulationSetup(
      path: path, model: model, ignored: try IgnoreList("constraints"), state: StateInput(defaultOf: model))
    let double = try setup.simulator(Double.self)
    let single = try setup.simulator(Float.self)
    let path = self.path
    let load = Benchmark(name: "\(name)/load", item: "model", items: 1) { _ = try Model.load(path: path) }
    let jacobians = Benchmark(name: "\(name)/jacobians of a step/float64", item: "step", items: 1) {
      [threads] in
      _ = try double.stepJacobians(at: setup.initialState(Double.self), threads: threads)
    }
    return try [
      load, step(double, setup, worlds: 1, "float64"), step(double, setup, worlds: 1024, "float64"),
      step(single, setup, worlds: 1024, "float32"), jacobians,
    ] + gradient(double, setup, "float64") + gradient(single, setup, "float32")
  }

  private func step<Scalar: SimulationScalar>(
    _ simulator: Simulator<Scalar>, _ setup: SimulationSetup, worlds: Int, _ precision: String
  ) -> Benchmark {
    let steps = worlds == 1 ? 200 : 20
    let (initial, inputs) = start(setup, Scalar.self, worlds: worlds)
    return Benchmark(name: "\(name)/step x \(worlds)/\(precision)", item: "step", items: worlds * steps) {
      [threads] in
      _ = try simulator.rollout(from: initial, inputs: inputs, steps: steps, threads: threads)
    }
  }

  /// A rollout with everything stored, and the way back over one that was stored before.
  private func gradient<Scalar: SimulationScalar>(
    _ simulator: Simulator<Scalar>, _ setup: SimulationSetup, _ precision: String
  ) throws(CommandFailure) -> [Benchmark] {
    let (worlds, steps) = (64, 20)
    let (initial, inputs) = start(setup, Scalar.self, worlds: worlds)
    let final = StateCotangents<Scalar>(
      positions: Array(repeating: 1, count: worlds * model.velocityCount),
      velocities: Array(repeating: 1, count: worlds * model.velocityCount),
      activations: Array(repeating: 1, count: worlds * model.activationCount))
    func record(_ threads: Int) throws -> RolloutTape<Scalar> {
      try simulator.record(from: initial, inputs: inputs, steps: steps, memory: .storeAll, threads: threads)
    }
    let tape = try reportingFailures { try record(threads) }
    let items = worlds * steps
    return [
      Benchmark(name: "\(name)/stored step x \(worlds)/\(precision)", item: "step", items: items) {
        [threads] in
        _ = try record(threads)
      },
      Benchmark(name: "\(name)/reverse step x \(worlds)/\(precision)", item: "step", items: items) {
        [threads] in
        _ = try tape.gradient(final: final, threads: threads)
      },
    ]
  }

  private func start<Scalar: SimulationScalar>(
    _ setup: SimulationSetup, _ scalar: Scalar.Type, worlds: Int
  ) -> (BatchState<Scalar>, SimulationInputs<Scalar>) {
    var initial = setup.initialState(scalar, worlds: worlds)
    var generator = SeededGenerator(seed: 0)
    for i in initial.velocities.indices { initial.velocities[i] = Scalar(0.1 * generator.nextNormal()) }
    return (initial, setup.inputs(scalar))
  }
}
