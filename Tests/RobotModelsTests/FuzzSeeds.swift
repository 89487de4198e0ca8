import Foundation

/// Valid inputs that the fuzz tests start from: between them they use every part of the readers.
enum FuzzSeeds {
  static let mjcf: [String] = [
    """
    <mujoco model="walker">
      <compiler angle="radian" autolimits="true" inertiafromgeom="auto" boundmass="0.01" settotalmass="10"/>
      <option timestep="0.01" integrator="RK4" gravity="0 0 -9.81" density="1.2"><flag contact="disable"/></option>
      <default>
        <joint damping="1" armature="0.1" limited="true"/>
        <geom friction="0.8 0.1 0.1" density="900" rgba="0.5 0.5 0.5 1"/>
        <motor ctrlrange="-1 1" ctrllimited="true"/>
        <default class="leg"><geom size="0.05" type="capsule"/><joint range="-1 1"/></default>
      </default>
      <worldbody>
        <geom name="floor" type="plane" size="40 40 1" condim="3"/>
        <light pos="0 0 3"/>
        <body name="torso" pos="0 0 1.2" childclass="leg">
          <camera name="side" pos="0 -3 1" xyaxes="1 0 0 0 1 2" mode="trackcom"/>
          <freejoint name="root"/>
          <geom name="trunk" fromto="0 0 0 0 0 0.5" size="0.1"/>
          <site name="imu" pos="0 0 0.1"/>
          <body name="thigh" pos="0 0 -0.1" quat="0.7 0.1 0 0.7">
            <joint name="hip" axis="0 1 0" pos="0 0 0.05" stiffness="3" springref="0.1" ref="0.2"/>
            <geom name="thigh" fromto="0 0 0 0 0 -0.4"/>
            <body name="shin" pos="0 0 -0.4" euler="0 0.3 0">
              <joint name="knee" axis="0 1 0"/>
              <joint name="slide" type="slide" axis="1 0 0" class="main" range="-0.1 0.1"/>
              <geom name="shin" fromto="0 0 0 0 0 -0.4" shellinertia="true"/>
              <geom type="box" size="0.1 0.05 0.02" pos="0 0 -0.4" mass="0.3" zaxis="0 1 1"/>
            </body>
          </body>
        </body>
      </worldbody>
      <contact><exclude body1="torso" body2="shin"/><pair geom1="floor" geom2="shin" friction="1 1"/></contact>
      <equality><joint joint1="hip" joint2="knee" polycoef="0 1 0 0 0"/><weld body1="torso"/></equality>
      <tendon><fixed name="t" range="-1 1"><joint joint="hip" coef="1"/><joint joint="knee" coef="-0.5"/></fixed></tendon>
      <actuator>
        <motor name="m" joint="hip" gear="100"/>
        <position joint="knee" kp="20" dampratio="1"/>
        <general joint="knee" dyntype="filter" dynprm="0.1" gaintype="affine" gainprm="1 2 3" biastype="affine"/>
        <velocity joint="slide" kv="3"/><damper joint="knee" kv="1" ctrlrange="0 1"/>
        <cylinder joint="slide" diameter="0.1"/><intvelocity joint="hip" kp="3" actrange="-1 1"/>
        <motor tendon="t"/>
      </actuator>
      <sensor><gyro site="imu"/><jointpos joint="knee"/><framepos objtype="body" objname="shin"/></sensor>
      <keyframe><key name="home" qpos="0 0 1 1 0 0 0 0 0 0" ctrl="0 0 0 0 0 0 0 0"/></keyframe>
    </mujoco>
    """,
    """
    <mujoco>
      <compiler eulerseq="XYZ" balanceinertia="true" fusestatic="true" alignfree="true" discardvisual="true"/>
      <option integrator="implicitfast" actuatorgroupdisable="1 2" cone="elliptic" solver="CG" iterations="5"/>
      <size memory="1M" nkey="2"/><statistic meaninertia="3" center="0 0 1"/>
      <visual><global fovy="45"/><quality shadowsize="2048"/></visual>
      <custom><numeric name="n" data="1 2 3"/><text name="x" data="y"/></custom>
      <asset>
        <texture name="grid" type="2d" builtin="checker" width="8" height="8"/><material name="mat" texture="grid"/>
        <mesh name="tetra" vertex="0 0 0 1 0 0 0 1 0 0 0 1" scale="1 2 3" refpos="0.1 0 0"/>
        <mesh name="box" inertia="exact" vertex="0 0 0 1 0 0 1 1 0 0 1 0 0 0 1 1 0 1 1 1 1 0 1 1"
          face="0 2 1 0 3 2 4 5 6 4 6 7 0 1 5 0 5 4 1 2 6 1 6 5 2 3 7 2 7 6 3 0 4 3 4 7"/>
        <hfield name="hill" nrow="2" ncol="2" size="1 1 1 1" elevation="0 1 2 3"/>
      </asset>
      <worldbody>
        <geom type="hfield" hfield="hill" material="mat"/>
        <frame pos="1 0 0" euler="0 0 90">
          <body name="a" gravcomp="0.5"><joint type="ball" name="ball" range="0 45" springdamper="0.1 1"/>
            <inertial pos="0 0 0.1" mass="2" fullinertia="1 1 1 0.1 0.1 0.1"/>
            <geom type="mesh" mesh="tetra"/><geom type="ellipsoid" size="1 2 3" fluidshape="ellipsoid"/>
            <body name="fixed"><geom type="cylinder" size="0.1 0.2" axisangle="1 0 0 45"/></body>
          </body>
        </frame>
        <replicate count="3" offset="1 0 0" euler="0 0 10" sep="-">
          <body name="r"><joint name="rj" type="slide"/><geom type="mesh" mesh="box" solref="0.01 1"/></body>
        </replicate>
        <body mocap="true" name="target" pos="1 1 1"><geom size="0.1" contype="0" conaffinity="0"/></body>
        <body name="free"><joint type="free"/><geom type="sphere" mesh="box"/>
          <inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/></body>
      </worldbody>
      <tendon><spatial><site site="s"/></spatial></tendon>
      <equality><connect body1="a" body2="free" anchor="0 0 1"/></equality>
    </mujoco>
    """.replacing("<tendon><spatial><site site=\"s\"/></spatial></tendon>", with: ""),
  ]

  static let urdf: [String] = [
    """
    <?xml version="1.0"?>
    <robot name="arm">
      <material name="grey"><color rgba="0.5 0.5 0.5 1"/></material>
      <link name="base"><visual><geometry><box size="1 1 1"/></geometry><material name="grey"/></visual></link>
      <link name="upper">
        <inertial><origin xyz="0 0 0.1" rpy="0.1 0.2 0.3"/><mass value="2"/>
          <inertia ixx="0.1" ixy="0.01" ixz="0" iyy="0.1" iyz="0" izz="0.05"/></inertial>
        <collision name="c"><origin xyz="0 0 0.1"/><geometry><cylinder radius="0.1" length="0.3"/></geometry></collision>
        <collision><geometry><sphere radius="0.1"/></geometry></collision>
        <visual><geometry><mesh filename="package://arm/meshes/upper.stl" scale="1 1 1"/></geometry></visual>
      </link>
      <link name="lower"><inertial><mass value="1"/><inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>
      <link name="finger"><inertial><mass value="1"/><inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>
      <link name="tool"/>
      <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
        <origin xyz="0 0 0.5" rpy="0 1.57 0"/><axis xyz="0 0 1"/>
        <limit lower="-1" upper="1" effort="10" velocity="2"/><dynamics damping="0.5" friction="0.1"/></joint>
      <joint name="elbow" type="continuous"><parent link="upper"/><child link="lower"/></joint>
      <joint name="grip" type="prismatic"><parent link="lower"/><child link="finger"/><axis xyz="0 1 0"/>
        <limit lower="0" upper="0.1" effort="1" velocity="1"/><mimic joint="shoulder" multiplier="-2" offset="0.1"/></joint>
      <joint name="tip" type="fixed"><parent link="finger"/><child link="tool"/></joint>
      <transmission name="t"/><gazebo reference="base"/>
    </robot>
    """,
    """
    <robot name="floating">
      <link name="world"/>
      <link name="a"><inertial><mass value="1"/><inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>
      <link name="b"><inertial><mass value="1"/><inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial>
        <collision><geometry><capsule radius="0.1" length="0.2"/></geometry></collision></link>
      <joint name="j" type="floating"><parent link="world"/><child link="a"/></joint>
      <joint name="p" type="planar"><parent link="a"/><child link="b"/><axis xyz="1 1 0"/></joint>
    </robot>
    """,
  ]

  static let asciiSTL = """
    solid tetra
      facet normal 0 0 -1
        outer loop
          vertex 0 0 0
          vertex 0 1 0
          vertex 1 0 0
        endloop
      endfacet
      facet normal 0 -1 0
        outer loop
          vertex 0 0 0
          vertex 1 0 0
          vertex 0 0 1
        endloop
      endfacet
      facet normal -1 0 0
        outer loop
          vertex 0 0 0
          vertex 0 0 1
          vertex 0 1 0
        endloop
      endfacet
      facet normal 1 1 1
        outer loop
          vertex 1 0 0
          vertex 0 1 0
          vertex 0 0 1
        endloop
      endfacet
    endsolid tetra
    """

  /// The same tetrahedron as above, little-endian.
  static let binarySTL: [UInt8] = {
    let corners: [[Float]] = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    var bytes = [UInt8](repeating: 0, count: 80)
    withUnsafeBytes(of: UInt32(4).littleEndian) { bytes += $0 }
    for face in [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] {
      for value in [Float](repeating: 0, count: 3) + face.flatMap({ corners[$0] }) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
      }
      bytes += [0, 0]
    }
    return bytes
  }()

  static let obj = """
    # a box
    mtllib box.mtl
    o box
    v 0 0 0
    v 1 0 0
    v 1 1 0
    v 0 1 0
    v 0 0 1
    v 1 0 1
    v 1 1 1
    v 0 1 1
    vt 0 0
    vn 0 0 1
    usemtl grey
    s off
    f 1 4 3 2
    f 5/1 6/1 7/1 8/1
    f 1//1 2//1 6//1 5//1
    f 2/1/1 3/1/1 7/1/1 6/1/1
    f -6 -5 -1 -2
    f 4 1 5 8
    """
}
