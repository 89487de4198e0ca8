import Autodiff
import Lanes
import LinearSolvers

/// Solves [Q, Cᵀ; C, −1/d] (a, b) = (r, s) on the active rows of solved programs, b being zero on others. Operands: Q, C, d (zero: a row
/// of the active set, or none), the programs' numbers, their status, r, s. Linear in the last two, and its own transpose.
struct QuadraticProgramSystem: Primitive {
  let plan: ProgramPlan

  var name: String { "quadraticProgramDerivative" }
  var attributes: String { plan.label }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let lead = plan.isStacked ? Array(operands[5].shape.prefix(1)) : []
    let types = [
      TensorType(.float64, lead + [plan.size.variables]),
      TensorType(.float64, lead + [plan.size.constraints]),
    ]
    guard Array(operands[5...]) == types else {
      throw TensorError(
        .shape, name, "right-hand sides \(operands[5]) and \(operands[6]) where \(types) are wanted")
    }
    return types
  }

  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(operands.map(\.type))
    let number = operands[3].contiguous()
    let status = operands[4].values(Int32.self)
    let (r, s) = (operands[5].contiguous(), operands[6].contiguous())
    let (a, b) = (
      DenseArray(uninitialized: .float64, types[0].shape), DenseArray(uninitialized: .float64, types[1].shape)
    )
    let count = plan.isStacked ? r.shape[0] : 1
    if count == 0 { return [a, b] }
    let numbers = number.pointer(Int32.self)
    let objects = number.objects
    if let failed = status.firstIndex(where: { $0 != SolverStatus.converged.rawValue }) {
      throw TensorError(
        .notConverged, name,
        (plan.isStacked ? "program \(failed) of the batch: " : "")
          + "the derivative of a solution that was not found: "
          + "\(SolverStatus(rawValue: status[failed]).map { "\($0)" } ?? "")")
    }
    let (n, constraints) = (plan.size.variables, plan.size.constraints)
    func member(_ k: Int) throws(TensorError) -> (programs: any SolvedProgramSet, place: Int) {
      for (first, object) in objects {
        guard let programs = object as? any SolvedProgramSet else { continue }
        let place = Int(numbers[k] &- first)
        if (0..<programs.count).contains(place) { return (programs, place) }
      }
      throw TensorError(
        .argument, name,
        "the solved programs got lost: their number was copied by an operation that does not keep objects")
    }
    // The worst residual, and the program of this batch that has it.
    var worst = MemberResidual()
    let (whole, start) = try member(0)
    let isWhole =
      start == 0 && whole.count == count && (0..<count).allSatisfy { numbers[$0] == numbers[0] &+ Int32($0) }
    for k in 0..<(isWhole ? whole.count : count) {
      guard plan.policy == .error else { break }
      let (programs, place) = isWhole ? (whole, k) : try member(k)
      let regularity = programs.regularity(place)
      if regularity.isDegenerate {
        throw TensorError(
          .singular, name,
          (plan.isStacked ? "program \(k) of the batch: " : "")
            + "the solution has no derivative: \(regularity). "
            + "Choose the derivative of least norm, or smooth with a barrier")
      }
    }
    func solve(_ r: DenseArray, _ s: DenseArray) throws(TensorError) {
      let (sourceX, sourceRows) = (r.pointer(Double.self), s.pointer(Double.self))
      let (targetX, targetRows) = (a.pointer(Double.self), b.pointer(Double.self))
      worst = MemberResidual()
      if isWhole {
        worst = whole.solveDerivative(
          members: 0..<count, x: sourceX, rows: sourceRows, intoX: targetX, intoRows: targetRows)
      } else {
        for k in 0..<count {
          let (programs, place) = try member(k)
          let error = programs.solveDerivative(
            members: place..<place + 1, x: sourceX + k * n, rows: sourceRows + k * constraints,
            intoX: targetX + k * n, intoRows: targetRows + k * constraints
          ).error
          worst = worse(worst, MemberResidual(member: k, error: error))
        }
      }
      withExtendedLifetime((r, s)) {}
    }
    // Maxima pass over what is not a number: it would come back as a derivative of zero.
    for side in [r, s] where !areFinite(side.pointer(Double.self), count: side.count) {
      throw TensorError(.nonFinite, name, "a right-hand side of the system of the derivative is not finite")
    }
    try solve(r, s)
    if plan.policy == .leastNorm, plan.options.barrier == 0 {
      // What lies outside of the system's range grows from round to round, and is what its product leaves out of the right-hand side.
      // Each time, rounding brings back about a millionth of it.
      for _ in 0..<6 where !(worst.error < 1e-10) {
        let right = try product(operands, a, b)
        try solve(right[0], right[1])
      }
    }
    withExtendedLifetime(number) {}
    guard worst.error < 1e-6 else {
      throw TensorError(
        .singular, name,
        (plan.isStacked ? "program \(worst.member) of the batch: " : "")
          + "the system of the derivative has no solution: its relative residual is \(worst.error)")
    }
    return [a, b]
  }

  /// The system's product with (a, b), on active and other rows alike.
  private func product(
    _ operands: [DenseArray], _ a: DenseArray, _ b: DenseArray
  ) throws(TensorError) -> [DenseArray] {
    let (n, m, constraints) = (plan.size.variables, plan.size.rows, plan.size.constraints)
    let count = plan.isStacked ? a.shape[0] : 1
    let net = DenseArray(uninitialized: .float64, Array(a.shape.dropLast()) + [m])
    let rows = b.pointer(Double.self)
    for k in 0..<count { (net.pointer(Double.self) + k * m).update(from: rows + k * constraints, count: m) }
    let curved = try MatrixVectorProducts(pattern: plan.structure?.quadratic).evaluate([operands[0], a, a])
    let products = try MatrixVectorProducts(pattern: plan.structure?.rows).evaluate([operands[1], a, net])
    let (first, second) = (
      DenseArray(uninitialized: .float64, a.shape), DenseArray(uninitialized: .float64, b.shape)
    )
    let (x, y) = (first.pointer(Double.self), second.pointer(Double.self))
    let (left, right) = (curved[0].pointer(Double.self), curved[1].pointer(Double.self))
    let (values, turned) = (products[0].pointer(Double.self), products[1].pointer(Double.self))
    for k in 0..<count {
      for i in k * n..<(k + 1) * n {
        x[i] = 0.5 * (left[i] + right[i]) + turned[i] + rows[k * constraints + m + i - k * n]
      }
      (y + k * constraints).update(from: values + k * m, count: m)
      (y + k * constraints + m).update(from: a.pointer(Double.self) + k * n, count: n)
    }
    withExtendedLifetime((curved, products, a, b)) {}
    return [first, second]
  }

  /// With K (a, b) = (r, s): K (ȧ, ḃ) = (ṙ, ṡ) − K̇ (a, b), where the derivative of −1/d is ḋ/d².
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    let (a, b) = (results[0], results[1])
    var (first, second) = (tangents[5], tangents[6])
    if let moved = tangents[0] { first = sum(first, -(try plan.symmetricProduct(moved, a))) }
    if let moved = tangents[1] {
      let products = try plan.rowProducts(moved, a, b)
      first = sum(first, -products[1])
      second = sum(second, -concatenate([products[0], Tensor.zeros(a.shape)], axis: -1))
    }
    if let moved = tangents[2] {
      let safe = select(primals[2] .> 0.0, primals[2], 1.0)
      second = sum(second, -(moved * b / (safe * safe)))
    }
    guard first != nil || second != nil else { return (results, [nil, nil]) }
    let right = [first ?? Tensor.zeros(a.shape), second ?? Tensor.zeros(b.shape)]
    let direction = try bindOrThrow(self, Array(primals.prefix(5)) + right)
    return (results, [direction[0], direction[1]])
  }

  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let known = operands.prefix(5).compactMap(\.known)
    guard known.count == 5 else {
      throw TensorError(.unsupportedDerivative, name, "is linear in the right-hand sides only")
    }
    let types = [operands[5].type, operands[6].type]
    let right = zip(cotangents, types).map { $0 ?? Tensor.zeros($1.shape) }
    let found = try bindOrThrow(self, known + right)
    return [nil, nil, nil, nil, nil] + zip(operands.suffix(2), found).map { $0.isLinear ? $1 : nil }
  }

  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var stacked = plan
    stacked.isStacked = true
    return try bindStacked(
      QuadraticProgramSystem(plan: stacked), operands, isBatched, size: size, wasStacked: plan.isStacked)
  }
}

func sum(_ a: Tensor?, _ b: Tensor?) -> Tensor? {
  guard let a else { return b }
  guard let b else { return a }
  return a + b
}
