import Lanes

/// Where states and derivatives stand among the numbers of a stepper for sensitivities: in groups of lanes, one direction to a lane.
/// Directions are those of the initial states, then of the parameters; lanes that are left over repeat
/// the first.
struct SensitivityLayout {
  static let laneCount = 8
  let stateCount: Int
  let parameterCount: Int
  /// Of each component there are the lanes of all groups, and then the state in eight lanes; otherwise the state stands before all groups,
  /// and of each group there are the lanes of all components.
  let isStateInLanes: Bool

  /// Derivatives, and those of them that are solved for: nothing depends on the first parameter.
  var columnCount: Int { stateCount + parameterCount }
  var directionCount: Int { columnCount - 1 }
  var groupCount: Int { (directionCount + Self.laneCount - 1) / Self.laneCount }
  /// Groups of a component, if the state is one of them.
  var width: Int { groupCount + 1 }
  /// Numbers before the first group, such that lanes are aligned.
  private var head: Int { (stateCount + Self.laneCount - 1) / Self.laneCount * Self.laneCount }
  var count: Int {
    isStateInLanes ? width * stateCount * Self.laneCount : head + groupCount * stateCount * Self.laneCount
  }

  /// The place of the first lane of a component's derivatives.
  func place(group: Int, component: Int) -> Int {
    isStateInLanes
      ? (component * width + group) * Self.laneCount
      : head + (group * stateCount + component) * Self.laneCount
  }
  /// The place of a component of the state, of which there is one number or a lane group.
  func place(component: Int) -> Int {
    isStateInLanes ? place(group: groupCount, component: component) : component
  }
  /// The component that the number at a place belongs to.
  func component(at place: Int) -> Int {
    if isStateInLanes { return place / Self.laneCount / width }
    return place < head ? min(place, stateCount - 1) : (place - head) / Self.laneCount % stateCount
  }
  private func direction(group: Int, lane: Int) -> Int {
    let direction = group * Self.laneCount + lane
    return direction < directionCount ? direction : 0
  }
  /// Which lanes are not left over.
  func isUsed(group: Int) -> SIMDMask<SIMD8<Int64>> {
    SIMD8<Int64>(0, 1, 2, 3, 4, 5, 6, 7) .< SIMD8(repeating: Int64(directionCount - group * Self.laneCount))
  }
  /// The tangents of a parameter.
  func directions(group: Int, parameter: Int) -> SIMD8<Double> {
    var result = SIMD8<Double>()
    for lane in 0..<Self.laneCount
    where parameter > 0 && direction(group: group, lane: lane) == stateCount + parameter - 1 {
      result[lane] = 1
    }
    return result
  }

  /// The numbers at the start.
  func initial(_ state: UnsafePointer<Double>) -> [Double] {
    var result = spread((0..<stateCount).map { state[$0] }, derivatives: { _ in 0 }, padding: 0)
    for group in 0..<groupCount {
      for lane in 0..<Self.laneCount {
        let direction = direction(group: group, lane: lane)
        if direction < stateCount { result[place(group: group, component: direction) + lane] = 1 }
      }
    }
    return result
  }
  /// A tolerance for each number.
  func tolerances(_ tolerances: [Double]) -> [Double] {
    spread(tolerances, derivatives: { tolerances[$0] }, padding: 1)
  }
  private func spread(_ state: [Double], derivatives: (Int) -> Double, padding: Double) -> [Double] {
    var result = [Double](repeating: padding, count: count)
    for c in 0..<stateCount {
      for group in 0..<groupCount {
        let place = place(group: group, component: c)
        for lane in 0..<Self.laneCount { result[place + lane] = derivatives(c) }
      }
      for lane in 0..<(isStateInLanes ? Self.laneCount : 1) { result[place(component: c) + lane] = state[c] }
    }
    return result
  }

  /// The state among numbers, and the columns of derivatives one after the other; those that are zero are left as they are.
  func unpack(
    _ numbers: UnsafePointer<Double>, state: UnsafeMutablePointer<Double>,
    derivatives: UnsafeMutablePointer<Double>
  ) {
    for c in 0..<stateCount { state[c] = numbers[place(component: c)] }
    for direction in 0..<directionCount {
      let (group, lane) = (direction / Self.laneCount, direction % Self.laneCount)
      let column = direction < stateCount ? direction : direction + 1
      for c in 0..<stateCount {
        derivatives[column * stateCount + c] = numbers[place(group: group, component: c) + lane]
      }
    }
  }
}
