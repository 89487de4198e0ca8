import CLanes

// Code of all steps that a result needs.
extension ArrayCode {
  /// Neighbouring elements of an output in neighbouring places.
  private struct Piece {
    var output: Int
    var element: Int
    var place: Int32
    var count: Int
    var adds: Bool
  }
  private func pieces(_ value: Int, _ output: Int, adds: Bool) -> [Piece] {
    var result: [Piece] = []
    for (element, place) in places[value]!.values(Int32.self).enumerated() where !(adds && place == 0) {
      if let last = result.last, last.place + Int32(last.count) == place,
        last.element + last.count == element,
        stepAt[place] == nil
      {
        result[result.count - 1].count += 1
      } else {
        result.append(Piece(output: output, element: element, place: place, count: 1, adds: adds))
      }
    }
    return result
  }

  /// Lists what is computed, in order, and where results go.
  mutating func finish(_ accumulated: Accumulation?) {
    var all: [Piece] = []
    for (k, id) in program.outputs.enumerated() where k != accumulated?.output {
      var own = pieces(Int(id), k, adds: false)
      let count = program.types[Int(id)].count
      if own.count > 2 + count / VectorCode.width {
        let place = operand(places[Int(id)]!.values(Int32.self))
        own = [Piece(output: k, element: 0, place: place, count: count, adds: false)]
      }
      all += own
    }
    if let accumulated {
      code.base = VectorCode.Base(
        input: accumulated.input, output: accumulated.output,
        count: program.types[accumulated.other].count)
      all += pieces(accumulated.other, accumulated.output, adds: true)
    }

    // A product is computed in its place in the result if that is all that reads it.
    var isLive = [Bool](repeating: false, count: code.size)
    func direct(_ piece: Piece) -> Int? {
      guard let step = stepAt[piece.place], case .product = steps[step].work, !steps[step].isFixed,
        steps[step].count == piece.count
      else { return nil }
      return step
    }
    var candidates: [Int: [Piece]] = [:]
    for piece in all {
      if let step = direct(piece) {
        candidates[step, default: []].append(piece)
      } else {
        for k in 0..<piece.count { isLive[Int(piece.place) + k] = true }
        store(piece)
      }
    }
    var kept: [Int] = []
    for index in steps.indices.reversed() {
      let step = steps[index]
      let isRead = (0..<step.count).contains { isLive[Int(step.target) + $0] }
      if !isRead, let pieces = candidates[index], case .product(let product) = step.work {
        for piece in pieces {
          code.results.append(
            VectorCode.Result(
              product: product, array: Int32(piece.output), element: UInt32(piece.element), adds: piece.adds))
        }
      } else {
        for piece in candidates[index] ?? [] { store(piece) }
        guard isRead || candidates[index] != nil else { continue }
        kept.append(index)
      }
      for list in step.reads { for place in list { isLive[Int(place)] = true } }
    }
    for index in kept.reversed() { emit(steps[index]) }
    // A vector that begins at the last number ends here.
    code.size += VectorCode.width
  }
  private mutating func store(_ piece: Piece) {
    let copy = VectorCode.Copy(
      array: Int32(piece.output), element: UInt32(piece.element), place: UInt32(piece.place),
      count: UInt32(piece.count))
    if piece.adds { code.additions.append(copy) } else { code.stores.append(copy) }
  }

  private mutating func emit(_ step: Step) {
    let vectors = (step.count + VectorCode.width - 1) / VectorCode.width
    var entry = VectorCode.Entry(
      operation: 0, count: UInt32(vectors), target: UInt32(step.target), a: 0, b: 0, c: 0)
    switch step.work {
    case .elementwise(let operation, let starts):
      entry.operation = operation
      (entry.a, entry.b, entry.c) = (
        UInt32(starts[0]), UInt32(starts.count > 1 ? starts[1] : 0), UInt32(starts.count > 2 ? starts[2] : 0)
      )
      if !VectorCode.isVectorized(operation) {
        let first = code.singles.count
        for k in 0..<UInt32(step.count) {
          code.singles.append(
            Instruction(
              operation: operation, target: entry.target + k, a: entry.a + k, b: entry.b + k, c: entry.c + k))
        }
        entry = .init(
          operation: VectorCode.Entry.singles, count: UInt32(step.count), target: 0, a: UInt32(first), b: 0,
          c: 0)
      }
    case .gather(let list):
      let moves = Self.moves(list, to: step.target)
      if moves.count <= vectors {
        entry.operation = VectorCode.Entry.move
        (entry.a, entry.count) = (UInt32(code.moves.count), UInt32(moves.count))
        code.moves += moves
      } else {
        entry.operation = VectorCode.Entry.gather
        entry.a = UInt32(code.gatherings.count)
        code.gatherings += VectorCode.gatherings(list.map { UInt32($0) }, to: entry.target)
      }
    case .product(let product):
      entry.operation = VectorCode.Entry.product
      (entry.a, entry.count) = (UInt32(code.products.count), 1)
      code.products.append(product)
    case .sum(let start, let length):
      entry.operation = VectorCode.Entry.sum
      (entry.a, entry.count) = (UInt32(start), UInt32(length))
    }
    if step.isFixed { code.fixedEntries.append(entry) } else { code.entries.append(entry) }
  }
  /// Copies of neighbours.
  private static func moves(_ list: [Int32], to target: Int32) -> [VectorCode.Move] {
    var result: [VectorCode.Move] = []
    for (k, place) in list.enumerated() {
      if let last = result.last, last.source + last.count == UInt32(place) {
        result[result.count - 1].count += 1
      } else {
        result.append(VectorCode.Move(source: UInt32(place), target: UInt32(target) + UInt32(k), count: 1))
      }
    }
    return result
  }
}
