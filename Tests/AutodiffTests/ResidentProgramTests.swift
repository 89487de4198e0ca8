import Lanes
import TestSupport
import Testing

@testable import Autodiff

@Suite struct ResidentProgramTests {
  /// From a scalar, a vector and parameters to a vector that takes the vector's place, and a sum.
  private static func function(_ a: [Tensor]) -> [Tensor] {
    let rest = a[2][1..<4]
    return [sin(a[1]) * a[2][0] + a[0] * rest, (a[1] * rest).sum() + 2.0]
  }
  private static let types = [Tensor.zeros([]), Tensor.zeros([3]), Tensor.zeros([4])]

  private static func expected(_ t: Double, _ y: [Double], _ p: [Double]) -> [Double] {
    function([Tensor(t), Tensor(y), Tensor(p)]).flatMap(\.values)
  }

  private func check<L: Lane>(
    _ source: ResidentSource, _ type: L.Type, width: Int, tolerance: Double = 1e-14,
    expected: (Double, [Double], [Double]) throws -> [Double] = Self.expected
  ) throws where L.Scalar == Double {
    let program = ResidentProgram<L>(source, width: width, isFixed: [false, false, true])
    let lanes = L.laneCount * width
    func memory(_ count: Int) -> UnsafeMutablePointer<L> {
      UnsafeMutableRawPointer.allocate(byteCount: count * width * MemoryLayout<L>.stride, alignment: 64)
        .bindMemory(to: L.self, capacity: count * width)
    }
    let (t, y, p, sum) = (memory(1), memory(3), memory(4), memory(1))
    defer { for pointer in [t, y, p, sum] { UnsafeMutableRawPointer(pointer).deallocate() } }
    func value(_ array: Int, _ element: Int, _ lane: Int, _ round: Int) -> Double {
      let number: Int = (7 * array + 3 * element + lane + 5 * round) % 11
      return Double(number) * 0.3 - 1
    }
    func fill(_ pointer: UnsafeMutablePointer<L>, _ array: Int, _ count: Int, _ round: Int) {
      for e in 0..<count {
        for w in 0..<width {
          var group = L(0.0)
          for k in 0..<L.laneCount { group[lane: k] = value(array, e, w * L.laneCount + k, round) }
          pointer[e * width + w] = group
        }
      }
    }
    program.inputs[0] = UnsafePointer(t)
    program.inputs[1] = UnsafePointer(y)
    program.inputs[2] = UnsafePointer(p)
    program.outputs[0] = y
    program.outputs[1] = sum
    fill(p, 2, 4, 0)
    program.load()
    for round in 0..<2 {
      fill(t, 0, 1, round)
      fill(y, 1, 3, round)
      program.run()
      for lane in 0..<lanes {
        let state = (0..<3).map { value(1, $0, lane, round) }
        let parameters = (0..<4).map { value(2, $0, lane, 0) }
        let values = try expected(value(0, 0, lane, round), state, parameters)
        let (w, k) = (lane / L.laneCount, lane % L.laneCount)
        let found = (0..<3).map { y[$0 * width + w][lane: k] } + [sum[w][lane: k]]
        #expect(zip(found, values).allSatisfy { abs($0 - $1) < tolerance * max(1, abs($1)) })
      }
    }
    #expect(program.failure == nil)
  }

  @Test func scalarPrograms() throws {
    let source = try ResidentSource(try stage({ Self.function($0) }, Self.types).program)
    #expect(source.isScalar)
    try check(source, Double.self, width: 1)
    for width in [1, 3] { try check(source, SIMD8<Double>.self, width: width) }
  }

  /// Linear solves, sorting and long loops, which have no scalar form, among random operations that have one.
  private static func mixed(_ seed: UInt64) -> ([Tensor]) throws -> [Tensor] {
    { a in
      var random = SeededRandom(seed: seed)
      var values = [a[1], a[2][1..<4], a[0] * a[1] + 0.5]
      func pick() -> Int { Int(random.next() % 1000) }
      for _ in 0..<8 {
        let (x, y) = (values[pick() % values.count], values[values.count - 1])
        switch pick() % 8 {
        case 0: values.append(sin(x) * y)
        case 1: values.append(solve(outer(x, x) + (2.0 + square(y)) * Tensor.identity(3), y + 1.0))
        case 2: values.append(select(x .> y, x, tanh(y) - 0.2))
        case 3: values.append(tanh(x).sorted() + 0.1 * y)
        case 4:
          let (state, _) = try scan(initial: tanh(x), over: Tensor.indices(600)) { z, _ in
            (0.999 * z + 1e-3 * sin(y), z.sum())
          }
          values.append(state)
        case 5: values.append(tanh(matmul(outer(x, y), x)) + a[2][0])
        case 6: values.append(inverse(outer(x, y) * 0.1 + 3.0 * Tensor.identity(3))[.all, 1])
        default: values.append(tanh(x.cumulativeSum()) - y * 0.5)
        }
      }
      let last = values[values.count - 1] + values[values.count - 2]
      // The second result of some is a constant or an input.
      return [tanh(last), seed % 5 == 3 ? Tensor(2.5) : seed % 5 == 4 ? a[0] : dot(last, last)]
    }
  }
  @Test(arguments: 0..<40 as Range<UInt64>) func programsInParts(_ seed: UInt64) throws {
    let function = Self.mixed(seed)
    let source = try ResidentSource(try stage({ try function($0) }, Self.types).program)
    let expected = { (t: Double, y: [Double], p: [Double]) throws -> [Double] in
      try function([Tensor(t), Tensor(y), Tensor(p)]).flatMap(\.values)
    }
    #expect(source.isScalar != (source.parts != nil))
    try check(source, Double.self, width: 1, tolerance: 1e-11, expected: expected)
    for width in [1, 3] {
      try check(source, SIMD8<Double>.self, width: width, tolerance: 1e-11, expected: expected)
    }
  }
  // Scalar before, between and after the solves; solves that do not wait for each other are in one part.
  @Test func parts() throws {
    let function = { (a: [Tensor]) -> [Tensor] in
      let matrix = outer(a[1], a[1]) + 2.0 * Tensor.identity(3)
      let (x, y) = (solve(matrix, sin(a[1])), solve(matrix, cos(a[1])))
      return [x * y + a[0], solve(matrix + outer(x, x), y).sum()]
    }
    let source = try ResidentSource(try stage({ function($0) }, Self.types).program)
    let parts = try #require(source.parts).parts
    let isScalar = parts.map { part in
      if case .scalars = part.form { true } else { false }
    }
    #expect(isScalar == [true, false, true, false, true])
  }

  // What is too large for scalar instructions: a product of large matrices that takes no part in the result.
  @Test func programsOnArrays() throws {
    let large = { (a: [Tensor]) -> [Tensor] in
      let m = a[0].broadcast(to: [40, 40])
      let zero = (matmul(matmul(m, m), m)).sum() * 0.0
      let results = Self.function(a)
      return [results[0] + zero, results[1] + zero]
    }
    let source = try ResidentSource(try stage(large, Self.types).program)
    #expect(!source.isScalar && source.parts?.parts.count == 1)
    try check(source, Double.self, width: 1)
    try check(source, SIMD8<Double>.self, width: 2)
  }

  /// Sums, differences and products of random earlier values, to results of which the second adds to an input.
  private static func random(_ seed: UInt64, length: Int = 30) -> ([Tensor]) -> [Tensor] {
    { a in
      var random = SeededRandom(seed: seed)
      var values = (0..<3).map { a[0][$0] } + (0..<4).map { a[1][$0] } + (0..<3).map { a[2][$0] }
      func pick() -> Int { Int(random.uniform(0, Double(values.count), count: 1)[0]) }
      for _ in 0..<length {
        let (x, y) = (values[pick()], values[values.count - 1 - pick() / 3])
        switch pick() % 3 {
        case 0: values.append(x + y)
        case 1: values.append(x - y)
        default: values.append(x * y * 0.5)
        }
      }
      // Some results are equal, some are inputs.
      let results = (0..<4).map { values[values.count - 1 - pick() / ($0 + 1)] }
      return [
        stack(results), a[2] + stack([values[values.count - 1], values[values.count - 2], values[pick()]]),
      ]
    }
  }

  // Results that are computed where they belong, by instructions in pairs on known places, are the same; also when the places change
  // more often than instructions are kept for.
  @Test(arguments: 0..<30) func places(_ seed: UInt64) throws {
    let function = Self.random(seed)
    let source = try ResidentSource(
      try stage({ function($0) }, [3, 4, 3].map { Tensor.zeros([$0]) }).program)
    #expect(source.isScalar)
    func check<L: Lane>(_ type: L.Type, width: Int) where L.Scalar == Double {
      let program = ResidentProgram<L>(
        source, width: width, isFixed: [false, true, false], inPlace: [nil, 2])
      let sets = 20
      let sizes = [3, 4, 3, 4]
      let size = sizes.reduce(0, +) * width
      let memory = UnsafeMutableRawPointer.allocate(
        byteCount: sets * size * MemoryLayout<L>.stride, alignment: 64
      ).bindMemory(to: L.self, capacity: sets * size)
      defer { UnsafeMutableRawPointer(memory).deallocate() }
      var random = SeededRandom(seed: seed + 100)
      for round in 0..<50 {
        let base = memory + (round < 40 ? round % sets : 7) * size
        var arrays: [UnsafeMutablePointer<L>] = []
        for (k, count) in sizes.enumerated() {
          arrays.append(k == 0 ? base : arrays[k - 1] + sizes[k - 1] * width)
          for i in 0..<count * width {
            var group = L(0.0)
            for lane in 0..<L.laneCount { group[lane: lane] = random.uniform(-1, 1, count: 1)[0] }
            arrays[k][i] = group
          }
        }
        for k in 0..<3 { program.inputs[k] = UnsafePointer(arrays[k]) }
        (program.outputs[0], program.outputs[1]) = (arrays[3], arrays[2])
        program.load()
        func row(_ k: Int, _ lane: Int) -> [Double] {
          (0..<sizes[k]).map { arrays[k][$0 * width + lane / L.laneCount][lane: lane % L.laneCount] }
        }
        let lane = round % (L.laneCount * width)
        let expected = function((0..<3).map { Tensor(row($0, lane)) }).flatMap(\.values)
        program.run()
        let found = row(3, lane) + row(2, lane)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 * max(1, abs($1)) })
      }
    }
    check(Double.self, width: 1)
    for width in [1, 3, 6, 8] { check(SIMD8<Double>.self, width: width) }
  }

  /// What vectors do must be what single numbers and whole arrays do: every elementwise operation, sums along rows and columns, and
  /// places that are shuffled.
  private static func long(_ a: [Tensor]) -> [Tensor] {
    let (x, y) = (a[0].reshaped([1, 7]), a[1].reshaped([5, 1]))
    let u = x - y
    let v = x * y + 0.5
    let r = u * u + v * v + 0.25
    let isLarge = u .> v
    let smooth = exp(-r) + log(r) * sin(u) - cos(v) / sqrt(r) + tanh(u) + erf(v)
    let steps = floor(u * 3.0) - ceil(v) + abs(u) * sign(v) + select(isLarge, u, minimum(v, r))
    let matrix =
      smooth + steps * pow(r, v) + maximum(u, -v)
      + a[0].taking(Tensor([3, 0, 6, 1, 1, 5, 2] as [Int32])).reshaped([1, 7])
    let rows = matrix.sum(axes: [1])
    let columns = matrix.sum(axes: [0])
    let few = a[0][0..<2] / a[1][1..<3]
    return [
      concatenate([columns, rows, a[0][2..<4], few, Tensor([4.0]), matrix.transposed([1, 0]).flattened]),
      a[2] + rows * columns.sum() + a[1],
    ]
  }

  /// Checks that a program in vectors does what instructions one by one do, with results of which the second takes the place of the third
  /// argument; and so do other runs of the program.
  private func checkVectors(_ source: ResidentSource, isFixed: [Bool], hasNonFinite: Bool, _ seed: UInt64)
    throws
  {
    let counts = source.inputTypes.map(\.count)
    let memory = counts.map { UnsafeMutablePointer<Double>.allocate(capacity: $0) }
    let resultCount = source.outputTypes[0].count
    let result = UnsafeMutablePointer<Double>.allocate(capacity: resultCount)
    defer { for pointer in memory + [result] { pointer.deallocate() } }
    let program = ResidentProgram<Double>(source, isFixed: isFixed, inPlace: [nil, 2])
    for k in counts.indices { program.inputs[k] = UnsafePointer(memory[k]) }
    (program.outputs[0], program.outputs[1]) = (result, memory[2])
    // Also of programs for which this does not pay.
    let lists = VectorLists(VectorCode(try #require(source.registers), isFixed: isFixed), isFixed: isFixed)
    let vectors = VectorMemory(lists, isFixed: isFixed)
    defer {
      vectors.deallocate()
      lists.deallocate()
    }
    var random = SeededRandom(seed: seed)
    for round in 0..<20 {
      for (k, pointer) in memory.enumerated() where round == 0 || !isFixed[k] {
        pointer.update(from: random.uniform(-2, 2, count: counts[k]), count: counts[k])
      }
      if hasNonFinite && round % 3 == 1 && !isFixed[0] {
        memory[0][round % counts[0]] = round % 2 == 0 ? .nan : .infinity
      }
      let arguments = zip(memory, counts).map { Array(UnsafeBufferPointer(start: $0, count: $1)) }
      func values(_ arrays: [DenseArray]) -> [Double] { arrays.flatMap { $0.values(Double.self) } }
      // A batch of one has its instructions one by one.
      let expected = values(
        try source.compiled.run(
          arguments.map { DenseArray($0, shape: [1, $0.count]) }, isBatched: counts.map { _ in true }, size: 1
        ))
      func check(_ found: [Double]) {
        for (x, y) in zip(found, expected) {
          #expect(x.bitPattern == y.bitPattern || (x.isNaN && y.isNaN))
        }
      }
      check(values(try source.compiled.run(arguments.map { DenseArray($0, shape: [$0.count]) })))
      if round == 0 {
        program.load()
        vectors.load(program.inputs)
      }
      let third = arguments[2]
      for run in [program.run, { vectors.run(program.inputs, program.outputs) }] {
        memory[2].update(from: third, count: counts[2])
        run()
        check((0..<resultCount).map { result[$0] } + (0..<counts[2]).map { memory[2][$0] })
      }
    }
  }

  @Test func vectors() throws {
    let source = try ResidentSource(
      try withTensorErrors { try stage({ Self.long($0) }, [7, 5, 5].map { Tensor.zeros([$0]) }).program })
    let registers = try #require(source.registers)
    #expect(registers.instructions.count > 500)
    for isFixed in [[false, false, false], [false, true, false], [true, true, false]] {
      let code = VectorCode(registers, isFixed: isFixed)
      #expect(code.singles.count < registers.instructions.count / 4)
      try checkVectors(source, isFixed: isFixed, hasNonFinite: true, 5)
    }
  }

  // Random graphs, long enough to be run in vectors.
  @Test(arguments: 0..<20) func randomVectors(_ seed: UInt64) throws {
    let function = Self.random(seed, length: 1000)
    let source = try ResidentSource(
      try stage({ function($0) }, [3, 4, 3].map { Tensor.zeros([$0]) }).program)
    #expect((source.registers?.instructions.count ?? 0) > 130)
    try checkVectors(source, isFixed: [false, seed % 2 == 0, false], hasNonFinite: false, seed)
  }

  @Test func elementTypes() throws {
    let program = try stage({ (a: [Tensor]) in [a[0] * 2.0] }, [Tensor.zeros([2], type: .float32)]).program
    #expect(throws: TensorError.self) { try ResidentSource(program) }
  }

  // An operation that refuses its operands: results are NaN, and the error is kept.
  @Test func failures() throws {
    let source = try ResidentSource(
      try stage({ (a: [Tensor]) in [inverse(a[0])] }, [Tensor.zeros([2, 2])]).program)
    let program = ResidentProgram<Double>(source, isFixed: [false])
    var matrix = [1.0, 2, 2, 4]
    matrix.withUnsafeMutableBufferPointer {
      program.inputs[0] = UnsafePointer($0.baseAddress!)
      program.outputs[0] = $0.baseAddress!
      program.run()
    }
    #expect(matrix.allSatisfy { $0.isNaN })
    #expect(program.failure?.reason == .singular)
  }

  // In lanes, too, and in a program in parts; the next run is not affected.
  @Test func failuresInLanes() throws {
    let source = try ResidentSource(
      try stage({ (a: [Tensor]) in [solve(a[0] * 2.0, a[0][0]) + 1.0] }, [Tensor.zeros([2, 2])]).program)
    #expect(source.parts != nil)
    let program = ResidentProgram<SIMD8<Double>>(source, isFixed: [false])
    var matrix = [1.0, 2, 2, 4].map { SIMD8<Double>(repeating: $0) }
    var result = [SIMD8<Double>](repeating: SIMD8(repeating: 0), count: 2)
    matrix.withUnsafeMutableBufferPointer { matrix in
      result.withUnsafeMutableBufferPointer { result in
        program.inputs[0] = UnsafePointer(matrix.baseAddress!)
        program.outputs[0] = result.baseAddress!
        program.run()
        #expect(result.allSatisfy { $0[0].isNaN && $0[7].isNaN })
        #expect(program.failure?.reason == .singular)
        // Only what is singular has no solution.
        program.load()
        for lane in 0..<8 where lane != 3 { for k in 0..<4 { matrix[k][lane] = [4.0, 0, 0, 2][k] } }
        program.run()
        #expect(program.failure?.reason == .singular)
        #expect(result[0][3].isNaN && result[0][5] == 1.5 && result[1][5] == 1)
        program.load()
        for k in 0..<4 { matrix[k][3] = [1.0, 0, 0, 1][k] }
        for lane in 0..<8 where lane != 3 { for k in 0..<4 { matrix[k][lane] = [4.0, 0, 0, 2][k] } }
        program.run()
        #expect(program.failure == nil)
        #expect(result.allSatisfy { $0[3].isFinite })
        #expect(result[0][3] == 1.5 && result[0][5] == 1.5 && result[1][5] == 1)
      }
    }
  }
}
