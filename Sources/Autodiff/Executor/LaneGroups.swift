import CLanes
import Lanes

extension RegisterProgram {
  /// Lane groups per register: at least the smaller number, so that an instruction's work is longer than finding it,
  /// even if a large register file leaves the first-level cache; at most the larger one.
  private static let widths = 8...32

  /// Runs once for each lane of a range, in groups; all arrays but those of truth values are of one element type.
  ///
  /// An output may be the memory of an input whose elements it takes the place of.
  func run(lanes: Range<Int>, inputs: UnsafePointer<LaneArray>, outputs: UnsafePointer<LaneArray>) {
    if isSingle {
      run(lanes, inputs, outputs, execute: runSingleGroups)
    } else {
      run(lanes, inputs, outputs, execute: runGroups)
    }
  }

  @inline(__always)
  private func run<L: ElementLane>(
    _ lanes: Range<Int>, _ inputs: UnsafePointer<LaneArray>, _ outputs: UnsafePointer<LaneArray>,
    execute: (UnsafeBufferPointer<Instruction>, GroupRegisters<L>, Int) -> Void
  ) where L.Scalar: LaneScalar {
    let group = L.laneCount
    // As many lane groups per register as keep the register file in the first-level cache.
    let fitting = 24_000 / (64 * max(registerCount, 1))
    let width = min(
      max(Self.widths.lowerBound, min(Self.widths.upperBound, fitting)), (lanes.count + group - 1) / group)
    withUnsafeTemporaryAllocation(byteCount: max(registerCount, 1) * width * 64, alignment: 64) { buffer in
      withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<L>.self, capacity: max(registerCount, 1)) {
        table in
        let file = GroupFile(
          memory: buffer.baseAddress!.assumingMemoryBound(to: L.self), width: width, table: table.baseAddress!
        )
        for register in 0..<registerCount { file.table[register] = file[UInt32(register)] }
        for (index, value) in constants.enumerated() {
          for k in 0..<width { file.table[index][k] = L(value) }
        }
        let registers = GroupRegisters(table: file.table)
        var lane = lanes.lowerBound
        while lane < lanes.upperBound {
          let count = min(group * width, lanes.upperBound - lane)
          for run in loadRuns {
            let array = inputs[Int(run.array)]
            // What all lanes share is loaded once, if its register stays its own.
            if array.laneStride == 0 && keepsInputs && lane != lanes.lowerBound { continue }
            load(run, array, lane, count, file)
          }
          execute(instructions, registers, (count + group - 1) / group)
          for run in storeRuns { store(run, outputs[Int(run.array)], lane, count, file) }
          lane += count
        }
      }
    }
    costate_order_streamed()
  }

  @inline(__always)
  private func load<L: ElementLane>(
    _ run: Run, _ array: LaneArray, _ lane: Int, _ count: Int, _ file: GroupFile<L>
  ) where L.Scalar: LaneScalar {
    let first = loads[run.places.lowerBound]
    guard run.places.count > 1, array.laneStride > 1, !array.isBool else {
      for place in run.places {
        let load = loads[place]
        if keepsInputs, count == file.laneCount, let memory: UnsafeMutablePointer<L> = array.lanes(load, lane)
        {
          file.table[Int(load.register)] = memory
        } else {
          let target = file[load.register]
          file.table[Int(load.register)] = target
          array.load(Int(load.element), lane, count, target)
        }
      }
      return
    }
    let target = UnsafeMutableRawPointer(file[first.register]).assumingMemoryBound(to: L.Scalar.self)
    let stride = file.laneCount
    L.Scalar.transpose(
      array.base.assumingMemoryBound(to: L.Scalar.self) + (lane &* array.laneStride &+ Int(first.element)),
      rows: count, columns: run.places.count, stride: array.laneStride, into: target, stride: stride)
    for k in 0..<run.places.count { array.pad(target + k &* stride, count, to: L.laneCount) }
  }

  @inline(__always)
  private func store<L: ElementLane>(
    _ run: Run, _ array: LaneArray, _ lane: Int, _ count: Int, _ file: GroupFile<L>
  ) where L.Scalar: LaneScalar {
    guard run.places.count > 1, array.laneStride > 1, !array.isBool else {
      for place in run.places {
        array.store(Int(stores[place].element), lane, count, file.table[Int(stores[place].register)])
      }
      return
    }
    withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: run.places.count) { columns in
      for (k, place) in run.places.enumerated() {
        columns[k] = UnsafeRawPointer(file.table[Int(stores[place].register)])
      }
      let place = lane &* array.laneStride &+ Int(stores[run.places.lowerBound].element)
      // Pointers to numbers look alike.
      if isSingle {
        columns.withMemoryRebound(to: UnsafePointer<Float>?.self) {
          let rows = array.base.assumingMemoryBound(to: Float.self) + place
          interleave(UnsafeBufferPointer($0), count: count, into: rows, stride: array.laneStride)
        }
      } else {
        columns.withMemoryRebound(to: UnsafePointer<Double>?.self) {
          let rows = array.base.assumingMemoryBound(to: Double.self) + place
          interleave(UnsafeBufferPointer($0), count: count, into: rows, stride: array.laneStride)
        }
      }
    }
  }
}

/// Registers of `width` lane groups each, and the table of where they are now.
private struct GroupFile<L: ElementLane> {
  var memory: UnsafeMutablePointer<L>
  var width: Int
  var table: UnsafeMutablePointer<UnsafeMutablePointer<L>>

  /// Lanes of one register.
  @inline(__always) var laneCount: Int { width &* L.laneCount }
  /// A register's own memory.
  @inline(__always) subscript(register: UInt32) -> UnsafeMutablePointer<L> { memory + Int(register) &* width }
}

extension LaneArray {
  /// The lanes from `lane` on where they are, if they lie there as a register's would.
  @inline(__always)
  fileprivate func lanes<L: ElementLane>(_ load: RegisterProgram.Load, _ lane: Int) -> UnsafeMutablePointer<
    L
  >? {
    guard laneStride == 1, !isBool else { return nil }
    let address = base + (lane &+ Int(load.element)) &* MemoryLayout<L.Scalar>.stride
    guard UInt(bitPattern: address) % UInt(MemoryLayout<L>.alignment) == 0 else { return nil }
    return address.assumingMemoryBound(to: L.self)
  }

  /// Lanes past the last of `count` get copies of it.
  @inline(__always) func pad<S: LaneScalar>(_ numbers: UnsafeMutablePointer<S>, _ count: Int, to group: Int) {
    var k = count
    while k % group != 0 {
      numbers[k] = numbers[count &- 1]
      k &+= 1
    }
  }

  /// One element of `count` runs from `lane` on.
  @inline(never)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  fileprivate func load<L: ElementLane>(
    _ element: Int, _ lane: Int, _ count: Int, _ target: UnsafeMutablePointer<L>
  ) where L.Scalar: LaneScalar {
    if laneStride == 0 {
      let value = L(broadcasting: read(element))
      for k in 0..<(count + L.laneCount - 1) / L.laneCount { target[k] = value }
      return
    }
    let numbers = UnsafeMutableRawPointer(target).assumingMemoryBound(to: L.Scalar.self)
    switch (isBool, laneStride) {
    case (false, 1):
      numbers.update(from: base.assumingMemoryBound(to: L.Scalar.self) + (lane &+ element), count: count)
    case (true, 1):
      let bytes = base.assumingMemoryBound(to: UInt8.self) + (lane &+ element)
      for k in 0..<count { numbers[k] = L.Scalar(bytes[k]) }
    default:
      for k in 0..<count { numbers[k] = read((lane &+ k) &* laneStride &+ element) }
    }
    pad(numbers, count, to: L.laneCount)
  }

  @inline(never)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  fileprivate func store<L: ElementLane>(
    _ element: Int, _ lane: Int, _ count: Int, _ source: UnsafeMutablePointer<L>
  ) where L.Scalar: LaneScalar {
    let numbers = UnsafeMutableRawPointer(source).assumingMemoryBound(to: L.Scalar.self)
    switch (isBool, laneStride) {
    case (false, 1):
      let target = base.assumingMemoryBound(to: L.Scalar.self) + (lane &+ element)
      let size = count &* MemoryLayout<L.Scalar>.stride
      if isStreamed && (UInt(bitPattern: target) | UInt(bitPattern: size)) % 64 == 0 {
        costate_stream_lines(numbers, target, size)
      } else {
        target.update(from: numbers, count: count)
      }
    case (true, 1):
      let bytes = base.assumingMemoryBound(to: UInt8.self) + (lane &+ element)
      for k in 0..<count { bytes[k] = numbers[k] != 0 ? 1 : 0 }
    default:
      for k in 0..<count { write(numbers[k], (lane &+ k) &* laneStride &+ element) }
    }
  }
}
