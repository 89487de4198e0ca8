import Autodiff
import Testing

/// Numbers that stand for objects, on their way through a program.
@Suite struct ObjectArrayTests {
  private final class Tape: Sendable {}
  private func array(_ number: Int32, _ tape: Tape) -> DenseArray {
    DenseArray([number], shape: [1], objects: [number: tape])
  }

  @Test func copiesTakeObjectsAlong() throws {
    let (a, b) = (Tape(), Tape())
    let (first, second) = (Tensor(array(7, a)), Tensor(array(9, b)))
    let joined = concatenate([first, second]).dense!
    #expect(joined.objects.keys.sorted() == [7, 9])
    let turned = joined.broadcast(to: [3, 2], axes: [1]).transposed([1, 0]).contiguous()
    #expect(turned.values(Int32.self) == [7, 7, 7, 9, 9, 9])
    #expect(turned.objects[7] === a)
    let chosen = select(Tensor([true, false]), first.broadcast(to: [2]), second.broadcast(to: [2])).dense!
    #expect(chosen.values(Int32.self) == [7, 9])
    #expect(chosen.objects[9] === b)
    // A scan stacks one row after the other.
    let rows = try scan(initial: Tensor(0.0), over: Tensor(joined)) { state, row in
      (state, row.expandingAxis(0))
    }
    .rows.dense!
    #expect(rows.values(Int32.self) == [7, 9])
    #expect(rows.objects[7] === a)
  }

  @Test func constantsStayApart() {
    var builder = ProgramBuilder()
    let plain = builder.constant(DenseArray([Int32(7)], shape: [1]))
    let (a, b) = (Tape(), Tape())
    let (first, second) = (array(7, a), array(7, b))
    #expect(Set([plain, builder.constant(first), builder.constant(second)]).count == 3)
    #expect(builder.constant(DenseArray([Int32(7)], shape: [1])) == plain)
  }

  @Test func objectsLiveAsLongAsTheMemory() {
    weak var tape: Tape?
    do {
      let made = Tape()
      tape = made
      let view = array(3, made).broadcast(to: [4], axes: [0])
      #expect(view.objects[3] === made)
    }
    #expect(tape == nil)
  }
}
