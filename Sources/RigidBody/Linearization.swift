import Kinematics
import Lanes
import RobotModels

/// Jacobians of one step, in tangent coordinates (MuJoCo's `mjd_transitionFD` layout).
public struct StepJacobians: Sendable, Equatable {
  /// Length `2 nv + na` of a state in tangent coordinates: positions, velocities, activations.
  public var stateCount: Int
  public var controlCount: Int
  /// Next state by state, row-major `stateCount x stateCount`.
  public var A: [Double]
  /// Next state by control, row-major `stateCount x controlCount`.
  public var B: [Double]
  /// How near the step is to a kink, as ``RolloutGradient/kinkMargins``; 1 without constraints.
  public var kinkMargin: Double = 1
  /// Whether the constraint solver converged.
  public var isConverged: Bool = true
}

extension Simulator {
  /// Derivatives of the next state by the state and by the controls, for every world.
  ///
  /// The step is taken once; each lane then carries one row back, so a row costs a fraction of a step. With the
  /// semi-implicit integrators the rows of the next positions follow from those of the next velocities.
  ///
  /// - Parameters:
  ///   - inputs: those of one step.
  ///   - threads: how many threads work; the result is the same for every number.
  ///   - state: the states, one row per world.
  /// - Throws: ``SimulationError`` for arrays of the wrong length, inputs that are not finite, worlds that diverge, and
  ///   derivatives that have left the range of the scalar type.
  /// - Complexity: O((2 nv + na) x size of the model) per world.
  @specialized(where Scalar == Double)
  @specialized(where Scalar == Float)
  public func stepJacobians(
    at state: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(),
    threads: Int = defaultThreadCount
  ) throws(SimulationError) -> [StepJacobians] {
    try validate(state, inputs, steps: 1)
    let plan = self.plan
    let worlds = state.worldCount
    var state = state
    var results = [StepJacobians?](repeating: nil, count: worlds)
    state.withPointers { state in
      results.withUnsafeMutableBufferPointer { results in
        inputs.withPointers(
          controlCount: plan.actuators.count, velocityCount: plan.velocityCount, bodyCount: plan.bodyCount,
          mocapWidth: plan.mocapWidth
        ) { inputs in
          let shared = Shared(value: (state: state, inputs: inputs, results: results.baseAddress!))
          parallelFor(
            count: worlds, threads: threads,
            makeContext: { [jacobianRunners] in
              jacobianRunners.borrow(orMake: { JacobianRunner<Scalar.Group>(plan) })
            },
            body: { runner, world in
              let (state, inputs, results) = shared.value
              results[world] = runner.value.jacobians(state, inputs, world: world)
            })
        }
      }
    }
    let diverged = results.indices.filter { results[$0] == nil }
    guard diverged.isEmpty else { throw .diverged(worlds: diverged, step: 0) }
    let jacobians = results.map { $0! }
    for (world, jacobian) in jacobians.enumerated() {
      for (name, values) in [("A", jacobian.A), ("B", jacobian.B)] {
        if let index = firstNotFinite(values) {
          throw .overflow(result: "Jacobian \(name) of world \(world)", index: index)
        }
      }
    }
    return jacobians
  }
}

/// Repeats one world over all lanes and sends a different unit cotangent back through each.
final class JacobianRunner<L: Lane>: @unchecked Sendable where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  private let plan: DynamicsPlan<Scalar>
  private let runner: GroupRunner<L>
  private var arena: Arena
  private let scratch: AdjointScratch<L>
  private let cotangents: Cotangents<L>
  private let records: GroupStorage<L>
  /// Rows of the Jacobians of one world, with the controls, then the forces that are asked for, behind the state.
  private let rows: UnsafeMutablePointer<Scalar>
  /// Degrees of freedom whose positions are integrated together: one, or the three of a rotation.
  private let blocks: [Range<Int>]
  /// Unit cotangents of the next positions, and what follows for positions and velocities.
  private let unit: UnsafeMutablePointer<L>
  private let byPosition: UnsafeMutablePointer<L>
  private let byVelocity: UnsafeMutablePointer<L>
  let stateCount: Int
  let width: Int

  init(
    _ plan: DynamicsPlan<Scalar>, byAppliedForces: Bool = false, byCartesianForces: Bool = false,
    byMocapPoses: Bool = false
  ) {
    self.plan = plan
    runner = GroupRunner(plan)
    records = GroupStorage(plan, steps: 1, memory: .storeAll)
    blocks = plan.tree.joints.array.filter { !$0.isMimic }.flatMap { joint in
      let dof = Int(joint.velocityAddress)
      switch joint.kind {
      case .free:
        return [dof..<(dof + 1), (dof + 1)..<(dof + 2), (dof + 2)..<(dof + 3), (dof + 3)..<(dof + 6)]
      case .ball: return [dof..<(dof + 3)]
      case .slide, .hingeX, .hingeY, .hingeZ, .hinge: return [dof..<(dof + 1)]
      }
    }
    stateCount = 2 * plan.velocityCount + plan.activationCount
    let forcesStart = stateCount + plan.actuators.count
    let cartesianStart = forcesStart + (byAppliedForces ? plan.velocityCount : 0)
    let mocapStart = cartesianStart + (byCartesianForces ? 6 * plan.bodyCount : 0)
    width = mocapStart + (byMocapPoses ? plan.mocapWidth : 0)
    var measure = ArenaMeasure()
    for _ in 0..<3 { measure.take(L.self, plan.velocityCount) }
    measure.take(L.self, width)
    measure.take(Scalar.self, stateCount * width)
    arena = Arena(byteCount: AdjointScratch<L>.byteCount(plan) + measure.byteCount)
    scratch = AdjointScratch(plan, &arena)
    // One block, so that a row is stored in one piece.
    let row = arena.take(L.self, width)
    cotangents = Cotangents(
      positions: row, velocities: row + plan.velocityCount, activations: row + 2 * plan.velocityCount,
      controls: row + stateCount, appliedForces: byAppliedForces ? row + forcesStart : nil,
      cartesianForces: byCartesianForces ? row + cartesianStart : nil,
      mocapPoses: byMocapPoses ? row + mocapStart : nil)
    rows = arena.take(Scalar.self, stateCount * width)
    unit = arena.take(L.self, plan.velocityCount)
    byPosition = arena.take(L.self, plan.velocityCount)
    byVelocity = arena.take(L.self, plan.velocityCount)
  }

  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func jacobians(
    _ state: BatchPointers<Scalar>, _ inputs: InputPointers<Scalar>, world: Int
  ) -> StepJacobians? {
    load(state, world: world)
    guard let isConverged = advance(inputs, step: 0, world: world) else { return nil }
    let nu = plan.actuators.count
    return StepJacobians(
      stateCount: stateCount, controlCount: nu,
      A: columns(rows, rows: stateCount, width: width, first: 0, count: stateCount),
      B: columns(rows, rows: stateCount, width: width, first: stateCount, count: nu),
      kinkMargin: runner.scratch.constraints.map { Double($0.kinkMargin[lane: 0]) } ?? 1,
      isConverged: isConverged)
  }

  /// Where the steps start.
  func load(_ state: BatchPointers<Scalar>, world: Int) { runner.load(state, world: world) }

  /// Takes a step and finds its Jacobians.
  ///
  /// - Returns: whether the constraint solver converged; nil if the world diverged.
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func advance(_ inputs: InputPointers<Scalar>, step: Int, world: Int) -> Bool? {
    let stepInputs = runner.loadInputs(inputs, step: step, world: world)
    let steps = records.records(forStep: 0)
    let h = L(broadcasting: plan.timestep)
    stepForward(plan, steps, runner.scratch, stepInputs, timestep: h, state: runner.state)
    runner.freezeDiverged(before: steps[0], step: step)
    if runner.divergedStep[0] >= 0 { return nil }
    runner.scratch.constraints?.kinkMargin = L(1.0)
    if plan.stageCount == 1 {
      sweep(plan.velocityCount..<stateCount, stepInputs)
      addPositionRows()
    } else {
      sweep(0..<stateCount, stepInputs)
    }
    return !runner.isUnconverged(lane: 0)
  }

  /// Writes the state after the last step.
  func store(_ target: BatchPointers<Scalar>, world: Int) {
    func store(_ values: UnsafeMutablePointer<L>, _ count: Int, _ target: UnsafeMutablePointer<Scalar>) {
      for i in 0..<count { target[world * count + i] = values[i][lane: 0] }
    }
    store(runner.state.positions, plan.positionCount, target.positions)
    store(runner.state.velocities, plan.velocityCount, target.velocities)
    store(runner.state.activations, plan.activationCount, target.activations)
  }

  /// The tangent of the next state, from that of the state with those of the inputs behind it.
  func multiply(_ x: inout [Scalar]) {
    var next = [Scalar](repeating: 0, count: stateCount)
    for i in 0..<stateCount {
      let row = rows + i * width
      var sum: Scalar = 0
      for j in 0..<width { sum += row[j] * x[j] }
      next[i] = sum
    }
    for i in 0..<stateCount { x[i] = next[i] }
  }

  /// Computes some of the rows by reverse sweeps.
  private func sweep(_ wanted: Range<Int>, _ inputs: StepInputs<L>) {
    let h = L(broadcasting: plan.timestep)
    defer { runner.scratch.constraints?.repeatsRecord = false }
    for first in stride(from: wanted.lowerBound, to: wanted.upperBound, by: L.laneCount) {
      let row = cotangents.positions
      let count = min(L.laneCount, wanted.upperBound - first)
      setUnitCotangents(row, count: width, first: first, lanes: count)
      stepReverse(plan, records.records(forStep: 0), scratch, runner.scratch, inputs, timestep: h, cotangents)
      runner.scratch.constraints?.repeatsRecord = plan.stageCount == 1
      storeLanes(
        row, count: width, into: rows,
        LaneRows(first: first, last: first + count - 1, stride: width, start: 0))
    }
  }

  /// The rows of the next positions, for integrators with `q⁺ = q ⊕ h v⁺`: with `D` and `E` the derivatives of that by
  /// `q` and `v⁺`, they are `D` plus `E` times the rows of the next velocities. `D` and `E` couple the degrees of freedom
  /// of a block only.
  private func addPositionRows() {
    let n = plan.velocityCount
    setUnitCotangents(unit, count: n, first: 0, lanes: 0)
    setUnitCotangents(byPosition, count: n, first: 0, lanes: 0)
    setUnitCotangents(byVelocity, count: n, first: 0, lanes: 0)
    // Lane k has a unit cotangent of the k-th component of every block.
    for block in blocks { setUnitCotangents(unit + block.lowerBound, count: 0, first: 0, lanes: block.count) }
    integratedRows(plan, velocities: runner.state.velocities, next: unit, positions: byPosition, byVelocity)
    for block in blocks {
      combineRows(
        rows, width: width, block: block, velocityCount: n, byPosition: byPosition, byVelocity: byVelocity)
    }
  }
}

/// Sets `count` values to zero, then one entry a lane to one: lane `i` of value `first + i`.
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
private func setUnitCotangents<L: Lane>(_ values: UnsafeMutablePointer<L>, count: Int, first: Int, lanes: Int)
{
  for i in 0..<count { values[i] = L(0.0) }
  for lane in 0..<lanes { values[first + lane][lane: lane] = 1 }
}

/// The reverse of a step of the positions.
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
private func integratedRows<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, velocities: UnsafePointer<L>, next: UnsafeMutablePointer<L>,
  positions: UnsafeMutablePointer<L>, _ velocityCotangents: UnsafeMutablePointer<L>
) {
  var unused = L(0.0)
  integratePositionsAdjoint(
    plan.tree, velocities: velocities, timestep: L(broadcasting: plan.timestep), next: next,
    positions: positions, velocityCotangents: velocityCotangents, timestepCotangent: &unused)
}

/// Makes the position rows of one block from the velocity rows.
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
private func combineRows<L: Lane>(
  _ rows: UnsafeMutablePointer<L.Scalar>, width: Int, block: Range<Int>, velocityCount n: Int,
  byPosition: UnsafePointer<L>, byVelocity: UnsafePointer<L>
) {
  for k in 0..<block.count {
    let row = rows + (block.lowerBound + k) * width
    var factor = byVelocity[block.lowerBound][lane: k]
    var source = rows + (n + block.lowerBound) * width
    for i in 0..<width { row[i] = factor * source[i] }
    for column in block.dropFirst() {
      factor = byVelocity[column][lane: k]
      source = rows + (n + column) * width
      for i in 0..<width { row[i] += factor * source[i] }
    }
    for column in block { row[column] += byPosition[column][lane: k] }
  }
}

/// Some columns of a row-major matrix, in float64.
@specialized(where Scalar == Double)
@specialized(where Scalar == Float)
private func columns<Scalar: SimulationScalar>(
  _ matrix: UnsafePointer<Scalar>, rows: Int, width: Int, first: Int, count: Int
) -> [Double] {
  Array(unsafeUninitializedCapacity: rows * count) { buffer, initialized in
    var k = 0
    for i in 0..<rows {
      let row = matrix + (i &* width &+ first)
      for j in 0..<count {
        buffer.initializeElement(at: k, to: Double(row[j]))
        k &+= 1
      }
    }
    initialized = k
  }
}
