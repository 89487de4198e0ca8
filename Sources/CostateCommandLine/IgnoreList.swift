import Costate

/// What the caller leaves out of a simulation: the value of `--ignore`.
struct IgnoreList: Equatable, Sendable {
  /// The closed list of names, in the order in which they are reported.
  enum Item: String, CaseIterable, Sendable {
    case constraints, contact, limit, equality, frictionloss, tendon, actuation, passive, unsupported

    var categories: Set<UnsupportedElement.Category> {
      switch self {
      case .constraints: [.contact, .limit, .equality, .frictionLoss]
      case .contact: [.contact]
      case .limit: [.limit]
      case .equality: [.equality]
      case .frictionloss: [.frictionLoss]
      case .tendon: [.tendon]
      case .actuation: [.actuation]
      case .passive: [.passive]
      case .unsupported: Set(UnsupportedElement.Category.allCases)
      }
    }
  }
  var items: [Item] = []

  init() {}

  /// Reads a comma-separated list.
  ///
  /// - Throws: `CommandFailure` (wrong usage) that names the item and lists the known ones.
  init(_ text: String) throws(CommandFailure) {
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
      let trimmed = String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      guard let item = Item(rawValue: trimmed) else {
        let known = Item.allCases.map(\.rawValue).joined(separator: ", ")
        throw CommandFailure(.wrongUsage, "--ignore: '\(trimmed)' is not known; known are \(known)")
      }
      if !items.contains(item) { items.append(item) }
    }
  }

  var categories: Set<UnsupportedElement.Category> { items.reduce(into: []) { $0.formUnion($1.categories) } }

  var names: [String] { items.map(\.rawValue) }

  /// Checks that everything the model needs and that is not simulated is left out on purpose.
  ///
  /// - Throws: `CommandFailure` (invalid input) with the list of what is not covered and the option that covers it.
  func check(_ model: Model, path: String) throws(CommandFailure) {
    let covered = categories
    let missing = model.unsupported.filter { !covered.contains($0.category) }
    guard !missing.isEmpty else { return }
    let shown = missing.prefix(20).map { "  \($0.category.rawValue): \($0.description)" }
    let more = missing.count > shown.count ? ["  … and \(missing.count - shown.count) more"] : []
    throw CommandFailure(
      .invalidInput,
      """
      \(path): the model needs what is not simulated:
      \((shown + more).joined(separator: "\n"))
      To simulate it without: --ignore \(Self.suggestion(for: missing))
      """)
  }

  /// The shortest list that covers the elements.
  private static func suggestion(for elements: [UnsupportedElement]) -> String {
    let needed = Set(elements.map(\.category))
    if needed.contains(.other) { return Item.unsupported.rawValue }
    let constraints = needed.intersection(Item.constraints.categories)
    var names: [String] = constraints.count > 1 ? [Item.constraints.rawValue] : constraints.map(\.rawValue)
    names += needed.subtracting(constraints).map(\.rawValue).sorted()
    return names.joined(separator: ",")
  }
}
