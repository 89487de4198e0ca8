/// Options of a benchmark: `--name value`.
package struct Options {
  private var values: [String: String] = [:]

  /// - Parameter known: names without dashes, with their default values.
  package init(_ known: [String: String], arguments: [String] = CommandLine.arguments) throws {
    values = known
    var rest = arguments.dropFirst()
    while let name = rest.popFirst() {
      guard name.hasPrefix("--"), known[String(name.dropFirst(2))] != nil, let value = rest.popFirst() else {
        let usage = known.sorted { $0.key < $1.key }.map { "  --\($0.key) VALUE (default: \($0.value))" }
        throw BenchmarkError("unknown option or missing value: \(name)\n\(usage.joined(separator: "\n"))")
      }
      values[String(name.dropFirst(2))] = value
    }
  }

  package subscript(name: String) -> String { values[name]! }
}
