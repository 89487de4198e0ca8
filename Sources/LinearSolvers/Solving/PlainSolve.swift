import Autodiff
import Lanes
import LinearAlgebra

// One small dense system on plain memory: the preparation is the factors themselves.

extension SolvePlan {
  /// The number of unknowns, if this is one small general dense system that LU decomposition solves.
  fileprivate var plainSize: Int? {
    guard case .dense = node.kind, node.isSquare, !node.tags.isTriangular, inverse == nil, !isLeastSquares,
      !isStacked, options.refinementSteps == 0, (1...SmallLUFactorization.largestSize).contains(node.rows)
    else { return nil }
    switch options.method {
    case .lu: return node.rows
    case .automatic: return node.isSymmetric ? nil : node.rows
    default: return nil
    }
  }
}

extension PrepareSolve: PlainPrimitive {
  package func plainKernel(_ operands: [TensorType]) -> PlainKernel? {
    guard let n = plan.plainSize, operands[0].elementType == .float64 else { return nil }
    let plan = plan
    return PlainKernel(byteCounts: [SmallLUFactorization.byteCount(n)]) {
      operands, results throws(TensorError) in
      let matrix = UnsafePointer(operands[0].assumingMemoryBound(to: Double.self))
      if SmallLUFactorization.factor(matrix, size: n, into: results[0]) { return }
      // Says what is wrong, unless it is only a wide range of pivots.
      let copy = DenseArray(Array(UnsafeBufferPointer(start: matrix, count: n * n)), shape: [n, n])
      do {
        _ = try PreparedSystem(
          NumericOperator(plan.node, [copy]), inverse: nil, plan.options, isLeastSquares: false)
      } catch { throw tensorError(error, plan.name) }
    }
  }
}

extension OperatorSolve: PlainPrimitive {
  package func plainKernel(_ operands: [TensorType]) -> PlainKernel? {
    guard let n = plan.plainSize, !hasGuess, !reports, operands[2].elementType == .float64,
      operands[2].shape == [n, 1]
    else { return nil }
    let (name, isTransposed) = (plan.name, isTransposed)
    return PlainKernel(byteCounts: [n * 8]) { operands, results throws(TensorError) in
      let b = UnsafePointer(operands[2].assumingMemoryBound(to: Double.self))
      let x = results[0].assumingMemoryBound(to: Double.self)
      guard areFinite(b, count: n) else { throw tensorError(LinearAlgebraError.nonFiniteRightSide, name) }
      SmallLUFactorization.solve(operands[1], size: n, b, into: x, transposed: isTransposed)
      guard areFinite(x, count: n) else { throw tensorError(LinearAlgebraError.nonFiniteSolution, name) }
    }
  }
}
