import TestSupport
import Testing

@testable import Autodiff

/// Programs whose work is in products of matrices, on whole arrays: results are those of the interpreter.
@Suite struct ArrayCodeTests {
  /// Runs the array code of a program several times.
  /// - Parameters:
  ///   - sum: the output that takes the place of an input, and that input.
  ///   - sharesMemory: whether the first output lies where the second input does.
  private func check(
    _ program: Program, isFixed: [Bool], sum: (output: Int, input: Int)? = nil, sharesMemory: Bool = false,
    seed: UInt64 = 1
  ) throws {
    let program = program.simplified()
    let code = try #require(ArrayCode.make(program, isFixed: isFixed))
    let lists = VectorLists(code, isFixed: isFixed)
    let memory = VectorMemory(lists, isFixed: isFixed)
    func block(_ count: Int) -> UnsafeMutablePointer<Double> {
      let block = UnsafeMutablePointer<Double>.allocate(capacity: count + 1)
      block.initialize(repeating: 7.5, count: count + 1)
      return block
    }
    let inputs = program.inputTypes.map { block($0.count) }
    let own = program.outputTypes.map { block($0.count) }
    defer {
      for pointer in inputs + own { pointer.deallocate() }
      memory.deallocate()
      lists.deallocate()
    }
    var outputs = own
    if let sum { outputs[sum.output] = inputs[sum.input] }
    if sharesMemory { outputs[0] = inputs[1] }
    let sources = inputs.map { UnsafePointer($0) }
    var random = SeededRandom(seed: seed)
    for round in 0..<3 {
      for (k, type) in program.inputTypes.enumerated() where round == 0 || !isFixed[k] {
        inputs[k].update(from: random.uniform(-1, 1, count: type.count), count: type.count)
      }
      let arguments: [DenseArray] = zip(inputs, program.inputTypes).map { pointer, type in
        DenseArray(Array(UnsafeBufferPointer(start: pointer, count: type.count)), shape: type.shape)
      }
      let expected = try program.interpret(arguments)
      sources.withUnsafeBufferPointer { sources in
        outputs.withUnsafeMutableBufferPointer { outputs in
          let places = UnsafeMutablePointer(mutating: sources.baseAddress!)
          if round == 0 { memory.load(places) }
          memory.run(places, outputs.baseAddress!)
        }
      }
      for (k, result) in expected.enumerated() {
        let values = result.values(Double.self)
        let isRight = values.indices.allSatisfy {
          abs(outputs[k][$0] - values[$0]) <= 1e-12 * max(1, abs(values[$0]))
        }
        #expect(isRight, "output \(k) in round \(round)")
        // Nothing lies behind.
        #expect(outputs[k][values.count] == 7.5)
      }
    }
  }

  private static func zeros(_ counts: [Int]) -> [Tensor] {
    [Tensor.zeros([])] + counts.map { Tensor.zeros([$0]) }
  }
  /// Two hidden layers of columns: y' = C tanh(B tanh(A y)) − y / 10.
  private static func network(_ n: Int, _ h: Int) -> (count: Int, rate: ([Tensor]) -> Tensor) {
    let count = 2 * n * h + h * h
    return (
      count,
      { a in
        let p = a[2]
        let first = p[0..<n * h].reshaped([h, n])
        let second = p[n * h..<n * h + h * h].reshaped([h, h])
        let third = p[n * h + h * h..<count].reshaped([n, h])
        return matmul(third, tanh(matmul(second, tanh(matmul(first, a[1]))))) - 0.1 * a[1]
      }
    )
  }
  /// Cotangents of state and parameters, of which the latter are added to what is there.
  private static func pullback(_ rate: @escaping ([Tensor]) throws -> Tensor, _ n: Int, _ p: Int) throws
    -> Program
  {
    try withTensorErrors {
      try stage(
        { (a: [Tensor]) throws -> [Tensor] in
          let (_, pullback) = try vjp({ (x: [Tensor]) in try rate([a[0]] + x) }, at: [a[1], a[2]])
          let cotangents = try pullback(a[3])
          return [cotangents[0], a[4] + cotangents[1]]
        }, zeros([n, p, n, p])
      ).program
    }
  }

  @Test(arguments: [1, 2, 3, 5, 8, 13], [1, 2, 3, 4, 7, 8, 9, 17, 25, 33, 40])
  func networks(_ n: Int, _ h: Int) throws {
    let (count, rate) = Self.network(n, h)
    let forward = try stage({ (a: [Tensor]) in [rate(a)] }, Self.zeros([n, count])).program
    try check(forward, isFixed: [false, false, true])
    try check(forward, isFixed: [false, false, false])
    let backward = try Self.pullback(rate, n, count)
    try check(backward, isFixed: [false, false, true, false, false], sum: (1, 4))
    // The sum elsewhere, and the first result in the place of an argument.
    try check(backward, isFixed: [false, false, true, false, false], sharesMemory: true)
    try check(backward, isFixed: [false, false, false, false, false], sum: (1, 4), sharesMemory: true)
  }

  // Cotangents of parameters are products in their places in the result: nothing is added on the way.
  @Test func productsInPlace() throws {
    let (count, rate) = Self.network(2, 24)
    let isFixed = [false, false, true, false, false]
    let program = try Self.pullback(rate, 2, count).simplified()
    let code = try #require(ArrayCode.make(program, isFixed: isFixed))
    #expect(code.results.count == 3 && code.additions.isEmpty && code.base?.count == count)
    #expect(code.loads.filter { $0.array == 4 }.isEmpty)
    // Two layers forwards, three back.
    #expect(code.products.count == 5)
    // Of this size it is worth it; of two components and two neurons not.
    #expect(code.isWorthwhile(insteadOf: try ResidentSource(program).registers))
    let (few, small) = Self.network(2, 2)
    let smallProgram = try Self.pullback(small, 2, few).simplified()
    #expect(
      try #require(ArrayCode.make(smallProgram, isFixed: isFixed)).isWorthwhile(
        insteadOf: ResidentSource(smallProgram).registers) == false)
  }

  // What is too large to be expanded is one piece of code, not parts.
  @Test func largeNetworks() throws {
    let (count, rate) = Self.network(3, 70)
    let source = try ResidentSource(try Self.pullback(rate, 3, count))
    #expect(!source.isScalar)
    let program = ResidentProgram<Double>(
      source, isFixed: [false, false, true, false, false], inPlace: [nil, 4])
    var random = SeededRandom(seed: 3)
    var arrays: [[Double]] = [1, 3, count, 3, count, 3].map { random.uniform(-1, 1, count: $0) }
    let expected = try source.compiled.program.interpret(
      zip(arrays, source.inputTypes).map { DenseArray($0, shape: $1.shape) })
    let pointers = arrays.indices.map { k in
      let pointer = UnsafeMutablePointer<Double>.allocate(capacity: arrays[k].count)
      pointer.initialize(from: arrays[k], count: arrays[k].count)
      return pointer
    }
    defer { for pointer in pointers { pointer.deallocate() } }
    for k in 0..<5 { program.inputs[k] = UnsafePointer(pointers[k]) }
    (program.outputs[0], program.outputs[1]) = (pointers[5], pointers[4])
    program.load()
    program.run()
    #expect(program.failure == nil)
    for (k, place) in [5, 4].enumerated() {
      arrays[place] = Array(UnsafeBufferPointer(start: pointers[place], count: arrays[place].count))
      #expect(zip(arrays[place], expected[k].values(Double.self)).allSatisfy { abs($0 - $1) < 1e-12 })
    }
  }

  /// Random operations around products: of stacks, of matrices that change, of what is gathered, broadcast, joined and summed.
  private static func random(_ seed: UInt64) -> ([Tensor]) -> Tensor {
    { a in
      var random = SeededRandom(seed: seed)
      func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
      let n = 6
      let (y, p) = (a[1], a[2])
      let matrix = p[0..<n * n].reshaped([n, n])
      let wide = p[n * n..<n * n + 3 * n].reshaped([3, n])
      var values = [y, tanh(matmul(matrix, y)), p[n * n + 3 * n..<n * n + 4 * n] * 0.5 + a[0]]
      for _ in 0..<8 {
        let (x, z) = (values[pick(values.count)], values[values.count - 1])
        let next: Tensor =
          switch pick(14) {
          case 0: tanh(matmul(z, matrix) + x)
          case 1: matmul(matmul(wide, x), wide) * 0.2 + z
          case 2: log1p(exp(z)) - x * 0.5
          case 3: select(x .> z, x, sin(z))
          case 4: x * z.sum() * 0.1
          case 5: matmul(outer(tanh(x), z), z) * 0.1
          case 6: concatenate([x[2..<n], z[0..<2] * 2.0])
          case 7: z.taking(Tensor([3, 0, 5, 1, 1, 2] as [Int32])) - 0.1 * x
          case 8: matmul(matmul(matrix, matrix.transposed), z) * 0.3
          case 9: (matrix * z).sum(axes: [1]) + (matrix * x.reshaped([n, 1])).sum(axes: [0])
          case 10: maximum(x, z) * (x .< z).converted(to: .float64) + sqrt(z * z + 0.5)
          case 11: stack([z[0] * x[1], sin(z[2]), x[3], a[0] * 1.5, z[5] - x[0], Tensor(0.3)])
          case 12: matmul(p[0..<36].reshaped([2, 3, 6]), stack([x, z]).reshaped([2, 6, 1])).flattened
          default: (matrix * 0.1).max(axes: [0]) + z.reversed(axis: 0)
          }
        values.append(tanh(next))
      }
      return values[values.count - 1] + matmul(matrix, values[values.count - 2])
    }
  }
  @Test(arguments: 0..<60 as Range<UInt64>) func randomPrograms(_ seed: UInt64) throws {
    let (n, p) = (6, 60)
    let rate = Self.random(seed)
    let forward = try stage({ (a: [Tensor]) in [rate(a)] }, Self.zeros([n, p])).program
    try check(forward, isFixed: [false, false, true], sharesMemory: seed % 2 == 0, seed: seed)
    // Gradients of gathered numbers are scattered, which has no such form.
    let backward = try Self.pullback(rate, n, p).simplified()
    let isFixed = [false, false, seed % 3 != 0, false, false]
    if backward.primitives.contains(where: { $0 is ScatterAdd }) {
      #expect(ArrayCode.make(backward, isFixed: isFixed) == nil)
    } else {
      try check(backward, isFixed: isFixed, sum: (1, 4), seed: seed)
    }
  }

  // Results that something else reads as well, that are the same, or that are arguments and constants.
  @Test func results() throws {
    let function = { (a: [Tensor]) -> [Tensor] in
      let matrix = a[2].reshaped([9, 9])
      let column = matmul(matrix, a[1])
      let product = outer(column, a[1])
      return [
        column, product, product, tanh(product).sum(axes: [0]), a[1], Tensor([1.5, 2, 2]),
        concatenate([column, product.flattened, a[1]]), a[0] * column,
      ]
    }
    let program = try stage({ function($0) }, Self.zeros([9, 81])).program
    for isFixed in [
      [false, false, true], [true, false, false], [true, true, true], [false, false, false],
    ] {
      try check(program, isFixed: isFixed)
    }
  }

  // Rows of a product are written in whole vectors, behind which there may be numbers that are written once only.
  @Test func fixedNumbersBehindProducts() throws {
    let function = { (a: [Tensor]) -> [Tensor] in
      let rows = matmul(a[2][0..<4].reshaped([2, 2]), stack([a[1], a[1] * 2.0]))
      return [rows * a[2].reversed(axis: 0).reshaped([2, 4])]
    }
    let program = try stage({ function($0) }, Self.zeros([4, 8])).program
    try check(program, isFixed: [false, false, true])
  }

  @Test func others() throws {
    let isFixed = [false, false, true]
    let solution = try stage(
      { (a: [Tensor]) in [solve(a[2].reshaped([3, 3]), matmul(a[2].reshaped([3, 3]), a[1]))] },
      Self.zeros([3, 9])
    ).program
    #expect(ArrayCode.make(solution.simplified(), isFixed: isFixed) == nil)
    let plain = try stage({ (a: [Tensor]) in [sin(a[1]) * a[2]] }, Self.zeros([3, 3])).program
    #expect(ArrayCode.make(plain.simplified(), isFixed: isFixed) == nil)
    // Large products are left to BLAS.
    let large = try stage(
      { (a: [Tensor]) in [matmul(a[2].reshaped([40, 40]), a[2].reshaped([40, 40])).sum() * a[1]] },
      Self.zeros([3, 1600])
    ).program
    #expect(ArrayCode.make(large.simplified(), isFixed: isFixed) == nil)
  }
}
