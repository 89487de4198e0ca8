import Kinematics
import RobotModels

/// Where the entries of the mass matrix lie.
///
/// The mass matrix couples a degree of freedom with those on its way to the root only. Row `i` is kept as
/// `[M(i,i), M(i,parent), M(i,grandparent), …]`, so that along a chain the rows line up and the factorisation
/// `M = Lᵀ D L` needs no index lists (Featherstone 2008, section 6.5; MuJoCo's `qM`). Mimic joints couple
/// further degrees of freedom; there `parent` is that of the elimination tree, which covers the fill-in.
final class MassMatrixPattern: Sendable {
  /// For each degree of freedom: the next one of its row (-1 at the end), the address of its diagonal entry, and
  /// the number of entries of its row.
  let parent: ConstantBuffer<Int32>
  let rowAddress: ConstantBuffer<Int32>
  let rowLength: ConstantBuffer<Int32>
  /// For each entry, its column: walking along `parent` instead takes the time of a load from entry to entry.
  let columns: ConstantBuffer<Int32>
  let count: Int
  let entryCount: Int

  /// For a model with mimic joints: where the product of two directions goes, in the order in which the
  /// composite-inertia pass visits them, and how often it counts.
  struct DirectionPair: Sendable {
    var address: Int32
    var isDoubled: Bool
  }
  let directionPairs: ConstantBuffer<DirectionPair>
  /// Where each direction's pairs begin.
  let pairStart: ConstantBuffer<Int32>

  init<Scalar>(_ tree: KinematicTree<Scalar>) {
    let n = tree.velocityCount
    count = n
    var couplings = [Set<Int>](repeating: [], count: n)
    for k in 0..<tree.directionCount {
      let row = Int(tree.directionDegreeOfFreedom[k])
      var j = Int(tree.directionParent[k])
      while j >= 0 {
        let column = Int(tree.directionDegreeOfFreedom[j])
        if row != column { couplings[max(row, column)].insert(min(row, column)) }
        j = Int(tree.directionParent[j])
      }
    }
    var parent = [Int32](repeating: -1, count: n)
    for row in stride(from: n - 1, through: 0, by: -1) {
      guard let next = couplings[row].max() else { continue }
      parent[row] = Int32(next)
      if tree.hasMimic { couplings[next].formUnion(couplings[row].subtracting([next])) }
    }
    let layout = Layout(parent: parent)
    let address = layout.address
    var pairs: [DirectionPair] = []
    var pairStart: [Int32] = []
    if tree.hasMimic {
      for k in 0..<tree.directionCount {
        pairStart.append(Int32(pairs.count))
        var j = k
        while j >= 0 {
          let a = Int(tree.directionDegreeOfFreedom[k])
          let b = Int(tree.directionDegreeOfFreedom[j])
          var row = max(a, b)
          var offset: Int32 = 0
          let start = address[row]
          while row != min(a, b) {
            row = Int(parent[row])
            offset += 1
          }
          pairs.append(DirectionPair(address: start + offset, isDoubled: a == b && j != k))
          j = Int(tree.directionParent[j])
        }
      }
    }
    self.parent = ConstantBuffer(parent)
    rowAddress = ConstantBuffer(layout.address)
    rowLength = ConstantBuffer(layout.length)
    columns = ConstantBuffer(layout.columns)
    entryCount = layout.columns.count
    directionPairs = ConstantBuffer(pairs)
    self.pairStart = ConstantBuffer(pairStart)
  }

  /// The pattern of a model without mimic joints in which `parents` holds the next degree of freedom on the way to the
  /// root (-1 at a root), smaller than the degree of freedom itself.
  init(parents: [Int32]) {
    let layout = Layout(parent: parents)
    count = parents.count
    parent = ConstantBuffer(parents)
    rowAddress = ConstantBuffer(layout.address)
    rowLength = ConstantBuffer(layout.length)
    columns = ConstantBuffer(layout.columns)
    entryCount = layout.columns.count
    directionPairs = ConstantBuffer([])
    pairStart = ConstantBuffer([])
  }

  /// Rows along the way to the root. The last row comes first: that is the order in which the factorisation and the
  /// solution go through memory.
  private struct Layout {
    var length: [Int32]
    var address: [Int32]
    var columns: [Int32] = []

    init(parent: [Int32]) {
      length = [Int32](repeating: 1, count: parent.count)
      address = [Int32](repeating: 0, count: parent.count)
      for row in parent.indices where parent[row] >= 0 { length[row] = length[Int(parent[row])] + 1 }
      for row in parent.indices.reversed() {
        address[row] = Int32(columns.count)
        var column = Int32(row)
        while column >= 0 {
          columns.append(column)
          column = parent[Int(column)]
        }
      }
    }
  }
}
