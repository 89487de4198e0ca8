extension MJCFReader {
  /// Sensors are kept by kind and name. What they refer to must exist all the same: a wrong name is a mistake in
  /// the file whether or not the sensor is evaluated.
  mutating func readSensor(_ element: XMLTreeElement) throws {
    let kinds: KeyValuePairs<String, String> = [
      "site": "site", "joint": "joint", "tendon": "tendon", "actuator": "actuator", "camera": "camera",
      "body": "body", "body1": "body", "body2": "body", "subtree1": "body", "subtree2": "body",
      "geom": "geom", "geom1": "geom", "geom2": "geom", "mesh": "mesh",
    ]
    for (attribute, kind) in kinds {
      try checkReference(element, attribute, kind: kind)
      keepReferenced(kind, element.string(attribute))
    }
    for (typeAttribute, nameAttribute) in [("objtype", "objname"), ("reftype", "refname")] {
      guard let type = element.string(typeAttribute), element.attribute(nameAttribute) != nil else {
        continue
      }
      let kind = type == "xbody" ? "body" : type
      if ["body", "geom", "site", "camera", "joint", "tendon", "actuator"].contains(kind) {
        try checkReference(element, nameAttribute, kind: kind)
      }
      keepReferenced(kind, element.string(nameAttribute))
    }
    if ["force", "torque"].contains(element.name), let site = element.string("site") {
      let owner = specification.bodies.first { $0.sites.contains { $0.name == site } }
      if let owner { specification.referencedBodies.insert(owner.name) }
    }
    if let required = Self.requiredSensorAttributes[element.name] {
      for attribute in required { _ = try element.requiredString(attribute) }
    }
    var sensor = ModelSpecification.Sensor(location: element.location)
    sensor.name = element.string("name") ?? ""
    sensor.kind = element.name
    try declare(sensor.name, kind: "sensor", element)
    specification.sensors.append(sensor)
  }

  /// A body or geom that is referred to is neither fused nor discarded.
  mutating func keepReferenced(_ kind: String, _ name: String?) {
    guard let name else { return }
    if kind == "body" { specification.referencedBodies.insert(name) }
    if kind == "geom" { specification.referencedGeoms.insert(name) }
  }

  private static let requiredSensorAttributes: [String: [String]] = {
    let groups: [(String, [String])] = [
      ("touch accelerometer velocimeter gyro force torque magnetometer", ["site"]),
      ("camprojection", ["site", "camera"]),
      (
        "jointpos jointvel jointactuatorfrc ballquat ballangvel jointlimitpos jointlimitvel jointlimitfrc",
        ["joint"]
      ),
      ("tendonpos tendonvel tendonactuatorfrc tendonlimitpos tendonlimitvel tendonlimitfrc", ["tendon"]),
      ("actuatorpos actuatorvel actuatorfrc", ["actuator"]),
      (
        "framepos framequat framexaxis frameyaxis framezaxis framelinvel frameangvel framelinacc frameangacc",
        ["objtype", "objname"]
      ),
      ("subtreecom subtreelinvel subtreeangmom", ["body"]), ("tactile", ["geom", "mesh"]),
    ]
    var result: [String: [String]] = [:]
    for (names, attributes) in groups {
      for name in names.split(separator: " ") { result[String(name)] = attributes }
    }
    return result
  }()
}
