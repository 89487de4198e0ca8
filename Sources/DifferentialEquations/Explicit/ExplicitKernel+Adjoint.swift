import Lanes

extension ExplicitKernel {
  // With Y_j = y + h Σ_l a_jl k_l, k_j = f(Y_j), and the result Y_s of the last stage, cotangents go backwards as
  //   k̄_l = h Σ_{j>l} a_jl Ȳ_j,  Ȳ_l = (∂f/∂y)ᵀ k̄_l (and the result's own for the last stage),  ȳ = Σ_j Ȳ_j.
  // An output at y + h Σ_j b_j(θ) k_j with cotangent ū adds h b_j(θ) ū to k̄_j and ū to ȳ.

  /// Makes the stages again from `time`, `step` and `state`: those that the reverse sweep needs, or all.
  func replay(all: Bool) {
    stageStates.update(from: state, count: size)
    if all {
      begin()
      advance()
      advanceExtraStages()
      return
    }
    // The rate of the last stage before the end is in the result only.
    let last = stageCount - 2
    if last == 0 { return }
    begin()
    advance(to: last)
    setState(of: last)
  }

  /// The same with the rates of the step's stages, which need no function then.
  func replay(all: Bool, rates known: UnsafePointer<L>) {
    stageStates.update(from: state, count: size)
    rates.update(from: known, count: stageCount * size)
    var stage = 1
    while stage < stageCount {
      setState(of: stage)
      stage = stage &+ 1
    }
    if all { advanceExtraStages() }
  }

  /// Forgets the outputs of the last step.
  func clearOutputs() { outputCotangents.update(repeating: L.zero, count: totalCount * size) }

  /// Adds the cotangent of an output, at the place whose weights are set, to the rates' and to `cotangent`, the state's.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  func addOutput(_ output: UnsafePointer<L>, to cotangent: UnsafeMutablePointer<L>) {
    var c = 0
    while c < stateCount {
      var w = 0
      while w < width {
        let i = c &* width &+ w
        let value = output[i]
        let scaled = value * step[w]
        var j = 0
        while j < totalCount {
          let place = j &* size &+ i
          outputCotangents[place] = L.multiplyAdd(
            weights[j &* width &+ w], scaled, outputCotangents[place])
          j = j &+ 1
        }
        cotangent[i] += value
        w = w &+ 1
      }
      c = c &+ 1
    }
  }

  /// ``replay(all:)`` and ``reverse(_:parameters:outputs:)`` of a step without outputs between its ends.
  func replayAndReverse(_ cotangent: UnsafeMutablePointer<L>, parameters: UnsafeMutablePointer<L>) {
    if let reverse = functions.reverse { return reverse(arrays, stageCount, cotangent, parameters) }
    replay(all: false)
    reverse(cotangent, parameters: parameters, outputs: nil)
  }

  /// Takes the cotangent of the result to that of the state at the step's start, and adds to that of the parameters. The stages
  /// must have been replayed.
  /// - Parameters:
  ///   - cotangent: of the result; replaced by that of the state.
  ///   - outputs: what outputs within the step add to the state's cotangent; nil if there are none.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  func reverse(
    _ cotangent: UnsafeMutablePointer<L>, parameters: UnsafeMutablePointer<L>,
    outputs: UnsafeMutablePointer<L>?
  ) {
    let pullback = functions.pullback
    let last = stageCount - 1
    let end = outputs == nil ? stageCount : totalCount
    let result = stateCotangents + last &* size
    var stage = end - 1
    let ranges = outputs == nil ? transposedTerms : allTransposedTerms
    while stage >= 0 {
      let target = stateCotangents + stage &* size
      if stage == last && outputs == nil {
        target.update(from: cotangent, count: size)
      } else {
        if ranges[stage].isEmpty {
          rateCotangent.update(repeating: L.zero, count: size)
        } else {
          combine(ranges[stage], of: stateCotangents, onto: nil, into: rateCotangent)
        }
        if outputs != nil { add(outputCotangents + stage &* size, to: rateCotangent) }
        let c = stageTimes[stage]
        var w = 0
        while w < width {
          stageTime[w] = L.multiplyAdd(step[w], L(c), time[w])
          w = w &+ 1
        }
        pullback(stageTime, stageStates + stage &* size, rateCotangent, target, parameters)
        if stage == last { add(cotangent, to: result) }
      }
      stage = stage &- 1
    }
    var i = 0
    while i < size {
      var sum = outputs.map { $0[i] } ?? L.zero
      var j = 0
      while j < end {
        sum += stateCotangents[j &* size &+ i]
        j = j &+ 1
      }
      cotangent[i] = sum
      i = i &+ 1
    }
  }
  @inline(__always)
  private func add(_ source: UnsafeMutablePointer<L>, to target: UnsafeMutablePointer<L>) {
    var i = 0
    while i < size {
      target[i] += source[i]
      i = i &+ 1
    }
  }
}
