/// The kinematic tree of a URDF file: links joined by joints, checked to be one tree.
struct URDFTree {
  struct Joint {
    var element: XMLTreeElement
    var name: String
    var parent: Int
    var child: Int
  }

  /// Links in the file's order, and their indices by name.
  var links: [XMLTreeElement] = []
  var linkIndices: [String: Int] = [:]
  /// Joints in the file's order, and their indices by name.
  var joints: [Joint] = []
  var jointIndices: [String: Int] = [:]
  /// For each link, the joint above it; nil for the root.
  var parentJoint: [Int?] = []
  var root = 0
  /// Links, a parent before its children, depth first, children in the order of their joints in the file.
  var order: [Int] = []

  /// - Throws: ``ModelError`` for a file without links, repeated names, a joint to a link that does not exist, a
  ///   link with several parents, several roots, or a loop.
  /// - Complexity: O(links + joints).
  init(_ robot: XMLTreeElement) throws {
    links = robot.children(named: "link")
    guard !links.isEmpty else { throw robot.error("<robot> has no <link>; at least one is needed") }
    for (index, link) in links.enumerated() {
      let name = try link.requiredString("name")
      if let first = linkIndices.updateValue(index, forKey: name) {
        throw link.error(
          at: "name",
          "a second link '\(name.clippedForMessage)', the first is in line \(links[first].location.line); "
            + "names of links have to differ")
      }
    }
    parentJoint = Array(repeating: nil, count: links.count)
    for element in robot.children(named: "joint") { try add(element) }
    try sort()
  }

  func name(ofLink index: Int) -> String { links[index].string("name") ?? "" }

  private mutating func add(_ element: XMLTreeElement) throws {
    let name = try element.requiredString("name")
    if let first = jointIndices.updateValue(joints.count, forKey: name) {
      throw element.error(
        at: "name",
        "a second joint '\(name.clippedForMessage)', the first is in line "
          + "\(joints[first].element.location.line); names of joints have to differ")
    }
    let parent = try link(named: element.requiredChild("parent"), by: element)
    let child = try link(named: element.requiredChild("child"), by: element)
    guard parent != child else {
      throw element.error(
        "\(element.label) joins link '\(self.name(ofLink: child).clippedForMessage)' to itself")
    }
    if let other = parentJoint[child] {
      throw element.error(
        "link '\(self.name(ofLink: child).clippedForMessage)' has two parents: joint "
          + "'\(joints[other].name.clippedForMessage)' in line \(joints[other].element.location.line) and joint "
          + "'\(name.clippedForMessage)'; a link can be the child of one joint")
    }
    parentJoint[child] = joints.count
    joints.append(Joint(element: element, name: name, parent: parent, child: child))
  }

  private func link(named reference: XMLTreeElement, by joint: XMLTreeElement) throws -> Int {
    let name = try reference.requiredString("link")
    guard let index = linkIndices[name] else {
      let nearest = name.nearest(in: linkIndices.keys).map { "; did you mean '\($0)'?" } ?? ""
      throw reference.error(
        at: "link",
        "the \(reference.name) of \(joint.label), link '\(name.clippedForMessage)', does not exist\(nearest)")
    }
    return index
  }

  private mutating func sort() throws {
    let roots = links.indices.filter { parentJoint[$0] == nil }
    guard let first = roots.first else { throw loopError() }
    guard roots.count == 1 else {
      let names = roots.prefix(5).map { "'\(name(ofLink: $0).clippedForMessage)'" }.joined(separator: ", ")
      throw links[roots[1]].error(
        "\(roots.count) links are not the child of any joint (\(names)\(roots.count > 5 ? ", …" : "")); a robot "
          + "is one tree with one root, join them with joints")
    }
    root = first
    var children = Array(repeating: [Int](), count: links.count)
    for joint in joints { children[joint.parent].append(joint.child) }
    var stack = [root]
    while let link = stack.popLast() {
      order.append(link)
      stack += children[link].reversed()
    }
    guard order.count == links.count else { throw loopError() }
  }

  /// Names a loop among the links that no root leads to.
  private func loopError() -> ModelError {
    let reached = Set(order)
    // Every such link has a parent that is not reached either: going up ends in the loop.
    var link = links.indices.first { !reached.contains($0) } ?? 0
    var seen: Set<Int> = []
    while seen.insert(link).inserted, let joint = parentJoint[link] { link = joints[joint].parent }
    guard let joint = parentJoint[link] else { return links[link].error("the links do not form a tree") }
    return joints[joint].element.error(
      "joint '\(joints[joint].name.clippedForMessage)' closes a loop through link "
        + "'\(name(ofLink: link).clippedForMessage)'; a robot is a tree, remove a joint of the loop")
  }
}
