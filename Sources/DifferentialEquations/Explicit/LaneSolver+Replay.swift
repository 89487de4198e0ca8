import Lanes

extension LaneSolver {
  /// Takes the recorded steps of rows of a batch once more, with another equation: that of tangents, say.
  /// - Parameters:
  ///   - records: of the whole batch; their times are followed.
  ///   - outputs: `[rows][outputCount][stateCount]` of the whole batch.
  ///   - tape: takes the steps with the states of this equation, or nil.
  func replay(
    _ problem: BatchProblem, rows: Range<Int>, records: UnsafePointer<StepRecord>,
    outputs: UnsafeMutablePointer<Double>, tape: LaneTape?
  ) {
    let m = problem.outputCount
    let books = books
    books.waiting = rows.lowerBound
    books.active = 0
    let (rowOfLane, nextOutput, stepOfLane) = (books.row, books.output, books.count)
    let state = kernel.state
    let (time, step, newTime) = (numbers(kernel.time), numbers(kernel.step), numbers(arena.newTime))

    /// Gives the lane the next trajectory that has steps.
    func refill(_ lane: Int) {
      while books.waiting < rows.upperBound {
        let row = books.waiting
        books.waiting += 1
        let record = records[row]
        let times = problem.outputTimes(of: row)
        let initial = problem.initialStates + row * n
        var next = 0
        while next < m && times[next] == record.times[0] {
          (outputs + (row * m + next) * n).update(from: initial, count: n)
          next += 1
        }
        if record.stepCount == 0 {
          tape?.setEnd(row, record.times[0], initial)
          continue
        }
        tape?.begin(row, lane: lane)
        put(initial, n, state, lane)
        put(problem.parameters(of: row), problem.parameterCount, parameters, lane)
        time[lane] = record.times[0]
        numbers(arena.direction)[lane] = record.times[1] > record.times[0] ? 1 : -1
        numbers(arena.nextTime)[lane] = next < m ? times[next] : record.times[record.stepCount]
        numbers(arena.isActive)[lane] = 1
        rowOfLane[lane] = row
        nextOutput[lane] = next
        stepOfLane[lane] = 0
        books.times[lane] = record.times
        books.active += 1
        return
      }
      numbers(arena.isActive)[lane] = 0
      rowOfLane[lane] = -1
    }
    for lane in 0..<lanes { refill(lane) }
    // Lanes without a trajectory compute with another's numbers.
    if let busy = (0..<lanes).first(where: { rowOfLane[$0] >= 0 }) {
      for lane in 0..<lanes where rowOfLane[lane] < 0 {
        put(problem.initialStates + rowOfLane[busy] * n, n, state, lane)
        put(problem.parameters(of: rowOfLane[busy]), problem.parameterCount, parameters, lane)
        time[lane] = time[busy]
      }
    }
    kernel.functions.bind(parameters)
    kernel.begin()
    while books.active > 0 {
      for lane in 0..<lanes {
        if rowOfLane[lane] >= 0 {
          let times = books.times[lane] + stepOfLane[lane]
          time[lane] = times[0]
          newTime[lane] = times[1]
        } else {
          newTime[lane] = time[lane]
        }
        step[lane] = newTime[lane] - time[lane]
      }
      if let record = tape?.append() {
        record.starts.update(from: kernel.time, count: width)
        record.states.update(from: state, count: n * width)
      }
      kernel.advance()
      var isRefilled = false
      for w in 0..<width {
        let isActive = arena.isActive[w] .== L(1.0)
        let new = arena.newTime[w]
        if (isActive .& ((arena.nextTime[w] - new) * arena.direction[w] .<= L(0.0))).anyTrue {
          writeOutputs(problem, w, isActive, outputs)
        }
        let last = kernel.rates + (kernel.stageCount - 1) * n * width
        for c in 0..<n {
          let i = c * width + w
          state[i] = state[i].replacing(with: kernel.result[i], where: isActive)
          kernel.rates[i] = kernel.rates[i].replacing(with: last[i], where: isActive)
        }
        kernel.time[w] = kernel.time[w].replacing(with: new, where: isActive)
        for k in 0..<8 where isActive[k] {
          let lane = w * 8 + k
          let row = rowOfLane[lane]
          stepOfLane[lane] += 1
          if stepOfLane[lane] < records[row].stepCount { continue }
          tape?.end(lane: lane, time: time[lane], state: numbers(state) + lane)
          books.active -= 1
          refill(lane)
          isRefilled = true
        }
      }
      if isRefilled {
        kernel.functions.bind(parameters)
        kernel.begin()
      }
    }
  }
}
