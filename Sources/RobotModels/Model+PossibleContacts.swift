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

  private func countContactPairs() -> (count: Int, example: (Int, Int)?) {
    var count = 0
    var example: (Int, Int)?
    ContactFilter(self).forEachBodyPair { first, second in
      for a in bodies[first].geoms {
        for b in bodies[second].geoms where ContactFilter.bitsMatch(geoms[a], geoms[b]) {
          count += 1
          example = example ?? (a, b)
        }
      }
      return count < Self.largestPairCount
    }
    return (count, example)
  }
}
