import Foundation

/// A program of another engine that prints its timings, one JSON object a line.
package struct Peer: Sendable {
  /// One line.
  package struct Line: Decodable, Sendable {
    package var name: String
    package var min: Double
    package var median: Double
    package var max: Double
    package var integrator: String?
  }

  package let path: String

  /// nil where the program has not been built (Benchmarks/Peers/setup.sh builds it).
  package init?(_ path: String) {
    guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
    self.path = path
  }

  package func run(_ arguments: [String]) throws -> [Line] { try run(arguments, as: Line.self) }

  /// Lines of a form of their own.
  package func run<Line: Decodable>(_ arguments: [String], as type: Line.Type) throws -> [Line] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BenchmarkError("\(path) ended with status \(process.terminationStatus)")
    }
    return try output.split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(Line.self, from: Data($0))
    }
  }
}

/// A benchmark that cannot run; the text says why.
package struct BenchmarkError: Error, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}
