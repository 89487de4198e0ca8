import ArgumentParser
import Costate
import Foundation

@main
struct CostateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "costate",
    abstract: "Exact, fast gradients through solvers and through physics.",
    discussion: """
      Every command prints tables for a person, or one JSON object with --json. Exit codes: 0 done, 1 the \
      computation failed, 64 wrong usage, 65 invalid input, 66 unreadable input, 73 the output cannot be written.
      """,
    version: "0.1.0",
    subcommands: [
      InfoCommand.self, EvaluateCommand.self, SimulateCommand.self, DerivativesCommand.self,
      GradientCommand.self,
      ForwardKinematicsCommand.self, JacobianCommand.self, QuadraticProgramCommand.self,
      DemoCommand.self, BenchCommand.self,
    ])

  /// Runs the command that the arguments name and exits with the code that its failure asks for.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as CommandFailure {
      FileHandle.standardError.write(Data("costate: \(failure.message)\n".utf8))
      Foundation.exit(failure.code.rawValue)
    } catch {
      exit(withError: error)
    }
  }
}
