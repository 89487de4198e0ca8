public import LinearAlgebra

/// How a linear system is solved.
public enum LinearMethod: Sendable, Hashable {
  /// By the operator's form and tags; see <doc:ChoosingASolver>.
  case automatic
  /// LU decomposition with pivoting: dense, or sparse where the operator has a sparse form.
  case lu
  /// Cholesky decomposition, dense or sparse, for operators tagged positive definite.
  case cholesky
  /// LDLᵀ decomposition of a dense symmetric matrix.
  case symmetricIndefinite
  /// QR decomposition with column pivoting of a dense matrix of any shape and rank; gives the shortest least-squares solution.
  case qr
  /// Singular value decomposition, as ``qr`` and slower; decides the rank most reliably.
  case svd
  /// Conjugate gradients, for positive definite operators.
  case conjugateGradients
  /// MINRES, for symmetric operators.
  case minres
  /// BiCGStab, for general square ones.
  case bicgstab
  /// GMRES with restarts, for general square ones.
  case gmres(restart: Int = 50)
  /// GMRES whose preconditioner may differ from step to step.
  case fgmres(restart: Int = 50)
  /// Richardson's iteration x ← x + M⁻¹ (b − A x), for general square ones with a preconditioner M⁻¹ for which it contracts: Jacobi's,
  /// Gauß and Seidel's and others by the choice of M. A step size that is trained is a preconditioner `step * .identity(n)`.
  case richardson
  /// LSMR, for least squares with operators of any shape.
  case lsmr

  /// Whether there is an iteration whose steps can be recorded.
  var canBeUnrolled: Bool {
    switch self {
    case .conjugateGradients, .minres, .bicgstab, .gmres, .richardson: true
    default: false
    }
  }
  var isIterative: Bool {
    switch self {
    case .conjugateGradients, .minres, .bicgstab, .gmres, .fgmres, .richardson, .lsmr: true
    default: false
    }
  }
}

/// An approximate inverse that the iterative methods use.
public enum PreconditionerChoice: Sendable, Hashable {
  /// None.
  case none
  /// The diagonal.
  case jacobi
  /// Blocks on the diagonal.
  case blockJacobi(size: Int)
  /// Symmetric successive over-relaxation.
  case ssor(relaxation: Double = 1)
  /// Incomplete Cholesky decomposition, on the operator's pattern, or with fill above a tolerance. Modified, a fraction in 0...1 of what
  /// is dropped moves to the diagonal: with 1 far fewer iterations for discretised elliptic equations.
  case incompleteCholesky(dropTolerance: Double? = nil, modification: Double = 0)
  /// Incomplete LU decomposition on the operator's pattern.
  case incompleteLU
}

/// What is differentiated.
public enum SolveDifferentiation: Sendable, Hashable {
  /// The solution, by the implicit function theorem: one solve with the transposed operator, of any order, in memory that does not
  /// grow with the iterations.
  case implicit
  /// The iteration: so many steps of the method from the first guess, each of them recorded. Gradients with respect to the first guess
  /// and to the preconditioner's parameters exist; the result is the iterate, converged or not.
  ///
  /// The methods are ``LinearMethod/conjugateGradients``, ``LinearMethod/minres``, ``LinearMethod/bicgstab``, ``LinearMethod/gmres(restart:)`` and
  /// ``LinearMethod/richardson``; ``LinearMethod/automatic`` takes the first, second or fourth of them, by the tags.
  case unrolled(iterations: Int)
  /// The last steps only: the earlier ones count as a first guess without derivative, from which the last ones start anew.
  ///
  /// Steps of Krylov methods from a start without a residual have no direction: let the earlier ones end before they have converged.
  case truncated(iterations: Int, differentiated: Int)
}

/// Everything that decides how a system is solved and differentiated.
public struct LinearSolveOptions: Sendable, Hashable {
  /// The method.
  public var method: LinearMethod
  /// When iterations end.
  public var stopping: StoppingCriterion
  /// When the iterations of derivatives end; as ``stopping`` if left out.
  public var gradientStopping: StoppingCriterion?
  /// The approximate inverse that iterations use.
  public var preconditioner: PreconditionerChoice
  /// Where it stands, for GMRES.
  public var preconditionerSide: PreconditionerSide
  /// Steps of iterative refinement after a direct solution.
  public var refinementSteps: Int
  /// Direct methods refuse matrices whose reciprocal condition number is below this. Zero: no limit.
  public var minimumReciprocalCondition: Double
  /// The fraction of the largest pivot or singular value below which least squares count it as zero.
  public var rankTolerance: Double?
  /// What is differentiated.
  public var differentiation: SolveDifferentiation

  /// Options; what is left out has the value written here.
  public init(
    method: LinearMethod = .automatic, stopping: StoppingCriterion = StoppingCriterion(),
    gradientStopping: StoppingCriterion? = nil, preconditioner: PreconditionerChoice = .none,
    preconditionerSide: PreconditionerSide = .right, refinementSteps: Int = 0,
    minimumReciprocalCondition: Double = workingPrecision, rankTolerance: Double? = nil,
    differentiation: SolveDifferentiation = .implicit
  ) {
    self.method = method
    self.stopping = stopping
    self.gradientStopping = gradientStopping
    self.preconditioner = preconditioner
    self.preconditionerSide = preconditionerSide
    self.refinementSteps = refinementSteps
    self.minimumReciprocalCondition = minimumReciprocalCondition
    self.rankTolerance = rankTolerance
    self.differentiation = differentiation
  }
}
