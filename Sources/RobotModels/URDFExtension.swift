extension URDFReader {
  /// Applies a `<mujoco>` element, which a URDF file may hold with MJCF's `<compiler>`, `<option>` and `<size>`
  /// inside.
  ///
  /// What the elements do not say stays as URDF has it (masses from `<inertial>` alone, no visuals, nothing fused);
  /// angles are radians whatever they say.
  ///
  /// - Throws: ``ModelError`` for anything else inside, and for what is not valid MJCF.
  mutating func applyExtension(_ extensions: [XMLTreeElement]) throws {
    guard let first = extensions.first else { return }
    for element in extensions.flatMap(\.children)
    where !["compiler", "option", "size"].contains(element.name) {
      throw element.error(
        "<\(element.name.clippedForMessage)> inside a URDF file's <mujoco> is not supported; <compiler>, <option> "
          + "and <size> are")
    }
    let root = XMLTreeElement(
      name: first.name, attributes: first.attributes, children: extensions.flatMap(\.children), text: "",
      location: first.location)
    let document = XMLTree(file: first.location.file, directory: nil, root: root)
    let read = try MJCFReader.read(document: document, isFile: false, options: ModelReadingOptions())

    let previous = specification.compiler
    specification.options = read.options
    specification.unsupported += read.unsupported
    specification.compiler = read.compiler
    specification.compiler.impossibleInertia = previous.impossibleInertia
    specification.compiler.masslessMovingBody = previous.masslessMovingBody
    let compilers = root.children(named: "compiler")
    func isGiven(_ name: String) -> Bool { compilers.contains { $0.attribute(name) != nil } }
    if !isGiven("inertiafromgeom") { specification.compiler.inertiaFromGeom = previous.inertiaFromGeom }
    if !isGiven("discardvisual") { specification.compiler.discardVisual = previous.discardVisual }
    for compiler in compilers {
      if let folder = compiler.string("meshdir") ?? compiler.string("assetdir") {
        meshes.meshDirectory = folder
      }
      compiler.overwrite(&meshes.stripsPaths, with: try compiler.boolean("strippath"))
    }
  }
}
