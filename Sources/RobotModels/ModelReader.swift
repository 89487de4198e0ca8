import Foundation

/// How a model file is read.
public struct ModelReadingOptions: Sendable, Equatable {
  /// Directories in which `package://` names are looked up, and into which absolute paths may lead.
  public var packagePaths: [String] = []
  /// Refuses content that is otherwise loaded with a warning, such as an inertia that no body can have.
  public var strict = false
  /// URDF: joins the root link to the world with a free joint instead of fixing it.
  public var floatingBase = false
  /// Whether bodies without joints are fused with their parents; nil follows the file (MJCF) and does not
  /// fuse (URDF).
  public var fuseStatic: Bool? = nil
  /// The defaults above.
  public init() {}
}

extension Model {
  /// Loads a model file: MJCF (`<mujoco>` root) or URDF (`<robot>` root, or extension `.urdf`).
  ///
  /// Files that it names (includes, meshes) are read too: relative paths start from the file's directory, or
  /// from those that its `<compiler>` element gives. Absolute paths are opened only inside the model's directory and the
  /// package paths; what else climbs out of it must be a model or mesh file.
  ///
  /// - Throws: ``ModelError``: `unreadable` where a file cannot be read, `invalid` with file, line and column
  ///   where its content is not valid or not supported.
  public static func load(
    path: String, options: ModelReadingOptions = ModelReadingOptions()
  ) throws -> Model {
    try ModelReader(options: options).model(from: XMLTree(contentsOf: path), isFile: true)
  }

  /// Reads MJCF from a text.
  ///
  /// - Parameters:
  ///   - mjcf: the content of an MJCF file.
  ///   - name: stands for the file in error messages.
  ///   - directory: where files that the text names are looked up; without it, naming one is an error.
  ///   - options: how the file is read.
  /// - Throws: ``ModelError``.
  public init(
    mjcf: String, name: String = "model.xml", directory: String? = nil,
    options: ModelReadingOptions = ModelReadingOptions()
  ) throws {
    let tree = try XMLTree(text: mjcf, name: name, directory: directory)
    guard tree.root.name == "mujoco" else {
      throw tree.root.error("the root element is <\(tree.root.name.clippedForMessage)>; expected <mujoco>")
    }
    self = try ModelReader(options: options).model(from: tree, isFile: false)
  }

  /// Reads URDF from a text.
  ///
  /// - Parameters:
  ///   - urdf: the content of a URDF file.
  ///   - name: stands for the file in error messages.
  ///   - directory: where files that the text names are looked up; without it, only package paths are, and absolute paths
  ///     that lead into one of them.
  ///   - options: how the file is read.
  /// - Throws: ``ModelError``.
  public init(
    urdf: String, name: String = "model.urdf", directory: String? = nil,
    options: ModelReadingOptions = ModelReadingOptions()
  ) throws {
    let tree = try XMLTree(text: urdf, name: name, directory: directory)
    guard tree.root.name == "robot" else {
      throw tree.root.error("the root element is <\(tree.root.name.clippedForMessage)>; expected <robot>")
    }
    self = try ModelReader(options: options).model(from: tree, isFile: false)
  }
}

/// Chooses the reader by the root element and compiles what it reads.
struct ModelReader {
  var options: ModelReadingOptions

  func model(from tree: XMLTree, isFile: Bool) throws -> Model {
    let specification: ModelSpecification
    switch tree.root.name {
    case "mujoco": specification = try MJCFReader.read(document: tree, isFile: isFile, options: options)
    case "robot": specification = try URDFReader.read(document: tree, options: options)
    default:
      throw tree.root.error(
        "the root element is <\(tree.root.name.clippedForMessage)>; expected <mujoco> (MJCF) or <robot> "
          + "(URDF)")
    }
    return try ModelCompiler.compile(specification)
  }
}
