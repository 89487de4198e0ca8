/// Scalar operations on numbered nodes, simplified as they are made. Equal operations are one node.
///
/// What is zero by construction disappears: a product with the constant zero is zero, whatever the other factor.
struct ScalarGraph {
  enum Kind: UInt8 { case constant, input, operation }
  struct Node: Equatable {
    var kind: Kind
    var operation: UInt8 = 0
    var a: Int32 = -1
    var b: Int32 = -1
    var c: Int32 = -1
    /// The number of a constant.
    var bits: UInt64 = 0

    fileprivate var hash: NumberTable.Hash {
      var hash = NumberTable.Hash()
      hash.combine(UInt64(kind.rawValue) << 8 | UInt64(operation))
      hash.combine(UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b)))
      hash.combine(bits ^ UInt64(UInt32(bitPattern: c)))
      return hash
    }
  }
  private(set) var nodes: [Node] = []
  private var numbers = NumberTable()
  /// More nodes than this are not worth expanding.
  let limit: Int
  private(set) var isFull = false

  /// Computes in float32: what is known is rounded as the machine would.
  let isSingle: Bool

  init(limit: Int, isSingle: Bool) {
    self.limit = limit
    self.isSingle = isSingle
  }

  mutating func constant(_ value: Double) -> Int32 { intern(Node(kind: .constant, bits: value.bitPattern)) }
  mutating func input(_ index: Int, element: Int) -> Int32 {
    intern(Node(kind: .input, a: Int32(index), b: Int32(element)))
  }
  /// The result of an operation on constants.
  private mutating func folded(_ value: Double) -> Int32 { constant(isSingle ? Double(Float(value)) : value) }
  func value(_ id: Int32) -> Double? {
    let node = nodes[Int(id)]
    return node.kind == .constant ? Double(bitPattern: node.bits) : nil
  }
  private mutating func intern(_ node: Node) -> Int32 {
    let place = numbers.place(node.hash) { nodes[Int($0)] == node }
    if let known = numbers[place] { return known }
    if nodes.count >= limit {
      isFull = true
      return 0
    }
    let number = Int32(nodes.count)
    nodes.append(node)
    numbers.insert(number, at: place)
    if numbers.isCrowded { numbers = numbers.grown { nodes[Int($0)].hash } }
    return number
  }
  private func operation(_ id: Int32) -> UInt8? {
    let node = nodes[Int(id)]
    return node.kind == .operation ? node.operation : nil
  }

  /// What a negation negates.
  private func negated(_ id: Int32) -> Int32? {
    operation(id) == Unary.negate.rawValue ? nodes[Int(id)].a : nil
  }

  mutating func unary(_ operation: Unary, _ a: Int32) -> Int32 {
    if let x = value(a) { return folded(operation.value(x)) }
    if let inner = negated(a) {
      if operation == .negate { return inner }
      if operation == .square || operation == .absolute { return unary(operation, inner) }
    }
    return intern(Node(kind: .operation, operation: operation.rawValue, a: a))
  }

  mutating func binary(_ operation: Binary, _ a: Int32, _ b: Int32) -> Int32 {
    let (x, y) = (value(a), value(b))
    if let x, let y { return folded(operation.value(x, y)) }
    // Signs go outwards, where sums take them in.
    switch operation {
    case .add:
      if x == 0 { return b }
      if y == 0 { return a }
      // −(p + q) for −p − q would turn the sign of a zero.
      if let q = negated(b) { return binary(.subtract, a, q) }
      if let p = negated(a) { return binary(.subtract, b, p) }
    case .subtract:
      if y == 0 { return a }
      if x == 0 { return unary(.negate, b) }
      if let q = negated(b) { return binary(.add, a, q) }
    case .multiply:
      if x == 0 || y == 0 { return constant(0) }
      if x == 1 { return b }
      if y == 1 { return a }
      if x == -1 { return unary(.negate, b) }
      if y == -1 { return unary(.negate, a) }
      if a == b { return unary(.square, a) }
      if let p = negated(a) { return unary(.negate, binary(.multiply, p, b)) }
      if let q = negated(b) { return unary(.negate, binary(.multiply, a, q)) }
    case .divide:
      if x == 0 { return constant(0) }
      if y == 1 { return a }
      if let p = negated(a) { return unary(.negate, binary(.divide, p, b)) }
      if let q = negated(b) { return unary(.negate, binary(.divide, a, q)) }
      // Division by a power of two is exact as a product.
      if let y, y.significand == 1, Float(y).isNormal, Float(1 / y).isNormal {
        return binary(.multiply, a, constant(1 / y))
      }
    case .power, .arcTangent2, .minimum, .maximum, .remainder: break
    }
    let isCommutative = operation == .add || operation == .multiply
    let (p, q) = isCommutative && a > b ? (b, a) : (a, b)
    return intern(
      Node(kind: .operation, operation: RegisterOperation.binary + operation.rawValue, a: p, b: q))
  }

  mutating func compare(_ operation: Comparison, _ a: Int32, _ b: Int32) -> Int32 {
    if let x = value(a), let y = value(b) { return constant(operation.holds(x, y) ? 1 : 0) }
    return intern(
      Node(kind: .operation, operation: RegisterOperation.comparison + operation.rawValue, a: a, b: b))
  }
  mutating func logic(_ operation: Logical, _ a: Int32, _ b: Int32) -> Int32 {
    switch (operation, value(a), value(b)) {
    case (.and, let x?, _): return x != 0 ? b : constant(0)
    case (.and, _, let y?): return y != 0 ? a : constant(0)
    case (.or, let x?, _): return x != 0 ? constant(1) : b
    case (.or, _, let y?): return y != 0 ? constant(1) : a
    case (.exclusiveOr, let x?, let y?): return constant((x != 0) != (y != 0) ? 1 : 0)
    default: break
    }
    return intern(
      Node(kind: .operation, operation: RegisterOperation.logical + operation.rawValue, a: a, b: b))
  }
  mutating func select(_ mask: Int32, _ a: Int32, _ b: Int32) -> Int32 {
    if let chosen = value(mask) { return chosen != 0 ? a : b }
    if a == b { return a }
    return intern(Node(kind: .operation, operation: RegisterOperation.select, a: mask, b: a, c: b))
  }
  mutating func truth(_ a: Int32) -> Int32 {
    if let x = value(a) { return constant(x != 0 ? 1 : 0) }
    return intern(Node(kind: .operation, operation: RegisterOperation.truth, a: a))
  }
}
