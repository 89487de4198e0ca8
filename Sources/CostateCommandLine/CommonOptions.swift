import ArgumentParser
import Costate
import Foundation

/// The floating-point format of a computation.
enum Precision: String, ExpressibleByArgument, CaseIterable {
  case float64, float32
}

/// Options that every command takes.
struct CommonOptions: ParsableArguments {
  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(help: "The floating-point format of the computation: float64 or float32.")
  var precision = Precision.float64

  @Option(help: "The number of threads (default: all cores). The results do not depend on it.")
  var threads: Int?

  @Option(help: "The seed of whatever is random.")
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "What to leave out of the simulation: a comma-separated list from "
        + IgnoreList.Item.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "list"))
  var ignore: String?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be from 1 to 1024.")
    }
  }

  var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

  func ignoreList() throws(CommandFailure) -> IgnoreList {
    guard let ignore else { return IgnoreList() }
    return try IgnoreList(ignore)
  }
}

/// The model that a command works on, and how it is read.
struct ModelArguments: ParsableArguments {
  @Argument(help: ArgumentHelp("Model file: MJCF (.xml) or URDF (.urdf).", valueName: "model"))
  var path: String

  @Option(
    name: .customLong("package-path"),
    help: ArgumentHelp("Where to look for package:// files; may be repeated.", valueName: "directory"))
  var packagePaths: [String] = []

  @Flag(help: "Refuse doubtful content that is otherwise loaded with a warning.")
  var strict = false

  @Flag(help: "URDF: join the root link to the world with a free joint.")
  var floatingBase = false

  /// Reads the model and reports doubtful content on stderr.
  ///
  /// - Throws: `CommandFailure`: unreadable or invalid input.
  func load() throws(CommandFailure) -> Model {
    var options = ModelReadingOptions()
    options.packagePaths = packagePaths
    options.strict = strict
    options.floatingBase = floatingBase
    do {
      let model = try Model.load(path: path, options: options)
      for warning in model.warnings {
        FileHandle.standardError.write(Data("costate: \(path): warning: \(warning)\n".utf8))
      }
      return model
    } catch let error as ModelError {
      throw CommandFailure(error)
    } catch {
      throw CommandFailure(.invalidInput, "\(path): \(error)")
    }
  }
}
