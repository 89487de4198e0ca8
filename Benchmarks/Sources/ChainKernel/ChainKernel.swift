import Costate

/// The chain for one double. Entries with concrete types spare the caller the search for a specialisation at run
/// time, which costs as much as seven joints.
public func chain(
  joints: Int, offsets: UnsafePointer<Double>, turns: UnsafePointer<Double>,
  poses: UnsafeMutablePointer<Double>
) {
  chainOnLanes(joints: joints, offsets: offsets, turns: turns, poses: poses)
}

/// The chain for eight doubles.
public func chain(
  joints: Int, offsets: UnsafePointer<Double>, turns: UnsafePointer<SIMD8<Double>>,
  poses: UnsafeMutablePointer<SIMD8<Double>>
) {
  chainOnLanes(joints: joints, offsets: offsets, turns: turns, poses: poses)
}

/// The chain for sixteen floats.
public func chain(
  joints: Int, offsets: UnsafePointer<Float>, turns: UnsafePointer<SIMD16<Float>>,
  poses: UnsafeMutablePointer<SIMD16<Float>>
) {
  chainOnLanes(joints: joints, offsets: offsets, turns: turns, poses: poses)
}

/// The rigid-transform chain on lanes: per joint a constant offset, then a rotation about z.
///
/// - Parameters:
///   - joints: Number of joints.
///   - offsets: Per joint the offset's rotation, row by row, and translation: 12 numbers that all lanes share.
///   - turns: Per joint the cosine and the sine of its angle.
///   - poses: Receives per joint the rotation, column by column, and the position: 12 lane groups.
private func chainOnLanes<L: Lane>(
  joints: Int, offsets: UnsafePointer<L.Scalar>, turns: UnsafePointer<L>, poses: UnsafeMutablePointer<L>
) {
  var rotation = Matrix3<L>.identity
  var position = Vector3<L>.zero
  var joint = 0
  while joint < joints {
    let o = offsets + 12 &* joint
    let offset = Matrix3(
      columns: broadcast(o[0], o[3], o[6], as: L.self), broadcast(o[1], o[4], o[7]),
      broadcast(o[2], o[5], o[8]))
    position = rotation.multiplyAdd(broadcast(o[9], o[10], o[11]), position)
    let turned = rotation * offset
    let cosine = turns[2 &* joint]
    let sine = turns[2 &* joint &+ 1]
    rotation = Matrix3(
      columns: turned.column1.multiplyAdd(sine, turned.column0 * cosine),
      turned.column0.multiplyAdd(-sine, turned.column1 * cosine), turned.column2)
    let out = UnsafeMutableRawPointer(poses + 12 &* joint)
    out.storeBytes(of: rotation, as: Matrix3<L>.self)
    out.storeBytes(of: position, toByteOffset: 9 &* MemoryLayout<L>.stride, as: Vector3<L>.self)
    joint &+= 1
  }
}

/// A vector of numbers that all lanes share.
@inline(__always)
private func broadcast<L: Lane>(
  _ x: L.Scalar, _ y: L.Scalar, _ z: L.Scalar, as type: L.Type = L.self
) -> Vector3<L> {
  Vector3(L(broadcasting: x), L(broadcasting: y), L(broadcasting: z))
}
