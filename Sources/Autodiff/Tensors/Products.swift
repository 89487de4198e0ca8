/// The matrix product by NumPy's rules: vectors are rows on the left and columns on the right, leading axes are stacks that
/// broadcast.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
  if case .failed = a.representation { return a }
  if case .failed = b.representation { return b }
  guard a.rank > 0, b.rank > 0 else {
    return TensorError(
      .shape, "matmul", "operands of shapes \(a.shape) and \(b.shape): a scalar is not a matrix"
    ).report()
  }
  let type = max(a.elementType, b.elementType, .int32)
  var x = a.converted(to: type)
  var y = b.converted(to: type)
  if a.rank == 1 { x = x.reshaped([1, a.count]) }
  if b.rank == 1 { y = y.reshaped([b.count, 1]) }
  let (m, k, n) = (x.shape[x.rank - 2], x.shape[x.rank - 1], y.shape[y.rank - 1])
  guard k == y.shape[y.rank - 2],
    let lead = broadcastShape(Array(x.shape.dropLast(2)), Array(y.shape.dropLast(2)))
  else {
    return TensorError(
      .shape, "matmul",
      "the shapes \(a.shape) and \(b.shape) do not fit together: the last axis of the first must agree "
        + "with the last but one of the second, and axes before them broadcast"
    ).report()
  }
  var result: Tensor
  if y.rank == 2 {
    // One matrix for the whole stack: one large product.
    result = bind1(MatrixProduct(), x.reshaped([1, lead.elementCount * m, k]), y.reshaped([1, k, n]))
  } else {
    x = x.broadcast(to: lead + [m, k]).reshaped([lead.elementCount, m, k])
    y = y.broadcast(to: lead + [k, n]).reshaped([lead.elementCount, k, n])
    result = bind1(MatrixProduct(), x, y)
  }
  result = result.reshaped(lead + (a.rank == 1 ? [] : [m]) + (b.rank == 1 ? [] : [n]))
  return result
}

/// The sum of products along the last axes: the inner product of vectors.
public func dot(_ a: Tensor, _ b: Tensor) -> Tensor { (a * b).sum(axis: -1) }

/// The products of all pairs of elements of two vectors.
public func outer(_ a: Tensor, _ b: Tensor) -> Tensor {
  matmul(a.reshaped([a.count, 1]), b.reshaped([1, b.count]))
}

/// Sums of products by Einstein's convention, as `einsum("bij,jk->bik", x, y)`.
///
/// A letter names an axis; letters that the result does not name are summed over. Without an arrow the result has the
/// letters that occur once, in alphabetical order. Products are formed from left to right.
public func einsum(_ formula: String, _ operands: Tensor...) -> Tensor {
  do throws(TensorError) {
    return try Einsum(formula, operands.map(\.shape)).apply(operands)
  } catch { return error.report() }
}

private struct Einsum {
  var inputs: [[Character]]
  var output: [Character]

  init(_ formula: String, _ shapes: [[Int]]) throws(TensorError) {
    func fail(_ message: String) -> TensorError {
      TensorError(.shape, "einsum", "\(message) (formula \"\(formula)\", shapes \(shapes))")
    }
    let text = formula.filter { $0 != " " }
    let sides = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    inputs = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
    guard inputs.joined().allSatisfy({ $0.isLetter }) else { throw fail("axes are named by letters") }
    if sides.count == 2 {
      guard sides[1].first == ">" else { throw fail("the result stands after ->") }
      output = Array(sides[1].dropFirst())
    } else {
      let all = inputs.joined()
      output = Set(all).filter { letter in all.filter { $0 == letter }.count == 1 }.sorted()
    }
    guard inputs.count == shapes.count else { throw fail("there must be one term for each operand") }
    var extents: [Character: Int] = [:]
    for (term, shape) in zip(inputs, shapes) {
      guard term.count == shape.count else { throw fail("the term \(String(term)) needs \(term.count) axes") }
      for (letter, extent) in zip(term, shape) {
        if let known = extents[letter], known != extent {
          throw fail("the axis \(letter) has extents \(known) and \(extent)")
        }
        extents[letter] = extent
      }
    }
    guard Set(output).count == output.count, output.allSatisfy({ extents[$0] != nil }) else {
      throw fail("the result must name axes of the operands, each once")
    }
  }

  func apply(_ operands: [Tensor]) throws(TensorError) -> Tensor {
    var (result, names) = Self.withoutRepeats(operands[0], inputs[0])
    for (index, operand) in operands.enumerated().dropFirst() {
      let (next, nextNames) = Self.withoutRepeats(operand, inputs[index])
      let later = Set(output).union(inputs.dropFirst(index + 1).joined())
      (result, names) = Self.contract(result, names, next, nextNames, keeping: later)
    }
    (result, names) = Self.summed(result, names, keeping: Set(output))
    return result.transposed(output.map { names.firstIndex(of: $0)! })
  }

  /// The diagonal where a letter occurs twice in a term.
  private static func withoutRepeats(_ x: Tensor, _ names: [Character]) -> (Tensor, [Character]) {
    var (x, names) = (x, names)
    while let second = names.indices.first(where: { names[..<$0].contains(names[$0]) }) {
      let first = names.firstIndex(of: names[second])!
      x = x.movingAxis(first, to: -1)
      // The other one has moved to the left.
      x = x.movingAxis(second - 1, to: -1).diagonal
      let letter = names[second]
      names.remove(at: second)
      names.remove(at: first)
      names.append(letter)
    }
    return (x, names)
  }
  private static func summed(_ x: Tensor, _ names: [Character], keeping: Set<Character>) -> (
    Tensor, [Character]
  ) {
    let axes = names.indices.filter { !keeping.contains(names[$0]) }
    return axes.isEmpty ? (x, names) : (x.sum(axes: axes), names.filter { keeping.contains($0) })
  }
  private static func contract(
    _ a: Tensor, _ aNames: [Character], _ b: Tensor, _ bNames: [Character], keeping: Set<Character>
  ) -> (Tensor, [Character]) {
    // What only one of them has, and nobody wants, is summed first.
    let (x, xNames) = summed(a, aNames, keeping: keeping.union(bNames))
    let (y, yNames) = summed(b, bNames, keeping: keeping.union(aNames))
    let shared = xNames.filter { yNames.contains($0) }
    let stack = shared.filter { keeping.contains($0) }
    let contracted = shared.filter { !keeping.contains($0) }
    let left = xNames.filter { !shared.contains($0) }
    let right = yNames.filter { !shared.contains($0) }
    func extents(_ names: [Character]) -> [Int] {
      names.map { name in
        xNames.firstIndex(of: name).map { x.shape[$0] } ?? y.shape[yNames.firstIndex(of: name)!]
      }
    }
    let (s, c, l, r) = (extents(stack), extents(contracted), extents(left), extents(right))
    let p = x.transposed((stack + left + contracted).map { xNames.firstIndex(of: $0)! })
      .reshaped([s.elementCount, l.elementCount, c.elementCount])
    let q = y.transposed((stack + contracted + right).map { yNames.firstIndex(of: $0)! })
      .reshaped([s.elementCount, c.elementCount, r.elementCount])
    return (matmul(p, q).reshaped(s + l + r), stack + left + right)
  }
}
