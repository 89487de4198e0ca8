import Kinematics
import Lanes

/// Implicit treatment of the gyroscopic force of standalone free bodies under `implicitfast`.
///
/// Such a body's 6x6 block of `M - h D` is decoupled from the rest, so the derivative `B` of its bias force, which
/// is not symmetric, can be kept: `A = M̂ + h B`. In the joint's coordinates (linear in world axes, angular in
/// body axes, origin at the body's) the bias is `f = w x (w x m s)`, `n = w x (Iₒ w)`, and its derivative by the
/// body's angular velocity along axis `k` follows by the product rule.
@inline(__always)
func gyroscopicColumn<L: Lane>(
  _ inertia: RigidInertia<L>, angularVelocity w: Vector3<L>, axis: Vector3<L>
) -> Force<L> {
  let h = inertia.firstMoment
  return Force(
    angular: axis.cross(inertia.rotational * w) + w.cross(inertia.rotational * axis),
    linear: axis.cross(w.cross(h)) + w.cross(axis.cross(h)))
}

/// Builds and factors the blocks of all standalone free bodies. Must run before the mass matrix is factored.
@inline(__always)
func factorFreeBodies<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, timestep: L
) {
  var i = 0
  while i < plan.implicitFreeBodyCount {
    let body = plan.freeBodies[i]
    let dof = Int(body.velocityAddress)
    let a = record.freeMatrices + FreeBodyFactor.size * i
    var row = 0
    while row < 6 {
      let entries = record.factor + Int(plan.pattern.rowAddress[dof + row])
      var column = 0
      while column <= row {
        a[6 * row + column] = entries[row - column]
        a[6 * column + row] = entries[row - column]
        column += 1
      }
      row += 1
    }
    let rotation = record.poses[Int(body.link)].rotation
    let u = record.velocities + (dof + 3)
    let w = rotation * Vector3(u[0], u[1], u[2])
    addColumn(
      3, gyroscopicColumn(record.inertias[Int(body.link)], angularVelocity: w, axis: rotation.column0),
      rotation, timestep, a)
    addColumn(
      4, gyroscopicColumn(record.inertias[Int(body.link)], angularVelocity: w, axis: rotation.column1),
      rotation, timestep, a)
    addColumn(
      5, gyroscopicColumn(record.inertias[Int(body.link)], angularVelocity: w, axis: rotation.column2),
      rotation, timestep, a)
    factor6(a)
    i += 1
  }
}

@inline(__always)
private func addColumn<L: Lane>(
  _ column: Int, _ force: Force<L>, _ rotation: Matrix3<L>, _ timestep: L, _ a: UnsafeMutablePointer<L>
) {
  let torque = rotation.transposedTimes(force.angular)
  a[column] = L.multiplyAdd(force.linear.x, timestep, a[column])
  a[6 + column] = L.multiplyAdd(force.linear.y, timestep, a[6 + column])
  a[12 + column] = L.multiplyAdd(force.linear.z, timestep, a[12 + column])
  a[18 + column] = L.multiplyAdd(torque.x, timestep, a[18 + column])
  a[24 + column] = L.multiplyAdd(torque.y, timestep, a[24 + column])
  a[30 + column] = L.multiplyAdd(torque.z, timestep, a[30 + column])
}

/// What is kept of each block: the factors of its 36 entries, and which rows were exchanged.
enum FreeBodyFactor {
  static var size: Int { 39 }
  static var exchanges: Int { 36 }
}

/// LU factorisation in place (the lower factor has a unit diagonal; the reciprocals of the pivots are kept).
///
/// The first three columns are those of the symmetric positive definite mass matrix. The others are far from that when
/// the body turns by a radian or more in a step, so their pivots are the largest that there are.
@inline(__always)
private func factor6<L: Lane>(_ a: UnsafeMutablePointer<L>) {
  var k = 0
  while k < 6 {
    if k == 3 {
      exchangeRows(a, 3, 4, where: a[21].magnitude .< a[27].magnitude, record: 0)
      exchangeRows(a, 3, 5, where: a[21].magnitude .< a[33].magnitude, record: 1)
    } else if k == 4 {
      exchangeRows(a, 4, 5, where: a[28].magnitude .< a[34].magnitude, record: 2)
    }
    let inverse = 1.0 / a[7 * k]
    a[7 * k] = inverse
    var i = k + 1
    while i < 6 {
      let f = a[6 * i + k] * inverse
      a[6 * i + k] = f
      var j = k + 1
      while j < 6 {
        a[6 * i + j] = a[6 * i + j] - f * a[6 * k + j]
        j += 1
      }
      i += 1
    }
    k += 1
  }
}

/// Exchanges two rows in some lanes, and records in which.
@inline(__always)
private func exchangeRows<L: Lane>(
  _ a: UnsafeMutablePointer<L>, _ first: Int, _ second: Int, where mask: L.Mask, record: Int
) {
  a[FreeBodyFactor.exchanges + record] = L(0.0).replacing(with: L(1.0), where: mask)
  guard mask.anyTrue else { return }
  var column = 0
  while column < 6 {
    exchange(a + (6 * first + column), a + (6 * second + column), where: mask)
    column += 1
  }
}

@inline(__always)
private func exchange<L: Lane>(
  _ x: UnsafeMutablePointer<L>, _ y: UnsafeMutablePointer<L>, where mask: L.Mask
) {
  let before = x.pointee
  x.pointee = before.replacing(with: y.pointee, where: mask)
  y.pointee = y.pointee.replacing(with: before, where: mask)
}

/// Exchanges entries of a vector as the factorisation exchanged rows.
@inline(__always)
private func exchangeEntries<L: Lane>(
  _ a: UnsafePointer<L>, _ y: UnsafeMutablePointer<L>, _ first: Int, _ second: Int, record: Int
) {
  exchange(y + first, y + second, where: L(0.5) .< a[FreeBodyFactor.exchanges + record])
}

/// Solves with each block, overwriting the six entries of `x` that hold its right-hand side. `rightHandSide` holds
/// the original values.
@inline(__always)
func solveFreeBodies<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, transposed: Bool,
  rightHandSide: UnsafePointer<L>, _ x: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < plan.implicitFreeBodyCount {
    let dof = Int(plan.freeBodies[i].velocityAddress)
    let a = record.freeMatrices + FreeBodyFactor.size * i
    let y = x + dof
    var k = 0
    while k < 6 {
      y[k] = rightHandSide[dof + k]
      k += 1
    }
    if transposed {
      // P A = L U, so Aᵀ = Uᵀ Lᵀ P.
      k = 0
      while k < 6 {
        var sum = y[k]
        var j = 0
        while j < k {
          sum = sum - a[6 * j + k] * y[j]
          j += 1
        }
        y[k] = sum * a[7 * k]
        k += 1
      }
      k = 4
      while k >= 0 {
        var sum = y[k]
        var j = k + 1
        while j < 6 {
          sum = sum - a[6 * j + k] * y[j]
          j += 1
        }
        y[k] = sum
        k -= 1
      }
      exchangeEntries(a, y, 4, 5, record: 2)
      exchangeEntries(a, y, 3, 5, record: 1)
      exchangeEntries(a, y, 3, 4, record: 0)
    } else {
      exchangeEntries(a, y, 3, 4, record: 0)
      exchangeEntries(a, y, 3, 5, record: 1)
      exchangeEntries(a, y, 4, 5, record: 2)
      k = 1
      while k < 6 {
        var sum = y[k]
        var j = 0
        while j < k {
          sum = sum - a[6 * k + j] * y[j]
          j += 1
        }
        y[k] = sum
        k += 1
      }
      k = 5
      while k >= 0 {
        var sum = y[k]
        var j = k + 1
        while j < 6 {
          sum = sum - a[6 * k + j] * y[j]
          j += 1
        }
        y[k] = sum * a[7 * k]
        k -= 1
      }
    }
    i += 1
  }
}
