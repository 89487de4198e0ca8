import Foundation

/// Ties the main thread to one core, where the system has `taskset`.
///
/// Peers that are started later inherit it, so that all measurements of a run share the core.
package func pinToOneCore() throws {
  let taskset = "/usr/bin/taskset"
  guard FileManager.default.isExecutableFile(atPath: taskset) else { return }
  let process = Process()
  process.executableURL = URL(fileURLWithPath: taskset)
  let core = ProcessInfo.processInfo.activeProcessorCount - 1
  process.arguments = ["-p", "-c", "\(core)", "\(ProcessInfo.processInfo.processIdentifier)"]
  process.standardOutput = FileHandle.nullDevice
  try process.run()
  process.waitUntilExit()
}

/// The most memory that the process has used so far, in bytes, or nil where the system does not say.
package func peakMemory() -> Int? {
  guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
    let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
    let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
  else { return nil }
  return Int(kilobytes).map { $0 * 1024 }
}
