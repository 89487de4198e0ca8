import Autodiff
import LinearAlgebra

/// A batch of small dense systems, factored eight at a time. The numbers that stand for its systems are consecutive; the first is the
/// object's own.
final class BatchedSystem: Sendable {
  /// Larger matrices are faster one by one, in LAPACK's blocks.
  static let largestSize = 64
  let factorization: BatchedFactorization

  /// Nil if the systems are not small and dense, or so few that lanes would stay empty.
  init?(_ plan: SolvePlan, _ parameters: [DenseArray], count: Int) throws {
    let node = plan.node
    guard case .dense = node.kind, !node.tags.isTriangular, node.isSquare, !plan.isLeastSquares,
      plan.inverse == nil,
      (1...Self.largestSize).contains(node.rows), count >= 4, plan.options.refinementSteps == 0
    else { return nil }
    let kind: BatchedFactorization.Kind
    switch plan.options.method {
    case .automatic where node.isPositiveDefinite, .cholesky where node.isPositiveDefinite: kind = .cholesky
    case .automatic where !node.isSymmetric, .lu: kind = .lu
    default: return nil
    }
    let matrices = parameters[0].pointer(Double.self)
    guard areAllFinite(matrices, parameters[0].count) else {
      let place = (0..<parameters[0].count).first { !matrices[$0].isFinite } ?? 0
      let (system, element) = place.quotientAndRemainder(dividingBy: node.rows * node.rows)
      throw tensorError(
        LinearAlgebraError.nonFinite(
          "element (\(element / node.rows), \(element % node.rows)) of the matrix (\(matrices[place]))"),
        plan.name,
        system: system)
    }
    do {
      factorization = try withExtendedLifetime(parameters[0]) {
        try BatchedFactorization(
          matrices, size: node.rows, count: count, kind: kind,
          minimumReciprocalCondition: plan.options.minimumReciprocalCondition)
      }
    } catch let error as BatchedFactorizationError {
      throw tensorError(error.error, plan.name, system: error.system)
    }
  }

  /// The system that a number stands for, among the objects of an array.
  static func member(_ number: Int32, of objects: [Int32: DenseArray.Object]) -> Member? {
    for (first, object) in objects {
      guard let batch = object as? BatchedSystem else { continue }
      let place = Int(number &- first)
      if (0..<batch.factorization.count).contains(place) { return Member(batch: batch, place: place) }
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
    ) -> [IterationReport] {
      let size = batch.factorization.size
      for k in 0..<count {
        batch.factorization.solve(
          b + k * size, into: x + k * size, columns: 1, transposed: transposed, systems: place..<place + 1)
      }
      return []
    }
  }
}
