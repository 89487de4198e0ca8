import Costate
import Foundation

/// The robot files that come with the package.
struct ProjectModels {
  static let names = ["pendulum", "cartpole", "acrobot", "arm", "quadruped", "humanoid"]

  private let directory: URL

  /// Looks in a given directory, or for a `Models` directory in the current one and beside or above the executable.
  ///
  /// - Throws: `CommandFailure` (unreadable input) that says where it looked.
  init(directory: String?) throws(CommandFailure) {
    func holdsModels(_ directory: URL) -> Bool {
      Self.names.allSatisfy {
        FileManager.default.fileExists(atPath: directory.appendingPathComponent("\($0).xml").path)
      }
    }
    var candidates: [URL] = []
    if let directory {
      candidates = [URL(fileURLWithPath: directory)]
    } else {
      candidates = [
        URL(fileURLWithPath: FileManager.default.currentDirectoryPath).appendingPathComponent("Models")
      ]
      var parent = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        .deletingLastPathComponent()
      while parent.path != "/" {
        candidates.append(parent.appendingPathComponent("Models"))
        parent.deleteLastPathComponent()
      }
    }
    guard let found = candidates.first(where: holdsModels) else {
      let places = candidates.map(\.path).joined(separator: ", ")
      throw CommandFailure(
        .unreadableInput,
        "the package's models were not found in \(places); name their directory with --models")
    }
    self.directory = found
  }

  func path(_ name: String) -> String { directory.appendingPathComponent("\(name).xml").path }

  /// - Throws: `CommandFailure`: unreadable or invalid input.
  func load(_ name: String) throws(CommandFailure) -> Model {
    do {
      return try Model.load(path: path(name))
    } catch let error as ModelError {
      throw CommandFailure(error)
    } catch {
      throw CommandFailure(.invalidInput, "\(path(name)): \(error)")
    }
  }
}
