import Foundation
import RigidBody
import RobotModels

/// Models that the tests of laws run on: the project's own, and small ones for features these do not have.
enum TestModels {
  static let names = [
    "pendulum", "cartpole", "acrobot", "arm", "quadruped", "humanoid", "balls", "fluid", "actuators",
    "compensation", "freeBodies", "transmissions", "mocap", "spatialTendons",
  ]

  static func model(_ name: String, _ integrator: Integrator? = nil) throws -> Model {
    var model: Model
    if let text = texts[name] {
      model = try Model(mjcf: "<mujoco>\(text)</mujoco>", name: "\(name).xml")
    } else {
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      model = try Model.load(path: root.appending(path: "Models/\(name).xml").path)
    }
    if let integrator { model.options.integrator = integrator }
    return model
  }

  private static let texts: [String: String] = [
    "balls": """
    <option timestep="0.004" gravity="0.3 -0.2 -9.7"/>
    <worldbody>
      <body pos="0 0 1"><joint type="slide" axis="1 1 0" damping="0.3" stiffness="3" springref="0.2"/>
        <joint type="hinge" axis="0.2 0.3 1" pos="0.1 0 0.05" ref="0.3" armature="0.02"/>
        <geom type="capsule" size="0.05" fromto="0 0 0 0.1 0.2 -0.3"/>
        <body pos="0.1 0.2 -0.3" euler="20 30 40"><joint type="ball" damping="0.05" stiffness="2" pos="0 0.02 0.01"/>
          <geom type="box" size="0.05 0.1 0.15" pos="0.1 0 -0.1" euler="10 50 20"/>
          <body pos="0 0 -0.3"><joint type="slide" axis="0.1 1 0"/><joint type="ball" pos="0 0.03 0"/>
            <geom type="ellipsoid" size="0.03 0.05 0.1" pos="0 0.05 -0.1"/></body></body></body>
    </worldbody>
    """,
    "fluid": """
    <option timestep="0.005" density="40" viscosity="0.2" wind="0.5 -0.3 0.2"/>
    <worldbody>
      <body pos="0 0 1"><freejoint/><geom type="box" size="0.1 0.2 0.05" euler="10 20 30"/>
        <body pos="0.1 0.2 0"><joint type="hinge" axis="0 0 1" damping="0.1"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 0.3 0.1 0.05" density="300"/>
          <body pos="0.3 0.1 0.05"><joint type="ball" damping="0.02"/>
            <geom type="box" size="0.1 0.02 0.08" pos="0.05 0 0" density="300"/></body></body></body>
    </worldbody>
    """,
    "actuators": """
    <option timestep="0.004"/>
    <worldbody>
      <body pos="0 0 1"><freejoint name="free"/><geom type="box" size="0.1 0.2 0.1" euler="5 10 20"/>
        <body pos="0.2 0 0"><joint name="ball" type="ball" damping="0.1"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 0.3 0 0.1"/>
          <body pos="0.3 0 0.1"><joint name="hinge" type="hinge" axis="0 1 0.5" damping="0.2"/>
            <geom type="capsule" size="0.03" fromto="0 0 0 0.2 0.1 0"/>
            <body pos="0.2 0.1 0"><joint name="slide" type="slide" axis="1 0 0" damping="0.5"
                actuatorfrcrange="-0.4 0.4"/><geom size="0.05"/></body></body></body></body>
    </worldbody>
    <actuator>
      <motor joint="free" gear="1 2 3 0.1 0.2 0.3"/>
      <general jointinparent="free" gear="0.3 0.1 0.2 0.3 0.5 0.2"/>
      <general joint="ball" gear="0.3 0.2 0.4" biastype="affine" biasprm="0.1 -3 -0.4" gainprm="2"/>
      <general jointinparent="ball" gear="0.2 0.5 0.1" gaintype="affine" gainprm="1 0.5 0.3"/>
      <position joint="hinge" kp="5" kv="0.7" ctrlrange="-0.3 0.3"/>
      <velocity joint="hinge" kv="0.9" forcerange="-0.3 0.3"/>
      <intvelocity joint="hinge" kp="4" actrange="-0.4 0.4"/>
      <damper joint="hinge" kv="0.6" ctrlrange="0 1"/>
      <cylinder joint="slide" timeconst="0.1" area="0.5" bias="0.1 -0.2 -0.3"/>
      <general joint="hinge" dyntype="filter" dynprm="0.05" gainprm="2" actearly="true"/>
      <general joint="slide" dyntype="filterexact" dynprm="0.03" gainprm="1.5" biastype="affine"
        biasprm="0 -1 -0.2"/>
      <general joint="ball" gear="0.1 0 0.2" dyntype="filterexact" dynprm="0.02" actearly="true"
        gaintype="affine" gainprm="1 0.2 0.4"/>
    </actuator>
    """,
    "compensation": """
    <option timestep="0.004" gravity="1 2 -9"/>
    <worldbody>
      <body pos="0 0 1" gravcomp="0.4"><joint axis="0 1 0" actuatorgravcomp="true" actuatorfrcrange="-0.6 0.6"/>
        <geom type="capsule" size="0.05" fromto="0 0 0 0.3 0 0.1"/>
        <body pos="0.3 0 0.1" gravcomp="1"><joint axis="1 0.3 0"/><geom type="box" size="0.1 0.05 0.1" pos="0 0 0.1"/>
          <body pos="0 0 0.2" gravcomp="0.7"><joint type="ball" actuatorgravcomp="true"/>
            <geom type="box" size="0.02 0.05 0.1" pos="0.05 0 0.1"/>
            <body pos="0 0 0.1" gravcomp="0.5"><geom size="0.05" pos="0.1 0 0"/></body></body></body></body>
    </worldbody>
    """,
    "transmissions": """
    <option timestep="0.004"/>
    <worldbody>
      <site name="fixed" pos="0.3 0.2 0.5" euler="20 0 50"/>
      <body pos="0 0 1"><freejoint/><geom type="box" size="0.1 0.2 0.1" euler="5 10 20"/>
        <site name="base" pos="0.05 0.1 0.1" euler="0 30 10"/>
        <body pos="0.2 0 0"><joint type="ball" damping="0.1" armature="0.02"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 0.3 0 0.1"/>
          <body pos="0.3 0 0.1"><joint name="a" axis="0 1 0.5" damping="0.2" armature="0.02"/>
            <joint name="b" type="slide" axis="1 0 0" damping="0.5"/>
            <geom type="capsule" size="0.03" fromto="0 0 0 0.2 0.1 0"/><site name="tip" pos="0.2 0.1 0" euler="10 60 0"/></body></body>
        <body pos="-0.2 0 0"><joint name="c" axis="1 0 0" damping="0.1" armature="0.02"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 -0.3 0 0.1"/><site name="other" pos="-0.3 0 0.1" euler="0 20 40"/></body></body>
    </worldbody>
    <tendon>
      <fixed name="across" stiffness="3" damping="0.4"><joint joint="a" coef="0.8"/><joint joint="c" coef="-0.5"/></fixed>
      <fixed name="chain" stiffness="5" springlength="-0.05 0.02" damping="0.3" armature="0.04"><joint joint="a" coef="0.5"/>
        <joint joint="b" coef="2"/></fixed>
      <fixed name="quiet"><joint joint="b" coef="1.5"/><joint joint="a" coef="0.2"/></fixed>
    </tendon>
    <actuator>
      <position tendon="across" kp="4" kv="0.5" gear="1.2"/>
      <general tendon="chain" gear="0.7" gaintype="affine" gainprm="1 0.4 -0.5" dyntype="filter" dynprm="0.05" actearly="true"/>
      <motor site="tip" gear="0.5 -0.3 0.8 0.1 0.2 -0.15"/>
      <damper site="tip" kv="0.6" ctrlrange="0 2" gear="0.7 0.2 0 0 0.1 0.1"/>
      <position site="tip" refsite="other" kp="3" kv="0.4" gear="1 -0.5 0.3 0.2 0 0.1"/>
      <general site="tip" refsite="base" biastype="affine" biasprm="0.1 -2 -0.3" gear="0.3 0.2 0.1 0.2 0.3 -0.1"/>
      <position site="base" refsite="fixed" kp="2" kv="0.3" gear="0.4 0 0.5 0 0.3 0"/>
    </actuator>
    """,
    "spatialTendons": """
    <option timestep="0.004"/>
    <worldbody>
      <site name="peg" pos="0.3 0.2 1.5"/>
      <body pos="0 0 1"><freejoint/><geom type="box" size="0.1 0.2 0.1" euler="5 10 20"/>
        <site name="base" pos="0.05 0.1 0.1"/><site name="side" pos="-0.1 0.05 0"/>
        <body pos="0.2 0 0"><joint type="ball" damping="0.1" armature="0.02"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 0.3 0 0.1"/>
          <body pos="0.3 0 0.1"><joint axis="0 1 0.5" damping="0.2" armature="0.02"/>
            <joint type="slide" axis="1 0 0" damping="0.5"/>
            <geom type="capsule" size="0.03" fromto="0 0 0 0.2 0.1 0"/><site name="tip" pos="0.2 0.1 0"/></body></body>
        <body pos="-0.2 0 0"><joint axis="1 0 0" damping="0.1" armature="0.02"/>
          <geom type="capsule" size="0.04" fromto="0 0 0 -0.3 0 0.1"/><site name="other" pos="-0.3 0 0.1"/></body></body>
      <body name="hand" mocap="true" pos="-0.4 0.3 1.3"><geom size="0.02"/><site name="hand" pos="0.03 0.02 0.05"/></body>
    </worldbody>
    <tendon>
      <spatial name="a" stiffness="3" damping="0.4"><site site="tip"/><site site="base"/><site site="side"/><site site="other"/></spatial>
      <spatial name="b" stiffness="5" springlength="0.1 0.3" damping="0.3"><site site="hand"/><site site="other"/>
        <pulley divisor="2"/><site site="tip"/><site site="peg"/></spatial>
      <spatial name="quiet"><site site="tip"/><site site="hand"/></spatial>
    </tendon>
    <actuator>
      <position tendon="a" kp="4" kv="0.5" gear="1.2"/>
      <general tendon="b" gear="0.7" gaintype="affine" gainprm="1 0.4 -0.5" dyntype="filter" dynprm="0.05" actearly="true"/>
    </actuator>
    """,
    "mocap": """
    <option timestep="0.004" density="4" viscosity="0.03" wind="0.5 -0.3 0.2"/>
    <worldbody>
      <body name="hand" mocap="true" pos="0.2 0.1 0.9" euler="5 10 20"><geom type="box" size="0.2 0.2 0.03"/>
        <site name="hand" pos="0.05 0.02 0.04" euler="0 20 30"/>
        <body pos="0.1 0 -0.1" gravcomp="0.4"><joint name="p" axis="0 1 0.2" damping="0.1" actuatorgravcomp="true"/>
          <geom type="capsule" fromto="0 0 0 0.1 0.05 -0.3" size="0.03"/><site name="own" pos="0.1 0.05 -0.3" euler="10 0 40"/>
          <body pos="0.1 0.05 -0.3"><joint type="ball" damping="0.05"/><geom type="box" size="0.05 0.1 0.03" pos="0.05 0 0"/></body></body></body>
      <body name="anchor" mocap="true" pos="-0.5 0.2 1.1" euler="30 0 10"><geom size="0.02"/><site name="anchor" pos="0.1 0 0"/></body>
      <body pos="0.8 0 0.8"><joint axis="0 0 1" damping="0.3"/><joint axis="0 1 0" damping="0.3"/>
        <geom type="capsule" fromto="0 0 0 -0.3 0 0.1" size="0.03"/><site name="tip" pos="-0.3 0 0.1" euler="10 0 0"/></body>
    </worldbody>
    <actuator>
      <position site="tip" refsite="hand" kp="6" kv="0.4" gear="0.5 0.3 -0.4 0.2 0.1 0.3"/>
      <position site="own" refsite="hand" kp="3" kv="0.2" gear="0.5 0.3 -0.4 0.2 0.1 0.3"/>
      <position site="own" refsite="anchor" kp="2" kv="0.3" gear="0.2 0.3 0.1 0 0.3 0.2"/>
      <motor site="own" gear="0.2 0.3 0.1 0 0.3 0.2"/>
    </actuator>
    """,
    "freeBodies": """
    <option timestep="0.01" density="5" viscosity="0.05"/>
    <worldbody>
      <body pos="0 0 1"><freejoint name="a"/><geom type="box" size="0.1 0.3 0.05" pos="0.1 0.05 0" euler="10 20 30"/></body>
      <body pos="1 0 1"><joint name="b" type="free" damping="0.2"/><geom type="ellipsoid" size="0.1 0.3 0.2"/>
        <body pos="0.2 0.1 0"><geom size="0.1"/></body></body>
      <body pos="2 0 1"><freejoint/><geom size="0.1"/><body pos="0 0 0.2"><joint axis="1 0 0"/><geom size="0.05" pos="0 0 0.2"/></body></body>
    </worldbody>
    <actuator><general joint="a" gear="0 0 0 0.1 0.3 0.2" biastype="affine" biasprm="0 0 -0.5" gainprm="3"/></actuator>
    """,
  ]
}
