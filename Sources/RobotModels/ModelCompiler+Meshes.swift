import Lanes

extension CompiledMesh {
  /// The inertial frame in the file's.
  var pose: ModelSpecification.Pose {
    ModelSpecification.Pose(position: mesh.inertialPosition, orientation: mesh.inertialOrientation)
  }
}

extension ModelCompiler {
  typealias MeshShape = CompiledMesh

  /// Moves every mesh to its inertial frame; one whose file is missing stays empty.
  mutating func compileMeshes() throws {
    for source in specification.meshes {
      meshIndices[source.name] = model.meshes.count
      guard source.properties != nil else {
        var mesh = Mesh()
        mesh.name = source.name
        mesh.file = source.file
        model.meshes.append(mesh)
        meshShapes.append(nil)
        continue
      }
      let shape = try CompiledMesh(source)
      model.meshes.append(shape.mesh)
      meshShapes.append(shape)
    }
  }

  /// Size of a mesh geom, or of the primitive that stands for the mesh, and its centre in the mesh's inertial
  /// frame.
  func fit(
    _ shape: MeshShape, to source: ModelSpecification.Geom, _ element: String
  ) throws -> (size: Vector3<Double>, center: Vector3<Double>) {
    let (lower, upper) = (shape.lowerBound, shape.upperBound)
    if source.type == .mesh || source.type == .sdf {
      func extent(_ axis: Int) -> Double { max(abs(lower[axis]), abs(upper[axis])) }
      return (Vector3(extent(0), extent(1), extent(2)), .zero)
    }
    let usesBounds = specification.compiler.fitsBoundingBox
    let center = usesBounds ? (lower + upper) * 0.5 : .zero
    let box = usesBounds ? upper - center : shape.inertiaBox
    var size = source.size
    switch source.type {
    case .sphere:
      size.x = usesBounds ? max(box.x, box.y, box.z) : (box.x + box.y + box.z) / 3
    case .capsule:
      size.x = usesBounds ? max(box.x, box.y) : (box.x + box.y) / 2
      size.y = usesBounds ? box.z - size.x : max(0, box.z - size.x / 2)
    case .cylinder:
      size.x = usesBounds ? max(box.x, box.y) : (box.x + box.y) / 2
      size.y = box.z
    case .ellipsoid, .box:
      size = box
    case .plane, .hfield, .mesh, .sdf:
      throw invalid(
        source.location,
        "\(element) is a \(source.type.rawValue) with a mesh; a mesh can be fitted by a sphere, "
          + "capsule, cylinder, ellipsoid or box")
    }
    return (size * source.meshFitScale, center)
  }
}
