/// One operation that programs are made of, with all its rules.
///
/// Each family of primitives lives in a file of its own, the rules beside the computation. Rules are written with
/// ordinary tensor functions: run on numbers they compute, run while tracing they record, and so they compose to any
/// order.
package protocol Primitive: Hashable, Sendable {
  /// What the printed program calls it.
  var name: String { get }
  /// Its parameters, as printed in brackets after the name; empty if there are none.
  var attributes: String { get }

  /// The types of the results, or the error that names operation and shapes.
  func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType]

  /// Computes the results. Types have been checked.
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray]

  /// Results and their tangents. A tangent that is nil is zero; at least one operand's is not nil.
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?])

  /// Cotangents of the linear operands (nil: zero, or not linear), given those of the results. The operation is
  /// linear in the operands marked so, jointly.
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?]

  /// The operation for many operands at once: batched operands have the batch as their axis 0, and so have batched
  /// results.
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  )

  /// Splits an equation of which some operands are known before the others. Nil: if one operand is unknown, so are all
  /// results.
  func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation?

  /// A small number that identifies the primitive, for those without parameters that fill long programs.
  var internalCode: Int? { get }

  /// How an elementwise structural zero passes through the transposed operation.
  var zeroPattern: ZeroPattern { get }
}

/// A primitive that prepares something for others, which need not be kept if there is only one of these.
package protocol PreparingPrimitive: Primitive {
  /// The same for one use.
  var usedOnce: any Primitive { get }
}

/// An operand of a primitive that is being transposed.
package enum TransposeOperand {
  /// A coefficient.
  case known(Tensor)
  /// The operation is linear in this operand, and its cotangent is wanted.
  case linear(TensorType)

  package var known: Tensor? { if case .known(let tensor) = self { tensor } else { nil } }
  package var isLinear: Bool { if case .linear = self { true } else { false } }
  package var type: TensorType {
    switch self {
    case .known(let tensor): tensor.type
    case .linear(let type): type
    }
  }
}

/// Where cotangents that are zero by construction (the branch that `select` did not take) go in a transposed
/// primitive.
package enum ZeroPattern: Sendable {
  /// Element by element: the cotangents of the operands are zero where the result's is.
  case elementwise
  /// A selection: each branch's cotangent is zero where the other was taken.
  case selection
  /// The transposed operation applied to the pattern gives the pattern of the operand.
  case structural
  /// Not followed.
  case none
}

/// The two halves of a partially known equation.
package struct SplitEquation {
  /// Computes the known results, then residuals, from the known operands.
  var known: any Primitive
  var knownOperands: [Int]
  /// Which of the original results the known half computes, in order; what it computes after them are residuals.
  var knownResults: [Int]
  /// Computes the unknown results from these original operands followed by the residuals.
  var unknown: any Primitive
  var unknownOperands: [Int]
  var unknownResults: [Int]
}

extension Primitive {
  package var attributes: String { "" }
  package func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation? { nil }
  package var zeroPattern: ZeroPattern { .none }
  package var internalCode: Int? { nil }

  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    throw TensorError(
      .unsupportedDerivative, name,
      "is not linear, so that it has no transpose; this is a defect of its jvp rule")
  }

  /// The values of operands in which the operation is not linear. One of them that depends on what a function is transposed in
  /// has a transpose for each of its values and none as a whole: an error, not a cotangent that is zero.
  package func coefficients(_ operands: some Sequence<TransposeOperand>, _ role: String) throws(TensorError)
    -> [Tensor]
  {
    var values: [Tensor] = []
    for operand in operands {
      guard let value = operand.known else {
        throw TensorError(
          .unsupportedDerivative, name,
          "\(role) depends on the argument in which the function is transposed; the function is not linear in it"
        )
      }
      values.append(value)
    }
    return values
  }

  /// Name and parameters.
  var label: String { attributes.isEmpty ? name : "\(name)[\(attributes)]" }
  func isEqual(_ other: any Primitive) -> Bool { (other as? Self) == self }
}
