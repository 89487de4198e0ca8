import Lanes

/// An instruction on numbers whose places are known, or two of which the first gives an operand of the second.
struct DirectInstruction {
  /// As of ``Instruction``; of two ``PairedOperation/code``.
  var operation: UInt8
  var target: UnsafeMutablePointer<Double>
  var a: UnsafeMutablePointer<Double>
  var b: UnsafeMutablePointer<Double>
  var c: UnsafeMutablePointer<Double>
  var d: UnsafeMutablePointer<Double>
}

/// Two operations as one instruction: x = a ∘ b, and then one of x, c and d. Most of the time of a small program is spent on finding
/// the next instruction and on results that are written and read again.
enum PairedOperation {
  static let first: UInt8 = 128
  /// What can come first, and in steps of ten what can follow.
  private static let sum = RegisterOperation.binary + Binary.add.rawValue
  private static let difference = RegisterOperation.binary + Binary.subtract.rawValue
  private static let product = RegisterOperation.binary + Binary.multiply.rawValue

  /// - Parameters:
  ///   - number: of the register that the first operation sets; the second one reads it once.
  /// - Returns: the code and the registers c and d; nil if there is no such instruction.
  static func paired(_ first: Instruction, _ second: Instruction) -> (code: UInt8, c: UInt32, d: UInt32)? {
    let kind: UInt8
    switch first.operation {
    case sum: kind = 0
    case difference: kind = 10
    case product: kind = 20
    default: return nil
    }
    let x = first.target
    let code = Self.first + kind
    switch second.operation {
    case sum: return (code, second.a == x ? second.b : second.a, 0)
    case difference: return second.a == x ? (code + 1, second.b, 0) : (code + 2, second.a, 0)
    case product: return (code + 3, second.a == x ? second.b : second.a, 0)
    case RegisterOperation.multiplyAdd:
      if second.c == x { return (code + 5, second.a, second.b) }
      return (code + 4, second.a == x ? second.b : second.a, second.c)
    case RegisterOperation.multiplySubtract:
      if second.c == x { return (code + 7, second.a, second.b) }
      return (code + 6, second.a == x ? second.b : second.a, second.c)
    case RegisterOperation.subtractProduct:
      if second.c == x { return (code + 9, second.a, second.b) }
      return (code + 8, second.a == x ? second.b : second.a, second.c)
    default: return nil
    }
  }

  @inline(__always)
  static func run(_ i: DirectInstruction) {
    let (a, b) = (i.a.pointee, i.b.pointee)
    @inline(__always) func fused(_ x: Double, _ y: Double, _ z: Double) -> Double {
      Double.multiplyAdd(x, y, z)
    }
    var c: Double { @inline(__always) get { i.c.pointee } }
    var d: Double { @inline(__always) get { i.d.pointee } }
    switch i.operation {
    case 128: i.target.pointee = (a + b) + c
    case 129: i.target.pointee = (a + b) - c
    case 130: i.target.pointee = c - (a + b)
    case 131: i.target.pointee = (a + b) * c
    case 132: i.target.pointee = fused(a + b, c, d)
    case 133: i.target.pointee = fused(c, d, a + b)
    case 134: i.target.pointee = fused(a + b, c, -d)
    case 135: i.target.pointee = fused(c, d, -(a + b))
    case 136: i.target.pointee = fused(-(a + b), c, d)
    case 137: i.target.pointee = fused(-c, d, a + b)
    case 138: i.target.pointee = (a - b) + c
    case 139: i.target.pointee = (a - b) - c
    case 140: i.target.pointee = c - (a - b)
    case 141: i.target.pointee = (a - b) * c
    case 142: i.target.pointee = fused(a - b, c, d)
    case 143: i.target.pointee = fused(c, d, a - b)
    case 144: i.target.pointee = fused(a - b, c, -d)
    case 145: i.target.pointee = fused(c, d, -(a - b))
    case 146: i.target.pointee = fused(-(a - b), c, d)
    case 147: i.target.pointee = fused(-c, d, a - b)
    case 148: i.target.pointee = a * b + c
    case 149: i.target.pointee = a * b - c
    case 150: i.target.pointee = c - a * b
    case 151: i.target.pointee = (a * b) * c
    case 152: i.target.pointee = fused(a * b, c, d)
    case 153: i.target.pointee = fused(c, d, a * b)
    case 154: i.target.pointee = fused(a * b, c, -d)
    case 155: i.target.pointee = fused(c, d, -(a * b))
    case 156: i.target.pointee = fused(-(a * b), c, d)
    default: i.target.pointee = fused(-c, d, a * b)
    }
  }
}

/// Instructions of a program for single numbers, paired where that is possible.
struct PairedCode {
  struct Entry {
    var operation: UInt8
    var target: UInt32
    var a: UInt32
    var b: UInt32
    var c: UInt32
    var d: UInt32
  }
  private(set) var entries: [Entry] = []

  /// - Parameters:
  ///   - results: registers that are read at the end.
  ///   - shared: registers whose memory results may take: they are read where they were.
  init(_ code: [Instruction], results: Set<UInt32>, shared: Set<UInt32>) {
    func reads(_ i: Instruction, _ register: UInt32) -> Int {
      let count = i.operandCount
      return (i.a == register ? 1 : 0) + (count > 1 && i.b == register ? 1 : 0)
        + (count > 2 && i.c == register ? 1 : 0)
    }
    // The one instruction that reads the result of another, once, before anything writes to what that one reads.
    var partner = [Int?](repeating: nil, count: code.count)
    var isTaken = [Bool](repeating: false, count: code.count)
    for (i, first) in code.enumerated()
    where !isTaken[i] && !shared.contains(first.a) && !shared.contains(first.b) {
      var reader: Int?
      var isAlone = true
      var isIntact = true
      for j in i + 1..<code.count {
        let count = reads(code[j], first.target)
        if count > 0 {
          if reader != nil || count > 1 || !isIntact { isAlone = false }
          reader = j
        }
        if code[j].target == first.a || code[j].target == first.b { isIntact = false }
        if code[j].target == first.target { break }
        if j == code.count - 1 && results.contains(first.target) { isAlone = false }
      }
      guard isAlone, let reader, !isTaken[reader], partner[reader] == nil,
        PairedOperation.paired(first, code[reader]) != nil
      else { continue }
      partner[reader] = i
      isTaken[reader] = true
      isTaken[i] = true
    }
    let firsts = Set(partner.compactMap { $0 })
    for (j, i) in code.enumerated() where !firsts.contains(j) {
      if let k = partner[j], let pair = PairedOperation.paired(code[k], i) {
        entries.append(
          Entry(operation: pair.code, target: i.target, a: code[k].a, b: code[k].b, c: pair.c, d: pair.d))
      } else {
        entries.append(Entry(operation: i.operation, target: i.target, a: i.a, b: i.b, c: i.c, d: 0))
      }
    }
  }
}

extension Instruction {
  var operandCount: Int {
    switch operation {
    case RegisterOperation.select, RegisterOperation.multiplyAdd, RegisterOperation.multiplySubtract,
      RegisterOperation.subtractProduct:
      3
    case RegisterOperation.binary..<RegisterOperation.select: 2
    default: 1
    }
  }
}
