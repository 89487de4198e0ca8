import Lanes

/// A mesh moved into its inertial frame, with what a geom needs to give its body mass.
struct CompiledMesh: Sendable, Equatable {
  /// Vertices, triangles and hull in the inertial frame, and that frame's pose.
  var mesh: Mesh
  /// Volume (m^3), or area (m^2) for a shell; times the density it is the mass.
  var measure: Double
  /// Half edges of the box with the mesh's volume and inertia.
  var inertiaBox: Vector3<Double>
  /// Lower corner of the bounding box in the inertial frame.
  var lowerBound: Vector3<Double>
  /// Upper corner of the bounding box in the inertial frame.
  var upperBound: Vector3<Double>

  /// Principal moments about the centroid of a geom of that mass.
  func inertia(mass: Double) -> Vector3<Double> {
    let (x, y, z) = (inertiaBox.x * inertiaBox.x, inertiaBox.y * inertiaBox.y, inertiaBox.z * inertiaBox.z)
    return Vector3(y + z, x + z, x + y) * (mass / 3)
  }
}

extension CompiledMesh {
  /// Moves a mesh into its inertial frame, as MuJoCo 3.12 does.
  ///
  /// - Parameter specification: a mesh with vertices and mass properties.
  /// - Throws: ``ModelError`` at the mesh where it has none, or where no body can have its inertia.
  /// - Complexity: O(vertices).
  init(_ specification: ModelSpecification.Mesh) throws(ModelError) {
    guard let properties = specification.properties, let first = specification.vertices.first else {
      throw specification.error("its file is missing, so it has no shape")
    }
    let axes = CompilerPrincipalAxes(properties.inertia)
    try CompiledMesh.checkMoments(axes.moments, of: specification)
    let inverse = axes.orientation.conjugate
    mesh = Mesh()
    mesh.name = specification.name
    mesh.file = specification.file
    mesh.vertices = specification.vertices.map { inverse.rotate($0 - properties.center) }
    mesh.triangles = specification.triangles
    mesh.hullTriangles = specification.hullTriangles
    mesh.hullNeighbors = specification.hullNeighbors
    mesh.inertialPosition = properties.center
    mesh.inertialOrientation = axes.orientation
    measure = properties.mass
    let moments = axes.moments
    let sum = moments.x + moments.y + moments.z
    func halfEdge(_ moment: Double) -> Double {
      // Rounding may put a flat shell's sum just below zero.
      0.5 * max(0, 6 * (sum - 2 * moment) / properties.mass).squareRoot()
    }
    inertiaBox = Vector3(halfEdge(moments.x), halfEdge(moments.y), halfEdge(moments.z))
    lowerBound = inverse.rotate(first - properties.center)
    upperBound = lowerBound
    for vertex in mesh.vertices {
      for axis in 0..<3 {
        lowerBound[axis] = min(lowerBound[axis], vertex[axis])
        upperBound[axis] = max(upperBound[axis], vertex[axis])
      }
    }
  }

  private static func checkMoments(
    _ moments: Vector3<Double>, of mesh: ModelSpecification.Mesh
  ) throws(ModelError) {
    guard moments.z > 0, moments.isFinite else {
      throw mesh.error(
        "the smallest moment of inertia is \(moments.z), not positive and finite; scale the "
          + "mesh up")
    }
    let sum = moments.x + moments.y + moments.z
    for axis in 0..<3 where sum - moments[axis] < moments[axis] * (1 - 1e-6) - 1e-9 {
      throw mesh.error(
        "no body has the moments of inertia \(moments.x), \(moments.y), "
          + "\(moments.z); check the triangles' orientation")
    }
  }
}
