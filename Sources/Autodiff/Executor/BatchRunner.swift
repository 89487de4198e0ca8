import Foundation
import Lanes

extension RegisterProgram {
  /// Runs for `count` lanes; on several threads where that pays.
  func runBatch(count: Int, inputs: [LaneArray], outputs: [LaneArray]) {
    // Work below this many instructions times lanes takes less time than starting threads.
    let isLarge = count * max(instructions.count, loads.count + stores.count) > 1 << 19
    let threads = isLarge ? ProcessInfo.processInfo.activeProcessorCount : 1
    let sources = Shared(value: Pointers(inputs: inputs, outputs: outputs))
    if threads == 1 {
      sources.value.run(self, 0..<count)
      return
    }
    let chunk = max(1024, (count / (4 * threads) + 511) / 512 * 512)
    let code = self
    parallelFor(count: (count + chunk - 1) / chunk, threads: threads, makeContext: { 0 }) { _, index in
      sources.value.run(code, index * chunk..<min(count, (index + 1) * chunk))
    }
  }

  private struct Pointers: @unchecked Sendable {
    var inputs: [LaneArray]
    var outputs: [LaneArray]

    func run(_ code: RegisterProgram, _ lanes: Range<Int>) {
      if lanes.isEmpty { return }
      inputs.withUnsafeBufferPointer { sources in
        outputs.withUnsafeBufferPointer { targets in
          let empty = UnsafePointer<LaneArray>(bitPattern: 8)!
          code.run(
            lanes: lanes, inputs: sources.baseAddress ?? empty, outputs: targets.baseAddress ?? empty)
        }
      }
    }
  }
}
