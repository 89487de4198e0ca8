/// A number for each row or column of a matrix, so that those of one colour can be computed together.
public struct Coloring: Sendable, Hashable {
  /// The colour of each, from 0 on.
  public let colors: [Int]
  /// Number of colours; zero if the matrix has no entries.
  public let count: Int
}

extension SparsityPattern {
  /// Columns of one colour have no row in common: the sum of such columns holds each entry by itself.
  ///
  /// Greedy, columns that meet many others first (Curtis, Powell and Reid 1974; Coleman and Moré 1983).
  /// - Complexity: O(Σ r²) for rows of r entries.
  public func columnColoring() -> Coloring {
    if entryCount == 0 { return Coloring(colors: [Int](repeating: 0, count: columnCount), count: 0) }
    let rowsOf = transposed
    let order = Self.descending(
      (0..<columnCount).map { column in
        rowsOf.columns(inRow: column).reduce(0) { $0 + rowOffsets[$1 + 1] - rowOffsets[$1] - 1 }
      })
    var greedy = GreedyColors(columnCount)
    for column in order {
      for row in rowsOf.columns(inRow: column) {
        for other in columns(inRow: row) { greedy.forbid(greedy.colors[other], for: column) }
      }
      greedy.color(column)
    }
    return greedy.result
  }
  /// Rows of one colour have no column in common.
  public func rowColoring() -> Coloring { transposed.columnColoring() }

  /// Colours of a symmetric matrix (star colouring): neighbours differ, and no path over four vertices has two colours only.
  /// Then of each pair of entries (i, j), (j, i) one stands by itself in the sum of its colour's columns.
  ///
  /// Greedy, vertices of many neighbours first (Gebremedhin, Manne and Pothen 2005, algorithm 4.1).
  /// - Precondition: the pattern is symmetric.
  public func symmetricColoring() -> Coloring {
    precondition(isSymmetric, "symmetricColoring: the pattern is not symmetric")
    if entryCount == 0 { return Coloring(colors: [Int](repeating: 0, count: columnCount), count: 0) }
    var greedy = GreedyColors(rowCount)
    for v in Self.descending((0..<rowCount).map { rowOffsets[$0 + 1] - rowOffsets[$0] }) {
      for w in columns(inRow: v) where w != v {
        greedy.forbid(greedy.colors[w], for: v)
        for x in columns(inRow: w) where x != w && x != v && greedy.colors[x] >= 0 {
          if greedy.colors[w] < 0 {
            greedy.forbid(greedy.colors[x], for: v)
          } else if columns(inRow: x).contains(where: {
            $0 != w && $0 != x && greedy.colors[$0] == greedy.colors[w]
          }) {
            greedy.forbid(greedy.colors[x], for: v)
          }
        }
      }
      greedy.color(v)
    }
    return greedy.result
  }

  /// Numbers in the order of falling degrees; equal ones as they stand.
  private static func descending(_ degrees: [Int]) -> [Int] {
    degrees.indices.sorted { (degrees[$1], $0) < (degrees[$0], $1) }
  }
}

private struct GreedyColors {
  /// -1 where there is none yet.
  private(set) var colors: [Int]
  private var count = 0
  /// Who forbade each colour last.
  private var forbiddenFor: [Int]

  init(_ vertices: Int) {
    colors = [Int](repeating: -1, count: vertices)
    forbiddenFor = [Int](repeating: -1, count: vertices + 1)
  }
  mutating func forbid(_ color: Int, for vertex: Int) {
    if color >= 0 { forbiddenFor[color] = vertex }
  }
  /// The first colour that is not forbidden.
  mutating func color(_ vertex: Int) {
    var color = 0
    while forbiddenFor[color] == vertex { color += 1 }
    colors[vertex] = color
    count = max(count, color + 1)
  }
  var result: Coloring { Coloring(colors: colors, count: count) }
}
