extension Model {
  /// One entry for all contacts that could occur: pairs that the model names, and geoms whose bits match on bodies
  /// that can touch; nil if there are none.
  var possibleContacts: UnsupportedElement? {
    let counted = countContactPairs()
    let named = contactPairs.count
    guard counted.count + named > 0 else { return nil }
    var parts: [String] = []
    if let (one, two) = counted.example {
      let prefix = counted.count >= Self.largestPairCount ? "at least " : ""
      parts.append(
        "\(prefix)\(counted.count) pairs of geoms can touch, for example \(geomLabel(one)) and \(geomLabel(two))"
      )
    }
    if let pair = contactPairs.first {
      parts.append(
        "\(named) explicit pairs, for example \(geomLabel(pair.geom1)) and \(geomLabel(pair.geom2))")
    }
    return UnsupportedElement(
      category: .contact, description: "contact: " + parts.joined(separator: "; "))
  }

  private func geomLabel(_ index: Int) -> String {
    let geom = geoms[index]
    if !geom.name.isEmpty { return "'\(geom.name)'" }
    let body = bodies[geom.body].name
    return body.isEmpty
      ? "a \(geom.type.rawValue)" : "a \(geom.type.rawValue) of '\(body)'"
  }

  /// Counting stops here.
  private static let largestPairCount = 1_000_000

  private struct IntegerPair: Hashable {
    var first: Int
    var second: Int
  }

  /// Bodies with the same contact bits, in increasing order.
  private struct ContactClass {
    var type: Int
    var affinity: Int
    var bodies: [Int]

    func matches(_ other: Self) -> Bool { type & other.affinity != 0 || other.type & affinity != 0 }
  }

  /// Bodies by the bits of all their geoms, so that bodies which cannot touch are never compared.
  private func contactClasses() -> [ContactClass] {
    var classes: [ContactClass] = []
    var positions: [IntegerPair: Int] = [:]
    for (index, body) in bodies.enumerated() {
      var (type, affinity) = (0, 0)
      for geom in geoms[body.geoms] {
        type |= geom.contactType
        affinity |= geom.contactAffinity
      }
      guard type != 0 || affinity != 0 else { continue }
      let key = IntegerPair(first: type, second: affinity)
      if let position = positions[key] {
        classes[position].bodies.append(index)
      } else {
        positions[key] = classes.count
        classes.append(ContactClass(type: type, affinity: affinity, bodies: [index]))
      }
    }
    return classes
  }

  private func countContactPairs() -> (count: Int, example: (Int, Int)?) {
    let excluded = Set(contactExclusions.map { IntegerPair(first: $0.body1, second: $0.body2) })
    let classes = contactClasses()
    var count = 0
    var example: (Int, Int)?
    for (i, one) in classes.enumerated() {
      for (j, two) in classes.enumerated().dropFirst(i) where one.matches(two) {
        for first in one.bodies {
          for second in two.bodies where i < j || first < second {
            guard canTouch(first, second, excluded) else { continue }
            for a in bodies[first].geoms {
              for b in bodies[second].geoms where bitsMatch(geoms[a], geoms[b]) {
                count += 1
                example = example ?? (a, b)
              }
            }
            if count >= Self.largestPairCount { return (count, example) }
          }
        }
      }
    }
    return (count, example)
  }

  private func bitsMatch(_ one: Geom, _ two: Geom) -> Bool {
    one.contactType & two.contactAffinity != 0 || two.contactType & one.contactAffinity != 0
  }

  /// Bodies that are fixed to each other, both at rest, parent and child (unless the file lets those touch), or
  /// excluded do not touch.
  private func canTouch(_ first: Int, _ second: Int, _ excluded: Set<IntegerPair>) -> Bool {
    let (weld1, weld2) = (bodies[first].weldedTo, bodies[second].weldedTo)
    guard weld1 != weld2, !bodies[weld1].joints.isEmpty || !bodies[weld2].joints.isEmpty else {
      return false
    }
    if !options.disabled.contains(.filterParent), weld1 != 0, weld2 != 0 {
      let parent1 = bodies[bodies[weld1].parent].weldedTo
      let parent2 = bodies[bodies[weld2].parent].weldedTo
      if weld1 == parent2 || weld2 == parent1 { return false }
    }
    guard !excluded.isEmpty else { return true }
    return !excluded.contains(IntegerPair(first: min(first, second), second: max(first, second)))
  }
}
