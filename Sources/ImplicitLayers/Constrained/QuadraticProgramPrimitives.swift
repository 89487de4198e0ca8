import Autodiff
import LinearAlgebra
import Synchronization

/// What solving quadratic programs of tensors is made of.
struct ProgramPlan: Hashable, Sendable {
  var size: ProgramSize
  var options: QuadraticProgramOptions
  var policy: DegeneracyPolicy
  /// Programs that have no solution are a status, and not an error.
  var reports: Bool
  /// All operands have an axis of programs in front.
  var isStacked = false

  var label: String {
    "\(size.variables) variables, \(size.equalities) + \(size.rows - size.equalities) rows"
      + (isStacked ? ", stacked" : "")
  }
  func shapes(_ count: Int?) -> [[Int]] {
    let (n, m, constraints) = (size.variables, size.rows, size.constraints)
    let lead = count.map { [$0] } ?? []
    return [[n, n], [n], [m, n], [constraints], [constraints]].map { lead + $0 }
  }
}

/// Numbers that stand for solved programs.
private enum ProgramNumbers {
  private static let last = Atomic<UInt32>(0)
  static func next(_ count: Int) -> Int32 {
    Int32(bitPattern: last.add(UInt32(truncatingIfNeeded: count), ordering: .relaxed).oldValue)
  }
}

/// Minimisers x and net multipliers ν of quadratic programs. Operands: Q (of which the symmetric part counts), q, C, the lower and the upper sides of all
/// constraints (equations, rows, bounds). Results: x, ν, status, iterations; when kept for derivatives, further the numbers that stand for
/// the solved programs, and the shares of upper and lower sides.
struct QuadraticProgramSolve: Primitive {
  let plan: ProgramPlan
  var keeps = false

  var name: String { "quadraticProgram" }
  var attributes: String { plan.label }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let count = plan.isStacked ? operands[0].shape.first ?? 0 : nil
    for (operand, shape) in zip(operands, plan.shapes(count)) where operand != TensorType(.float64, shape) {
      throw TensorError(.shape, name, "\(operand) where a float64 tensor of shape \(shape) is wanted")
    }
    let lead = count.map { [$0] } ?? []
    let (n, constraints) = (plan.size.variables, plan.size.constraints)
    return [
      TensorType(.float64, lead + [n]), TensorType(.float64, lead + [constraints]), TensorType(.int32, lead),
      TensorType(.int32, lead),
    ]
      + (keeps
        ? [
          TensorType(.int32, lead), TensorType(.float64, lead + [constraints]),
          TensorType(.float64, lead + [constraints]),
        ] : [])
  }

  func evaluate(_ given: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let operands = given.map { $0.contiguous() }
    let types = try resultTypes(operands.map(\.type))
    let count = plan.isStacked ? operands[0].shape[0] : 1
    try check(operands, count: count)
    let x = DenseArray(uninitialized: .float64, types[0].shape)
    let multipliers = DenseArray(uninitialized: .float64, types[1].shape)
    let lead = types[2].shape
    if count == 0 { return types.map { DenseArray(uninitialized: $0.elementType, $0.shape) } }
    let data = ProgramPointers(
      quadratic: operands[0].pointer(Double.self), linear: operands[1].pointer(Double.self),
      rows: operands[2].pointer(Double.self), lower: operands[3].pointer(Double.self),
      upper: operands[4].pointer(Double.self))
    let shares = keeps ? types[1].shape : [0]
    let (upper, lower) = (
      DenseArray(uninitialized: .float64, shares), DenseArray(uninitialized: .float64, shares)
    )
    let solved = SolvedPrograms(
      data, size: plan.size, count: count, options: plan.options,
      demands: ProgramDemands(derivatives: keeps, regularity: keeps && plan.policy == .error),
      into: ProgramResults(
        x: x.pointer(Double.self), multipliers: multipliers.pointer(Double.self),
        upperShares: upper.pointer(Double.self), lowerShares: lower.pointer(Double.self)))
    withExtendedLifetime(operands) {}
    func place(_ k: Int) -> String { plan.isStacked ? "program \(k) of the batch: " : "" }
    if let k = solved.nonConvex {
      throw TensorError(
        .notPositiveDefinite, name,
        place(k)
          + "Q is not positive semidefinite. Likely causes: a wrong sign, a maximisation. QuadraticProgram names the "
          + "pivot")
    }
    if !plan.reports, let k = solved.statuses.firstIndex(where: { $0 != .converged }) {
      throw TensorError(
        .notConverged, name, place(k) + "\(solved.statuses[k]) (after \(solved.iterations[k]) iterations)")
    }
    var results = [
      x, multipliers, DenseArray(solved.statuses.map(\.rawValue), shape: lead),
      DenseArray(solved.iterations.map { Int32($0) }, shape: lead),
    ]
    guard keeps else { return results }
    let first = ProgramNumbers.next(count)
    results += [
      DenseArray((0..<count).map { first &+ Int32($0) }, shape: lead, objects: [first: solved]), upper, lower,
    ]
    return results
  }

  /// Names what is not finite, or crossed.
  private func check(_ operands: [DenseArray], count: Int) throws(TensorError) {
    let (n, m, constraints) = (plan.size.variables, plan.size.rows, plan.size.constraints)
    func place(_ k: Int) -> String { plan.isStacked ? "program \(k) of the batch: " : "" }
    for (operand, each, what) in [(0, n * n, "Q"), (1, n, "q"), (2, m * n, "A or G")] {
      let values = operands[operand].pointer(Double.self)
      var sum = 0.0
      for k in 0..<count * each { sum += values[k] * 0 }
      if sum != 0 || sum.isNaN {
        let k = (0..<count * each).first { !values[$0].isFinite } ?? 0
        throw TensorError(
          .nonFinite, name, place(k / each) + "element \(k % each) of \(what) is \(values[k])")
      }
    }
    let (low, high) = (operands[3].pointer(Double.self), operands[4].pointer(Double.self))
    for k in 0..<count * constraints where !(low[k] <= high[k] && low[k] < .infinity && high[k] > -.infinity)
    {
      let row = k % constraints
      let what =
        row < plan.size.equalities
        ? "equation \(row)" : row < m ? "row \(row - plan.size.equalities)" : "variable \(row - m)"
      throw TensorError(
        .argument, name,
        place(k / constraints) + "the sides of \(what), [\(low[k]), \(high[k])], leave nothing")
    }
    withExtendedLifetime(operands) {}
  }

  /// Q ẋ + Cᵀ ν̇ = −(Q̇ x + q̇ + Ċᵀ ν), C ẋ − W ν̇ = share_u u̇ + share_l l̇ − Ċ x: see ProximalInteriorPoint+Derivative.swift. On the
  /// central path of a barrier μ the shares and W are themselves functions of the slacks: d_u = μ / s_u², share_u = d_u / d, W = 1 / d.
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(QuadraticProgramSolve(plan: plan, keeps: true), primals)
    let (x, multipliers, number) = (results[0], results[1], results[4])
    var (upperShare, lowerShare) = (results[5], results[6])
    let m = plan.size.rows
    var stiffness = Tensor.zeros(multipliers.shape)
    if plan.options.barrier > 0 {
      let values = concatenate([product(primals[2], x), x], axis: -1)
      let isEquation = primals[3] .== primals[4]
      func weight(_ slack: Tensor) -> Tensor {
        let exists = (slack .< plan.options.infinity) .& .!isEquation
        let safe = select(exists, slack, 1.0)
        return select(exists, plan.options.barrier / (safe * safe), 0.0)
      }
      let (above, below) = (weight(primals[4] - values), weight(values - primals[3]))
      let sum = above + below
      let isUsed = sum .> 0.0
      let safe = select(isUsed, sum, 1.0)
      stiffness = select(isUsed, sum, 0.0)
      upperShare = select(isUsed, above / safe, upperShare)
      lowerShare = select(isUsed, below / safe, lowerShare)
    }
    var first = tangents[1]
    if let moved = tangents[0] { first = sum(first, try symmetricProduct(moved, x)) }
    var second: Tensor?
    if let moved = tangents[2] {
      let products = try bindOrThrow(
        MatrixVectorProducts(), [moved, x, multipliers.slice(axis: -1, from: 0, count: m)])
      first = sum(first, products[1])
      second = -concatenate([products[0], Tensor.zeros(x.shape)], axis: -1)
    }
    if let moved = tangents[3] { second = sum(second, lowerShare * moved) }
    if let moved = tangents[4] { second = sum(second, upperShare * moved) }
    let right = [first.map { -$0 } ?? Tensor.zeros(x.shape), second ?? Tensor.zeros(multipliers.shape)]
    let direction = try bindOrThrow(
      QuadraticProgramSystem(plan: plan), [primals[0], primals[2], stiffness, number, results[2]] + right)
    return (
      keeps ? results : Array(results.prefix(4)),
      [direction[0], direction[1]] + [Tensor?](repeating: nil, count: keeps ? 5 : 2)
    )
  }

  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var stacked = plan
    stacked.isStacked = true
    return try bindPrograms(
      QuadraticProgramSolve(plan: stacked, keeps: keeps), operands, isBatched, size: size,
      wasStacked: plan.isStacked)
  }
}

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
    func member(_ k: Int) throws(TensorError) -> (programs: SolvedPrograms, place: Int) {
      for (first, object) in objects {
        guard let programs = object as? SolvedPrograms else { continue }
        let place = Int(numbers[k] &- first)
        if (0..<programs.count).contains(place) { return (programs, place) }
      }
      throw TensorError(
        .argument, name,
        "the solved programs got lost: their number was copied by an operation that does not keep objects")
    }
    var worst = 0.0
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
    let (sourceX, sourceRows) = (r.pointer(Double.self), s.pointer(Double.self))
    let (targetX, targetRows) = (a.pointer(Double.self), b.pointer(Double.self))
    if isWhole {
      worst = whole.solveDerivative(
        members: 0..<count, x: sourceX, rows: sourceRows, intoX: targetX, intoRows: targetRows)
    } else {
      for k in 0..<count {
        let (programs, place) = try member(k)
        let error = programs.solveDerivative(
          members: place..<place + 1, x: sourceX + k * n, rows: sourceRows + k * constraints,
          intoX: targetX + k * n, intoRows: targetRows + k * constraints)
        worst = worse(worst, error)
      }
    }
    withExtendedLifetime((number, r, s)) {}
    guard worst < 1e-6 else {
      throw TensorError(
        .singular, name, "the system of the derivative has no solution: its relative residual is \(worst)")
    }
    return [a, b]
  }

  /// With K (a, b) = (r, s): K (ȧ, ḃ) = (ṙ, ṡ) − K̇ (a, b), where the derivative of −1/d is ḋ/d².
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    let (a, b) = (results[0], results[1])
    var (first, second) = (tangents[5], tangents[6])
    if let moved = tangents[0] { first = sum(first, -(try symmetricProduct(moved, a))) }
    if let moved = tangents[1] {
      let products = try bindOrThrow(
        MatrixVectorProducts(), [moved, a, b.slice(axis: -1, from: 0, count: plan.size.rows)])
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
    return try bindPrograms(
      QuadraticProgramSystem(plan: stacked), operands, isBatched, size: size, wasStacked: plan.isStacked)
  }
}

/// Applies a stacked primitive to operands with a batch in front; a batch of stacks is one longer stack.
private func bindPrograms(
  _ primitive: some Primitive, _ operands: [Tensor], _ isBatched: [Bool], size: Int, wasStacked: Bool
) throws -> (results: [Tensor], isBatched: [Bool]) {
  var prepared = zip(operands, isBatched).map { $0.batched($1, size) }
  let inner = wasStacked ? prepared[0].shape[1] : 1
  if wasStacked { prepared = prepared.map { $0.reshaped([size * inner] + $0.shape.dropFirst(2)) } }
  var results = try bindOrThrow(primitive, prepared)
  if wasStacked { results = results.map { $0.reshaped([size, inner] + $0.shape.dropFirst()) } }
  return (results, results.map { _ in true })
}

/// A x for a matrix and a vector, or stacks of them.
private func product(_ a: Tensor, _ x: Tensor) -> Tensor { matmul(a, x.expandingAxis(-1)).squeezed(-1) }
/// (A + Aᵀ) x / 2.
private func symmetricProduct(_ a: Tensor, _ x: Tensor) throws -> Tensor {
  let products = try bindOrThrow(MatrixVectorProducts(), [a, x, x])
  return (products[0] + products[1]) * 0.5
}
private func sum(_ a: Tensor?, _ b: Tensor?) -> Tensor? {
  guard let a else { return b }
  guard let b else { return a }
  return a + b
}
