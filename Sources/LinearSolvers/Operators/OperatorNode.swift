import Autodiff
import LinearAlgebra
import Synchronization

/// The form of an operator without its numbers. The numbers are tensors, in the order of `parameterTypes`.
struct OperatorNode: Hashable, Sendable {
  indirect enum Kind: Hashable, Sendable {
    /// `[rows, columns]`
    case dense
    /// One number for each entry.
    case sparse(SparsityPattern)
    /// `[rows]`
    case diagonal
    /// `[lower + upper + 1, rows]`, highest diagonal first; element (i, j) at `[upper + i - j, j]`.
    case banded(lower: Int, upper: Int)
    /// Below, on and above the diagonal.
    case tridiagonal
    /// `[count, block rows, block columns]`
    case blockDiagonal(count: Int)
    /// The base's parameters, then U and V, `[rows, rank]`.
    case lowRankUpdate(OperatorNode, rank: Int)
    case kronecker([OperatorNode])
    /// What the function captures.
    case function(FunctionMap)
    case sum([OperatorNode])
    case product([OperatorNode])
    /// A factor, then the child's parameters.
    case scaled(OperatorNode)
    case transposed(OperatorNode)
  }
  let kind: Kind
  let rows: Int
  let columns: Int
  let tags: OperatorTags
  /// Where the numbers of a banded matrix stand, and those of the whole operator in its sparse form.
  let bandForms = SparseFormCache()
  let sparseForms = SparseFormCache()

  init(_ kind: Kind, _ rows: Int, _ columns: Int, _ tags: OperatorTags = []) {
    self.kind = kind
    self.rows = rows
    self.columns = columns
    self.tags = tags
  }

  static func == (a: OperatorNode, b: OperatorNode) -> Bool {
    a.rows == b.rows && a.columns == b.columns && a.tags == b.tags && a.kind == b.kind
  }
  func hash(into hasher: inout Hasher) {
    hasher.combine(kind)
    hasher.combine(rows)
    hasher.combine(columns)
    hasher.combine(tags)
  }

  var isSquare: Bool { rows == columns }
  var isSymmetric: Bool { tags.contains(.symmetric) }
  var isPositiveDefinite: Bool { tags.contains(.positiveDefinite) }

  /// Shapes of the parameters, without batches.
  var parameterShapes: [[Int]] {
    switch kind {
    case .dense: [[rows, columns]]
    case .sparse(let pattern): [[pattern.entryCount]]
    case .diagonal: [[rows]]
    case .banded(let lower, let upper): [[lower + upper + 1, rows]]
    case .tridiagonal: [[max(rows - 1, 0)], [rows], [max(rows - 1, 0)]]
    case .blockDiagonal(let count): [[count, rows / max(count, 1), columns / max(count, 1)]]
    case .lowRankUpdate(let base, let rank): base.parameterShapes + [[rows, rank], [columns, rank]]
    case .function(let map): map.captureTypes.map(\.shape)
    case .kronecker(let children), .sum(let children), .product(let children):
      children.flatMap(\.parameterShapes)
    case .scaled(let child): [[]] + child.parameterShapes
    case .transposed(let child): child.parameterShapes
    }
  }
  var parameterCount: Int { parameterShapes.count }

  /// The children with their share of the parameters.
  static func pairs<P>(_ children: [OperatorNode], _ parameters: ArraySlice<P>) -> [(
    OperatorNode, ArraySlice<P>
  )] {
    var rest = parameters
    return children.map { child in
      let count = child.parameterCount
      defer { rest = rest.dropFirst(count) }
      return (child, rest.prefix(count))
    }
  }

  /// Functions that are part of the operator.
  var functions: [FunctionMap] {
    switch kind {
    case .function(let map): [map]
    case .kronecker(let children), .sum(let children), .product(let children): children.flatMap(\.functions)
    case .scaled(let child), .transposed(let child), .lowRankUpdate(let child, _): child.functions
    default: []
    }
  }
  /// What the operator is called in messages.
  var label: String {
    switch kind {
    case .dense: "dense"
    case .sparse: "sparse"
    case .diagonal: "diagonal"
    case .banded: "banded"
    case .tridiagonal: "tridiagonal"
    case .blockDiagonal: "block-diagonal"
    case .lowRankUpdate: "low-rank update"
    case .kronecker: "Kronecker product"
    case .function: "function"
    case .sum: "sum"
    case .product: "product"
    case .scaled(let child): "scaled \(child.label)"
    case .transposed(let child): "transposed \(child.label)"
    }
  }
}

/// A linear function of a vector, recorded once.
final class FunctionMap: Hashable, Sendable {
  /// The vector and captures to the result.
  let program: Program
  /// Captures and a cotangent of the result to a cotangent of the vector.
  let transposedProgram: Program

  var captureTypes: [TensorType] { Array(program.inputTypes.dropFirst()) }

  init(_ program: Program) throws {
    self.program = program
    // A choice by the vector itself has a transpose for every choice, and is not linear.
    var depends = [Bool](repeating: false, count: program.types.count)
    if let vector = program.inputs.first { depends[Int(vector)] = true }
    for equation in program.equations
    where program.operands(of: equation).contains(where: { depends[Int($0)] }) {
      for result in equation.results {
        guard program.types[result].elementType.isFloatingPoint else {
          throw TensorError(
            .unsupportedDerivative, program.primitive(of: equation).name,
            "gives \(program.types[result].elementType) that depends on the vector")
        }
        depends[result] = true
      }
    }
    transposedProgram = try program.transposedProgram(isLinear: program.inputs.indices.map { $0 == 0 })
  }
  static func == (a: FunctionMap, b: FunctionMap) -> Bool { a === b }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

  /// The results for the columns of a matrix, computed in the types in which the function was recorded.
  func apply(_ given: [Tensor], _ x: Tensor, transposed: Bool) throws -> Tensor {
    let count = x.shape[1]
    let captures = zip(given, captureTypes).map { $0.converted(to: $1.elementType) }
    let rows = x.transposed.converted(to: program.inputTypes[0].elementType)
    let (results, flags) =
      transposed
      ? try transposedProgram.batched(
        captures + [rows], captures.map { _ in false } + [true], size: count)
      : try program.batched([rows] + captures, [true] + captures.map { _ in false }, size: count)
    return results[0].batched(flags[0], count).transposed.converted(to: x.elementType)
  }
}

/// Places of an operator's numbers in a sparse matrix, found once.
final class SparseFormCache: Sendable {
  struct Form: Sendable {
    var pattern: SparsityPattern
    /// The place of each number.
    var places: [Int]
  }
  private let form = Mutex<Form?>(nil)
  func form(make: () throws -> Form) rethrows -> Form {
    if let known = form.withLock({ $0 }) { return known }
    let made = try make()
    form.withLock { $0 = made }
    return made
  }
}
