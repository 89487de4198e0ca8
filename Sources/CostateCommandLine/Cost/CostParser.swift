import Foundation
import Costate

extension CostExpression {
  /// Reads an expression over the state of a model.
  ///
  ///     sum     = product (("+" | "-") product)*
  ///     product = sign (("*" | "/") sign)*
  ///     sign    = ("-" | "+") sign | power
  ///     power   = primary ("^" sign)?
  ///     primary = number | "pi" | function "(" sum ")" | "(" sum ")" | "time" | state
  ///     state   = ("qpos" | "qvel") "[" index or joint "]" | "act" "[" index "]" | "xpos" "[" index or body "]" "." axis
  ///
  /// - Throws: `CommandFailure` (wrong usage) with the place of the fault and what is known there.
  static func parse(_ source: String, for model: Model) throws(CommandFailure) -> CostExpression {
    var parser = CostParser(source: source, model: model)
    return try parser.parse()
  }
}

private struct CostParser {
  static let maximumDepth = 200
  static let variablesHelp =
    "qpos[i], qvel[i], act[i], qpos[joint], qvel[joint], xpos[body].x, .y or .z, time, pi"

  let source: String
  let characters: [Character]
  let model: Model
  var expression: CostExpression
  var offset = 0
  var depth = 0

  init(source: String, model: Model) {
    self.source = source
    characters = Array(source)
    self.model = model
    expression = CostExpression(source: source)
  }

  mutating func parse() throws(CommandFailure) -> CostExpression {
    _ = try sum()
    skipSpace()
    guard offset == characters.count else { throw unexpected("an operator (+ - * / ^) or the end") }
    return expression
  }

  // MARK: Grammar

  private mutating func sum() throws(CommandFailure) -> Int {
    depth += 1
    guard depth <= Self.maximumDepth else { throw failure("nested more than \(Self.maximumDepth) deep") }
    var left = try product()
    while let (symbol, place) = accept(anyOf: [.add, .subtract]) {
      let right = try product()
      left = expression.append(.combine(symbol, left, right), at: place)
    }
    depth -= 1
    return left
  }

  private mutating func product() throws(CommandFailure) -> Int {
    var left = try sign()
    while let (symbol, place) = accept(anyOf: [.multiply, .divide]) {
      let right = try sign()
      left = expression.append(.combine(symbol, left, right), at: place)
    }
    return left
  }

  private mutating func sign() throws(CommandFailure) -> Int {
    var negations: [Int] = []
    while let (symbol, place) = accept(anyOf: [.add, .subtract]) {
      if symbol == .subtract { negations.append(place) }
    }
    var operand = try power()
    for place in negations.reversed() { operand = expression.append(.negate(operand), at: place) }
    return operand
  }

  private mutating func power() throws(CommandFailure) -> Int {
    let base = try primary()
    guard let (_, place) = accept(anyOf: [.power]) else { return base }
    depth += 1
    guard depth <= Self.maximumDepth else { throw failure("nested more than \(Self.maximumDepth) deep") }
    let exponent = try sign()
    depth -= 1
    return expression.append(.combine(.power, base, exponent), at: place)
  }

  private mutating func primary() throws(CommandFailure) -> Int {
    skipSpace()
    let start = offset
    if accept("(") {
      let inner = try sum()
      try expect(")")
      return inner
    }
    guard offset < characters.count else { throw unexpected("a number, a variable or a function") }
    if isDigit(characters[offset]) || characters[offset] == "." {
      return expression.append(.constant(try number()), at: start)
    }
    let name = identifier()
    switch name {
    case "": throw unexpected("a number, a variable or a function")
    case "pi": return expression.append(.constant(.pi), at: start)
    case "time": return append(.time, at: start)
    case "qpos": return append(.position(try coordinate(isPosition: true)), at: start)
    case "qvel": return append(.velocity(try coordinate(isPosition: false)), at: start)
    case "act":
      let (text, place) = try subscriptText()
      return append(
        .activation(try index(text, count: model.activationCount, of: "act", at: place)), at: start)
    case "xpos": return append(try bodyPosition(), at: start)
    default:
      guard let function = CostExpression.Function(rawValue: name) else {
        let functions = CostExpression.Function.allCases.map(\.rawValue).joined(separator: ", ")
        throw failure(
          at: start, "'\(name)' is not known; known are \(Self.variablesHelp) and the functions \(functions)")
      }
      try expect("(")
      let argument = try sum()
      try expect(")")
      return expression.append(.apply(function, argument), at: start)
    }
  }

  // MARK: Variables

  private mutating func append(_ variable: CostExpression.Variable, at place: Int) -> Int {
    expression.append(.variable(expression.index(of: variable)), at: place)
  }

  /// An index into qpos or qvel, or the name of a joint with one of them.
  private mutating func coordinate(isPosition: Bool) throws(CommandFailure) -> Int {
    let array = isPosition ? "qpos" : "qvel"
    let (text, place) = try subscriptText()
    if Int(text) != nil {
      return try index(
        text, count: isPosition ? model.positionCount : model.velocityCount, of: array, at: place)
    }
    guard let joint = model.jointIndex(named: text).map({ model.joints[$0] }) else {
      throw failure(at: place, "there is no joint '\(text)'; \(known(model.joints.map(\.name), "joints"))")
    }
    guard joint.type.velocityCount == 1 else {
      let count = isPosition ? joint.type.positionCount : joint.type.velocityCount
      let first = isPosition ? joint.positionAddress : joint.velocityAddress
      throw failure(
        at: place,
        "joint '\(text)' is a \(joint.type.rawValue) joint with \(count) numbers; name one by index, "
          + "\(array)[\(first)] to \(array)[\(first + count - 1)]")
    }
    return isPosition ? joint.positionAddress : joint.velocityAddress
  }

  private mutating func bodyPosition() throws(CommandFailure) -> CostExpression.Variable {
    let (text, place) = try subscriptText()
    let body: Int
    if Int(text) != nil {
      body = try index(text, count: model.bodies.count, of: "xpos", at: place)
    } else if let named = model.bodyIndex(named: text) {
      body = named
    } else {
      throw failure(at: place, "there is no body '\(text)'; \(known(model.bodies.map(\.name), "bodies"))")
    }
    skipSpace()
    let axisPlace = offset
    let axes = ["x", "y", "z"]
    guard accept("."), let axis = axes.firstIndex(of: identifier()) else {
      throw failure(at: axisPlace, "after xpos[\(text)] must stand .x, .y or .z")
    }
    return .bodyPosition(body: body, axis: axis)
  }

  /// What stands between brackets.
  private mutating func subscriptText() throws(CommandFailure) -> (text: String, place: Int) {
    try expect("[")
    skipSpace()
    let place = offset
    while offset < characters.count, characters[offset] != "]" { offset += 1 }
    let text = String(String(characters[place..<offset]).reversed().drop { $0 == " " }.reversed())
    try expect("]")
    guard !text.isEmpty else {
      throw failure(at: place, "an index or a name should stand between the brackets")
    }
    return (text, place)
  }

  private func index(_ text: String, count: Int, of array: String, at place: Int) throws(CommandFailure)
    -> Int
  {
    guard let index = Int(text), (0..<count).contains(index) else {
      let range = count == 0 ? "the model's \(array) is empty" : "\(array) has indices 0 to \(count - 1)"
      throw failure(at: place, "\(array)[\(text)] does not exist; \(range)")
    }
    return index
  }

  private func known(_ names: [String], _ what: String) -> String {
    let named = names.filter { !$0.isEmpty }
    guard !named.isEmpty else { return "none of the \(what) has a name" }
    return "known \(what) are \(named.prefix(40).joined(separator: ", "))" + (named.count > 40 ? ", …" : "")
  }

  // MARK: Tokens

  private mutating func skipSpace() {
    while offset < characters.count, characters[offset].isWhitespace { offset += 1 }
  }

  private mutating func accept(_ character: Character) -> Bool {
    skipSpace()
    guard offset < characters.count, characters[offset] == character else { return false }
    offset += 1
    return true
  }

  private mutating func accept(
    anyOf symbols: [CostExpression.BinaryOperator]
  ) -> (CostExpression.BinaryOperator, place: Int)? {
    skipSpace()
    for symbol in symbols where accept(symbol.rawValue) { return (symbol, offset - 1) }
    return nil
  }

  private mutating func expect(_ character: Character) throws(CommandFailure) {
    guard accept(character) else { throw unexpected("'\(character)'") }
  }

  private mutating func identifier() -> String {
    let start = offset
    while offset < characters.count,
      isLetter(characters[offset]) || (offset > start && isDigit(characters[offset]))
    {
      offset += 1
    }
    return String(characters[start..<offset])
  }

  private mutating func number() throws(CommandFailure) -> Double {
    let start = offset
    skipDigits()
    if offset < characters.count, characters[offset] == "." {
      offset += 1
      skipDigits()
    }
    if offset < characters.count, characters[offset] == "e" || characters[offset] == "E" {
      offset += 1
      if offset < characters.count, characters[offset] == "+" || characters[offset] == "-" { offset += 1 }
      skipDigits()
    }
    let text = String(characters[start..<offset])
    guard let number = Double(text), number.isFinite else {
      throw failure(at: start, "'\(text)' is not a number")
    }
    return number
  }

  private mutating func skipDigits() {
    while offset < characters.count, isDigit(characters[offset]) { offset += 1 }
  }

  private func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

  private func isLetter(_ character: Character) -> Bool {
    ("a"..."z").contains(character) || ("A"..."Z").contains(character) || character == "_"
  }

  private func failure(at place: Int? = nil, _ message: String) -> CommandFailure {
    CostExpression.failure(.wrongUsage, in: source, at: place ?? offset, message)
  }

  private func unexpected(_ expected: String) -> CommandFailure {
    guard offset < characters.count else {
      return failure("the expression ends where \(expected) should stand")
    }
    return failure("found '\(characters[offset])' where \(expected) should stand")
  }
}
