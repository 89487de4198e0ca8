public import Costate
public import Foundation
public import Testing

/// The package's folder.
public let packageRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// The folder with robot files that are not part of the package, or nil where it is absent: the environment
/// variable `COSTATE_TEST_MODELS`, else `../shared/models`.
public let robotModelFolder: URL? = {
  let path = ProcessInfo.processInfo.environment["COSTATE_TEST_MODELS"]
  let folder =
    path.map { URL(filePath: $0) }
    ?? packageRoot.deletingLastPathComponent().appending(path: "shared/models")
  return (try? folder.checkResourceIsReachable()) == true ? folder : nil
}()

/// Which model a file of reference values is about.
public struct ReferenceModel: Decodable, Sendable {
  /// A path under the robot model folder, or under the package where it begins with `Models/`.
  public var source: String
  /// The model's text where it is not a file.
  public var xml: String?
  /// The files that the text names (base64).
  public var files: [String: String]?

  /// Whether the model is in the file or in the package.
  var isComplete: Bool { xml != nil || source.hasPrefix("Models/") }

  /// Loads the model; URDF is fused as MuJoCo does if `fusesStaticBodies`.
  public func load(fusesStaticBodies: Bool = false) throws -> Model {
    var options = ModelReadingOptions()
    if let xml {
      guard let files else { return try Model(mjcf: xml, name: source) }
      let folder = FileManager.default.temporaryDirectory.appending(path: "costate-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      for (name, content) in files {
        let file = folder.appending(path: name)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(base64Encoded: content)!.write(to: file)
      }
      return try Model(mjcf: xml, name: source, directory: folder.path())
    }
    if source.hasPrefix("Models/") {
      return try Model.load(path: packageRoot.appending(path: source).path())
    }
    let folder = robotModelFolder!
    if source.hasSuffix(".urdf") {
      options.fuseStatic = fusesStaticBodies
      options.packagePaths = [folder.appending(path: "urdf").path()]
    }
    return try Model.load(path: folder.appending(path: source).path(), options: options)
  }
}

/// A file of reference values, named in test arguments by what it is about.
public struct ReferenceFile: Sendable, CustomTestStringConvertible {
  /// Where it is.
  public var url: URL
  /// Its name without the extension.
  public var testDescription: String { url.deletingPathExtension().lastPathComponent }

  /// Its content.
  public func decode<Content: Decodable>(_ type: Content.Type) throws -> Content {
    try JSONDecoder().decode(Content.self, from: Data(contentsOf: url))
  }

  /// The files in a folder of a test bundle whose model can be loaded here, by name.
  public static func all(in bundle: Bundle, folder: String) -> [ReferenceFile] {
    let directory = bundle.resourceURL!.appending(path: "Fixtures").appending(path: folder)
    let urls = try! FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
    return urls.filter { $0.pathExtension == "json" }
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
      .map(ReferenceFile.init)
      .filter { robotModelFolder != nil || (try? $0.decode(ReferenceModel.self))?.isComplete == true }
  }
}

/// `|actual - expected| / |expected|` in the Euclidean norm; infinite where lengths differ, and the absolute
/// error where everything expected is zero.
public func relativeError(_ actual: [Double], _ expected: [Double]) -> Double {
  guard actual.count == expected.count else { return .infinity }
  var difference = 0.0
  var size = 0.0
  for (a, e) in zip(actual, expected) {
    difference += (a - e) * (a - e)
    size += e * e
  }
  guard difference.isFinite else { return .infinity }
  return size == 0 ? difference.squareRoot() : (difference / size).squareRoot()
}
