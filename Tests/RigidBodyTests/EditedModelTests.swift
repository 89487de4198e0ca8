import RigidBody
import RobotModels
import Testing

/// A simulator looks at the model as it stands, not as it was compiled.
@Suite struct EditedModelTests {
  static func smooth() throws -> Model {
    try Model(
      mjcf: """
        <mujoco><worldbody>
        <body name="a"><joint name="j"/><geom name="g" size=".1" contype="0" conaffinity="0"/>
        <body name="b" pos="1 0 0"><joint name="k" type="ball"/><geom name="h" size=".1" contype="0" conaffinity="0"/>
        <body name="c" pos="1 0 0"><joint name="l"/><geom name="i" size=".1" contype="0" conaffinity="0"/></body>
        </body></body>
        <site name="s"/><body name="d" pos="2 0 0"><joint name="n"/><geom size=".1" contype="0" conaffinity="0"/>
        <site name="u"/></body></worldbody>
        <tendon><fixed name="t"><joint joint="j" coef="1"/><joint joint="n" coef="1"/></fixed>
        <spatial name="w"><site site="s"/><geom geom="g"/><site site="u"/></spatial></tendon>
        <equality><joint name="e" joint1="j" active="false"/></equality>
        <actuator><motor name="m" joint="j"/></actuator></mujoco>
        """)
  }

  struct Edit: Sendable, CustomTestStringConvertible {
    var description: String
    var ignored: IgnoredFeatures
    var disabled: DisabledFeatures?
    var apply: @Sendable (inout Model) -> Void
    var testDescription: String { description }
  }

  static let edits: [Edit] = [
    Edit(description: "tendon 'w': stiffness", ignored: .tendon, disabled: .spring) {
      $0.tendons[1].stiffness = 1
    },
    Edit(description: "tendon 'w': armature", ignored: .tendon, disabled: nil) { $0.tendons[1].armature = 1 },
    Edit(
      description: "tendon 't': armature that couples joints of different branches", ignored: .tendon,
      disabled: nil
    ) { $0.tendons[0].armature = 1 },
    Edit(description: "actuator 'm': gaintype muscle", ignored: .actuation, disabled: .actuation) {
      $0.actuators[0].gain = .muscle
    },
    Edit(description: "option: integrator implicit", ignored: .unsupported, disabled: nil) {
      $0.options.integrator = .implicit
    },
  ]

  @Test(arguments: edits)
  func editsAreNoticed(edit: Edit) throws {
    var model = try Self.smooth()
    _ = try Simulator<Double>(model)
    edit.apply(&model)
    let error = #expect(throws: SimulationError.self) { _ = try Simulator<Double>(model) }
    guard case .unsupported(_, let elements) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(elements.count == 1)
    #expect(elements[0].description.hasPrefix(edit.description))
    if model.options.integrator != .implicit {
      _ = try Simulator<Double>(model, ignoring: edit.ignored)
      #expect(throws: SimulationError.self) {
        _ = try Simulator<Double>(model, ignoring: edit.ignored == .limit ? .equality : .limit)
      }
    }
    guard let disabled = edit.disabled else { return }
    model.options.disabled.insert(disabled)
    _ = try Simulator<Double>(model)
    #expect(model.unsupported.isEmpty)
  }

  /// What a file asks for can be taken back, too.
  @Test func whatIsRemovedIsNotMissed() throws {
    var model = try Model(
      mjcf: """
        <mujoco><worldbody><body><joint name="j"/><geom name="g" size=".1"/><site name="s"/></body><site name="u"/></worldbody>
        <tendon><spatial stiffness="1"><site site="s"/><geom geom="g"/><site site="u"/></spatial></tendon></mujoco>
        """)
    #expect(model.unsupported.map(\.category) == [.tendon])
    model.tendons[0].stiffness = 0
    _ = try Simulator<Double>(model)
  }
}
