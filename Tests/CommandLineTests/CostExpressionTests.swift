import Costate
import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct CostExpressionTests {
  static let model: Model = {
    var model = Model()
    var torso = Body()
    torso.name = "torso"
    model.bodies = [Body(), torso]
    var root = Joint()
    root.name = "root"
    root.type = .free
    var knee = Joint()
    knee.name = "knee"
    knee.positionAddress = 7
    knee.velocityAddress = 6
    model.joints = [root, knee]
    model.positionCount = 8
    model.velocityCount = 7
    return model
  }()

  private func parse(_ source: String) throws -> CostExpression {
    try CostExpression.parse(source, for: Self.model)
  }

  @Test(arguments: [
    ("1+2*3", 7.0), ("(1+2)*3", 9), ("-2^2", -4), ("2^-1", 0.5), ("2^3^2", 512), ("8/4/2", 1), ("5-3-1", 1),
    ("--3", 3), ("2*-3", -6), (".5e1 + 1.5E-1", 5.15), ("sqrt(abs(-16))", 4), ("cos(pi)", -1),
    ("exp(log(3)) + tanh(0) + sin(0) + tan(0)", 3), ("+4", 4),
  ])
  func arithmetic(source: String, value: Double) throws {
    #expect(abs(try parse(source).value(at: []) - value) <= 1e-15 * abs(value))
  }

  @Test func variables() throws {
    let cost = try parse("qpos[knee]*qvel[ knee ] + xpos[torso].z + xpos[1].x + time + qpos[0]*qpos[7]")
    #expect(
      cost.variables == [
        .position(7), .velocity(6), .bodyPosition(body: 1, axis: 2), .bodyPosition(body: 1, axis: 0), .time,
        .position(0),
      ])
    let (value, gradient) = try cost.valueAndGradient(at: [2, 3, 10, 20, 30, 5])
    #expect(value == 6 + 10 + 20 + 30 + 10)
    #expect(gradient == [3 + 5, 2, 1, 1, 1, 2])
  }

  @Test(
    arguments: [
      "qpos[0]^3 - 2*qpos[1]/qpos[2]", "qpos[0]^qpos[1]", "sin(qpos[0])*cos(qpos[1])*tan(qpos[2])",
      "sqrt(qpos[0] + exp(qpos[1])) + log(qpos[2])", "tanh(qpos[0]*qpos[1]) - abs(-qpos[2])^1.5",
      "-(qpos[0] - 3)^2 + 2^qpos[1]",
    ], [0, 1, 2, 3])
  func gradientsAgreeWithDifferences(source: String, seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let cost = try parse(source)
    let point = cost.variables.map { _ in Double.random(in: 0.3...1.2, using: &generator) }
    let gradient = try cost.valueAndGradient(at: point).gradient
    for i in point.indices {
      let h = 1e-5
      var ahead = point
      var behind = point
      ahead[i] += h
      behind[i] -= h
      let difference = (try cost.value(at: ahead) - cost.value(at: behind)) / (2 * h)
      #expect(abs(gradient[i] - difference) <= 1e-8 * max(abs(difference), 0.1))
    }
  }

  @Test(arguments: [
    ("", 1, "the expression ends where a number, a variable or a function should stand"),
    ("1 +", 4, "the expression ends where a number"),
    ("qpos[0]+foo", 9, "'foo' is not known; known are qpos[i], qvel[i]"),
    ("qpos[8]", 6, "qpos[8] does not exist; qpos has indices 0 to 7"),
    ("act[0]", 5, "act[0] does not exist; the model's act is empty"),
    ("qpos[root]", 6, "joint 'root' is a free joint with 7 numbers; name one by index, qpos[0] to qpos[6]"),
    ("qpos[hip]", 6, "there is no joint 'hip'; known joints are root, knee"),
    ("xpos[leg].z", 6, "there is no body 'leg'; known bodies are torso"),
    ("xpos[torso]", 12, "after xpos[torso] must stand .x, .y or .z"),
    ("xpos[torso].w", 12, "after xpos[torso] must stand .x, .y or .z"),
    ("qpos[]", 6, "an index or a name"), ("(1", 3, "the expression ends where ')' should stand"),
    ("1 2", 3, "found '2' where an operator"), ("sin 1", 5, "found '1' where '(' should stand"),
    ("1..2", 3, "found '.'"), ("1e999", 1, "'1e999' is not a number"),
    ("qpos[0", 7, "the expression ends where ']'"),
  ])
  func faultsAreLocated(source: String, column: Int, message: String) {
    let failure = #expect(throws: CommandFailure.self) { try parse(source) }
    #expect(failure?.code == .wrongUsage)
    #expect(
      failure?.message.hasPrefix("--cost: column \(column): \(message)") == true, "\(failure?.message ?? "")")
  }

  @Test func depthIsLimited() {
    #expect(throws: CommandFailure.self) { try parse(String(repeating: "(", count: 100_000)) }
    #expect(throws: CommandFailure.self) { try parse(String(repeating: "2^", count: 100_000) + "2") }
  }

  @Test(arguments: ["sqrt(qpos[0])", "abs(qpos[0])", "log(qpos[0])", "1/qpos[0]", "qpos[0]^0.5"])
  func missingDerivativesAreReported(source: String) throws {
    let cost = try parse(source)
    let failure = #expect(throws: CommandFailure.self) { try cost.valueAndGradient(at: [0]) }
    #expect(failure?.code == .computationFailed)
  }

  @Test func powersAtZeroHaveTheirDerivative() throws {
    #expect(try parse("qpos[0]^2").valueAndGradient(at: [0]).gradient == [0])
    #expect(try parse("qpos[0]^1").valueAndGradient(at: [0]).gradient == [1])
    #expect(try parse("(qpos[0]-1)^2").valueAndGradient(at: [-2]).gradient == [-6])
  }
}
