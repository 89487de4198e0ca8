import BenchmarkSupport
import Costate
import Foundation

private let kinds = ["rollout", "storeAll", "storeStates", "checkpoint"]
private let probeSteps = 16

/// Peak memory per world, each from a process of its own: what a run with many worlds takes beyond one with few.
func measureMemory(_ models: ModelFolders, _ options: Options, _ report: Report) throws {
  report.heading("Peak memory per world of \(probeSteps) steps, float32, one thread")
  for name in ["mujoco/humanoid", "gymnasium/half_cheetah", "gymnasium/ant"] {
    let simulator = try Simulator<Float>(Model.load(path: try models.path(name)))
    report.add("\(name): states of a step", value: Double(simulator.stateBytesPerWorldStep), unit: "bytes")
    for kind in kinds {
      let few = try peak(name, kind, worlds: 1024, options)
      let many = try peak(name, kind, worlds: 4096, options)
      guard let few, let many else { continue }
      report.add("\(name): \(kind)", value: Double(many - few) / (4096 - 1024), unit: "bytes")
    }
  }
}

private func peak(_ name: String, _ kind: String, worlds: Int, _ options: Options) throws -> Int? {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
  process.arguments = [
    "--memory-probe", "\(name),\(kind),\(worlds)", "--models", options["models"], "--own", options["own"],
  ]
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let output = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return Int(String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
}

/// Runs one workload and prints the peak memory of the process; the same controls act in all steps.
func probeMemory(_ request: String, _ models: ModelFolders) throws {
  let parts = request.split(separator: ",").map(String.init)
  guard parts.count == 3, let worlds = Int(parts[2]), kinds.contains(parts[1]) else {
    throw BenchmarkError("--memory-probe takes MODEL,\(kinds.joined(separator: "|")),WORLDS")
  }
  let model = try Model.load(path: try models.path(parts[0]))
  let start = try WarmStart(model, worlds: worlds, steps: 1, seconds: 0)
  let workload = try start.workload(Float.self)
  if parts[1] == "rollout" {
    consume(
      try workload.simulator.rollout(
        from: workload.state, inputs: workload.inputs, steps: probeSteps, threads: 1))
  } else {
    let memory: RolloutMemory =
      parts[1] == "storeAll" ? .storeAll : parts[1] == "storeStates" ? .storeStates : .checkpoint(every: 8)
    let tape = try workload.simulator.record(
      from: workload.state, inputs: workload.inputs, steps: probeSteps, memory: memory, threads: 1)
    consume(try tape.gradient(final: workload.finalCotangents, threads: 1))
  }
  print(peakMemory() ?? 0)
}
