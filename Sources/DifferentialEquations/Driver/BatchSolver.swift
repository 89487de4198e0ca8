import Foundation
import Lanes

/// Threads that share a batch; asking the system takes longer than a short solution.
let threadCount = ProcessInfo.processInfo.activeProcessorCount

/// Solves batches of trajectories, and takes cotangents back through them, on all cores.
struct BatchSolver: Sendable {
  let equation: any Equation
  let options: SolverOptions
  let tolerances: [Double]

  init(_ equation: any Equation, _ options: SolverOptions) throws(DifferentialEquationError) {
    if options.method.rosenbrockTableau != nil && !equation.isTraced {
      throw DifferentialEquationError(
        .argument,
        message:
          "\(options.method) needs derivatives by time and second ones, which a native right-hand side does not have; trace it, or use kvaerno5"
      )
    }
    self.equation = equation
    self.options = options
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

  /// What takes many steps of a trajectory back at once, if that is worth it.
  private func parallelAdjoint() -> ParallelAdjoint? {
    guard let tableau = options.method.explicitTableau, !equation.hasEvents,
      let width = ParallelAdjoint.width(stateCount: equation.stateCount),
      let functions = equation.stepFunctions(width: width)
    else { return nil }
    return ParallelAdjoint(tableau, functions, tolerances: tolerances, makeStepper: stepper)
  }

  /// Divides rows among threads.
  private func forChunks(_ rows: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let threads = threadCount
    let usesLanes = laneTableau(rows: rows) != nil
    let chunks = usesLanes ? max(1, min(threads, rows / 16)) : min(rows, threads * 4)
    parallelFor(count: chunks, threads: threads, makeContext: { 0 }) { _, index in
      let range = rows * index / chunks..<rows * (index + 1) / chunks
      if !range.isEmpty { body(range) }
    }
  }

  /// - Parameters:
  ///   - outputs: `[rows][outputCount][stateCount]`, set as far as the solutions reach.
  ///   - records: one for each row, or nil.
  func solve(
    _ problem: BatchProblem, rows: Range<Int>, outputs: UnsafeMutablePointer<Double>, records: [StepRecord]?
  ) -> [TrajectorySolver.Outcome] {
    var outcomes = [TrajectorySolver.Outcome](repeating: .init(), count: rows.count)
    let tableau = laneTableau(rows: rows.count)
    outcomes.withUnsafeMutableBufferPointer { outcomes in
      let shared = Shared(value: (outputs, outcomes.baseAddress!, records ?? []))
      let hasRecords = records != nil
      forChunks(rows.count) { chunk in
        let (outputs, outcomes, records) = shared.value
        if let tableau {
          let functions = equation.groupFunctions(trajectories: chunk.count)
          let solver = LaneSolver(tableau, functions, options, tolerances: tolerances)
          records.withUnsafeBufferPointer {
            solver.solve(
              problem, rows: chunk, outputs: outputs, records: hasRecords ? $0.baseAddress : nil,
              outcomes: outcomes)
          }
          return
        }
        let solver = TrajectorySolver(stepper(), options, tolerances: tolerances)
        for row in chunk {
          solver.stepper.functions.bind(problem.parameters(of: row))
          outcomes[row] = solver.solve(
            from: problem.startTimes[row], problem.initialStates + row * problem.stateCount,
            outputTimes: problem.outputTimes(of: row),
            outputs: outputs + row * problem.outputCount * problem.stateCount,
            record: hasRecords ? records[row] : nil,
            events: equation.eventFunctions(parameters: problem.parameters(of: row)))
          if rows.count > 1 { outcomes[row].failure?.trajectory = row }
        }
      }
    }
    return outcomes
  }

  /// - Parameters:
  ///   - states: `[rows][stateCount]`, set.
  ///   - parameters: `[rows][parameterCount]`, set.
  func reverse(
    _ problem: BatchProblem, rows: Range<Int>, records: [StepRecord], cotangents: UnsafePointer<Double>,
    states: UnsafeMutablePointer<Double>, parameters: UnsafeMutablePointer<Double>
  ) {
    let tableau = records.allSatisfy { $0.stride == 1 } ? laneTableau(rows: rows.count) : nil
    let shared = Shared(value: (cotangents, states, parameters, records))
    forChunks(rows.count) { chunk in
      let (cotangents, states, parameters, records) = shared.value
      if let tableau {
        let functions = equation.groupFunctions(trajectories: chunk.count)
        let solver = LaneSolver(tableau, functions, options, tolerances: tolerances)
        records.withUnsafeBufferPointer {
          solver.reverse(
            problem, rows: chunk, records: $0.baseAddress!, cotangents: cotangents, states: states,
            parameterCotangents: parameters)
        }
        return
      }
      // Each is made when it is first needed.
      lazy var adjoint = TrajectoryAdjoint(stepper())
      lazy var parallel = parallelAdjoint()
      for row in chunk {
        let outputTimes = problem.outputTimes(of: row)
        let own = cotangents + row * problem.outputCount * problem.stateCount
        let values = problem.parameters(of: row)
        let target = parameters + row * problem.parameterCount
        target.update(repeating: 0, count: problem.parameterCount)
        if ParallelAdjoint.suits(records[row], outputCount: problem.outputCount), let parallel {
          let isDone = parallel.reverse(
            records[row], outputTimes: outputTimes, cotangents: own, parameters: values,
            into: states + row * problem.stateCount, parameters: target)
          if isDone { continue }
          target.update(repeating: 0, count: problem.parameterCount)
        }
        adjoint.stepper.functions.bind(values)
        adjoint.reverse(
          records[row], outputTimes: outputTimes, cotangents: own,
          events: equation.eventFunctions(parameters: values), into: states + row * problem.stateCount,
          parameters: target)
      }
    }
  }

  /// Takes recorded steps once more, with the equation of tangents.
  func replay(
    _ problem: BatchProblem, rows: Range<Int>, records: [StepRecord], outputs: UnsafeMutablePointer<Double>,
    copies: [StepRecord]?
  ) throws(DifferentialEquationError) {
    var failures = [DifferentialEquationError?](repeating: nil, count: rows.count)
    failures.withUnsafeMutableBufferPointer {
      replay(
        problem, rows: rows, records: records, outputs: outputs, copies: copies, failures: $0.baseAddress!)
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
  }
  private func replay(
    _ problem: BatchProblem, rows: Range<Int>, records: [StepRecord], outputs: UnsafeMutablePointer<Double>,
    copies: [StepRecord]?, failures: UnsafeMutablePointer<DifferentialEquationError?>
  ) {
    let shared = Shared(value: (outputs, records, copies ?? [], failures))
    let hasCopies = copies != nil
    let tableau = laneTableau(rows: rows.count)
    forChunks(rows.count) { chunk in
      let (outputs, records, copies, failures) = shared.value
      if let tableau {
        let functions = equation.groupFunctions(trajectories: chunk.count)
        let solver = LaneSolver(tableau, functions, options, tolerances: tolerances)
        records.withUnsafeBufferPointer { records in
          copies.withUnsafeBufferPointer {
            solver.replay(
              problem, rows: chunk, records: records.baseAddress!, outputs: outputs,
              copies: hasCopies ? $0.baseAddress : nil)
          }
        }
        return
      }
      let replay = TrajectoryReplay(stepper: stepper())
      for row in chunk {
        replay.stepper.functions.bind(problem.parameters(of: row))
        failures[row] = replay.solve(
          records[row], from: problem.initialStates + row * problem.stateCount,
          outputTimes: problem.outputTimes(of: row),
          outputs: outputs + row * problem.outputCount * problem.stateCount,
          copy: hasCopies ? copies[row] : nil,
          events: equation.eventFunctions(parameters: problem.parameters(of: row)))
      }
    }
  }
}
