"""Small models, each with one part of MuJoCo's constraint model."""

CHAIN = """
    <body name="a" pos="0 0 1"><joint name="j1" axis="0 1 0" pos="0 0 0.02" damping="0.1"{j1}/>
      <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.05" contype="0" conaffinity="0"/><site name="s1" pos="0.1 0 0.02"/>
      <body name="b" pos="0.4 0 0" euler="10 20 30"><joint name="j2" axis="0 1 0.3"{j2}/><joint name="j3" type="slide" axis="1 0 0"{j3}/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0.1" size="0.04" contype="0" conaffinity="0"/>
        <body name="c" pos="0.3 0 0.1"><joint name="j4" type="ball"{j4}/>
          <geom type="box" size="0.1 0.05 0.02" pos="0.08 0 0" contype="0" conaffinity="0"/><site name="s2" pos="0.05 0.02 0" euler="20 0 40"/>
          <body name="welded" pos="0.1 0.02 0.01" euler="5 6 7"><geom size="0.03" contype="0" conaffinity="0"/></body></body></body></body>
    <body name="d" pos="0.2 0.5 1"><joint name="j5" axis="1 0 0" ref="0.3"/><joint name="j6" axis="0 0 1"/>
      <geom type="capsule" fromto="0 0 0 0.2 0.1 0" size="0.03" contype="0" conaffinity="0"/></body>
    <body name="e" pos="-0.3 0 1"><freejoint/><geom type="box" size="0.1 0.08 0.05" contype="0" conaffinity="0"/></body>"""


def chain(extra="", option="", j1="", j2="", j3="", j4=""):
    bodies = CHAIN.format(j1=j1, j2=j2, j3=j3, j4=j4)
    return (f'<mujoco><option timestep="0.004"{option}/><worldbody><site name="s0" pos="0 0 0.9" euler="0 10 0"/>{bodies}'
            f'</worldbody>{extra}</mujoco>')


LIMITS = {
    "j1": ' range="-20 10" margin="3" solreflimit="0.01 0.7" solimplimit="0.8 0.95 0.1 0.3 3"',
    "j2": ' range="-10 5" solreflimit="-300 -20" solimplimit="0.7 0.9 0.3 0.6 1"',
    "j3": ' range="-0.05 0.02" margin="0.3" solimplimit="0.9 0.9 0.001 0.5 2"',
    "j4": ' range="0 20" margin="2" solimplimit="0.5 0.99 1 0.5 2"',
}
TENDONS = """<tendon>
    <fixed name="t1" range="-0.1 0.1" margin="0.05" frictionloss="0.4" solreflimit="0.03 1.2" solimplimit="0.8 0.9 0.5 0.4 2.5"
      solreffriction="0.05 1" solimpfriction="0.6 0.9 0.1 0.5 2"><joint joint="j1" coef="1.5"/><joint joint="j2" coef="-0.7"/>
      <joint joint="j5" coef="0.3"/></fixed>
    <fixed name="t2" range="0.2 0.5"><joint joint="j3" coef="2"/><joint joint="j6" coef="1"/></fixed></tendon>"""
EQUALITIES = """<equality>
    <connect name="c1" body1="b" body2="d" anchor="0.1 0.02 0.03" solref="0.03 0.9" solimp="0.7 0.95 2 0.4 2"/>
    <connect site1="s1" site2="s2"/>
    <connect body1="c" anchor="0.1 0 0"/>
    <weld body1="e" body2="c" torquescale="0.7" solref="0.05 1" solimp="0.6 0.95 3 0.5 2"/>
    <weld body1="d" body2="welded" relpose="0.1 0.2 0.3 0.9 0.1 0.2 -0.3" anchor="0.02 0.01 0.03"/>
    <weld site1="s2" site2="s0" torquescale="2"/>
    <weld body1="e"/>
    <connect body1="e" body2="d" anchor="0 0 0" active="false"/>
    <joint joint1="j1" joint2="j5" polycoef="0.1 0.5 0.3 -0.2 0.4" solimp="0.8 0.95 0.5 0.5 2"/>
    <joint joint1="j3" polycoef="0.02"/>
    </equality>"""
TENDON_EQUALITIES = """<equality><tendon tendon1="t1" tendon2="t2" polycoef="0.05 0.7 0.2 0.1 -0.3"/>
    <tendon tendon1="t2" polycoef="0.3 0 0 0 0" solref="-200 -10"/></equality>"""

CONTACT_BODIES = """
    <geom name="floor" type="plane" size="5 5 1" margin="0.01" gap="0.005" friction="0.7 0.01 0.002" solmix="2"/>
    <body name="a" pos="0 0 0.09"><freejoint/><geom name="a1" size="0.1" priority="1" condim="4" friction="0.3 0.02 0.003"/>
      <geom name="a2" type="capsule" fromto="0.1 0 0 0.3 0 0.05" size="0.05" condim="1" solref="0.01 0.8"/></body>
    <body name="b" pos="0.15 0 0.1"><freejoint/><geom name="b1" type="box" size="0.1 0.1 0.1" condim="6"
      solref="-100 -5" margin="0.02" friction="0.9 0.03 0.01"/></body>
    <body name="c" pos="0.1 0.15 0.1"><freejoint/><geom name="c1" type="box" size="0.1 0.1 0.1" solmix="0"
      solimp="0.8 0.9 0.01 0.4 3"/>
      <body name="c_child" pos="0.1 0.1 0"><joint axis="0 0 1"/><geom name="c2" size="0.1"/>
        <body name="c_grandchild" pos="0.02 0 0"><joint axis="0 1 0"/><geom name="c3" size="0.1" solmix="0"/>
        </body></body></body>
    <body name="arm" pos="0 -0.3 0.3"><joint axis="1 0 0" frictionloss="0.2"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 -0.2" size="0.06"/>
      <body pos="0.3 0 -0.2"><joint axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0.3 0.1 0" size="0.06"/>
      <body pos="0.3 0.1 0"><joint axis="0 0 1" range="-20 20"/><geom type="capsule" fromto="0 0 0 -0.2 0.15 0.05" size="0.06"/>
      </body></body></body>"""
CONTACT_PAIRS = """<contact>
    <pair name="first" geom1="b1" geom2="a1" condim="3" friction="0.4 0.5 0.01 0.02 0.03" margin="0.03" gap="0.01"/>
    <pair geom1="a1" geom2="floor" condim="6" solreffriction="0.05 1.1" friction="0.5 0.6 0.02 0.03 0.04"/>
    <pair geom1="c3" geom2="floor" solreffriction="-50 -3"/>
    <exclude body1="b" body2="c"/></contact>"""


def contacts(option, extra=CONTACT_PAIRS):
    return f'<mujoco><option {option}/><worldbody>{CONTACT_BODIES}</worldbody>{extra}</mujoco>'


def pile():
    """So many pairs that geoms are swept; contacts of all dimensions."""
    bodies = []
    for i in range(30):
        x, y, z = (0.17 * (i % 4), 0.17 * (i // 4 % 4), 0.08 + 0.15 * (i // 16))
        geom = ['type="sphere" size="0.09" condim="4"', 'type="capsule" size="0.06 0.06" euler="30 50 0"',
                'type="box" size="0.08 0.07 0.09"', 'type="sphere" size="0.1" condim="6" priority="1"',
                'type="capsule" size="0.05 0.08" condim="1" priority="2" euler="0 80 0"'][i % 5]
        bodies.append(f'<body pos="{x:.3f} {y:.3f} {z:.3f}" euler="{7 * i} {11 * i} 0"><freejoint/><geom {geom}/></body>')
    return (f'<mujoco><option cone="elliptic"/><worldbody><geom type="plane" size="5 5 1"/>{"".join(bodies)}</worldbody>'
            '</mujoco>')


def flag(name):
    return chain(TENDONS + EQUALITIES + TENDON_EQUALITIES, j1=' frictionloss="0.3"' + LIMITS["j1"], j2=LIMITS["j2"]).replace(
        'timestep="0.004"/>', f'timestep="0.004"><flag {name}="disable"/></option>')


VARIANTS = {
    "variant_joint_limits": chain(**LIMITS),
    "variant_friction_loss": chain(
        j1=' frictionloss="0.3" solreffriction="0.05 0.8" solimpfriction="0.7 0.9 0.1 0.4 3"', j3=' frictionloss="1.5"',
        j4=' frictionloss="0.2" solreffriction="-10 -4"'),
    "variant_fixed_tendon_rows": chain(TENDONS),
    "variant_tendon_armature": chain(
        TENDONS.replace('name="t2"', 'name="t2" armature="0.3"').replace('"j6"', '"j1"')),
    "variant_equalities": chain(EQUALITIES),
    "variant_tendon_equalities": chain(TENDONS + TENDON_EQUALITIES),
    "variant_all_rows": chain(TENDONS + EQUALITIES + TENDON_EQUALITIES, **LIMITS),
    "variant_slow_references": chain(EQUALITIES + TENDONS, option=' integrator="implicitfast"', **LIMITS).replace("0.004", "0.05"),
    "variant_contacts_pyramidal": contacts('cone="pyramidal" impratio="3"'),
    "variant_contacts_elliptic": contacts('cone="elliptic" impratio="10"'),
    "variant_contacts_unnamed": contacts('cone="elliptic"', ""),
    "variant_contacts_sparse": contacts('cone="pyramidal" jacobian="sparse"'),
    "variant_pile": pile(),
    "variant_without_constraints": flag("constraint"),
    "variant_without_equalities": flag("equality"),
    "variant_without_friction_loss": flag("frictionloss"),
    "variant_without_limits": flag("limit"),
    "variant_without_reference_safety": flag("refsafe").replace("0.004", "0.05"),
}


TRANSMISSION_TENDONS = """<tendon>
    <fixed name="t1" range="-0.1 0.1" margin="0.05" frictionloss="0.1" stiffness="6" damping="0.5"><joint joint="j1" coef="1.5"/>
      <joint joint="j2" coef="-0.7"/><joint joint="j5" coef="0.3"/></fixed>
    <fixed name="t2" stiffness="20" springlength="-0.02 0.03" damping="0.4" armature="0.05"><joint joint="j3" coef="2"/>
      <joint joint="j1" coef="0.4"/></fixed></tendon>"""
TRANSMISSION_ACTUATORS = """<actuator>
    <position tendon="t1" kp="8" kv="0.6"/><general tendon="t2" gear="0.7" gaintype="affine" gainprm="3 0.4 -0.5" dyntype="filter"
      dynprm="0.05" actearly="true"/>
    <motor site="s2" gear="0.5 -0.3 0.8 0.05 0.1 -0.05"/><position site="s2" refsite="s1" kp="5" kv="0.4" gear="1 -0.5 0.3 0 0 0"/>
    <position site="s2" refsite="s0" kp="3" kv="0.3" gear="0.3 0.2 0.8 0.1 0 0.2"/></actuator>"""


def transmissions(integrator):
    """Tendons and sites that push an arm against its limits and the floor."""
    text = chain(TRANSMISSION_TENDONS + TRANSMISSION_ACTUATORS, option=f' integrator="{integrator}"', j1=' range="-20 10"',
                 j2=' frictionloss="0.05"', j3=' range="-0.05 0.02"')
    text = text.replace('size="0.03" contype="0" conaffinity="0"/></body>', 'size="0.03"/></body>', 1)
    return text.replace("<worldbody>", '<worldbody><geom type="plane" size="3 3 1" pos="0 0 0.75"/>')


SPATIAL_TENDONS = """<tendon>
    <spatial name="t1" range="0 0.75" margin="0.02" frictionloss="0.15" stiffness="6" damping="0.3"><site site="s1"/><site site="s2"/>
      <site site="s0"/></spatial>
    <spatial name="t2" range="0.9 1.4" solreflimit="0.03 1.2" solimplimit="0.8 0.95 0.2 0.4 2.5"><site site="s0"/><site site="s2"/>
      <pulley divisor="2"/><site site="s2"/><site site="s1"/></spatial>
    <spatial name="t3" frictionloss="0.3"><site site="s1"/><site site="s0"/></spatial></tendon>"""
SPATIAL_ACTUATORS = '<actuator><position tendon="t1" kp="8" kv="0.6"/><motor tendon="t2" gear="0.7"/></actuator>'


def spatial_tendons(integrator):
    return chain(SPATIAL_TENDONS + SPATIAL_ACTUATORS, option=f' integrator="{integrator}"', j1=' range="-20 10"')


# Of steps only.
STEPPED = {f"variant_{kind.__name__}_{name}": kind(name) for kind in (transmissions, spatial_tendons)
           for name in ("Euler", "implicitfast")}
