import Lanes

/// Vectors that hold the state of a small system, in their first lanes. What is short has nothing in the last four.
protocol StateVector: Lane where Scalar == Double {
  /// As many components as a short state has at most.
  static var shortCount: Int { get }
  /// Numbers that were written one by one a moment ago; of a short state the last four lanes are of any value.
  static func reading(_ place: UnsafePointer<Double>, isShort: Bool) -> Self
  /// Writes all lanes, or those that a short state has.
  func write(to place: UnsafeMutablePointer<Self>, isShort: Bool)
  /// The sum of all lanes, or of those that a short state has.
  func sum(isShort: Bool) -> Double
}

extension SIMD8: StateVector where Scalar == Double {
  static var shortCount: Int { 4 }
  @inline(__always) static func reading(_ place: UnsafePointer<Double>, isShort: Bool) -> Self {
    isShort ? reading4(place) : reading8(place)
  }
  @inline(__always) func write(to place: UnsafeMutablePointer<Self>, isShort: Bool) {
    if isShort {
      UnsafeMutableRawPointer(place).assumingMemoryBound(to: SIMD4<Double>.self).pointee = lowHalf
    } else {
      place.pointee = self
    }
  }
  @inline(__always) func sum(isShort: Bool) -> Double { isShort ? sumOfFour : sumOfLanes }
}

extension LanePair: StateVector where L == SIMD8<Double> {
  static var shortCount: Int { 12 }
  @inline(__always) static func reading(_ place: UnsafePointer<Double>, isShort: Bool) -> Self {
    Self(L.reading8(place), L.reading(place + 8, isShort: isShort))
  }
  @inline(__always) func write(to place: UnsafeMutablePointer<Self>, isShort: Bool) {
    let halves = UnsafeMutableRawPointer(place).assumingMemoryBound(to: L.self)
    halves[0] = first
    second.write(to: halves + 1, isShort: isShort)
  }
  @inline(__always) func sum(isShort: Bool) -> Double {
    isShort ? first.sumOfLanes + second.sumOfFour : (first + second).sumOfLanes
  }
}
