import Lanes

extension ModelCompiler {
  /// Contact pairs and exclusions, sorted by their bodies as MuJoCo sorts them.
  mutating func compileContacts() throws {
    var pairs: [(signature: Int, pair: ContactPair)] = []
    for source in specification.contactPairs {
      let pair = try compilePair(source)
      let signature = model.geoms[pair.geom1].body << 16 + model.geoms[pair.geom2].body
      pairs.append((signature, pair))
    }
    model.contactPairs = Self.stablySorted(pairs)

    var exclusions: [(signature: Int, exclusion: ContactExclusion)] = []
    for source in specification.contactExclusions {
      let element = Self.label("exclusion", source.name)
      var exclusion = ContactExclusion()
      let first = try find("body", source.body1, in: bodyIndices, for: element, source.location)
      let second = try find("body", source.body2, in: bodyIndices, for: element, source.location)
      (exclusion.body1, exclusion.body2) = (min(first, second), max(first, second))
      exclusions.append((exclusion.body1 << 16 + exclusion.body2, exclusion))
    }
    model.contactExclusions = Self.stablySorted(exclusions)
  }

  private static func stablySorted<Element>(_ elements: [(signature: Int, Element)]) -> [Element] {
    elements.enumerated()
      .sorted { ($0.element.signature, $0.offset) < ($1.element.signature, $1.offset) }
      .map { $0.element.1 }
  }

  /// Fills in what a pair leaves open from its geoms: those of higher priority, else mixed or the larger.
  private func compilePair(_ source: ModelSpecification.ContactPair) throws -> ContactPair {
    let element = Self.label("contact pair", source.name)
    var first = try find("geom", source.geom1, in: geomIndices, for: element, source.location)
    var second = try find("geom", source.geom2, in: geomIndices, for: element, source.location)
    if model.geoms[first].body > model.geoms[second].body { swap(&first, &second) }
    let (one, two) = (model.geoms[first], model.geoms[second])
    var pair = ContactPair()
    pair.name = source.name
    pair.geom1 = first
    pair.geom2 = second
    pair.margin = source.margin ?? max(one.margin, two.margin)
    pair.gap = source.gap ?? max(one.gap, two.gap)
    pair.solverReferenceFriction = source.solverReferenceFriction ?? [0, 0]

    let leader: Geom? = one.priority == two.priority ? nil : one.priority > two.priority ? one : two
    pair.contactDimension =
      source.contactDimension ?? leader?.contactDimension ?? max(one.contactDimension, two.contactDimension)
    try checkContactDimension(pair.contactDimension, element, source.location)
    let friction =
      leader?.friction
      ?? Vector3(
        max(one.friction.x, two.friction.x), max(one.friction.y, two.friction.y),
        max(one.friction.z, two.friction.z))
    pair.friction = source.friction ?? [friction.x, friction.x, friction.y, friction.z, friction.z]
    pair.solverReference =
      source.solverReference ?? leader?.solverReference
      ?? zip(one.solverReference, two.solverReference).map { min($0, $1) }
    let mix = Self.mixing(one.solverMix, two.solverMix)
    pair.solverImpedance =
      source.solverImpedance ?? leader?.solverImpedance
      ?? zip(one.solverImpedance, two.solverImpedance).map { mix * $0 + (1 - mix) * $1 }
    try requireFinite(
      pair.friction + pair.solverReference + pair.solverReferenceFriction + pair.solverImpedance + [
        pair.margin, pair.gap,
      ], element, source.location)
    return pair
  }

  /// The first geom's share.
  private static func mixing(_ one: Double, _ two: Double) -> Double {
    if one >= smallestGeomMass, two >= smallestGeomMass { return one / (one + two) }
    if one < smallestGeomMass, two < smallestGeomMass { return 0.5 }
    return one < smallestGeomMass ? 0 : 1
  }

  /// Removes geoms that take no part in contacts (`discardvisual`); their mass has been counted.
  mutating func discardVisualGeoms() {
    let paired = Set(model.contactPairs.flatMap { [$0.geom1, $0.geom2] })
    let wrapped = Set(
      specification.tendons.flatMap(\.path).lazy.filter { $0.kind == .geom }.map(\.name))
    var newIndex = [Int](repeating: -1, count: model.geoms.count)
    var kept: [Geom] = []
    for index in model.bodies.indices {
      let first = kept.count
      for geomIndex in model.bodies[index].geoms {
        let geom = model.geoms[geomIndex]
        guard
          geom.contactType != 0 || geom.contactAffinity != 0 || paired.contains(geomIndex)
            || wrapped.contains(geom.name)
        else { continue }
        newIndex[geomIndex] = kept.count
        kept.append(geom)
      }
      model.bodies[index].geoms = first..<kept.count
    }
    let usedMeshes = Set(kept.compactMap(\.mesh)).sorted()
    let newMesh = Dictionary(uniqueKeysWithValues: usedMeshes.enumerated().map { ($0.element, $0.offset) })
    model.meshes = usedMeshes.map { model.meshes[$0] }
    for index in kept.indices { kept[index].mesh = kept[index].mesh.flatMap { newMesh[$0] } }
    model.geoms = kept
    for index in model.contactPairs.indices {
      model.contactPairs[index].geom1 = newIndex[model.contactPairs[index].geom1]
      model.contactPairs[index].geom2 = newIndex[model.contactPairs[index].geom2]
    }
  }
}
