public import Autodiff

/// The Euclidean norm of all numbers of a tree together, as a `float64` scalar.
public func globalNorm(_ tree: some TensorTree) -> Tensor {
  let squares = tree.leaves.map { square($0.converted(to: .float64)).sum() }
  return sqrt(squares.reduce(Tensor(0.0)) { $0 + $1 })
}

/// A gradient scaled down, if need be, to a norm (Pascanu et al. 2013).
/// - Throws: `TensorError` of the tree.
public func clipped<Tree: TensorTree>(_ gradient: Tree, toGlobalNorm limit: Double) throws -> Tree {
  let norm = globalNorm(gradient)
  let scale = select(norm .> limit, Tensor(limit) / maximum(norm, .leastNormalMagnitude), Tensor(1.0))
  return try gradient.mapLeaves { $0 * scale.converted(to: $0.elementType) }
}

/// A gradient each of whose numbers is held between −`limit` and `limit`.
/// - Throws: `TensorError` of the tree.
public func clipped<Tree: TensorTree>(_ gradient: Tree, toValue limit: Double) throws -> Tree {
  try gradient.mapLeaves { clamp($0, -limit, limit) }
}
