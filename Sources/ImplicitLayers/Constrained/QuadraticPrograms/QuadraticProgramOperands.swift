import Autodiff

/// Prepares what the layers of quadratic programs are given for their primitive.
struct ProgramOperands {
  let name = "quadraticProgram"
  /// q.
  private let linear: Tensor
  private let resultType: ElementType
  var variables: Int { linear.shape[0] }

  init(linear: Tensor) throws(TensorError) {
    guard linear.rank == 1 else {
      throw TensorError(.shape, name, "q has shape \(linear.shape); it is a vector")
    }
    self.linear = linear.converted(to: .float64)
    resultType = linear.elementType.isFloatingPoint ? linear.elementType : .float64
  }

  /// An operand of a shape, in float64.
  func prepared(_ x: Tensor, _ shape: [Int], _ what: String) throws(TensorError) -> Tensor {
    guard x.shape == shape else {
      throw TensorError(.shape, name, "\(what) has shape \(x.shape), not \(shape)")
    }
    return x.converted(to: .float64)
  }

  /// The lower and the upper sides of equations, rows and bounds.
  func sides(
    _ size: ProgramSize, hasEqualities: Bool, equalityValues: Tensor?, hasInequalities: Bool, lower: Tensor?,
    upper: Tensor?, lowerBounds: Tensor?, upperBounds: Tensor?
  ) throws(TensorError) -> (lower: Tensor, upper: Tensor) {
    guard hasEqualities == (equalityValues != nil) else {
      throw TensorError(.argument, name, "A and b belong together; one of them is missing")
    }
    guard hasInequalities || (lower == nil && upper == nil) else {
      throw TensorError(.argument, name, "l or u without G")
    }
    func side(_ x: Tensor?, _ count: Int, _ absent: Double, _ what: String) throws(TensorError) -> Tensor {
      guard let x else { return Tensor(repeating: absent, shape: [count]) }
      return try prepared(x, [count], what)
    }
    let m = size.rows - size.equalities
    var (low, high): ([Tensor], [Tensor]) = ([], [])
    if let equalityValues {
      let b = try prepared(equalityValues, [size.equalities], "b")
      low.append(b)
      high.append(b)
    }
    if hasInequalities {
      low.append(try side(lower, m, -.infinity, "l"))
      high.append(try side(upper, m, .infinity, "u"))
    }
    low.append(try side(lowerBounds, size.variables, -.infinity, "lo"))
    high.append(try side(upperBounds, size.variables, .infinity, "hi"))
    return (concatenate(low, axis: 0), concatenate(high, axis: 0))
  }

  func solve(
    _ plan: ProgramPlan, quadratic: Tensor, rows: Tensor, _ sides: (lower: Tensor, upper: Tensor)
  ) throws -> QuadraticProgramTensors {
    guard plan.options.barrier >= 0, plan.options.barrier.isFinite else {
      throw TensorError(.argument, name, "the barrier is \(plan.options.barrier); it is zero, or positive")
    }
    let found = try bindOrThrow(
      QuadraticProgramSolve(plan: plan), [quadratic, linear, rows, sides.lower, sides.upper])
    func part(_ first: Int, _ count: Int) -> Tensor {
      found[1].slice(axis: 0, from: first, count: count).converted(to: resultType)
    }
    let (p, m, n) = (plan.size.equalities, plan.size.rows, plan.size.variables)
    return QuadraticProgramTensors(
      x: found[0].converted(to: resultType), equalityMultipliers: part(0, p),
      inequalityMultipliers: part(p, m - p), boundMultipliers: part(m, n), status: found[2],
      iterations: found[3])
  }
}
