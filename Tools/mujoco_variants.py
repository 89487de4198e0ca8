"""Small models, one per feature, that the robot files do not exercise."""

from dataclasses import dataclass, field


@dataclass
class Variant:
    xml: str
    dynamic: bool = True
    files: dict = field(default_factory=dict)


VARIANTS = {}


def _add(name, xml, **options):
    VARIANTS[name] = Variant(xml.strip() + "\n", **options)


# ----------------------------------------------------------------------------------- joints and frames

_add("ball_springs", """
<mujoco>
  <option timestep="0.004"/>
  <worldbody>
    <body name="upper" pos="0.1 -0.2 1.3" quat="0.9 0.1 -0.3 0.2">
      <joint name="shoulder" type="ball" pos="0.02 -0.03 0.05" stiffness="3" damping="0.4" armature="0.02"/>
      <geom type="capsule" fromto="0 0 0 0.05 0.1 -0.4" size="0.05" density="800"/>
      <body name="lower" pos="0.05 0.1 -0.4" euler="20 -30 40">
        <joint name="elbow" type="ball" stiffness="1.5" damping="0.2" armature="0.01"/>
        <geom type="box" pos="0.1 0.02 -0.1" euler="10 20 30" size="0.06 0.04 0.15"/>
        <body name="hand" pos="0.1 0 -0.25">
          <joint name="wrist" type="hinge" axis="1 2 -0.5" pos="0 0.01 0.02" stiffness="2" springref="25"
                 ref="10" damping="0.3" armature="0.005"/>
          <joint name="grip" type="slide" axis="0.3 -1 0.2" stiffness="40" springref="0.05" ref="0.02"
                 damping="2"/>
          <geom type="ellipsoid" size="0.05 0.03 0.04" mass="0.3"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
""")

_add("several_joints_per_body", """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.005" gravity="0.5 -2 -9"/>
  <worldbody>
    <body name="base" pos="0 0.1 0.8" euler="0.2 0.1 -0.4">
      <joint name="x" type="slide" axis="1 0 0" pos="0.3 0 0" damping="0.3"/>
      <joint name="z" type="slide" axis="0.1 0 1" ref="0.1"/>
      <joint name="pitch" type="hinge" axis="0 1 0" pos="0.1 0.2 -0.1" ref="0.3" damping="0.05"/>
      <joint name="roll" type="hinge" axis="1 0 0.2" pos="-0.05 0 0.1" armature="0.03"/>
      <geom type="box" size="0.1 0.05 0.02" pos="0.05 0 0"/>
      <body name="leg" pos="0.1 0 -0.1">
        <joint name="reach" type="slide" axis="1 1 0" stiffness="30" springref="-0.04"/>
        <joint name="swing" type="ball" pos="0.01 0.02 0.03" damping="0.02"/>
        <geom type="cylinder" size="0.03 0.12" pos="0 0 -0.12"/>
        <body name="foot" pos="0 0 -0.25">
          <joint name="ankle" type="hinge" axis="0 1 0" pos="0.02 0 0.01" damping="0.01" stiffness="0.3"/>
          <geom type="sphere" size="0.04" pos="0.03 0 0"/>
          <body name="sole" pos="0.02 0 -0.05" euler="0.1 0.2 0.3">
            <geom type="box" size="0.05 0.02 0.005"/>
            <site name="tip" pos="0.05 0 0" euler="0.3 0 0"/>
            <body name="toe" pos="0.05 0 0">
              <joint name="toe" type="hinge" axis="0 1 0.1"/>
              <inertial pos="0.02 0.01 0" mass="0.05" fullinertia="4e-5 5e-5 6e-5 1e-5 -5e-6 8e-6"/>
            </body>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
""")

_add("floating_tree", """
<mujoco>
  <option timestep="0.005"/>
  <worldbody>
    <frame pos="0.1 0.2 0.3" euler="0 30 0">
      <body name="torso" pos="0 0 1" euler="10 20 30">
        <freejoint/>
        <inertial pos="0.03 -0.02 0.05" mass="3" fullinertia="0.05 0.06 0.04 0.004 -0.003 0.006"/>
        <site name="imu" pos="0.1 0.05 0.02"/>
        <frame euler="0 0 45">
          <body name="left" pos="0.2 0 0">
            <joint name="left_hip" type="ball" damping="0.05" armature="0.01"/>
            <geom type="capsule" fromto="0 0 0 0.2 0 -0.1" size="0.03"/>
            <body name="left_shin" pos="0.2 0 -0.1">
              <joint name="left_knee" axis="0 1 0" pos="0.01 0 0" damping="0.1" armature="0.02"/>
              <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.02"/>
            </body>
          </body>
        </frame>
        <body name="right" pos="-0.2 0.1 0">
          <joint name="right_hip_x" axis="1 0 0"/>
          <joint name="right_hip_y" axis="0 1 0" damping="0.2"/>
          <geom type="capsule" fromto="0 0 0 -0.2 0 -0.1" size="0.03"/>
        </body>
      </body>
    </frame>
    <body name="arm" pos="1 0 0.5">
      <joint axis="0 0 1" damping="0.2"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
      <body name="forearm" pos="0.3 0 0">
        <joint type="slide" axis="1 0 0" damping="1"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.03"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="left_knee" gear="5"/>
    <position joint="right_hip_x" kp="20" kv="1"/>
  </actuator>
</mujoco>
""")

_add("free_bodies", """
<mujoco>
  <option timestep="0.01" density="50" viscosity="0.02"/>
  <worldbody>
    <body name="spinner" pos="0 0 1" euler="5 15 25">
      <joint type="free" damping="0.02" armature="0.01"/>
      <inertial pos="0.03 -0.02 0.05" mass="1.5" fullinertia="0.02 0.05 0.06 0.004 -0.003 0.006"/>
    </body>
    <body name="ball" pos="1 0 1">
      <freejoint/>
      <geom type="sphere" size="0.1"/>
    </body>
    <body name="carrier" pos="-1 0 1">
      <freejoint/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.02 0 0"/>
      <body name="plate" pos="0.1 0 0.1" euler="0 20 0">
        <geom type="box" size="0.1 0.02 0.05"/>
      </body>
    </body>
    <body name="swinging" pos="0 2 1">
      <freejoint/>
      <geom type="box" size="0.1 0.2 0.05"/>
      <body name="pendulum" pos="0.1 0 0">
        <joint axis="0 1 0" damping="0.03"/>
        <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.03"/>
      </body>
    </body>
  </worldbody>
</mujoco>
""")

_add("free_body_actuated", """
<mujoco>
  <option timestep="0.01" density="1.2" wind="1 2 -0.5"/>
  <worldbody>
    <body name="drone" pos="0 0 1" gravcomp="0.4">
      <joint name="root" type="free" damping="0.1" stiffness="2"/>
      <inertial pos="0.01 0.02 -0.01" quat="0.9 0.1 0.2 0.3" mass="1.2" diaginertia="0.02 0.03 0.04"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="root" gear="0.1 0.2 1 0.01 -0.02 0.03"/>
    <general joint="root" gear="0 0 0.5 0.2 0 0.1" gainprm="2 0 0" biastype="affine" biasprm="0.1 0 -0.3"/>
    <motor jointinparent="root" gear="1 0 0 0 0.1 0.3"/>
  </actuator>
</mujoco>
""")


def _chain(depth):
    text, close = [], []
    for k in range(depth):
        joint = ('type="ball" damping="0.02"' if k % 7 == 3 else
                 'type="slide" axis="1 0 0.5" stiffness="200" damping="3"' if k % 7 == 5 else
                 f'axis="{k % 3 == 0:d} {k % 3 == 1:d} {k % 3 == 2:d}" damping="0.05" armature="0.001"')
        text.append(f'<body name="link{k}" pos="0.08 0.01 0" euler="{(k * 13) % 40} 5 {(k * 7) % 30}">'
                    f'<joint name="joint{k}" {joint}/>'
                    f'<geom type="capsule" fromto="0 0 0 0.08 0.01 0" size="0.02"/>')
        close.append("</body>")
    return "\n".join(text) + "\n" + "".join(close)


_add("chain_of_thirty", f"""
<mujoco>
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
{_chain(30)}
  </worldbody>
  <actuator>
    <motor joint="joint0" gear="2"/>
    <motor joint="joint29" gear="0.1"/>
  </actuator>
</mujoco>
""")


def _star(arms, length):
    rows = []
    for a in range(arms):
        row = f'<body pos="0.1 0 0" euler="0 0 {a * 360 // arms}">'
        for k in range(length):
            row += (f'<joint axis="0 {1 + k % 2} {k % 2}" damping="0.05" armature="0.002"/>'
                    '<geom type="capsule" fromto="0 0 0 0.1 0 0" size="0.02"/>')
            if k + 1 < length:
                row += '<body pos="0.1 0 0">'
        rows.append(row + "</body>" * length)
    return "\n".join(rows)


_add("star_with_many_branches", f"""
<mujoco>
  <option timestep="0.005"/>
  <worldbody>
    <body name="hub" pos="0 0 1">
      <freejoint name="root"/>
      <geom type="cylinder" size="0.1 0.03"/>
{_star(6, 3)}
    </body>
  </worldbody>
</mujoco>
""")

# -------------------------------------------------------------------------------------- passive forces

_add("gravity_compensation", """
<mujoco>
  <option timestep="0.005" gravity="1 -3 -8"/>
  <worldbody>
    <body name="a" pos="0 0 1" gravcomp="0.3">
      <joint name="a" axis="0 1 0" actuatorgravcomp="true" actuatorfrcrange="-2 2" damping="0.1"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
      <body name="b" pos="0.3 0 0" gravcomp="1">
        <joint name="b" type="ball" actuatorgravcomp="true" damping="0.1"/>
        <geom type="box" size="0.1 0.02 0.03" pos="0.1 0.02 0"/>
        <body name="c" pos="0.2 0 0" gravcomp="1.2">
          <joint name="c" axis="0 1 0.3" damping="0.05"/>
          <geom type="capsule" fromto="0 0 0 0.2 0 0.1" size="0.03"/>
          <body name="d" pos="0.2 0 0.1">
            <joint name="d" type="slide" axis="0 0 1" actuatorgravcomp="true" damping="1" stiffness="20"/>
            <geom type="sphere" size="0.05"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="a" gear="3"/>
    <motor joint="d" gear="1"/>
  </actuator>
</mujoco>
""")

_add("fluid", """
<mujoco>
  <option timestep="0.004" density="900" viscosity="0.8" wind="0.4 -0.3 0.2"/>
  <worldbody>
    <body name="fish" pos="0 0 1">
      <freejoint/>
      <inertial pos="0.02 -0.01 0.03" mass="2" fullinertia="0.02 0.03 0.025 0.004 -0.003 0.005"/>
      <body name="middle" pos="-0.15 0 0" euler="0 10 20">
        <joint type="ball" damping="0.02" armature="0.003"/>
        <inertial pos="-0.08 0 0.01" quat="0.8 0.1 -0.3 0.4" mass="1" diaginertia="0.004 0.009 0.011"/>
        <body name="tail" pos="-0.2 0 0">
          <joint axis="0 0 1" pos="0 0.01 0" damping="0.05" stiffness="1"/>
          <geom type="box" size="0.1 0.005 0.06" pos="-0.1 0 0" euler="5 0 10"/>
          <body name="fin" pos="-0.2 0 0">
            <joint type="slide" axis="0 1 0" stiffness="50" damping="3"/>
            <geom type="ellipsoid" size="0.05 0.01 0.08"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
""")

_add("viscous_fluid", """
<mujoco>
  <option timestep="0.004" viscosity="0.5"/>
  <worldbody>
    <body pos="0 0 1">
      <joint axis="0 1 0"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
      <body pos="0.3 0 0">
        <joint axis="0 0 1"/>
        <geom type="box" size="0.1 0.02 0.03" pos="0.1 0 0" euler="20 0 0"/>
      </body>
    </body>
  </worldbody>
</mujoco>
""")

# ------------------------------------------------------------------------------------------- actuators

_ARM = """
    <body pos="0 0 1">
      <joint name="j0" axis="0 0 1" damping="0.2" armature="0.02"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.05"/>
      <body pos="0.3 0 0">
        <joint name="j1" axis="0 1 0" damping="0.2" armature="0.02"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
        <body pos="0.3 0 0">
          <joint name="j2" axis="1 0 0" damping="0.1" armature="0.02"/>
          <joint name="j3" type="slide" axis="1 0 0" damping="2" armature="0.1"/>
          <geom type="capsule" fromto="0 0 0 0.2 0 0" size="0.03"/>
          <body pos="0.2 0 0">
            <joint name="j4" axis="0 1 0" damping="0.1" armature="0.02" actuatorfrcrange="-0.5 0.5"/>
            <geom type="box" size="0.05 0.03 0.02" pos="0.05 0 0"/>
          </body>
        </body>
      </body>
    </body>
"""

_add("actuators_stateless", f"""
<mujoco>
  <option timestep="0.005"/>
  <worldbody>{_ARM}</worldbody>
  <actuator>
    <motor name="motor" joint="j0" gear="3" ctrlrange="-1 1"/>
    <position name="position" joint="j1" kp="30" kv="2" ctrlrange="-1 1" forcerange="-25 25"/>
    <position name="damped_position" joint="j2" kp="12" dampratio="1" inheritrange="0"/>
    <velocity name="velocity" joint="j3" kv="4" gear="2"/>
    <damper name="damper" joint="j2" kv="0.7" ctrlrange="0 1"/>
    <general name="affine" joint="j4" gaintype="affine" gainprm="2 -0.3 0.4" biastype="affine"
             biasprm="0.2 -1 -0.1" ctrlrange="-2 2"/>
    <general name="affine_geared" joint="j0" gear="-2" gaintype="affine" gainprm="1 0.2 -0.3"
             biastype="affine" biasprm="-0.1 -0.4 -0.2" forcelimited="true" forcerange="-2 2"/>
    <general name="bias_only" joint="j3" gainprm="0" biastype="affine" biasprm="0.5 -3 -0.5"/>
  </actuator>
</mujoco>
""")

_add("actuators_with_activation", f"""
<mujoco>
  <option timestep="0.005"/>
  <worldbody>{_ARM}</worldbody>
  <actuator>
    <general name="integrator" joint="j0" dyntype="integrator" gainprm="3" actlimited="true"
             actrange="-0.6 0.6"/>
    <general name="filter" joint="j1" dyntype="filter" dynprm="0.05" gainprm="5" ctrlrange="-1 1"/>
    <general name="filterexact" joint="j2" dyntype="filterexact" dynprm="0.03" gainprm="4"/>
    <intvelocity name="intvelocity" joint="j3" kp="25" kv="1" actrange="-0.8 0.8"/>
    <cylinder name="cylinder" joint="j4" timeconst="0.04" area="0.5" bias="0.1 -0.5 -0.05"/>
    <position name="filtered_position" joint="j1" kp="10" kv="0.5" timeconst="0.06"/>
    <general name="early_integrator" joint="j2" dyntype="integrator" gainprm="2" actearly="true"/>
    <general name="early_filter" joint="j0" dyntype="filter" dynprm="0.02" gaintype="affine"
             gainprm="3 0.1 -0.2" biastype="affine" biasprm="0 -0.5 -0.1" actearly="true"/>
    <general name="early_exact" joint="j4" dyntype="filterexact" dynprm="0.01" gainprm="1.5"
             actearly="true" actlimited="true" actrange="-0.9 0.9" forcerange="-2 2"/>
  </actuator>
</mujoco>
""")

_add("actuators_on_ball_and_free_joints", """
<mujoco>
  <option timestep="0.005"/>
  <worldbody>
    <body name="base" pos="0 0 1" euler="10 0 20">
      <joint name="root" type="free"/>
      <geom type="box" size="0.2 0.1 0.05" pos="0.03 0 0"/>
      <body name="arm" pos="0.2 0 0" euler="0 30 10">
        <joint name="shoulder" type="ball" pos="0.01 0.02 0" damping="0.2" armature="0.02"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
        <body name="hand" pos="0.3 0 0">
          <joint name="wrist" axis="0 1 0" damping="0.1" armature="0.01"/>
          <geom type="sphere" size="0.05"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="root" gear="1 2 3 0.1 0.2 0.3"/>
    <motor jointinparent="root" gear="-1 0.5 2 0.3 -0.1 0.2"/>
    <motor joint="shoulder" gear="1 -0.5 0.3"/>
    <motor jointinparent="shoulder" gear="0.4 0.7 -0.2"/>
    <position joint="shoulder" gear="0.6 0 0.8" kp="2" kv="0.2"/>
    <position jointinparent="shoulder" gear="0 1 0.3" kp="1.5"/>
    <velocity joint="shoulder" gear="0.1 0.2 0.3" kv="0.5"/>
    <intvelocity joint="shoulder" gear="1 1 0" kp="1" kv="0.1" actrange="-3 3"/>
    <motor jointinparent="wrist" gear="0.8"/>
    <general joint="root" gear="0 0 0.5 0.1 0 0" gaintype="affine" gainprm="1 0 0.2" biastype="affine"
             biasprm="0.1 0 -0.4"/>
  </actuator>
</mujoco>
""")

_add("disabled_actuator_group", f"""
<mujoco>
  <option timestep="0.005" actuatorgroupdisable="1 3"/>
  <worldbody>{_ARM}</worldbody>
  <actuator>
    <motor joint="j0" gear="3"/>
    <motor joint="j1" gear="2" group="1"/>
    <general joint="j2" dyntype="integrator" gainprm="3" group="3"/>
    <position joint="j3" kp="20" kv="1" group="2"/>
    <position joint="j4" kp="2" kv="0.3" group="1"/>
  </actuator>
</mujoco>
""")

# --------------------------------------------------------------------------------------- disable flags

for _flag in "spring damper gravity clampctrl actuation eulerdamp".split():
    _add(f"disable_{_flag}", f"""
<mujoco>
  <option timestep="0.005" density="20" viscosity="0.1"><flag {_flag}="disable"/></option>
  <worldbody>
    <body pos="0 0 1" gravcomp="0.5">
      <joint name="j0" axis="0 1 0" stiffness="4" springref="20" damping="0.5"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.05"/>
      <body pos="0.3 0 0" gravcomp="0.2">
        <joint name="j1" type="ball" stiffness="2" damping="0.3" actuatorgravcomp="true"/>
        <geom type="box" size="0.1 0.05 0.02" pos="0.1 0 0"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="j0" gear="2" ctrlrange="-0.5 0.5"/>
    <general joint="j1" gear="0 1 0" dyntype="filter" dynprm="0.05" gainprm="2" biastype="affine"
             biasprm="0.1 -1 -0.2" ctrlrange="-0.5 0.5"/>
  </actuator>
</mujoco>
""")

# --------------------------------------------------------------------------------------------- tendons

_add("fixed_tendons", f"""
<mujoco>
  <option timestep="0.005"/>
  <worldbody>{_ARM}</worldbody>
  <tendon>
    <fixed name="pair" stiffness="3" damping="0.4" springlength="0.1" armature="0.02">
      <joint joint="j0" coef="0.7"/>
      <joint joint="j1" coef="-1.2"/>
    </fixed>
    <fixed name="slack" stiffness="5" springlength="-0.2 0.3">
      <joint joint="j2" coef="1"/>
      <joint joint="j4" coef="0.5"/>
    </fixed>
  </tendon>
  <actuator>
    <motor tendon="pair" gear="2"/>
    <position tendon="slack" kp="4" kv="0.3"/>
  </actuator>
</mujoco>
""")

_BRANCHES = """
    <body name="torso" pos="0 0 1" euler="10 20 30">
      <freejoint/>
      <inertial pos="0.03 -0.02 0.05" mass="3" fullinertia="0.05 0.06 0.04 0.004 -0.003 0.006"/>
      <site name="back" pos="-0.1 0.05 0.02" euler="20 0 30"/>
      <body name="left" pos="0.2 0 0" euler="0 0 45">
        <joint name="l0" axis="0 1 0.2" damping="0.05" armature="0.01"/>
        <geom type="capsule" fromto="0 0 0 0.2 0 -0.1" size="0.03"/>
        <body name="left_shin" pos="0.2 0 -0.1">
          <joint name="l1" type="ball" pos="0.01 0 0.02" damping="0.1" armature="0.02"/>
          <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.02"/>
          <body name="left_foot" pos="0 0 -0.3" euler="0 30 10">
            <joint name="l2" axis="1 0.3 0" damping="0.1" armature="0.02"/>
            <joint name="l3" type="slide" axis="0 0.2 1" damping="1" stiffness="20"/>
            <geom type="box" size="0.06 0.03 0.02" pos="0.02 0 0"/>
            <site name="left_tip" pos="0.06 0.01 -0.02" euler="10 50 20"/>
          </body>
        </body>
      </body>
      <body name="right" pos="-0.2 0.1 0">
        <joint name="r0" axis="1 0 0"/>
        <joint name="r1" axis="0 1 0" damping="0.2"/>
        <geom type="capsule" fromto="0 0 0 -0.2 0 -0.1" size="0.03"/>
        <site name="right_tip" pos="-0.2 0 -0.1" euler="0 0 70"/>
      </body>
    </body>
    <body name="arm" pos="1 0 0.5">
      <joint name="a0" axis="0 0 1" damping="0.2"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
      <site name="arm_base" pos="0 0 0.05"/>
      <body name="forearm" pos="0.3 0 0">
        <joint name="a1" type="slide" axis="1 0 0" damping="1"/>
        <joint name="a2" axis="0 1 0" damping="0.3"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.03"/>
        <site name="arm_tip" pos="0.3 0.02 0" euler="40 0 0"/>
      </body>
    </body>
    <body name="drone" pos="0 2 1">
      <freejoint/>
      <geom type="box" size="0.1 0.08 0.03" pos="0.01 0.02 0"/>
      <site name="rotor" pos="0.1 0.05 0.03" euler="5 10 0"/>
    </body>"""

_add("tendons_between_branches", f"""
<mujoco>
  <option timestep="0.004"/>
  <worldbody><site name="world" pos="0.2 0.3 0.4"/>{_BRANCHES}</worldbody>
  <tendon>
    <fixed name="across" stiffness="4" damping="0.5">
      <joint joint="l0" coef="0.9"/><joint joint="r1" coef="-0.6"/><joint joint="r0" coef="0.4"/></fixed>
    <fixed name="chain" armature="0.03" stiffness="2" springlength="0.05 0.06" damping="0.2">
      <joint joint="l0" coef="0.5"/><joint joint="l2" coef="-0.8"/><joint joint="l3" coef="2"/></fixed>
    <fixed name="trees"><joint joint="a0" coef="0.3"/><joint joint="r1" coef="0.7"/></fixed>
    <fixed name="quiet"><joint joint="a1" coef="1.3"/><joint joint="a2" coef="-0.2"/></fixed>
  </tendon>
  <actuator>
    <position tendon="across" kp="6" kv="0.7" gear="1.5"/>
    <general tendon="chain" gaintype="affine" gainprm="1 -0.3 -0.4" biastype="affine" biasprm="0.2 -2 -0.5"
      dyntype="filterexact" dynprm="0.05" actearly="true"/>
    <damper tendon="trees" kv="0.8" ctrlrange="0 2"/>
    <motor tendon="trees" gear="-2" forcelimited="true" forcerange="-0.3 0.3"/>
    <position joint="a0" kp="5" kv="0.3"/>
    <position tendon="chain" kp="10" dampratio="0.6"/>
  </actuator>
</mujoco>
""")

_add("site_transmissions", f"""
<mujoco>
  <option timestep="0.004"/>
  <worldbody><site name="world" pos="0.2 0.3 0.4" euler="0 30 40"/>{_BRANCHES}</worldbody>
  <actuator>
    <motor site="left_tip" gear="0.5 -0.3 0.8 0.1 0.2 -0.15"/>
    <motor site="rotor" gear="0 0 1 0 0 0.02"/>
    <velocity site="rotor" gear="0.3 0 0.2 0 0.1 0.1" kv="0.5"/>
    <damper site="left_tip" kv="0.6" ctrlrange="0 2" gear="0.7 0.2 0 0 0 0.3"/>
    <motor site="world" gear="1 2 3 4 5 6"/>
    <position site="left_tip" refsite="right_tip" kp="3" kv="0.4" gear="1 -0.5 0.3 0 0 0"/>
    <position site="left_tip" refsite="back" kp="2" kv="0.2" gear="0 0 0 0.4 0.6 -0.3"/>
    <general site="right_tip" refsite="left_tip" gaintype="affine" gainprm="1 0.5 -0.2" biastype="affine"
      biasprm="0.1 -1 -0.3" gear="0.2 0.4 -0.3 0.5 0.1 0.3" forcerange="-3 3"/>
    <position site="arm_tip" refsite="arm_base" kp="5" kv="0.5" gear="0.6 0.8 0 0.2 0 0.1"/>
    <position site="arm_tip" refsite="world" kp="4" kv="0.3" gear="0 0.7 0.7 0.3 0 0"/>
    <position site="arm_tip" refsite="rotor" kp="1.5" kv="0.6" gear="0.5 0.2 0.1 0.1 0.3 0"/>
    <general site="back" gear="1 0 0 0 0.3 0" dyntype="filter" dynprm="0.1" gainprm="2"/>
    <position site="arm_tip" refsite="world" kp="3" dampratio="0.5" gear="0.2 0.5 0.3 0 0 0.4"/>
  </actuator>
</mujoco>
""")

_add("spatial_tendons", f"""
<mujoco>
  <option timestep="0.004"/>
  <worldbody><site name="world" pos="0.2 0.3 0.4" euler="0 30 40"/><site name="peg" pos="0.6 0.1 1.2"/>{_BRANCHES}</worldbody>
  <tendon>
    <spatial name="across" stiffness="4" damping="0.3">
      <site site="left_tip"/><site site="back"/><site site="right_tip"/></spatial>
    <spatial name="pulleys" stiffness="6" springlength="0.5 0.9" damping="0.2">
      <site site="arm_tip"/><site site="arm_base"/><pulley divisor="2"/><site site="arm_tip"/><site site="world"/><site site="back"/>
      <pulley divisor="0.5"/><site site="peg"/><site site="arm_tip"/></spatial>
    <spatial name="line"><site site="peg"/><site site="rotor"/></spatial>
    <spatial name="quiet"><site site="right_tip"/><site site="peg"/><site site="world"/></spatial>
  </tendon>
  <actuator>
    <position tendon="across" kp="6" kv="0.4" gear="1.5"/>
    <general tendon="pulleys" gaintype="affine" gainprm="1 -0.3 -0.2" biastype="affine" biasprm="0.2 -2 -0.3"
      dyntype="filterexact" dynprm="0.05" actearly="true"/>
    <damper tendon="line" kv="0.5" ctrlrange="0 2"/>
    <motor tendon="line" gear="-2" forcelimited="true" forcerange="-0.3 0.3"/>
  </actuator>
</mujoco>
""")

# ------------------------------------------------------------------------------- compilation only


def _compile(name, xml, **files):
    _add(f"compile_{name}", xml, dynamic=False,
         files={k.replace("__", "/").replace("_dot_", "."): v for k, v in files.items()})


_compile("spatial_tendons", f"""
<mujoco>
  <worldbody><site name="peg" pos="0.6 0.1 1.2"/>{_BRANCHES}</worldbody>
  <tendon>
    <spatial name="a"><site site="arm_tip"/><site site="peg"/><pulley divisor="2"/><site site="peg"/><site site="arm_base"/></spatial>
    <spatial name="b" springlength="0.3"><site site="left_tip"/><site site="right_tip"/></spatial>
  </tendon>
  <actuator><position tendon="a" kp="5" dampratio="0.6"/><position tendon="b" kp="2" dampratio="1" gear="2"/></actuator>
</mujoco>
""")

_compile("geom_inertia", """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body name="sphere" pos="0 0 1"><freejoint/><geom type="sphere" size="0.1"/></body>
    <body name="capsule" pos="1 0 1"><freejoint/>
      <geom type="capsule" fromto="0.1 0.2 0 -0.1 0.3 0.4" size="0.07" density="400"/></body>
    <body name="cylinder" pos="2 0 1"><freejoint/>
      <geom type="cylinder" fromto="0.1 0.2 0.3 -0.4 0.3 0.4" size="0.05" mass="0.7"/></body>
    <body name="ellipsoid" pos="3 0 1"><freejoint/>
      <geom type="ellipsoid" size="0.1 0.2 0.05" axisangle="1 2 3 0.7"/></body>
    <body name="box" pos="4 0 1"><freejoint/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.1 0.2 0.3" zaxis="1 1 0.5"/></body>
    <body name="fromto_box" pos="5 0 1"><freejoint/>
      <geom type="box" fromto="0 0 0 0.1 -0.3 0.2" size="0.05"/>
      <geom type="ellipsoid" fromto="0 0 0 0.3 0.1 -0.2" size="0.04"/></body>
    <body name="compound" pos="6 0 1"><freejoint/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.1 0.2 0.3" xyaxes="1 0.2 0 -0.1 1 0.3"/>
      <geom type="sphere" size="0.1" pos="-0.2 0 0.1" density="3000"/>
      <geom type="capsule" size="0.03 0.2" euler="0.3 -0.4 0.9" mass="0.4"/></body>
    <body name="shells" pos="7 0 1"><freejoint/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.1 0.2 0.3" shellinertia="true"/>
      <geom type="sphere" size="0.1" pos="-0.2 0 0.1" shellinertia="true"/>
      <geom type="capsule" size="0.03 0.2" euler="0.3 -0.4 0.9" shellinertia="true"/>
      <geom type="cylinder" size="0.03 0.2" euler="0.1 0.4 0.9" shellinertia="true" mass="0.3"/></body>
    <body name="shell_ellipsoid" pos="8 0 1"><freejoint/>
      <geom type="ellipsoid" size="0.1 0.2 0.05" shellinertia="true"/></body>
  </worldbody>
</mujoco>
""")

_compile("inertial_forms", """
<mujoco>
  <compiler eulerseq="ZYX"/>
  <worldbody>
    <body name="full" pos="0 0 1"><freejoint/>
      <inertial pos="0.1 0.2 0.3" mass="2" fullinertia="0.05 0.06 0.04 0.004 -0.003 0.006"/></body>
    <body name="full_almost_diagonal" pos="1 0 1"><freejoint/>
      <inertial pos="0 0 0" mass="2" fullinertia="0.04 0.05 0.06 1e-13 0 0"/></body>
    <body name="diagonal_quat" pos="2 0 1"><freejoint/>
      <inertial pos="0.1 0 0" quat="2 1 0.5 -0.3" mass="1" diaginertia="0.03 0.05 0.04"/></body>
    <body name="diagonal_euler" pos="3 0 1"><freejoint/>
      <inertial pos="0.1 0 0" euler="10 20 30" mass="1" diaginertia="0.03 0.05 0.04"/></body>
    <body name="diagonal_axisangle" pos="4 0 1"><freejoint/>
      <inertial pos="0.1 0 0" axisangle="1 -1 2 50" mass="1" diaginertia="0.03 0.05 0.04"/></body>
    <body name="diagonal_xyaxes" pos="5 0 1"><freejoint/>
      <inertial pos="0.1 0 0" xyaxes="0.6 0.8 0.1 -0.8 0.6 0.2" mass="1" diaginertia="0.03 0.05 0.04"/></body>
    <body name="diagonal_zaxis" pos="6 0 1"><freejoint/>
      <inertial pos="0.1 0 0" zaxis="0 0 -1" mass="1" diaginertia="0.03 0.05 0.04"/>
      <geom size="0.1"/></body>
    <body name="oriented" pos="7 0 1" euler="30 40 50">
      <joint axis="1 2 3" ref="20" range="-30 40" springref="5"/>
      <geom type="box" size="0.1 0.2 0.3" euler="30 40 50"/></body>
  </worldbody>
</mujoco>
""")

_BODIES = """
    <body name="a" pos="0 0 1">
      <freejoint/>
      <geom type="box" size="0.1 0.2 0.3" group="0"/>
      <geom type="sphere" size="0.2" pos="0.3 0 0" group="2"/>
      <body name="b" pos="0.5 0 0">
        <joint axis="0 1 0"/>
        <inertial pos="0 0 0.1" mass="0.2" diaginertia="0.001 0.001 0.001"/>
        <geom type="capsule" size="0.05 0.2" group="1"/>
        <body name="c" pos="0 0.3 0" euler="0 0.4 0">
          <joint type="slide" axis="1 0 1"/>
          <geom type="cylinder" size="0.05 0.1" group="1"/>
        </body>
      </body>
    </body>
"""

for _name, _options in {
    "settotalmass": 'settotalmass="12.5"',
    "bounds": 'boundmass="0.9" boundinertia="0.01"',
    "inertia_from_geom": 'inertiafromgeom="true"',
    "inertia_group_range": 'inertiafromgeom="true" inertiagrouprange="1 2"',
    "radians": 'angle="radian"',
}.items():
    _compile(_name, f"<mujoco><compiler {_options}/><worldbody>{_BODIES}</worldbody></mujoco>")

_compile("balance_inertia", """
<mujoco>
  <compiler balanceinertia="true"/>
  <worldbody>
    <body pos="0 0 1"><freejoint/><inertial pos="0 0 0" mass="1" diaginertia="0.01 0.02 0.09"/></body>
  </worldbody>
</mujoco>
""")

_compile("align_free", """
<mujoco>
  <compiler alignfree="true"/>
  <worldbody>
    <body name="aligned" pos="0 0 1" euler="10 20 30">
      <freejoint/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.1 0.2 0.3" euler="20 40 10"/>
      <geom type="sphere" size="0.1" pos="-0.2 0 0.1"/>
      <site name="tip" pos="0.3 0 0"/>
    </body>
    <body name="kept" pos="1 0 1">
      <freejoint align="false"/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.1 0.2 0.3"/>
    </body>
    <body name="with_child" pos="2 0 1">
      <freejoint align="true"/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.1 0.2 0.3"/>
      <body pos="0.2 0 0"><joint/><geom size="0.1"/></body>
    </body>
  </worldbody>
</mujoco>
""")

_compile("fuse_static", """
<mujoco>
  <compiler fusestatic="true"/>
  <worldbody>
    <body name="shelf" pos="0 0 1" euler="0 0 30">
      <geom type="box" size="0.1 0.2 0.05"/>
      <body name="arm" pos="0.1 0.2 0.3" euler="10 0 0">
        <joint axis="0 1 0"/>
        <geom type="capsule" size="0.05 0.2"/>
        <body name="tool" pos="0.1 0 0.2" euler="0 50 0">
          <geom type="box" size="0.05 0.02 0.05"/>
          <site name="tip" pos="0.05 0 0"/>
          <body name="finger" pos="0.05 0 0" quat="0.8 0 0.6 0">
            <joint type="slide" axis="1 0 0"/>
            <geom size="0.02"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
""")

_compile("defaults_and_frames", """
<mujoco>
  <compiler autolimits="true"/>
  <default>
    <geom density="500" friction="0.7"/>
    <joint damping="0.1" range="-40 40"/>
    <motor ctrlrange="-1 1"/>
    <default class="heavy">
      <geom density="2000" type="box" size="0.05 0.06 0.07" solref="0.01 0.8"/>
      <joint armature="0.05" axis="1 0 0"/>
      <default class="heavier"><geom density="4000" rgba="1 0 0 1" condim="4"/>
        <joint stiffness="3" solimplimit="0.8 0.9 0.01"/>
        <position kp="30" ctrlrange="-2 2"/></default>
    </default>
    <default class="light"><geom density="100" contype="2" conaffinity="4" margin="0.01" gap="0.002"/></default>
  </default>
  <worldbody>
    <frame name="offset" pos="0.1 0.2 0.3" euler="10 20 30" childclass="heavy">
      <body name="a" pos="0 0 1">
        <joint name="a"/>
        <geom/>
        <frame pos="0.2 0 0" quat="0.9 0 0.1 0">
          <geom class="light" type="sphere" size="0.1"/>
          <frame euler="0 0 45">
            <geom class="heavier"/>
            <site name="mark" pos="0.1 0 0"/>
            <body name="b" childclass="heavier">
              <joint name="b" limited="false"/>
              <geom/>
              <body name="c" pos="0.3 0 0">
                <joint name="c" class="heavy" type="slide" range="-0.1 0.2"/>
                <geom class="main" size="0.1"/>
              </body>
            </body>
          </frame>
        </frame>
      </body>
    </frame>
  </worldbody>
  <actuator>
    <motor joint="a"/>
    <position joint="b" class="heavier"/>
    <position joint="c" kp="5" kv="0.4"/>
    <motor joint="c" ctrllimited="false"/>
    <velocity joint="a" kv="2" ctrlrange="-3 3" forcerange="-4 5"/>
    <intvelocity joint="c" kp="3" actrange="-0.4 0.5"/>
    <cylinder joint="a" diameter="0.3" timeconst="0.2" bias="1 2 3"/>
    <damper joint="b" kv="0.3" ctrlrange="0 2"/>
    <position joint="a" kp="40" dampratio="0.7" timeconst="0.1"/>
  </actuator>
  <keyframe>
    <key name="home" qpos="0.1 0.2 0.05" qvel="1 2 3" ctrl="0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9"/>
    <key time="2" act="0.01 0.2 0.1"/>
  </keyframe>
</mujoco>
""")

_compile("inherited_ranges", f"""
<mujoco>
  <compiler angle="radian"/>
  <default><joint range="-0.5 0.9"/></default>
  <worldbody>{_ARM}</worldbody>
  <actuator>
    <position joint="j0" kp="5" inheritrange="1"/>
    <position joint="j1" kp="5" inheritrange="0.8"/>
    <intvelocity joint="j2" kp="3" inheritrange="1.1"/>
  </actuator>
</mujoco>
""")

_compile("included_file", """
<mujoco>
  <compiler angle="degree"/>
  <include file="defaults.xml"/>
  <worldbody>
    <body pos="0 0 1"><joint class="stiff" axis="0 1 0"/><geom class="stiff" size="0.1"/>
      <include file="child.xml"/></body>
  </worldbody>
</mujoco>
""", defaults_dot_xml=b"""<mujoco><compiler angle="radian"/>
<default><default class="stiff"><joint stiffness="7" springref="0.3"/><geom density="123"/></default></default>
</mujoco>
""", child_dot_xml=b"""<mujocoinclude><body pos="0.3 0 0" euler="0.1 0.2 0.3"><joint class="stiff" type="ball"/>
<geom type="box" size="0.1 0.2 0.3"/></body></mujocoinclude>
""")

_TETRAHEDRON = b"""# a tetrahedron and a texture seam
v 0 0 0
v 0.3 0 0
v 0 0.2 0
v 0.05 0.02 0.4
vn 0 0 1
vt 0 0
f 1/1/1 3/1/1 2/1/1
f 1//1 2//1 4//1
f 2 3 4
f -4 -1 -2
"""

_L_SHAPE = b"""v 0 0 0
v 2 0 0
v 2 1 0
v 1 1 0
v 1 2 0
v 0 2 0
v 0 0 1
v 2 0 1
v 2 1 1
v 1 1 1
v 1 2 1
v 0 2 1
f 1 4 3 2
f 1 6 5 4
f 7 8 9 10
f 7 10 11 12
f 1 2 8 7
f 2 3 9 8
f 3 4 10 9
f 4 5 11 10
f 5 6 12 11
f 6 1 7 12
"""


def _stl(triangles):
    import struct
    data = b"\0" * 80 + struct.pack("<I", len(triangles))
    for t in triangles:
        data += struct.pack("<12fH", 0, 0, 0, *[x for p in t for x in p], 0)
    return data


_P = ((0, 0, 0), (0.2, 0, 0), (0.02, 0.3, 0), (0.01, 0.05, 0.25), (0.15, 0.2, 0.2))
_STL = _stl([(_P[a], _P[b], _P[c]) for a, b, c in
             ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 4, 3), (3, 4, 2), (1, 2, 4))])

_compile("meshes", """
<mujoco>
  <compiler meshdir="assets"/>
  <asset>
    <mesh name="tetra" file="tetra.obj"/>
    <mesh name="scaled" file="tetra.obj" scale="1 -2 0.5" refpos="0.1 0 0" refquat="0.9 0.1 0.2 0.3"/>
    <mesh name="l_exact" file="l.obj" scale="0.1 0.1 0.1" inertia="exact"/>
    <mesh name="l_hull" file="l.obj" scale="0.1 0.1 0.1" inertia="convex"/>
    <mesh name="l_shell" file="l.obj" scale="0.1 0.1 0.1" inertia="shell"/>
    <mesh name="binary" file="binary.stl"/>
    <mesh name="points" vertex="0 0 0  0.3 0 0  0 0.2 0  0 0 0.1  0.2 0.2 0.2"/>
  </asset>
  <worldbody>
    <body name="a" pos="0 0 1"><freejoint/><geom type="mesh" mesh="tetra"/></body>
    <body name="b" pos="1 0 1"><freejoint/><geom type="mesh" mesh="scaled" pos="0.1 0 0.2" euler="10 20 30"/>
    </body>
    <body name="c" pos="2 0 1"><freejoint/><geom type="mesh" mesh="l_exact" mass="0.4"/></body>
    <body name="d" pos="3 0 1"><freejoint/><geom type="mesh" mesh="l_hull"/></body>
    <body name="e" pos="4 0 1"><freejoint/><geom type="mesh" mesh="l_shell"/></body>
    <body name="f" pos="5 0 1"><freejoint/><geom type="mesh" mesh="binary"/><geom size="0.1"/></body>
    <body name="g" pos="6 0 1"><freejoint/><geom type="mesh" mesh="points"/></body>
  </worldbody>
</mujoco>
""", assets__tetra_dot_obj=_TETRAHEDRON, assets__l_dot_obj=_L_SHAPE, assets__binary_dot_stl=_STL)

_compile("constraints", """
<mujoco>
  <worldbody>
    <body name="a" pos="0 0 1"><joint name="a" range="-40 40" solreflimit="0.03 0.9" margin="0.1"
        frictionloss="0.2" solreffriction="0.01 1" solimpfriction="0.8 0.9 0.01 0.4 3"/>
      <geom name="ga" size="0.1"/></body>
    <body name="b" pos="1 0 1"><joint name="b" type="ball" range="0 60" limited="true"/>
      <geom name="gb" type="box" size="0.1 0.1 0.1" priority="2" solmix="3"/></body>
    <body name="c" pos="2 0 1"><freejoint/><geom name="gc" type="capsule" size="0.1 0.1"/></body>
    <body name="d" pos="2 1 1"><joint name="d" type="slide" axis="1 0 0"/><geom size="0.1"/></body>
  </worldbody>
  <contact>
    <pair geom1="ga" geom2="gb" condim="4" friction="0.5 0.6 0.01 0.02 0.03" margin="0.01" gap="0.005"/>
    <pair geom1="gc" geom2="ga"/>
    <exclude body1="a" body2="c"/>
  </contact>
  <equality>
    <connect body1="a" body2="c" anchor="0.1 0.2 0.3"/>
    <weld body1="c" body2="b" torquescale="0.5" solref="0.03 1.1"/>
    <joint joint1="a" joint2="d" polycoef="0.1 2 0.3 0 0" active="false"/>
    <joint joint1="d"/>
  </equality>
  <tendon>
    <fixed name="t" limited="true" range="-0.5 0.7" stiffness="2" damping="0.1" frictionloss="0.05">
      <joint joint="a" coef="0.5"/><joint joint="d" coef="-1"/></fixed>
  </tendon>
</mujoco>
""")
