import Lanes

/// A symmetric 6x6 form on motions, about the tree's reference point: angular block, linear block, and the
/// coupling `C` with `angular · C linear`.
struct SpatialSymmetric<L: Lane> {
  var angular: SymmetricMatrix3<L>
  var linear: SymmetricMatrix3<L>
  var coupling: Matrix3<L>

  @inline(__always) static var zero: Self { Self(angular: .zero, linear: .zero, coupling: .zero) }

  /// The form of a body that is damped by `angular` and `linear` (both in world axes) at its centre of mass,
  /// which lies at `offset` from the reference point.
  ///
  /// With `u = v + w x r`, the linear block is `D`, the coupling `r x D`, the angular block `A - [r] D [r]`.
  @inline(__always)
  init(angular a: SymmetricMatrix3<L>, linear d: SymmetricMatrix3<L>, offset r: Vector3<L>) {
    linear = d
    let columns = (
      Vector3(d.xx, d.xy, d.xz), Vector3(d.xy, d.yy, d.yz), Vector3(d.xz, d.yz, d.zz)
    )
    coupling = Matrix3(columns: r.cross(columns.0), r.cross(columns.1), r.cross(columns.2))
    // Rows of [r] D are `coupling`'s rows; -[r] D [r] has rows r x (row) with the sign that [r]ᵀ = -[r] gives.
    let rows = coupling.transposed
    let x = r.cross(rows.column0)
    let y = r.cross(rows.column1)
    let z = r.cross(rows.column2)
    angular = SymmetricMatrix3(
      xx: a.xx + x.x, yy: a.yy + y.y, zz: a.zz + z.z, xy: a.xy + x.y, xz: a.xz + x.z, yz: a.yz + y.z)
  }

  @inline(__always)
  init(angular: SymmetricMatrix3<L>, linear: SymmetricMatrix3<L>, coupling: Matrix3<L>) {
    self.angular = angular
    self.linear = linear
    self.coupling = coupling
  }

  @inline(__always) static func + (a: Self, b: Self) -> Self {
    Self(angular: a.angular + b.angular, linear: a.linear + b.linear, coupling: a.coupling + b.coupling)
  }

  @inline(__always) static func * (a: Self, m: Motion<L>) -> Force<L> {
    Force(
      angular: a.angular * m.angular + a.coupling * m.linear,
      linear: a.coupling.transposedTimes(m.angular) + a.linear * m.linear)
  }
}

/// `R diag(d) Rᵀ`.
@inline(__always)
func rotatedDiagonal<L: Lane>(_ r: Matrix3<L>, _ d: Vector3<L>) -> SymmetricMatrix3<L> {
  let a = r.column0 * d.x
  let b = r.column1 * d.y
  let c = r.column2 * d.z
  return SymmetricMatrix3(
    xx: a.x * r.column0.x + b.x * r.column1.x + c.x * r.column2.x,
    yy: a.y * r.column0.y + b.y * r.column1.y + c.y * r.column2.y,
    zz: a.z * r.column0.z + b.z * r.column1.z + c.z * r.column2.z,
    xy: a.x * r.column0.y + b.x * r.column1.y + c.x * r.column2.y,
    xz: a.x * r.column0.z + b.x * r.column1.z + c.x * r.column2.z,
    yz: a.y * r.column0.z + b.y * r.column1.z + c.y * r.column2.z)
}
