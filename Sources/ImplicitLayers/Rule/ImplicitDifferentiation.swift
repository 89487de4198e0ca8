public import LinearSolvers

/// How the Jacobian F_x of a residual is handled in the derivative of its root.
public enum JacobianStructure: Sendable, Hashable {
  /// Dense for at most 64 unknowns. Beyond that sparse if the traced residual says that at most a tenth of the entries can differ from
  /// zero, else dense up to 2048 unknowns, else matrix-free.
  case automatic
  /// Formed as a matrix, a forward derivative for each unknown, all as one batch.
  case dense
  /// Formed on its sparsity pattern, a forward or reverse derivative for each colour.
  case sparse
  /// Not formed: an iteration multiplies with it, and with its transpose in reverse mode.
  case matrixFree
  /// Every component of the residual depends on its own unknown only; if the traced residual says otherwise, that is an error.
  case diagonal
}

/// How the solution of a layer is differentiated.
///
/// The exact derivative of a root of F(x, w) is ẋ = −F_x⁻¹ F_w ẇ, whatever the solver did. The approximations are for residuals
/// of the form F(y, w) = f(y, w) − y, of which the exact derivative is (I − f_y)⁻¹ f_w ẇ = Σ f_yⁱ f_w ẇ.
public struct ImplicitDifferentiation: Sendable, Hashable {
  /// What is differentiated.
  public enum Method: Sendable, Hashable {
    /// The solution, exactly: one linear solve.
    case implicit
    /// The first `terms` terms of λ Σ ((1 − λ) I + λ f_y)ⁱ f_w ẇ, with λ the damping.
    case series(terms: Int, damping: Double)
    /// So many iterations of the solver from the first guess; the result is the last iterate, converged or not. The guess and the
    /// method's step sizes, momenta and dampings have their derivatives.
    case unrolled(iterations: Int)
    /// So many iterations, of which those before the last `differentiated` count as constant.
    case truncated(iterations: Int, differentiated: Int)
  }
  /// What is differentiated.
  public var method: Method
  /// How the Jacobian is handled.
  public var jacobian: JacobianStructure
  /// What is known of the Jacobian F_x, which chooses the linear solver. Tags that are found to be wrong are errors: of a dense Jacobian
  /// symmetry and definiteness are checked at the solution; of a sparse or matrix-free one, symmetry between two fixed vectors, which few
  /// asymmetries pass, and definiteness only as far as the linear solver meets its lack. A triangle must be that of the traced residual.
  public var tags: OperatorTags
  /// How the linear systems with it are solved.
  public var linearSolve: LinearSolveOptions
  /// Whether a derivative first looks if the point is a root with a regular Jacobian. It costs two more solves with the same factor
  /// and three evaluations; without it only a Jacobian that cannot be factored is an error. With matrix-free Jacobians, at the cost of an
  /// iteration to one digit, and with series it only looks if the point is a root.
  public var checksSolution: Bool
  /// The largest step of Newton's method from the solution, relative to 1 + ‖x‖∞, at which derivatives are still taken: where the
  /// solver returned something else than a root, the implicit function theorem says nothing.
  public var largestNewtonStep: Double

  /// A way to differentiate; what is left out has the value written here.
  public init(
    method: Method = .implicit, jacobian: JacobianStructure = .automatic, tags: OperatorTags = [],
    linearSolve: LinearSolveOptions = LinearSolveOptions(), checksSolution: Bool = true,
    largestNewtonStep: Double = 1e-3
  ) {
    self.method = method
    self.jacobian = jacobian
    self.tags = tags
    self.linearSolve = linearSolve
    self.checksSolution = checksSolution
    self.largestNewtonStep = largestNewtonStep
  }

  /// The solution, exactly.
  public static let implicit = ImplicitDifferentiation()
  /// The solution, by an iterative linear solver that only multiplies with the Jacobian.
  public static func matrixFree(_ options: LinearSolveOptions = LinearSolveOptions(method: .gmres()))
    -> ImplicitDifferentiation
  { ImplicitDifferentiation(jacobian: .matrixFree, linearSolve: options) }
  /// The Neumann series Σ f_yⁱ f_w ẇ cut after so many terms.
  public static func neumann(terms: Int) -> ImplicitDifferentiation {
    ImplicitDifferentiation(method: .series(terms: terms, damping: 1))
  }
  /// The phantom gradient (Geng et al. 2021): so many damped steps from the solution are differentiated, which at a fixed point is
  /// the damped series λ Σ ((1 − λ) I + λ f_y)ⁱ f_w ẇ.
  public static func phantom(steps: Int, damping: Double) -> ImplicitDifferentiation {
    ImplicitDifferentiation(method: .series(terms: steps, damping: damping))
  }
  /// f_w ẇ alone: the derivative of one step from the solution (Bolte, Pauwels, Vaiter 2023), or Jacobian-free backpropagation.
  public static let oneStep = neumann(terms: 1)
  /// So many iterations of the solver.
  public static func unrolled(iterations: Int) -> ImplicitDifferentiation {
    ImplicitDifferentiation(method: .unrolled(iterations: iterations))
  }
  /// The last of so many iterations of the solver.
  public static func truncated(iterations: Int, differentiated: Int) -> ImplicitDifferentiation {
    ImplicitDifferentiation(method: .truncated(iterations: iterations, differentiated: differentiated))
  }

  /// Iterations to be recorded, and how many of the last are differentiated; nil for other methods.
  var recordedIterations: (all: Int, differentiated: Int)? {
    switch method {
    case .unrolled(let iterations): (iterations, iterations)
    case .truncated(let iterations, let differentiated): (iterations, differentiated)
    case .implicit, .series: nil
    }
  }

  func check() throws(ImplicitLayerError) {
    switch method {
    case .implicit: break
    case .series(let terms, let damping):
      guard terms >= 1, damping > 0, damping.isFinite else {
        throw .argument(
          "a series needs at least one term and a positive damping, not \(terms) and \(damping)")
      }
    case .unrolled(let iterations):
      guard iterations >= 0 else { throw .argument("\(iterations) iterations are fewer than none") }
    case .truncated(let iterations, let differentiated):
      guard differentiated >= 0, differentiated <= iterations else {
        throw .argument("\(differentiated) of \(iterations) iterations cannot be differentiated")
      }
    }
    let isTriangular = !tags.isDisjoint(with: [.lowerTriangular, .upperTriangular])
    guard !tags.contains(.unitDiagonal), !isTriangular || !tags.contains(.symmetric),
      !tags.isSuperset(of: [.lowerTriangular, .upperTriangular])
    else {
      throw .argument(
        "the tags of a Jacobian are symmetric, positiveDefinite, lowerTriangular or upperTriangular; a diagonal one is a structure"
      )
    }
    guard !isTriangular || jacobian != .matrixFree else {
      throw .argument(
        "products with a Jacobian gain nothing by its triangular form; choose the dense or sparse structure")
    }
    guard largestNewtonStep > 0 else { throw .argument("the largest Newton step must be positive") }
  }
}
