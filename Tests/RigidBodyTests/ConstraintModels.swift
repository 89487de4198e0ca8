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

  private static let texts: [String: String] = [
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
