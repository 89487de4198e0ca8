/// An attribute of an element, with the place where its name stands in the file.
struct XMLTreeAttribute: Sendable {
  var name: String
  var value: String
  var location: ModelError.Location
}

/// An element of an XML file: immutable, and each part knows where it stands, so that any later error can
/// name the line and column.
final class XMLTreeElement: Sendable {
  let name: String
  let attributes: [XMLTreeAttribute]
  let children: [XMLTreeElement]
  /// Character data directly inside the element, trimmed.
  let text: String
  /// Where the start tag's `<` stands.
  let location: ModelError.Location

  init(
    name: String, attributes: [XMLTreeAttribute], children: [XMLTreeElement], text: String,
    location: ModelError.Location
  ) {
    self.name = name
    self.attributes = attributes
    self.children = children
    self.text = text
    self.location = location
  }

  func attribute(_ name: String) -> XMLTreeAttribute? { attributes.first { $0.name == name } }
  func children(named name: String) -> [XMLTreeElement] { children.filter { $0.name == name } }

  /// How error messages name the element: `<geom> 'foot'`, or `<geom>` where it has no name.
  var label: String {
    if let name = attribute("name")?.value, !name.isEmpty { return "<\(self.name)> '\(name)'" }
    return "<\(name)>"
  }

  /// An error at the element.
  func error(_ message: String) -> ModelError { ModelError(.invalid, at: location, message) }
  /// An error at one of the element's attributes (at the element where it lacks that attribute).
  func error(at attribute: String, _ message: String) -> ModelError {
    ModelError(.invalid, at: self.attribute(attribute)?.location ?? location, message)
  }
}

/// A parsed XML file.
struct XMLTree: Sendable {
  /// The file's path as the caller gave it; error locations carry it.
  var file: String
  /// The directory that relative names in the file start from; nil for a text without one.
  var directory: String?
  var root: XMLTreeElement
}

/// Bounds on what a file may ask for, far above any real robot's.
struct XMLTreeLimits: Sendable {
  var fileBytes = 256 << 20
  var depth = 500
  var elements = 300_000
  var attributesPerElement = 256
  var attributeBytes = 9_000_000
}
