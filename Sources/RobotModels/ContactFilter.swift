/// Which bodies and geoms of a model may touch, by MuJoCo's rules: contact bits, bodies that are fixed to each other or
/// both at rest, parents and children, exclusions.
package struct ContactFilter {
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

  private let model: Model
  private let excluded: Set<IntegerPair>
  private let classes: [ContactClass]

  package init(_ model: Model) {
    self.model = model
    excluded = Set(model.contactExclusions.map { IntegerPair(first: $0.body1, second: $0.body2) })
    classes = Self.contactClasses(model)
  }

  /// Bodies by the bits of all their geoms, so that bodies which cannot touch are never compared.
  private static func contactClasses(_ model: Model) -> [ContactClass] {
    var classes: [ContactClass] = []
    var positions: [IntegerPair: Int] = [:]
    for (index, body) in model.bodies.enumerated() {
      var (type, affinity) = (0, 0)
      for geom in model.geoms[body.geoms] {
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

  /// Visits pairs of different bodies that may touch, each once, until `visit` returns false.
  package func forEachBodyPair(_ visit: (Int, Int) throws -> Bool) rethrows {
    for (i, one) in classes.enumerated() {
      for (j, two) in classes.enumerated().dropFirst(i) where one.matches(two) {
        for first in one.bodies {
          for second in two.bodies where (i < j || first < second) && canTouch(first, second) {
            guard try visit(first, second) else { return }
          }
        }
      }
    }
  }

  /// Whether the contact bits of two geoms match: the type of one meets the affinity of the other.
  package static func bitsMatch(_ one: Geom, _ two: Geom) -> Bool {
    one.contactType & two.contactAffinity != 0 || two.contactType & one.contactAffinity != 0
  }

  /// Bodies that are fixed to each other, both at rest, parent and child (unless the file lets those touch), or
  /// excluded do not touch. What is fixed to the world touches its children.
  private func canTouch(_ first: Int, _ second: Int) -> Bool {
    let (weld1, weld2) = (model.bodies[first].weldedTo, model.bodies[second].weldedTo)
    guard weld1 != weld2, !model.bodies[weld1].joints.isEmpty || !model.bodies[weld2].joints.isEmpty else {
      return false
    }
    if !model.options.disabled.contains(.filterParent), weld1 != 0, weld2 != 0 {
      let parent1 = model.bodies[model.bodies[weld1].parent].weldedTo
      let parent2 = model.bodies[model.bodies[weld2].parent].weldedTo
      if weld1 == parent2 || weld2 == parent1 { return false }
    }
    guard !excluded.isEmpty else { return true }
    return !excluded.contains(IntegerPair(first: min(first, second), second: max(first, second)))
  }
}
