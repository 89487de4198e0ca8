import Testing

@testable import Autodiff

@Suite struct CompiledFunctionTests {
  private func evaluate(
    _ f: CompiledFunction, _ x: [Double], _ y: [Double], count: Int, outputs: Int, shared: [Bool]? = nil
  ) throws
    -> [Double]
  {
    var result = [Double](repeating: 0, count: outputs)
    try x.withUnsafeBufferPointer { p in
      try y.withUnsafeBufferPointer { q in
        try result.withUnsafeMutableBufferPointer { r in
          try f.evaluate(
            count: count, inputs: [p.baseAddress!, q.baseAddress!], outputs: [r.baseAddress!],
            isShared: shared)
        }
      }
    }
    return result
  }

  @Test func singleAndBatch() throws {
    let f = try CompiledFunction({ x in [sin(x[0]) * x[1]] }, at: [Tensor.zeros([2]), Tensor.zeros([2])])
    #expect(f.isScalar && f.instructionCount == 4)
    let x = (0..<20).map { 0.1 * Double($0) }
    let expected = sin(Tensor(x)) * 2.0
    #expect(try evaluate(f, [0.1, 0.2], [2, 2], count: 1, outputs: 2) == Array(expected.values[1..<3]))
    let batch = try evaluate(f, x, [2, 2], count: 10, outputs: 20, shared: [false, true])
    #expect(zip(batch, expected.values).allSatisfy { abs($0 - $1) < 1e-15 })
  }
  @Test func programsThatAreNotExpanded() throws {
    let f = try CompiledFunction({ x in [solve(x[0], x[1])] }, at: [Tensor.identity(2), Tensor.zeros([2])])
    #expect(!f.isScalar)
    #expect(try evaluate(f, [2, 0, 0, 4], [1, 1], count: 1, outputs: 2) == [0.5, 0.25])
    #expect(
      try evaluate(f, [2, 0, 0, 4], [1, 1, 2, 2], count: 2, outputs: 4, shared: [true, false]) == [
        0.5, 0.25, 1, 0.5,
      ])
    #expect(throws: TensorError.self) { try evaluate(f, [1, 1, 1, 1], [1, 1], count: 1, outputs: 2) }
    #expect(throws: TensorError.self) {
      try CompiledFunction({ x in [x[0] .> 0.0] }, at: [Tensor.zeros([2])])
    }
  }
  // More kinds of batches than compiled forms are kept for, from several tasks; each gives what single calls give.
  @Test func batchesOfProgramsThatAreNotExpanded() async throws {
    let f = try CompiledFunction(
      { x in [solve(x[0] + 3.0 * Tensor.identity(2), sin(x[1]))] },
      at: [Tensor.identity(2), Tensor.zeros([2])]
    )
    #expect(!f.isScalar)
    let matrices = sin(Tensor.range(to: 80)).values
    let vectors = cos(Tensor.range(to: 40) * 0.3).values
    let known = try (0..<20).map { k in
      try evaluate(
        f, Array(matrices[4 * k..<4 * k + 4]), Array(vectors[2 * k..<2 * k + 2]), count: 1, outputs: 2)
    }
    let shared = try (0..<20).map { k in
      try evaluate(f, Array(matrices[..<4]), Array(vectors[2 * k..<2 * k + 2]), count: 1, outputs: 2)
    }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for task in 0..<4 {
        group.addTask {
          for round in 0..<60 {
            let count = 1 + (7 * round + task) % 20
            let isShared = round % 3 == 0
            let found = try evaluate(
              f, isShared ? Array(matrices[..<4]) : matrices, vectors, count: count, outputs: 2 * count,
              shared: [isShared, false])
            let expected = (isShared ? shared : known)[..<count].flatMap { $0 }
            if !zip(found, expected).allSatisfy({ abs($0 - $1) < 1e-14 }) { return false }
          }
          return true
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }
}

@Suite struct CompiledBatchTests {
  // Compiled forms of batches belong to the program's, and do not keep it.
  @Test func nothingStays() throws {
    weak var kept: CompiledProgram?
    do {
      let program = try program(
        of: { (x: [Tensor]) in [solve(x[0], x[1])] }, at: [Tensor.identity(2), Tensor.zeros([2])])
      let compiled = CompiledProgram(program)
      kept = compiled
      for size in 1...12 {
        let stacks = [Tensor.identity(2).broadcast(to: [size, 2, 2]), Tensor.ones([size, 2])]
        let found = try compiled.run(
          try stacks.map { try $0.denseValue("test") }, isBatched: [true, true], size: size)
        #expect(found[0].shape == [size, 2])
      }
      #expect(kept != nil)
    }
    #expect(kept == nil)
  }
}

@Suite struct SinglePrecisionTests {
  /// Values and derivatives of a single-precision function are single precision, and near those in double.
  @Test func typesAreKept() throws {
    let functions: [(String, (Tensor) -> Tensor)] = [
      ("elementwise", { (sin($0) * exp($0) + tanh($0) / ($0 + 3.0)).sum() }),
      ("pow", { (pow($0, 2.5) + pow($0, 2) + sqrt($0)).sum() }),
      ("select", { select($0 .> 1.0, $0 * $0, 2.0 * $0).sum() }),
      ("norm", { norm($0) * logSumExp($0) + softmax($0)[0] }),
      ("max", { maximum($0, 1.0).max() + $0.min() * $0.mean() }),
      ("matmul", { dot(matmul(outer($0, $0), $0), $0) }),
      ("solve", { solve(outer($0, $0) + Tensor.identity(3, type: .float32), $0).sum() }),
      ("cumulative", { ($0.cumulativeSum() * $0.sorted()).product() }),
      ("special", { (erf($0) + lgamma($0) + sinc($0) + atan2($0, $0 + 1.0) + log1p($0)).sum() }),
      ("quaternion", { quaternionExponential($0)[0] + cross($0, $0 * $0).sum() }),
    ]
    let x = Tensor([Float(0.5), 1.5, 2.5])
    for (name, f) in functions {
      let (value, gradient) = try valueAndGrad(f)(x)
      #expect(value.elementType == .float32 && gradient.elementType == .float32, "\(name)")
      let second = try hvp(f, at: x, along: x)
      #expect(second.elementType == .float32, "\(name)")
      if name == "solve" { continue }
      let wide = try grad(f)(x.converted(to: .float64))
      #expect(abs(gradient - wide).max().scalar < 1e-4 * Swift.max(1, abs(wide).max().scalar), "\(name)")
      let compiled = try jit(grad(f))(x)
      #expect(compiled.elementType == .float32 && abs(compiled - gradient).max().scalar < 1e-3, "\(name)")
    }
  }
}
