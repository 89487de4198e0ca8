import Costate
import Testing

@testable import CostateCommandLine

@Suite struct StateFileTests {
  private var model: Model {
    var model = Model()
    model.bodies = [Body(), Body()]
    model.positionCount = 2
    model.velocityCount = 1
    model.actuators = [Actuator()]
    model.defaultPosition = [0.5, -0.5]
    return model
  }

  private func read(_ text: String) throws -> StateInput {
    try StateInput(InputFile(path: "s.json", bytes: Array(text.utf8)), for: model)
  }

  @Test func missingKeysTakeTheDefaults() throws {
    #expect(try read("{}") == StateInput(defaultOf: model))
    let state = try read(#"{"time": 2, "qvel": [3], "xfrc_applied": [[0,0,0,0,0,0],[1,2,3,4,5,6]]}"#)
    #expect(state.time == 2)
    #expect(state.position == [0.5, -0.5])
    #expect(state.velocity == [3])
    #expect(state.appliedBodyForce == [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
  }

  @Test(arguments: [
    (#"{"qpos": [1]}"#, "qpos has shape [1]; the model needs [2] (nq)"),
    (#"{"qpos": [[1, 2]]}"#, "qpos has shape [1, 2]; the model needs [2] (nq)"),
    (#"{"act": [1]}"#, "act has shape [1]; the model needs [0] (na)"),
    (#"{"xfrc_applied": [1, 2]}"#, "xfrc_applied has shape [2]; the model needs [2, 6] (nbody x 6)"),
    (
      #"{"velocity": [1]}"#,
      "'velocity' is not known; a state has the keys time, qpos, qvel, act, ctrl, qfrc_applied, xfrc_applied, "
        + "mocap_pos, mocap_quat"
    ),
    (#"{"time": [1]}"#, "time must be a number (seconds)"),
    (#"{"ctrl": 1}"#, "ctrl must be an array of numbers"),
    (
      "[1]",
      "a state must be an object with any of the keys time, qpos, qvel, act, ctrl, qfrc_applied, xfrc_applied, "
        + "mocap_pos, mocap_quat"
    ),
  ])
  func faultsNameWhatIsExpected(text: String, message: String) {
    let failure = #expect(throws: CommandFailure.self) { try read(text) }
    #expect(failure?.code == .invalidInput)
    #expect(failure?.message == "s.json: " + message)
  }
}
