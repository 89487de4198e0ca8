/// Numbers with a shape, row-major.
struct NumericArray: Equatable, Sendable {
  var shape: [Int]
  var elements: [Double]

  init(shape: [Int], elements: [Double]) {
    precondition(elements.count == shape.reduce(1, *), "a shape must match its elements")
    self.shape = shape
    self.elements = elements
  }
}

extension NumericArray {
  /// Reads an array from an `.npy` file or from JSON (nested arrays of numbers), told apart by the first bytes.
  ///
  /// - Throws: `CommandFailure`: unreadable, or invalid with what would be valid.
  init(path: String) throws(CommandFailure) {
    let file = try InputFile(path: path)
    self = Self.isNPY(file.bytes) ? try NumericArray(npy: file) : try NumericArray(json: file)
  }

  init(json file: InputFile) throws(CommandFailure) {
    self = try NumericArray(JSONReader.read(file), what: "", of: file)
  }

  /// - Parameter what: the name of the value, for errors.
  init(_ value: JSONValue, what: String, of file: InputFile) throws(CommandFailure) {
    var shape: [Int] = []
    var elements: [Double] = []
    var isLeafSeen = false

    func collect(_ value: JSONValue, depth: Int, path: String) throws(CommandFailure) {
      let count: Int
      switch value {
      case .numbers(let numbers): count = numbers.count
      case .array(let array): count = array.count
      default: throw file.failure("\(path.isEmpty ? "the value" : path) must be an array of numbers")
      }
      if depth == shape.count {
        guard !isLeafSeen else { throw file.failure("\(path) is nested deeper than the elements before it") }
        shape.append(count)
      }
      guard shape[depth] == count else {
        throw file.failure("\(path) has \(count) elements where those before it have \(shape[depth])")
      }
      if case .array(let array) = value, !array.isEmpty {
        for (i, element) in array.enumerated() {
          try collect(element, depth: depth + 1, path: "\(path)[\(i)]")
        }
      } else if case .numbers(let numbers) = value {
        isLeafSeen = true
        guard depth == shape.count - 1 else {
          throw file.failure("\(path) is nested less deep than the elements before it")
        }
        elements += numbers
      }
    }
    try collect(value, depth: 0, path: what)
    self.init(shape: shape, elements: elements)
  }

  /// The shape as it is written in messages: `[3, 4]`.
  static func describe(_ shape: [Int]) -> String { "[\(shape.map(String.init).joined(separator: ", "))]" }
}
