/// The mimic relations of a URDF file, each resolved to the independent joint that drives it in the end.
struct URDFMimics {
  /// For each joint of the tree its relation, or nil for an independent joint.
  private(set) var resolved: [ModelSpecification.Mimic?]

  private struct Relation {
    var element: XMLTreeElement
    var source: Int
    var multiplier: Double
    var offset: Double
  }

  /// - Throws: ``ModelError`` for a source that does not exist or has other than one degree of freedom, for a
  ///   mimic joint that has, and for a cycle.
  /// - Complexity: O(joints).
  init(_ tree: URDFTree) throws {
    let relations = try tree.joints.map { try URDFMimics.relation($0, tree) }
    resolved = Array(repeating: nil, count: relations.count)
    var isDone = relations.map { $0 == nil }
    for start in relations.indices where !isDone[start] {
      // Up to the first joint that is known or independent, then back.
      var chain: [Int] = []
      var inChain: Set<Int> = []
      var joint = start
      while !isDone[joint], let relation = relations[joint] {
        guard inChain.insert(joint).inserted else {
          throw relation.element.error(
            "joint '\(tree.joints[joint].name.clippedForMessage)' mimics itself through a cycle of "
              + "\(chain.count - (chain.firstIndex(of: joint) ?? 0)) <mimic>; one of them has to be independent"
          )
        }
        chain.append(joint)
        joint = relation.source
      }
      for joint in chain.reversed() {
        guard let relation = relations[joint] else { continue }
        var mimic = ModelSpecification.Mimic(
          location: relation.element.location, source: tree.joints[relation.source].name,
          multiplier: relation.multiplier, offset: relation.offset)
        if let above = resolved[relation.source] {
          mimic.source = above.source
          mimic.multiplier = relation.multiplier * above.multiplier
          mimic.offset = relation.multiplier * above.offset + relation.offset
        }
        resolved[joint] = mimic
        isDone[joint] = true
      }
    }
  }

  private static func relation(_ joint: URDFTree.Joint, _ tree: URDFTree) throws -> Relation? {
    guard let element = try joint.element.onlyChild("mimic") else { return nil }
    let name = try element.requiredString("joint")
    guard let source = tree.jointIndices[name] else {
      let nearest = name.nearest(in: tree.jointIndices.keys).map { "; did you mean '\($0)'?" } ?? ""
      throw element.error(
        at: "joint",
        "\(joint.element.label) mimics joint '\(name.clippedForMessage)', which does not exist\(nearest)")
    }
    for one in [joint, tree.joints[source]] {
      let type = one.element.string("type") ?? ""
      guard ["revolute", "continuous", "prismatic"].contains(type) else {
        throw element.error(
          "mimic needs joints with one degree of freedom, but joint '\(one.name.clippedForMessage)' is of type "
            + "'\(type.clippedForMessage)'; expected revolute, continuous or prismatic")
      }
    }
    return Relation(
      element: element, source: source, multiplier: try element.double("multiplier") ?? 1,
      offset: try element.double("offset") ?? 0)
  }
}
