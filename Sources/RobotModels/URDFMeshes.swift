import Foundation
import Lanes

/// Finds and loads the meshes that a URDF file names, each file and scale once.
///
/// A mesh that cannot be had (missing, of a kind that is not read, without volume) is kept without triangles.
/// Where it is a collision it is listed as unsupported: contact with it cannot be simulated, all else can.
struct URDFMeshes {
  private struct Key: Hashable {
    var file: String
    var scale: Vector3<Double>
  }

  /// What may be opened.
  let resolver: ModelFileResolver
  /// The directory that relative names start from, itself relative to the model's (MuJoCo's `meshdir`).
  var meshDirectory = ""
  /// Whether directories in file names are dropped (MuJoCo's `strippath`).
  var stripsPaths = false
  private(set) var loaded: [ModelSpecification.Mesh] = []
  private(set) var unsupported: [UnsupportedElement] = []
  private(set) var warnings: [String] = []
  private var names: [Key: String] = [:]
  private var usedNames: Set<String> = []
  /// Why a mesh could not be had, by name, and whether that was listed.
  private var missing: [String: (reason: String, isListed: Bool)] = [:]

  init(directory: String?, packagePaths: [String]) {
    // A file named without a directory lies in the current one.
    resolver = ModelFileResolver(
      directory: directory.map { $0.isEmpty ? "." : $0 }, extraDirectories: packagePaths)
  }

  /// The name of the mesh that a `<mesh>` element asks for.
  ///
  /// - Throws: ``ModelError`` for a scale that is not valid, a path that leaves its package or leads to what is never
  ///   opened (see ``ModelFileResolver``), and a mesh file whose content is not valid.
  mutating func mesh(_ element: XMLTreeElement, isVisual: Bool) throws -> String {
    let file = try element.requiredString("filename")
    let scale = try element.vector3("scale") ?? Vector3(1, 1, 1)
    guard scale.x != 0, scale.y != 0, scale.z != 0 else {
      throw element.error(at: "scale", "the scale of a mesh cannot be 0 in any direction")
    }
    let key = Key(file: file, scale: scale)
    let name: String
    if let known = names[key] {
      name = known
    } else {
      name = uniqueName(for: file)
      names[key] = name
      try load(element, file: file, scale: scale, name: name)
    }
    if !isVisual, let absent = missing[name], !absent.isListed {
      missing[name] = (absent.reason, true)
      unsupported.append(UnsupportedElement(category: .contact, description: absent.reason))
    }
    return name
  }

  private mutating func uniqueName(for file: String) -> String {
    let base = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
    var name = base
    var count = 0
    while !usedNames.insert(name).inserted {
      count += 1
      name = base + "\(count)"
    }
    return name
  }

  private mutating func load(
    _ element: XMLTreeElement, file: String, scale: Vector3<Double>, name: String
  ) throws {
    var absent = ModelSpecification.Mesh(location: element.location)
    absent.name = name
    absent.file = file
    let path = try find(file, for: element)
    let kind = (file as NSString).pathExtension.lowercased()
    guard kind == "stl" || kind == "obj" else {
      missing[name] = ("mesh '\(name)': '\(file.clippedForMessage)' is neither STL nor OBJ", false)
      loaded.append(absent)
      return
    }
    guard let path else {
      missing[name] = ("mesh '\(name)': the file '\(file.clippedForMessage)' is missing", false)
      loaded.append(absent)
      return
    }
    let data = try MeshData(contentsOf: path)
    warnings += data.warnings
    var settings = MeshSettings()
    settings.name = name
    settings.file = path
    settings.scale = scale
    settings.needsHull = true
    do throws(ModelError) {
      let mesh = try ModelSpecification.Mesh(data, settings: settings, location: element.location)
      if let problem = mesh.hullProblem { throw mesh.error(problem) }
      loaded.append(mesh)
    } catch {
      missing[name] = (error.message, false)
      loaded.append(absent)
    }
  }

  /// The path of a mesh file, or nil where there is none.
  private func find(_ file: String, for element: XMLTreeElement) throws -> String? {
    guard !file.utf8.contains(0) else {
      throw element.error(at: "filename", "a file name cannot hold a zero byte")
    }
    if stripsPaths { return try path((file as NSString).lastPathComponent, for: element) }
    if let rest = file.dropping(prefix: "package://") {
      return try findInPackage(String(rest), for: element)
    }
    if let rest = file.dropping(prefix: "file://") {
      return try path("/" + (rest.removingPercentEncoding ?? String(rest)), for: element)
    }
    guard !file.contains("://") else {
      throw element.error(
        at: "filename",
        "'\(file.clippedForMessage)' is a kind of address that is not opened; expected package://, file:// or a path"
      )
    }
    return try path(file, for: element)
  }

  private func findInPackage(_ rest: String, for element: XMLTreeElement) throws -> String? {
    let parts = rest.split(separator: "/", omittingEmptySubsequences: true)
    guard parts.count >= 2, !parts.contains("..") else {
      throw element.error(
        at: "filename",
        "'package://\(rest.clippedForMessage)' does not name a file inside a package; expected "
          + "package://NAME/PATH without '..'")
    }
    let inPackage = parts.dropFirst().joined(separator: "/")
    var folders = resolver.extraDirectories
    if let directory = resolver.directory {
      var folder = URL(fileURLWithPath: directory).standardizedFileURL
      while true {
        folders.append(folder.path)
        guard folder.path != "/", folder.pathComponents.count > 1 else { break }
        folder.deleteLastPathComponent()
      }
    }
    // The folder may hold the package, or be it.
    return existing(
      folders.flatMap { folder in
        [folder + "/" + rest]
          + ((folder as NSString).lastPathComponent == parts[0] ? [folder + "/" + inPackage] : [])
      })
  }

  private func path(_ file: String, for element: XMLTreeElement) throws -> String? {
    // Without a directory there is nothing that a relative path could start from.
    let isAbsolute = ModelFileResolver.join(meshDirectory, file).hasPrefix("/")
    guard resolver.directory != nil || isAbsolute else { return nil }
    if let path = try resolver.resolve(file, in: [meshDirectory], element: element, attribute: "filename") {
      return path
    }
    let place = ModelFileResolver.join(
      resolver.directory ?? "", ModelFileResolver.join(meshDirectory, file))
    guard !FileManager.default.fileExists(atPath: place) else {
      throw element.error(at: "filename", "'\(file.clippedForMessage)' is not a regular file")
    }
    return nil
  }

  private func existing(_ paths: [String]) -> String? {
    paths.first { FileManager.default.fileExists(atPath: $0) }.map { ($0 as NSString).standardizingPath }
  }
}

extension String {
  /// What follows a prefix, or nil where the text does not start so.
  fileprivate func dropping(prefix: String) -> Substring? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}
