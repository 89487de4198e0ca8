import Autodiff
import LinearAlgebra
import LinearSolvers
import Synchronization

/// A traced function of unknowns and parameters, with its derivatives, as compiled functions of one flat float64 vector; each is made when it is
/// first asked for. Shared by threads.
final class VectorPrograms: Sendable {
  /// What is computed. The unknowns are one vector x of n elements, the results one of m.
  enum Kind: Int, CaseIterable {
    /// F(x).
    case value
    /// F(x) and the m x n Jacobian.
    case valueAndJacobian
    /// F(x) and the Jacobian's entries on its pattern.
    case valueAndSparseJacobian
    /// J(x) v for the vector that follows the parameters.
    case pushforward
    /// J(x)ᵀ u.
    case pullback
    /// For one result: F(x) and its gradient.
    case valueAndGradient
    /// For one result: gradient and n x n Hessian.
    case gradientAndHessian
    /// For one result: the Hessian times the vector that follows the parameters.
    case hessianProduct
  }
  let program: Program
  let unknownTypes: [TensorType]
  let parameterTypes: [TensorType]
  let unknownCount: Int
  let resultCount: Int
  /// Threads that ask for the same function wait until one of them has made it.
  private let sources = Mutex<[Kind: ResidentSource]>([:])
  private let knownPattern = Mutex<SparsityPattern?>(nil)

  /// - Parameter program: unknowns, then parameters, to results.
  init(_ program: Program, unknowns count: Int) {
    self.program = program
    unknownTypes = Array(program.inputTypes.prefix(count))
    parameterTypes = Array(program.inputTypes.dropFirst(count))
    unknownCount = unknownTypes.map(\.count).reduce(0, +)
    resultCount = program.outputTypes.map(\.count).reduce(0, +)
  }

  /// The compiled function: x, parameters, and where there is one a vector.
  func source(_ kind: Kind) throws -> ResidentSource {
    try sources.withLock {
      if let known = $0[kind] { return known }
      let made = try ResidentSource(try traced(kind))
      $0[kind] = made
      return made
    }
  }

  /// Where the Jacobian can have entries.
  func pattern() throws -> SparsityPattern {
    try knownPattern.withLock {
      if let known = $0 { return known }
      let made = try jacobianSparsity(
        of: function(parameterTypes.map { Tensor.zeros($0.shape) }), at: Tensor.zeros([unknownCount]))
      $0 = made
      return made
    }
  }

  /// The function of the flat vector. Parameters are given in float64, and converted to what they were.
  private func function(_ parameters: [Tensor]) -> (Tensor) throws -> Tensor {
    { [program, unknownTypes, parameterTypes] x in
      let parts =
        unknownTypes.count == 1 ? [x] : x.split(sizes: unknownTypes.map(\.count), axis: 0)
      let unknowns = zip(parts, unknownTypes).map { $0.reshaped($1.shape).converted(to: $1.elementType) }
      let results = try program(
        unknowns + zip(parameters, parameterTypes).map { $0.converted(to: $1.elementType) })
      let flat = results.map { $0.flattened.converted(to: .float64) }
      return flat.count == 1 ? flat[0] : concatenate(flat)
    }
  }

  private func traced(_ kind: Kind) throws -> Program {
    let n = unknownCount
    var arguments = [Tensor.zeros([n])] + parameterTypes.map { Tensor.zeros($0.shape) }
    switch kind {
    case .pushforward, .hessianProduct: arguments.append(Tensor.zeros([n]))
    case .pullback: arguments.append(Tensor.zeros([resultCount]))
    default: break
    }
    let count = parameterTypes.count
    return try Autodiff.program(
      of: { (all: [Tensor]) throws -> [Tensor] in
        let f = function(Array(all[1..<count + 1]))
        let scalar = { (x: Tensor) throws -> Tensor in try f(x)[0] }
        switch kind {
        case .value: return [try f(all[0])]
        case .valueAndJacobian: return [try f(all[0]), try jacobian(f)(all[0])]
        case .valueAndSparseJacobian: return [try f(all[0]), try sparseJacobian(f)(all[0]).values]
        case .pushforward: return [try jvp(f, at: all[0], along: all[count + 1]).tangent]
        case .pullback: return [try vjp(f, at: all[0]).pullback(all[count + 1])]
        case .valueAndGradient:
          let (value, gradient) = try valueAndGrad(scalar)(all[0])
          return [value, gradient]
        case .gradientAndHessian: return [try grad(scalar)(all[0]), try hessian(scalar)(all[0])]
        case .hessianProduct: return [try hvp(scalar, at: all[0], along: all[count + 1])]
        }
      }, at: arguments)
  }
}

/// A function of a vector with the parameters of one problem after the other, for one thread: what solvers evaluate. It counts evaluations.
final class VectorFunction {
  let programs: VectorPrograms
  let n: Int
  let m: Int
  private(set) var evaluations = 0
  private(set) var derivativeEvaluations = 0
  /// The first error of an operation inside of the function; its results are NaN.
  private(set) var failure: TensorError?
  private let parameterCount: Int
  /// Of the solve that runs; between solves none are kept.
  private unowned(unsafe) var numbers: ProblemNumbers?
  private var problem = 0
  private var residents = [ResidentProgram<Double>?](
    repeating: nil, count: VectorPrograms.Kind.allCases.count)

  init(_ programs: VectorPrograms) {
    self.programs = programs
    n = programs.unknownCount
    m = programs.resultCount
    parameterCount = programs.parameterTypes.count
  }

  /// Takes the parameters of a problem, and begins to count.
  func bind(_ numbers: ProblemNumbers, _ problem: Int) {
    (self.numbers, self.problem) = (numbers, problem)
    (evaluations, derivativeEvaluations, failure) = (0, 0, nil)
    for resident in residents { if let resident { load(resident) } }
  }

  private func load(_ resident: ResidentProgram<Double>) {
    guard let numbers else { preconditionFailure("a function is evaluated before it has parameters") }
    for k in 0..<parameterCount { resident.inputs[k + 1] = numbers.parameter(k, problem) }
    resident.load()
  }

  private func resident(_ kind: VectorPrograms.Kind) throws -> ResidentProgram<Double> {
    if let known = residents[kind.rawValue] { return known }
    let source = try programs.source(kind)
    let made = ResidentProgram<Double>(
      source, isFixed: source.inputTypes.indices.map { $0 > 0 && $0 <= parameterCount })
    load(made)
    residents[kind.rawValue] = made
    return made
  }

  /// Runs a compiled function.
  private func run(
    _ kind: VectorPrograms.Kind, _ x: [Double], _ vector: [Double]? = nil,
    _ first: inout [Double], _ second: UnsafeMutablePointer<Double>? = nil
  ) throws {
    let program = try resident(kind)
    let place = parameterCount + 1
    x.withUnsafeBufferPointer { x in
      first.withUnsafeMutableBufferPointer { first in
        if let base = x.baseAddress { program.inputs[0] = base }
        if let base = first.baseAddress { program.outputs[0] = base }
        if let second { program.outputs[1] = second }
        if let vector {
          vector.withUnsafeBufferPointer { vector in
            if let base = vector.baseAddress { program.inputs[place] = base }
            program.run()
          }
        } else {
          program.run()
        }
      }
    }
    if failure == nil { failure = program.failure }
  }

  /// F(x) into `result`, of m elements.
  func value(_ x: [Double], into result: inout [Double]) throws {
    evaluations += 1
    try run(.value, x, nil, &result)
  }
  /// F(x) and the row-major Jacobian, m x n.
  func valueAndJacobian(_ x: [Double], into result: inout [Double], _ jacobian: inout [Double]) throws {
    derivativeEvaluations += 1
    try jacobian.withUnsafeMutableBufferPointer {
      try run(.valueAndJacobian, x, nil, &result, $0.baseAddress)
    }
  }
  /// F(x) and the entries of the Jacobian on the pattern.
  func valueAndSparseJacobian(_ x: [Double], into result: inout [Double], _ entries: inout [Double]) throws {
    derivativeEvaluations += 1
    try entries.withUnsafeMutableBufferPointer {
      try run(.valueAndSparseJacobian, x, nil, &result, $0.baseAddress)
    }
  }
  /// J(x) v.
  func pushforward(_ x: [Double], _ v: [Double], into result: inout [Double]) throws {
    derivativeEvaluations += 1
    try run(.pushforward, x, v, &result)
  }
  /// J(x)ᵀ u.
  func pullback(_ x: [Double], _ u: [Double], into result: inout [Double]) throws {
    derivativeEvaluations += 1
    try run(.pullback, x, u, &result)
  }
  /// The value of a scalar function.
  func objective(_ x: [Double]) throws -> Double {
    var result = [0.0]
    try value(x, into: &result)
    return result[0]
  }
  /// Value and gradient of a scalar function; counts as one evaluation and one of derivatives.
  func objective(_ x: [Double], gradient: inout [Double]) throws -> Double {
    evaluations += 1
    derivativeEvaluations += 1
    var result = [0.0]
    try gradient.withUnsafeMutableBufferPointer {
      try run(.valueAndGradient, x, nil, &result, $0.baseAddress)
    }
    return result[0]
  }
  /// The row-major Hessian of a scalar function, n x n, with its gradient.
  func hessian(_ x: [Double], gradient: inout [Double], into hessian: inout [Double]) throws {
    derivativeEvaluations += 1
    try hessian.withUnsafeMutableBufferPointer {
      try run(.gradientAndHessian, x, nil, &gradient, $0.baseAddress)
    }
  }
  /// The Hessian of a scalar function times v.
  func hessianProduct(_ x: [Double], _ v: [Double], into result: inout [Double]) throws {
    derivativeEvaluations += 1
    try run(.hessianProduct, x, v, &result)
  }
}
