import Lanes

/// Turns what a file says into a ``Model``, with MuJoCo 3.12's rules.
///
/// The stages stand in files of their own: bodies and their inertia, fusing, the flat tree, everything that
/// refers to it by name, and derived constants.
struct ModelCompiler {
  let specification: ModelSpecification
  var model = Model()
  /// Bodies in depth-first order; emptied into ``model`` when the tree is final.
  var bodies: [CompiledBody] = []
  var meshShapes: [MeshShape?] = []
  var meshIndices: [String: Int] = [:]
  var bodyIndices: [String: Int] = [:]
  var jointIndices: [String: Int] = [:]
  var geomIndices: [String: Int] = [:]
  var siteIndices: [String: Int] = [:]
  var tendonIndices: [String: Int] = [:]
  /// Where each joint of ``model`` stands in the file, and its mimic relation.
  var jointSources: [ModelSpecification.Joint] = []

  /// Masses and moments below this are zero to MuJoCo's compiler and engine (`mjMINVAL`).
  static let smallestMass = 1e-15
  /// Geoms lighter than this do not count, shorter vectors have no direction (`mjEPS`).
  static let smallestGeomMass = 1e-14
  /// MuJoCo's bound on the number of bodies.
  static let largestBodyCount = 65533
  /// Bound on the numbers of mimic joints and of tendons with armature: derived constants take memory and time
  /// that grow with their squares.
  static let largestTieCount = 256

  init(_ specification: ModelSpecification) { self.specification = specification }

  /// - Throws: ``ModelError`` of kind `invalid` at the element that is at fault.
  /// - Complexity: linear in the size of the specification.
  static func compile(_ specification: ModelSpecification) throws -> Model {
    var compiler = ModelCompiler(specification)
    try compiler.run()
    return compiler.model
  }

  private mutating func run() throws {
    model.name = specification.name
    model.options = specification.options
    model.unreadElements = specification.unsupported
    model.notEvaluated = specification.notEvaluated
    model.warnings = specification.warnings
    try checkOptions()
    try checkNames()
    try compileMeshes()
    try compileBodies()
    if specification.compiler.fuseStatic { try fuseStaticBodies() }
    try checkMasses()
    try assembleTree()
    try resolveMimics()
    try compileContacts()
    try compileTendons()
    try compileActuators()
    try compileEqualities()
    model.sensors = specification.sensors.map { sensor in
      var result = Sensor()
      result.name = sensor.name
      result.kind = sensor.kind
      return result
    }
    model.notEvaluated += model.sensors.map { "\(Self.label("sensor", $0.name)): \($0.kind)" }
    if specification.compiler.discardVisual { discardVisualGeoms() }
    scaleTotalMass()
    try compileKeyframes()
    try deriveConstants()
  }

  private func checkOptions() throws {
    let options = specification.options
    let location = specification.location
    guard options.timestep.isFinite, options.timestep > 0 else {
      throw invalid(location, "the timestep is \(options.timestep); it has to be positive")
    }
    let numbers =
      options.gravity.array + options.wind.array + options.magnetic.array + [
        options.density, options.viscosity, options.impedanceRatio, options.tolerance,
      ]
    try requireFinite(numbers, "an option", location)
    guard options.density >= 0, options.viscosity >= 0 else {
      throw invalid(location, "density and viscosity of the medium cannot be negative")
    }
  }

  /// Names are unique among the elements of one kind.
  private func checkNames() throws {
    func check(_ kind: String, _ elements: [(String, ModelError.Location)]) throws {
      var seen: [String: ModelError.Location] = [:]
      for (name, location) in elements where !name.isEmpty {
        if let first = seen.updateValue(location, forKey: name) {
          throw invalid(
            location,
            "repeated name '\(name)': line \(first.line) has a \(kind) of that name; names are unique per kind"
          )
        }
      }
    }
    let bodies = specification.bodies
    try check("body", bodies.map { ($0.name, $0.location) })
    try check("joint", bodies.flatMap { $0.joints.map { ($0.name, $0.location) } })
    try check("geom", bodies.flatMap { $0.geoms.map { ($0.name, $0.location) } })
    try check("site", bodies.flatMap { $0.sites.map { ($0.name, $0.location) } })
    try check("mesh", specification.meshes.map { ($0.name, $0.location) })
    try check("actuator", specification.actuators.map { ($0.name, $0.location) })
    try check("tendon", specification.tendons.map { ($0.name, $0.location) })
    try check("equality constraint", specification.equalities.map { ($0.name, $0.location) })
    try check("contact pair", specification.contactPairs.map { ($0.name, $0.location) })
    try check("contact exclusion", specification.contactExclusions.map { ($0.name, $0.location) })
    try check("keyframe", specification.keyframes.map { ($0.name, $0.location) })
    try check("sensor", specification.sensors.map { ($0.name, $0.location) })
  }

  /// Scales all masses and inertias to the asked total (`settotalmass`).
  private mutating func scaleTotalMass() {
    guard let total = specification.compiler.totalMass, total > 0 else { return }
    let present = model.bodies.dropFirst().reduce(0) { $0 + $1.mass }
    let scale = max(Self.smallestMass, total / max(Self.smallestMass, present))
    for index in model.bodies.indices.dropFirst() {
      model.bodies[index].mass *= scale
      model.bodies[index].inertia = model.bodies[index].inertia * scale
    }
  }
}
