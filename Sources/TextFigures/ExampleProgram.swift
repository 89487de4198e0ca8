import Foundation

/// What the examples have in common: how they are called and how they end.
///
///     NAME [--quick] [figure.svg]
package struct ExampleProgram {
  /// Whether a small problem is enough.
  package let isQuick: Bool
  /// Where the figure goes; nil for none.
  package let figurePath: String?

  /// Reads the arguments. Ends the program if there are others.
  /// - Parameter drawsFigure: whether there is a figure.
  package init(_ arguments: [String] = CommandLine.arguments, drawsFigure: Bool = true) {
    let rest = arguments.dropFirst().filter { $0 != "--quick" }
    isQuick = rest.count < arguments.count - 1
    figurePath = rest.first
    if rest.count > (drawsFigure ? 1 : 0) || rest.contains(where: { $0.hasPrefix("-") }) {
      Self.end("use: \(arguments.first ?? "NAME") [--quick]" + (drawsFigure ? " [figure.svg]" : ""))
    }
  }

  /// Ends the program with a sentence if what it should have reached does not hold.
  package func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) {
    Self.require(holds, otherwise())
  }
  /// The same in programs that take no arguments.
  package static func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) {
    if !holds { end(otherwise()) }
  }

  private static func end(_ sentence: String) -> Never {
    // What was printed before comes first.
    fflush(nil)
    FileHandle.standardError.write(Data((sentence + "\n").utf8))
    exit(1)
  }
}
