import Lanes
import RobotModels

/// What a contact's constraint needs besides geometry: MuJoCo's mixture of two geoms' parameters.
struct ContactParameters: Sendable, Hashable {
  /// Number of constrained directions: 1, 3, 4 or 6.
  var dimension: Int
  /// Tangential (two), torsional and rolling (two) coefficients, at least 1e-5 each.
  var friction: [Double]
  var solverReference: [Double]
  /// For the friction rows; zeros where it is as ``solverReference``.
  var solverReferenceFriction: [Double]
  var solverImpedance: [Double]
  /// Below this distance the contact exerts force.
  var margin: Double
  /// The contact exists below `margin + gap`.
  var gap: Double

  /// The parameters of a pair that the file names; the geoms' own play no part.
  init(_ pair: ContactPair) {
    dimension = pair.contactDimension
    friction = Self.clamped(pair.friction)
    solverReference = pair.solverReference
    solverReferenceFriction = pair.solverReferenceFriction
    solverImpedance = pair.solverImpedance
    margin = pair.margin
    gap = pair.gap
  }

  /// The geom of higher priority decides; equals are mixed: the larger dimension and friction, references and impedances
  /// weighted by `solmix` (the smaller reference where one is not positive). Margins and gaps add up.
  init(_ one: Geom, _ two: Geom) {
    margin = one.margin + two.margin
    gap = one.gap + two.gap
    solverReferenceFriction = [0, 0]
    if one.priority != two.priority {
      let winner = one.priority > two.priority ? one : two
      dimension = winner.contactDimension
      friction = Self.clamped(Self.unpacked(winner.friction.array))
      solverReference = winner.solverReference
      solverImpedance = winner.solverImpedance
      return
    }
    dimension = max(one.contactDimension, two.contactDimension)
    friction = Self.clamped(Self.unpacked(zip(one.friction.array, two.friction.array).map(max)))
    let weight = Self.weight(one.solverMix, two.solverMix)
    func mix(_ a: [Double], _ b: [Double]) -> [Double] {
      zip(a, b).map { weight * $0 + (1 - weight) * $1 }
    }
    let isStandard = one.solverReference[0] > 0 && two.solverReference[0] > 0
    solverReference =
      isStandard
      ? mix(one.solverReference, two.solverReference)
      : zip(one.solverReference, two.solverReference).map(min)
    solverImpedance = mix(one.solverImpedance, two.solverImpedance)
  }

  /// The first geom's share; a weight that vanishes gives everything to the other.
  static func weight(_ one: Double, _ two: Double) -> Double {
    let smallest = 1e-15
    switch (one >= smallest, two >= smallest) {
    case (true, true): return one / (one + two)
    case (false, false): return 0.5
    case (false, true): return 0
    case (true, false): return 1
    }
  }

  private static func unpacked(_ friction: [Double]) -> [Double] {
    [friction[0], friction[0], friction[1], friction[2], friction[2]]
  }

  private static func clamped(_ friction: [Double]) -> [Double] { friction.map { max($0, 1e-5) } }
}

/// Two geoms that may touch.
struct ContactCandidate: Sendable, Equatable {
  /// Indices in `Model.geoms`, the first of the type that comes first in MuJoCo's order; the contact normal points from
  /// the first to the second.
  var geom1: Int32
  var geom2: Int32
  var kind: PairKind
  /// Index in ``ContactCandidates/parameters``.
  var parameters: Int32
  /// Index in `Model.contactPairs` for a pair that the file names, else -1.
  var namedPair: Int32
  /// Contacts exist at distances up to this: margin plus gap.
  var cutoff: Double
}

/// Pairs of geoms that may touch, in the order in which MuJoCo lists their contacts: by bodies, those that the file names
/// first, then by geoms.
struct ContactCandidates: Sendable {
  private(set) var candidates: [ContactCandidate] = []
  /// Different sets of parameters, which candidates share.
  private(set) var parameters: [ContactParameters] = []

  private struct Key: Comparable {
    var bodies: Int
    var isUnnamed: Int
    var first: Int
    var second: Int
    static func < (a: Self, b: Self) -> Bool {
      (a.bodies, a.isUnnamed, a.first, a.second) < (b.bodies, b.isUnnamed, b.first, b.second)
    }
  }

  /// - Parameter skipsUnsupported: whether pairs that are not supported are left out.
  /// - Throws: ``RigidBodyError/unsupported(_:)`` for a pair of geoms with a height field, a signed distance field or a mesh
  ///   without vertices, and for overridden contact parameters.
  /// - Complexity: O(pairs log pairs).
  init(_ model: Model, skipsUnsupported: Bool = false) throws(RigidBodyError) {
    guard model.options.disabled.isDisjoint(with: [.contact, .constraint]) else { return }
    if model.options.enabled.contains(.override), !skipsUnsupported {
      throw .unsupported("the option flag 'override'")
    }
    func packed(_ a: Int, _ b: Int) -> Int { min(a, b) << 32 | max(a, b) }
    var keys: [Key] = []
    var found: [ContactCandidate] = []
    var numbers: [ContactParameters: Int32] = [:]
    var sets: [ContactParameters] = []

    func add(
      _ a: Int, _ b: Int, _ mixture: ContactParameters, named: Int? = nil, keepsOrder: Bool = false
    ) throws(RigidBodyError) {
      let isSwapped = model.geoms[a].type.collisionOrder > model.geoms[b].type.collisionOrder
      let (geom1, geom2) = isSwapped ? (b, a) : (a, b)
      let (one, two) = (model.geoms[geom1], model.geoms[geom2])
      // Planes touch neither each other nor fields.
      if one.type == .plane, [.plane, .hfield, .sdf].contains(two.type) { return }
      let hasShapes = [one, two].allSatisfy { geom in
        geom.type != .mesh || geom.mesh.map { !model.meshes[$0].vertices.isEmpty } ?? false
      }
      guard hasShapes, let kind = PairKind(one.type, two.type) else {
        if skipsUnsupported { return }
        throw .unsupported(
          "contact between geoms \(geom1) ('\(one.name)', \(one.type.rawValue)) and \(geom2) "
            + "('\(two.name)', \(two.type.rawValue))\(hasShapes ? "" : ", of which a mesh has no vertices,")")
      }
      let number = numbers[mixture] ?? Int32(sets.count)
      if number == sets.count {
        numbers[mixture] = number
        sets.append(mixture)
      }
      let order = keepsOrder ? (a, b) : (geom1, geom2)
      keys.append(
        Key(
          bodies: packed(model.geoms[a].body, model.geoms[b].body), isUnnamed: named == nil ? 1 : 0,
          first: named ?? order.0, second: order.1))
      found.append(
        ContactCandidate(
          geom1: Int32(geom1), geom2: Int32(geom2), kind: kind, parameters: number,
          namedPair: Int32(named ?? -1), cutoff: mixture.margin + mixture.gap))
    }

    var named: Set<Int> = []
    for (index, pair) in model.contactPairs.enumerated() {
      named.insert(packed(pair.geom1, pair.geom2))
      try add(pair.geom1, pair.geom2, ContactParameters(pair), named: index)
    }
    // Without a middle phase MuJoCo does not sort a body pair's contacts.
    let keepsOrder = model.options.disabled.contains(.midPhase)
    var failure: RigidBodyError?
    ContactFilter(model).forEachBodyPair { first, second in
      do throws(RigidBodyError) {
        for a in model.bodies[min(first, second)].geoms {
          for b in model.bodies[max(first, second)].geoms
          where ContactFilter.bitsMatch(model.geoms[a], model.geoms[b]) && !named.contains(packed(a, b)) {
            let mixture = ContactParameters(model.geoms[a], model.geoms[b])
            try add(a, b, mixture, keepsOrder: keepsOrder)
          }
        }
      } catch {
        failure = error
        return false
      }
      return true
    }
    if let failure { throw failure }
    candidates = keys.indices.sorted { keys[$0] < keys[$1] }.map { found[$0] }
    parameters = sets
  }
}
