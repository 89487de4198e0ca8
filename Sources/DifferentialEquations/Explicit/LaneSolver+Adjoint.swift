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
    let (books, tile, width) = (books, tile, width)
    books.waiting = rows.lowerBound
    books.active = 0
    // `count`: steps of the lane's trajectory that are not in the tile yet.
    let (rowOfLane, output, waitingSteps) = (books.row, books.output, books.count)
    let (starts, ends) = (numbers(tile.starts), numbers(tile.ends))
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
        waitingSteps[lane] = records[row].stepCount
        books.times[lane] = records[row].times
        books.states[lane] = records[row].states
        nextOutput[lane] = problem.outputTimes[row * m + m - 1]
        books.active += 1
        return
      }
      rowOfLane[lane] = -1
      nextOutput[lane] = .nan
    }
    for lane in 0..<lanes { refill(lane) }
    guard let busy = (0..<lanes).first(where: { rowOfLane[$0] >= 0 }) else { return }
    // Lanes without a trajectory make steps of size zero.
    let rowCount = tile.rowCount
    let idle = UnsafeMutablePointer<Double>.allocate(capacity: rowCount * (n + 1) + 1)
    defer { idle.deallocate() }
    for k in 0..<rowCount * n { idle[k] = problem.initialStates[rowOfLane[busy] * n + k % n] }
    let idleTimes = idle + rowCount * n
    for k in 0...rowCount { idleTimes[k] = problem.startTimes[rowOfLane[busy]] }
    for lane in 0..<lanes where rowOfLane[lane] < 0 {
      put(problem.parameters(of: rowOfLane[busy]), p, parameters, lane)
    }

    /// The row of the tile where the lane's trajectory begins, -1 if that is not in the tile; and all these rows, as bits.
    let firstRow = books.firstRow
    var firstRows = 0
    /// Takes the last steps of a lane's trajectory to the tile's rows below `row`.
    func fill(_ lane: Int, below row: Int) {
      let count = min(waitingSteps[lane], row)
      waitingSteps[lane] -= count
      let first = row - count
      for r in 0..<row {
        let step = waitingSteps[lane] + max(r - first, 0)
        tile.fetch(
          row: r, lane: lane, times: books.times[lane] + step, state: books.states[lane] + step * n,
          isStep: r >= first)
      }
      if waitingSteps[lane] == 0 {
        firstRow[lane] = first
        firstRows |= 1 << first
      } else {
        firstRow[lane] = -1
      }
    }
    func fill() {
      firstRows = 0
      for w in 0..<width {
        for lane in 8 * w..<8 * w + 8 {
          // The lanes whose trajectories begin here are filled one by one after the others.
          let count = waitingSteps[lane]
          if rowOfLane[lane] >= 0 && count > rowCount {
            waitingSteps[lane] = count - rowCount
            books.timePlaces[lane] = UnsafePointer(books.times[lane] + (count - rowCount))
            books.statePlaces[lane] = UnsafePointer(books.states[lane] + (count - rowCount) * n)
            firstRow[lane] = -1
            // Those of the next call, meanwhile.
            let before = max(count - 2 * rowCount, 0)
            prefetch(books.times[lane] + before, count: rowCount)
            prefetch(books.states[lane] + before &* n, count: rowCount &* n)
          } else {
            books.timePlaces[lane] = UnsafePointer(idleTimes)
            books.statePlaces[lane] = UnsafePointer(idle)
            firstRow[lane] = -2
          }
        }
        tile.fetch(group: w, times: books.timePlaces, states: books.statePlaces)
        for lane in 8 * w..<8 * w + 8 where firstRow[lane] == -2 && rowOfLane[lane] >= 0 {
          fill(lane, below: rowCount)
        }
      }
    }

    kernel.functions.bind(parameters)
    let (time, step) = (kernel.time, kernel.step)
    let places = numbers(arena.places)
    while true {
      fill()
      var r = rowCount - 1
      while r >= 0 {
        var hasOutputs = false
        var w = 0
        while w < width {
          let start = tile.starts[r &* width &+ w]
          time[w] = start
          step[w] = tile.ends[r &* width &+ w] - start
          // The last output not yet seen lies in this step, or before it.
          if (L(0.0) .< (arena.nextTime[w] - start) * step[w]).anyTrue { hasOutputs = true }
          w = w &+ 1
        }
        kernel.state.update(from: tile.states + r &* n &* width, count: n &* width)
        var hasInside = false
        if hasOutputs {
          for lane in 0..<lanes {
            let (start, end) = (starts[r &* lanes &+ lane], ends[r &* lanes &+ lane])
            let row = rowOfLane[lane]
            guard (nextOutput[lane] - start) * (end - start) > 0 else { continue }
            let outputs = problem.outputTimes + row &* m
            while output[lane] >= 0, outputs[output[lane]] == end {
              add(cotangents + (row * m + output[lane]) * n, to: cotangent, lane)
              output[lane] -= 1
            }
            nextOutput[lane] = output[lane] >= 0 ? outputs[output[lane]] : .nan
            if (nextOutput[lane] - start) * (end - start) > 0 { hasInside = true }
          }
        }
        if hasInside {
          kernel.replay(all: true)
          kernel.clearOutputs()
          arena.rate.update(repeating: L(0.0), count: n * width)
          while true {
            var isPending = false
            arena.scratch.update(repeating: L(0.0), count: n * width)
            for lane in 0..<lanes {
              let (start, end) = (starts[r &* lanes &+ lane], ends[r &* lanes &+ lane])
              guard (nextOutput[lane] - start) * (end - start) > 0 else { continue }
              let row = rowOfLane[lane]
              isPending = true
              places[lane] = (nextOutput[lane] - start) / (end - start)
              put(cotangents + (row * m + output[lane]) * n, n, arena.scratch, lane)
              output[lane] -= 1
              nextOutput[lane] = output[lane] >= 0 ? problem.outputTimes[row * m + output[lane]] : .nan
            }
            if !isPending { break }
            kernel.setWeights(at: arena.places)
            kernel.addOutput(arena.scratch, to: arena.rate)
          }
        }
        if hasInside {
          kernel.reverse(arena.cotangent, parameters: arena.parameterCotangent, outputs: arena.rate)
        } else {
          kernel.replayAndReverse(arena.cotangent, parameters: arena.parameterCotangent)
        }
        if firstRows & 1 << r != 0 {
          for lane in 0..<lanes where firstRow[lane] == r {
            finish(lane, rowOfLane[lane])
            firstRow[lane] = -1
            books.active -= 1
            refill(lane)
            if rowOfLane[lane] >= 0 { fill(lane, below: r) }
          }
          if books.active == 0 { return }
          kernel.functions.bind(parameters)
        }
        r = r &- 1
      }
    }
  }
}
