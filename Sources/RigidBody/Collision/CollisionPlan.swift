import Kinematics
import Lanes
import RobotModels

/// What the collision of a model's geoms needs, made once: which pairs may touch, their shapes and parameters.
final class CollisionPlan: Sendable {
  /// Pairs that may touch, in the order in which MuJoCo lists their contacts.
  let candidates: ConstantBuffer<ContactCandidate>
  /// Parameters of the candidates, shared by those that have the same.
  let parameters: [ContactParameters]
  /// All geoms of the model; those that take part in no candidate have no mesh.
  let geoms: ConstantBuffer<CollisionGeom>
  /// How pairs of geoms that are near are found.
  let broadPhase: BroadPhasePlan
  /// Whether convex pairs may have more than one contact.
  let hasMultipleContacts: Bool
  let largestFace: Int
  let largestDegree: Int

  /// - Throws: ``RigidBodyError/unsupported(_:)`` for geoms or options that collision does not know; see
  ///   ``ContactCandidates``.
  /// - Complexity: O(candidates log candidates + triangles of meshes).
  init(_ model: Model, skipsUnsupported: Bool = false) throws(RigidBodyError) {
    let found = try ContactCandidates(model, skipsUnsupported: skipsUnsupported)
    var meshes = [ConvexMesh?](repeating: nil, count: model.meshes.count)
    var isUsed = [Bool](repeating: false, count: model.geoms.count)
    for candidate in found.candidates {
      for index in [Int(candidate.geom1), Int(candidate.geom2)] where !isUsed[index] {
        isUsed[index] = true
        let geom = model.geoms[index]
        guard geom.type == .mesh else { continue }
        let mesh = geom.mesh!
        if meshes[mesh] == nil { meshes[mesh] = ConvexMesh(model.meshes[mesh]) }
      }
    }
    candidates = ConstantBuffer(found.candidates)
    parameters = found.parameters
    let geoms = model.geoms.map { CollisionGeom($0, meshes: meshes) }
    self.geoms = ConstantBuffer(geoms)
    broadPhase = BroadPhasePlan(found.candidates, geoms)
    hasMultipleContacts = !model.options.disabled.contains(.multiCCD)
    largestFace = meshes.compactMap { $0?.largestFace }.max() ?? 0
    largestDegree = meshes.compactMap { $0?.largestDegree }.max() ?? 0
  }
}

/// A contact of one world.
struct Contact: Sendable {
  /// Index in ``CollisionPlan/candidates``.
  var candidate: Int32
  /// Which of the pair's contacts it is.
  var number: Int32
  /// Distance of the surfaces along the normal (m), negative where they penetrate.
  var distance: Double
  /// Halfway between the surfaces, in world coordinates.
  var position: Vector3<Double>
  /// The contact's axes in world coordinates, as columns: the normal from the first geom to the second, and two tangents.
  var frame: Matrix3<Double>
  /// The discrete case that gave it (see the pair's function), with which its derivative can be replayed.
  var branch: Int32
  /// For pairs of kind ``PairKind/convex``.
  var origin = ConvexOrigin()
}
