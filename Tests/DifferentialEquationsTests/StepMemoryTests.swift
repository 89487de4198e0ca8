import Lanes
import Testing

@testable import DifferentialEquations

/// Memory that steppers read as vectors of eight numbers.
@Suite struct StepMemoryTests {
  private func isAligned(_ pointer: UnsafeMutablePointer<Double>) -> Bool {
    UInt(bitPattern: pointer) % 64 == 0
  }

  // Memory of all sizes, held together: an allocator that happens to align one block does not so with all.
  @Test func memoryBeginsOnACacheLine() {
    let blocks = (0..<200).map { StepMemory($0) }
    let isRight = blocks.enumerated().map { size, block in
      let first = block.take(size / 8 * 8)
      let rest = block.take(size % 8)
      return isAligned(first) && rest == first + size / 8 * 8 && (0..<size).allSatisfy { first[$0] == 0 }
    }
    #expect(isRight.allSatisfy { $0 })
  }

  // Sensitivities of any number of components and parameters: arrays of the layout's size follow each other on cache lines, and each
  // component's eight directions begin one.
  @Test(arguments: [true, false]) func lanesBeginOnCacheLines(isStateInLanes: Bool) {
    for (n, p) in [(1, 1), (1, 2), (2, 3), (3, 9), (5, 1), (7, 4), (8, 8), (13, 30)] {
      let layout = SensitivityLayout(stateCount: n, parameterCount: p, isStateInLanes: isStateInLanes)
      let memory = StepMemory(3 * layout.count + 1)
      let lanes = (0..<3).flatMap { _ in
        let numbers = memory.take(layout.count)
        return (0..<layout.groupCount).flatMap { group in
          (0..<n).map { numbers + layout.place(group: group, component: $0) }
        }
      }
      #expect(!lanes.isEmpty && lanes.allSatisfy { isAligned($0) }, "\(n) components, \(p) parameters")
    }
  }
}
