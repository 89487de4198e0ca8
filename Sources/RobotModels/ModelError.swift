/// Why a model file could not be read. `description` is `file:line:column: message`.
public struct ModelError: Error, Equatable, CustomStringConvertible, Sendable {
  /// Where in a file; line and column count from 1, 0 where they have no meaning (a binary file).
  public struct Location: Equatable, Sendable {
    public var file: String
    public var line: Int
    public var column: Int
    public init(file: String, line: Int, column: Int) {
      self.file = file
      self.line = line
      self.column = column
    }
  }
  public enum Kind: Equatable, Sendable {
    /// The file does not exist or cannot be read.
    case unreadable
    /// The content is not valid.
    case invalid
  }
  public var kind: Kind
  public var location: Location
  /// What is wrong, and what would be valid.
  public var message: String

  public init(_ kind: Kind, at location: Location, _ message: String) {
    self.kind = kind
    self.location = location
    self.message = message
  }
  public var description: String {
    location.line > 0
      ? "\(location.file):\(location.line):\(location.column): \(message)" : "\(location.file): \(message)"
  }
}
