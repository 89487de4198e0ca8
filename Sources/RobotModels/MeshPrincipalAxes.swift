import Lanes

/// Principal moments and axes of a symmetric 3x3 matrix, by Jacobi rotations kept as a quaternion.
///
/// Until it is exact, the result is MuJoCo's compiler's: rotations end when the largest off-diagonal entry is
/// below 1e-12 whatever the matrix's size, or the angle below 1.4e-6. Equal models need the same roughness.
struct CompilerPrincipalAxes {
  /// In decreasing order (moments that differ by less than 1e-12 may stand either way).
  var moments: Vector3<Double>
  /// Turns principal axes into the matrix's axes.
  var orientation: Quaternion<Double>

  /// - Parameter isExact: go on until the moments and axes reproduce the matrix, of any signature, to rounding.
  init(_ matrix: Matrix3<Double>, isExact: Bool = false) {
    let tolerance = 1e-12
    let largest = matrix.rowMajor.map(abs).max() ?? 0
    let smallestEntry = isExact ? 4e-16 * largest : tolerance
    var rotation = Quaternion<Double>.identity
    var diagonal = Vector3<Double>.zero
    for _ in 0..<(isExact ? 50 : 500) {
      let axes = rotation.matrix
      let rotated = axes.transposed * (matrix * axes)
      diagonal = Vector3(rotated[0, 0], rotated[1, 1], rotated[2, 2])
      let (p, q) = CompilerPrincipalAxes.largestOffDiagonal(rotated)
      let entry = rotated[p, q]
      if isExact ? abs(entry) <= smallestEntry : abs(entry) < smallestEntry { break }
      // The smaller rotation that annihilates the entry.
      let cotangent = (diagonal[q] - diagonal[p]) / (2 * entry)
      let tangent = 1 / (abs(cotangent) + (1 + cotangent * cotangent).squareRoot())
      let cosine = 1 / (1 + tangent * tangent).squareRoot()
      if !isExact && cosine > 1 - tolerance { break }
      // The second form loses digits at small angles, and MuJoCo uses it.
      let halfSine =
        isExact
        ? tangent * cosine / (2 * (1 + cosine)).squareRoot() : (0.5 - 0.5 * cosine).squareRoot()
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
