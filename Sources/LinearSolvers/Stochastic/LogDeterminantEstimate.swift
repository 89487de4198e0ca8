public import Autodiff
import LinearAlgebra

extension LinearOperator {
  /// log det A = tr log A of a positive definite operator, by Lanczos' quadrature (Ubaru, Chen and Saad 2017).
  ///
  /// For a vector z of random signs zᵀ log(A) z ≈ n Σₖ τₖ² log θₖ, with the eigenvalues θₖ of the tridiagonal matrix of so many steps of
  /// Lanczos' process from z and the first elements τₖ of its eigenvectors. The mean over the vectors has the standard error that is
  /// returned and a bias from the quadrature, which falls exponentially with the steps, at a rate of about (√κ − 1) / (√κ + 1) squared;
  /// there is none with as many steps as there are distinct eigenvalues.
  ///
  /// The derivative is not that of the quadrature but d log det A = tr(A⁻¹ dA) ≈ mean of (A⁻¹ z)ᵀ dA z, with the same vectors: one solution for each, in
  /// forward and reverse mode, and so are the derivatives of this derivative. (Where a second derivative has the value in it, as that of a
  /// nonlinear function of log det A has, that part is of the quadrature.) The standard error has no derivative.
  ///
  /// - Parameters:
  ///   - samples: the number of vectors, two or more.
  ///   - steps: of Lanczos' process; no more than there are rows are made.
  ///   - key: chooses the vectors.
  ///   - options: how the systems behind the derivative are solved.
  /// - Throws: `TensorError` if the operator is not square or not tagged positive definite, or there are too few samples or steps; if it turns out
  ///   not to be positive definite (where it is being traced, the value is not a number then).
  /// - Complexity: `samples * steps` products with the operator, and for the directions `rows * samples * steps` numbers.
  public func estimatedLogDeterminant(
    samples: Int, steps: Int, key: RandomKey, options: LinearSolveOptions = LinearSolveOptions()
  ) throws -> StochasticEstimate {
    let operation = "estimatedLogDeterminant"
    let z = try probes(operation, samples: samples, key: key)
    guard node.isPositiveDefinite else {
      throw TensorError(
        .argument, operation, "needs an operator tagged positiveDefinite; this \(node.label) one is not")
    }
    guard steps >= 1 else { throw TensorError(.argument, operation, "\(steps) steps of Lanczos' process") }
    guard options.differentiation == .implicit else {
      throw TensorError(.argument, operation, "its derivative is by implicit solutions")
    }
    let node = node
    let estimate = customJVP { (parameters: [Tensor]) in
      try node.logarithmicForms(parameters, z, steps: min(steps, node.rows))
    } jvp: { (parameters: [Tensor], tangents: [Tensor]) in
      let solutions = solve(LinearOperator(node, parameters), z, options)
      let change = try jvp(
        { (parameters: [Tensor]) in try node.apply(parameters[...], z, transposed: false) }, at: parameters,
        along: tangents
      ).tangent
      return (
        try node.logarithmicForms(parameters, z, steps: min(steps, node.rows)),
        (solutions * change).sum(axis: 0)
      )
    }
    let forms = try estimate(parameters)
    if let values = try? forms.denseValue(operation), Tensor(values).values.contains(where: { !$0.isFinite })
    {
      throw TensorError(
        .notPositiveDefinite, operation,
        "Lanczos' process found an eigenvalue that is not positive, or numbers that are not finite; the operator is tagged positiveDefinite"
      )
    }
    var result = StochasticEstimate(samples: forms)
    result.standardError = stopGradient(result.standardError)
    return result
  }
}

extension OperatorNode {
  /// zᵀ log(A) z for every column of signs, `[columns]`.
  fileprivate func logarithmicForms(_ parameters: [Tensor], _ z: Tensor, steps: Int) throws -> Tensor {
    guard rows > 0 else { return Tensor.zeros([z.shape[1]], type: z.elementType) }
    var v = z / Double(rows).squareRoot()
    var directions: [Tensor] = []
    var (diagonal, beside): ([Tensor], [Tensor]) = ([], [])
    for _ in 0..<steps {
      var next = try apply(parameters[...], v, transposed: false)
      let size = root(inner(next, next))
      // After the process has ended the matrix goes on as the identity, which has no part in the first element of an eigenvector.
      diagonal.append(select(inner(v, v) .> 0.5, inner(v, next), 1.0))
      directions.append(v)
      for _ in 0..<2 {
        for direction in directions { next = next - inner(direction, next) * direction }
      }
      let length = withoutRounding(root(inner(next, next)), of: size)
      beside.append(length)
      v = next * quotient(1.0, length)
    }
    // `[columns, steps]`
    let alpha = concatenate(diagonal, axis: 0).transposed
    let beta = concatenate(beside, axis: 0).transposed
    let identity = Tensor.identity(steps).converted(to: z.elementType)
    let shifted = Tensor(
      (0..<steps * steps).map { $0 % steps == $0 / steps + 1 ? 1.0 : 0.0 }, shape: [steps, steps]
    ).converted(to: z.elementType)
    let above = beta.expandingAxis(-1) * shifted
    let (values, vectors) = symmetricEigen(
      alpha.expandingAxis(-1) * identity + above + above.matrixTransposed)
    // Zero to rounding is not positive.
    let limit = (z.elementType == .float32 ? 1e-7 : 1e-15) * abs(values).max(axis: -1, keepingAxes: true)
    let isPositive = values .> limit
    let logarithms = select(
      isPositive, log(select(isPositive, values, Tensor.ones(values.shape, type: values.elementType))),
      Tensor.zeros(values.shape, type: values.elementType) + Double.nan)
    return (square(vectors[.all, 0]) * logarithms).sum(axis: -1) * Double(rows)
  }
}
