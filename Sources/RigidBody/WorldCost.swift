/// The states of a world that a cost reads.
public enum CostStates: Sendable, Hashable {
  /// The last one.
  case final
  /// All, the initial one first.
  case trajectory
}

/// One world of a rollout, for a cost that is a sum over worlds: what it did, and what its cost says of it.
public struct WorldCost<Scalar: SimulationScalar> {
  /// The index of the world.
  public internal(set) var world = 0
  /// Rows of every array: 1 for ``CostStates/final``, one more than the steps for ``CostStates/trajectory``.
  public let rowCount: Int
  /// `rowCount` rows of `nq`, `nv` and `na` numbers.
  public internal(set) var positions: [Scalar]
  public internal(set) var velocities: [Scalar]
  public internal(set) var activations: [Scalar]
  /// The cost, zero unless set.
  public var value = 0.0
  /// The derivative of the cost by every state, `rowCount` rows of `nv`, `nv` and `na` numbers (positions in tangent
  /// coordinates); zero unless set.
  public var cotangents: StateCotangents<Scalar>

  init(_ plan: DynamicsPlan<Scalar>, rows: Int) {
    rowCount = rows
    positions = zeros(rows * plan.positionCount)
    velocities = zeros(rows * plan.velocityCount)
    activations = zeros(rows * plan.activationCount)
    cotangents = StateCotangents(
      positions: zeros(rows * plan.velocityCount), velocities: zeros(rows * plan.velocityCount),
      activations: zeros(rows * plan.activationCount))
  }

  /// Takes the rows of world `lane` of a few, and forgets the last world's cost.
  mutating func load(_ states: BatchState<Scalar>, lane: Int, world: Int) {
    func copy(_ source: [Scalar], _ target: inout [Scalar]) {
      target.withUnsafeMutableBufferPointer { target in
        source.withUnsafeBufferPointer { source in
          guard let from = source.baseAddress else { return }
          target.baseAddress?.update(from: from + lane * target.count, count: target.count)
        }
      }
    }
    func clear(_ target: inout [Scalar]) { target.withUnsafeMutableBufferPointer { $0.update(repeating: 0) } }
    self.world = world
    copy(states.positions, &positions)
    copy(states.velocities, &velocities)
    copy(states.activations, &activations)
    value = 0
    clear(&cotangents.positions)
    clear(&cotangents.velocities)
    clear(&cotangents.activations)
  }

  /// - Throws: ``SimulationError`` for a cost or cotangents that are not finite, or arrays that have changed their lengths.
  func check(_ plan: DynamicsPlan<Scalar>) throws(SimulationError) {
    func check(_ name: String, _ values: [Scalar], _ width: Int) throws(SimulationError) {
      let index = firstNotFinite(values)
      if index == nil && values.count == rowCount * width { return }
      let name = "cotangents of the cost of world \(world): \(name)"
      if let index { throw .notFinite(name: name, index: index) }
      throw .wrongCount(name: name, expected: rowCount * width, actual: values.count)
    }
    guard value.isFinite else { throw .notFinite(name: "cost of world", index: world) }
    try check("positions", cotangents.positions, plan.velocityCount)
    try check("velocities", cotangents.velocities, plan.velocityCount)
    try check("activations", cotangents.activations, plan.activationCount)
  }

  /// Writes the cotangents to the rows of world `lane` of a few.
  func store(into target: inout StateCotangents<Scalar>, lane: Int) {
    func copy(_ source: [Scalar], _ target: inout [Scalar]) {
      target.withUnsafeMutableBufferPointer { target in
        source.withUnsafeBufferPointer { source in
          guard let from = source.baseAddress else { return }
          target.baseAddress.map { ($0 + lane * source.count).update(from: from, count: source.count) }
        }
      }
    }
    copy(cotangents.positions, &target.positions)
    copy(cotangents.velocities, &target.velocities)
    copy(cotangents.activations, &target.activations)
  }
}
