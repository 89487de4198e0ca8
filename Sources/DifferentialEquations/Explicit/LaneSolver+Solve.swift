import Lanes

extension LaneSolver {
  /// Solves rows of a batch.
  /// - Parameters:
  ///   - outputs: `[rows][outputCount][stateCount]` of the whole batch.
  ///   - tape: takes the steps; nil: they are forgotten.
  ///   - outcomes: of the whole batch.
  func solve(
    _ problem: BatchProblem, rows: Range<Int>, outputs: UnsafeMutablePointer<Double>,
    tape: LaneTape?, outcomes: UnsafeMutablePointer<TrajectorySolver.Outcome>
  ) {
    let m = problem.outputCount
    let control = options.control
    let isAdaptive = options.fixedStep == nil
    let exponent = 1 / Double(max(min(kernel.tableau.order, kernel.tableau.embeddedOrder) + 1, 1))
    let (beta1, beta2, beta3) = control.exponents
    let usesHistory = beta2 != 0 || beta3 != 0
    var initialSizes = [Double](repeating: options.fixedStep ?? options.initialStep ?? 0, count: rows.count)
    if isAdaptive && options.initialStep == nil { setInitialSizes(problem, rows, &initialSizes) }

    let books = books
    books.waiting = rows.lowerBound
    books.active = 0
    let (rowOfLane, nextOutput) = (books.row, books.output)
    let state = kernel.state
    let (time, end, direction) = (numbers(kernel.time), numbers(arena.end), numbers(arena.direction))
    let (attempts, accepted) = (numbers(arena.attempts), numbers(arena.accepted))

    /// Gives the lane the next trajectory that has something to do.
    func refill(_ lane: Int) {
      while books.waiting < rows.upperBound {
        let row = books.waiting
        books.waiting += 1
        let times = problem.outputTimes(of: row)
        let start = problem.startTimes[row]
        let initial = problem.initialStates + row * n
        var next = 0
        while next < m && times[next] == start {
          (outputs + (row * m + next) * n).update(from: initial, count: n)
          next += 1
        }
        outcomes[row].outputCount = next
        outcomes[row].endTime = start
        if next == m {
          tape?.setEnd(row, start, initial)
          continue
        }
        tape?.begin(row, lane: lane)
        put(initial, n, state, lane)
        put(problem.parameters(of: row), problem.parameterCount, parameters, lane)
        time[lane] = start
        end[lane] = times[m - 1]
        direction[lane] = times[m - 1] > start ? 1 : -1
        numbers(arena.size)[lane] = initialSizes[row - rows.lowerBound]
        numbers(arena.history)[lane] = 1
        numbers(arena.olderHistory)[lane] = 1
        numbers(arena.limit)[lane] = control.largestFactor
        numbers(arena.nextTime)[lane] = times[next]
        numbers(arena.isActive)[lane] = 1
        attempts[lane] = 0
        accepted[lane] = 0
        rowOfLane[lane] = row
        nextOutput[lane] = next
        books.active += 1
        return
      }
      // A lane at its end makes steps of size zero.
      end[lane] = time[lane]
      numbers(arena.isActive)[lane] = 0
      rowOfLane[lane] = -1
    }
    /// The lane's trajectory is over.
    func finish(_ lane: Int, _ reason: DifferentialEquationError.Reason?) {
      let row = rowOfLane[lane]
      outcomes[row].endTime = time[lane]
      outcomes[row].outputCount = nextOutput[lane]
      outcomes[row].statistics.acceptedSteps = Int(accepted[lane])
      outcomes[row].statistics.rejectedSteps = Int(attempts[lane] - accepted[lane])
      books.active -= 1
      tape?.end(lane: lane, time: time[lane], state: numbers(state) + lane)
      guard let reason else { return }
      var failure = DifferentialEquationError(
        reason, time: time[lane], step: Int(attempts[lane]),
        component: kernel.worstComponent(group: lane / 8, lane: lane % 8),
        message: kernel.functions.failure().map { "\($0)" } ?? "")
      failure.trajectory = row
      outcomes[row].failure = failure
    }

    for lane in 0..<lanes { refill(lane) }
    // Lanes without a trajectory compute with another's numbers.
    if let busy = (0..<lanes).first(where: { rowOfLane[$0] >= 0 }) {
      for lane in 0..<lanes where rowOfLane[lane] < 0 {
        put(problem.initialStates + rowOfLane[busy] * n, n, state, lane)
        put(problem.parameters(of: rowOfLane[busy]), problem.parameterCount, parameters, lane)
        time[lane] = time[busy]
        end[lane] = time[busy]
      }
    }
    kernel.functions.bind(parameters)
    kernel.begin()
    let (one, largest) = (L(1.0), L(control.largestFactor))
    let margin = isAdaptive ? 1 : 1 - 1e-10
    let maximumSteps = L(Double(options.maximumSteps))
    while books.active > 0 {
      var w = 0
      while w < width {
        let h = L.minimum(arena.size[w], L(options.maximumStep))
        let now = kernel.time[w]
        let isLast = (arena.end[w] - now) * arena.direction[w] * margin .<= h
        let new = L.multiplyAdd(h, arena.direction[w], now).replacing(with: arena.end[w], where: isLast)
        arena.newTime[w] = new
        kernel.step[w] = new - now
        w &+= 1
      }
      kernel.advance()
      if isAdaptive { kernel.estimateError() }
      let record = tape?.append()
      var isRefilled = false
      w = 0
      while w < width {
        let isActive = arena.isActive[w] .== one
        var isAccepted = isActive
        let now = kernel.time[w]
        arena.attempts[w] += arena.isActive[w]
        if isAdaptive {
          let e = kernel.errorNorm[w]
          isAccepted = isActive .& (e .<= one)
          let safe = L.maximum(e, L(1e-20))
          var factor = L.roughPower(safe, -beta1 * exponent) * control.safety
          if usesHistory {
            factor = factor * L.roughPower(arena.history[w], -beta2 * exponent)
            factor = factor * L.roughPower(arena.olderHistory[w], -beta3 * exponent)
            arena.olderHistory[w] = arena.olderHistory[w].replacing(with: arena.history[w], where: isAccepted)
            arena.history[w] = arena.history[w].replacing(with: safe, where: isAccepted)
          }
          factor = L.minimum(factor, arena.limit[w])
          if (isActive .& .!isAccepted).anyTrue {
            let refused = L.minimum(L.roughPower(safe, -exponent) * control.safety, L(0.95))
            factor = refused.replacing(with: factor, where: isAccepted)
            factor = factor.replacing(with: L(0.0), where: .!e.isFinite)
          }
          factor = L.maximum(factor, L(control.smallestFactor))
          arena.size[w] = kernel.step[w].magnitude * factor
          arena.limit[w] = one.replacing(with: largest, where: isAccepted)
        } else {
          var c = 0
          while c < n {
            isAccepted = isAccepted .& kernel.result[c &* width &+ w].isFinite
            c = c &+ 1
          }
        }
        // The accepted lanes go on from the step's end.
        let new = arena.newTime[w]
        if (isAccepted .& ((arena.nextTime[w] - new) * arena.direction[w] .<= L(0.0))).anyTrue {
          writeOutputs(problem, w, isAccepted, outputs)
        }
        if let record { record.starts[w] = now }
        let last = kernel.rates + (kernel.stageCount - 1) * n * width
        var c = 0
        while c < n {
          let i = c &* width &+ w
          if let record { record.states[i] = state[i] }
          state[i] = state[i].replacing(with: kernel.result[i], where: isAccepted)
          kernel.rates[i] = kernel.rates[i].replacing(with: last[i], where: isAccepted)
          c = c &+ 1
        }
        kernel.time[w] = now.replacing(with: new, where: isAccepted)
        arena.accepted[w] += L(0.0).replacing(with: one, where: isAccepted)
        let isOver = isAccepted .& (kernel.time[w] .== arena.end[w])
        var isLost =
          isActive
          .& (.!(kernel.time[w].magnitude * TrajectorySolver.leastStep .< arena.size[w])
            .| (maximumSteps .<= arena.attempts[w]))
        if !isAdaptive { isLost = isLost .| (isActive .& .!isAccepted) }
        if (isOver .| isLost).anyTrue {
          for k in 0..<8 where isOver[k] || isLost[k] {
            let lane = w &* 8 &+ k
            let isFinite = isAdaptive ? kernel.errorNorm[w][k].isFinite : isAccepted[k]
            finish(
              lane,
              isOver[k]
                ? nil
                : !isFinite && !isAdaptive
                  ? .nonFiniteRate
                  : attempts[lane] >= Double(options.maximumSteps)
                    ? .tooManySteps : isFinite ? .stepUnderflow : .nonFiniteRate)
            refill(lane)
            isRefilled = true
          }
        }
        w &+= 1
      }
      if isRefilled {
        kernel.functions.bind(parameters)
        kernel.begin()
      }
    }
  }

  /// Writes the outputs that the accepted lanes of a group have come past.
  func writeOutputs(
    _ problem: BatchProblem, _ w: Int, _ accepted: L.Mask, _ outputs: UnsafeMutablePointer<Double>
  ) {
    let (rowOfLane, nextOutput) = (books.row, books.output)
    let m = problem.outputCount
    let (time, newTime) = (numbers(kernel.time), numbers(arena.newTime))
    let direction = numbers(arena.direction)
    var isPrepared = false
    while true {
      // One output of each lane at a time.
      var isPending = L.Mask(repeating: false)
      for k in 0..<8 where accepted[k] {
        let lane = w * 8 + k
        let times = problem.outputTimes(of: rowOfLane[lane])
        while nextOutput[lane] < m, times[nextOutput[lane]] == newTime[lane] {
          get(kernel.result, n, lane, outputs + (rowOfLane[lane] * m + nextOutput[lane]) * n)
          nextOutput[lane] += 1
        }
        if nextOutput[lane] < m { numbers(arena.nextTime)[lane] = times[nextOutput[lane]] }
        guard nextOutput[lane] < m, (times[nextOutput[lane]] - newTime[lane]) * direction[lane] < 0 else {
          continue
        }
        isPending[k] = true
        numbers(arena.places)[lane] =
          (times[nextOutput[lane]] - time[lane]) / (newTime[lane] - time[lane])
      }
      if !isPending.anyTrue { return }
      if !isPrepared { kernel.advanceExtraStages() }
      isPrepared = true
      kernel.setWeights(at: arena.places)
      kernel.interpolate(into: arena.scratch)
      for k in 0..<8 where isPending[k] {
        let lane = w * 8 + k
        get(arena.scratch, n, lane, outputs + (rowOfLane[lane] * m + nextOutput[lane]) * n)
        nextOutput[lane] += 1
      }
    }
  }

  /// First steps by Hairer, Nørsett and Wanner I, II.4, a full group of trajectories at a time.
  private func setInitialSizes(_ problem: BatchProblem, _ rows: Range<Int>, _ sizes: inout [Double]) {
    let exponent = 1 / Double(max(min(kernel.tableau.order, kernel.tableau.embeddedOrder) + 1, 2))
    var first = rows.lowerBound
    let m = problem.outputCount
    while first < rows.upperBound {
      let count = min(lanes, rows.upperBound - first)
      for lane in 0..<lanes {
        let row = first + min(lane, count - 1)
        put(problem.initialStates + row * n, n, kernel.state, lane)
        put(problem.parameters(of: row), problem.parameterCount, parameters, lane)
        numbers(kernel.time)[lane] = problem.startTimes[row]
        numbers(arena.end)[lane] = problem.outputTimes(of: row)[m - 1]
      }
      kernel.functions.bind(parameters)
      kernel.begin()
      for w in 0..<width {
        let limit = (arena.end[w] - kernel.time[w]).magnitude
        let sign = L(-1).replacing(with: L(1), where: kernel.time[w] .< arena.end[w])
        let (d0, d1) = (norm(kernel.state, w), norm(kernel.rates, w))
        let isSmall = (d0 .< L(1e-5)) .| (d1 .< L(1e-5))
        let step = L.minimum((d0 * 0.01 / d1).replacing(with: L(1e-6), where: isSmall), limit)
        arena.places[w] = step
        arena.history[w] = d1
        for c in 0..<n {
          let i = c * width + w
          arena.scratch[i] = L.multiplyAdd(kernel.rates[i], step * sign, kernel.state[i])
        }
        arena.newTime[w] = L.multiplyAdd(step, sign, kernel.time[w])
      }
      kernel.functions.rate(arena.newTime, arena.scratch, arena.rate)
      for i in 0..<n * width { arena.rate[i] -= kernel.rates[i] }
      for w in 0..<width {
        let step = arena.places[w]
        let largest = L.maximum(arena.history[w], norm(arena.rate, w) / step)
        let second = L.power(0.01 / largest, L(exponent)).replacing(
          with: L.maximum(L(1e-6), step * 1e-3), where: largest .<= L(1e-15))
        let limit = (arena.end[w] - kernel.time[w]).magnitude
        let size = L.minimum(L.minimum(step * 100, second), limit)
        for k in 0..<8 where w * 8 + k < count {
          let value = size[k]
          sizes[first - rows.lowerBound + w * 8 + k] = value.isFinite && value > 0 ? value : step[k]
        }
      }
      first += count
    }
  }
  private func norm(_ values: UnsafeMutablePointer<L>, _ w: Int) -> L {
    var sum = L(0.0)
    for c in 0..<n {
      let i = c * width + w
      let scale = kernel.state[i].magnitude * options.relativeTolerance + tolerances[c]
      // A component that is zero says nothing where there is no absolute tolerance.
      let ratio = (values[i] / scale).replacing(with: L(0.0), where: scale .== L(0.0))
      sum = L.multiplyAdd(ratio, ratio, sum)
    }
    return (sum / Double(n)).squareRoot
  }
}
