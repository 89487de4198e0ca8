import Lanes

extension URDFReader {
  /// Gives a body the link's inertia and its collisions as geoms.
  mutating func readLink(_ element: XMLTreeElement, into body: inout ModelSpecification.Body) throws {
    try checkChildren(of: element, known: ["inertial", "visual", "collision"])
    if let inertial = try element.onlyChild("inertial") {
      body.inertial = try readInertial(inertial, of: element)
    }
    if specification.compiler.discardVisual {
      skip(element.children(named: "visual"))
    }
    for child in element.children {
      if child.name == "collision" {
        body.geoms.append(try readGeom(child, isVisual: false))
      } else if child.name == "visual", !specification.compiler.discardVisual {
        body.geoms.append(try readGeom(child, isVisual: true))
      }
    }
  }

  /// The inertia's principal moments and axes reproduce its matrix to rounding, whether a body can have it or not.
  /// Fused bodies have theirs from the compiler, which finds axes as roughly as MuJoCo (up to 1e-6 radians).
  private func readInertial(
    _ element: XMLTreeElement, of link: XMLTreeElement
  ) throws -> ModelSpecification.Inertial {
    var inertial = ModelSpecification.Inertial(location: element.location)
    let pose = try element.urdfOrigin()
    inertial.position = pose.position
    inertial.mass = try element.requiredChild("mass").requiredDouble("value")
    guard inertial.mass >= 0 else {
      throw element.error("the mass of \(link.label) is \(inertial.mass); it cannot be negative")
    }
    let matrix = try element.requiredChild("inertia")
    let xx = try matrix.requiredDouble("ixx")
    let yy = try matrix.requiredDouble("iyy")
    let zz = try matrix.requiredDouble("izz")
    let xy = try matrix.requiredDouble("ixy")
    let xz = try matrix.requiredDouble("ixz")
    let yz = try matrix.requiredDouble("iyz")
    guard [xx, yy, zz, xy, xz, yz].allSatisfy({ abs($0) < 1e300 }) else {
      throw matrix.error("the inertia of \(link.label) is too large; moments have to stay below 1e300")
    }
    if specification.compiler.fuseStatic {
      inertial.orientation = pose.orientation
      inertial.inertia = .full([xx, yy, zz, xy, xz, yz])
    } else {
      let axes = CompilerPrincipalAxes(
        Matrix3(columns: Vector3(xx, xy, xz), Vector3(xy, yy, yz), Vector3(xz, yz, zz)), isExact: true)
      inertial.orientation = (pose.orientation * axes.orientation).normalized
      inertial.inertia = .diagonal(axes.moments)
    }
    return inertial
  }

  private mutating func readGeom(_ element: XMLTreeElement, isVisual: Bool) throws -> ModelSpecification.Geom
  {
    var geom = ModelSpecification.Geom(location: element.location)
    geom.pose = try element.urdfOrigin()
    if isVisual {
      geom.contactType = 0
      geom.contactAffinity = 0
      geom.group = 1
      geom.density = 0
    }
    if let name = element.string("name"), !name.isEmpty {
      if geomNames.insert(name).inserted {
        geom.name = name
      } else {
        try warn(element, "the name '\(name.clippedForMessage)' is used again, so this geom has none")
      }
    }
    let geometry = try element.requiredChild("geometry")
    guard let shape = geometry.children.first, geometry.children.count == 1 else {
      throw geometry.error(
        "<geometry> holds \(geometry.children.count) shapes; expected one of box, cylinder, sphere, capsule, mesh"
      )
    }
    switch shape.name {
    case "box":
      _ = try shape.requiredString("size")
      geom.type = .box
      geom.size = (try shape.vector3("size") ?? .zero) * 0.5
    case "cylinder", "capsule":
      geom.type = shape.name == "capsule" ? .capsule : .cylinder
      geom.size = Vector3(try shape.requiredDouble("radius"), try shape.requiredDouble("length") / 2, 0)
    case "sphere":
      geom.type = .sphere
      geom.size = Vector3(try shape.requiredDouble("radius"), 0, 0)
    case "mesh":
      geom.type = .mesh
      geom.mesh = try meshes.mesh(shape, isVisual: isVisual)
    default:
      throw shape.error(
        "<\(shape.name.clippedForMessage)> is not a shape; expected one of box, cylinder, sphere, capsule, mesh"
      )
    }
    return geom
  }
}
