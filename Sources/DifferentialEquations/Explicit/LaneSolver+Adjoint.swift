import Lanes

extension LaneSolver {
  /// The reverse sweep over recorded steps of rows of a batch.
  /// - Parameters:
  ///   - cotangents: `[rows][outputCount][stateCount]` of the whole batch.
  ///   - states: `[rows][stateCount]`, set.
  ///   - parameterCotangents: `[rows][parameterCount]`, set.
  func reverse(
    _ problem: BatchProblem, rows: Range<Int>, records: UnsafePointer<StepRecord>,
    cotangents: UnsafePointer<Double>, states: UnsafeMutablePointer<Double>,
    parameterCotangents: UnsafeMutablePointer<Double>
  ) {
    let m = problem.outputCount
    let p = problem.parameterCount
    let books = books
    books.waiting = rows.lowerBound
    books.active = 0
    let (rowOfLane, output, stepOfLane) = (books.row, books.output, books.count)
    let (time, step) = (numbers(kernel.time), numbers(kernel.step))
    let cotangent = numbers(arena.cotangent)
    let nextOutput = numbers(arena.nextTime)

    func add(_ row: UnsafePointer<Double>, to target: UnsafeMutablePointer<Double>, _ lane: Int) {
      for c in 0..<n { target[c &* lanes &+ lane] += row[c] }
    }
    func finish(_ lane: Int, _ row: Int) {
      while output[lane] >= 0 {
        add(cotangents + (row * m + output[lane]) * n, to: cotangent, lane)
        output[lane] -= 1
      }
      get(arena.cotangent, n, lane, states + row * n)
      get(arena.parameterCotangent, p, lane, parameterCotangents + row * p)
    }
    func refill(_ lane: Int) {
      while books.waiting < rows.upperBound {
        let row = books.waiting
        books.waiting += 1
        for c in 0..<n { cotangent[c * lanes + lane] = 0 }
        for c in 0..<p { numbers(arena.parameterCotangent)[c * lanes + lane] = 0 }
        put(problem.parameters(of: row), p, parameters, lane)
        output[lane] = m - 1
        if records[row].stepCount == 0 {
          finish(lane, row)
          continue
        }
        rowOfLane[lane] = row
        stepOfLane[lane] = records[row].stepCount - 1
        books.times[lane] = records[row].times
        books.states[lane] = records[row].states
        nextOutput[lane] = problem.outputTimes[row * m + m - 1]
        books.active += 1
        return
      }
      rowOfLane[lane] = -1
    }
    for lane in 0..<lanes { refill(lane) }
    if let busy = (0..<lanes).first(where: { rowOfLane[$0] >= 0 }) {
      for lane in 0..<lanes where rowOfLane[lane] < 0 {
        put(problem.initialStates + rowOfLane[busy] * n, n, kernel.state, lane)
        put(problem.parameters(of: rowOfLane[busy]), p, parameters, lane)
      }
    }
    kernel.functions.bind(parameters)
    let places = numbers(arena.places)
    while books.active > 0 {
      var hasInside = false
      for lane in 0..<lanes {
        let row = rowOfLane[lane]
        guard row >= 0 else {
          step[lane] = 0
          continue
        }
        let k = stepOfLane[lane]
        let times = books.times[lane] + k
        time[lane] = times[0]
        step[lane] = times[1] - times[0]
        put(books.states[lane] + k &* n, n, kernel.state, lane)
        // The last output not yet seen lies in this step, or before it.
        if output[lane] < 0 || (nextOutput[lane] - times[0]) * step[lane] <= 0 { continue }
        let outputs = problem.outputTimes + row &* m
        while output[lane] >= 0, outputs[output[lane]] == times[1] {
          add(cotangents + (row * m + output[lane]) * n, to: cotangent, lane)
          output[lane] -= 1
        }
        if output[lane] >= 0 {
          nextOutput[lane] = outputs[output[lane]]
          if (nextOutput[lane] - times[0]) * step[lane] > 0 { hasInside = true }
        }
      }
      kernel.replay(all: hasInside)
      if hasInside {
        kernel.clearOutputs()
        arena.rate.update(repeating: L(0.0), count: n * width)
        while true {
          var isPending = false
          arena.scratch.update(repeating: L(0.0), count: n * width)
          for lane in 0..<lanes {
            let row = rowOfLane[lane]
            guard row >= 0, output[lane] >= 0 else { continue }
            let place = problem.outputTimes(of: row)[output[lane]]
            guard (place - time[lane]) * step[lane] > 0 else { continue }
            isPending = true
            places[lane] = (place - time[lane]) / step[lane]
            put(cotangents + (row * m + output[lane]) * n, n, arena.scratch, lane)
            output[lane] -= 1
            if output[lane] >= 0 { nextOutput[lane] = problem.outputTimes[row * m + output[lane]] }
          }
          if !isPending { break }
          kernel.setWeights(at: arena.places)
          kernel.addOutput(arena.scratch, to: arena.rate)
        }
      }
      kernel.reverse(
        arena.cotangent, parameters: arena.parameterCotangent, outputs: hasInside ? arena.rate : nil)
      var isRefilled = false
      for lane in 0..<lanes where rowOfLane[lane] >= 0 {
        stepOfLane[lane] -= 1
        if stepOfLane[lane] >= 0 { continue }
        finish(lane, rowOfLane[lane])
        books.active -= 1
        refill(lane)
        isRefilled = true
      }
      if isRefilled { kernel.functions.bind(parameters) }
    }
  }
}
