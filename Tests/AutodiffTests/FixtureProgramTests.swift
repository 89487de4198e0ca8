import Autodiff
import Foundation
import Testing

/// Programs whose values and derivatives JAX computed.
@Suite struct FixtureProgramTests {
  static let programs = (try? StepProgram.load("programs")) ?? []
  static let hardCases = (try? StepProgram.load("hard_cases")) ?? []

  /// The largest error, relative to the size of the reference; infinite if counts differ.
  private func error(_ found: [Double], _ expected: [Double]?) -> Double {
    guard let expected, found.count == expected.count else { return .infinity }
    let scale = max(1, expected.map(abs).max() ?? 0)
    return zip(found, expected).reduce(0) {
      let distance = abs($1.0 - $1.1) / scale
      return distance <= $0 ? $0 : distance
    }
  }
  private func flat(_ tensors: [Tensor]) -> [Double] { tensors.flatMap(\.values) }

  @Test func fixturesAreThere() {
    #expect(Self.programs.count == 200)
    #expect(Self.hardCases.count >= 40)
  }

  @Test(arguments: programs) func interpreted(_ program: StepProgram) throws {
    let x = program.arguments
    #expect(error(try program(x).values, program.value) <= 1e-12)
    let (value, tangent) = try jvp(program.callAsFunction, at: x, along: program.direction)
    #expect(error(value.values, program.value) <= 1e-12)
    #expect(error(tangent.values, program.jvp) <= 1e-9)
    guard program.vjp != nil else { return }
    #expect(error(flat(try pull(program)(x)), program.vjp) <= 1e-9)
    #expect(error(flat(try second(program)(x)), program.hvp) <= 1e-8)
  }

  @Test(arguments: programs) func compiled(_ program: StepProgram) throws {
    let x = program.arguments
    #expect(error(try jit { (x: [Tensor]) in try program(x) }(x).values, program.value) <= 1e-12)
    let along = program.direction
    let push = { (x: [Tensor]) in try jvp(program.callAsFunction, at: x, along: along).tangent }
    #expect(error(try jit(push)(x).values, program.jvp) <= 1e-9)
    guard program.vjp != nil else { return }
    #expect(error(flat(try jit(pull(program))(x)), program.vjp) <= 1e-9)
    #expect(error(flat(try jit(second(program))(x)), program.hvp) <= 1e-8)
  }

  /// The program's point is the middle one of a batch of three; the others need only not disturb it.
  @Test(arguments: programs) func batched(_ program: StepProgram) throws {
    let along = program.direction
    let batch = program.arguments.map { stack([$0 + 1e-5, $0, $0 - 1e-5]) }
    let middle = { (tensors: [Tensor]) in tensors.flatMap { $0[1].values } }
    let value = try vmap(program.callAsFunction)(batch)
    #expect(error(value[1].values, program.value) <= 1e-12)
    #expect(error(try jit(vmap(program.callAsFunction))(batch)[1].values, program.value) <= 1e-12)
    let push = { (x: [Tensor]) in try jvp(program.callAsFunction, at: x, along: along).tangent }
    #expect(error(try vmap(push)(batch)[1].values, program.jvp) <= 1e-9)
    guard program.vjp != nil else { return }
    #expect(error(middle(try vmap(pull(program))(batch)), program.vjp) <= 1e-9)
    #expect(error(middle(try jit(vmap(pull(program)))(batch)), program.vjp) <= 1e-9)
    #expect(error(middle(try vmap(second(program))(batch)), program.hvp) <= 1e-8)
    #expect(error(middle(try jit(vmap(second(program)))(batch)), program.hvp) <= 1e-8)
  }

  /// Where JAX and the mathematics differ the fixture holds what the mathematics says, and JAX's answer beside it.
  @Test(arguments: hardCases) func hardCase(_ program: StepProgram) throws {
    let x = program.arguments
    let gradient = { (x: [Tensor]) throws -> [Tensor] in
      try grad { (x: [Tensor]) in try program(x).sum() }(x)
    }
    let batch = x.map { stack([$0, $0]) }
    try agree(program(x).values, program.value)
    try agree(jit { (x: [Tensor]) in try program(x) }(x).values, program.value)
    try agree(vmap(program.callAsFunction)(batch)[1].values, program.value)
    try agree(flat(gradient(x)), program.vjp)
    try agree(flat(jit(gradient)(x)), program.vjp)
    try agree(vmap(gradient)(batch).flatMap { $0[1].values }, program.vjp)
    try agree(jit(vmap(gradient))(batch).flatMap { $0[1].values }, program.vjp)
  }

  /// Infinite and undefined numbers in the same places, the others within rounding, element by element.
  private func agree(
    _ found: [Double], _ expected: [Double]?, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let isRight =
      found.count == expected?.count
      && zip(found, expected!).allSatisfy { a, b in
        b.isNaN ? a.isNaN : a == b || abs(a - b) <= 1e-13 * max(1, abs(b))
      }
    #expect(isRight, "\(found) instead of \(expected ?? [])", sourceLocation: sourceLocation)
  }

  private func pull(_ program: StepProgram) -> ([Tensor]) throws -> [Tensor] {
    { x in try vjp(program.callAsFunction, at: x).pullback(program.cotangent) }
  }
  private func second(_ program: StepProgram) -> ([Tensor]) throws -> [Tensor] {
    { x in
      try hvp(
        { (x: [Tensor]) in (try program(x) * program.cotangent).sum() }, at: x, along: program.direction)
    }
  }
}
