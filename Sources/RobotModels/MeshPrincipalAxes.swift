import Lanes

/// Principal moments and axes of a symmetric 3x3 matrix as MuJoCo's compiler finds them.
///
/// Jacobi rotations kept as a quaternion, until the largest off-diagonal entry is below 1e-12, whatever the
/// matrix's size: a small matrix keeps a relative error of up to 1e-12 over its entries. That is what makes the
/// result equal MuJoCo's; where the matrix has to be reproduced exactly use ``ExactPrincipalAxes``.
struct CompilerPrincipalAxes {
  /// In decreasing order (moments that differ by less than 1e-12 may stand either way).
  var moments: Vector3<Double>
  /// Turns principal axes into the matrix's axes.
  var orientation: Quaternion<Double>

  init(_ matrix: Matrix3<Double>) {
    let tolerance = 1e-12
    var rotation = Quaternion<Double>.identity
    var diagonal = Vector3<Double>.zero
    for _ in 0..<500 {
      let axes = rotation.matrix
      let rotated = axes.transposed * (matrix * axes)
      diagonal = Vector3(rotated[0, 0], rotated[1, 1], rotated[2, 2])
      let (p, q) = CompilerPrincipalAxes.largestOffDiagonal(rotated)
      let entry = rotated[p, q]
      if abs(entry) < tolerance { break }
      // The smaller rotation that annihilates the entry.
      let cotangent = (diagonal[q] - diagonal[p]) / (2 * entry)
      let tangent =
        (cotangent >= 0 ? 1.0 : -1.0) / (abs(cotangent) + (1 + cotangent * cotangent).squareRoot())
      let cosine = 1 / (1 + tangent * tangent).squareRoot()
      if cosine > 1 - tolerance { break }
      let halfSine = (0.5 - 0.5 * cosine).squareRoot()
      // The pair (0, 2) turns the other way about axis 1.
      let sign = (cotangent >= 0) == (p == 0 && q == 2) ? 1.0 : -1.0
      var step = Vector3<Double>.zero
      step[3 - p - q] = sign * halfSine
      rotation = (rotation * Quaternion((1 - halfSine * halfSine).squareRoot(), step)).normalized
    }
    // Three neighbour swaps sort three values; each turns the axes by a quarter.
    for index in [0, 1, 0] where diagonal[index] + tolerance < diagonal[index + 1] {
      let swapped = diagonal[index]
      diagonal[index] = diagonal[index + 1]
      diagonal[index + 1] = swapped
      var axis = Vector3<Double>.zero
      axis[(index + 2) % 3] = 0.5.squareRoot()
      rotation = (rotation * Quaternion(0.5.squareRoot(), axis)).normalized
    }
    moments = diagonal
    orientation = rotation
  }

  private static func largestOffDiagonal(_ m: Matrix3<Double>) -> (Int, Int) {
    let (xy, xz, yz) = (abs(m[0, 1]), abs(m[0, 2]), abs(m[1, 2]))
    if xy > xz && xy > yz { return (0, 1) }
    return xz > yz ? (0, 2) : (1, 2)
  }
}
