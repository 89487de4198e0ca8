import CLanes
import Lanes

/// The lists of a ``VectorCode`` in plain memory, as counting references takes a while. Never changed once made.
struct VectorLists: @unchecked Sendable {
  private let entries: UnsafeBufferPointer<VectorCode.Entry>
  private let fixedEntries: UnsafeBufferPointer<VectorCode.Entry>
  private let gatherings: UnsafeBufferPointer<costate_gathering>
  private let permutations: UnsafeBufferPointer<costate_permutation>
  private let singles: UnsafeBufferPointer<Instruction>
  private let moves: UnsafeBufferPointer<VectorCode.Move>
  private let products: UnsafeBufferPointer<costate_product>
  private let constants: UnsafeBufferPointer<Double>
  private let fixed: UnsafeBufferPointer<VectorCode.Copy>
  private let moving: UnsafeBufferPointer<VectorCode.Copy>
  private let stores: UnsafeBufferPointer<VectorCode.Copy>
  private let base: (input: Int, output: Int, count: Int)?
  private let results: UnsafeBufferPointer<VectorCode.Result>
  private let additions: UnsafeBufferPointer<VectorCode.Copy>
  /// Numbers of the block that a run works in.
  let size: Int
  /// Whether there are products of matrices.
  let hasProducts: Bool

  init(_ code: VectorCode, isFixed: [Bool]) {
    func copied<T>(_ values: [T]) -> UnsafeBufferPointer<T> {
      let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: values.count)
      _ = buffer.initialize(from: values)
      return UnsafeBufferPointer(buffer)
    }
    entries = copied(code.entries)
    fixedEntries = copied(code.fixedEntries)
    gatherings = copied(code.gatherings)
    permutations = copied(code.permutations)
    singles = copied(code.singles)
    moves = copied(code.moves)
    products = copied(code.products)
    constants = copied(code.constants)
    fixed = copied(code.loads.filter { isFixed[Int($0.array)] })
    moving = copied(code.loads.filter { !isFixed[Int($0.array)] })
    stores = copied(code.stores)
    base = code.base.map { ($0.input, $0.output, $0.count) }
    results = copied(code.results)
    additions = copied(code.additions)
    size = code.size
    hasProducts = !code.products.isEmpty || !code.results.isEmpty
  }
  func deallocate() {
    entries.deallocate()
    fixedEntries.deallocate()
    gatherings.deallocate()
    permutations.deallocate()
    singles.deallocate()
    moves.deallocate()
    products.deallocate()
    constants.deallocate()
    fixed.deallocate()
    moving.deallocate()
    stores.deallocate()
    results.deallocate()
    additions.deallocate()
  }

  /// Sets what stays: constants, and the inputs that do.
  @inline(__always)
  func load(_ numbers: UnsafeMutablePointer<Double>, input: (Int) -> UnsafePointer<Double>) {
    Self.copy(UnsafePointer(constants.baseAddress!), to: numbers, constants.count)
    copy(fixed, numbers, input)
    run(fixedEntries, numbers)
  }
  /// Runs once. Outputs may lie where inputs do.
  @inline(__always)
  func run(
    _ numbers: UnsafeMutablePointer<Double>, input: (Int) -> UnsafePointer<Double>,
    output: (Int) -> UnsafeMutablePointer<Double>
  ) {
    copy(moving, numbers, input)
    run(entries, numbers)
    if hasProducts { addResults(numbers, input: input, output: output) }
    var k = 0
    while k < stores.count {
      let copy = stores[k]
      Self.copy(
        numbers + Int(copy.place), to: output(Int(copy.array)) + Int(copy.element), Int(copy.count))
      k &+= 1
    }
  }
  @inline(__always)
  private func copy(
    _ copies: UnsafeBufferPointer<VectorCode.Copy>, _ numbers: UnsafeMutablePointer<Double>,
    _ input: (Int) -> UnsafePointer<Double>
  ) {
    var k = 0
    while k < copies.count {
      let copy = copies[k]
      Self.copy(input(Int(copy.array)) + Int(copy.element), to: numbers + Int(copy.place), Int(copy.count))
      k &+= 1
    }
  }
  /// Copies a few numbers.
  @inline(__always)
  private static func copy(
    _ source: UnsafePointer<Double>, to target: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    var k = 0
    if count >= VectorCode.width {
      let last = count &- VectorCode.width
      while k < last {
        SIMD8<Double>.load(source + k).store(target + k)
        k &+= VectorCode.width
      }
      SIMD8<Double>.load(source + last).store(target + last)
      return
    }
    while k < count {
      target[k] = source[k]
      k &+= 1
    }
  }

  /// What is computed in outputs. Apart, as is ``runArrays(_:_:)``: programs without products are run as fast as if there were none.
  @inline(never)
  private func addResults(
    _ numbers: UnsafeMutablePointer<Double>, input: (Int) -> UnsafePointer<Double>,
    output: (Int) -> UnsafeMutablePointer<Double>
  ) {
    // First, as other outputs may lie where its input does.
    if let base {
      let (source, target) = (input(base.input), output(base.output))
      if UnsafePointer(target) != source { target.update(from: source, count: base.count) }
    }
    var k = 0
    while k < results.count {
      let result = results.baseAddress! + k
      costate_product_into_d(
        numbers, result.pointer(to: \.product)!,
        output(Int(result.pointee.array)) + Int(result.pointee.element),
        result.pointee.adds ? 1 : 0)
      k &+= 1
    }
    k = 0
    while k < additions.count {
      let addition = additions[k]
      Self.add(
        numbers + Int(addition.place), to: output(Int(addition.array)) + Int(addition.element),
        Int(addition.count))
      k &+= 1
    }
  }
  @inline(__always)
  private static func add(
    _ source: UnsafePointer<Double>, to target: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    var k = 0
    while k &+ VectorCode.width <= count {
      (SIMD8<Double>.load(target + k) + SIMD8<Double>.load(source + k)).store(target + k)
      k &+= VectorCode.width
    }
    while k < count {
      target[k] += source[k]
      k &+= 1
    }
  }

  @inline(never)
  private func run(_ entries: UnsafeBufferPointer<VectorCode.Entry>, _ numbers: UnsafeMutablePointer<Double>)
  {
    typealias L = SIMD8<Double>
    var next = entries.baseAddress
    let end = next.map { $0 + entries.count }
    while next != end {
      let i = next.unsafelyUnwrapped.pointee
      next = next.unsafelyUnwrapped + 1
      switch i.operation {
      case 0: each(i, numbers) { a in Unary.negate.value(a) }
      case 1: each(i, numbers) { a in Unary.absolute.value(a) }
      case 2: each(i, numbers) { a in Unary.sign.value(a) }
      case 3: each(i, numbers) { a in Unary.floor.value(a) }
      case 4: each(i, numbers) { a in Unary.ceiling.value(a) }
      case 5: each(i, numbers) { a in Unary.round.value(a) }
      case 6: each(i, numbers) { a in Unary.truncate.value(a) }
      case 7: each(i, numbers) { a in Unary.square.value(a) }
      case 8: each(i, numbers) { a in Unary.squareRoot.value(a) }
      case 9: each(i, numbers) { a in Unary.reciprocal.value(a) }
      case 10: each(i, numbers) { a in Unary.exponential.value(a) }
      case 12: each(i, numbers) { a in Unary.logarithm.value(a) }
      case 14: each(i, numbers) { a in Unary.sine.value(a) }
      case 15: each(i, numbers) { a in Unary.cosine.value(a) }
      case 16: each(i, numbers) { a in Unary.tangent.value(a) }
      case 17: each(i, numbers) { a in Unary.arcSine.value(a) }
      case 18: each(i, numbers) { a in Unary.arcCosine.value(a) }
      case 19: each(i, numbers) { a in Unary.arcTangent.value(a) }
      case 21: each(i, numbers) { a in Unary.hyperbolicCosine.value(a) }
      case 22: each(i, numbers) { a in Unary.hyperbolicTangent.value(a) }
      case 26: each(i, numbers) { a in Unary.logistic.value(a) }
      case 33: each(i, numbers) { a in Unary.sinc.value(a) }
      case 64: each(i, numbers) { a, b in Binary.add.value(a, b) }
      case 65: each(i, numbers) { a, b in Binary.subtract.value(a, b) }
      case 66: each(i, numbers) { a, b in Binary.multiply.value(a, b) }
      case 67: each(i, numbers) { a, b in Binary.divide.value(a, b) }
      case 68: each(i, numbers) { a, b in Binary.power.value(a, b) }
      case 69: each(i, numbers) { a, b in Binary.arcTangent2.value(a, b) }
      case 70: each(i, numbers) { a, b in Binary.minimum.value(a, b) }
      case 71: each(i, numbers) { a, b in Binary.maximum.value(a, b) }
      case 96: each(i, numbers) { a, b in L.number(Comparison.less.mask(a, b)) }
      case 97: each(i, numbers) { a, b in L.number(Comparison.lessOrEqual.mask(a, b)) }
      case 98: each(i, numbers) { a, b in L.number(Comparison.equal.mask(a, b)) }
      case 99: each(i, numbers) { a, b in L.number(Comparison.notEqual.mask(a, b)) }
      case 112: each(i, numbers) { a, b in a * b }
      case 113: each(i, numbers) { a, b in L.maximum(a, b) }
      case 114: each(i, numbers) { a, b in L.number(.!(a .== b)) }
      case RegisterOperation.select: each(i, numbers) { m, a, b in a.replacing(with: b, where: m .== 0) }
      case RegisterOperation.multiplyAdd: each(i, numbers) { a, b, c in L.multiplyAdd(a, b, c) }
      case RegisterOperation.multiplySubtract: each(i, numbers) { a, b, c in L.multiplyAdd(a, b, -c) }
      case RegisterOperation.subtractProduct: each(i, numbers) { a, b, c in L.multiplyAdd(-a, b, c) }
      case RegisterOperation.truth:
        each(i, numbers) { a in L(repeating: 1).replacing(with: 0, where: a .== 0) }
      case VectorCode.Entry.gather:
        costate_gather_d(numbers, gatherings.baseAddress! + Int(i.a), Int(i.count))
      case VectorCode.Entry.permuteTwo:
        costate_permute_two_d(numbers, permutations.baseAddress! + Int(i.a), Int(i.count))
      case VectorCode.Entry.permuteFour:
        costate_permute_four_d(numbers, permutations.baseAddress! + Int(i.a), Int(i.count))
      case VectorCode.Entry.singles:
        runSingle(
          UnsafeBufferPointer(start: singles.baseAddress! + Int(i.a), count: Int(i.count)), numbers)
      default: runArrays(i, numbers)
      }
    }
  }

  /// Entries that only array code has.
  @inline(never)
  private func runArrays(_ i: VectorCode.Entry, _ numbers: UnsafeMutablePointer<Double>) {
    switch i.operation {
    case VectorCode.Entry.product:
      costate_products_d(numbers, products.baseAddress! + Int(i.a), Int(i.count))
    case VectorCode.Entry.move:
      var move = moves.baseAddress! + Int(i.a)
      let last = move + Int(i.count)
      while move < last {
        Self.copy(
          numbers + Int(move.pointee.source), to: numbers + Int(move.pointee.target),
          Int(move.pointee.count))
        move += 1
      }
    case VectorCode.Entry.sum: numbers[Int(i.target)] = Self.sum(numbers + Int(i.a), Int(i.count))
    default: preconditionFailure("an entry of no kind")
    }
  }
  private static func sum(_ numbers: UnsafePointer<Double>, _ count: Int) -> Double {
    var total = SIMD8<Double>(0.0)
    var k = 0
    while k &+ VectorCode.width <= count {
      total += SIMD8<Double>.load(numbers + k)
      k &+= VectorCode.width
    }
    var result = total.sumOfLanes
    while k < count {
      result += numbers[k]
      k &+= 1
    }
    return result
  }
  @inline(__always)
  private func each(
    _ i: VectorCode.Entry, _ numbers: UnsafeMutablePointer<Double>, _ body: (SIMD8<Double>) -> SIMD8<Double>
  ) {
    let (t, a) = (numbers + Int(i.target), numbers + Int(i.a))
    let end = Int(i.count) &* VectorCode.width
    var k = 0
    repeat {
      body(.load(a + k)).store(t + k)
      k &+= VectorCode.width
    } while k < end
  }
  @inline(__always)
  private func each(
    _ i: VectorCode.Entry, _ numbers: UnsafeMutablePointer<Double>,
    _ body: (SIMD8<Double>, SIMD8<Double>) -> SIMD8<Double>
  ) {
    let (t, a, b) = (numbers + Int(i.target), numbers + Int(i.a), numbers + Int(i.b))
    let end = Int(i.count) &* VectorCode.width
    var k = 0
    repeat {
      body(.load(a + k), .load(b + k)).store(t + k)
      k &+= VectorCode.width
    } while k < end
  }
  @inline(__always)
  private func each(
    _ i: VectorCode.Entry, _ numbers: UnsafeMutablePointer<Double>,
    _ body: (SIMD8<Double>, SIMD8<Double>, SIMD8<Double>) -> SIMD8<Double>
  ) {
    let (t, a, b, c) = (
      numbers + Int(i.target), numbers + Int(i.a), numbers + Int(i.b), numbers + Int(i.c)
    )
    let end = Int(i.count) &* VectorCode.width
    var k = 0
    repeat {
      body(.load(a + k), .load(b + k), .load(c + k)).store(t + k)
      k &+= VectorCode.width
    } while k < end
  }
}

/// A block for lists that live as long, for one thread.
struct VectorMemory {
  private let lists: VectorLists
  private let numbers: UnsafeMutablePointer<Double>

  init(_ lists: VectorLists, isFixed: [Bool]) {
    self.lists = lists
    numbers = UnsafeMutableRawPointer.allocate(byteCount: lists.size * 8, alignment: 64)
      .bindMemory(to: Double.self, capacity: lists.size)
    // Lanes that no value is in are computed with too.
    numbers.initialize(repeating: 1, count: lists.size)
    // Where nothing is fixed, nobody says when to load.
    if !isFixed.contains(true) {
      lists.load(numbers, input: { _ in preconditionFailure("nothing is fixed") })
    }
  }
  func deallocate() {
    UnsafeMutableRawPointer(numbers).deallocate()
  }
  /// Reads the inputs that stay.
  func load(_ inputs: UnsafeMutablePointer<UnsafePointer<Double>>) {
    lists.load(numbers, input: { inputs[$0] })
  }
  /// Runs once. Outputs may lie where inputs do.
  func run(
    _ inputs: UnsafeMutablePointer<UnsafePointer<Double>>,
    _ outputs: UnsafeMutablePointer<UnsafeMutablePointer<Double>>
  ) {
    lists.run(numbers, input: { inputs[$0] }, output: { outputs[$0] })
  }
}

extension Unary {
  /// False if vectors are computed number by number.
  var hasVectorForm: Bool {
    switch self {
    case .exponentialMinusOne, .logarithmOnePlus, .hyperbolicSine, .arcHyperbolicSine, .arcHyperbolicCosine,
      .arcHyperbolicTangent, .errorFunction, .complementaryErrorFunction, .logGamma, .digamma, .trigamma,
      .tetragamma:
      false
    default: true
    }
  }
}
