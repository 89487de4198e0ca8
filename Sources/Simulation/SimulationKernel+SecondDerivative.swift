import Autodiff
import RigidBody

extension SimulationKernel {
  /// Forward over reverse on dual numbers, in float64 whatever the operands are.
  ///
  /// The gradient's components refer to frames that turn along the direction; what is lifted to `qpos` does not.
  func pullbackRates(
    _ operands: KernelOperands, _ tangents: [DenseArray?], _ cotangents: [DenseArray], _ rates: [DenseArray],
    isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray] {
    let isByParameters =
      isWanted.dropFirst(rowTypes.count).contains(true)
      || !tangents.dropFirst(rowTypes.count).allSatisfy { $0 == nil }
    guard !isByParameters, !returnsTrajectory else {
      throw TensorError(
        .unsupportedDerivative, name,
        isByParameters
          ? "has no second derivative with respect to the model's parameters"
          : "has no second derivative: a rollout has (of its last states), and steps in a scan")
    }
    func numbers(_ array: DenseArray) throws(TensorError) -> [Double] {
      try array.converted(to: .float64).values(Double.self)
    }
    var primals: [[Double]] = []
    for array in operands.arrays.prefix(rowTypes.count) { primals.append(try numbers(array)) }
    var directions: [[Double]] = []
    for (array, type) in zip(tangents, rowTypes) {
      directions.append(
        try array.map(numbers) ?? [Double](repeating: 0, count: operands.rows * type.count))
    }
    var seeds: [[Double]] = []
    for array in cotangents + rates { seeds.append(try numbers(array)) }
    var results = rowTypes.map { _ in [Double]() }
    for run in runs(operands, byBlock: false) {
      do throws(SimulationError) {
        let simulator = try core.simulator(Double.self, run.parameters)
        let part = try pullbackRates(simulator, primals, directions, seeds, run.rows)
        for k in results.indices { results[k] += part[k] }
      } catch { throw error.tensorError(name) }
    }
    var arrays: [DenseArray] = []
    for (k, values) in results.enumerated() where isWanted[k] {
      let shape = rowTypes[k].stacked(operands.rows).shape
      arrays.append(try DenseArray(values, shape: shape).converted(to: elementType))
    }
    return arrays
  }

  /// - Parameter seeds: cotangents of positions, velocities and activations, then their rates of change.
  private func pullbackRates(
    _ simulator: Simulator<Double>, _ primals: [[Double]], _ directions: [[Double]], _ seeds: [[Double]],
    _ rows: Range<Int>
  ) throws(SimulationError) -> [[Double]] {
    let coordinates = core.coordinates
    func part(_ values: [Double], _ width: Int) -> [Double] {
      Array(values[rows.lowerBound * width..<rows.upperBound * width])
    }
    let (state, inputs) = simulatorInputs(primals, rows)
    let changes = zip(directions, rowTypes).map { part($0, $1.count) }
    let direction = RolloutDirection(
      initialState: StateTangents(
        positions: coordinates.tangents(changes[0], at: state.positions), velocities: changes[1],
        activations: changes[2]),
      inputs: simulatorInputs(changes.dropFirst(3).map { $0 }, worlds: rows.count, steps: steps))
    let widths = resultTypes.map(\.count)
    let parts = seeds.enumerated().map { part($1, widths[$0 % 3]) }
    var targets: GradientTargets = [.initialState]
    if self.inputs.contains(.controls) { targets.insert(.controls) }
    if self.inputs.contains(.appliedForces) { targets.insert(.appliedForces) }
    if self.inputs.contains(.cartesianForces) { targets.insert(.cartesianForces) }
    let second = try simulator.hessianVectorProduct(
      from: state, inputs: inputs, steps: steps, along: direction,
      targets: targets, threads: threads(worlds: rows.count)
    ) { final, tangents in
      let turning = coordinates.changes(tangents.positions, at: final.positions)
      return (
        StateCotangents(
          positions: coordinates.tangentCotangents(parts[0], at: final.positions), velocities: parts[1],
          activations: parts[2]),
        StateCotangents(
          positions: coordinates.tangentCotangentRates(
            parts[0], parts[3], at: final.positions, along: turning), velocities: parts[4],
          activations: parts[5])
      )
    }
    let product = second.hessianVectorProduct
    let lifted = coordinates.positionCotangentRates(
      second.gradient.initialState.positions, product.initialState.positions, at: state.positions,
      along: changes[0])
    let byInput = [
      (InputSet.controls, product.controls), (.appliedForces, product.appliedForces),
      (.cartesianForces, product.cartesianForces),
    ]
    return [lifted, product.initialState.velocities, product.initialState.activations]
      + byInput.filter { self.inputs.contains($0.0) }.map { $0.1?.values ?? [] }
  }
}
