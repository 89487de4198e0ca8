import Autodiff

// The gradient method .forwardSensitivity.
extension EquationKernel {
  /// State and all its derivatives at once.
  func solveSensitivities(_ data: EquationData) throws(TensorError) -> (
    states: DenseArray, endTimes: DenseArray, tape: Tape?
  ) {
    do {
      let columns = n + p
      try requireApproximateJacobians()
      try requireMemory(
        numbers: n * (1 + columns) * (options.method.workArrayCount + 2 * data.rows * timeCount),
        "the sensitivities of \(n) components to \(n) initial states and \(p) parameters",
        instead: "use the gradient method .discreteAdjoint or .continuousAdjoint")
      if let lanes = try SensitivityEquation(equation, options) {
        let (states, derivatives) = try lanes.solve(data)
        let ends = (0..<data.rows).map { data.outputTimes[($0 + 1) * timeCount - 1] }
        return (
          DenseArray(states, shape: resultType(rows: data.rows).shape),
          DenseArray(ends, shape: [data.rows]), Tape(data, nil, derivatives)
        )
      }
      let joint = try equation.sensitivityEquation()
      let solved = equation.sensitivityCount
      var extended = data
      extended.initialStates = (0..<data.rows).flatMap { row -> [Double] in
        var values = [Double](repeating: 0, count: n * solved)
        for k in 0..<n { values[k * n + k] = 1 }
        return data.initialStates[row * n..<(row + 1) * n] + values
      }
      var options = options
      let tolerances = try options.tolerances(n)
      options.absoluteTolerances = (0..<1 + solved).flatMap { _ in tolerances }
      let solution = try solution(joint, extended, keepsRecord: false, options: options)
      var states: [Double] = []
      var derivatives: [Double] = []
      let width = n * (1 + solved)
      for k in 0..<data.rows * timeCount {
        states += solution.states[k * width..<k * width + n]
        // Nothing depends on the first parameter.
        let column = k * width + n * (1 + n)
        derivatives += solution.states[k * width + n..<column]
        derivatives += repeatElement(0, count: n)
        derivatives += solution.states[column..<(k + 1) * width]
      }
      return (
        DenseArray(states, shape: resultType(rows: data.rows).shape),
        DenseArray(solution.endTimes, shape: [data.rows]), Tape(data, nil, derivatives)
      )
    } catch { throw tensorError(error) }
  }

  /// Tangents of the solution: products of the derivatives that were solved for.
  func sensitivityTangents(_ tape: Tape, _ states: [Double], _ parameters: [Double]) -> DenseArray {
    let data = tape.data
    let columns = n + p
    let result = DenseArray(uninitialized: resultType(rows: data.rows))
    let target = result.pointer(Double.self)
    let rowsPerBlock = max(data.rows / data.blocks, 1)
    tape.sensitivities.withUnsafeBufferPointer { derivatives in
      for row in 0..<data.rows {
        let block = row / rowsPerBlock
        for k in 0..<timeCount {
          let place = (row * timeCount + k) * n
          let sum = target + place
          sum.update(repeating: 0, count: n)
          for column in 0..<columns {
            let weight = column < n ? states[row * n + column] : parameters[block * p + column - n]
            let first = place * columns + column * n
            for c in 0..<n { sum[c] += weight * derivatives[first + c] }
          }
        }
      }
    }
    return result
  }

  /// Cotangents of initial states and parameters, likewise.
  func sensitivityCotangents(_ tape: Tape, _ cotangents: [Double]) -> [DenseArray] {
    let data = tape.data
    let columns = n + p
    var initial = [Double](repeating: 0, count: data.rows * n)
    var parameters = [Double](repeating: 0, count: data.blocks * p)
    let rowsPerBlock = max(data.rows / data.blocks, 1)
    tape.sensitivities.withUnsafeBufferPointer { derivatives in
      for row in 0..<data.rows {
        let block = row / rowsPerBlock
        for k in 0..<timeCount {
          let place = (row * timeCount + k) * n
          for column in 0..<columns {
            let first = place * columns + column * n
            var sum = 0.0
            for c in 0..<n { sum += cotangents[place + c] * derivatives[first + c] }
            if column < n {
              initial[row * n + column] += sum
            } else {
              parameters[block * p + column - n] += sum
            }
          }
        }
      }
    }
    return [
      DenseArray(initial, shape: [data.rows, n]), DenseArray(parameters, shape: [data.blocks, p]),
    ]
  }
}
