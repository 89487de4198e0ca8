/// A script for an environment's Python.
package struct Script: Sendable {
  package var python: Peer
  package var path: String
  package init(python: Peer, path: String) {
    self.python = python
    self.path = path
  }
  package func run(_ arguments: String...) throws -> [Peer.Line] { try python.run([path] + arguments) }
  package func run<Line: Decodable>(_ arguments: [String], as type: Line.Type) throws -> [Line] {
    try python.run([path] + arguments, as: type)
  }
}

/// What the peers printed, by name, over all rounds.
package struct PeerResults {
  private var timings: [String: Timing] = [:]

  package init() {}
  package subscript(name: String) -> Timing? { timings[name] }
  package mutating func append(_ lines: [Peer.Line]) {
    for line in lines { timings[line.name, default: Timing()].samples += [line.min, line.median] }
  }
  package func report(_ name: String, _ report: Report) {
    if let timing = timings[name] { report.add(name, timing) }
  }
  /// The peer's time over ours.
  package func compare(_ name: String, over ours: Timing, _ report: Report, _ bar: Report.Bar?) {
    if let timing = timings[name] { report.compare("\(name) over ours", timing, over: ours, bar) }
  }
  /// Our time over the peer's.
  package func compare(
    _ label: String, _ ours: Timing, over name: String, _ report: Report, _ bar: Report.Bar?
  ) {
    if let timing = timings[name] { report.compare(label, ours, over: timing, bar) }
  }
}
