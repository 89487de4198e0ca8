import Lanes

/// Zeros that objects and closures own, handed out in pieces that follow each other; the first begins on a cache line, as lanes do.
final class Zeros<Element> {
  private let arena: Arena
  private let base: UnsafeMutablePointer<Element>
  private let count: Int
  private var used = 0

  /// - Parameter count: elements of all pieces together, whose zero has no bits set.
  init(_ count: Int) {
    var arena = Arena(byteCount: Arena.byteCount(Element.self, count))
    base = arena.take(Element.self, count)
    self.count = count
    self.arena = arena
  }

  func take(_ size: Int) -> UnsafeMutablePointer<Element> {
    precondition(used + size <= count)
    defer { used += size }
    return base + used
  }
}

typealias StepMemory = Zeros<Double>
typealias LaneMemory = Zeros<SIMD8<Double>>

/// The numbers of lanes, one after the other.
@inline(__always)
func numbers(_ lanes: UnsafeMutablePointer<SIMD8<Double>>) -> UnsafeMutablePointer<Double> {
  UnsafeMutableRawPointer(lanes).assumingMemoryBound(to: Double.self)
}
