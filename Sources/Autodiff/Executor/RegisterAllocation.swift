/// Turns a graph of scalar operations into instructions: what no output needs is left out, products that feed one sum
/// are fused with it, and registers are used again after their last use (those of inputs only if these are not kept).
struct RegisterAllocation {
  let program: RegisterProgram

  init(_ graph: ScalarGraph, _ outputs: [[Int32]], keepsInputs: Bool = false) {
    var nodes = graph.nodes
    let useCounts = Self.uses(nodes, outputs)
    Self.fuse(&nodes, useCounts)
    let uses = Self.uses(nodes, outputs)

    // Where each node is used last, as a number of a node; outputs live to the end.
    var last = [Int32](repeating: -1, count: nodes.count)
    for (index, node) in nodes.enumerated() where node.kind == .operation && uses[index] > 0 {
      for operand in [node.a, node.b, node.c] where operand >= 0 { last[Int(operand)] = Int32(index) }
    }
    for output in outputs.joined() { last[Int(output)] = Int32.max }

    var register = [UInt32](repeating: 0, count: nodes.count)
    var instructions: [Instruction] = []
    var constants: [Double] = []
    var loads: [RegisterProgram.Load] = []
    var stores: [RegisterProgram.Store] = []
    var free: [UInt32] = []
    var count = 0
    func take() -> UInt32 {
      if let reused = free.popLast() { return reused }
      count += 1
      return UInt32(count - 1)
    }
    // Constants stay where they are; inputs are all loaded before the first instruction.
    for (index, node) in nodes.enumerated() where uses[index] > 0 && node.kind == .constant {
      let place = take()
      register[index] = place
      constants.append(Double(bitPattern: node.bits))
    }
    for (index, node) in nodes.enumerated() where uses[index] > 0 && node.kind == .input {
      let place = take()
      register[index] = place
      loads.append(RegisterProgram.Load(input: node.a, element: node.b, register: place))
    }
    for (index, node) in nodes.enumerated() where uses[index] > 0 && node.kind == .operation {
      let operands = [node.a, node.b, node.c].map { $0 >= 0 ? register[Int($0)] : 0 }
      for operand in [node.a, node.b, node.c] where operand >= 0 && last[Int(operand)] == index {
        let kind = nodes[Int(operand)].kind
        if kind == .operation || (kind == .input && !keepsInputs) { free.append(register[Int(operand)]) }
        // An operand that occurs twice is released once.
        last[Int(operand)] = -1
      }
      let target = take()
      register[index] = target
      instructions.append(
        Instruction(operation: node.operation, target: target, a: operands[0], b: operands[1], c: operands[2])
      )
    }
    for (number, elements) in outputs.enumerated() {
      for (element, id) in elements.enumerated() {
        stores.append(
          RegisterProgram.Store(output: Int32(number), element: Int32(element), register: register[Int(id)]))
      }
    }
    program = RegisterProgram(
      instructions, constants: constants, loads: loads, stores: stores, registerCount: count,
      keepsInputs: keepsInputs, isSingle: graph.isSingle)
  }

  /// How often each node is used by nodes that are needed, and by outputs.
  private static func uses(_ nodes: [ScalarGraph.Node], _ outputs: [[Int32]]) -> [Int32] {
    var uses = [Int32](repeating: 0, count: nodes.count)
    for output in outputs.joined() { uses[Int(output)] += 1 }
    for index in nodes.indices.reversed() where uses[index] > 0 && nodes[index].kind == .operation {
      for operand in [nodes[index].a, nodes[index].b, nodes[index].c] where operand >= 0 {
        uses[Int(operand)] += 1
      }
    }
    return uses
  }

  private static func fuse(_ nodes: inout [ScalarGraph.Node], _ uses: [Int32]) {
    let multiply = RegisterOperation.binary + Binary.multiply.rawValue
    let add = RegisterOperation.binary + Binary.add.rawValue
    let subtract = RegisterOperation.binary + Binary.subtract.rawValue
    let square = Unary.square.rawValue
    /// The factors of a product that only one sum uses.
    func factors(_ id: Int32) -> (Int32, Int32)? {
      let node = nodes[Int(id)]
      guard node.kind == .operation, uses[Int(id)] == 1 else { return nil }
      if node.operation == multiply { return (node.a, node.b) }
      if node.operation == square { return (node.a, node.a) }
      return nil
    }
    for (index, node) in nodes.enumerated() where node.kind == .operation && uses[index] > 0 {
      if node.operation == add, let (p, q) = factors(node.a) {
        nodes[index] = .init(
          kind: .operation, operation: RegisterOperation.multiplyAdd, a: p, b: q, c: node.b)
      } else if node.operation == add, let (p, q) = factors(node.b) {
        nodes[index] = .init(
          kind: .operation, operation: RegisterOperation.multiplyAdd, a: p, b: q, c: node.a)
      } else if node.operation == subtract, let (p, q) = factors(node.a) {
        nodes[index] = .init(
          kind: .operation, operation: RegisterOperation.multiplySubtract, a: p, b: q, c: node.b)
      } else if node.operation == subtract, let (p, q) = factors(node.b) {
        nodes[index] = .init(
          kind: .operation, operation: RegisterOperation.subtractProduct, a: p, b: q, c: node.a)
      }
    }
  }
}
