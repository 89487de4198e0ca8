import Autodiff
import Dispatch
import Lanes
import Synchronization
import TestSupport
import Testing

@testable import DifferentialEquations

/// Solvers that are kept for the next solution: results are those of an equation that never solved anything before.
@Suite struct SolverPoolTests {
  /// A solution to ask for.
  struct Task {
    var options: SolverOptions
    var initial: [Double]
    var parameters: [Double]
    var times: [Double]

    func result(_ equation: NativeEquation) -> Result<[Double], DifferentialEquationError> {
      Result { () throws(DifferentialEquationError) in
        let solution = try equation.solve(
          from: initial, parameters: parameters, times: times, options: options, keepsRecord: true)
        let plain = try equation.solve(from: initial, parameters: parameters, times: times, options: options)
        let (states, values) = try solution.pullback(
          (0..<solution.states.count).map { 1 + 0.25 * Double($0) })
        return solution.states + plain.states + states + values
      }
    }
    /// The derivative of the sum of all states.
    func gradient(_ equation: OrdinaryDifferentialEquation<Tensor, Tensor>) -> Result<[Double], any Error> {
      Result {
        let (value, pullback) = try vjp(
          { (x: [Tensor]) in
            try equation.solve(from: x[0], parameters: x[1], times: Tensor(times), options: options)
          }, at: [Tensor(initial), Tensor(parameters)])
        return try value.values + pullback(Tensor.ones([times.count, 3])).flatMap(\.values)
      }
    }
  }
  /// Short and long solutions, by several methods, of which some fail in the middle.
  private static func tasks(_ count: Int) -> [Task] {
    var random = SeededRandom(seed: 11)
    var options: [SolverOptions] = []
    for method in [SolverMethod.tsitouras5, .dormandPrince8, .bogackiShampine3] {
      options.append(SolverOptions(method: method, relativeTolerance: 1e-8, absoluteTolerance: 1e-8))
      options.append(SolverOptions(method: method, relativeTolerance: 1e-5))
      options.append(SolverOptions(method: method, fixedStep: 0.01))
      options[options.count - 1].checkpoints = 5
      options.append(SolverOptions(method: method))
      options[options.count - 1].maximumSteps = 7
    }
    return (0..<count).map { (k: Int) -> Task in
      let times: [Double] = [[0.03], [0.5, 1.5], [2.0], [-0.2, -0.4]][k % 4]
      var initial: [Double] = random.uniform(0.5, 1.5, count: 3)
      // Not a number at once.
      if k % 17 == 3 { initial[1] = .infinity }
      return Task(
        options: options[(5 * k + k / 7) % options.count], initial: initial,
        parameters: [10, 28, 8.0 / 3].map { $0 * (1 + 0.001 * Double(k)) }, times: times)
    }
  }
  private static func traced() -> OrdinaryDifferentialEquation<Tensor, Tensor> {
    OrdinaryDifferentialEquation { (_, y: Tensor, p: Tensor) in
      stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])
    }
  }
  private static func agree<E: Error>(_ a: Result<[Double], E>, _ b: Result<[Double], E>) -> Bool {
    switch (a, b) {
    case (.success(let a), .success(let b)): a == b
    case (.failure(let a), .failure(let b)): "\(a)" == "\(b)"
    default: false
    }
  }

  @Test func nativeSolutionsInTurn() {
    let equation = NativeEquation(Lorenz())
    let tasks = Self.tasks(120)
    let expected = tasks.map { $0.result(NativeEquation(Lorenz())) }
    let failures = expected.filter { (try? $0.get()) == nil }.count
    #expect(failures > 10 && failures < 60)
    for (task, expected) in zip(tasks, expected) {
      let found = task.result(equation)
      #expect(Self.agree(found, expected), "\(task): \(found), not \(expected)")
    }
  }

  @Test func tracedSolutionsInTurn() {
    let equation = Self.traced()
    for task in Self.tasks(40) {
      let (found, expected) = (task.gradient(equation), task.gradient(Self.traced()))
      #expect(Self.agree(found, expected), "\(task): \(found), not \(expected)")
    }
  }

  // Eight threads take tasks from a list that has each several times.
  @Test func solutionsFromSeveralThreads() {
    let equation = NativeEquation(Lorenz())
    let tasks = Self.tasks(30)
    let expected = tasks.map { $0.result(NativeEquation(Lorenz())) }
    let wrong = Mutex<[Int]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for k in 0..<300 {
        let index = (k * 7 + thread * 11) % tasks.count
        if !Self.agree(tasks[index].result(equation), expected[index]) { wrong.withLock { $0.append(index) } }
      }
    }
    #expect(wrong.withLock { $0 }.isEmpty)
  }

  @Test func solversAreLentOnce() throws {
    let (equation, pool) = (NativeEquation(Lorenz()), SolverPool())
    func lend<Result>(_ options: SolverOptions, _ body: (SingleSolver) -> Result) throws -> Result {
      try pool.withSolver(
        options, made: { try BatchSolver(equation, options).singleSolver() }, body)
    }
    let (first, second) = (SolverOptions(), SolverOptions(relativeTolerance: 1e-4))
    // Also while one is lent, and after other options.
    let (a, b) = try lend(first) { a in (a, try? lend(first) { $0 }) }
    #expect(b != nil && a !== b)
    let other = try lend(second) { $0 }
    #expect(other !== a && other !== b && other.options == second)
    let again = try lend(first) { $0 }
    #expect(again === a || again === b)
    #expect(try lend(second) { $0 } === other)
  }

  // Few solvers wait, and an equation that is forgotten leaves none.
  @Test func fewSolversWait() throws {
    final class Weak { weak var solver: SingleSolver? }
    var seen: [Weak] = []
    do {
      let (equation, pool) = (NativeEquation(Lorenz()), SolverPool())
      for k in 0..<200 {
        var options = SolverOptions()
        options.maximumSteps = 1000 + k
        let weak = Weak()
        try pool.withSolver(options, made: { try BatchSolver(equation, options).singleSolver() }) {
          weak.solver = $0
        }
        seen.append(weak)
      }
      #expect(seen.filter { $0.solver != nil }.count <= threadCount + 8)
      #expect(seen[199].solver != nil)
    }
    #expect(seen.allSatisfy { $0.solver == nil })
  }

  /// y' = −p y, with something that others can see the end of.
  private struct Marked: VectorField {
    final class Mark: Sendable {}
    let mark: Mark
    var stateCount: Int { 1 }
    var parameterCount: Int { 1 }
    func rate<L: Lane>(
      at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>,
      into rate: UnsafeMutablePointer<L>
    ) { rate[0] = -(p[0] * y[0]) }
    func pullback<L: Lane>(
      at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, cotangent c: UnsafePointer<L>,
      state s: UnsafeMutablePointer<L>, addingTo q: UnsafeMutablePointer<L>
    ) {
      s[0] = -(c[0] * p[0])
      q[0] -= c[0] * y[0]
    }
  }
  @Test(arguments: [0.01, 10]) func equationsEnd(_ end: Double) throws {
    weak var mark: Marked.Mark?
    do {
      let new = Marked.Mark()
      mark = new
      let equation = NativeEquation(Marked(mark: new))
      let solution = try equation.solve(
        from: [1], parameters: [1], times: [end / 2, end], options: SolverOptions(relativeTolerance: 1e-10),
        keepsRecord: true)
      _ = try solution.pullback([1, 1])
      #expect(mark != nil)
    }
    #expect(mark == nil)
  }
}
