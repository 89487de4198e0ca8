import Lanes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Volume, area and principal inertia of the primitive shapes, centred, along their own axes.
///
/// Sizes are MuJoCo's: radius; radius and half length; half edges or semi-axes. A shell has its mass spread
/// evenly over its surface.
struct PrimitiveShape {
  var type: GeomType
  var size: Vector3<Double>
  var isShell: Bool

  /// Volume, or area for a shell; zero for a shape without one.
  var measure: Double {
    let (radius, length) = (size.x, 2 * size.y)
    switch type {
    case .sphere:
      return isShell ? 4 * .pi * radius * radius : 4 * .pi * radius * radius * radius / 3
    case .capsule:
      return isShell
        ? 4 * .pi * radius * radius + 2 * .pi * radius * length
        : .pi * (radius * radius * length + 4 * radius * radius * radius / 3)
    case .cylinder:
      return isShell
        ? 2 * .pi * radius * radius + 2 * .pi * radius * length : .pi * radius * radius * length
    case .ellipsoid:
      guard isShell else { return 4 * .pi * size.x * size.y * size.z / 3 }
      // Thomsen's approximation of an ellipsoid's area.
      let power = 1.6075
      let sum = pow(size.x * size.y, power) + pow(size.y * size.z, power) + pow(size.z * size.x, power)
      return 4 * .pi * pow(sum / 3, 1 / power)
    case .box, .hfield:
      return isShell
        ? 8 * (size.x * size.y + size.y * size.z + size.z * size.x) : size.x * size.y * size.z * 8
    case .plane, .mesh, .sdf:
      return 0
    }
  }

  /// Principal moments for that mass.
  func inertia(mass: Double) -> Vector3<Double> {
    switch type {
    case .sphere:
      let moment = 2 * mass * size.x * size.x / (isShell ? 3 : 5)
      return Vector3(moment, moment, moment)
    case .capsule: return capsuleInertia(mass)
    case .cylinder: return cylinderInertia(mass)
    case .ellipsoid: return ellipsoidInertia(mass)
    case .box, .hfield: return boxInertia(mass)
    case .plane, .mesh, .sdf: return .zero
    }
  }

  private func capsuleInertia(_ mass: Double) -> Vector3<Double> {
    let (radius, length) = (size.x, 2 * size.y)
    let square = radius * radius
    // The two hemispheres together, and the part between them.
    let ends =
      isShell ? mass * 2 * radius / (2 * radius + length) : mass * 4 * radius / (4 * radius + 3 * length)
    let middle = mass - ends
    let endMoment = 2 * ends * square / (isShell ? 3 : 5)
    // A hemisphere's centre of mass lies 3/8 of its radius from its centre, a hollow one's half of it; moving
    // the hemisphere out by half the length adds the difference of the squared distances.
    let outward =
      isShell
      ? ends * (size.y * size.y + size.y * radius) : ends * length * (3 * radius + 2 * length) / 8
    let across = middle * ((isShell ? 6 : 3) * square + length * length) / 12 + endMoment + outward
    let along = middle * square / (isShell ? 1 : 2) + endMoment
    return Vector3(across, across, along)
  }

  private func cylinderInertia(_ mass: Double) -> Vector3<Double> {
    let (radius, length) = (size.x, 2 * size.y)
    let square = radius * radius
    guard isShell else {
      let across = mass * (3 * square + length * length) / 12
      return Vector3(across, across, mass * square / 2)
    }
    // Two discs and a tube, by area.
    let disc = mass * radius / (2 * radius + 2 * length)
    let tube = mass - 2 * disc
    let across =
      tube * (6 * square + length * length) / 12 + 2 * disc * (square / 4 + size.y * size.y)
    return Vector3(across, across, tube * square + disc * square)
  }

  private func ellipsoidInertia(_ mass: Double) -> Vector3<Double> {
    guard isShell else { return Self.solidEllipsoidInertia(size, mass) }
    // The difference of two solids of one density that differ by a thin layer.
    let thickness = 1e-6
    let outer = Vector3(size.x + thickness, size.y + thickness, size.z + thickness)
    let innerVolume = 4 * Double.pi * size.x * size.y * size.z / 3
    let outerVolume = 4 * Double.pi * outer.x * outer.y * outer.z / 3
    let density = mass / (outerVolume - innerVolume)
    return Self.solidEllipsoidInertia(outer, outerVolume * density)
      - Self.solidEllipsoidInertia(size, innerVolume * density)
  }

  private static func solidEllipsoidInertia(_ size: Vector3<Double>, _ mass: Double) -> Vector3<Double> {
    let (xx, yy, zz) = (size.x * size.x, size.y * size.y, size.z * size.z)
    return Vector3(mass * (yy + zz) / 5, mass * (xx + zz) / 5, mass * (xx + yy) / 5)
  }

  private func boxInertia(_ mass: Double) -> Vector3<Double> {
    let (xx, yy, zz) = (size.x * size.x, size.y * size.y, size.z * size.z)
    guard isShell else {
      return Vector3(mass * (yy + zz) / 3, mass * (xx + zz) / 3, mass * (xx + yy) / 3)
    }
    // Three pairs of faces by area; second moments of the area along each axis.
    let (alongZ, alongX, alongY) = (size.x * size.y, size.y * size.z, size.z * size.x)
    let total = alongX + alongY + alongZ
    func second(_ square: Double, _ facing: Double) -> Double {
      // Faces across the axis lie at its half edge; the others spread evenly over it.
      mass * square * (facing + (total - facing) / 3) / total
    }
    let (x, y, z) = (second(xx, alongX), second(yy, alongY), second(zz, alongZ))
    return Vector3(y + z, x + z, x + y)
  }
}
