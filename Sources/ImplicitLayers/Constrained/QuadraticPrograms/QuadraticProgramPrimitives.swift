import Autodiff
import LinearAlgebra
import LinearSolvers
import Synchronization

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
    if plan.structure != nil || !sidesLeaveRoom(operands) { try check(operands, count: count) }
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
    let demands = ProgramDemands(derivatives: keeps, regularity: keeps && plan.policy == .error)
    let targets = ProgramResults(
      x: x.pointer(Double.self), multipliers: multipliers.pointer(Double.self),
      upperShares: upper.pointer(Double.self), lowerShares: lower.pointer(Double.self))
    let solved: any SolvedProgramSet
    if let structure = plan.structure {
      do throws(LinearAlgebraError) {
        solved = try SolvedSparsePrograms(
          data, structure, count: count, options: plan.options, demands: demands, into: targets)
      } catch { throw TensorError(.argument, name, error.description) }
    } else {
      let dense = SolvedPrograms(
        data, size: plan.size, count: count, options: plan.options, demands: demands, into: targets)
      if !dense.isFinite { try check(operands, count: count) }
      solved = dense
    }
    withExtendedLifetime(operands) {}
    func place(_ k: Int) -> String { plan.isStacked ? "program \(k) of the batch: " : "" }
    if let (k, variable) = solved.nonConvexProgram {
      throw TensorError(
        .notPositiveDefinite, name,
        place(k)
          + "Q is not positive semidefinite\(variable.map { ", as the pivot of variable \($0) shows" } ?? ""). Likely causes: a "
          + "wrong sign, a maximisation"
          + (variable == nil ? ". QuadraticProgram names the pivot" : ""))
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

  /// Whether there are numbers between all lower and upper sides.
  private func sidesLeaveRoom(_ operands: [DenseArray]) -> Bool {
    let (low, high) = (operands[3].pointer(Double.self), operands[4].pointer(Double.self))
    var closed = 0
    for k in 0..<operands[3].count {
      closed &+= low[k] <= high[k] && low[k] < .infinity && high[k] > -.infinity ? 0 : 1
    }
    withExtendedLifetime(operands) {}
    return closed == 0
  }

  /// Names what is not finite, or crossed.
  private func check(_ operands: [DenseArray], count: Int) throws(TensorError) {
    let (m, constraints) = (plan.size.rows, plan.size.constraints)
    func place(_ k: Int) -> String { plan.isStacked ? "program \(k) of the batch: " : "" }
    let places: [(Int) -> String] = [
      plan.place(quadratic:), { "element \($0) of q" }, plan.place(row:),
    ]
    for (operand, what) in places.enumerated() {
      let each = plan.shapes(nil)[operand].reduce(1, *)
      let values = operands[operand].pointer(Double.self)
      var sum = 0.0
      for k in 0..<count * each { sum += values[k] * 0 }
      if sum != 0 || sum.isNaN {
        let k = (0..<count * each).first { !values[$0].isFinite } ?? 0
        throw TensorError(
          .nonFinite, name, place(k / each) + "\(what(k % each)) is \(values[k])")
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
    var stiffness = Tensor.zeros(multipliers.shape)
    if plan.options.barrier > 0 {
      let values = concatenate([try plan.rowProducts(primals[2], x, multipliers)[0], x], axis: -1)
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
    if let moved = tangents[0] { first = sum(first, try plan.symmetricProduct(moved, x)) }
    var second: Tensor?
    if let moved = tangents[2] {
      let products = try plan.rowProducts(moved, x, multipliers)
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
    return try bindStacked(
      QuadraticProgramSolve(plan: stacked, keeps: keeps), operands, isBatched, size: size,
      wasStacked: plan.isStacked)
  }
}
