extension Program: CustomStringConvertible {
  /// The program as text, one operation per line:
  ///
  /// ```
  /// program (a: float64[3]) {
  ///   b: float64[3] = sine a
  ///   c: float64 = sum[axes: [0]] b
  ///   return c
  /// }
  /// ```
  public var description: String { text(indent: "") }

  func text(indent: String) -> String {
    var constantText: [Int32: String] = [:]
    for constant in constants { constantText[constant.variable] = Self.describe(constant.value) }
    var names = [Int32: String]()
    func name(_ id: Int32) -> String {
      if let text = constantText[id] { return text }
      if let known = names[id] { return known }
      let fresh = Self.letters(names.count)
      names[id] = fresh
      return fresh
    }
    let header = inputs.map { "\(name($0)): \(types[Int($0)])" }.joined(separator: ", ")
    var lines = ["\(indent)program (\(header)) {"]
    for equation in equations {
      let primitive = primitive(of: equation)
      let results = equation.results.map { "\(name(Int32($0))): \(types[$0])" }.joined(separator: ", ")
      let arguments = operands(of: equation).map(name).joined(separator: " ")
      lines.append("\(indent)  \(results) = \(primitive.label) \(arguments)")
      for (role, program) in (primitive as? any HigherOrderPrimitive)?.programs ?? [] {
        lines.append("\(indent)    \(role):")
        lines.append(program.text(indent: indent + "      "))
      }
    }
    lines.append("\(indent)  return \(outputs.map(name).joined(separator: ", "))")
    lines.append("\(indent)}")
    return lines.joined(separator: "\n")
  }

  /// a, b, …, z, aa, ab, …
  private static func letters(_ index: Int) -> String {
    var index = index
    var text = ""
    repeat {
      text = String(UnicodeScalar(UInt8(97 + index % 26))) + text
      index = index / 26 - 1
    } while index >= 0
    return text
  }

  private static func describe(_ value: DenseArray) -> String {
    if value.count > 0 && value.isUniform {
      let number = value.elementType == .bool ? "\(value.read(at: 0) != 0)" : "\(value.read(at: 0))"
      return value.shape.isEmpty ? number : "\(number){\(value.type)}"
    }
    return "constant{\(value.type)}"
  }
}

/// A primitive that holds programs: control flow and custom rules.
package protocol HigherOrderPrimitive: Primitive {
  /// The programs and what they are for.
  var programs: [(role: String, program: Program)] { get }
}
