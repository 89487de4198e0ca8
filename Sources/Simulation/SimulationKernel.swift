import Autodiff
import RigidBody
import RobotModels
import Synchronization

/// Steps of a simulation as an operation on rows. Operands: positions, velocities, activations, the inputs that there
/// are (`steps` rows each), the tensors of ``ModelParameters`` if they are given. Results: positions, velocities,
/// activations, after the last step or after every one.
struct SimulationKernel: RowKernel {
  let core: SimulationCore
  let elementType: ElementType
  let steps: Int
  let memory: RolloutMemory
  let returnsTrajectory: Bool
  let inputs: InputSet
  let hasParameters: Bool
  let name: String

  /// Which inputs there are.
  struct InputSet: OptionSet, Hashable {
    let rawValue: Int
    static let controls = Self(rawValue: 1)
    static let appliedForces = Self(rawValue: 2)
    static let cartesianForces = Self(rawValue: 4)
  }

  var keepsTapes: Bool { true }
  var rowTypes: [TensorType] {
    let model = core.model
    let state = [model.positionCount, model.velocityCount, model.activationCount].map {
      TensorType(elementType, [$0])
    }
    return state + inputWidths.map { TensorType(elementType, [steps, $0]) }
  }
  var blockTypes: [TensorType] { hasParameters ? core.parameterTypes : [] }
  var resultTypes: [TensorType] {
    let model = core.model
    return [model.positionCount, model.velocityCount, model.activationCount].map {
      TensorType(elementType, returnsTrajectory ? [steps, $0] : [$0])
    }
  }
  /// Numbers per step of each input that there is.
  var inputWidths: [Int] {
    let model = core.model
    var widths: [Int] = []
    if inputs.contains(.controls) { widths.append(model.controlCount) }
    if inputs.contains(.appliedForces) { widths.append(model.velocityCount) }
    if inputs.contains(.cartesianForces) { widths.append(6 * model.bodies.count) }
    return widths
  }

  func evaluate(_ operands: KernelOperands, _ tapes: TapeExtent) throws(TensorError) -> (
    results: [DenseArray], tapes: DenseArray?
  ) {
    elementType == .float32
      ? try evaluate(Float.self, operands, tapes) : try evaluate(Double.self, operands, tapes)
  }

  private func evaluate<Scalar: SimulationScalar & TensorScalar>(
    _ type: Scalar.Type, _ operands: KernelOperands, _ extent: TapeExtent
  ) throws(TensorError) -> (results: [DenseArray], tapes: DenseArray?) {
    let states = operands.arrays.prefix(rowTypes.count).map { $0.values(Scalar.self) }
    var results = [[Scalar]](repeating: [], count: 3)
    var notes: [Int32] = []
    var objects: [Int32: DenseArray.Object] = [:]
    for run in runs(operands, byBlock: extent == .block) {
      let worlds = run.rows.count
      let (state, inputs) = simulatorInputs(states, run.rows)
      let outcome: RolloutResult<Scalar>
      do throws(SimulationError) {
        let simulator = try core.simulator(Scalar.self, run.parameters)
        if extent == .none {
          outcome = try simulator.rollout(
            from: state, inputs: inputs, steps: steps, recordsTrajectory: returnsTrajectory,
            threads: threads(worlds: worlds))
        } else {
          let tape = try simulator.record(
            from: state, inputs: inputs, steps: steps, memory: memory, threads: threads(worlds: worlds))
          outcome = tape.result
          let number = TapeNumbers.next()
          objects[number] = KernelTape(kernel: self, tape: tape)
          for row in 0..<worlds {
            notes.append(number)
            notes.append(Int32(row))
          }
        }
      } catch { throw error.tensorError(name) }
      try requireConvergent(outcome.divergedWorlds, outcome.unconvergedWorlds, run.rows)
      if returnsTrajectory, let all = outcome.trajectory {
        for (k, part) in [all.positions, all.velocities, all.activations].enumerated() {
          results[k] += withoutFirstRows(part, worlds)
        }
      } else {
        let final = outcome.finalState
        for (k, part) in [final.positions, final.velocities, final.activations].enumerated() {
          results[k] += part
        }
      }
    }
    let types = resultTypes(rows: operands.rows)
    return (
      zip(results, types).map { DenseArray($0, shape: $1.shape) },
      extent == .none ? nil : DenseArray(notes, shape: [operands.rows, 2], objects: objects)
    )
  }

  /// One thread where the work takes less time than it takes to hand it out: a step in a loop of a few worlds.
  func threads(worlds: Int) -> Int {
    let work = worlds * steps * (core.model.velocityCount + 2)
    return work < 2048 ? 1 : Simulator<Double>.defaultThreadCount
  }

  /// Tensors carry no status, so that what is no solution is an error.
  private func requireConvergent(
    _ diverged: [DivergedWorld], _ unconverged: [Int], _ rows: Range<Int>
  ) throws(TensorError) {
    if let world = unconverged.first, diverged.isEmpty {
      throw SimulationError.invalidRequest(
        "the constraint solver did not converge in \(unconverged.count) worlds, the first is "
          + "\(rows.lowerBound + world)"
      ).tensorError(name)
    }
    guard let first = diverged.min(by: { $0.step < $1.step }) else { return }
    throw SimulationError.diverged(worlds: diverged.map { rows.lowerBound + $0.world }, step: first.step)
      .tensorError(name)
  }

  /// A trajectory's rows but for each world's first, which is the initial state.
  private func withoutFirstRows<T>(_ values: [T], _ worlds: Int) -> [T] {
    let length = values.count / worlds
    let width = length / (steps + 1)
    return (0..<worlds).flatMap { values[($0 * length + width)..<(($0 + 1) * length)] }
  }
}

extension SimulationKernel {
  /// Neighbouring rows that are simulated together.
  struct Run {
    var rows: Range<Int>
    var blocks: Range<Int>
    /// Numbers of ``ModelParameters``, or nil for the model's own.
    var parameters: [Double]?
  }

  /// Divides rows by their parameters: each block alone, or neighbouring blocks with equal parameters together.
  func runs(_ operands: KernelOperands, byBlock: Bool) -> [Run] {
    guard hasParameters else { return [Run(rows: 0..<operands.rows, blocks: 0..<1, parameters: nil)] }
    let shares = operands.arrays.dropFirst(rowTypes.count).map { $0.values(Double.self) }
    let rowsPerBlock = operands.rows / max(operands.blocks, 1)
    var result: [Run] = []
    for block in 0..<operands.blocks {
      let parameters = shares.flatMap { share in
        let width = share.count / operands.blocks
        return share[block * width..<(block + 1) * width]
      }
      let end = (block + 1) * rowsPerBlock
      if !byBlock, let last = result.last, last.parameters == parameters {
        result[result.count - 1].rows = last.rows.lowerBound..<end
        result[result.count - 1].blocks = last.blocks.lowerBound..<(block + 1)
      } else {
        result.append(
          Run(rows: block * rowsPerBlock..<end, blocks: block..<(block + 1), parameters: parameters))
      }
    }
    return result
  }

  /// Some rows of the operands, as the simulator takes them.
  func simulatorInputs<Scalar: SimulationScalar>(
    _ operands: [[Scalar]], _ rows: Range<Int>
  ) -> (BatchState<Scalar>, SimulationInputs<Scalar>) {
    let types = rowTypes
    let parts = zip(operands, types).map {
      Array($0[rows.lowerBound * $1.count..<rows.upperBound * $1.count])
    }
    return (
      BatchState(worldCount: rows.count, positions: parts[0], velocities: parts[1], activations: parts[2]),
      simulatorInputs(parts.dropFirst(3).map { $0 }, worlds: rows.count, steps: steps)
    )
  }
  /// The inputs that there are, in order; nil for those that are nil.
  func simulatorInputs<Scalar: SimulationScalar>(
    _ parts: [[Scalar]?], worlds: Int, steps: Int
  ) -> SimulationInputs<Scalar> {
    var rest = parts.makeIterator()
    func sequence(_ input: InputSet) -> InputSequence<Scalar>? {
      guard inputs.contains(input), let values = rest.next() ?? nil else { return nil }
      return InputSequence(values: values, worldCount: worlds, stepCount: steps)
    }
    return SimulationInputs(
      controls: sequence(.controls), appliedForces: sequence(.appliedForces),
      cartesianForces: sequence(.cartesianForces))
  }
}

// Kernels are equal if they are the same operation of the same simulation.
extension SimulationKernel: Hashable {
  static func == (a: Self, b: Self) -> Bool {
    a.core === b.core && a.elementType == b.elementType && a.steps == b.steps && a.memory == b.memory
      && a.returnsTrajectory == b.returnsTrajectory && a.inputs == b.inputs
      && a.hasParameters == b.hasParameters
      && a.name == b.name
  }
  func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(core))
    hasher.combine(elementType)
    hasher.combine(steps)
    hasher.combine(returnsTrajectory)
    hasher.combine(inputs)
  }
}

/// A tape, and the operation that made it.
final class KernelTape<Scalar: SimulationScalar>: Sendable {
  let kernel: SimulationKernel
  let tape: RolloutTape<Scalar>

  init(kernel: SimulationKernel, tape: RolloutTape<Scalar>) {
    self.kernel = kernel
    self.tape = tape
  }
}

/// Numbers that stand for tapes; zero stands for none. They repeat after four thousand million, long after the tape
/// is gone.
enum TapeNumbers {
  private static let last = Atomic<UInt32>(0)
  static func next() -> Int32 {
    let number = last.wrappingAdd(1, ordering: .relaxed).newValue
    return number == 0 ? next() : Int32(bitPattern: number)
  }
}

extension SimulationError {
  /// As the error of a tensor operation.
  func tensorError(_ operation: String) -> TensorError {
    let reason: TensorError.Reason =
      switch self {
      case .unsupported, .invalidRequest: .argument
      case .wrongCount: .shape
      case .notFinite, .overflow, .diverged: .nonFinite
      }
    return TensorError(reason, operation, description)
  }
}
