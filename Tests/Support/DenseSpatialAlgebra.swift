public import Lanes

/// Spatial algebra by the book, on arrays: the reference that the types of `Lanes` are checked against.
///
/// Vectors have six components, angular part first; matrices are arrays of rows.
public enum DenseSpatialAlgebra {
  /// A matrix, by rows.
  public typealias Matrix = [[Double]]

  /// One lane of a vector.
  public static func array<L: Lane>(_ v: Vector3<L>, lane: Int) -> [Double] {
    [Double(v.x[lane: lane]), Double(v.y[lane: lane]), Double(v.z[lane: lane])]
  }
  /// One lane of a motion vector.
  public static func array<L: Lane>(_ m: Motion<L>, lane: Int) -> [Double] {
    array(m.angular, lane: lane) + array(m.linear, lane: lane)
  }
  /// One lane of a force vector.
  public static func array<L: Lane>(_ f: Force<L>, lane: Int) -> [Double] {
    array(f.angular, lane: lane) + array(f.linear, lane: lane)
  }
  /// One lane of a 3x3 matrix.
  public static func matrix<L: Lane>(_ m: Matrix3<L>, lane: Int) -> Matrix {
    transpose([m.column0, m.column1, m.column2].map { array($0, lane: lane) })
  }
  /// One lane of a symmetric 3x3 matrix.
  public static func matrix<L: Lane>(_ m: SymmetricMatrix3<L>, lane: Int) -> Matrix {
    func at(_ x: L) -> Double { Double(x[lane: lane]) }
    return [
      [at(m.xx), at(m.xy), at(m.xz)], [at(m.xy), at(m.yy), at(m.yz)],
      [at(m.xz), at(m.yz), at(m.zz)],
    ]
  }
  /// One lane of a rigid body's inertia: Featherstone's equation 2.63.
  public static func matrix<L: Lane>(_ inertia: RigidInertia<L>, lane: Int) -> Matrix {
    let h = skew(array(inertia.firstMoment, lane: lane))
    let mass = Double(inertia.mass[lane: lane])
    let diagonal = (0..<3).map { row in (0..<3).map { $0 == row ? mass : 0 } }
    return block(matrix(inertia.rotational, lane: lane), h, transpose(h), diagonal)
  }
  /// One lane of an articulated inertia.
  public static func matrix<L: Lane>(_ inertia: ArticulatedInertia<L>, lane: Int) -> Matrix {
    let coupling = matrix(inertia.coupling, lane: lane)
    return block(
      matrix(inertia.rotational, lane: lane), coupling, transpose(coupling),
      matrix(inertia.linear, lane: lane))
  }

  /// The matrix of the vector product with `v`.
  public static func skew(_ v: [Double]) -> Matrix {
    [[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]]
  }
  /// The 6x6 matrix of four 3x3 blocks.
  public static func block(_ a: Matrix, _ b: Matrix, _ c: Matrix, _ d: Matrix) -> Matrix {
    (0..<3).map { a[$0] + b[$0] } + (0..<3).map { c[$0] + d[$0] }
  }
  /// The matrix of `m x` on motion vectors.
  public static func motionCross(_ m: [Double]) -> Matrix {
    let zero = Matrix(repeating: [0, 0, 0], count: 3)
    return block(skew(Array(m[0..<3])), zero, skew(Array(m[3..<6])), skew(Array(m[0..<3])))
  }
  /// The matrix of `m x*` on force vectors.
  public static func forceCross(_ m: [Double]) -> Matrix {
    transpose(motionCross(m)).map { $0.map { -$0 } }
  }
  /// The matrix that moves a motion vector to axes turned by `rotation` and to the reference point `point`
  /// (Featherstone's equation 2.24): from world coordinates to a frame with these axes and this origin.
  public static func motionTransform(_ rotation: Matrix, _ point: [Double]) -> Matrix {
    let axes = transpose(rotation)
    let lower = product(axes, skew(point)).map { $0.map { -$0 } }
    return block(axes, Matrix(repeating: [0, 0, 0], count: 3), lower, axes)
  }

  /// The transposed matrix.
  public static func transpose(_ a: Matrix) -> Matrix {
    a[0].indices.map { column in a.map { $0[column] } }
  }
  /// The matrix product.
  public static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
    let columns = transpose(b)
    return a.map { row in columns.map { dot(row, $0) } }
  }
  /// Matrix times vector.
  public static func product(_ a: Matrix, _ v: [Double]) -> [Double] { a.map { dot($0, v) } }
  /// The scalar product.
  public static func dot(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).map { $0 * $1 }.reduce(0, +)
  }

  /// The largest difference, relative to the largest number of either.
  public static func difference(_ a: [Double], _ b: [Double]) -> Double {
    let scale = (a + b).map(abs).max()!
    let worst = zip(a, b).map { abs($0 - $1) }.max()!
    return a.count == b.count && worst.isFinite ? (scale == 0 ? 0 : worst / scale) : .infinity
  }
  /// The largest difference, relative to the largest number of either.
  public static func difference(_ a: Matrix, _ b: Matrix) -> Double {
    difference(a.flatMap { $0 }, b.flatMap { $0 })
  }
}
