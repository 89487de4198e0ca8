import Costate
import Testing

@testable import CostateCommandLine

@Suite struct TrajectoriesTests {
  private let two = Trajectories(
    worlds: 2, time: [0, 0.5], positions: [1, 2, 3, 4], velocities: [5, 6, 7, 8, 9, 10, 11, 12],
    positionCount: 1,
    velocityCount: 2)

  @Test func csvHasARowPerWorldAndState() throws {
    let text = String(decoding: try two.encoded(as: .csv), as: UTF8.self)
    #expect(
      text == """
        world,time,qpos[0],qvel[0],qvel[1]
        0,0.0,1.0,5.0,6.0
        0,0.5,2.0,7.0,8.0
        1,0.0,3.0,9.0,10.0
        1,0.5,4.0,11.0,12.0

        """)
  }

  @Test func jsonHasALeadingDimensionForWorlds() throws {
    let text = String(decoding: try two.encoded(as: .json), as: UTF8.self)
    #expect(
      text == #"{"time": [0.0, 0.5], "qpos": [[[1.0], [2.0]], [[3.0], [4.0]]], "#
        + #""qvel": [[[5.0, 6.0], [7.0, 8.0]], [[9.0, 10.0], [11.0, 12.0]]]}"# + "\n")
    var one = two
    one.worlds = 1
    one.positions = [1, 2]
    one.velocities = [5, 6, 7, 8]
    let alone = String(decoding: try one.encoded(as: .json), as: UTF8.self)
    #expect(alone.contains(#""qpos": [[1.0], [2.0]], "#))
  }

  @Test func theExtensionNamesTheFormat() throws {
    #expect(try Trajectories.Format(path: "a/b.NPZ") == .npz)
    let failure = #expect(throws: CommandFailure.self) { try Trajectories.Format(path: "out.txt") }
    #expect(failure?.code == .wrongUsage)
  }

  @Test func controlsForAllOrForEachWorld() throws {
    var model = Model()
    model.actuators = [Actuator(), Actuator()]
    let shared = NumericArray(shape: [3, 2], elements: [1, 2, 3, 4, 5, 6])
    #expect(
      try Array(Controls(shared, path: "c", steps: 3, worlds: 4, for: model).world(3)) == [1, 2, 3, 4, 5, 6])
    let each = NumericArray(shape: [2, 1, 2], elements: [1, 2, 3, 4])
    #expect(try Array(Controls(each, path: "c", steps: 1, worlds: 2, for: model).world(1)) == [3, 4])
    let failure = #expect(throws: CommandFailure.self) {
      try Controls(each, path: "c.npy", steps: 5, worlds: 7, for: model)
    }
    #expect(failure?.code == .invalidInput)
    #expect(failure?.message.contains("[2, 1, 2]; expected [5, 2] (steps, nu)") == true)
    #expect(failure?.message.contains("[7, 5, 2] (worlds, steps, nu)") == true)
  }
}
