import ArgumentParser
import Costate

/// The configurations that a kinematic command works on.
struct ConfigurationArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Configurations, .npy or JSON of shape [n, nq].", valueName: "file"))
  var configurations: String

  /// Reads the files. Kinematics need no constraints, so nothing in a model is refused.
  func prepare(
    _ modelArguments: ModelArguments, _ common: CommonOptions
  ) throws(CommandFailure) -> (model: Model, configurations: Configurations) {
    _ = try common.ignoreList()
    let model = try modelArguments.load()
    return (model, try Configurations(path: configurations, for: model))
  }
}

/// Frames by the names that the command line uses.
enum FrameNames {
  /// Every body other than the world and every site that has a name; a site with a body's name is `site:NAME`.
  static func all(in model: Model) -> [Frame] {
    let bodies = Frame.bodies(of: model).dropFirst().filter { !$0.name.isEmpty }
    let bodyNames = Set(bodies.map(\.name))
    let sites = Frame.sites(of: model).filter { !$0.name.isEmpty }.map { site in
      var site = site
      if bodyNames.contains(site.name) { site.name = "site:\(site.name)" }
      return site
    }
    return bodies + sites
  }

  /// - Throws: `CommandFailure` (wrong usage) with the names most like it.
  static func find(_ name: String, in model: Model, option: String) throws(CommandFailure) -> Frame {
    do {
      return try Frame(named: name, in: model)
    } catch {
      throw CommandFailure(.wrongUsage, "\(option): \(error)")
    }
  }
}

/// Runs kinematics on configurations from a file; its errors are about that file.
func reportingKinematics<R>(_ path: String, _ work: () throws(KinematicsError) -> R) throws(CommandFailure)
  -> R
{
  do {
    return try work()
  } catch {
    throw CommandFailure(.invalidInput, "\(path): \(error)")
  }
}
