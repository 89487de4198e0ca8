import Lanes

extension ModelCompiler {
  /// Mass, principal moments and inertial frame of a body: what the file states, or the sum over its geoms.
  mutating func setInertia(
    of body: inout CompiledBody, _ source: ModelSpecification.Body, _ shapes: [CompiledGeom], ownPose: Pose
  ) throws {
    let settings = specification.compiler
    let element = Self.label("body", source.name)
    var isDefined = false
    if let inertial = source.inertial {
      try setStatedInertia(of: &body, inertial, element)
      isDefined = true
    }
    if settings.inertiaFromGeom == .yes || (!isDefined && settings.inertiaFromGeom == .automatic) {
      isDefined = try addGeomInertia(to: &body, shapes, element) || isDefined
    }
    // A body without any inertia has its inertial frame where MuJoCo puts it: at the body's pose once more.
    if !isDefined { body.inertialPose = ownPose }
    body.mass = max(body.mass, settings.boundMass)
    // Without a bound, an inertia that is not positive stays as it is.
    if settings.boundInertia > 0 {
      for axis in 0..<3 { body.inertia[axis] = max(body.inertia[axis], settings.boundInertia) }
    }
    try checkInertia(of: &body, at: source.inertial?.location ?? source.location, element)
  }

  private func setStatedInertia(
    of body: inout CompiledBody, _ inertial: ModelSpecification.Inertial, _ element: String
  ) throws {
    let location = inertial.location
    try requireFinite([inertial.mass], "the mass of \(element)", location)
    body.mass = inertial.mass
    body.inertialPose = try normalized(
      Pose(position: inertial.position, orientation: inertial.orientation),
      "the inertial frame of \(element)",
      location)
    switch inertial.inertia {
    case .diagonal(let moments):
      try requireFinite(moments.array, "the inertia of \(element)", location)
      body.inertia = moments
    case .full(let m):
      try requireFinite(m, "the inertia of \(element)", location)
      let matrix = Matrix3(rowMajor: [m[0], m[3], m[4], m[3], m[1], m[5], m[4], m[5], m[2]])
      let (moments, axes) = try principal(matrix, element, location)
      body.inertia = moments
      body.inertialPose.orientation = body.inertialPose.orientation * axes
    }
  }

  /// Principal moments in decreasing order, and the axes.
  func principal(
    _ matrix: Matrix3<Double>, _ element: String, _ location: ModelError.Location
  ) throws -> (Vector3<Double>, Quaternion<Double>) {
    let axes = CompilerPrincipalAxes(matrix)
    if specification.compiler.impossibleInertia == .error, axes.moments.z < Self.smallestGeomMass {
      throw invalid(
        location,
        "the inertia of \(element) has the principal moments \(axes.moments.x), \(axes.moments.y), "
          + "\(axes.moments.z); all have to be positive")
    }
    return (axes.moments, axes.orientation)
  }

  /// - Returns: whether any geom had mass.
  private func addGeomInertia(
    to body: inout CompiledBody, _ shapes: [CompiledGeom], _ element: String
  ) throws -> Bool {
    let selected = shapes.filter {
      specification.compiler.inertiaGroupRange.contains($0.geom.group) && $0.mass > Self.smallestGeomMass
    }
    guard let first = selected.first else { return false }
    if selected.count == 1 {
      body.mass = first.mass
      body.inertia = first.inertia
      body.inertialPose = Pose(position: first.geom.position, orientation: first.geom.orientation)
      return true
    }
    let parts = selected.map {
      PrincipalInertia(
        mass: $0.mass, moments: $0.inertia,
        pose: Pose(position: $0.geom.position, orientation: $0.geom.orientation))
    }
    let (mass, center, matrix) = PrincipalInertia.sum(parts)
    body.mass = mass
    let (moments, axes) = try principal(matrix, element, body.location)
    body.inertia = moments
    body.inertialPose = Pose(position: center, orientation: axes)
    return true
  }

  private mutating func checkInertia(
    of body: inout CompiledBody, at location: ModelError.Location, _ element: String
  ) throws {
    let settings = specification.compiler
    let moments = body.inertia
    guard body.mass >= 0 else {
      throw invalid(location, "the mass of \(element) is \(body.mass); it cannot be negative")
    }
    let isNegative = moments.x < 0 || moments.y < 0 || moments.z < 0
    let breaksTriangle =
      moments.x + moments.y < moments.z || moments.x + moments.z < moments.y
      || moments.y + moments.z < moments.x
    guard isNegative || breaksTriangle else { return }
    if !isNegative, settings.balanceInertia {
      let mean = (moments.x + moments.y + moments.z) / 3
      body.inertia = Vector3(mean, mean, mean)
      return
    }
    let problem =
      isNegative
      ? "is not positive definite (principal moments \(moments.x), \(moments.y), \(moments.z))"
      : "has the principal moments \(moments.x), \(moments.y), \(moments.z), one larger than the sum of the "
        + "others"
    switch settings.impossibleInertia {
    case .error:
      throw invalid(
        location,
        "the inertia of \(element) \(problem); no body has such an inertia: correct it"
          + (isNegative ? "" : ", or set balanceinertia"))
    case .warning:
      model.warnings.append("\(element): the inertia \(problem); no body has such an inertia")
    }
  }

  /// A moving body has mass and inertia, its own or that of a body fixed to it. Where the settings only warn,
  /// it is enough that something that moves with it has mass.
  mutating func checkMasses() throws {
    for body in bodies.dropFirst() where !([body.mass] + body.inertia.array).allSatisfy(\.isFinite) {
      throw invalid(
        body.location,
        "\(Self.label("body", body.name)) is so large or heavy that its mass or inertia overflows (mass "
          + "\(body.mass), moments \(body.inertia.x), \(body.inertia.y), \(body.inertia.z)); give metres and kilograms"
      )
    }
    // Children stand after their parents, so one pass from the end settles every subtree.
    var carriesMass = bodies.map { body in
      body.mass >= Self.smallestMass && body.inertia.array.allSatisfy { $0 >= Self.smallestMass }
    }
    var subtreeMass = bodies.map(\.mass)
    for index in bodies.indices.dropFirst().reversed() {
      let body = bodies[index]
      if carriesMass[index], body.joints.isEmpty { carriesMass[body.parent] = true }
      subtreeMass[body.parent] += subtreeMass[index]
    }
    for (index, body) in bodies.enumerated().dropFirst() where !body.joints.isEmpty && !carriesMass[index] {
      let element = Self.label("body", body.name)
      if specification.compiler.masslessMovingBody == .warning, subtreeMass[index] >= Self.smallestMass {
        model.warnings.append("\(element) moves but has no mass or inertia of its own")
        continue
      }
      throw invalid(
        body.location,
        "\(element) moves but has no mass or inertia (mass \(body.mass), moments \(body.inertia.x), "
          + "\(body.inertia.y), \(body.inertia.z)); mass and moments of a moving body have to be larger than "
          + "\(Self.smallestMass): give it <inertial> or geoms with mass")
    }
  }
}

/// A rigid body's mass, principal moments and their frame.
struct PrincipalInertia {
  var mass: Double
  var moments: Vector3<Double>
  var pose: ModelSpecification.Pose

  /// Total mass, centre of mass, and inertia about it, of bodies that move as one.
  static func sum(_ parts: [Self]) -> (mass: Double, center: Vector3<Double>, inertia: Matrix3<Double>) {
    var mass = 0.0
    var moment = Vector3<Double>.zero
    for part in parts {
      mass += part.mass
      moment += part.pose.position * part.mass
    }
    let center = moment / mass
    var inertia = Matrix3<Double>.zero
    for part in parts {
      inertia = inertia + part.matrix + offCenter(part.mass, part.pose.position - center)
    }
    return (mass, center, inertia)
  }

  /// The inertia about the own centre, in the axes that the pose is given in.
  var matrix: Matrix3<Double> {
    let axes = pose.orientation.matrix
    let scaled = Matrix3(
      columns: axes.column0 * moments.x, axes.column1 * moments.y, axes.column2 * moments.z)
    return scaled * axes.transposed
  }

  /// What a mass at that offset adds.
  private static func offCenter(_ mass: Double, _ offset: Vector3<Double>) -> Matrix3<Double> {
    let outer = Matrix3(columns: offset * offset.x, offset * offset.y, offset * offset.z)
    return (Matrix3.identity * offset.normSquared - outer) * mass
  }
}
