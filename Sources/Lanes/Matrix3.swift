/// A 3x3 matrix, kept as its three columns. For a rotation from a frame to the world these are the frame's
/// axes in world coordinates.
public struct Matrix3<L: Lane>: Sendable {
  /// First column.
  public var column0: Vector3<L>
  /// Second column.
  public var column1: Vector3<L>
  /// Third column.
  public var column2: Vector3<L>

  /// A matrix from its columns.
  @inlinable @inline(__always)
  public init(columns column0: Vector3<L>, _ column1: Vector3<L>, _ column2: Vector3<L>) {
    self.column0 = column0
    self.column1 = column1
    self.column2 = column2
  }

  /// The identity matrix.
  @inlinable @inline(__always) public static var identity: Self {
    let zero = L(0.0)
    let one = L(1.0)
    return Self(columns: Vector3(one, zero, zero), Vector3(zero, one, zero), Vector3(zero, zero, one))
  }
  /// The matrix of zeros.
  @inlinable @inline(__always) public static var zero: Self { Self(columns: .zero, .zero, .zero) }

  /// Matrix times vector.
  @inlinable @inline(__always) public static func * (a: Self, v: Vector3<L>) -> Vector3<L> {
    a.column2.multiplyAdd(v.z, a.column1.multiplyAdd(v.y, a.column0 * v.x))
  }
  /// The matrix product.
  @inlinable @inline(__always) public static func * (a: Self, b: Self) -> Self {
    Self(columns: a * b.column0, a * b.column1, a * b.column2)
  }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(columns: a.column0 + b.column0, a.column1 + b.column1, a.column2 + b.column2)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(columns: a.column0 - b.column0, a.column1 - b.column1, a.column2 - b.column2)
  }
  /// The matrix times a number.
  @inlinable @inline(__always) public static func * (a: Self, s: L) -> Self {
    Self(columns: a.column0 * s, a.column1 * s, a.column2 * s)
  }
  /// `self * v + b`.
  @inlinable @inline(__always) public func multiplyAdd(_ v: Vector3<L>, _ b: Vector3<L>) -> Vector3<L> {
    column2.multiplyAdd(v.z, column1.multiplyAdd(v.y, column0.multiplyAdd(v.x, b)))
  }
  /// Transposed matrix times vector.
  @inlinable @inline(__always) public func transposedTimes(_ v: Vector3<L>) -> Vector3<L> {
    Vector3(column0.dot(v), column1.dot(v), column2.dot(v))
  }
  /// Transposed matrix times vector, plus `b`.
  @inlinable @inline(__always)
  public func transposedTimes(_ v: Vector3<L>, adding b: Vector3<L>) -> Vector3<L> {
    Vector3(column0.dot(v, adding: b.x), column1.dot(v, adding: b.y), column2.dot(v, adding: b.z))
  }
  /// The transposed matrix.
  @inlinable @inline(__always) public var transposed: Self {
    Self(
      columns: Vector3(column0.x, column1.x, column2.x), Vector3(column0.y, column1.y, column2.y),
      Vector3(column0.z, column1.z, column2.z))
  }
  /// The determinant.
  @inlinable @inline(__always) public var determinant: L { column0.dot(column1.cross(column2)) }
}

extension Matrix3: Equatable where L: Equatable {}

extension Matrix3 where L == Double {
  /// Entry in row `row` and column `column`.
  @inlinable public subscript(row: Int, column: Int) -> Double {
    get {
      precondition((0..<3).contains(column), "a 3x3 matrix has columns 0, 1 and 2")
      return column == 0 ? column0[row] : column == 1 ? column1[row] : column2[row]
    }
    set {
      precondition((0..<3).contains(column), "a 3x3 matrix has columns 0, 1 and 2")
      if column == 0 {
        column0[row] = newValue
      } else if column == 1 {
        column1[row] = newValue
      } else {
        column2[row] = newValue
      }
    }
  }
  /// The nine entries, row by row.
  @inlinable public var rowMajor: [Double] {
    [
      column0.x, column1.x, column2.x, column0.y, column1.y, column2.y, column0.z, column1.z, column2.z,
    ]
  }
  /// A matrix from nine entries, row by row.
  @inlinable public init(rowMajor e: [Double]) {
    precondition(e.count == 9, "a 3x3 matrix has nine entries")
    self.init(columns: Vector3(e[0], e[3], e[6]), Vector3(e[1], e[4], e[7]), Vector3(e[2], e[5], e[8]))
  }
}
