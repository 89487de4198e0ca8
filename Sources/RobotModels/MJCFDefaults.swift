import Lanes

extension MJCFReader {
  /// Reads a `<default>` section: a class that starts as a copy of its parent.
  mutating func readDefault(_ section: XMLTreeElement, parent: String?) throws {
    let name: String
    if let parent {
      name = try section.requiredString("class")
      guard classes[name] == nil else {
        throw section.error(
          at: "class",
          "a default class called '\(name.clippedForMessage)' already exists; class names must differ")
      }
      classes[name] = classes[parent]
    } else {
      name = "main"
      if let given = section.string("class"), !given.isEmpty, given != "main" {
        throw section.error(
          at: "class",
          "the outermost default class is '\(given.clippedForMessage)'; it must be called 'main' or have no name. "
            + "Put other classes inside it")
      }
    }
    var values = classes[name] ?? MJCFDefaultClass(location: section.location)
    for element in section.children where element.name != "default" {
      switch element.name {
      case "joint": try apply(element, to: &values.joint)
      case "geom": try apply(element, to: &values.geom)
      case "site": try apply(element, to: &values.site)
      case "pair": try apply(element, to: &values.pair)
      case "equality": try apply(element, to: &values.equality)
      case "tendon": try apply(element, to: &values.tendon)
      case "mesh": try apply(element, to: &values.mesh)
      case "material", "camera", "light": break
      default: try apply(element, to: &values.actuator)
      }
    }
    classes[name] = values
    for element in section.children(named: "default") { try readDefault(element, parent: name) }
  }
}
