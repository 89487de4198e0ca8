import Foundation
import Lanes

/// Threads that share a batch; asking the system takes longer than a short solution.
let threadCount = ProcessInfo.processInfo.activeProcessorCount

/// Solves batches of trajectories, and takes cotangents back through them, on all cores.
struct BatchSolver: Sendable {
  let equation: any Equation
  let options: SolverOptions
  let tolerances: [Double]
  /// Where solvers of single trajectories wait; nil: they are made for each batch.
  private let pool: SolverPool?

  init(_ equation: any Equation, _ options: SolverOptions, pool: SolverPool? = nil)
    throws(DifferentialEquationError)
  {
    if options.method.rosenbrockTableau != nil && !equation.isTraced {
      throw DifferentialEquationError(
        .argument,
        message:
          "\(options.method) needs derivatives by time and second ones, which a native right-hand side does not have; trace it, or use kvaerno5"
      )
    }
    self.equation = equation
    self.options = options
    self.pool = SolverPool.suits(equation, options) ? pool : nil
    tolerances = try options.tolerances(equation.stateCount)
  }

  /// Fewer trajectories than this are solved one by one.
  private static let leastLanes = 3

  /// The method for lanes, if that is worth it.
  private func laneTableau(rows: Int) -> RungeKuttaTableau? {
    rows >= Self.leastLanes && !equation.hasEvents ? options.method.explicitTableau : nil
  }
  func stepper() -> Stepper {
    options.method.stepper(equation.singleFunctions(), options, tolerances: tolerances)
  }
  func singleSolver() -> SingleSolver { SingleSolver(stepper(), options, tolerances: tolerances) }
  /// Lends a solver of single trajectories to one thread.
  private func withSingleSolver(_ body: (SingleSolver) -> Void) {
    guard let pool else { return body(singleSolver()) }
    pool.withSolver(options, made: singleSolver, body)
  }

  /// What takes many steps of a trajectory back at once, if that is worth it.
  private func parallelAdjoint() -> ParallelAdjoint? {
    guard let tableau = options.method.explicitTableau, !equation.hasEvents,
      let width = ParallelAdjoint.width(stateCount: equation.stateCount),
      let functions = equation.stepFunctions(width: width)
    else { return nil }
    return ParallelAdjoint(tableau, functions, tolerances: tolerances)
  }

  /// The same of a traced system.
  private func stepMaps() -> StepMaps? {
    guard let tableau = options.method.explicitTableau, !equation.hasEvents,
      let source = equation.stepSource,
      let functions = equation.stepFunctions(width: StepDerivatives.width)
    else { return nil }
    return StepMaps(tableau, functions, source)
  }

  /// Divides rows among threads.
  private func chunks(_ rows: Int, usesLanes: Bool) -> [Range<Int>] {
    let count = usesLanes ? max(1, min(threadCount, rows / 16)) : min(rows, threadCount * 4)
    return (0..<count).map { rows * $0 / count..<rows * ($0 + 1) / count }
  }
  private func forEach(_ count: Int, _ body: @Sendable (Int) -> Void) {
    parallelFor(count: count, threads: threadCount, makeContext: { 0 }) { _, index in body(index) }
  }
  /// What solves many trajectories at once, with as many lane groups as suit `count` of them.
  private func laneSolver(_ tableau: RungeKuttaTableau, _ count: Int) -> LaneSolver {
    LaneSolver(tableau, equation.groupFunctions(trajectories: count), options, tolerances: tolerances)
  }
  /// Tapes for the steps of chunks.
  private func tapes(_ chunks: [Range<Int>], _ solvers: [LaneSolver]) -> [LaneTape] {
    zip(chunks, solvers).map {
      LaneTape(
        trajectories: $0, stateCount: equation.stateCount, width: $1.width, capacity: options.checkpoints)
    }
  }

  /// - Parameters:
  ///   - outputs: `[rows][outputCount][stateCount]`, set as far as the solutions reach.
  ///   - keepsStages: records have the rates of stages, where trajectories are solved one by one.
  /// - Returns: also the steps, if `keepsRecord` says so.
  func solve(
    _ problem: BatchProblem, rows: Int, outputs: UnsafeMutablePointer<Double>, keepsRecord: Bool,
    keepsStages: Bool
  ) -> (outcomes: [TrajectorySolver.Outcome], steps: RecordedSteps?) {
    var outcomes = [TrajectorySolver.Outcome](repeating: .init(), count: rows)
    var steps: RecordedSteps?
    outcomes.withUnsafeMutableBufferPointer { outcomes in
      if let tableau = laneTableau(rows: rows) {
        let chunks = chunks(rows, usesLanes: true)
        let solvers = chunks.map { laneSolver(tableau, $0.count) }
        let tapes = keepsRecord ? tapes(chunks, solvers) : nil
        steps = tapes.map { RecordedSteps($0) }
        let shared = Shared(value: (outputs, outcomes.baseAddress!, solvers, tapes))
        forEach(chunks.count) { index in
          let (outputs, outcomes, solvers, tapes) = shared.value
          solvers[index].solve(
            problem, rows: chunks[index], outputs: outputs, tape: tapes?[index], outcomes: outcomes)
        }
        return
      }
      let records =
        keepsRecord
        ? (0..<rows).map { _ in
          StepRecord(
            stateCount: equation.stateCount, capacity: options.checkpoints, keepsStages: keepsStages)
        } : nil
      steps = records.map { RecordedSteps($0) }
      let chunks = chunks(rows, usesLanes: false)
      let shared = Shared(value: (outputs, outcomes.baseAddress!, records))
      forEach(chunks.count) { index in
        let (outputs, outcomes, records) = shared.value
        withSingleSolver { solver in
          for row in chunks[index] {
            solver.stepper.functions.bind(problem.parameters(of: row))
            outcomes[row] = solver.forward.solve(
              from: problem.startTimes[row], problem.initialStates + row * problem.stateCount,
              outputTimes: problem.outputTimes(of: row),
              outputs: outputs + row * problem.outputCount * problem.stateCount,
              record: records?[row], events: equation.eventFunctions(parameters: problem.parameters(of: row)))
            if rows > 1 { outcomes[row].failure?.trajectory = row }
          }
        }
      }
    }
    return (outcomes, steps)
  }

  /// - Parameters:
  ///   - states: `[rows][stateCount]`, set.
  ///   - parameters: `[rows][parameterCount]`, set.
  func reverse(
    _ problem: BatchProblem, rows: Int, steps: RecordedSteps, cotangents: UnsafePointer<Double>,
    states: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>
  ) {
    let tableau = laneTableau(rows: rows)
    if let tableau, let tapes = steps.tapes {
      let shared = Shared(value: (cotangents, states, parameters))
      return forEach(tapes.count) { index in
        let (cotangents, states, parameters) = shared.value
        let tape = tapes[index]
        laneSolver(tableau, tape.trajectories.count).reverse(
          problem, tape, cotangents: cotangents, states: states, parameterCotangents: parameters)
      }
    }
    let records = steps.records
    // Lanes are for trajectories that take about as many steps.
    let longest = records.map(\.stepCount).max() ?? 0
    let suitsLanes =
      records.allSatisfy { $0.stride == 1 }
      && longest * records.count <= 8 * records.reduce(0) { $0 + $1.stepCount }
    let shared = Shared(value: (cotangents, states, parameters, records))
    let chunks = chunks(rows, usesLanes: tableau != nil && suitsLanes)
    forEach(chunks.count) { index in
      let (cotangents, states, parameters, records) = shared.value
      let chunk = chunks[index]
      if let tableau, suitsLanes {
        let solver = laneSolver(tableau, chunk.count)
        for first in stride(from: chunk.lowerBound, to: chunk.upperBound, by: solver.lanes) {
          let some = first..<min(first + solver.lanes, chunk.upperBound)
          solver.reverse(
            problem, LaneTape(records, trajectories: some, width: solver.width), cotangents: cotangents,
            states: states, parameterCotangents: parameters)
        }
        return
      }
      withSingleSolver { solver in
        for row in chunk {
          let target = parameters + row * problem.parameterCount
          target.update(repeating: 0, count: problem.parameterCount)
          reverse(
            problem, row, records[row], with: solver,
            cotangents: cotangents + row * problem.outputCount * problem.stateCount,
            into: states + row * problem.stateCount, parameters: target)
        }
      }
    }
  }

  /// One trajectory.
  /// - Parameter target: zeros, added to.
  private func reverse(
    _ problem: BatchProblem, _ row: Int, _ record: StepRecord, with solver: SingleSolver,
    cotangents: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>,
    parameters target: UnsafeMutablePointer<Double>
  ) {
    let (outputTimes, values) = (problem.outputTimes(of: row), problem.parameters(of: row))
    solver.stepper.functions.bind(values)
    if solver.stepMaps == nil { solver.stepMaps = stepMaps() }
    if let maps = solver.stepMaps, maps.suits(record, outputCount: problem.outputCount) {
      let isDone = maps.reverse(
        record, outputTimes: outputTimes, cotangents: cotangents, parameters: values, into: state,
        parameters: target)
      if isDone { return }
      target.update(repeating: 0, count: problem.parameterCount)
    }
    if ParallelAdjoint.suits(record, outputCount: problem.outputCount) {
      if solver.parallelAdjoint == nil { solver.parallelAdjoint = parallelAdjoint() }
      if let parallel = solver.parallelAdjoint {
        let isDone = parallel.reverse(
          record, outputTimes: outputTimes, cotangents: cotangents, parameters: values,
          with: solver.stepper, into: state, parameters: target)
        if isDone { return }
        target.update(repeating: 0, count: problem.parameterCount)
      }
    }
    solver.adjoint.reverse(
      record, outputTimes: outputTimes, cotangents: cotangents,
      events: equation.eventFunctions(parameters: values), into: state, parameters: target)
  }

  /// Takes recorded steps once more, with the equation of tangents.
  /// - Returns: the steps with this equation's states, if `keepsRecord` says so.
  func replay(
    _ problem: BatchProblem, rows: Int, records: [StepRecord], outputs: UnsafeMutablePointer<Double>,
    keepsRecord: Bool
  ) throws(DifferentialEquationError) -> RecordedSteps? {
    if let tableau = laneTableau(rows: rows) {
      let chunks = chunks(rows, usesLanes: true)
      let solvers = chunks.map { laneSolver(tableau, $0.count) }
      let tapes = keepsRecord ? tapes(chunks, solvers) : nil
      let shared = Shared(value: (outputs, records, solvers, tapes))
      forEach(chunks.count) { index in
        let (outputs, records, solvers, tapes) = shared.value
        records.withUnsafeBufferPointer {
          solvers[index].replay(
            problem, rows: chunks[index], records: $0.baseAddress!, outputs: outputs, tape: tapes?[index])
        }
      }
      return tapes.map { RecordedSteps($0) }
    }
    let copies =
      keepsRecord
      ? records.map { _ in StepRecord(stateCount: equation.stateCount, capacity: options.checkpoints) } : nil
    var failures = [DifferentialEquationError?](repeating: nil, count: rows)
    failures.withUnsafeMutableBufferPointer { failures in
      let chunks = chunks(rows, usesLanes: false)
      let shared = Shared(value: (outputs, records, copies, failures.baseAddress!))
      forEach(chunks.count) { index in
        let (outputs, records, copies, failures) = shared.value
        let replay = TrajectoryReplay(stepper: stepper())
        for row in chunks[index] {
          replay.stepper.functions.bind(problem.parameters(of: row))
          failures[row] = replay.solve(
            records[row], from: problem.initialStates + row * problem.stateCount,
            outputTimes: problem.outputTimes(of: row),
            outputs: outputs + row * problem.outputCount * problem.stateCount, copy: copies?[row],
            events: equation.eventFunctions(parameters: problem.parameters(of: row)))
        }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    return copies.map { RecordedSteps($0) }
  }
}
