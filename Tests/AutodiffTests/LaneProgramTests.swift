import Autodiff
import TestSupport
import Testing

/// Programs run a lane group at a time: rows of batches, and fused groups in both precisions.
@Suite struct LaneProgramTests {
  /// Rows of few and of many numbers, in batches with and without a remainder; the reference computes with whole columns,
  /// one operation at a time.
  @Test(arguments: [1, 2, 3, 4, 5, 8, 9, 17], [1, 7, 8, 9, 64, 250, 1029])
  func rowsOfABatch(_ columns: Int, _ size: Int) throws {
    func results(_ x: [Tensor]) -> [Tensor] {
      let n = x.count
      return (0..<n).map { k in
        // Some results are inputs as they are, some constants, the others in no particular order.
        k % 5 == 3 ? x[n - 1 - k] : x[(3 * k + 1) % n] * x[(k + 2) % n] - Double(k)
      }
    }
    var random = SeededRandom(seed: UInt64(100 * columns + size))
    let rows = Tensor(random.uniform(-1, 1, count: size * columns), shape: [size, columns])
    let batch = try jit(vmap { (x: Tensor) in stack(results((0..<columns).map { x[$0] })) })(rows)
    #expect(batch.shape == [size, columns])
    let turned = rows.transposed
    let expected = stack(results((0..<columns).map { turned[$0] })).transposed
    #expect(abs(batch - expected).max().scalar <= 8e-15)
  }

  /// Elementwise functions in float32, alone and beside float64 on arrays of the same shape.
  @Test(arguments: 0..<24) func float32(_ seed: Int) throws {
    let count = [2, 15, 16, 17, 700, 5000][seed % 6]
    let f = { (inputs: [Tensor]) -> [Tensor] in
      var random = SeededRandom(seed: UInt64(seed))
      func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
      var single = [inputs[0], inputs[1]]
      var double = [inputs[2]]
      for _ in 0..<30 {
        let (a, b) = (single[pick(single.count)], single[pick(single.count)])
        switch pick(9) {
        case 0: single.append(tanh(a + b))
        case 1: single.append(sin(a) * 0.5 - b)
        case 2: single.append(a * b + 0.25)
        case 3: single.append(select(a .> b, a, b))
        case 4: single.append(a / (1.5 + b * b))
        case 5: single.append(maximum(a, b) / 8.0)
        case 6: double.append(cos(double[pick(double.count)]) + a.converted(to: .float64))
        case 7: single.append(tanh(double[pick(double.count)].converted(to: .float32)) * b)
        default: single.append(sqrt(1.0 + a * a) - (a .< b).converted(to: .float32) * (b - a))
        }
      }
      return [single[single.count - 1], single[single.count - 2], double[double.count - 1]]
    }
    var random = SeededRandom(seed: UInt64(seed) + 500)
    let x = (0..<3).map { k in
      Tensor(random.uniform(-1, 1, count: count)).converted(to: k < 2 ? .float32 : .float64)
    }
    let plain = f(x)
    let fused = try jit(f)(x)
    for (a, b) in zip(fused, plain) {
      #expect(a.elementType == b.elementType && a.shape == b.shape)
      let (p, q) = (a.converted(to: .float64), b.converted(to: .float64))
      let scale = Swift.max(abs(q).max().scalar, 1)
      // A few units in the last place of single precision: products and sums round once where they are fused.
      #expect(abs(p - q).max().scalar <= 32 * Double(Float.ulpOfOne) * scale)
    }
  }

  @Test func float32Extremes() throws {
    // Division by a power of two whose reciprocal only double precision can hold.
    let x = Tensor([Float](repeating: 0x1p-130, count: 40))
    let f = { (x: Tensor) in (x / Tensor(repeating: 0x1p-140, shape: x.shape, type: .float32)) + x }
    #expect(try jit(f)(x).converted(to: .float64).values == f(x).converted(to: .float64).values)
  }

  /// Results larger than the caches are written past them, and take the place of arrays that nothing needs any more:
  /// never that of arguments, of results, or of what is read again.
  @Test(arguments: [ElementType.float64, .float32], [3, 40_001, 2_100_003])
  func largeArrays(_ type: ElementType, _ count: Int) throws {
    let f = { (x: [Tensor]) -> [Tensor] in
      let y = x[0] * x[1] + 0.5
      let z = y - y.mean()
      let kept = z * (z * z).mean()
      let mask = kept .> x[1]
      let last = kept + kept.mean()
      return [z, select(mask, last, x[0]), kept * mask.converted(to: type), x[1] - 1.0]
    }
    let x = [sin(Tensor.range(to: Double(count))), cos(Tensor.range(to: Double(count)))]
      .map { $0.converted(to: type) }
    let before = x.map { $0.converted(to: .float64).values }
    let compiled = jit(f)
    let tolerance = type == .float32 ? 64 * Double(Float.ulpOfOne) : 1e-14
    // The second call finds the memory of the first one's results.
    for _ in 0..<2 {
      for (a, b) in zip(try compiled(x), f(x)) {
        #expect(abs(a.converted(to: .float64) - b.converted(to: .float64)).max().scalar <= tolerance)
      }
      for (a, b) in zip(x, before) { #expect(a.converted(to: .float64).values == b) }
    }
  }

  /// Small programs of float32 alone: single calls and batches on the register machine.
  @Test(arguments: [1, 3, 5, 17], [1, 7, 16, 33, 250, 1029])
  func float32Rows(_ columns: Int, _ size: Int) throws {
    let f = { (x: Tensor) -> Tensor in
      let y = sin(x) * 0.5 + x[0]
      let z = matmul(outer(x, y), x) / 3.0
      let last = select(y .> x, z, y - x).reversed(axis: 0)
      return concatenate([last, stack([x.sum(), exp(-y * y).mean(), x[columns - 1]])])
    }
    var random = SeededRandom(seed: UInt64(100 * columns + size))
    let rows = Tensor(random.uniform(-1, 1, count: size * columns), shape: [size, columns])
      .converted(to: .float32)
    func error(_ a: Tensor, _ b: Tensor) -> Double {
      #expect(a.elementType == .float32 && a.shape == b.shape)
      return abs(a.converted(to: .float64) - b.converted(to: .float64)).max().scalar
    }
    let tolerance = 32 * Double(Float.ulpOfOne) * Double(columns)
    let batch = try jit(vmap(f))(rows)
    let single = jit(f)
    let slope = jit(grad { (x: Tensor) in f(x).sum() })
    for k in 0..<size where k < 3 || k > size - 3 {
      #expect(error(batch[k], f(rows[k])) <= tolerance)
      #expect(error(try single(rows[k]), f(rows[k])) <= tolerance)
      #expect(error(try slope(rows[k]), try grad { (x: Tensor) in f(x).sum() }(rows[k])) <= 8 * tolerance)
    }
  }

  /// What is known ahead is rounded and overflows as single precision does; integers among it do not.
  @Test func float32Constants() throws {
    let large = Tensor([Float(1e30), 3])
    let f = { (x: Tensor) in
      let index = Tensor([Int32(16_777_217), 1]) - Tensor([Int32(16_777_216), 0])
      return (large * large) * 1e-30 + x[1] * index.converted(to: .float32)
    }
    let x = Tensor([Float(0.5), 2])
    let (a, b) = (try jit(f)(x), f(x))
    #expect(a.converted(to: .float64).values == b.converted(to: .float64).values)
    #expect(a[0].converted(to: .float64).scalar == .infinity)
  }

  /// A long loop over a small body of float32 (a shorter one is written out).
  @Test(arguments: [20, 3000]) func float32Loops(_ length: Int) throws {
    let f = { (x: Tensor) throws -> Tensor in
      return try scan(initial: x, over: Tensor.zeros([length], type: .float32)) { state, row in
        let next = state + 0.001 * stack([state[1], -sin(state[0])]) + row
        return (next, next[0])
      }.rows
    }
    let x = Tensor([Float(0.5), -1])
    let (a, b) = (try jit(f)(x), try f(x))
    #expect(a.elementType == .float32 && a.shape == [length])
    #expect(abs(a.converted(to: .float64) - b.converted(to: .float64)).max().scalar <= 1e-4)
    let slope = { (x: Tensor) throws in try grad { (x: Tensor) throws in try f(x).sum() }(x) }
    let (c, d) = (try jit(slope)(x).converted(to: .float64), try slope(x).converted(to: .float64))
    #expect(abs(c - d).max().scalar <= 1e-4 * abs(d).max().scalar)
  }
}
