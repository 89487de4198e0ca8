import COpenBLAS

/// L D Lᵀ with pivots of one or two rows, and the signs of D (Bunch and Kaufman; LAPACK's `sytrf`).
struct SymmetricIndefinite {
  private var factor: [Double]
  private var pivots: [Int32]
  private let size: Int
  /// No pivot is zero or out of proportion.
  private(set) var isRegular: Bool
  private(set) var negativeCount = 0

  init(_ matrix: [Double], size: Int) {
    factor = matrix
    self.size = size
    pivots = [Int32](repeating: 0, count: size)
    isRegular = matrix.allSatisfy(\.isFinite)
    guard size > 0, isRegular else { return }
    let order = Int32(size)
    // The name of the lower half.
    let info = LAPACKE_dsytrf(LAPACK_COL_MAJOR, 76, order, &factor, order, &pivots)
    isRegular = info == 0
    var k = 0
    while k < size {
      if pivots[k] > 0 {
        let pivot = factor[k * size + k]
        if pivot < 0 { negativeCount += 1 }
        if pivot.magnitude < 1e-14 { isRegular = false }
        k += 1
      } else {
        // Blocks of two rows have a pivot of either sign.
        negativeCount += 1
        k += 2
      }
    }
  }

  func solve(_ right: [Double]) -> [Double] {
    guard size > 0 else { return [] }
    var x = right
    let order = Int32(size)
    _ = LAPACKE_dsytrs(LAPACK_COL_MAJOR, 76, order, 1, factor, order, pivots, &x, order)
    return x
  }
}
