import Autodiff
import Lanes

/// ∂f/∂y and ∂f/∂p in lanes, at several times of steps: without what is zero, and with constants that are set once.
final class StepDerivatives {
  typealias L = SIMD8<Double>
  /// Lane groups, which products (here and in ``AdjointMaps``) have in registers: they are written for four.
  static let width = 4
  /// Matrices of larger states take more work than one state after the other.
  static let largestState = 12
  /// Entries whose values at the stages nearly stay in the second-level cache.
  static let mostEntries = 320

  private let n: Int
  private let program: ResidentProgram<L>
  /// `[node][entry]`: the entries that are computed, then constants.
  private let values: UnsafeMutablePointer<L>
  private let nodeSize: Int
  /// Entries of ∂f/∂y by their columns, and those of ∂f/∂p.
  private let entries: UnsafeMutablePointer<Entry>
  private let columns: UnsafeMutablePointer<Range<Int>>
  private let parameterEntries: Range<Int>
  /// A matrix times a vector.
  private let product: UnsafeMutablePointer<L>
  private let arena: Arena

  /// An entry that is not zero: where its value lies in a node, its row and its column.
  private struct Entry {
    var value: Int
    var row: Int
    var column: Int
  }

  /// - Parameters:
  ///   - source: time, state and parameters to what is not constant in rows of ∂f/∂y and ∂f/∂p.
  ///   - nodeCount: times in a step.
  init(_ source: ResidentSource, stateCount n: Int, parameterCount p: Int, nodeCount: Int) {
    self.n = n
    let width = Self.width
    let computedCount = source.constants.filter { $0 == nil }.count
    var constants: [Double] = []
    var list: [Entry] = []
    var computed = 0
    for row in 0..<n {
      for column in 0..<n + p {
        switch source.constants[row * (n + p) + column] {
        case nil:
          list.append(Entry(value: computed * width, row: row, column: column))
          computed += 1
        case 0: break
        case let constant?:
          list.append(Entry(value: (computedCount + constants.count) * width, row: row, column: column))
          constants.append(constant)
        }
      }
    }
    nodeSize = (computedCount + constants.count) * width
    let byColumn = (0..<n).map { column in list.filter { $0.column == column } }
    var ordered = Array(byColumn.joined())
    parameterEntries = ordered.count..<list.count
    ordered += list.filter { $0.column >= n }.map {
      Entry(value: $0.value, row: $0.row, column: $0.column - n)
    }
    var measure = ArenaMeasure()
    measure.take(L.self, nodeCount * nodeSize)
    measure.take(L.self, n)
    measure.take(Entry.self, ordered.count)
    measure.take(Range<Int>.self, n)
    var arena = Arena(byteCount: measure.byteCount)
    values = arena.take(L.self, nodeCount * nodeSize)
    product = arena.take(L.self, n)
    entries = arena.take(Entry.self, ordered.count)
    columns = arena.take(Range<Int>.self, n)
    self.arena = arena
    for (k, entry) in ordered.enumerated() { entries[k] = entry }
    var first = 0
    for (column, list) in byColumn.enumerated() {
      columns[column] = first..<first + list.count
      first += list.count
    }
    for node in 0..<nodeCount {
      for (k, constant) in constants.enumerated() {
        let start = node * nodeSize + (computedCount + k) * width
        for w in 0..<width { values[start + w] = L(constant) }
      }
    }
    program = ResidentProgram(source, width: width, isFixed: [false, false, true], inPlace: [nil])
  }

  func bind(_ parameters: UnsafePointer<L>) {
    program.inputs[2] = parameters
    program.load()
  }

  /// Computes the entries of a node.
  func run(node: Int, _ time: UnsafePointer<L>, _ state: UnsafePointer<L>) {
    program.inputs[0] = time
    program.inputs[1] = state
    program.outputs[0] = values + node &* nodeSize
    program.runGroups()
  }

  /// The matrices that change nothing, `[row][column]`.
  func setIdentity(_ matrix: UnsafeMutablePointer<L>) {
    matrix.update(repeating: L(0.0), count: n * n * Self.width)
    for k in 0..<n { (matrix + (k * n + k) * Self.width).update(repeating: L(1.0), count: Self.width) }
  }

  /// (∂f/∂y)ᵀ times a matrix, `[row][column]`; four lane groups of an element in registers.
  func multiply(node: Int, _ matrix: UnsafePointer<L>, into target: UnsafeMutablePointer<L>) {
    let (n, entries, columns) = (n, entries, columns)
    let values = values + node &* nodeSize
    let rowSize = n &* 4
    var q = 0
    while q < n {
      let column = columns[q]
      let row = target + q &* rowSize
      var i = 0
      while i < rowSize {
        var (a, b, c, d) = (L(0.0), L(0.0), L(0.0), L(0.0))
        var e = column.lowerBound
        while e < column.upperBound {
          let factor = values + entries[e].value
          let source = matrix + (entries[e].row &* rowSize &+ i)
          a = L.multiplyAdd(factor[0], source[0], a)
          b = L.multiplyAdd(factor[1], source[1], b)
          c = L.multiplyAdd(factor[2], source[2], c)
          d = L.multiplyAdd(factor[3], source[3], d)
          e = e &+ 1
        }
        row[i] = a
        row[i &+ 1] = b
        row[i &+ 2] = c
        row[i &+ 3] = d
        i = i &+ 4
      }
      q = q &+ 1
    }
  }

  /// Adds `weight` (∂f/∂p)ᵀ M v, of one lane group of matrices M, `[row][column]`, and vectors v.
  /// - Parameter matrix: nil: that which changes nothing.
  func addParameterProducts(
    node: Int, group w: Int, weight: Double, _ matrix: UnsafePointer<L>?, _ vectors: UnsafePointer<L>,
    to sums: UnsafeMutablePointer<L>
  ) {
    let (n, width) = (n, Self.width)
    var c = 0
    while c < n {
      if let matrix {
        let row = matrix + (c &* n &* width &+ w)
        var sum = L(0.0)
        var k = 0
        while k < n {
          sum = L.multiplyAdd(row[k &* width], vectors[k &* width &+ w], sum)
          k = k &+ 1
        }
        product[c] = L.multiply(sum, scalar: weight)
      } else {
        product[c] = L.multiply(vectors[c &* width &+ w], scalar: weight)
      }
      c = c &+ 1
    }
    let values = values + (node &* nodeSize &+ w)
    var e = parameterEntries.lowerBound
    while e < parameterEntries.upperBound {
      let entry = entries[e]
      sums[entry.column] = L.multiplyAdd(values[entry.value], product[entry.row], sums[entry.column])
      e = e &+ 1
    }
  }
}

extension ExplicitKernel where L == SIMD8<Double> {
  /// Lets a lane, counted through all groups, begin a recorded step.
  @inline(__always)
  func setStart(ofLane lane: Int, _ record: StepRecord, row: Int) {
    numbers(time)[lane] = record.times[row]
    numbers(step)[lane] = record.times[row &+ 1] - record.times[row]
    let (states, source) = (numbers(state), record.states + row &* stateCount)
    var c = 0
    while c < stateCount {
      states[c &* width &* 8 &+ lane] = source[c]
      c = c &+ 1
    }
  }
}
