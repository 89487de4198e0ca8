// The automatic implementation of TensorTree: a structure is taken apart by its synthesized encoding, and put together
// by its decoding from the same nodes with other tensors.

/// What a tree encodes to.
public indirect enum TreeNode: Hashable, Sendable {
  /// A tensor.
  case leaf
  /// Number of elements of an array.
  case count(Int)
  /// Named parts.
  case keyed([String: TreeNode])
  /// Parts in order.
  case list([TreeNode])
  /// Values that are not tensors.
  case integer(Int64), natural(UInt64), number(Double), text(String), truth(Bool), null
  /// Many integers.
  case integers([Int])
}

extension TensorTree {
  /// The tensors of all properties, in the order of declaration.
  public func appendLeaves(to leaves: inout [Tensor]) {
    do {
      let encoder = TreeEncoder()
      try encode(to: encoder)
      leaves.append(contentsOf: encoder.storage.leaves)
    } catch {
      let message = "\(Self.self) cannot be taken apart: \(error)"
      (error as? TensorError ?? TensorError(.format, "TensorTree", message)).record()
    }
  }
  /// The value whose properties hold other tensors.
  public func replacingLeaves(_ leaves: inout IndexingIterator<[Tensor]>) throws -> Self {
    let encoder = TreeEncoder()
    try encode(to: encoder)
    let replacements = try encoder.storage.leaves.map { try $0.replacingLeaves(&leaves) }
    let source = LeafSource(leaves: replacements)
    return try Self(from: TreeDecoder(source: source, cell: encoder.root, codingPath: []))
  }
  /// The properties that are not tensors, and the shape of the tree.
  public func appendStructure(to structure: inout [TreeNode]) throws {
    let encoder = TreeEncoder()
    try encode(to: encoder)
    structure.append(encoder.root.node)
  }
}

/// One place of an encoded tree.
final class TreeCell {
  enum Content {
    case empty
    case leaf(Int)
    case scalar(TreeNode)
    case keyed([(String, TreeCell)])
    case list([TreeCell])
  }
  var content = Content.empty

  func child(_ key: String) -> TreeCell {
    let cell = TreeCell()
    if case .keyed(let children) = content {
      content = .keyed(children + [(key, cell)])
    } else {
      content = .keyed([(key, cell)])
    }
    return cell
  }
  func element() -> TreeCell {
    let cell = TreeCell()
    if case .list(let children) = content {
      content = .list(children + [cell])
    } else {
      content = .list([cell])
    }
    return cell
  }
  func existing(_ key: String) -> TreeCell? {
    guard case .keyed(let children) = content else { return nil }
    return children.first { $0.0 == key }?.1
  }
  var elements: [TreeCell] { if case .list(let children) = content { children } else { [] } }
  var node: TreeNode {
    switch content {
    case .empty: .null
    case .leaf: .leaf
    case .scalar(let node): node
    case .keyed(let children): .keyed(Dictionary(children.map { ($0.0, $0.1.node) }) { a, _ in a })
    case .list(let children): .list(children.map(\.node))
    }
  }
}

final class LeafStorage { var leaves: [Tensor] = [] }

struct TreeEncoder: Encoder {
  let root: TreeCell
  let storage: LeafStorage
  var codingPath: [any CodingKey] = []
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init() { self.init(root: TreeCell(), storage: LeafStorage(), codingPath: []) }
  init(root: TreeCell, storage: LeafStorage, codingPath: [any CodingKey]) {
    self.root = root
    self.storage = storage
    self.codingPath = codingPath
  }
  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .empty = root.content { root.content = .keyed([]) }
    return KeyedEncodingContainer(Keyed<Key>(encoder: self))
  }
  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .empty = root.content { root.content = .list([]) }
    return Unkeyed(encoder: self)
  }
  func singleValueContainer() -> any SingleValueEncodingContainer { Single(encoder: self) }

  func put<T: Encodable>(_ value: T, in cell: TreeCell) throws {
    switch value {
    case let tensor as Tensor:
      cell.content = .leaf(storage.leaves.count)
      storage.leaves.append(tensor)
    case let value as Bool: cell.content = .scalar(.truth(value))
    case let value as String: cell.content = .scalar(.text(value))
    case let value as Double: cell.content = .scalar(.number(value))
    case let value as Float: cell.content = .scalar(.number(Double(value)))
    case let value as any FixedWidthInteger & SignedInteger: cell.content = .scalar(.integer(Int64(value)))
    case let value as any FixedWidthInteger & UnsignedInteger: cell.content = .scalar(.natural(UInt64(value)))
    default: try value.encode(to: TreeEncoder(root: cell, storage: storage, codingPath: codingPath))
    }
  }

  struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    mutating func encodeNil(forKey key: Key) { encoder.root.child(key.stringValue).content = .scalar(.null) }
    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
      try encoder.put(value, in: encoder.root.child(key.stringValue))
    }
    mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key)
      -> KeyedEncodingContainer<N>
    {
      nested(key).container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      nested(key).unkeyedContainer()
    }
    mutating func superEncoder() -> any Encoder {
      TreeEncoder(root: encoder.root.child("super"), storage: encoder.storage, codingPath: codingPath)
    }
    mutating func superEncoder(forKey key: Key) -> any Encoder { nested(key) }
    private func nested(_ key: Key) -> TreeEncoder {
      TreeEncoder(
        root: encoder.root.child(key.stringValue), storage: encoder.storage, codingPath: codingPath + [key])
    }
  }
  struct Unkeyed: UnkeyedEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.root.elements.count }
    mutating func encodeNil() { encoder.root.element().content = .scalar(.null) }
    mutating func encode<T: Encodable>(_ value: T) throws {
      try encoder.put(value, in: encoder.root.element())
    }
    mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type) -> KeyedEncodingContainer<N> {
      nested().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { nested() }
    private func nested() -> TreeEncoder {
      TreeEncoder(root: encoder.root.element(), storage: encoder.storage, codingPath: codingPath)
    }
  }
  struct Single: SingleValueEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    mutating func encodeNil() { encoder.root.content = .scalar(.null) }
    mutating func encode<T: Encodable>(_ value: T) throws { try encoder.put(value, in: encoder.root) }
  }
}

final class LeafSource {
  let leaves: [Tensor]
  init(leaves: [Tensor]) { self.leaves = leaves }
}

struct TreeDecoder: Decoder {
  let source: LeafSource
  let cell: TreeCell
  var codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
    KeyedDecodingContainer(Keyed<Key>(decoder: self))
  }
  func unkeyedContainer() -> any UnkeyedDecodingContainer { Unkeyed(decoder: self) }
  func singleValueContainer() -> any SingleValueDecodingContainer { Single(decoder: self) }

  func take<T: Decodable>(_ type: T.Type, from cell: TreeCell) throws -> T {
    switch cell.content {
    case .leaf(let index): if let tensor = source.leaves[index] as? T { return tensor }
    case .scalar(let node): if let value = Self.scalar(node, type) { return value }
    default: break
    }
    return try T(from: TreeDecoder(source: source, cell: cell, codingPath: codingPath))
  }
  private static func scalar<T>(_ node: TreeNode, _ type: T.Type) -> T? {
    switch node {
    case .truth(let value): value as? T
    case .text(let value): value as? T
    case .number(let value): type == Float.self ? Float(value) as? T : value as? T
    case .integer(let value): (type as? any FixedWidthInteger.Type).flatMap { $0.init(exactly: value) as? T }
    case .natural(let value): (type as? any FixedWidthInteger.Type).flatMap { $0.init(exactly: value) as? T }
    default: nil
    }
  }
  static func isNull(_ cell: TreeCell) -> Bool {
    if case .scalar(.null) = cell.content { true } else { false }
  }

  struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: TreeDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] {
      guard case .keyed(let children) = decoder.cell.content else { return [] }
      return children.compactMap { Key(stringValue: $0.0) }
    }
    func contains(_ key: Key) -> Bool { decoder.cell.existing(key.stringValue) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { TreeDecoder.isNull(try child(key)) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
      try decoder.take(type, from: try child(key))
    }
    func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key) throws
      -> KeyedDecodingContainer<N>
    {
      try nested(key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
      try nested(key).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder {
      guard let cell = decoder.cell.existing("super") else { throw TreeDecoder.missing("super") }
      return TreeDecoder(source: decoder.source, cell: cell, codingPath: codingPath)
    }
    func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }
    private func child(_ key: Key) throws -> TreeCell {
      guard let cell = decoder.cell.existing(key.stringValue) else {
        throw TreeDecoder.missing(key.stringValue)
      }
      return cell
    }
    private func nested(_ key: Key) throws -> TreeDecoder {
      TreeDecoder(source: decoder.source, cell: try child(key), codingPath: codingPath + [key])
    }
  }
  struct Unkeyed: UnkeyedDecodingContainer {
    let decoder: TreeDecoder
    var currentIndex = 0
    init(decoder: TreeDecoder) { self.decoder = decoder }
    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { decoder.cell.elements.count }
    var isAtEnd: Bool { currentIndex >= decoder.cell.elements.count }
    mutating func decodeNil() throws -> Bool {
      guard !isAtEnd, TreeDecoder.isNull(decoder.cell.elements[currentIndex]) else { return false }
      currentIndex += 1
      return true
    }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
      try decoder.take(type, from: try next())
    }
    mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type) throws -> KeyedDecodingContainer<N> {
      try nested().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
      try nested().unkeyedContainer()
    }
    mutating func superDecoder() throws -> any Decoder { try nested() }
    private mutating func next() throws -> TreeCell {
      guard !isAtEnd else { throw TreeDecoder.missing("element \(currentIndex)") }
      defer { currentIndex += 1 }
      return decoder.cell.elements[currentIndex]
    }
    private mutating func nested() throws -> TreeDecoder {
      TreeDecoder(source: decoder.source, cell: try next(), codingPath: codingPath)
    }
  }
  struct Single: SingleValueDecodingContainer {
    let decoder: TreeDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }
    func decodeNil() -> Bool { TreeDecoder.isNull(decoder.cell) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.take(type, from: decoder.cell) }
  }
  static func missing(_ name: String) -> TensorError {
    TensorError(.format, "TensorTree", "the encoded value has no part named \(name)")
  }
}

extension Tensor {
  private enum CodingKeys: String, CodingKey { case elementType, shape, values }

  /// Element type, shape and elements; a tensor that is being traced cannot be encoded to a file.
  public func encode(to encoder: any Encoder) throws {
    if let tree = encoder as? TreeEncoder {
      try tree.put(self, in: tree.root)
      return
    }
    let array = try denseValue("encode")
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(array.elementType, forKey: .elementType)
    try container.encode(array.shape, forKey: .shape)
    try container.encode(try array.converted(to: .float64).values(Double.self), forKey: .values)
  }
  /// Reads what ``encode(to:)`` wrote.
  public init(from decoder: any Decoder) throws {
    if let tree = decoder as? TreeDecoder, case .leaf(let index) = tree.cell.content {
      self = tree.source.leaves[index]
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let elementType = try container.decode(ElementType.self, forKey: .elementType)
    let shape = try container.decode([Int].self, forKey: .shape)
    let values = try container.decode([Double].self, forKey: .values)
    guard shape.allSatisfy({ $0 >= 0 }), values.count == shape.elementCount else {
      throw TensorError(.format, "decode", "\(values.count) numbers do not fill the shape \(shape)")
    }
    self.init(try DenseArray(values, shape: shape).converted(to: elementType))
  }
}
