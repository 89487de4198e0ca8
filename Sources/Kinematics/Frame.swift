public import Lanes
public import RobotModels

/// A frame that is fixed to a body: the body's own (for URDF, a link's), a site, or any other pose on it.
public struct Frame: Sendable, Hashable {
  /// What the frame is called; empty where it has no name.
  public var name: String
  /// Index of the body in `Model.bodies`; 0 is the world.
  public var body: Int
  /// Origin in the body's frame.
  public var position: Vector3<Double>
  /// Orientation in the body's frame; of unit length.
  public var orientation: Quaternion<Double>

  /// A pose on a body, by default the body's own frame; with a position only, a point.
  public init(
    body: Int, position: Vector3<Double> = .zero, orientation: Quaternion<Double> = .identity,
    name: String = ""
  ) {
    self.name = name
    self.body = body
    self.position = position
    self.orientation = orientation
  }

  /// The frame of a site.
  public init(_ site: Site) {
    self.init(body: site.body, position: site.position, orientation: site.orientation, name: site.name)
  }

  /// The world's frame.
  public static let world = Frame(body: 0, name: "world")

  /// Finds a body or, where no body has the name, a site. `body:NAME` and `site:NAME` say which; `world` is the
  /// world's frame unless the model uses the name otherwise.
  ///
  /// - Throws: ``KinematicsError/unknownFrame(name:near:)`` with the names most like it.
  public init(named name: String, in model: Model) throws(KinematicsError) {
    let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
    let isBody = parts.count == 2 && parts[0] == "body"
    let isSite = parts.count == 2 && parts[0] == "site"
    if let index = model.bodyIndex(named: name) ?? (isBody ? model.bodyIndex(named: parts[1]) : nil) {
      self.init(body: index, name: name)
    } else if let index = model.siteIndex(named: name) ?? (isSite ? model.siteIndex(named: parts[1]) : nil) {
      self.init(model.sites[index])
      self.name = name
    } else if name == "world" {
      self = .world
    } else {
      throw .unknownFrame(name: name, near: Self.names(like: name, in: model))
    }
  }

  /// Every body's frame, the world's first, in the order of `Model.bodies`.
  public static func bodies(of model: Model) -> [Frame] {
    model.bodies.indices.map { Frame(body: $0, name: model.bodies[$0].name) }
  }

  /// Every site's frame, in the order of `Model.sites`.
  public static func sites(of model: Model) -> [Frame] { model.sites.map { Frame($0) } }

  /// Up to five names, the most similar first.
  private static func names(like name: String, in model: Model) -> [String] {
    let known = model.bodies.map(\.name) + model.sites.map(\.name)
    let wanted = name.clippedForMessage
    let scored = Set(known).filter { !$0.isEmpty }.map { (distance: wanted.editDistance(to: $0), name: $0) }
    return scored.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(5).map(\.name)
  }
}
