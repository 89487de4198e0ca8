import Lanes

extension ModelCompiler {
  /// Merges bodies without joints into their parents (`fusestatic`): mass and inertia, geoms, sites and children
  /// move there. Bodies that something names stay.
  mutating func fuseStaticBodies() throws {
    let named = namesInUse()
    var isFused = [Bool](repeating: false, count: bodies.count)
    for index in bodies.indices.dropFirst() {
      let body = bodies[index]
      guard body.isStatic, body.name.isEmpty || !named.contains(body.name) else { continue }
      let parent = body.parent
      if parent != 0, body.mass >= Self.smallestMass { try addInertia(of: body, to: parent) }
      for child in body.children {
        bodies[child].pose = body.pose * bodies[child].pose
        bodies[child].parent = parent
      }
      bodies[parent].children.append(contentsOf: body.children)
      for var geom in body.geoms {
        let moved = body.pose * Pose(position: geom.position, orientation: geom.orientation)
        (geom.position, geom.orientation) = (moved.position, moved.orientation)
        bodies[parent].geoms.append(geom)
      }
      for var site in body.sites {
        let moved = body.pose * Pose(position: site.position, orientation: site.orientation)
        (site.position, site.orientation) = (moved.position, moved.orientation)
        bodies[parent].sites.append(site)
      }
      isFused[index] = true
    }

    // A fused body's children take its place, so depth-first order is kept by leaving it out.
    var newIndex = [Int](repeating: 0, count: bodies.count)
    var kept: [CompiledBody] = []
    for (index, body) in bodies.enumerated() where !isFused[index] {
      newIndex[index] = kept.count
      kept.append(body)
    }
    for index in kept.indices {
      kept[index].parent = newIndex[kept[index].parent]
      kept[index].children = kept[index].children.filter { !isFused[$0] }.map { newIndex[$0] }
    }
    bodies = kept
  }

  private func namesInUse() -> Set<String> {
    var names = specification.referencedBodies
    for exclusion in specification.contactExclusions { names.formUnion([exclusion.body1, exclusion.body2]) }
    for equality in specification.equalities
    where !equality.joinsSites && (equality.type == .connect || equality.type == .weld) {
      names.insert(equality.object1)
      if let second = equality.object2 { names.insert(second) }
    }
    for actuator in specification.actuators where actuator.transmission == .body {
      names.insert(actuator.target)
    }
    return names
  }

  private mutating func addInertia(of body: CompiledBody, to parent: Int) throws {
    let parts = [
      PrincipalInertia(
        mass: bodies[parent].mass, moments: bodies[parent].inertia, pose: bodies[parent].inertialPose),
      PrincipalInertia(mass: body.mass, moments: body.inertia, pose: body.pose * body.inertialPose),
    ]
    let (mass, center, matrix) = PrincipalInertia.sum(parts)
    let (moments, axes) = try principal(matrix, Self.label("body", bodies[parent].name), body.location)
    bodies[parent].mass = mass
    bodies[parent].inertia = moments
    bodies[parent].inertialPose = Pose(position: center, orientation: axes)
  }
}
