import Autodiff
import Lanes
import RigidBody
import RobotModels

extension SimulationKernel {
  /// Forward mode on dual numbers, in float64 whatever the operands are.
  func pushforward(_ operands: KernelOperands, _ tangents: [DenseArray?]) throws(TensorError) -> [DenseArray]
  {
    guard tangents.dropFirst(rowTypes.count).allSatisfy({ $0 == nil }) else {
      throw TensorError(
        .unsupportedDerivative, name,
        "forward mode with respect to the model's parameters; reverse mode (grad, vjp) has it")
    }
    func numbers(_ array: DenseArray) throws(TensorError) -> [Double] {
      try array.converted(to: .float64).values(Double.self)
    }
    var primals: [[Double]] = []
    for array in operands.arrays.prefix(rowTypes.count) { primals.append(try numbers(array)) }
    var directions: [[Double]?] = []
    for array in tangents.prefix(rowTypes.count) { directions.append(try array.map(numbers)) }
    var results = [[Double]](repeating: [], count: 3)
    for run in runs(operands, byBlock: false) {
      do throws(SimulationError) {
        let part = try pushforward(
          try core.simulator(Double.self, run.parameters), primals, directions, run.rows)
        for k in 0..<3 { results[k] += part[k] }
      } catch { throw error.tensorError(name) }
    }
    var arrays: [DenseArray] = []
    for (values, type) in zip(results, resultTypes(rows: operands.rows)) {
      arrays.append(try DenseArray(values, shape: type.shape).converted(to: elementType))
    }
    return arrays
  }

  private func pushforward(
    _ simulator: Simulator<Double>, _ primals: [[Double]], _ directions: [[Double]?], _ rows: Range<Int>
  ) throws(SimulationError) -> [[Double]] {
    let worlds = rows.count
    func part(_ values: [Double], _ k: Int) -> [Double] {
      let width = rowTypes[k].count
      return Array(values[rows.lowerBound * width..<rows.upperBound * width])
    }
    let parts = directions.indices.map { k in
      directions[k].map { part($0, k) } ?? [Double](repeating: 0, count: worlds * rowTypes[k].count)
    }
    var (state, inputs) = simulatorInputs(primals, rows)
    var direction = StateTangents<Double>(
      positions: core.coordinates.tangents(parts[0], at: state.positions), velocities: parts[1],
      activations: parts[2])
    let changes = simulatorInputs(parts.dropFirst(3).map { $0 }, worlds: worlds, steps: steps)
    if !returnsTrajectory {
      (state, direction) = try simulator.pushforward(
        from: state, inputs: inputs, steps: steps,
        along: RolloutDirection(initialState: direction, inputs: changes), threads: threads(worlds: worlds))
      return [
        core.coordinates.changes(direction.positions, at: state.positions), direction.velocities,
        direction.activations,
      ]
    }
    // Forward mode returns the last state: step by step, it returns all.
    var stacks = resultTypes.map { [Double](repeating: 0, count: worlds * $0.count) }
    for step in 0..<steps {
      (state, direction) = try simulator.pushforward(
        from: state, inputs: inputs.step(step), steps: 1,
        along: RolloutDirection(initialState: direction, inputs: changes.step(step)),
        threads: threads(worlds: worlds))
      let tangents = [
        core.coordinates.changes(direction.positions, at: state.positions), direction.velocities,
        direction.activations,
      ]
      for (k, values) in tangents.enumerated() {
        let width = values.count / worlds
        for world in 0..<worlds {
          for i in 0..<width { stacks[k][(world * steps + step) * width + i] = values[world * width + i] }
        }
      }
    }
    return stacks
  }

  /// The hand-written reverse sweep over the tapes that the forward pass left.
  func pullback(
    _ tapes: DenseArray?, _ operands: KernelOperands, _ cotangents: [DenseArray], isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray] {
    guard let tapes else { throw lostTape }
    return elementType == .float32
      ? try pullback(Float.self, tapes, operands, cotangents, isWanted)
      : try pullback(Double.self, tapes, operands, cotangents, isWanted)
  }

  private var lostTape: TensorError {
    TensorError(
      .unsupportedDerivative, name,
      "the tape of the forward pass did not reach the reverse pass: between them stands an operation that rearranges "
        + "what a program keeps for its reverse pass, element by element")
  }

  private func pullback<Scalar: SimulationScalar & TensorScalar>(
    _ type: Scalar.Type, _ notes: DenseArray, _ operands: KernelOperands, _ cotangents: [DenseArray],
    _ isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray] {
    let objects = notes.objects
    let places = notes.values(Int32.self)
    let seeds = cotangents.map { $0.values(Scalar.self) }
    let inputWanted = Array(isWanted[3..<rowTypes.count])
    let parametersWanted = isWanted.dropFirst(rowTypes.count).contains(true)
    var gradients = rowTypes.map { [Scalar](repeating: 0, count: operands.rows * $0.count) }
    var byParameter = blockTypes.map { [Double](repeating: 0, count: operands.blocks * $0.count) }
    var targets: GradientTargets = [.initialState]
    let inputTargets: [(InputSet, GradientTargets)] = [
      (.controls, .controls), (.appliedForces, .appliedForces), (.cartesianForces, .cartesianForces),
    ]
    for ((_, target), wanted) in zip(inputTargets.filter({ inputs.contains($0.0) }), inputWanted) where wanted
    {
      targets.insert(target)
    }
    if parametersWanted { targets.insert(.parameters) }
    let blocks = parametersWanted ? operands.blocks : 1
    for block in 0..<blocks {
      func poison(_ request: TapeRequest) {
        for (k, type) in rowTypes.enumerated() { request.fill(&gradients[k], with: .nan, width: type.count) }
        for (k, type) in blockTypes.enumerated() {
          for i in 0..<type.count { byParameter[k][block * type.count + i] = .nan }
        }
      }
      let rows = block * operands.rows / blocks..<(block + 1) * operands.rows / blocks
      for request in Self.requests(rows, places) {
        // A batch with a condition runs both branches for all elements and then chooses. What a branch would make of
        // the tape of the other, or of none, is not chosen; should it be, it is not a number.
        guard request.number != 0 else {
          poison(request)
          continue
        }
        guard let object = objects[request.number] else { throw lostTape }
        guard let own = object as? KernelTape<Scalar>, own.kernel == self else {
          poison(request)
          continue
        }
        let tape = own.tape
        let gradient: RolloutGradient<Scalar>
        do throws(SimulationError) {
          gradient = try sweep(tape, request, seeds, targets)
        } catch { throw error.tensorError(name) }
        let lifted = core.coordinates.positionCotangents(
          gradient.initialState.positions, at: tape.initialState.positions)
        let state = [lifted, gradient.initialState.velocities, gradient.initialState.activations]
        let inputs = [gradient.controls, gradient.appliedForces, gradient.cartesianForces].enumerated()
          .filter { self.inputs.contains(inputTargets[$0.offset].0) }.map { $0.element?.values }
        for (k, values) in (state + inputs).enumerated() {
          if let values { request.scatter(values, to: &gradients[k], width: rowTypes[k].count) }
        }
        if let parameters = gradient.parameters {
          for (k, values) in parameters.numbers.enumerated() {
            for (i, value) in values.enumerated() { byParameter[k][block * values.count + i] += value }
          }
        }
      }
    }
    let all =
      zip(gradients, rowTypes).map { DenseArray($0, shape: $1.stacked(operands.rows).shape) }
      + zip(byParameter, blockTypes).map { DenseArray($0, shape: $1.stacked(operands.blocks).shape) }
    return zip(all, isWanted).filter(\.1).map(\.0)
  }

  /// One reverse sweep over a tape.
  private func sweep<Scalar: SimulationScalar>(
    _ tape: RolloutTape<Scalar>, _ request: TapeRequest, _ seeds: [[Scalar]], _ targets: GradientTargets
  ) throws(SimulationError) -> RolloutGradient<Scalar> {
    let worlds = tape.initialState.worldCount
    let parts = seeds.enumerated().map { request.gather($1, worlds: worlds, width: resultTypes[$0].count) }
    if !returnsTrajectory {
      let cotangents = StateCotangents(
        positions: core.coordinates.tangentCotangents(parts[0], at: tape.result.finalState.positions),
        velocities: parts[1], activations: parts[2])
      return try tape.gradient(final: cotangents, targets: targets, threads: threads(worlds: worlds))
    }
    // The tape's trajectory begins with the initial state, which is no result.
    let padded = parts.map { part -> [Scalar] in
      let length = part.count / worlds
      let zeros = [Scalar](repeating: 0, count: length / steps)
      return (0..<worlds).flatMap { zeros + part[$0 * length..<($0 + 1) * length] }
    }
    let cotangents = StateCotangents(
      positions: core.coordinates.tangentCotangents(padded[0], at: tape.result.trajectory!.positions),
      velocities: padded[1], activations: padded[2])
    return try tape.gradient(trajectory: cotangents, targets: targets, threads: threads(worlds: worlds))
  }

  /// What is asked of tapes for some rows: one request for each tape, and more where several rows are the same world
  /// of a tape (several directions at one point).
  private static func requests(_ rows: Range<Int>, _ places: [Int32]) -> [TapeRequest] {
    guard let first = rows.first else { return [] }
    let number = places[2 * first]
    if rows.allSatisfy({ places[2 * $0] == number && Int(places[2 * $0 + 1]) == $0 - first }) {
      return [TapeRequest(number: number, rows: .inOrder(rows))]
    }
    var pairs: [(number: Int32, pairs: [(row: Int, world: Int)])] = []
    /// For each tape, the requests made and how often each world was asked for.
    var known: [Int32: (requests: [Int], counts: [Int32: Int])] = [:]
    for row in rows {
      let (number, world) = (places[2 * row], places[2 * row + 1])
      let layer = known[number]?.counts[world] ?? 0
      known[number, default: ([], [:])].counts[world] = layer + 1
      if layer == known[number]!.requests.count {
        known[number]!.requests.append(pairs.count)
        pairs.append((number, []))
      }
      pairs[known[number]!.requests[layer]].pairs.append((row, Int(world)))
    }
    return pairs.map { TapeRequest(number: $0.number, rows: .pairs($0.pairs)) }
  }
}

/// Rows that one reverse sweep over a tape serves.
private struct TapeRequest {
  enum Rows {
    /// The tape's worlds from the first on.
    case inOrder(Range<Int>)
    /// A row of the operation, and the world of the tape.
    case pairs([(row: Int, world: Int)])
  }
  var number: Int32
  var rows: Rows

  /// The rows in the order of the tape's worlds; zeros for those that are not asked for.
  func gather<T: SimulationScalar>(_ values: [T], worlds: Int, width: Int) -> [T] {
    if case .inOrder(let range) = rows, range.count == worlds {
      return range.count * width == values.count
        ? values : Array(values[range.lowerBound * width..<range.upperBound * width])
    }
    var result = [T](repeating: 0, count: worlds * width)
    forEach { row, world in
      for i in 0..<width { result[world * width + i] = values[row * width + i] }
    }
    return result
  }
  func scatter<T>(_ values: [T], to result: inout [T], width: Int) {
    if case .inOrder(let range) = rows, values.count == result.count, range.count * width == values.count {
      result = values
      return
    }
    forEach { row, world in
      for i in 0..<width { result[row * width + i] = values[world * width + i] }
    }
  }
  func fill<T>(_ result: inout [T], with value: T, width: Int) {
    forEach { row, _ in
      for i in 0..<width { result[row * width + i] = value }
    }
  }
  private func forEach(_ body: (_ row: Int, _ world: Int) -> Void) {
    switch rows {
    case .inOrder(let range): for row in range { body(row, row - range.lowerBound) }
    case .pairs(let pairs): for (row, world) in pairs { body(row, world) }
    }
  }
}

extension SimulationInputs {
  /// The inputs of one step.
  fileprivate func step(_ step: Int) -> Self {
    func part(_ input: InputSequence<Scalar>?) -> InputSequence<Scalar>? {
      guard let input else { return nil }
      let length = input.values.count / input.worldCount
      let width = length / input.stepCount
      var values: [Scalar] = []
      for world in 0..<input.worldCount {
        let first = world * length + step * width
        values += input.values[first..<first + width]
      }
      return InputSequence(values: values, worldCount: input.worldCount)
    }
    return SimulationInputs(
      controls: part(controls), appliedForces: part(appliedForces), cartesianForces: part(cartesianForces),
      mocapPoses: part(mocapPoses))
  }
}

extension ParameterGradient {
  /// The numbers in the order of the tensors of ``ModelParameters``.
  fileprivate var numbers: [[Double]] {
    smoothNumbers + constraints.numbers
  }

  private var smoothNumbers: [[Double]] {
    [
      mass, inertialPosition.flatMap { [$0.x, $0.y, $0.z] }, inertia.flatMap { [$0.x, $0.y, $0.z] }, armature,
      damping, stiffness, springReference, gear.flatMap { $0 }, gainParameters.flatMap { $0 },
      biasParameters.flatMap { $0 }, [gravity.x, gravity.y, gravity.z], [timestep],
    ]
  }
}

extension ConstraintParameterGradient {
  /// The numbers in the order of the tensors of ``ConstraintParameters``.
  fileprivate var numbers: [[Double]] {
    func flat(_ vectors: [Vector3<Double>]) -> [Double] { vectors.flatMap { [$0.x, $0.y, $0.z] } }
    func references(_ solvers: [SolverParameterGradient]) -> [Double] { solvers.flatMap(\.reference) }
    func impedances(_ solvers: [SolverParameterGradient]) -> [Double] { solvers.flatMap(\.impedance) }
    return [
      flat(geomFriction), references(geomSolver), impedances(geomSolver), geomMargin, flat(geomSize),
      flat(geomPosition), pairFriction.flatMap { $0 }, references(pairSolver),
      pairSolverReferenceFriction.flatMap { $0 }, impedances(pairSolver), pairMargin, frictionLoss,
      references(frictionSolver), impedances(frictionSolver), jointRange.flatMap { $0 }, jointMargin,
      references(jointLimitSolver), impedances(jointLimitSolver), references(equalitySolver),
      impedances(equalitySolver),
    ]
  }
}
