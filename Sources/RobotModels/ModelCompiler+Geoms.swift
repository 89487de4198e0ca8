import Lanes

/// A geom with the mass that counts towards its body.
struct CompiledGeom {
  var geom: Geom
  var mass = 0.0
  /// Principal moments in the geom's frame.
  var inertia: Vector3<Double> = .zero
}

extension ModelCompiler {
  func compileGeom(
    _ source: ModelSpecification.Geom, infersMass: Bool, moves: Bool
  ) throws -> CompiledGeom {
    let element = Self.label("geom", source.name)
    let location = source.location
    var geom = Geom()
    geom.name = source.name
    geom.type = source.type
    geom.size = source.size
    geom.contactType = source.contactType
    geom.contactAffinity = source.contactAffinity
    geom.contactDimension = source.contactDimension
    geom.priority = source.priority
    geom.group = source.group
    geom.friction = source.friction
    geom.solverMix = source.solverMix
    geom.solverReference = source.solverReference
    geom.solverImpedance = source.solverImpedance
    geom.margin = source.margin
    geom.gap = source.gap
    if source.usesEllipsoidFluid { geom.ellipsoidFluidCoefficients = source.fluidCoefficients }
    try requireFinite(
      source.size.array + source.friction.array + source.solverReference + source.solverImpedance
        + source.fluidCoefficients
        + [
          source.solverMix, source.margin, source.gap, source.mass ?? 0, source.density, source.meshFitScale,
        ],
      element, location)
    try checkContactDimension(source.contactDimension, element, location)
    if source.type == .plane, moves {
      throw invalid(
        location, "\(element) is a plane on a moving body; planes belong to bodies without joints")
    }

    var pose = try normalized(source.pose, element, location)
    if let segment = source.segment {
      (pose, geom.size) = try resolveSegment(segment, source, element)
    }
    var shape: MeshShape? = nil
    if let mesh = source.mesh {
      let index = try find("mesh", mesh, in: meshIndices, for: element, location)
      shape = meshShapes[index]
      if let problem = specification.meshes[index].hullProblem, source.type == .mesh,
        source.contactType != 0 || source.contactAffinity != 0
      {
        throw invalid(location, "\(element) can touch others, but of its mesh '\(mesh)' \(problem)")
      }
      if let shape {
        let (size, center) = try fit(shape, to: source, element)
        geom.size = size
        pose = pose * Pose(position: shape.pose.position, orientation: .identity)
        pose.position += pose.orientation.rotate(shape.pose.orientation.rotate(center))
        pose.orientation = pose.orientation * shape.pose.orientation
      }
      if source.type == .mesh || source.type == .sdf { geom.mesh = index }
    } else if source.type == .mesh || source.type == .sdf {
      throw invalid(location, "\(element) is of type \(source.type.rawValue) but names no mesh")
    }
    let isMissing = source.mesh != nil && shape == nil
    if !isMissing { try checkSize(geom, element, location) }

    var result = CompiledGeom(geom: geom)
    if infersMass, moves || !isMissing {
      try setMass(of: &result, source, shape, element)
    }
    let placed = try normalized(source.frame, element, location) * pose
    result.geom.position = placed.position
    result.geom.orientation = placed.orientation
    return result
  }

  private func resolveSegment(
    _ segment: [Double], _ source: ModelSpecification.Geom, _ element: String
  ) throws -> (Pose, Vector3<Double>) {
    guard [.capsule, .cylinder, .ellipsoid, .box].contains(source.type), source.mesh == nil else {
      throw invalid(
        source.location,
        "\(element) is a \(source.type.rawValue) with fromto; only capsule, cylinder, ellipsoid and box have one"
      )
    }
    let (pose, half) = try segmentPose(segment, source.pose, element, source.location)
    let radius = source.size.x
    let isRound = source.type == .capsule || source.type == .cylinder
    return (pose, isRound ? Vector3(radius, half, source.size.z) : Vector3(radius, radius, half))
  }

  private func checkSize(_ geom: Geom, _ element: String, _ location: ModelError.Location) throws {
    let names: [String]
    switch geom.type {
    case .plane:
      // The first two may be zero, for an infinite plane.
      guard geom.size.z > 0 else {
        throw invalid(location, "the third size of \(element), the plane's grid spacing, has to be positive")
      }
      return
    case .sphere: names = ["radius"]
    case .capsule, .cylinder: names = ["radius", "half length"]
    case .ellipsoid: names = ["first semi-axis", "second semi-axis", "third semi-axis"]
    case .box: names = ["first half edge", "second half edge", "third half edge"]
    case .mesh, .sdf, .hfield: return
    }
    for (index, name) in names.enumerated() where geom.size[index] <= 0 {
      throw invalid(
        location,
        "size \(index + 1) of \(element), the \(name), is \(geom.size[index]); it has to be positive")
    }
  }

  private func setMass(
    of result: inout CompiledGeom, _ source: ModelSpecification.Geom, _ shape: MeshShape?, _ element: String
  ) throws {
    let location = source.location
    guard source.mass ?? 0 >= 0, source.density >= 0 else {
      throw invalid(location, "mass and density of \(element) cannot be negative")
    }
    let isMesh = source.type == .mesh || source.type == .sdf
    if source.mass.map({ $0 == 0 }) ?? (source.density == 0) { return }
    if isMesh, source.hasShellInertia {
      throw invalid(
        location,
        "\(element): a mesh's shell inertia is asked for in the asset, with <mesh inertia=\"shell\"/>")
    }
    if source.mesh != nil, shape == nil {
      throw invalid(
        location,
        "\(element) has its mass from mesh '\(source.mesh ?? "")', whose file is missing; give the file, the "
          + "body's <inertial>, or mass=\"0\"")
    }
    let primitive = PrimitiveShape(type: source.type, size: result.geom.size, isShell: source.hasShellInertia)
    let measure = isMesh ? shape?.measure ?? 0 : primitive.measure
    if let mass = source.mass {
      // A shape without volume cannot carry the mass.
      guard measure > Self.smallestGeomMass else { return }
      result.mass = mass
    } else {
      result.mass = source.density * measure
    }
    result.inertia =
      isMesh ? shape?.inertia(mass: result.mass) ?? .zero : primitive.inertia(mass: result.mass)
  }
}
