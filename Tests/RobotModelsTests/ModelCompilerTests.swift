import Lanes
import Testing

@testable import RobotModels

/// Equal to `tolerance` relative to the largest expected entry.
func expectClose(
  _ values: [Double], _ expected: [Double], tolerance: Double = 1e-12,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard values.count == expected.count else {
    Issue.record("\(values.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
    return
  }
  let scale = expected.reduce(0) { max($0, abs($1)) }
  for (index, (value, wanted)) in zip(values, expected).enumerated() {
    #expect(
      abs(value - wanted) <= tolerance * scale, "entry \(index): \(value), expected \(wanted)",
      sourceLocation: sourceLocation)
  }
}

/// What compiling gives, against MuJoCo 3.12.0.
@Suite struct ModelCompilerTests {
  static let shapes: [(type: GeomType, isShell: Bool, size: [Double], mass: Double, inertia: [Double])] = [
    (.sphere, false, [0.3], 79.1681348704628, [2.8500528553366604, 2.8500528553366604, 2.8500528553366604]),
    (.sphere, true, [0.3], 791.6813487046279, [47.50088092227767, 47.50088092227767, 47.50088092227767]),
    (
      .capsule, false, [0.2, 0.35], 85.03244115716375,
      [7.610403483566158, 7.610403483566158, 1.60681992255606]
    ),
    (
      .capsule, true, [0.2, 0.35], 967.6105373056563,
      [114.57388407641974, 114.57388407641974, 34.012976462865495]
    ),
    (
      .cylinder, false, [0.25, 0.4], 109.95574287564276,
      [7.582364769132866, 7.582364769132866, 3.436116964863836]
    ),
    (
      .cylinder, true, [0.25, 0.4], 1154.535300194249,
      [122.68082936885517, 122.68082936885517, 63.56816384998097]
    ),
    (
      .ellipsoid, false, [0.2, 0.3, 0.5], 87.9645943005142,
      [5.981592412434964, 5.101946469429824, 2.2870794518133692]
    ),
    (.box, false, [0.15, 0.25, 0.4], 84.0, [6.23, 5.11, 2.38]),
    (.box, true, [0.15, 0.25, 0.4], 1106.0, [118.42833333333336, 98.08166666666668, 53.736666666666665]),
  ]

  @Test(arguments: shapes)
  func inertiaOfShapes(
    type: GeomType, isShell: Bool, size: [Double], mass: Double, inertia: [Double]
  ) throws {
    let sizes = size.map { "\($0)" }.joined(separator: " ")
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body><freejoint/>
        <geom type="\(type.rawValue)" size="\(sizes)" shellinertia="\(isShell)" density="700"/>
        </body></worldbody></mujoco>
        """)
    expectClose([model.bodies[1].mass], [mass])
    expectClose(model.bodies[1].inertia.array, inertia)
  }

  /// MuJoCo subtracts two almost equal solids here, so only eight digits are well defined.
  @Test func inertiaOfAnEllipsoidShell() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body><freejoint/>
        <geom type="ellipsoid" size="0.2 0.3 0.5" shellinertia="true" density="700"/>
        </body></worldbody></mujoco>
        """)
    expectClose([model.bodies[1].mass], [943.7049075591375])
    expectClose(
      model.bodies[1].inertia.array, [93.39658799953759, 80.3064617048949, 42.80175022408366], tolerance: 1e-8
    )
  }

  @Test func contactPairsTakeDefaultsAndAreSorted() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody>
        <geom name="floor" type="plane" size="1 1 .1" condim="4" friction=".5"/>
        <body name="a"><freejoint/><geom name="ga" size=".1" priority="1" condim="6"/></body>
        <body name="b"><freejoint/><geom name="gb" size=".1" margin=".2"/></body>
        </worldbody><contact>
        <pair geom1="gb" geom2="ga" condim="1" friction="0.7 0.6" solref="0.03"/>
        <pair geom1="gb" geom2="floor" margin="0.01"/>
        <exclude body1="b" body2="a"/><exclude body1="a" body2="world"/>
        </contact></mujoco>
        """)
    #expect(model.contactPairs.map(\.geom1) == [0, 1])
    #expect(model.contactPairs.map(\.geom2) == [2, 2])
    #expect(model.contactPairs.map(\.contactDimension) == [3, 1])
    #expect(
      model.contactPairs.map(\.friction) == [
        [1, 1, 0.005, 0.0001, 0.0001], [0.7, 0.6, 0.005, 0.0001, 0.0001],
      ])
    #expect(model.contactPairs.map(\.solverReference) == [[0.02, 1], [0.03, 1]])
    #expect(model.contactPairs.map(\.margin) == [0.01, 0])
    #expect(model.contactExclusions.map(\.body1) == [0, 1])
    #expect(model.contactExclusions.map(\.body2) == [1, 2])
  }

  @Test func equalitiesAreCompletedAtTheDefaultConfiguration() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody>
        <body name="a" pos="1 2 3" euler="10 20 30"><freejoint/><geom size=".1"/></body>
        <body name="b" pos="-1 0.5 0.2" euler="-40 5 60"><joint/><geom size=".1"/></body>
        </worldbody><equality>
        <connect body1="a" body2="b" anchor=".1 .2 .3"/>
        <weld body1="a" body2="b" anchor=".3 -.1 .2" torquescale="2"/>
        <weld body1="b" relpose="0 0 1 2 0 0 1"/>
        </equality></mujoco>
        """)
    #expect(model.equalities.map(\.object1) == [1, 1, 2])
    #expect(model.equalities.map(\.object2) == [2, 2, 0])
    expectClose(
      Array(model.equalities[0].data[..<6]),
      [0.1, 0.2, 0.3, 0.2607013753972409, -1.9050065175738238, 3.6332175350658478])
    expectClose(
      model.equalities[1].data,
      [
        0.3, -0.1, 0.2, -1.5142621984267763, -1.0791884525094737, -2.9870062383816722, 0.8916112296082138,
        -0.37540116996461587, 0.20810408334529445, 0.14420841626181663, 2.0,
      ])
    expectClose(
      model.equalities[2].data,
      [0, 0, 0, 0, 0, 1, 0.8944271909999159, 0, 0, 0.4472135954999579, 1])
  }

  @Test func fusingKeepsBodiesThatAreNamed() throws {
    let text = """
      <mujoco><compiler fusestatic="true"/><worldbody><body name="base"><joint/><geom size=".1"/>
      <body name="kept" pos="0 0 1"><geom size=".1"/><body name="fused" pos="1 0 0"><geom name="g" size=".2"/>
      <body name="end" pos="0 1 0"><joint/><geom size=".1"/></body></body></body>
      </body></worldbody><contact><exclude body1="kept" body2="end"/></contact></mujoco>
      """
    let model = try Model(mjcf: text)
    #expect(model.bodies.map(\.name) == ["world", "base", "kept", "end"])
    #expect(model.bodies.map(\.parent) == [0, 0, 1, 2])
    expectClose(model.bodies[3].position.array, [1, 1, 0])
    let moved = try #require(model.geomIndex(named: "g").map { model.geoms[$0] })
    #expect(moved.body == 2)
    expectClose(moved.position.array, [1, 0, 0])
    expectClose([model.bodies[2].mass], [1000 * 4 / 3 * Double.pi * (0.001 + 0.008)])
  }

  /// A moving body between two others may be without mass of its own in a lenient reading, which says so.
  @Test func masslessMovingBodies() throws {
    var specification = chain(count: 2)
    specification.bodies[1].geoms = []
    #expect(throws: ModelError.self) { try ModelCompiler.compile(specification) }
    specification.compiler.masslessMovingBody = .warning
    let model = try ModelCompiler.compile(specification)
    #expect(model.warnings.contains { $0.contains("'b1'") })
    specification.bodies[2].geoms = []
    #expect(throws: ModelError.self) { try ModelCompiler.compile(specification) }
  }

  @Test func impossibleInertiaWarnsOrFails() throws {
    var specification = chain(count: 1)
    var inertial = ModelSpecification.Inertial(location: specification.location)
    inertial.mass = 1
    inertial.inertia = .diagonal(Vector3(1, 1, 3))
    specification.bodies[1].inertial = inertial
    #expect(throws: ModelError.self) { try ModelCompiler.compile(specification) }
    specification.compiler.impossibleInertia = .warning
    let model = try ModelCompiler.compile(specification)
    #expect(model.bodies[1].inertia == Vector3(1, 1, 3))
    #expect(model.warnings.contains { $0.contains("'b1'") })
    specification.compiler.balanceInertia = true
    expectClose(
      try ModelCompiler.compile(specification).bodies[1].inertia.array, [5 / 3.0, 5 / 3.0, 5 / 3.0])
  }

  @Test(.timeLimit(.minutes(1)), arguments: [1, 3, 10_000])
  func tenThousandBodies(branching: Int) throws {
    let model = try ModelCompiler.compile(chain(count: 10_000, branching: branching))
    #expect(model.velocityCount == 10_000)
    #expect(model.degreesOfFreedom.allSatisfy { $0.inverseWeight0.isFinite && $0.inverseWeight0 > 0 })
  }

  /// Bodies with a hinge and a sphere each; each body carries `branching` others.
  private func chain(count: Int, branching: Int = 1) -> ModelSpecification {
    let location = ModelError.Location(file: "chain", line: 1, column: 1)
    var specification = ModelSpecification(location: location)
    for index in 1...count {
      var body = ModelSpecification.Body(location: location)
      body.name = "b\(index)"
      body.parent = (index - 1) / branching
      body.pose.position = Vector3(0.1, 0.02, 0)
      body.joints = [ModelSpecification.Joint(location: location)]
      var geom = ModelSpecification.Geom(location: location)
      geom.size.x = 0.05
      geom.pose.position = Vector3(0.03, 0, 0)
      body.geoms = [geom]
      specification.bodies.append(body)
    }
    return specification
  }
}
