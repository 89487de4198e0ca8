import Autodiff

/// A formula of the elements x1, x2, … of a vector: + - * / ^, parentheses, sin, cos, exp, log, sqrt, pi.
struct TensorExpression {
  private var bytes: [UInt8]
  private var offset = 0
  private let x: Tensor

  static func evaluate(_ text: String, _ x: Tensor) -> Tensor {
    var parser = TensorExpression(bytes: Array(text.utf8), x: x)
    let value = parser.sum()
    precondition(parser.offset == parser.bytes.count, "'\(text)' at \(parser.offset)")
    return value
  }
  private init(bytes: [UInt8], x: Tensor) {
    self.bytes = bytes
    self.x = x
  }
  private mutating func accept(_ letter: Unicode.Scalar) -> Bool {
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: letter) else { return false }
    offset += 1
    return true
  }
  private mutating func sum() -> Tensor {
    var value = product()
    while true {
      if accept("+") {
        value = value + product()
      } else if accept("-") {
        value = value - product()
      } else {
        return value
      }
    }
  }
  private mutating func product() -> Tensor {
    if accept("-") { return -product() }
    var value = power()
    while true {
      if accept("*") {
        value = value * power()
      } else if accept("/") {
        value = value / power()
      } else {
        return value
      }
    }
  }
  private mutating func power() -> Tensor {
    let base = atom()
    guard accept("^") else { return base }
    return pow(base, Int(word())!)
  }
  private mutating func word() -> String {
    let start = offset
    while offset < bytes.count,
      Character(UnicodeScalar(bytes[offset])).isLetter || Character(UnicodeScalar(bytes[offset])).isNumber
        || bytes[offset] == 46
    {
      offset += 1
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }
  private mutating func atom() -> Tensor {
    if accept("-") { return -atom() }
    if accept("(") {
      let value = sum()
      precondition(accept(")"))
      return value
    }
    let name = word()
    if let number = Double(name) { return Tensor(number) }
    if name == "pi" { return Tensor(Double.pi) }
    if name.hasPrefix("x"), let index = Int(name.dropFirst()) { return x[index - 1] }
    precondition(accept("("), name)
    let argument = sum()
    precondition(accept(")"))
    switch name {
    case "sin": return sin(argument)
    case "cos": return cos(argument)
    case "exp": return exp(argument)
    case "log": return log(argument)
    case "sqrt": return sqrt(argument)
    default: preconditionFailure(name)
    }
  }
}
