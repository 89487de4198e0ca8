import RigidBody
import RobotModels

/// Small models with each part of the constraint model, for tests of derivatives.
enum ConstraintModels {
  static func model(_ name: String, _ integrator: Integrator = .euler) throws -> Model {
    var model = try Model(mjcf: "<mujoco>\(texts[name]!)</mujoco>", name: "\(name).xml")
    model.options.integrator = integrator
    model.options.tolerance = 1e-14
    model.options.iterations = 200
    return model
  }

  private static let chain = """
    <body name="a" pos="0 0 1"><joint name="j1" axis="0 1 0" pos="0 0 0.02" damping="0.1"/>
      <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.05" contype="0" conaffinity="0"/><site name="s1" pos="0.1 0 0.02"/>
      <body name="b" pos="0.4 0 0" euler="10 20 30"><joint name="j2" axis="0 1 0.3"/><joint name="j3" type="slide" axis="1 0 0"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0.1" size="0.04" contype="0" conaffinity="0"/>
        <body name="c" pos="0.3 0 0.1"><joint name="j4" type="ball"/>
          <geom type="box" size="0.1 0.05 0.02" pos="0.08 0 0" contype="0" conaffinity="0"/>
          <site name="s2" pos="0.05 0.02 0" euler="20 0 40"/>
          <body name="welded" pos="0.1 0.02 0.01" euler="5 6 7"><geom size="0.03" contype="0" conaffinity="0"/></body>
        </body></body></body>
    <body name="d" pos="0.2 0.5 1"><joint name="j5" axis="1 0 0" ref="0.3"/><joint name="j6" axis="0 0 1"/>
      <geom type="capsule" fromto="0 0 0 0.2 0.1 0" size="0.03" contype="0" conaffinity="0"/></body>
    <body name="e" pos="-0.3 0 1"><freejoint/><geom type="box" size="0.1 0.08 0.05" contype="0" conaffinity="0"/></body>
    """

  private static func jointed(_ equalities: String, option: String = "") -> String {
    """
    <option timestep="0.004"\(option)/><worldbody><site name="s0" pos="0 0 0.9" euler="0 10 0"/>\(chain)</worldbody>
    <equality>\(equalities)</equality>
    """
  }

  static let equalityNames = [
    "connects", "connectsOfSites", "welds", "weldsOfSites", "weldsToWorld", "weldsInFluid",
  ]

  /// Contacts of all dimensions, mixed in all ways, with named pairs.
  private static func contacts(_ option: String) -> String {
    """
    <option timestep="0.004" \(option)/><worldbody>
    <geom name="floor" type="plane" size="5 5 1" friction="0.7 0.01 0.002" solmix="2" solimp="0.8 0.93 0.02 0.4 2.5"/>
    <body name="a" pos="0 0 0.095"><freejoint/><geom name="a1" size="0.1" condim="4" friction="0.9 0.02 0.001" margin="0.002"
      solref="0.03 0.9"/></body>
    <body name="b" pos="0.5 0 0.095" euler="2 3 0"><freejoint/><geom name="b1" type="box" size="0.1 0.12 0.1" condim="6" priority="1"
      solref="-400 -15" friction="0.6 0.03 0.01" solimp="0.7 0.95 0.03 0.6 3"/></body>
    <body name="c" pos="1 0 0.045"><freejoint/><geom name="c1" type="capsule" size="0.05 0.1" euler="90 0 10" condim="3"
      solimp="0.85 0.9 0.01 0.5 1"/><geom name="c2" type="ellipsoid" size="0.06 0.05 0.04" pos="0.15 0.02 0" euler="10 20 0"
      condim="1"/></body>
    <body name="d" pos="0.02 0.01 0.28"><joint type="slide" axis="0 0 1"/><joint axis="1 0 0"/><geom name="d1" size="0.09" friction="0.4 0.05 0.02"/></body>
    <body name="e" pos="1.5 0 0.044"><freejoint/><geom name="e1" type="cylinder" size="0.05 0.1" euler="80 0 10" friction="1.2"/></body>
    </worldbody>
    <contact><pair geom1="b1" geom2="c1" condim="3"/>
    <pair geom1="e1" geom2="floor" condim="6" friction="0.5 0.6 0.02 0.03 0.04" solreffriction="0.05 1.1" margin="0.004"
      solref="0.025 0.8" solimp="0.75 0.94 0.02 0.45 2"/></contact>
    """
  }

  private static let limited = """
    <option timestep="0.004"/><worldbody>
    <body pos="0 0 1"><joint name="j1" axis="0 1 0" range="-20 10" margin="3" solreflimit="0.01 0.7"
      solimplimit="0.8 0.95 0.1 0.3 3" frictionloss="0.3" solreffriction="0.05 0.8" solimpfriction="0.7 0.9 0.1 0.4 3" stiffness="3"/>
      <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.05"/>
      <body pos="0.4 0 0"><joint name="j2" axis="0 1 0.3" range="-10 5" solreflimit="-300 -20"
        solimplimit="0.7 0.9 0.3 0.6 1.5" armature="0.01"/><joint name="j3" type="slide" axis="1 0 0" frictionloss="20" damping="0.3"
        solreffriction="-10 -4" range="-0.05 0.02" margin="0.3" solimplimit="0.7 0.9 0.1 0.5 2"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0.1" size="0.04"/>
        <body pos="0.3 0 0.1"><joint name="j4" type="ball" range="0 8" margin="2" solimplimit="0.5 0.98 1 0.5 2"/>
          <geom type="box" size="0.1 0.05 0.02" pos="0.08 0 0"/></body></body></body>
    <body pos="0.2 1 1"><joint name="j5" axis="1 0 0"/><joint name="j6" axis="0 0 1"/>
      <geom type="capsule" fromto="0 0 0 0.2 0.1 0" size="0.03"/></body>
    <body name="e" pos="-1 0 1"><freejoint/><geom type="box" size="0.1 0.08 0.05"/></body>
    <body name="f" pos="-1 0.4 1"><freejoint/><geom type="box" size="0.1 0.08 0.05"/></body></worldbody>
    <tendon>
    <fixed name="t1" range="-0.1 0.1" margin="0.05" frictionloss="0.4" solreflimit="0.03 1.2" solimplimit="0.8 0.9 0.5 0.4 2.5"
      solreffriction="0.05 1" solimpfriction="0.6 0.9 0.1 0.5 2"><joint joint="j1" coef="1.5"/><joint joint="j2" coef="-0.7"/>
      <joint joint="j5" coef="0.3"/></fixed>
    <fixed name="t2" range="0.2 0.5"><joint joint="j3" coef="2"/><joint joint="j6" coef="1"/></fixed></tendon>
    <equality><joint joint1="j6" joint2="j5" polycoef="0.1 0.5 0.3 -0.2 0.4" solimp="0.8 0.95 0.5 0.5 2"/>
    <tendon tendon1="t1" tendon2="t2" polycoef="0.05 0.7 0.2 0.1 -0.3" solref="0.03 0.8"/>
    <weld body1="e" body2="f" torquescale="0.7" solref="0.05 1" solimp="0.6 0.95 0.3 0.5 2"/>
    <connect body1="e" anchor="0.1 0 0" solref="0.004 1"/></equality>
    """

  private static let texts: [String: String] = [
    "contactsPyramidal": contacts(#"cone="pyramidal" impratio="2""#),
    "contactsElliptic": contacts(#"cone="elliptic" impratio="5""#),
    "limits": limited,
    "connects": jointed(
      """
      <connect body1="b" body2="d" anchor="0.1 0.02 0.03" solref="0.03 0.9" solimp="0.7 0.95 2 0.4 2"/>
      <connect body1="c" anchor="0.1 0 0"/>
      """),
    "connectsOfSites": jointed(
      """
      <connect site1="s1" site2="s2"/>
      <connect site1="s0" site2="s2" solref="-200 -10"/>
      """),
    "welds": jointed(
      """
      <weld body1="e" body2="c" torquescale="0.7" solref="0.05 1" solimp="0.6 0.95 3 0.5 2"/>
      <weld body1="d" body2="welded" relpose="0.1 0.2 0.3 0.9 0.1 0.2 -0.3" anchor="0.02 0.01 0.03"/>
      """),
    "weldsOfSites": jointed(
      """
      <weld site1="s2" site2="s1" torquescale="2" solimp="0.6 0.95 3 0.3 3"/>
      """),
    "weldsToWorld": jointed(
      """
      <weld body1="e" solimp="0.5 0.9 0.8 0.4 4"/>
      <weld site1="s2" site2="s0" torquescale="0.3"/>
      <connect body1="e" body2="d" anchor="0 0 0" active="false"/>
      """),
    "weldsInFluid": jointed(
      """
      <weld body1="e" body2="c" torquescale="0.7" solref="0.05 1" solimp="0.6 0.95 3 0.5 2"/>
      <connect body1="c" body2="d" anchor="0.1 0 0"/>
      """, option: #" density="40" viscosity="0.2" wind="0.5 -0.3 0.2""#),
  ]
}
