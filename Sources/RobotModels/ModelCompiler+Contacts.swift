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

  /// What a pair leaves open takes the default of ``ContactPair``; the geoms' own parameters play no part.
  private func compilePair(_ source: ModelSpecification.ContactPair) throws -> ContactPair {
    let element = Self.label("contact pair", source.name)
    var pair = ContactPair()
    pair.name = source.name
    pair.geom1 = try find("geom", source.geom1, in: geomIndices, for: element, source.location)
    pair.geom2 = try find("geom", source.geom2, in: geomIndices, for: element, source.location)
    if model.geoms[pair.geom1].body > model.geoms[pair.geom2].body { swap(&pair.geom1, &pair.geom2) }
    pair.contactDimension = source.contactDimension ?? pair.contactDimension
    try checkContactDimension(pair.contactDimension, element, source.location)
    pair.friction = source.friction ?? pair.friction
    pair.solverReference = source.solverReference ?? pair.solverReference
    pair.solverReferenceFriction = source.solverReferenceFriction ?? pair.solverReferenceFriction
    pair.solverImpedance = source.solverImpedance ?? pair.solverImpedance
    pair.margin = source.margin ?? pair.margin
    pair.gap = source.gap ?? pair.gap
    try requireFinite(
      pair.friction + pair.solverReference + pair.solverReferenceFriction + pair.solverImpedance + [
        pair.margin, pair.gap,
      ], element, source.location)
    return pair
  }

  /// Removes geoms that take no part in contacts (`discardvisual`); their mass has been counted.
  mutating func discardVisualGeoms() {
    let paired = Set(model.contactPairs.flatMap { [$0.geom1, $0.geom2] })
    let wrapped = Set(
      specification.tendons.flatMap(\.path).compactMap { step -> String? in
        if case .geom(let name, _) = step.element { name } else { nil }
      })
    let referenced = wrapped.union(specification.referencedGeoms)
    var newIndex = [Int](repeating: -1, count: model.geoms.count)
    var kept: [Geom] = []
    for index in model.bodies.indices {
      let first = kept.count
      for geomIndex in model.bodies[index].geoms {
        let geom = model.geoms[geomIndex]
        guard
          geom.contactType != 0 || geom.contactAffinity != 0 || paired.contains(geomIndex)
            || referenced.contains(geom.name)
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
