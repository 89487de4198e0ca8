import Foundation
import Lanes

extension MJCFReader {
  mutating func readAsset(_ element: XMLTreeElement) throws {
    switch element.name {
    case "mesh": try readMesh(element)
    case "hfield": try readHeightField(element)
    case "material", "texture":
      try declare(element.string("name") ?? "", kind: element.name, element)
      note(element)
    case "model":
      throw element.error(
        "<model> assets are not supported; save the assembled model with MuJoCo (mj_saveLastXML) and load that"
      )
    default: note(element)
    }
  }

  func apply(_ element: XMLTreeElement, to prototype: inout MJCFPrototype<MeshSettings>) throws {
    var mesh = prototype.value
    element.overwrite(&mesh.scale, with: try element.vector3("scale"))
    element.overwrite(
      &mesh.inertia,
      with: try element.keyword(
        "inertia", ["convex": .convex, "exact": .exact, "legacy": .legacy, "shell": .shell]))
    if let count = try element.integer("maxhullvert") {
      guard count == -1 || count >= 4 else {
        throw element.error(
          at: "maxhullvert",
          "attribute 'maxhullvert' of \(element.label) is \(count); expected -1 (no limit) or at "
            + "least 4")
      }
      mesh.maximumHullVertexCount = count == -1 ? nil : count
    }
    prototype.value = mesh
  }

  private mutating func readMesh(_ element: XMLTreeElement) throws {
    if let plugin = element.children.first {
      throw plugin.error("plugins are not supported; remove <plugin> from \(element.label)")
    }
    if element.attribute("builtin") != nil {
      throw element.error(
        at: "builtin",
        "\(element.label) is a built-in mesh, which is not supported; use a mesh file or 'vertex'")
    }
    var prototype = try topLevelClass(of: element).mesh
    try apply(element, to: &prototype)
    var mesh = prototype.value
    element.overwrite(&mesh.referencePosition, with: try element.vector3("refpos"))
    element.overwrite(&mesh.referenceOrientation, with: try element.quaternion("refquat"))
    let file = element.string("file")
    mesh.name = element.string("name") ?? ""
    if mesh.name.isEmpty, let file {
      mesh.name = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
    }
    guard !mesh.name.isEmpty else {
      throw element.error("<mesh> needs the attribute 'name' or 'file'")
    }
    try declare(mesh.name, kind: "mesh", element)
    if file != nil, element.attribute("vertex") != nil {
      throw element.error(at: "vertex", "\(element.label) has both 'file' and 'vertex'; keep one of them")
    }
    pendingMeshes.append((element, mesh))
  }

  /// Loads the meshes, when it is known which of them need a hull: those that may touch something.
  mutating func loadMeshes() throws {
    let paired = Set(specification.contactPairs.flatMap { [$0.geom1, $0.geom2] })
    var touching: Set<String> = []
    for geom in specification.bodies.lazy.flatMap(\.geoms) where geom.type == .mesh {
      if geom.contactType != 0 || geom.contactAffinity != 0 || paired.contains(geom.name),
        let mesh = geom.mesh
      {
        touching.insert(mesh)
      }
    }
    for (element, settings) in pendingMeshes {
      var settings = settings
      settings.needsHull = touching.contains(settings.name)
      if let file = element.string("file") {
        try loadMesh(element, file, settings)
      } else {
        specification.meshes.append(
          try ModelSpecification.Mesh(
            try inlineMesh(element), settings: settings, location: element.location))
      }
    }
    pendingMeshes = []
  }

  private mutating func loadMesh(
    _ element: XMLTreeElement, _ file: String, _ settings: MeshSettings
  ) throws {
    var settings = settings
    let name = self.settings.stripsPaths ? (file as NSString).lastPathComponent : file
    let folder = self.settings.meshDirectory ?? self.settings.assetDirectory
    guard let path = try resolver.resolve(name, in: [folder], element: element, attribute: "file") else {
      var missing = ModelSpecification.Mesh(location: element.location)
      missing.name = settings.name
      missing.file = file
      specification.meshes.append(missing)
      list(
        .contact,
        "mesh '\(settings.name)': the file '\(file.clippedForMessage)' does not exist "
          + "(looked in \(ModelFileResolver.join(resolver.directory ?? "", folder)))")
      return
    }
    let kind = (path as NSString).pathExtension.lowercased()
    guard kind == "stl" || kind == "obj" else {
      throw element.error(
        at: "file", "\(element.label) is a '.\(kind)' file, which is not supported; convert it to STL or OBJ")
    }
    settings.file = path
    let data = try MeshData(contentsOf: path)
    for warning in data.warnings { specification.warnings.append("mesh '\(settings.name)': \(warning)") }
    specification.meshes.append(
      try ModelSpecification.Mesh(data, settings: settings, location: element.location))
  }

  /// A mesh whose vertices stand in the file itself.
  private func inlineMesh(_ element: XMLTreeElement) throws -> MeshData {
    guard let coordinates = try element.doubles("vertex", count: 1...Int.max) else {
      throw element.error("\(element.label) needs a 'file' or a 'vertex' attribute")
    }
    guard coordinates.count % 3 == 0 else {
      throw element.error(
        at: "vertex",
        "attribute 'vertex' of \(element.label) has \(coordinates.count) numbers; expected three for each vertex"
      )
    }
    let vertices = try stride(from: 0, to: coordinates.count, by: 3).map { start in
      let vertex = SIMD3(
        Float(coordinates[start]), Float(coordinates[start + 1]), Float(coordinates[start + 2]))
      for axis in 0..<3 where abs(vertex[axis]) > MeshData.largestCoordinate || !vertex[axis].isFinite {
        throw element.error(
          at: "vertex",
          "attribute 'vertex' of \(element.label) holds \(coordinates[start + axis]); expected coordinates below "
            + "\(MeshData.largestCoordinate) in size")
      }
      return vertex
    }
    let corners = try element.integers("face", count: 1...Int.max) ?? []
    guard corners.count % 3 == 0 else {
      throw element.error(
        at: "face",
        "attribute 'face' of \(element.label) has \(corners.count) numbers; expected three vertex indices for each "
          + "triangle")
    }
    for corner in corners where !vertices.indices.contains(corner) {
      throw element.error(
        at: "face",
        "attribute 'face' of \(element.label) names vertex \(corner); valid are 0 to \(vertices.count - 1)")
    }
    let triangles = stride(from: 0, to: corners.count, by: 3).map { start in
      SIMD3(Int32(corners[start]), Int32(corners[start + 1]), Int32(corners[start + 2]))
    }
    return MeshData(vertices: vertices, triangles: triangles)
  }

  private mutating func readHeightField(_ element: XMLTreeElement) throws {
    let file = element.string("file")
    var name = element.string("name") ?? ""
    if name.isEmpty, let file {
      name = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
    }
    guard !name.isEmpty else { throw element.error("<hfield> needs the attribute 'name' or 'file'") }
    try declare(name, kind: "hfield", element)
    _ = try element.requiredString("size")
    let size = try element.doubles("size", count: 4) ?? [1, 1, 1, 1]
    for (index, value) in size.enumerated() where value <= 0 {
      throw element.error(
        at: "size",
        "attribute 'size' of \(element.label) holds \(value) at place \(index + 1); expected four positive numbers"
      )
    }
    heightFieldBoxes[name] = Vector3(size[0], size[1], 0.25 * size[2] + 0.5 * size[3])
    let rows = try element.integer("nrow") ?? 0
    let columns = try element.integer("ncol") ?? 0
    if file == nil, rows < 1 || columns < 1 {
      throw element.error("\(element.label) needs a 'file', or 'nrow' and 'ncol' of at least 1")
    }
    if let elevation = try element.doubles("elevation", count: 1...Int.max),
      elevation.count != rows.multipliedReportingOverflow(by: columns).partialValue
    {
      throw element.error(
        at: "elevation",
        "attribute 'elevation' of \(element.label) has \(elevation.count) numbers; expected nrow × ncol")
    }
  }
}
