import Lanes

extension LaneSolver {
  /// The reverse sweep over the steps of a tape.
  /// - Parameters:
  ///   - cotangents: `[rows][outputCount][stateCount]` of the whole batch.
  ///   - states: `[rows][stateCount]`, set.
  ///   - parameterCotangents: `[rows][parameterCount]`, set.
  func reverse(
    _ problem: BatchProblem, _ tape: LaneTape, cotangents: UnsafePointer<Double>,
    states: UnsafeMutablePointer<Double>, parameterCotangents: UnsafeMutablePointer<Double>
  ) {
    let m = problem.outputCount
    let p = problem.parameterCount
    let books = books
    // `count`: the row of the tape after which, going backwards, something happens: the lane's trajectory begins, or the one before it ends.
    let (trajectory, output, stop) = (books.row, books.output, books.count)
    let cotangent = numbers(arena.cotangent)
    let nextOutput = numbers(arena.nextTime)
    let ends = numbers(arena.newTime)

    func add(_ row: UnsafePointer<Double>, to target: UnsafeMutablePointer<Double>, _ lane: Int) {
      for c in 0..<n { target[c &* lanes &+ lane] += row[c] }
    }
    // Trajectories without steps have no more than their cotangents.
    for row in tape.trajectories {
      (states + row * n).update(repeating: 0, count: n)
      (parameterCotangents + row * p).update(repeating: 0, count: p)
      for k in 0..<m { for c in 0..<n { states[row * n + c] += cotangents[(row * m + k) * n + c] } }
    }
    /// The lane's entries that are not done yet.
    var waiting = tape.entries.map(\.count)
    /// Takes the lane to its trajectory whose last row is the next one.
    func load(_ lane: Int, _ entry: LaneTape.Entry) {
      let row = entry.trajectory
      for c in 0..<n { cotangent[c * lanes + lane] = 0 }
      for c in 0..<p { numbers(arena.parameterCotangent)[c * lanes + lane] = 0 }
      put(problem.parameters(of: row), p, parameters, lane)
      trajectory[lane] = row
      output[lane] = m - 1
      nextOutput[lane] = problem.outputTimes[row * m + m - 1]
      stop[lane] = entry.rows.lowerBound
      ends[lane] = tape.endTime(of: row)
    }
    func finish(_ lane: Int) {
      let row = trajectory[lane]
      while output[lane] >= 0 {
        add(cotangents + (row * m + output[lane]) * n, to: cotangent, lane)
        output[lane] -= 1
      }
      get(arena.cotangent, n, lane, states + row * n)
      get(arena.parameterCotangent, p, lane, parameterCotangents + row * p)
      trajectory[lane] = -1
      nextOutput[lane] = .nan
    }
    /// What happens to a lane between a row and the one after it.
    func pass(_ lane: Int, before row: Int) {
      if trajectory[lane] >= 0 { finish(lane) }
      stop[lane] = -1
      guard waiting[lane] > 0 else { return }
      let entry = tape.entries[lane][waiting[lane] - 1]
      if entry.rows.upperBound == row {
        waiting[lane] -= 1
        load(lane, entry)
      } else {
        stop[lane] = entry.rows.upperBound
      }
    }
    guard let busy = tape.entries.lazy.compactMap(\.last).first else { return }
    arena.newTime.update(from: tape[tape.rowCount - 1].starts, count: width)
    for lane in 0..<lanes {
      trajectory[lane] = -1
      nextOutput[lane] = .nan
      // Lanes without a trajectory have no cotangents.
      let own = tape.entries[lane].last ?? busy
      put(problem.parameters(of: own.trajectory), p, parameters, lane)
      for c in 0..<n { cotangent[c * lanes + lane] = 0 }
      for c in 0..<p { numbers(arena.parameterCotangent)[c * lanes + lane] = 0 }
      pass(lane, before: tape.rowCount)
    }
    kernel.functions.bind(parameters)
    var nextStop = (0..<lanes).reduce(-1) { max($0, stop[$1]) }
    var index = tape.rowCount - 1
    while index >= 0 {
      let row = tape[index]
      tape.prepare(row, distance: -3)
      takeBack(problem, row, cotangents)
      arena.newTime.update(from: row.starts, count: width)
      if index == nextStop {
        for lane in 0..<lanes where stop[lane] == index { pass(lane, before: index) }
        nextStop = (0..<lanes).reduce(-1) { max($0, stop[$1]) }
        kernel.functions.bind(parameters)
      }
      index = index &- 1
    }
  }

  /// Takes cotangents back through a row of steps, which end at `newTime`.
  @inline(__always)
  private func takeBack(
    _ problem: BatchProblem, _ row: LaneTape.Row, _ cotangents: UnsafePointer<Double>
  ) {
    let (time, step) = (kernel.time, kernel.step)
    var hasOutputs = false
    var w = 0
    while w < width {
      let start = row.starts[w]
      time[w] = start
      step[w] = arena.newTime[w] - start
      // The last output not yet seen lies in this step, or before it.
      if (L(0.0) .< (arena.nextTime[w] - start) * step[w]).anyTrue { hasOutputs = true }
      w = w &+ 1
    }
    kernel.state.update(from: row.states, count: n &* width)
    if hasOutputs && addOutputs(problem, row, cotangents) {
      kernel.reverse(arena.cotangent, parameters: arena.parameterCotangent, outputs: arena.rate)
    } else {
      kernel.replayAndReverse(arena.cotangent, parameters: arena.parameterCotangent)
    }
  }

  /// Adds the cotangents of the outputs in a row of steps.
  /// - Returns: whether there are some between the ends of steps: then these were made again.
  private func addOutputs(
    _ problem: BatchProblem, _ steps: LaneTape.Row, _ cotangents: UnsafePointer<Double>
  ) -> Bool {
    let m = problem.outputCount
    let (trajectory, output) = (books.row, books.output)
    let (starts, ends) = (numbers(steps.starts), numbers(arena.newTime))
    let (nextOutput, places) = (numbers(arena.nextTime), numbers(arena.places))
    let cotangent = numbers(arena.cotangent)
    var hasInside = false
    for lane in 0..<lanes {
      let (start, end) = (starts[lane], ends[lane])
      guard (nextOutput[lane] - start) * (end - start) > 0 else { continue }
      let row = trajectory[lane]
      let times = problem.outputTimes + row &* m
      while output[lane] >= 0, times[output[lane]] == end {
        let own = cotangents + (row * m + output[lane]) * n
        for c in 0..<n { cotangent[c &* lanes &+ lane] += own[c] }
        output[lane] -= 1
      }
      nextOutput[lane] = output[lane] >= 0 ? times[output[lane]] : .nan
      if (nextOutput[lane] - start) * (end - start) > 0 { hasInside = true }
    }
    if !hasInside { return false }
    kernel.replay(all: true)
    kernel.clearOutputs()
    arena.rate.update(repeating: L(0.0), count: n * width)
    while true {
      var isPending = false
      arena.scratch.update(repeating: L(0.0), count: n * width)
      for lane in 0..<lanes {
        let (start, end) = (starts[lane], ends[lane])
        guard (nextOutput[lane] - start) * (end - start) > 0 else { continue }
        let row = trajectory[lane]
        isPending = true
        places[lane] = (nextOutput[lane] - start) / (end - start)
        put(cotangents + (row * m + output[lane]) * n, n, arena.scratch, lane)
        output[lane] -= 1
        nextOutput[lane] = output[lane] >= 0 ? problem.outputTimes[row * m + output[lane]] : .nan
      }
      if !isPending { return true }
      kernel.setWeights(at: arena.places)
      kernel.addOutput(arena.scratch, to: arena.rate)
    }
  }
}
