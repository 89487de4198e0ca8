import Autodiff
import Foundation
import Lanes
import Synchronization

/// The problems that a layer solves in one call. Operands: guess, parameters, settings.
struct ProblemBatch: Sendable {
  let operands: [DenseArray]
  /// Which operands have a problem in each row of axis 0; nil for a single problem.
  let isBatched: [Bool]?
  let count: Int
  /// Tensors of the guess, and of the parameters that follow.
  let unknownCount: Int
  let parameterCount: Int

  /// The operands of one problem.
  func operands(_ problem: Int) -> [DenseArray] {
    guard let isBatched else { return operands.map { $0.contiguous() } }
    return zip(operands, isBatched).map { ($1 ? $0.row(problem) : $0).contiguous() }
  }
}

/// A batch in numbers of float64, which threads read where they lie.
final class ProblemNumbers: Sendable {
  let batch: ProblemBatch
  private let arrays: [DenseArray]
  /// Elements of each operand of one problem, and from one problem to the next.
  private let sizes: [Int]
  private let strides: [Int]

  init(_ batch: ProblemBatch) throws(TensorError) {
    self.batch = batch
    var (arrays, sizes, strides): ([DenseArray], [Int], [Int]) = ([], [], [])
    for (k, operand) in batch.operands.enumerated() {
      arrays.append(try operand.converted(to: .float64).contiguous())
      let isBatched = batch.isBatched?[k] ?? false
      sizes.append(isBatched ? operand.count / max(batch.count, 1) : operand.count)
      strides.append(isBatched ? sizes[k] : 0)
    }
    (self.arrays, self.sizes, self.strides) = (arrays, sizes, strides)
  }

  /// Where an operand of a problem lies.
  func pointer(_ operand: Int, _ problem: Int) -> UnsafePointer<Double> {
    UnsafePointer(arrays[operand].pointer(Double.self) + strides[operand] * problem)
  }
  /// Where a parameter of a problem lies.
  func parameter(_ place: Int, _ problem: Int) -> UnsafePointer<Double> {
    pointer(batch.unknownCount + place, problem)
  }
  /// The elements of several operands one after the other.
  func vector(_ operands: Range<Int>, _ problem: Int) -> [Double] {
    var result: [Double] = []
    result.reserveCapacity(sizes[operands].reduce(0, +))
    for k in operands {
      result.append(contentsOf: UnsafeBufferPointer(start: pointer(k, problem), count: sizes[k]))
    }
    return result
  }
  /// The first values of the unknowns.
  func guess(_ problem: Int) -> [Double] { vector(0..<batch.unknownCount, problem) }
  /// The elements of some parameters.
  func parameters(_ places: Range<Int>, _ problem: Int) -> [Double] {
    let first = batch.unknownCount
    return vector(first + places.lowerBound..<first + places.upperBound, problem)
  }
  /// The elements of a tensor that only the solver depends on.
  func setting(_ place: Int, _ problem: Int) -> [Double] {
    let first = batch.unknownCount + batch.parameterCount + place
    return vector(first..<first + 1, problem)
  }
}

/// The error of one problem among others.
struct ProblemFailure: Error {
  let problem: Int
  let error: any Error
}

/// Solves one problem of a batch after the other, for one thread: keeps compiled functions and memory.
typealias ProblemSolver = (_ numbers: ProblemNumbers, _ problem: Int, _ control: SolveControl) throws ->
  CoreResult

/// Solvers that no thread uses at the moment.
final class IdleSolvers: @unchecked Sendable {
  private let lock = NSLock()
  private var solvers: [ProblemSolver] = []

  func take() -> ProblemSolver? { lock.withLock { solvers.popLast() } }
  func giveBack(_ solver: @escaping ProblemSolver) {
    lock.withLock { if solvers.count < coreCount { solvers.append(solver) } }
  }
}

/// A solver whose problems have nothing to do with each other: threads divide them, and every result is the same whichever thread finds it.
protocol IndependentSolver: NativeSolver {
  /// Limits and observation of each solve.
  var control: SolveControl { get }
  /// The number of unknowns.
  var size: Int { get }
  /// Solvers of earlier calls.
  var idle: IdleSolvers { get }
  /// A solver for a thread.
  func problemSolver() throws -> ProblemSolver
}

extension IndependentSolver {
  func solve(_ batch: ProblemBatch, into solutions: SolutionStore) throws {
    let numbers = try ProblemNumbers(batch)
    let count = batch.count
    guard mayUseThreads(count) else {
      let solver = try idle.take() ?? problemSolver()
      defer { idle.giveBack(solver) }
      for problem in 0..<count {
        do { try solutions.store(try solver(numbers, problem, control), problem) } catch {
          throw ProblemFailure(problem: problem, error: error)
        }
      }
      return
    }
    // Options that do not fit are nobody's failure.
    idle.giveBack(try idle.take() ?? problemSolver())
    let chunk = max(1, min(16, count / (4 * coreCount)))
    let failures = FirstFailure()
    withUnsafeCurrentTask { task in
      var control = control
      control.caller = task.map { CallingTask(task: $0) }
      let shared = Shared(value: (self, numbers, solutions, control))
      parallelFor(
        count: (count + chunk - 1) / chunk, threads: coreCount,
        makeContext: {
          let solver = shared.value.0
          return Borrowed(solver.idle) { try solver.idle.take() ?? solver.problemSolver() }
        }
      ) { borrowed, index in
        let (_, numbers, solutions, control) = shared.value
        for problem in index * chunk..<min(count, (index + 1) * chunk) where !failures.isBefore(problem) {
          do {
            // A thread has no scope for mistakes of its own.
            try withTensorErrors {
              try solutions.store(try borrowed.solver.get()(numbers, problem, control), problem)
            }
          } catch { failures.record(ProblemFailure(problem: problem, error: error)) }
        }
      }
    }
    if let failure = failures.first { throw failure }
  }

  /// A monitor sees problems in their order, and checks of every value belong to the calling thread. Small work takes less time than starting
  /// threads.
  private func mayUseThreads(_ count: Int) -> Bool {
    control.monitor == nil && coreCount > 1 && count > 1 && count * max(size, 4) >= 32 && !checksFiniteValues
  }
}

/// Asking the system takes longer than a small solve.
private let coreCount = ProcessInfo.processInfo.activeProcessorCount

/// The task that waits for threads; it may be cancelled meanwhile.
struct CallingTask: @unchecked Sendable {
  let task: UnsafeCurrentTask
  var isCancelled: Bool { task.isCancelled }
}

/// A solver that goes back when its thread is done.
private final class Borrowed {
  let solver: Result<ProblemSolver, any Error>
  private let idle: IdleSolvers

  init(_ idle: IdleSolvers, _ make: () throws -> ProblemSolver) {
    self.idle = idle
    solver = Result(catching: make)
  }
  deinit { if case .success(let solver) = solver { idle.giveBack(solver) } }
}

/// The failure of the least problem that fails, whichever thread finds it first.
private final class FirstFailure: Sendable {
  private let least = Atomic<Int>(Int.max)
  private let failure = Mutex<ProblemFailure?>(nil)

  /// Whether a problem before this one has failed.
  func isBefore(_ problem: Int) -> Bool { least.load(ordering: .relaxed) < problem }
  var first: ProblemFailure? { failure.withLock { $0 } }
  func record(_ new: ProblemFailure) {
    failure.withLock { known in
      if let known, known.problem <= new.problem { return }
      known = new
      least.store(new.problem, ordering: .relaxed)
    }
  }
}
