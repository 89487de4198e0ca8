extension Model {
  /// One entry for the contacts that could occur and are not simulated: those of height fields and signed distance fields;
  /// nil if there are none.
  var unsupportedContacts: UnsupportedElement? {
    func isUnsupported(_ a: Int, _ b: Int) -> Bool {
      let types = [geoms[a].type, geoms[b].type]
      return types.contains { $0 == .hfield || $0 == .sdf } && !types.contains(.plane)
    }
    guard geoms.contains(where: { $0.type == .hfield || $0.type == .sdf }) else { return nil }
    let named = contactPairs.filter { isUnsupported($0.geom1, $0.geom2) }
    let counted = countContactPairs(where: isUnsupported)
    guard counted.count + named.count > 0 else { return nil }
    var parts: [String] = []
    if let (one, two) = counted.example {
      let prefix = counted.count >= Self.largestPairCount ? "at least " : ""
      parts.append(
        "\(prefix)\(counted.count) pairs of geoms can touch, for example \(geomLabel(one)) and \(geomLabel(two))"
      )
    }
    if let pair = named.first {
      parts.append(
        "\(named.count) explicit pairs, for example \(geomLabel(pair.geom1)) and \(geomLabel(pair.geom2))")
    }
    return UnsupportedElement(
      category: .contact,
      description: "contact with height fields or signed distance fields: " + parts.joined(separator: "; "))
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

  private func countContactPairs(
    where isCounted: (Int, Int) -> Bool
  ) -> (count: Int, example: (Int, Int)?) {
    var count = 0
    var example: (Int, Int)?
    ContactFilter(self).forEachBodyPair { first, second in
      for a in bodies[first].geoms {
        for b in bodies[second].geoms
        where ContactFilter.bitsMatch(geoms[a], geoms[b]) && isCounted(a, b) {
          count += 1
          example = example ?? (a, b)
        }
      }
      return count < Self.largestPairCount
    }
    return (count, example)
  }
}
