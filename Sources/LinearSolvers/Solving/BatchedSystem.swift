import Autodiff
import LinearAlgebra
import Synchronization

/// A batch of small dense systems, factored eight at a time. The numbers that stand for its systems are consecutive; the first is the
/// object's own.
///
/// The systems are factored when they are solved for the first time: their factors are in the cache then.
final class BatchedSystem: Sendable {
  /// Larger matrices are faster one by one, in LAPACK's blocks.
  static let largestSize = 64
  let size: Int
  let count: Int
  /// Whether systems will be solved more than once.
  private let keepsFactors: Bool
  private let plan: SolvePlan
  private let kind: BatchedFactorization.Kind
  private let state: Mutex<State>

  private enum State: Sendable {
    case matrices(DenseArray)
    case factors(BatchedFactorization)
  }

  /// Nil if the systems are not small and dense, or so few that lanes would stay empty.
  init?(_ plan: SolvePlan, _ parameters: [DenseArray], count: Int, keepsFactors: Bool) {
    let node = plan.node
    guard case .dense = node.kind, !node.tags.isTriangular, node.isSquare, !plan.isLeastSquares,
      plan.inverse == nil,
      (1...Self.largestSize).contains(node.rows), count >= 4, plan.options.refinementSteps == 0
    else { return nil }
    switch plan.options.method {
    case .automatic where node.isPositiveDefinite, .cholesky where node.isPositiveDefinite: kind = .cholesky
    // Without blocks nothing is gained by symmetry.
    case .automatic, .lu: kind = .lu
    default: return nil
    }
    self.plan = plan
    self.keepsFactors = keepsFactors
    size = node.rows
    self.count = count
    state = Mutex(.matrices(parameters[0]))
  }

  /// The factors, and with them the solutions for all systems.
  private func factor(
    _ matrices: DenseArray, solving systems: BatchedFactorization.RightHandSides?, keepsFactors: Bool = true
  ) throws(TensorError) -> BatchedFactorization {
    defer { withExtendedLifetime(matrices) {} }
    // Cholesky's method looks itself.
    if plan.node.isSymmetric, kind == .lu, plan.options.method == .automatic {
      for k in 0..<count {
        do throws(LinearAlgebraError) {
          try requireSymmetricMatrix(matrices.pointer(Double.self) + k * size * size, size: size)
        } catch { throw tensorError(error, plan.name, system: k) }
      }
    }
    do throws(BatchedFactorizationError) {
      return try BatchedFactorization(
        matrices.pointer(Double.self), size: size, count: count, kind: kind,
        minimumReciprocalCondition: plan.options.minimumReciprocalCondition, solving: systems,
        keepsFactors: keepsFactors)
    } catch { throw tensorError(error.error, plan.name, system: error.system) }
  }
  func factorization() throws(TensorError) -> BatchedFactorization {
    try state.withLock { state throws(TensorError) in
      if case .matrices(let matrices) = state { state = .factors(try factor(matrices, solving: nil)) }
      guard case .factors(let factors) = state else {
        preconditionFailure("matrices have just been factored")
      }
      return factors
    }
  }
  /// X = A⁻¹ B or A⁻ᵀ B for every system: row-major matrices of so many columns, one after the other.
  func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, columns: Int, transposed: Bool
  ) throws(TensorError) {
    let right = BatchedFactorization.RightHandSides(b, into: x, columns: columns, transposed: transposed)
    try state.withLock { state throws(TensorError) in
      switch state {
      case .matrices(let matrices):
        let factors = try factor(matrices, solving: right, keepsFactors: keepsFactors)
        if keepsFactors { state = .factors(factors) }
      case .factors(let factors): factors.solve(b, into: x, columns: columns, transposed: transposed)
      }
    }
  }

  /// The system that a number stands for, among the objects of an array.
  static func member(_ number: Int32, of objects: [Int32: DenseArray.Object]) -> Member? {
    for (first, object) in objects {
      guard let batch = object as? BatchedSystem else { continue }
      let place = Int(number &- first)
      if (0..<batch.count).contains(place) { return Member(batch: batch, place: place) }
    }
    return nil
  }

  /// One of its systems.
  struct Member: SolvableSystem {
    let batch: BatchedSystem
    let place: Int

    func solve(
      _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool,
      stopping: StoppingCriterion
    ) throws -> [IterationReport] {
      let (size, factorization) = (batch.size, try batch.factorization())
      for k in 0..<count {
        factorization.solve(
          b + k * size, into: x + k * size, columns: 1, transposed: transposed, systems: place..<place + 1)
      }
      return []
    }
  }
}
