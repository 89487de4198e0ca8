import Autodiff
import Lanes
import LinearAlgebra

/// What solving with an operator is made of: its form, how it is solved, and the form of the user's preconditioner.
struct SolvePlan: Hashable, Sendable {
  var node: OperatorNode
  var inverse: OperatorNode?
  var options: LinearSolveOptions
  /// Multiply with the pseudo-inverse.
  var isLeastSquares: Bool
  /// Parameters, preparation and vectors have an axis of systems in front.
  var isStacked = false

  var parameterCount: Int { node.parameterCount }
  var name: String { isLeastSquares ? "leastSquares" : "solve" }
  var label: String {
    "\(node.label), \(node.rows) x \(node.columns)"
      + (options.method == .automatic ? "" : ", \(options.method)") + (isStacked ? ", stacked" : "")
  }
}

/// Factors the operator, or makes its preconditioner: parameters of the operator, then of the user's preconditioner, to a number that
/// stands for the result.
struct PrepareSolve: HigherOrderPrimitive, PreparingPrimitive {
  let plan: SolvePlan
  /// Whether one operation solves with the result, so that factors need not be kept.
  var isUsedOnce = false

  var usedOnce: any Primitive { PrepareSolve(plan: plan, isUsedOnce: true) }

  var name: String { "prepare" }
  var attributes: String { plan.label }
  var programs: [(role: String, program: Program)] {
    (plan.node.functions + (plan.inverse?.functions ?? [])).map { ("function", $0.program) }
  }
  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let shapes = plan.node.parameterShapes + (plan.inverse?.parameterShapes ?? [])
    let lead = plan.isStacked ? Array(operands[0].shape.prefix(1)) : []
    guard operands.map(\.shape) == shapes.map({ lead + $0 }) else {
      throw TensorError(
        .shape, name, "parameters of shapes \(operands.map(\.shape)) where \(shapes) are wanted")
    }
    return [TensorType(.int32, lead)]
  }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var arrays: [DenseArray] = []
    for operand in operands { arrays.append(try operand.converted(to: .float64).contiguous()) }
    var objects: [Int32: DenseArray.Object] = [:]
    func prepare(_ parameters: [DenseArray], system: Int?) throws(TensorError) -> Int32 {
      do {
        let map = NumericOperator(plan.node, Array(parameters.prefix(plan.parameterCount)))
        let inverse = plan.inverse.map {
          NumericOperator($0, Array(parameters.dropFirst(plan.parameterCount)))
        }
        let number = PreparedNumbers.next()
        objects[number] = try PreparedSystem(
          map, inverse: inverse, plan.options, isLeastSquares: plan.isLeastSquares)
        return number
      } catch { throw tensorError(error, plan.name, system: system) }
    }
    guard plan.isStacked else {
      return [DenseArray([try prepare(arrays, system: nil)], shape: [], objects: objects)]
    }
    let count = operands[0].shape[0]
    if let batch = BatchedSystem(plan, arrays, count: count, keepsFactors: !isUsedOnce) {
      let first = PreparedNumbers.next(count)
      return [DenseArray((0..<count).map { first &+ Int32($0) }, shape: [count], objects: [first: batch])]
    }
    var numbers: [Int32] = []
    for k in 0..<count { numbers.append(try prepare(arrays.map { $0.row(k).contiguous() }, system: k)) }
    return [DenseArray(numbers, shape: [count], objects: objects)]
  }
  /// The number does not change; what it stands for has its derivative through the parameters of ``OperatorSolve``.
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [nil])
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var stacked = plan
    stacked.isStacked = true
    return try bindStacked(
      PrepareSolve(plan: stacked), operands, isBatched, size: size, wasStacked: plan.isStacked)
  }
}

/// x = A⁻¹ b, or A⁻ᵀ b; for least squares A⁺ b, or A⁺ᵀ b. Operands: the parameters of A, the preparation, b as a matrix of columns, and
/// where there is one the first guess. Linear in b.
///
/// With A x = b differentiation gives A ẋ = ḃ − Ȧ x, and the transpose of b ↦ x is c ↦ A⁻ᵀ c: both are this operation again, with the same
/// preparation, so that every order and mode follows. Ȧ x is the derivative of the operator's own product in its parameters.
///
/// For the pseudo-inverse, where the rank is constant (Golub and Pereyra 1973), with r = b − A x:
/// ẋ = A⁺ (ḃ − Ȧ x) + A⁺ A⁺ᵀ Ȧᵀ r + (I − A⁺ A) Ȧᵀ A⁺ᵀ x.
struct OperatorSolve: HigherOrderPrimitive {
  let plan: SolvePlan
  let isTransposed: Bool
  let hasGuess: Bool
  /// Whether this is part of a derivative, which has a tolerance of its own.
  let isDerivative: Bool
  /// Whether an iteration that does not converge is a status, and not an error.
  let reports: Bool
  /// Steps of the history that is returned; -1 for none.
  let historyLength: Int

  init(
    plan: SolvePlan, isTransposed: Bool = false, hasGuess: Bool = false, isDerivative: Bool = false,
    reports: Bool = false, historyLength: Int = -1
  ) {
    self.plan = plan
    self.isTransposed = isTransposed
    self.hasGuess = hasGuess
    self.isDerivative = isDerivative
    self.reports = reports
    self.historyLength = historyLength
  }

  var name: String { plan.name }
  var attributes: String { plan.label + (isTransposed ? ", transposed" : "") }
  var programs: [(role: String, program: Program)] { plan.node.functions.map { ("function", $0.program) } }

  private var parameterCount: Int { plan.parameterCount }
  private var lead: Int { plan.isStacked ? 1 : 0 }
  private var length: Int { isTransposed ? plan.node.columns : plan.node.rows }
  private var size: Int { isTransposed ? plan.node.rows : plan.node.columns }

  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let b = operands[parameterCount + 1]
    guard b.shape.count == 2 + lead, b.shape[lead] == length, b.elementType.isFloatingPoint else {
      throw TensorError(
        .shape, name,
        "a right-hand side \(b) does not belong to an operator of \(plan.node.rows) x \(plan.node.columns)")
    }
    var result = b
    result.shape[lead] = size
    if hasGuess, operands[parameterCount + 2] != result {
      throw TensorError(.shape, name, "the first guess is \(operands[parameterCount + 2]), not \(result)")
    }
    guard reports else { return [result] }
    let each = b.shape.prefix(lead) + b.shape.suffix(1)
    return [
      result, TensorType(.int32, Array(each)), TensorType(.int32, Array(each)),
      TensorType(.float64, Array(each)),
    ]
      + (historyLength >= 0 ? [TensorType(.float64, each + [historyLength + 1])] : [])
  }

  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(operands.map(\.type))
    let handle = operands[parameterCount].contiguous()
    let objects = handle.objects
    let b = try operands[parameterCount + 1].converted(to: .float64).contiguous()
    let guess = hasGuess ? try operands[parameterCount + 2].converted(to: .float64).contiguous() : nil
    let columns = b.shape[b.rank - 1]
    let systems = plan.isStacked ? b.shape[0] : 1
    let x = DenseArray(uninitialized: .float64, types[0].shape)
    let numbers = handle.pointer(Int32.self)
    // A whole batch of small systems, in the order in which it was factored.
    if plan.isStacked, !reports, systems > 0, let batch = objects[numbers[0]] as? BatchedSystem,
      batch.count == systems,
      (0..<systems).allSatisfy({ numbers[$0] == numbers[0] &+ Int32($0) })
    {
      let source = b.pointer(Double.self)
      func require(_ values: UnsafePointer<Double>, _ count: Int, _ error: LinearAlgebraError)
        throws(TensorError)
      {
        if areFinite(values, count: count) { return }
        let each = count / systems
        let system = (0..<systems).first { !areFinite(values + $0 * each, count: each) }
        throw tensorError(error, name, system: system)
      }
      try require(source, b.count, .nonFiniteRightSide)
      try batch.solve(source, into: x.pointer(Double.self), columns: columns, transposed: isTransposed)
      try require(x.pointer(Double.self), x.count, .nonFiniteSolution)
      withExtendedLifetime((handle, b)) {}
      return [try x.converted(to: types[0].elementType)]
    }
    var reportsOfAll: [IterationReport?] = []
    let right = NumberBuffer(count: length * columns)
    let left = NumberBuffer(count: size * columns)
    let stopping =
      isDerivative ? plan.options.gradientStopping ?? plan.options.stopping : plan.options.stopping
    for k in 0..<systems {
      let system = plan.isStacked ? k : nil
      let prepared: any SolvableSystem
      if let own = objects[numbers[k]] as? PreparedSystem {
        prepared = own
      } else if let member = BatchedSystem.member(numbers[k], of: objects) {
        prepared = member
      } else {
        throw TensorError(
          .argument, name,
          "the factorisation got lost: its number was copied by an operation that does not keep objects")
      }
      let source = b.pointer(Double.self) + k * length * columns
      do {
        guard areFinite(source, count: length * columns) else {
          throw LinearAlgebraError.nonFiniteRightSide
        }
        if columns == 1 {
          right.base.update(from: source, count: length)
        } else {
          transposeMatrix(source, rows: length, columns: columns, into: right.base)
        }
        if let guess {
          let start = guess.pointer(Double.self) + k * size * columns
          guard areFinite(start, count: size * columns) else {
            throw LinearAlgebraError.nonFinite("an element of the first guess")
          }
          transposeMatrix(start, rows: size, columns: columns, into: left.base)
        } else {
          left.base.update(repeating: 0, count: size * columns)
        }
        let found = try prepared.solve(
          right.base, into: left.base, count: columns, transposed: isTransposed, stopping: stopping)
        if !reports { for report in found { try report.requireConvergence() } }
        reportsOfAll += found.isEmpty ? [IterationReport?](repeating: nil, count: columns) : found
        guard areFinite(left.base, count: size * columns) else {
          throw LinearAlgebraError.nonFiniteSolution
        }
      } catch { throw tensorError(error, name, system: system) }
      transposeMatrix(
        left.base, rows: columns, columns: size, into: x.pointer(Double.self) + k * size * columns)
    }
    withExtendedLifetime((handle, b, guess, right, left)) {}
    let solution = try x.converted(to: types[0].elementType)
    guard reports else { return [solution] }
    let each = types[1].shape
    var results = [
      solution,
      DenseArray(reportsOfAll.map { LinearSolveStatus($0).rawValue }, shape: each),
      DenseArray(reportsOfAll.map { Int32($0?.iterations ?? 0) }, shape: each),
      DenseArray(reportsOfAll.map { $0?.residual ?? 0 }, shape: each),
    ]
    if historyLength >= 0 {
      let history = reportsOfAll.flatMap { report -> [Double] in
        let known = Array((report?.history ?? [0]).prefix(historyLength + 1))
        return known + [Double](repeating: known.last ?? 0, count: historyLength + 1 - known.count)
      }
      results.append(DenseArray(history, shape: types[4].shape))
    }
    return results
  }

  /// The operation with another right-hand side, in a derivative.
  private func again(_ transposed: Bool, _ primals: [Tensor], _ b: Tensor) throws -> Tensor {
    let solve = OperatorSolve(plan: plan, isTransposed: transposed, isDerivative: true)
    return try bindOrThrow(solve, Array(primals.prefix(parameterCount + 1)) + [b])[0]
  }

  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let results = try bindOrThrow(self, primals)
    let x = results[0]
    var right = tangents[parameterCount + 1]
    var additional: Tensor?
    let active = tangents.indices.prefix(parameterCount).filter { tangents[$0] != nil }
    if !active.isEmpty {
      /// The derivative of the operator's product with fixed vectors in its parameters.
      func moved(_ vectors: Tensor, transposed: Bool) throws -> Tensor {
        let product = { (moving: [Tensor]) throws -> Tensor in
          var parameters = Array(primals.prefix(parameterCount))
          for (place, value) in zip(active, moving) { parameters[place] = value }
          return try plan.apply(parameters, vectors, transposed: transposed)
        }
        return try Autodiff.jvp(product, at: active.map { primals[$0] }, along: active.map { tangents[$0]! })
          .tangent
      }
      right = sum(right, -(try moved(x, transposed: isTransposed)))
      if plan.isLeastSquares {
        let parameters = Array(primals.prefix(parameterCount))
        let residual = primals[parameterCount + 1] - (try plan.apply(parameters, x, transposed: isTransposed))
        let first = try moved(residual, transposed: !isTransposed)
        let projected = try again(isTransposed, primals, try again(!isTransposed, primals, first))
        let second = try moved(try again(!isTransposed, primals, x), transposed: !isTransposed)
        let image = try plan.apply(parameters, second, transposed: isTransposed)
        additional = projected + second - (try again(isTransposed, primals, image))
      }
    }
    var tangent = sum(try right.map { try again(isTransposed, primals, $0) }, additional)
    if reports, let known = tangent {
      tangent = try bindOrThrow(RequireConvergence(isStacked: plan.isStacked), [results[1], known])[0]
    }
    return (results, [tangent] + results.dropFirst().map { _ in nil })
  }

  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    var result = [Tensor?](repeating: nil, count: operands.count)
    guard let c = cotangents[0] else { return result }
    let known = operands.prefix(parameterCount + 1).compactMap(\.known)
    guard known.count == parameterCount + 1 else {
      throw TensorError(.unsupportedDerivative, name, "is linear in the right-hand side only")
    }
    result[parameterCount + 1] = try again(!isTransposed, known, c)
    return result
  }

  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    if !isBatched.prefix(parameterCount + 1).contains(true) {
      // One operator, more columns.
      let moved = operands.enumerated().map { index, operand -> Tensor in
        guard index > parameterCount else { return operand }
        let x = operand.batched(isBatched[index], size).movingAxis(0, to: -1)
        return x.reshaped(x.shape.dropLast(2) + [x.shape[x.rank - 2] * size])
      }
      let results = try bindOrThrow(self, moved)
      let columns = operands[parameterCount + 1].shape.last!
      return (
        results.enumerated().map { index, result in
          let axis = index == 4 ? result.rank - 2 : result.rank - 1
          let shape = result.shape.prefix(axis) + [columns, size] + result.shape.dropFirst(axis + 1)
          return result.reshaped(Array(shape)).movingAxis(axis + 1, to: 0)
        }, results.map { _ in true }
      )
    }
    var stacked = plan
    stacked.isStacked = true
    let solve = OperatorSolve(
      plan: stacked, isTransposed: isTransposed, hasGuess: hasGuess, isDerivative: isDerivative,
      reports: reports,
      historyLength: historyLength)
    return try bindStacked(solve, operands, isBatched, size: size, wasStacked: plan.isStacked)
  }
}

extension SolvePlan {
  /// The operator's product; stacked, with every system's own parameters.
  func apply(_ parameters: [Tensor], _ x: Tensor, transposed: Bool) throws -> Tensor {
    let node = node
    guard isStacked else { return try node.apply(parameters[...], x, transposed: transposed) }
    return try vmap { (all: [Tensor]) in try node.apply(all.dropLast(), all.last!, transposed: transposed) }(
      parameters + [x])
  }
}

/// The tangents, unless the solution that they belong to was not found: operands are the status and the tangents, of which it is the
/// identity.
struct RequireConvergence: Primitive {
  let isStacked: Bool
  var name: String { "solve" }
  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[1]] }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    if let failed = operands[0].values(Int32.self).first(where: { $0 != LinearSolveStatus.converged.rawValue }
    ) {
      throw TensorError(
        .notConverged, name,
        "the gradient of a solution that was not found: the status is "
          + "\(LinearSolveStatus(rawValue: failed).map { "\($0)" } ?? "\(failed)"). Ask for less accuracy, allow more "
          + "iterations, or use a preconditioner")
    }
    return [operands[1]]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[1].map { bind1(self, primals[0], $0) }])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    return [nil, bind1(self, try coefficients(operands.prefix(1), "the status")[0], c)]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let results = try bindOrThrow(self, [operands[0], operands[1].batched(isBatched[1], size)])
    return (results, [true])
  }
}

extension LinearAlgebraError {
  static let nonFiniteRightSide = nonFinite("an element of the right-hand side")
  static let nonFiniteSolution = nonFinite(
    "an element of the solution, though the operator and the right-hand side are;")
}
