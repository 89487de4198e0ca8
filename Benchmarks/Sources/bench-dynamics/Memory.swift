import BenchmarkSupport
import Costate
import Foundation

/// Peak memory per world, each from a process of its own: what a run with many worlds takes beyond one with few.
func measureMemory(_ files: [String], models: String, _ report: Report) throws {
  report.heading("Memory per world, float32")
  for file in files {
    let simulator = try Simulator<Float>(
      Model.load(path: "\(models)/\(file).xml"), ignoring: [.constraints, .unsupported])
    report.add("\(file): retained a step", value: Double(simulator.retainedBytesPerWorldStep), unit: "bytes")
    report.add("\(file): states of a step", value: Double(simulator.stateBytesPerWorldStep), unit: "bytes")
    report.add("\(file): checkpoint", value: Double(simulator.checkpointBytesPerWorld), unit: "bytes")
    for kind in ["rollout", "storeAll", "storeStates", "checkpoint"] {
      let few = try peak(file, kind, worlds: 1024, models)
      let many = try peak(file, kind, worlds: 4096, models)
      guard let few, let many else { continue }
      report.add(
        "\(file): peak of \(probeSteps) steps, \(kind)", value: Double(many - few) / (4096 - 1024),
        unit: "bytes")
    }
  }
}

private let probeSteps = 16

private func peak(_ file: String, _ kind: String, worlds: Int, _ models: String) throws -> Int? {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
  process.arguments = ["--memory-probe", "\(file),\(kind),\(worlds)", "--models", models]
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let output = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return Int(String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
}

/// Runs one workload and prints the peak memory of the process; what the controls take (they are the caller's) is
/// kept small by giving the same ones to all steps.
func probeMemory(_ request: String, models: String) throws {
  let parts = request.split(separator: ",").map(String.init)
  guard parts.count == 3, let worlds = Int(parts[2]) else {
    throw BenchmarkError("--memory-probe takes MODEL,rollout|storeAll|storeStates|checkpoint,WORLDS")
  }
  let model = try Model.load(path: "\(models)/\(parts[0]).xml")
  let workload = try Workload<Float>(model, worlds: worlds, steps: 1)
  let simulator = workload.simulator
  switch parts[1] {
  case "rollout":
    consume(try simulator.rollout(from: workload.state, inputs: workload.inputs, steps: probeSteps))
  default:
    let tape = try simulator.record(
      from: workload.state, inputs: workload.inputs, steps: probeSteps,
      memory: parts[1] == "storeAll"
        ? .storeAll : parts[1] == "storeStates" ? .storeStates : .checkpoint(every: 8))
    consume(try tape.gradient(final: workload.finalCotangents))
  }
  print(peakMemory() ?? 0)
}
