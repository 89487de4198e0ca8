extension Program {
  /// Most bytes of tensors that are alive at once while the program is interpreted: inputs and constants, which others hold, values
  /// until their last use, and within an operation that holds programs the most that one of these needs besides its inputs. Views count as
  /// arrays of their own; what an operation needs for itself does not count.
  package var peakByteCount: Int {
    let last = lastUses()
    let held = Set(inputs + constants.map(\.variable))
    func bytes(_ id: Int) -> Int { types[id].count * types[id].elementType.byteCount }
    let base = held.reduce(0) { $0 + bytes(Int($1)) }
    var alive = base
    var peak = alive
    for (index, equation) in equations.enumerated() {
      let results = equation.results.filter { last[$0] >= 0 }.reduce(0) { $0 + bytes($1) }
      let parts = (primitive(of: equation) as? any HigherOrderPrimitive)?.programs ?? []
      let within = parts.map { $0.program.peakByteCount - $0.program.inputByteCount }.max() ?? 0
      peak = max(peak, alive + results + within)
      alive += results
      for id in Set(operands(of: equation)) where last[Int(id)] == index && !held.contains(id) {
        alive -= bytes(Int(id))
      }
    }
    return peak
  }
  /// Bytes of the inputs.
  package var inputByteCount: Int {
    Set(inputs).reduce(0) { $0 + types[Int($1)].count * types[Int($1)].elementType.byteCount }
  }
}
