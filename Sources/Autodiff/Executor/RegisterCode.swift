import Synchronization

/// What one instruction of the register machine does.
///
/// The first codes are those of ``Unary``, ``Binary``, ``Comparison`` and ``Logical`` with an offset for each. Truth values are
/// the numbers one and zero.
enum RegisterOperation {
  static let binary: UInt8 = 64
  static let comparison: UInt8 = 96
  static let logical: UInt8 = 112
  /// a ? b : c
  static let select: UInt8 = 120
  /// a * b + c
  static let multiplyAdd: UInt8 = 121
  /// a * b - c
  static let multiplySubtract: UInt8 = 122
  /// c - a * b
  static let subtractProduct: UInt8 = 123
  /// One where a is not zero.
  static let truth: UInt8 = 124
  /// a
  static let copy: UInt8 = 125
}

/// One instruction: registers `a`, `b` and `c` to register `target`.
struct Instruction: Sendable {
  var operation: UInt8
  var target: UInt32
  var a: UInt32
  var b: UInt32
  var c: UInt32
}

/// A straight sequence of scalar instructions on a small register file: a small program, expanded to scalars.
///
/// It runs on one number per register, or on whole lane groups, for a batch at once. Never changed once made; its lists lie in
/// plain memory, because a call takes less time than counting references to arrays.
final class RegisterProgram: @unchecked Sendable {
  /// An element of an input, and the register that it is loaded into.
  struct Load: Sendable {
    var input: Int32
    var element: Int32
    var register: UInt32
  }
  /// A register, and the element of an output that it is stored to.
  struct Store: Sendable {
    var output: Int32
    var element: Int32
    var register: UInt32
  }
  /// Loads or stores of neighbouring elements of one array; those of loads are to neighbouring registers.
  struct Run: Sendable {
    var array: Int32
    var places: Range<Int>
  }
  let instructions: UnsafeBufferPointer<Instruction>
  /// The first registers hold these numbers.
  let constants: UnsafeBufferPointer<Double>
  let loads: UnsafeBufferPointer<Load>
  let stores: UnsafeBufferPointer<Store>
  let loadRuns: UnsafeBufferPointer<Run>
  let storeRuns: UnsafeBufferPointer<Run>
  let registerCount: Int
  /// Registers of inputs are never written to again, so that they may be the inputs' memory.
  let keepsInputs: Bool
  /// Computes in float32, on lane groups only.
  let isSingle: Bool
  /// Single runs in vectors: whether it is known if they are possible, and what with.
  private let vectorState = Atomic<VectorState>(.unknown)
  private let vectorLock = Mutex<Void>(())
  @exclusivity(unchecked) private var vectorLists: VectorLists?

  private enum VectorState: UInt8, AtomicRepresentable { case unknown, made, impossible }

  init(
    _ instructions: [Instruction], constants: [Double], loads: [Load], stores: [Store], registerCount: Int,
    keepsInputs: Bool, isSingle: Bool
  ) {
    func copied<T>(_ values: [T]) -> UnsafeBufferPointer<T> {
      let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: values.count)
      _ = buffer.initialize(from: values)
      return UnsafeBufferPointer(buffer)
    }
    self.instructions = copied(instructions)
    self.constants = copied(constants)
    self.loads = copied(loads)
    self.stores = copied(stores)
    loadRuns = copied(
      Self.runs(loads.indices, array: { loads[$0].input }) {
        loads[$1].element == loads[$0].element + 1 && loads[$1].register == loads[$0].register + 1
      })
    storeRuns = copied(
      Self.runs(stores.indices, array: { stores[$0].output }) {
        stores[$1].element == stores[$0].element + 1
      })
    self.registerCount = registerCount
    self.keepsInputs = keepsInputs
    self.isSingle = isSingle
  }
  deinit {
    instructions.deallocate()
    constants.deallocate()
    loads.deallocate()
    stores.deallocate()
    loadRuns.deallocate()
    storeRuns.deallocate()
    vectorLists?.deallocate()
  }

  /// What a single run in vectors takes, made when it is first asked for; nil where that is slower, or not possible.
  /// - Parameter hasTruth: whether an input or output is one of truth values.
  @inline(__always)
  func vectors(hasTruth: () -> Bool) -> VectorLists? {
    guard instructions.count >= VectorCode.leastInstructions else { return nil }
    switch vectorState.load(ordering: .acquiring) {
    case .made: return vectorLists
    case .impossible: return nil
    case .unknown: return madeVectors(hasTruth())
    }
  }
  @inline(never)
  private func madeVectors(_ hasTruth: Bool) -> VectorLists? {
    vectorLock.withLock { _ in
      if vectorLists == nil, !hasTruth, !isSingle, instructions.count <= VectorCode.mostInstructions {
        let isFixed = [Bool](repeating: false, count: Int(loads.map(\.input).max() ?? 0) + 1)
        let code = VectorCode(self, isFixed: isFixed)
        if code.isWorthwhile { vectorLists = VectorLists(code, isFixed: isFixed) }
      }
      vectorState.store(vectorLists == nil ? .impossible : .made, ordering: .releasing)
      return vectorLists
    }
  }

  /// The program without those elements of an output that are constants, and the numbers of these; nil for each of the other elements, which
  /// follow each other.
  func withoutConstants(ofOutput output: Int) -> (program: RegisterProgram, constants: [Double?]) {
    var kept = stores.filter { $0.output != output }
    var constants: [Double?] = []
    var count: Int32 = 0
    for store in stores.filter({ $0.output == output }).sorted(by: { $0.element < $1.element }) {
      if store.register < self.constants.count {
        constants.append(self.constants[Int(store.register)])
      } else {
        constants.append(nil)
        kept.append(Store(output: store.output, element: count, register: store.register))
        count += 1
      }
    }
    let program = RegisterProgram(
      Array(instructions), constants: Array(self.constants), loads: Array(loads), stores: kept,
      registerCount: registerCount, keepsInputs: keepsInputs, isSingle: isSingle)
    return (program, constants)
  }

  private static func runs(_ places: Range<Int>, array: (Int) -> Int32, _ follows: (Int, Int) -> Bool)
    -> [Run]
  {
    var runs: [Run] = []
    for place in places {
      if let last = runs.last, last.array == array(place), follows(place - 1, place) {
        runs[runs.count - 1].places = last.places.lowerBound..<place + 1
      } else {
        runs.append(Run(array: array(place), places: place..<place + 1))
      }
    }
    return runs
  }
}
