import Autodiff
import Lanes

/// The rates of a state and of its derivatives along directions, `(y, s)' = (f, ∂f/∂y s + ∂f/∂p ṗ)`: the matrices are computed once for all
/// directions, without what is zero in them, and multiplied with eight derivatives at a time.
final class SensitivityRates {
  typealias Group = SIMD8<Double>
  private let layout: SensitivityLayout
  private let program: ResidentProgram<Double>
  private let memory: StepMemory
  private let state: UnsafeMutablePointer<Double>
  private let rate: UnsafeMutablePointer<Double>
  /// Entries of the matrices: those that are computed, then constants.
  private let values: UnsafeMutablePointer<Double>
  private let parameters: UnsafeMutablePointer<Double>
  private let entries: UnsafeMutableBufferPointer<Entry>
  private let rows: UnsafeMutableBufferPointer<Row>

  /// An entry that is not zero: its number among the values, and which lane group or lane it is for.
  private struct Entry {
    var value: Int
    /// Of ∂f/∂y the first lane group of its column, of ∂f/∂p the lane of its direction, both among those of a component.
    var place: Int
  }
  /// A row's entries of ∂f/∂y and ∂f/∂p.
  private struct Row {
    var byState: Range<Int>
    var byParameters: Range<Int>
  }

  /// - Parameter source: time, state and parameters to the rates and to what is not constant in rows of ∂f/∂y and ∂f/∂p.
  init(_ source: ResidentSource, _ layout: SensitivityLayout) {
    self.layout = layout
    let (n, p) = (layout.stateCount, layout.parameterCount)
    var constants: [Double] = []
    var numbers = 0
    let computedCount = source.constants.filter { $0 == nil }.count
    var list: [Entry] = []
    var rows: [Row] = []
    for row in 0..<n {
      func entries(_ columns: Range<Int>, _ place: (Int) -> Int) -> Range<Int> {
        let first = list.count
        for column in columns {
          switch source.constants[row * (n + p) + column] {
          case nil:
            list.append(Entry(value: numbers, place: place(column)))
            numbers += 1
          case 0: break
          case let constant?:
            list.append(Entry(value: computedCount + constants.count, place: place(column)))
            constants.append(constant)
          }
        }
        return first..<list.count
      }
      let byState = entries(0..<n) { $0 * layout.width }
      // Nothing depends on the first parameter, which has no direction.
      rows.append(Row(byState: byState, byParameters: entries(n..<n + p) { $0 - 1 }))
    }
    self.entries = .allocate(capacity: list.count)
    _ = self.entries.initialize(from: list)
    self.rows = .allocate(capacity: n)
    _ = self.rows.initialize(from: rows)
    memory = StepMemory(2 * n + p + computedCount + constants.count)
    state = memory.take(n)
    rate = memory.take(n)
    parameters = memory.take(p)
    values = memory.take(computedCount + constants.count)
    for (k, constant) in constants.enumerated() { values[computedCount + k] = constant }
    program = ResidentProgram(source, isFixed: [false, false, true], inPlace: [nil, nil])
    program.inputs[1] = UnsafePointer(state)
    program.inputs[2] = UnsafePointer(parameters)
    program.outputs[0] = rate
    program.outputs[1] = values
  }
  deinit {
    entries.deallocate()
    rows.deallocate()
  }

  /// On lanes as the layout has them; parameters are single numbers, in all lanes.
  var functions: RateFunctions<Group> {
    RateFunctions<Group>(
      stateCount: layout.stateCount, parameterCount: layout.parameterCount, width: layout.width,
      bind: {
        for k in 0..<self.layout.parameterCount { self.parameters[k] = $0[k][0] }
        self.program.load()
      },
      rate: { self.run($0, $1, $2) },
      pullback: { _, _, _, _, _ in preconditionFailure("sensitivities are not differentiated") },
      failure: { self.program.failure })
  }

  private func run(
    _ time: UnsafePointer<Group>, _ numbers: UnsafePointer<Group>, _ result: UnsafeMutablePointer<Group>
  ) {
    let (n, width) = (layout.stateCount, layout.width)
    var c = 0
    while c < n {
      state[c] = numbers[c &* width &+ width &- 1][0]
      c &+= 1
    }
    program.inputs[0] = UnsafeRawPointer(time).assumingMemoryBound(to: Double.self)
    program.runSingle()
    c = 0
    while c < n {
      let row = rows[c]
      let target = result + c &* width
      multiply(row.byState, numbers, into: target)
      target[width &- 1] = Group(repeating: rate[c])
      let lanes = UnsafeMutableRawPointer(target).assumingMemoryBound(to: Double.self)
      var k = row.byParameters.lowerBound
      while k < row.byParameters.upperBound {
        lanes[entries[k].place] += values[entries[k].value]
        k &+= 1
      }
      c &+= 1
    }
  }
  /// A row times the derivatives of all groups, of which four are in registers at a time.
  @inline(__always)
  private func multiply(
    _ row: Range<Int>, _ numbers: UnsafePointer<Group>, into target: UnsafeMutablePointer<Group>
  ) {
    let count = layout.groupCount
    var g = 0
    while g &+ 4 <= count {
      var (a, b, c, d) = (Group(), Group(), Group(), Group())
      var k = row.lowerBound
      while k < row.upperBound {
        let factor = values[entries[k].value]
        let column = numbers + (entries[k].place &+ g)
        a = Group.multiplyAdd(column[0], scalar: factor, a)
        b = Group.multiplyAdd(column[1], scalar: factor, b)
        c = Group.multiplyAdd(column[2], scalar: factor, c)
        d = Group.multiplyAdd(column[3], scalar: factor, d)
        k &+= 1
      }
      (target[g], target[g &+ 1]) = (a, b)
      (target[g &+ 2], target[g &+ 3]) = (c, d)
      g &+= 4
    }
    while g < count {
      var sum = Group()
      var k = row.lowerBound
      while k < row.upperBound {
        sum = Group.multiplyAdd(numbers[entries[k].place &+ g], scalar: values[entries[k].value], sum)
        k &+= 1
      }
      target[g] = sum
      g &+= 1
    }
  }
}

extension SensitivityRates {
  /// The same by the equation of state and tangent, a group of lanes at a time.
  static func functions(_ tangents: TracedEquation, _ layout: SensitivityLayout) -> RateFunctions<Group> {
    let (n, p, width) = (layout.stateCount, layout.parameterCount, layout.width)
    let groups = (0..<layout.groupCount).map { _ in
      tangents.groupFunctions(trajectories: SensitivityLayout.laneCount)
    }
    let memory = LaneMemory(4 * n + layout.groupCount * 2 * p)
    let (state, rate) = (memory.take(2 * n), memory.take(2 * n))
    let parameters = memory.take(layout.groupCount * 2 * p)
    return RateFunctions<Group>(
      stateCount: n, parameterCount: p, width: width,
      bind: { [memory] values in
        _ = memory
        for (g, group) in groups.enumerated() {
          let own = parameters + g * 2 * p
          for k in 0..<p {
            own[k] = values[k]
            own[p + k] = layout.directions(group: g, parameter: k)
          }
          group.bind(own)
        }
      },
      rate: { time, numbers, result in
        for (g, group) in groups.enumerated() {
          for c in 0..<n {
            state[c] = numbers[c * width + width - 1]
            state[n + c] = numbers[c * width + g]
          }
          group.rate(time, state, rate)
          for c in 0..<n {
            result[c * width + width - 1] = rate[c]
            result[c * width + g] = rate[n + c]
          }
        }
      },
      pullback: { _, _, _, _, _ in preconditionFailure("sensitivities are not differentiated") },
      failure: { groups.lazy.compactMap { $0.failure() }.first })
  }
}
