public import Lanes

/// Laws of rotations and of spatial vectors and inertias, checked in every lane against dense 6x6 algebra.
///
/// Each function returns descriptions of violations, none for a lawful type. Differences are relative to the
/// size of the vectors compared, and may be 64 units in the last place of `L.Scalar`.
public enum SpatialLaws<L: Lane> {
  typealias Dense = DenseSpatialAlgebra

  static var tolerance: Double { 64 * Double(L.Scalar.ulpOfOne) }

  /// Collects the laws that a lane breaks.
  struct Checker {
    var violations: [String] = []
    mutating func check(_ law: String, lane: Int, _ difference: Double) {
      if !(difference <= tolerance) {
        violations.append("\(L.self) \(law), lane \(lane): off by \(difference)")
      }
    }
  }

  static func forEachLane(_ body: (inout Checker, Int) -> Void) -> [String] {
    var checker = Checker()
    for lane in 0..<L.laneCount { body(&checker, lane) }
    return checker.violations
  }

  /// Products, scalar and triple products of 3-vectors and 3x3 matrices.
  public static func vectors(seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    let a: Vector3<L> = random.vector()
    let b: Vector3<L> = random.vector()
    let c: Vector3<L> = random.vector()
    let s: L = random.lanes()
    let m = Matrix3<L>(columns: random.vector(), random.vector(), random.vector())
    let n = Matrix3<L>(columns: random.vector(), random.vector(), random.vector())
    return forEachLane { checker, lane in
      func array(_ v: Vector3<L>) -> [Double] { Dense.array(v, lane: lane) }
      func number(_ x: L) -> Double { Double(x[lane: lane]) }
      let (x, y, z) = (array(a), array(b), array(c))
      let (dm, dn) = (Dense.matrix(m, lane: lane), Dense.matrix(n, lane: lane))
      let cross = Dense.product(Dense.skew(x), y)
      checker.check("a · b", lane: lane, abs(number(a.dot(b)) - Dense.dot(x, y)))
      checker.check(
        "a · b + s", lane: lane, abs(number(a.dot(b, adding: s)) - Dense.dot(x, y) - number(s)))
      checker.check("a × b", lane: lane, Dense.difference(array(a.cross(b)), cross))
      checker.check(
        "a × b + c", lane: lane,
        Dense.difference(array(a.cross(b, adding: c)), zip(cross, z).map { $0 + $1 }))
      checker.check(
        "a s + b", lane: lane,
        Dense.difference(array(a.multiplyAdd(s, b)), zip(x, y).map { $0 * number(s) + $1 }))
      checker.check("|a|", lane: lane, abs(number(a.norm) - Dense.dot(x, x).squareRoot()))
      checker.check("M a", lane: lane, Dense.difference(array(m * a), Dense.product(dm, x)))
      checker.check(
        "M a + b", lane: lane,
        Dense.difference(array(m.multiplyAdd(a, b)), zip(Dense.product(dm, x), y).map { $0 + $1 }))
      let transposedProduct = Dense.product(Dense.transpose(dm), x)
      checker.check(
        "Mᵀ a", lane: lane, Dense.difference(array(m.transposedTimes(a)), transposedProduct))
      checker.check(
        "Mᵀ a + b", lane: lane,
        Dense.difference(
          array(m.transposedTimes(a, adding: b)), zip(transposedProduct, y).map { $0 + $1 }))
      checker.check(
        "M N", lane: lane, Dense.difference(Dense.matrix(m * n, lane: lane), Dense.product(dm, dn)))
      checker.check(
        "Mᵀ", lane: lane,
        Dense.difference(Dense.matrix(m.transposed, lane: lane), Dense.transpose(dm)))
      let columns = Dense.transpose(dm)
      let determinant = Dense.dot(columns[0], Dense.product(Dense.skew(columns[1]), columns[2]))
      checker.check("det M", lane: lane, abs(number(m.determinant) - determinant))
    }
  }

  /// Unit quaternions form a group that acts on vectors as the rotation matrices do.
  public static func quaternions(seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    let a: Quaternion<L> = random.rotation()
    let b: Quaternion<L> = random.rotation()
    let c: Quaternion<L> = random.rotation()
    let v: Vector3<L> = random.vector()
    let identity = Quaternion<L>.identity
    return forEachLane { checker, lane in
      func array(_ q: Quaternion<L>) -> [Double] {
        [Double(q.w[lane: lane])] + Dense.array(q.vector, lane: lane)
      }
      func array(_ v: Vector3<L>) -> [Double] { Dense.array(v, lane: lane) }
      func matrix(_ q: Quaternion<L>) -> DenseSpatialAlgebra.Matrix {
        Dense.matrix(q.matrix, lane: lane)
      }
      let unit = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]
      checker.check(
        "(a b) c = a (b c)", lane: lane, Dense.difference(array((a * b) * c), array(a * (b * c))))
      checker.check("a 1 = a", lane: lane, Dense.difference(array(a * identity), array(a)))
      checker.check("1 a = a", lane: lane, Dense.difference(array(identity * a), array(a)))
      checker.check("a a* = 1", lane: lane, Dense.difference(array(a * a.conjugate), [1, 0, 0, 0]))
      checker.check(
        "(a b)* = b* a*", lane: lane,
        Dense.difference(array((a * b).conjugate), array(b.conjugate * a.conjugate)))
      checker.check("length", lane: lane, abs(Double((a * b).normSquared[lane: lane]) - 1))
      checker.check(
        "matrix of a b", lane: lane,
        Dense.difference(matrix(a * b), Dense.product(matrix(a), matrix(b))))
      checker.check(
        "orthogonal", lane: lane,
        Dense.difference(Dense.product(matrix(a), Dense.transpose(matrix(a))), unit))
      checker.check("right-handed", lane: lane, abs(Double(a.matrix.determinant[lane: lane]) - 1))
      checker.check(
        "rotate v", lane: lane,
        Dense.difference(array(a.rotate(v)), Dense.product(matrix(a), array(v))))
      checker.check(
        "inverse rotation", lane: lane,
        Dense.difference(array(a.conjugate.rotate(a.rotate(v))), array(v)))
      let scaled = Quaternion(a.w * 3.0, a.x * 3.0, a.y * 3.0, a.z * 3.0).normalized
      checker.check("normalized", lane: lane, Dense.difference(array(scaled), array(a)))
    }
  }

  /// Products of motion and force vectors, their duality and the Jacobi identity.
  public static func spatialVectors(seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    let v: Motion<L> = random.motion()
    let m: Motion<L> = random.motion()
    let u: Motion<L> = random.motion()
    let f: Force<L> = random.force()
    let s: L = random.lanes()
    let jacobi = v.cross(m.cross(u)) + m.cross(u.cross(v)) + u.cross(v.cross(m))
    return forEachLane { checker, lane in
      func array(_ m: Motion<L>) -> [Double] { Dense.array(m, lane: lane) }
      func array(_ f: Force<L>) -> [Double] { Dense.array(f, lane: lane) }
      func number(_ x: L) -> Double { Double(x[lane: lane]) }
      let (x, y, z) = (array(v), array(m), array(f))
      checker.check(
        "v × m", lane: lane,
        Dense.difference(array(v.cross(m)), Dense.product(Dense.motionCross(x), y)))
      checker.check(
        "v ×* f", lane: lane,
        Dense.difference(array(v.cross(f)), Dense.product(Dense.forceCross(x), z)))
      checker.check("m · f", lane: lane, abs(number(m.dot(f)) - Dense.dot(y, z)))
      checker.check(
        "(v × m) · f = -m · (v ×* f)", lane: lane,
        abs(number(v.cross(m).dot(f)) + number(m.dot(v.cross(f)))))
      checker.check("v × v = 0", lane: lane, array(v.cross(v)).map(abs).max()!)
      checker.check("Jacobi identity", lane: lane, array(jacobi).map(abs).max()!)
      checker.check(
        "m s + v", lane: lane,
        Dense.difference(array(m.multiplyAdd(s, v)), zip(y, x).map { $0 * number(s) + $1 }))
      checker.check(
        "f s + f", lane: lane,
        Dense.difference(array(f.multiplyAdd(s, f)), z.map { $0 * number(s) + $0 }))
      checker.check("m - v", lane: lane, Dense.difference(array(m - v), zip(y, x).map { $0 - $1 }))
      checker.check("-m", lane: lane, Dense.difference(array(-m), y.map { -$0 }))
    }
  }

  /// Rigid and articulated inertias against their 6x6 matrices.
  public static func inertias(seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    let a: RigidInertia<L> = random.inertia()
    let b: RigidInertia<L> = random.inertia()
    let m: Motion<L> = random.motion()
    let n: Motion<L> = random.motion()
    let f: Force<L> = random.force()
    let s: L = random.lanes(in: -1...1)
    let articulated = ArticulatedInertia(a)
    let updated = articulated.adding(outerProductOf: f, scale: s)
    return forEachLane { checker, lane in
      func array(_ m: Motion<L>) -> [Double] { Dense.array(m, lane: lane) }
      func array(_ f: Force<L>) -> [Double] { Dense.array(f, lane: lane) }
      func number(_ x: L) -> Double { Double(x[lane: lane]) }
      let (da, db) = (Dense.matrix(a, lane: lane), Dense.matrix(b, lane: lane))
      let sum = zip(da, db).map { zip($0, $1).map { $0 + $1 } }
      let z = array(f)
      let outer = zip(da, z).map { row, x in zip(row, z).map { $0 + number(s) * x * $1 } }
      checker.check("I m", lane: lane, Dense.difference(array(a * m), Dense.product(da, array(m))))
      checker.check("I + I", lane: lane, Dense.difference(Dense.matrix(a + b, lane: lane), sum))
      checker.check(
        "symmetry", lane: lane,
        abs(number(m.dot(a * n)) - number(n.dot(a * m))) / Dense.dot(z.map(abs), z.map(abs)))
      if !(number(m.dot(a * m)) > 0) {
        checker.violations.append("\(L.self) kinetic energy, lane \(lane)")
      }
      checker.check(
        "articulated", lane: lane, Dense.difference(Dense.matrix(articulated, lane: lane), da))
      checker.check(
        "articulated m", lane: lane,
        Dense.difference(array(updated * m), Dense.product(outer, array(m))))
      checker.check(
        "rank-one update", lane: lane, Dense.difference(Dense.matrix(updated, lane: lane), outer))
      checker.check(
        "sum of articulated", lane: lane,
        Dense.difference(Dense.matrix(articulated + ArticulatedInertia(b), lane: lane), sum))
    }
  }

  /// Change of axes and of the reference point: powers and energies stay, products follow.
  ///
  /// With the transform `X` of motion vectors, forces transform by the inverse of its transpose and inertias by
  /// `X⁻ᵀ I X⁻¹`; all three are applied here with 6x6 matrices and compared with the lanes' own products of the
  /// transformed parts.
  public static func transformations(seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    let rotation = (random.rotation() as Quaternion<L>).matrix
    let point: Vector3<L> = random.vector()
    let v: Motion<L> = random.motion()
    let m: Motion<L> = random.motion()
    let f: Force<L> = random.force()
    let mass: L = random.lanes(in: 0.5...3)
    let offset: Vector3<L> = random.vector()
    let central = (random.inertia() as RigidInertia<L>).rotational

    func moved(_ m: Motion<L>) -> Motion<L> {
      Motion(
        angular: rotation.transposedTimes(m.angular),
        linear: rotation.transposedTimes(m.angular.cross(point, adding: m.linear)))
    }
    func moved(_ f: Force<L>) -> Force<L> {
      Force(
        angular: rotation.transposedTimes(f.linear.cross(point, adding: f.angular)),
        linear: rotation.transposedTimes(f.linear))
    }
    func turned(_ s: SymmetricMatrix3<L>) -> SymmetricMatrix3<L> {
      let x = rotation.transposedTimes(s * rotation.column0)
      let y = rotation.transposedTimes(s * rotation.column1)
      let z = rotation.transposedTimes(s * rotation.column2)
      return SymmetricMatrix3(xx: x.x, yy: y.y, zz: z.z, xy: x.y, xz: x.z, yz: y.z)
    }
    let inertia = RigidInertia(mass: mass, offset: offset, central: central)
    let movedInertia = RigidInertia(
      mass: mass, offset: rotation.transposedTimes(offset - point), central: turned(central))

    return forEachLane { checker, lane in
      func array(_ m: Motion<L>) -> [Double] { Dense.array(m, lane: lane) }
      func array(_ f: Force<L>) -> [Double] { Dense.array(f, lane: lane) }
      func number(_ x: L) -> Double { Double(x[lane: lane]) }
      let transform = Dense.motionTransform(
        Dense.matrix(rotation, lane: lane), Dense.array(point, lane: lane))
      checker.check(
        "X m", lane: lane, Dense.difference(array(moved(m)), Dense.product(transform, array(m))))
      checker.check(
        "Xᵀ f'", lane: lane,
        Dense.difference(array(f), Dense.product(Dense.transpose(transform), array(moved(f)))))
      checker.check("power", lane: lane, abs(number(m.dot(f)) - number(moved(m).dot(moved(f)))))
      checker.check(
        "X (v × m)", lane: lane,
        Dense.difference(array(moved(v.cross(m))), array(moved(v).cross(moved(m)))))
      checker.check(
        "X (v ×* f)", lane: lane,
        Dense.difference(array(moved(v.cross(f))), array(moved(v).cross(moved(f)))))
      checker.check(
        "X (I m)", lane: lane,
        Dense.difference(array(moved(inertia * m)), array(movedInertia * moved(m))))
      let dense = Dense.product(
        Dense.transpose(transform), Dense.product(Dense.matrix(movedInertia, lane: lane), transform)
      )
      checker.check(
        "Xᵀ I' X", lane: lane, Dense.difference(Dense.matrix(inertia, lane: lane), dense))
    }
  }
}
