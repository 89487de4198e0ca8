import Lanes

/// Attributes of the elements inside bodies, as they stand in elements and in default classes.
extension MJCFReader {
  func apply(_ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.Joint>) throws {
    var joint = prototype.value
    element.overwrite(
      &joint.type,
      with: try element.keyword("type", ["free": .free, "ball": .ball, "slide": .slide, "hinge": .hinge]))
    element.overwrite(&joint.position, with: try element.vector3("pos"))
    element.overwrite(&joint.axis, with: try element.vector3("axis"))
    element.overwrite(&joint.springDamper, with: try element.doubles("springdamper", count: 2))
    element.overwrite(&joint.limited, with: try element.limited("limited"))
    element.overwrite(&joint.actuatorForceLimited, with: try element.limited("actuatorfrclimited"))
    try element.overwrite(&joint.limitSolverReference, "solreflimit")
    try element.overwrite(&joint.limitSolverImpedance, "solimplimit")
    try element.overwrite(&joint.frictionSolverReference, "solreffriction")
    try element.overwrite(&joint.frictionSolverImpedance, "solimpfriction")
    element.overwrite(&joint.range, with: try element.range("range"))
    element.overwrite(&joint.actuatorForceRange, with: try element.range("actuatorfrcrange"))
    element.overwrite(&joint.actuatorGravityCompensation, with: try element.boolean("actuatorgravcomp"))
    element.overwrite(&joint.margin, with: try element.double("margin"))
    element.overwrite(&joint.reference, with: try element.double("ref"))
    element.overwrite(&joint.springReference, with: try element.double("springref"))
    element.overwrite(&joint.armature, with: try element.nonNegative("armature"))
    element.overwrite(&joint.frictionLoss, with: try element.nonNegative("frictionloss"))
    if let stiffness = try element.coefficient("stiffness") {
      joint.stiffness = stiffness.constant
      prototype.setUnsupported("stiffness", stiffness.isPolynomial ? .passive : nil, "polynomial stiffness")
    }
    if let damping = try element.coefficient("damping") {
      joint.damping = damping.constant
      prototype.setUnsupported("damping", damping.isPolynomial ? .passive : nil, "polynomial damping")
    }
    prototype.value = joint
  }

  func apply(_ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.Geom>) throws {
    var geom = prototype.value
    element.overwrite(&geom.type, with: try geomType(element))
    try element.overwrite(&geom.size, "size")
    element.overwrite(&geom.segment, with: try element.doubles("fromto", count: 6))
    element.overwrite(&geom.pose.position, with: try element.vector3("pos"))
    try element.readOrientation(
      settings.angles, quaternion: &geom.pose.orientation, alternative: &prototype.orientation)
    element.overwrite(&geom.mass, with: try element.nonNegative("mass"))
    element.overwrite(&geom.density, with: try element.nonNegative("density"))
    element.overwrite(&geom.hasShellInertia, with: try element.boolean("shellinertia"))
    if let mesh = element.string("mesh") {
      geom.mesh = mesh
      prototype.assets["mesh"] = mesh
    }
    element.overwrite(&geom.meshFitScale, with: try element.double("fitscale"))
    for attribute in ["hfield", "material"] {
      if let name = element.string(attribute) { prototype.assets[attribute] = name }
    }
    element.overwrite(&geom.contactType, with: try element.integer("contype"))
    element.overwrite(&geom.contactAffinity, with: try element.integer("conaffinity"))
    if let dimension = try element.integer("condim") {
      guard [1, 3, 4, 6].contains(dimension) else {
        throw element.error(
          at: "condim", "attribute 'condim' of \(element.label) is \(dimension); expected 1, 3, 4 or 6")
      }
      geom.contactDimension = dimension
    }
    element.overwrite(&geom.priority, with: try element.integer("priority"))
    element.overwrite(&geom.group, with: try element.integer("group"))
    try element.overwrite(&geom.friction, "friction")
    element.overwrite(&geom.solverMix, with: try element.nonNegative("solmix"))
    try element.overwrite(&geom.solverReference, "solref")
    try element.overwrite(&geom.solverImpedance, "solimp")
    element.overwrite(&geom.margin, with: try element.double("margin"))
    element.overwrite(&geom.gap, with: try element.double("gap"))
    element.overwrite(
      &geom.usesEllipsoidFluid, with: try element.keyword("fluidshape", ["none": false, "ellipsoid": true]))
    try element.overwrite(&geom.fluidCoefficients, "fluidcoef")
    if let velocity = try element.doubles("surfacevel", count: 1...6) {
      prototype.setUnsupported(
        "surfacevel", velocity.contains { $0 != 0 } ? .contact : nil, "surface velocity (surfacevel)")
    }
    if let adhesion = try element.double("adhesion") {
      prototype.setUnsupported("adhesion", adhesion != 0 ? .contact : nil, "adhesion")
    }
    prototype.value = geom
  }

  func apply(_ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.Site>) throws {
    var site = prototype.value
    _ = try geomType(element)
    _ = try element.doubles("size", count: 1...3)
    element.overwrite(&site.segment, with: try element.doubles("fromto", count: 6))
    element.overwrite(&site.pose.position, with: try element.vector3("pos"))
    try element.readOrientation(
      settings.angles, quaternion: &site.pose.orientation, alternative: &prototype.orientation)
    if let name = element.string("material") { prototype.assets["material"] = name }
    prototype.value = site
  }

  private func geomType(_ element: XMLTreeElement) throws -> GeomType? {
    try element.keyword(
      "type",
      [
        "plane": .plane, "hfield": .hfield, "sphere": .sphere, "capsule": .capsule, "ellipsoid": .ellipsoid,
        "cylinder": .cylinder, "box": .box, "mesh": .mesh, "sdf": .sdf,
      ])
  }
}
