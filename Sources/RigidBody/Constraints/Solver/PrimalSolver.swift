import Kinematics
import Lanes
import RobotModels

/// How a lane's solution ended.
enum ConstraintStatus: UInt8, Sendable {
  /// The expected improvement of the last step was below the tolerance.
  case converged
  /// The limit of iterations was reached first, or rounding left no way down.
  case notConverged
  /// The inputs or an intermediate result were not finite: the acceleration is the starting point, without forces.
  case notFinite
}

/// When the solver of contacts, limits, equalities and friction loss stops.
public enum SolverLimits: Sendable, Hashable {
  /// It runs until it has converged: with the model's tolerance but at most 1e-8 (in single precision 1e-6), and the model's
  /// iterations but at least 100. Where a model asks for conjugate gradients (`solver="CG"`) and they do not converge in
  /// these, Newton's method goes on from there.
  case convergence
  /// The model's own `tolerance` and `iterations`, of which some files have one. Worlds in which the solver stops before it has
  /// converged are listed in ``RolloutResult/unconvergedWorlds``; their gradients, which are those of a solution, are not the
  /// derivative of what was simulated.
  case model
}

/// When the constraint solver stops, and by which method it goes there.
struct ConstraintSolverOptions: Sendable {
  enum Method: Sendable {
    /// Newton's method with exact Hessians.
    case newton
    /// Nonlinear conjugate gradients (Hager and Zhang 2005), preconditioned by the mass matrix.
    case conjugateGradient
  }

  var method: Method = .newton
  /// Whether Newton's method takes over in lanes in which conjugate gradients end without having converged.
  var finishesByNewton = true
  /// Largest expected improvement of the cost by a further step, relative to ``costScale``.
  var tolerance: Double = 1e-8
  var iterationLimit: Int = 100
  /// Tolerance of the line search's slope, relative to that of the gradient, and its largest number of evaluations.
  var lineSearchTolerance: Double = 0.01
  var lineSearchLimit: Int = 50
  /// What cost and gradient are relative to: the mean of the mass matrix's diagonal, times its size.
  var costScale: Double = 1

  init() {}

  init<Scalar: BinaryFloatingPoint>(
    _ model: Model, precision: Scalar.Type, limits: SolverLimits = .convergence
  ) {
    let options = model.options
    method = options.solver == .conjugateGradient ? .conjugateGradient : .newton
    lineSearchTolerance = options.lineSearchTolerance
    lineSearchLimit = options.lineSearchIterations
    costScale = model.meanInertia * Double(max(1, model.velocityCount))
    let isDouble = Scalar.significandBitCount > 30
    switch limits {
    case .convergence:
      tolerance = isDouble ? min(options.tolerance, 1e-8) : 1e-6
      iterationLimit = max(options.iterations, 100)
      lineSearchLimit = max(lineSearchLimit, 50)
    case .model:
      finishesByNewton = false
      tolerance = options.tolerance
      iterationLimit = options.iterations
    }
  }
}

/// What the constraint solver needs to know of a model.
///
/// The problem is stated in ConstraintSystem.swift. It is solved in the accelerations, as MuJoCo does ("primal"): the cost
/// is strictly convex, once differentiable, and quadratic or nearly so where no row changes its state, so that Newton's
/// method with an exact line search needs two to four iterations from a good starting point.
final class PrimalSolver<Scalar: LaneScalar>: Sendable {
  let pattern: ConstraintPattern
  let mass: MassMatrixPattern
  let options: ConstraintSolverOptions

  /// Unit and sparse rows by kind: equalities, friction, limits; and where each kind starts.
  let unitOrder: ConstantBuffer<Int32>
  let unitStart: [Int]
  let sparseOrder: ConstantBuffer<Int32>
  let sparseStart: [Int]
  /// Couplings of the mass matrix below its diagonal: bits, `wordCount` words for each row.
  let massCouplings: ConstantBuffer<UInt64>
  let wordCount: Int

  init(_ pattern: ConstraintPattern, _ mass: MassMatrixPattern, options: ConstraintSolverOptions) {
    self.pattern = pattern
    self.mass = mass
    self.options = options
    (unitOrder, unitStart) = Self.order(pattern.unitRows.array.map(\.kind))
    (sparseOrder, sparseStart) = Self.order(pattern.sparseRows.array.map(\.kind))
    let words = max(1, (mass.count + 63) / 64)
    var couplings = [UInt64](repeating: 0, count: words * mass.count)
    for row in 0..<mass.count {
      for t in 1..<max(1, Int(mass.rowLength[row])) {
        let column = Int(mass.columns[Int(mass.rowAddress[row]) + t])
        couplings[words * row + column / 64] |= 1 << UInt64(column % 64)
      }
    }
    massCouplings = ConstantBuffer(couplings)
    wordCount = words
  }

  private static func order(_ kinds: [RowKind]) -> (ConstantBuffer<Int32>, [Int]) {
    var indices: [Int32] = []
    var start = [0]
    for kind in [RowKind.equality, .friction, .limit] {
      indices += kinds.indices.filter { kinds[$0] == kind }.map(Int32.init)
      start.append(indices.count)
    }
    return (ConstantBuffer(indices), start)
  }
}
