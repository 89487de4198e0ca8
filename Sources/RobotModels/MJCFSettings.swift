import Lanes

/// What the `<compiler>` element says to the reader itself.
struct MJCFReaderSettings: Sendable {
  var angles = MJCFAngles()
  var assetDirectory = ""
  var meshDirectory: String? = nil
  var stripsPaths = false
}

extension MJCFReader {
  mutating func readCompiler(_ element: XMLTreeElement) throws {
    if try element.keyword("coordinate", ["local": false, "global": true]) == true {
      throw element.error(
        at: "coordinate", "coordinate=\"global\" is not supported any more; expected 'local' (the default)")
    }
    var compiler = specification.compiler
    element.overwrite(
      &settings.angles.isDegree, with: try element.keyword("angle", ["degree": true, "radian": false]))
    if let sequence = element.string("eulerseq") {
      guard sequence.count == 3, sequence.allSatisfy({ "xyzXYZ".contains($0) }) else {
        throw element.error(
          at: "eulerseq",
          "attribute 'eulerseq' is '\(sequence.clippedForMessage)'; expected three letters of xyz (turning axes) "
            + "or XYZ (fixed axes), such as 'xyz'")
      }
      settings.angles.eulerSequence = Array(sequence)
    }
    element.overwrite(&settings.assetDirectory, with: element.string("assetdir"))
    if let directory = element.string("meshdir") { settings.meshDirectory = directory }
    element.overwrite(&settings.stripsPaths, with: try element.boolean("strippath"))
    element.overwrite(&compiler.fitsBoundingBox, with: try element.boolean("fitaabb"))
    element.overwrite(&compiler.autoLimits, with: try element.boolean("autolimits"))
    element.overwrite(&compiler.boundMass, with: try element.nonNegative("boundmass"))
    element.overwrite(&compiler.boundInertia, with: try element.nonNegative("boundinertia"))
    element.overwrite(&compiler.balanceInertia, with: try element.boolean("balanceinertia"))
    if let mass = try element.double("settotalmass") { compiler.totalMass = mass > 0 ? mass : nil }
    element.overwrite(&compiler.alignFree, with: try element.boolean("alignfree"))
    element.overwrite(&compiler.fuseStatic, with: try element.boolean("fusestatic"))
    element.overwrite(&compiler.discardVisual, with: try element.boolean("discardvisual"))
    element.overwrite(
      &compiler.inertiaFromGeom,
      with: try element.keyword("inertiafromgeom", ["false": .no, "true": .yes, "auto": .automatic]))
    if let range = try element.integers("inertiagrouprange", count: 2...2) {
      guard range[0] <= range[1] else {
        throw element.error(
          at: "inertiagrouprange",
          "attribute 'inertiagrouprange' is \(range[0]) \(range[1]); expected the smaller group first, such as 0 5"
        )
      }
      compiler.inertiaGroupRange = range[0]...range[1]
    }
    specification.compiler = compiler
  }

  mutating func readOption(_ element: XMLTreeElement) throws {
    var options = specification.options
    if let timestep = try element.double("timestep") {
      guard timestep > 0 else {
        throw element.error(
          at: "timestep",
          "attribute 'timestep' is \(timestep); expected a positive number of seconds, such as 0.002")
      }
      options.timestep = timestep
    }
    element.overwrite(&options.impedanceRatio, with: try element.nonNegative("impratio"))
    element.overwrite(&options.tolerance, with: try element.nonNegative("tolerance"))
    element.overwrite(&options.lineSearchTolerance, with: try element.nonNegative("ls_tolerance"))
    element.overwrite(&options.gravity, with: try element.vector3("gravity"))
    element.overwrite(&options.wind, with: try element.vector3("wind"))
    element.overwrite(&options.magnetic, with: try element.vector3("magnetic"))
    element.overwrite(&options.density, with: try element.nonNegative("density"))
    element.overwrite(&options.viscosity, with: try element.nonNegative("viscosity"))
    element.overwrite(
      &options.integrator,
      with: try element.keyword(
        "integrator",
        ["Euler": .euler, "RK4": .rungeKutta4, "implicit": .implicit, "implicitfast": .implicitFast]))
    element.overwrite(
      &options.cone, with: try element.keyword("cone", ["pyramidal": .pyramidal, "elliptic": .elliptic]))
    element.overwrite(
      &options.solver,
      with: try element.keyword(
        "solver", ["PGS": .projectedGaussSeidel, "CG": .conjugateGradient, "Newton": .newton]))
    _ = try element.keyword("jacobian", ["dense": 0, "sparse": 1, "auto": 2])
    for (name, path) in [
      ("iterations", \SimulationOptions.iterations), ("ls_iterations", \.lineSearchIterations),
      ("noslip_iterations", \.noSlipIterations),
    ] {
      guard let count = try element.integer(name) else { continue }
      guard count >= 0 else {
        throw element.error(at: name, "attribute '\(name)' is \(count); expected a count of at least 0")
      }
      options[keyPath: path] = count
    }
    for group in try element.integers("actuatorgroupdisable", count: 1...31) ?? [] {
      guard (0...30).contains(group) else {
        throw element.error(
          at: "actuatorgroupdisable",
          "attribute 'actuatorgroupdisable' holds \(group); expected groups from 0 to 30")
      }
      options.disabledActuatorGroups |= 1 << UInt32(group)
    }
    for flag in element.children(named: "flag") { try readFlag(flag, &options) }
    specification.options = options
  }

  private func readFlag(_ element: XMLTreeElement, _ options: inout SimulationOptions) throws {
    let states: KeyValuePairs<String, Bool> = ["enable": true, "disable": false]
    let disabling: KeyValuePairs<String, DisabledFeatures> = [
      "constraint": .constraint, "equality": .equality, "frictionloss": .frictionLoss, "limit": .limit,
      "contact": .contact, "spring": .spring, "damper": .damper, "gravity": .gravity,
      "clampctrl": .clampControl, "warmstart": .warmStart, "filterparent": .filterParent,
      "actuation": .actuation, "refsafe": .referenceSafe, "sensor": .sensor, "midphase": .midPhase,
      "eulerdamp": .eulerDamping, "autoreset": .autoReset, "nativeccd": .nativeCollision, "island": .island,
      "multiccd": .multiCCD,
    ]
    for (name, feature) in disabling {
      guard let isEnabled = try element.keyword(name, states) else { continue }
      if isEnabled { options.disabled.remove(feature) } else { options.disabled.insert(feature) }
    }
    let enabling: KeyValuePairs<String, EnabledFeatures> = [
      "override": .override, "energy": .energy, "fwdinv": .forwardInverse, "invdiscrete": .inverseDiscrete,
      "sleep": .sleep,
    ]
    for (name, feature) in enabling {
      guard let isEnabled = try element.keyword(name, states) else { continue }
      if isEnabled { options.enabled.insert(feature) } else { options.enabled.remove(feature) }
    }
  }

  /// Options that change the motion and are not simulated.
  mutating func listUnsupportedOptions(_ options: [XMLTreeElement]) throws {
    let states: KeyValuePairs<String, Bool> = ["enable": true, "disable": false]
    var exactDiagonal = false
    for flag in options.flatMap({ $0.children(named: "flag") }) {
      flag.overwrite(&exactDiagonal, with: try flag.keyword("diagexact", states))
    }
    let enabled = specification.options.enabled
    if exactDiagonal { list(.other, "option flag 'diagexact': enabled") }
    if enabled.contains(.sleep) { list(.other, "option flag 'sleep': enabled") }
    if enabled.contains(.override) { list(.contact, "option flag 'override': enabled") }
  }

  mutating func readSize(_ element: XMLTreeElement) throws {
    if let count = try element.integer("nkey") {
      guard (0...10_000).contains(count) else {
        throw element.error(at: "nkey", "attribute 'nkey' is \(count); expected 0 to 10000")
      }
      specification.minimumKeyframeCount = count
    }
    for attribute in element.attributes where attribute.name != "memory" {
      _ = try element.integer(attribute.name)
    }
  }

  mutating func readStatistic(_ element: XMLTreeElement) throws {
    for name in ["meaninertia", "meanmass", "meansize", "extent"] {
      if let value = try element.double(name), value <= 0 {
        throw element.error(at: name, "attribute '\(name)' is \(value); expected a positive number")
      }
    }
    element.overwrite(&specification.meanInertia, with: try element.double("meaninertia"))
    _ = try element.vector3("center")
  }
}
