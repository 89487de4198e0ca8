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
/// It runs on one number per register, or on whole lane groups, for a batch at once.
struct RegisterProgram: Sendable {
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
  var instructions: [Instruction]
  /// The first registers hold these numbers.
  var constants: [Double]
  var loads: [Load]
  var stores: [Store]
  var registerCount: Int
}
