import Costate

/// A frame that has a name: a body's (a URDF link's) or a site's.
struct Frame: Equatable, Sendable {
  enum Place: Equatable, Sendable {
    case body(Int)
    case site(Int)
  }
  var name: String
  var place: Place

  /// Finds a body or, where no body has the name, a site; `body:NAME` and `site:NAME` say which.
  ///
  /// - Throws: `CommandFailure` (wrong usage) with the known names.
  init(named name: String, in model: Model, option: String) throws(CommandFailure) {
    let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
    let body = parts.count == 2 && parts[0] == "body" ? model.bodyIndex(named: parts[1]) : nil
    let site = parts.count == 2 && parts[0] == "site" ? model.siteIndex(named: parts[1]) : nil
    if let index = model.bodyIndex(named: name) ?? body {
      self.init(name: name, place: .body(index))
    } else if let index = model.siteIndex(named: name) ?? site {
      self.init(name: name, place: .site(index))
    } else {
      let known = Self.all(in: model).map(\.name)
      let list = known.prefix(60).joined(separator: ", ") + (known.count > 60 ? ", …" : "")
      throw CommandFailure(.wrongUsage, "\(option): there is no body or site '\(name)'; known are \(list)")
    }
  }

  private init(name: String, place: Place) {
    self.name = name
    self.place = place
  }

  /// Every named frame: bodies other than the world, then sites. A site with a body's name is `site:NAME`.
  static func all(in model: Model) -> [Frame] {
    var frames: [Frame] = []
    for (index, body) in model.bodies.enumerated().dropFirst() where !body.name.isEmpty {
      frames.append(Frame(name: body.name, place: .body(index)))
    }
    let bodyNames = Set(frames.map(\.name))
    for (index, site) in model.sites.enumerated() where !site.name.isEmpty {
      let name = bodyNames.contains(site.name) ? "site:\(site.name)" : site.name
      frames.append(Frame(name: name, place: .site(index)))
    }
    return frames
  }
}
