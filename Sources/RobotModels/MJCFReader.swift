import Lanes

/// Reads MJCF, MuJoCo's model format, with the semantics of version 3.12.
///
/// The sections are read in an order of their own, not the file's, so that settings, default classes and assets
/// are known where they are used. What changes the motion and cannot be kept in a ``ModelSpecification`` is
/// refused by name.
struct MJCFReader {
  var specification: ModelSpecification
  var settings = MJCFReaderSettings()
  let resolver: ModelFileResolver
  /// Default classes by name; `main` is MuJoCo's own name for the outermost.
  var classes: [String: MJCFDefaultClass]
  /// Names that were declared, by kind of element, with the place of the first.
  var declared: [String: [String: ModelError.Location]] = [:]
  /// Names of elements inside `<replicate>`, as the file gives them: only copies with suffixes exist.
  var replicated: Set<String> = []
  /// Mesh assets with their settings, loaded when the geoms are known.
  var pendingMeshes: [(element: XMLTreeElement, settings: MeshSettings)] = []
  /// Half edges of the box that has a height field's mass, by the field's name.
  var heightFieldBoxes: [String: Vector3<Double>] = [:]
  /// Elements that `<replicate>` made, to bound what a small file can ask for.
  var copies = 0

  /// - Parameters:
  ///   - isFile: the document's name is the path of a file (not just a name for messages).
  /// - Throws: ``ModelError``.
  static func read(
    document: XMLTree, isFile: Bool, options: ModelReadingOptions
  ) throws -> ModelSpecification {
    let resolver = ModelFileResolver(directory: document.directory, extraDirectories: options.packagePaths)
    var expander = MJCFIncludeExpander(resolver: resolver, mainFile: isFile ? document.file : nil)
    let root = try expander.expand(document.root)
    try MJCFSchema.check(root)
    var reader = MJCFReader(root: root, resolver: resolver)
    try reader.read(root)
    if let fuse = options.fuseStatic { reader.specification.compiler.fuseStatic = fuse }
    return reader.specification
  }

  private init(root: XMLTreeElement, resolver: ModelFileResolver) {
    specification = ModelSpecification(location: root.location)
    self.resolver = resolver
    classes = ["main": MJCFDefaultClass(location: root.location)]
  }

  private mutating func read(_ root: XMLTreeElement) throws {
    specification.name = root.string("model") ?? "MuJoCo Model"
    func each(_ name: String) -> [XMLTreeElement] { root.children(named: name).flatMap(\.children) }

    for section in root.children(named: "compiler") { try readCompiler(section) }
    let options = root.children(named: "option")
    for section in options { try readOption(section) }
    try listUnsupportedOptions(options)
    for section in root.children(named: "size") { try readSize(section) }
    for section in root.children(named: "statistic") { try readStatistic(section) }
    for section in root.children(named: "default") { try readDefault(section, parent: nil) }
    for element in each("deformable") {
      if element.name == "skin" {
        note(element)
      } else {
        throw element.error("\(element.label): flexible bodies are not supported; remove <deformable>")
      }
    }
    for element in each("custom") { try readCustom(element) }
    for element in each("extension") { note(element) }
    for element in each("asset") { try readAsset(element) }
    for section in root.children(named: "worldbody") { try readWorld(section) }
    for element in each("contact") { try readContact(element) }
    try loadMeshes()
    for element in each("equality") { try readEquality(element) }
    for element in each("tendon") { try readTendon(element) }
    for element in each("actuator") { try readActuator(element) }
    for element in each("sensor") { try readSensor(element) }
    for element in each("keyframe") { try readKeyframe(element) }
  }
}

extension MJCFReader {
  mutating func list(_ category: UnsupportedElement.Category, _ description: String) {
    specification.unsupported.append(UnsupportedElement(category: category, description: description))
  }

  /// Lists what a prototype asks for that is not simulated.
  mutating func list<Value>(_ prototype: MJCFPrototype<Value>, of element: XMLTreeElement, named name: String)
  {
    for (attribute, category) in prototype.unsupported.sorted(by: { $0.key < $1.key }) {
      let owner =
        name.isEmpty ? "\(element.name) at line \(element.location.line)" : "\(element.name) '\(name)'"
      list(category, "\(owner): \(prototype.phrases[attribute] ?? attribute)")
    }
  }

  /// Notes an element that does not change the motion.
  mutating func note(_ element: XMLTreeElement) {
    let name = element.string("name") ?? ""
    specification.notEvaluated.append(name.isEmpty ? element.name : "\(element.name) '\(name)'")
  }

  /// Remembers a name.
  ///
  /// - Throws: ``ModelError`` where an element of that kind already has it.
  mutating func declare(_ name: String, kind: String, _ element: XMLTreeElement) throws {
    guard !name.isEmpty else { return }
    if let first = declared[kind]?[name] {
      let place = first.file == element.location.file ? "line \(first.line)" : "\(first.file):\(first.line)"
      throw element.error(
        at: "name",
        "the name '\(name.clippedForMessage)' is already used by a \(kind) at \(place); names of one kind of "
          + "element must differ")
    }
    declared[kind, default: [:]][name] = element.location
  }

  /// The default class that an element names, or nil where it names none.
  func defaultClass(of element: XMLTreeElement, attribute: String = "class") throws -> MJCFDefaultClass? {
    guard let name = element.string(attribute) else { return nil }
    guard let found = classes[name] else {
      throw element.error(
        at: attribute,
        "default class '\(name.clippedForMessage)' does not exist" + Self.offer(classes.keys, for: name))
    }
    return found
  }

  /// The class that an element outside the body tree follows.
  func topLevelClass(of element: XMLTreeElement) throws -> MJCFDefaultClass {
    try defaultClass(of: element) ?? classes["main"] ?? MJCFDefaultClass(location: element.location)
  }

  /// The name of another element that an attribute gives.
  ///
  /// - Throws: ``ModelError`` where the name is that of an element inside `<replicate>`: there are several then.
  func reference(_ element: XMLTreeElement, _ attribute: String, kind: String) throws -> String? {
    guard let name = element.string(attribute) else { return nil }
    guard !name.isEmpty else {
      throw element.error(
        at: attribute, "attribute '\(attribute)' of \(element.label) is empty; expected a \(kind)'s name")
    }
    if declared[kind]?[name] == nil, replicated.contains("\(kind)/\(name)") {
      throw element.error(
        at: attribute,
        "\(kind) '\(name.clippedForMessage)' is inside <replicate>; references to it are not supported, write the "
          + "copies out")
    }
    return name
  }

  func requiredReference(_ element: XMLTreeElement, _ attribute: String, kind: String) throws -> String {
    _ = try element.requiredString(attribute)
    return try reference(element, attribute, kind: kind) ?? ""
  }

  /// Like ``reference(_:_:kind:)`` for elements that are not compiled: the name must have been declared.
  func checkReference(_ element: XMLTreeElement, _ attribute: String, kind: String) throws {
    guard let name = element.string(attribute), declared[kind]?[name] == nil,
      !replicated.contains("\(kind)/\(name)"), !(kind == "body" && name == "world")
    else { return }
    throw element.error(
      at: attribute,
      "\(kind) '\(name.clippedForMessage)' does not exist" + offer(of: kind, for: name))
  }

  /// The names that would have been valid: the nearest, or the first few.
  func offer(of kind: String, for name: String) -> String {
    Self.offer((declared[kind] ?? [:]).keys, for: name)
  }

  private static func offer(_ names: some Collection<String>, for name: String) -> String {
    if names.isEmpty { return "; the model has none that is named" }
    if let nearest = name.nearest(in: names) { return "; did you mean '\(nearest)'?" }
    let shown = names.sorted().prefix(6).map { "'\($0.clippedForMessage)'" }.joined(separator: ", ")
    return "; the model has \(shown)" + (names.count > 6 ? ", … (\(names.count) in all)" : "")
  }

  private mutating func readCustom(_ element: XMLTreeElement) throws {
    try declare(try element.requiredString("name"), kind: element.name, element)
    switch element.name {
    case "numeric":
      _ = try element.doubles("data", count: 0...500)
      if let size = try element.integer("size"), !(1...500).contains(size) {
        throw element.error(at: "size", "attribute 'size' of \(element.label) is \(size); expected 1 to 500")
      }
    case "text": _ = try element.requiredString("data")
    default:
      for member in element.children {
        let kind = try member.requiredString("objtype")
        let name = try member.requiredString("objname")
        _ = try member.double("prm")
        keepReferenced(kind == "xbody" ? "body" : kind, name)
      }
    }
    note(element)
  }
}
