/// A quadratic program from a file in QPS format: MPS with a section for the quadratic part, as the Maros–Mészáros collection (there called
/// SIF) and many solvers use it.
///
/// Read are the sections NAME, ROWS, COLUMNS, RHS, RANGES, BOUNDS, QUADOBJ or QSECTION (one half of Q) and QMATRIX (both halves). Fields may
/// stand in the fixed columns, where names may hold spaces, or be separated by blanks. The conventions:
///
/// - the objective is ½ xᵀQx + qᵀx + constant; a right-hand side of the objective's row is minus the constant;
/// - the first N row is the objective, further ones do not constrain and are left out;
/// - variables lie in [0, ∞) unless bounds say otherwise; a negative UP bound of a variable without lower bound makes that −∞;
/// - a range R of an E row extends it to [b, b + R] or, where negative, [b + R, b]; of an L row to [b − |R|, b], of a G row to [b, b + |R|];
/// - of several right-hand sides, ranges and bounds the first set counts.
public struct QuadraticProgramFile: Sendable {
  /// What the file calls itself.
  public var name = ""
  /// The program. E rows without a range are its equations.
  public var program: QuadraticProgram
  /// What the file's objective adds to the program's.
  public var constant = 0.0
  /// The columns' names.
  public var variableNames: [String] = []
  /// The names of the rows that are equations.
  public var equalityNames: [String] = []
  /// The names of the other rows.
  public var inequalityNames: [String] = []

  /// Reads a file's bytes.
  /// - Throws: ``QuadraticProgramFileError`` with the place and what would be valid.
  public init(bytes: [UInt8]) throws(QuadraticProgramFileError) {
    var reader = QPSReader(bytes)
    self = try reader.read()
  }
  init(program: QuadraticProgram) { self.program = program }
}

/// What is wrong in a file, and where.
public struct QuadraticProgramFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// From one.
  public var line: Int
  /// In bytes, from one.
  public var column: Int
  /// What is wrong and what would be valid.
  public var message: String
  /// `line:column: message`.
  public var description: String { "\(line):\(column): \(message)" }
}
