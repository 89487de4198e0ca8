import Foundation

/// Finds the files that a model file names, and keeps them where they may be.
///
/// A relative path may climb with `..` as MuJoCo allows (asset folders often lie beside the model's), but
/// outside the main file's directory only files of a model's kinds are opened. Absolute paths must lead into
/// the main file's directory or one of the extra directories. Nothing else is ever opened.
struct ModelFileResolver: Sendable {
  /// The main file's directory; nil for a text without one.
  var directory: String?
  /// Directories that absolute paths may lead into.
  var extraDirectories: [String] = []

  private static let kinds: Set<String> = [
    "xml", "mjcf", "urdf", "stl", "obj", "msh", "dae", "ply", "png", "hf",
  ]

  /// The path of `file`, looked up in `directories` (each relative to the main file's directory) in order,
  /// or nil where there is no such file.
  ///
  /// - Throws: ``ModelError`` at `attribute` of `element` where the path is one that is never opened.
  func resolve(
    _ file: String, in directories: [String], element: XMLTreeElement, attribute: String
  ) throws -> String? {
    let shown = file.clippedForMessage
    // As MuJoCo: files written on Windows have their paths so.
    let file = file.replacing("\\", with: "/")
    guard !file.isEmpty, !file.utf8.contains(0) else {
      throw element.error(at: attribute, "'\(attribute)' of \(element.label) must name a file")
    }
    guard !file.contains("://") else {
      throw element.error(
        at: attribute,
        "'\(attribute)' of \(element.label) is the URI '\(shown)', which is never opened; "
          + "give a path relative to the model file")
    }
    guard directory != nil || directories.allSatisfy({ Self.join($0, file).hasPrefix("/") }) else {
      throw element.error(
        at: attribute,
        "\(element.label) names the file '\(shown)', but a model given as text has no directory to look in; "
          + "pass its directory, or load the model from a file")
    }
    let root = directory.map(Self.canonical)
    for folder in directories {
      let path = Self.canonical(Self.join(root ?? "", Self.join(folder, file)))
      guard Self.isRegularFile(path) else { continue }
      let allowed = ([root].compactMap(\.self) + extraDirectories.map(Self.canonical))
        .contains { Self.contains($0, path) }
      if !allowed {
        let isAbsolute = file.hasPrefix("/") || folder.hasPrefix("/")
        let kind = (path as NSString).pathExtension.lowercased()
        guard !isAbsolute, Self.kinds.contains(kind) else {
          throw element.error(
            at: attribute,
            "'\(shown)' of \(element.label) leads out of the model's directory\(root.map { " (\($0))" } ?? ""); "
              + (isAbsolute
                ? "use a path relative to the model file, or allow its directory as a package path"
                : "only model and mesh files are opened there, not '.\(kind)'"))
        }
      }
      return path
    }
    return nil
  }

  static func join(_ folder: String, _ file: String) -> String {
    file.hasPrefix("/") ? file : folder.isEmpty ? file : folder + (folder.hasSuffix("/") ? "" : "/") + file
  }

  /// The absolute path with symbolic links, `.` and `..` resolved.
  private static func canonical(_ path: String) -> String {
    URL(fileURLWithPath: path.isEmpty ? "." : path).standardizedFileURL.resolvingSymlinksInPath().path
  }

  private static func contains(_ folder: String, _ path: String) -> Bool {
    path.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
  }

  static func isRegularFile(_ path: String) -> Bool {
    let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let attributes = try? FileManager.default.attributesOfItem(atPath: resolved)
    return attributes?[.type] as? FileAttributeType == .typeRegular
  }
}

/// Replaces every `<include file="…"/>` by the content of that file.
struct MJCFIncludeExpander {
  private let resolver: ModelFileResolver
  private let limits: XMLTreeLimits
  /// Files that were read, the main file included: MuJoCo includes a file once.
  private var included: Set<String>
  private var elementCount = 0

  init(resolver: ModelFileResolver, mainFile: String?, limits: XMLTreeLimits = XMLTreeLimits()) {
    self.resolver = resolver
    self.limits = limits
    included = []
    if let mainFile {
      included.insert(URL(fileURLWithPath: mainFile).standardizedFileURL.resolvingSymlinksInPath().path)
    }
  }

  /// - Throws: ``ModelError`` where a file is missing, is included a second time (which a cycle does), or is
  ///   not well formed.
  mutating func expand(_ element: XMLTreeElement, depth: Int = 1) throws -> XMLTreeElement {
    guard containsInclude(element) else { return element }
    return XMLTreeElement(
      name: element.name, attributes: element.attributes,
      children: try expandChildren(of: element, folder: "", depth: depth), text: element.text,
      location: element.location)
  }

  private func containsInclude(_ element: XMLTreeElement) -> Bool {
    element.children.contains { $0.name == "include" || containsInclude($0) }
  }

  private mutating func expandChildren(
    of element: XMLTreeElement, folder: String, depth: Int
  ) throws -> [XMLTreeElement] {
    var result: [XMLTreeElement] = []
    for child in element.children {
      guard depth < limits.depth else {
        throw child.error("nested more than \(limits.depth) elements deep through includes")
      }
      elementCount += 1
      guard elementCount <= limits.elements else {
        throw child.error("more than \(limits.elements) elements with includes; split the model")
      }
      if child.name == "include" {
        result += try include(child, folder: folder, depth: depth)
      } else if child.children.isEmpty {
        result.append(child)
      } else {
        result.append(
          XMLTreeElement(
            name: child.name, attributes: child.attributes,
            children: try expandChildren(of: child, folder: folder, depth: depth + 1), text: child.text,
            location: child.location))
      }
    }
    return result
  }

  private mutating func include(
    _ element: XMLTreeElement, folder: String, depth: Int
  ) throws -> [XMLTreeElement] {
    for attribute in element.attributes where attribute.name != "file" {
      throw element.error(
        at: attribute.name,
        "<include> has no attribute '\(attribute.name.clippedForMessage)'; its only attribute is 'file'")
    }
    if let child = element.children.first {
      throw child.error("<include> cannot have content; expected <include file=\"…\"/>")
    }
    let file = try element.requiredString("file")
    // As MuJoCo: from the main file's directory, then from the including file's.
    let path = try resolver.resolve(file, in: ["", folder], element: element, attribute: "file")
    guard let path else {
      throw element.error(
        at: "file",
        "the included file '\(file.clippedForMessage)' does not exist; looked in \(resolver.directory ?? "")"
          + (folder.isEmpty ? "" : " and \(folder)"))
    }
    guard included.insert(path).inserted else {
      throw element.error(
        at: "file",
        "'\(file.clippedForMessage)' is already included (a file may be included once, and never by itself); "
          + "remove one of the includes")
    }
    let tree = try XMLTree(contentsOf: path, limits: limits)
    guard !tree.root.children.isEmpty else {
      throw element.error(
        at: "file",
        "the included file '\(file.clippedForMessage)' has no elements inside its root <\(tree.root.name)>")
    }
    return try expandChildren(of: tree.root, folder: tree.directory ?? "", depth: depth)
  }
}
