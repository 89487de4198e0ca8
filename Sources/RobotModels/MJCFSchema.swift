/// Which elements and attributes an MJCF file may hold, and where: the grammar of MuJoCo 3.12.
///
/// Checked before anything is read, so that a misspelt name is an error instead of a default that is used
/// silently.
enum MJCFSchema {
  struct Rule: Sendable {
    var attributes: Set<String>
    /// Names of the elements inside, each with the rule it follows; nil where anything may stand inside
    /// (content that is refused or skipped as a whole).
    var children: [String: String]?
    /// Elements that may stand inside at most once.
    var single: Set<String>
  }

  /// Checks an element and everything below it.
  ///
  /// - Throws: ``ModelError`` at the first element or attribute that MJCF does not have there, naming the
  ///   nearest valid one.
  static func check(_ element: XMLTreeElement, rule name: String = "mujoco") throws {
    guard let rule = rules[name] else { return }
    for attribute in element.attributes where !rule.attributes.contains(attribute.name) {
      throw element.error(
        at: attribute.name,
        "<\(element.name)> has no attribute '\(attribute.name.clippedForMessage)'"
          + suggestion(for: attribute.name, in: rule.attributes))
    }
    guard let children = rule.children else { return }
    var seen: Set<String> = []
    for child in element.children {
      guard let childRule = children[child.name] else {
        throw child.error(
          "<\(child.name.clippedForMessage)> cannot stand inside <\(element.name)>"
            + suggestion(for: child.name, in: children.keys))
      }
      if rule.single.contains(child.name), !seen.insert(child.name).inserted {
        throw child.error(
          "a second <\(child.name)> inside <\(element.name)>; at most one is allowed, merge them")
      }
      try check(child, rule: childRule)
    }
  }

  /// `; did you mean 'x'?` or the list of what is valid.
  static func suggestion(for name: String, in candidates: some Sequence<String>) -> String {
    let sorted = candidates.sorted()
    if let nearest = name.nearest(in: sorted) { return "; did you mean '\(nearest)'?" }
    if sorted.isEmpty { return "; nothing may stand there" }
    return "; valid are: \(sorted.joined(separator: ", "))"
  }

  /// Every rule by name.
  static let rules: [String: Rule] = {
    var rules: [String: Rule] = [:]
    for line in grammar.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      let halves = parts[1].split(separator: "|", omittingEmptySubsequences: false)
      var attributes: Set<String> = []
      for word in halves[0].split(separator: " ") {
        if word.hasPrefix("$") {
          attributes.formUnion(groups[String(word.dropFirst()), default: []])
        } else {
          attributes.insert(String(word))
        }
      }
      var children: [String: String]? = [:]
      var single: Set<String> = []
      if halves.count > 1 {
        for word in halves[1].split(separator: " ") {
          if word == "*" {
            children = nil
            break
          }
          let names = word.split(separator: "=").map(String.init)
          let name = names[0].hasSuffix("?") ? String(names[0].dropLast()) : names[0]
          children?[name] = names.count > 1 ? names[1] : name
          if names[0].hasSuffix("?") { single.insert(name) }
        }
      }
      rules[String(parts[0])] = Rule(attributes: attributes, children: children, single: single)
    }
    let sensors = rules.keys.filter { $0.hasPrefix("sensor/") }
    rules["sensor"]?.children = Dictionary(
      uniqueKeysWithValues: sensors.map { (String($0.dropFirst("sensor/".count)), $0) })
    return rules
  }()

  private static func words(_ text: String) -> Set<String> {
    Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
  }

  /// Sets of attributes that several elements share.
  private static let groups: [String: Set<String>] = [
    "orientation": words("quat axisangle xyaxes zaxis euler"),
    "joint": words(
      """
      type group pos axis springdamper limited actuatorfrclimited solreflimit solimplimit solreffriction
      solimpfriction stiffness range actuatorfrcrange actuatorgravcomp margin ref springref armature damping
      frictionloss user
      """),
    "geom": words(
      """
      type contype conaffinity condim group priority size material friction mass density shellinertia solmix
      solref solimp margin gap surfacevel adhesion fromto pos quat axisangle xyaxes zaxis euler hfield mesh
      fitscale rgba fluidshape fluidcoef user
      """),
    "site": words("type group pos quat axisangle xyaxes zaxis euler material size fromto rgba user"),
    "camera": words(
      """
      projection fovy ipd resolution output pos quat axisangle xyaxes zaxis euler mode focal focalpixel
      principal principalpixel sensorsize user
      """),
    "light": words(
      """
      directional type castshadow active pos dir bulbradius intensity range attenuation cutoff softness
      exponent ambient diffuse specular mode
      """),
    "pair": words("condim friction solref solreffriction solimp gap margin adhesion"),
    "tendon": words(
      """
      group limited range solreflimit solimplimit solreffriction solimpfriction frictionloss springlength
      margin stiffness damping user
      """),
    "material": words(
      "texture texrepeat texuniform emission specular shininess reflectance metallic roughness rgba"),
    "actuator": words("group nsample interp delay ctrlrange user forcelimited forcerange"),
    "drive": words("gear damping armature cranklength"),
    "target": words(
      "name class lengthrange joint jointinparent tendon slidersite cranksite site refsite"),
    "general": words(
      """
      ctrllimited actlimited actrange actdim input velrange ffrange dyntype gaintype biastype dynprm gainprm
      biasprm actearly
      """),
    "pid": words("ctrllimited posrange velrange ffrange inheritrange kp kv dampratio ki imax slewmax input"),
    "muscle": words("ctrllimited timeconst range force scale lmin lmax vmax fpmax fvmax"),
    "dcmotor": words(
      """
      group nsample interp delay ctrlrange user ctrllimited motorconst resistance nominal saturation inductance
      cogging controller thermal lugre input
      """),
    "sensor": words("name nsample interp delay interval cutoff noise user"),
    "reference": words("objtype objname reftype refname"),
    "pairing": words("geom1 geom2 body1 body2"),
    "equality": words("name class active solref solimp"),
  ]

  /// One rule a line: `rule: attributes | children` (those of `sensor` are the rules that start so). `$x` is a group of attributes; `child=rule` names a rule
  /// that is not called like the element; `?` marks a child that may stand there once; `*` skips the content.
  private static let grammar = """
    mujoco: model | compiler option size statistic visual default extension custom asset worldbody contact \
    deformable equality tendon actuator sensor keyframe
    compiler: autolimits boundmass boundinertia settotalmass balanceinertia strippath coordinate angle fitaabb \
    eulerseq meshdir texturedir discardvisual usethread fusestatic inertiafromgeom inertiagrouprange \
    saveinertial assetdir alignfree conflict | lengthrange?
    lengthrange: mode useexisting uselimit accel maxforce timeconst timestep inttotal interval tolrange
    option: timestep impratio tolerance ls_tolerance noslip_tolerance ccd_tolerance sleep_tolerance gravity \
    wind magnetic density viscosity o_margin o_solref o_solimp o_friction integrator cone jacobian solver \
    iterations ls_iterations noslip_iterations ccd_iterations sdf_iterations sdf_initpoints \
    actuatorgroupdisable | flag?
    flag: constraint equality frictionloss limit contact spring damper gravity clampctrl warmstart filterparent \
    actuation refsafe sensor midphase eulerdamp autoreset nativeccd island multiccd override energy fwdinv \
    invdiscrete sleep diagexact
    size: memory njmax nconmax nstack nuserdata nkey nuser_body nuser_jnt nuser_geom nuser_site nuser_cam \
    nuser_tendon nuser_actuator nuser_sensor
    statistic: meaninertia meanmass meansize extent center
    visual: | global? quality? headlight? map? scale? rgba?
    global: cameraid orthographic fovy ipd azimuth elevation linewidth glow offwidth offheight realtime \
    ellipsoidinertia bvactive
    quality: shadowsize offsamples numslices numstacks numquads
    headlight: ambient diffuse specular active
    map: stiffness stiffnessrot force torque alpha fogstart fogend znear zfar haze shadowclip shadowscale \
    actuatortendon
    scale: forcewidth contactwidth contactheight connect com camera light selectpoint jointlength jointwidth \
    actuatorlength actuatorwidth framelength framewidth constraint slidercrank frustum
    rgba: fog haze force inertia joint actuator actuatornegative actuatorpositive com camera light selectpoint \
    connect contactpoint contactforce contactfriction contacttorque contactgap rangefinder constraint \
    slidercrank crankbroken frustum bv bvactive
    default: class | default mesh?=default/mesh material?=default/material joint?=default/joint \
    geom?=default/geom site?=default/site camera?=default/camera light?=default/light pair?=default/pair \
    equality?=default/equality tendon?=default/tendon general?=default/general motor?=default/motor \
    position?=default/position velocity?=default/velocity intvelocity?=default/intvelocity \
    orientation?=default/orientation pid?=default/pid damper?=default/damper cylinder?=default/cylinder \
    muscle?=default/muscle adhesion?=default/adhesion dcmotor?=default/dcmotor
    default/mesh: scale maxhullvert inertia
    default/material: $material | layer
    default/joint: $joint
    default/geom: $geom
    default/site: $site
    default/camera: $camera
    default/light: $light
    default/pair: $pair
    default/equality: active solref solimp
    default/tendon: $tendon width material rgba
    default/general: $actuator $drive $general
    default/motor: $actuator $drive ctrllimited
    default/position: $actuator $drive ctrllimited inheritrange kp kv dampratio timeconst
    default/velocity: $actuator $drive ctrllimited kv
    default/intvelocity: $actuator $drive ctrllimited actlimited actrange inheritrange kp kv dampratio
    default/orientation: $actuator kp kv dampratio input
    default/pid: $actuator $drive $pid
    default/damper: $actuator $drive kv
    default/cylinder: $actuator $drive ctrllimited timeconst area diameter bias
    default/muscle: $actuator $drive $muscle
    default/adhesion: $actuator gain
    default/dcmotor: $drive $dcmotor
    extension: | plugin=skipped
    skipped: plugin instance | *
    custom: | numeric text tuple
    numeric: name size data
    text: name data
    tuple: name | element
    element: objtype objname prm
    asset: | mesh hfield skin texture material model
    mesh: name class content_type file vertex normal texcoord face refpos refquat scale smoothnormal \
    maxhullvert inertia builtin params material | plugin=skipped
    hfield: name content_type file nrow ncol size elevation
    skin: name file material rgba inflate vertex texcoord face group | bone
    bone: body bindpos bindquat vertid vertweight
    texture: name type colorspace content_type file gridsize gridlayout fileright fileleft fileup filedown \
    filefront fileback builtin rgb1 rgb2 mark markrgb random width height hflip vflip nchannel
    material: name class $material | layer
    layer: texture role
    model: name file content_type
    worldbody: | body frame replicate inertial? joint freejoint geom attach site camera light plugin=skipped \
    composite flexcomp
    body: name childclass pos $orientation mocap gravcomp sleep simple user | body frame replicate inertial? \
    joint freejoint geom attach site camera light plugin=skipped composite flexcomp
    frame: name childclass pos $orientation | body frame replicate inertial? joint freejoint geom attach site \
    camera light plugin=skipped composite flexcomp
    replicate: count offset euler sep childclass | body frame replicate inertial? joint freejoint geom attach \
    site camera light plugin=skipped composite flexcomp
    inertial: pos mass diaginertia $orientation fullinertia
    joint: name class $joint
    freejoint: name group align
    geom: name class $geom | plugin=skipped
    attach: model body frame prefix
    site: name class $site
    camera: name class target $camera
    light: name class target texture $light
    composite: prefix type count offset vertex initial curve size quat | *
    flexcomp: name type group dim dof count cellcount spacing radius rigid mass inertiabox scale file point \
    element texcoord material rgba flatskin pos $orientation origin | *
    deformable: | *
    contact: | pair exclude
    pair: name class geom1 geom2 $pair
    exclude: name body1 body2
    tendon: | spatial fixed
    spatial: name class $tendon actuatorfrclimited actuatorfrcrange width material armature rgba | \
    site=spatial/site geom=spatial/geom pulley
    spatial/site: site
    spatial/geom: geom sidesite
    pulley: divisor
    fixed: name class $tendon actuatorfrclimited actuatorfrcrange armature | joint=fixed/joint
    fixed/joint: joint coef
    equality: | connect weld joint=equality/joint tendon=equality/tendon flex=equality/flex \
    flexvert=equality/flex flexstrain=equality/flex
    connect: $equality body1 body2 anchor site1 site2
    weld: $equality body1 body2 relpose anchor site1 site2 torquescale
    equality/joint: $equality joint1 joint2 polycoef
    equality/tendon: $equality tendon1 tendon2 polycoef
    equality/flex: $equality flex cell
    actuator: | general motor position velocity intvelocity orientation pid damper cylinder muscle adhesion \
    dcmotor plugin=actuator/plugin
    general: $actuator $drive $target $general body
    motor: $actuator $drive $target ctrllimited
    position: $actuator $drive $target ctrllimited inheritrange kp kv dampratio timeconst
    velocity: $actuator $drive $target ctrllimited kv
    intvelocity: $actuator $drive $target ctrllimited actlimited actrange inheritrange kp kv dampratio
    orientation: $actuator name class joint site refsite kp kv dampratio input
    pid: $actuator $drive $target $pid
    damper: $actuator $drive $target kv
    cylinder: $actuator $drive $target ctrllimited timeconst area diameter bias
    muscle: $actuator $drive name class lengthrange joint jointinparent tendon slidersite cranksite $muscle \
    tausmooth
    adhesion: $actuator name class body gain
    dcmotor: $drive $target $dcmotor
    actuator/plugin: $actuator $drive $target plugin instance ctrllimited actlimited actrange actdim dyntype \
    dynprm actearly | *
    sensor: |
    sensor/touch: $sensor site
    sensor/accelerometer: $sensor site
    sensor/velocimeter: $sensor site
    sensor/gyro: $sensor site
    sensor/force: $sensor site
    sensor/torque: $sensor site
    sensor/magnetometer: $sensor site
    sensor/camprojection: $sensor site camera
    sensor/rangefinder: $sensor site camera data
    sensor/jointpos: $sensor joint
    sensor/jointvel: $sensor joint
    sensor/tendonpos: $sensor tendon
    sensor/tendonvel: $sensor tendon
    sensor/actuatorpos: $sensor actuator
    sensor/actuatorvel: $sensor actuator
    sensor/actuatorfrc: $sensor actuator
    sensor/jointactuatorfrc: $sensor joint
    sensor/tendonactuatorfrc: $sensor tendon
    sensor/ballquat: $sensor joint
    sensor/ballangvel: $sensor joint
    sensor/jointlimitpos: $sensor joint
    sensor/jointlimitvel: $sensor joint
    sensor/jointlimitfrc: $sensor joint
    sensor/tendonlimitpos: $sensor tendon
    sensor/tendonlimitvel: $sensor tendon
    sensor/tendonlimitfrc: $sensor tendon
    sensor/framepos: $sensor $reference
    sensor/framequat: $sensor $reference
    sensor/framexaxis: $sensor $reference
    sensor/frameyaxis: $sensor $reference
    sensor/framezaxis: $sensor $reference
    sensor/framelinvel: $sensor $reference
    sensor/frameangvel: $sensor $reference
    sensor/framelinacc: $sensor objtype objname
    sensor/frameangacc: $sensor objtype objname
    sensor/subtreecom: $sensor body
    sensor/subtreelinvel: $sensor body
    sensor/subtreeangmom: $sensor body
    sensor/insidesite: $sensor site objtype objname
    sensor/distance: $sensor $pairing
    sensor/normal: $sensor $pairing
    sensor/fromto: $sensor $pairing
    sensor/contact: $sensor $pairing subtree1 subtree2 site num data reduce
    sensor/e_potential: $sensor
    sensor/e_kinetic: $sensor
    sensor/clock: $sensor
    sensor/tactile: name geom mesh nsample interp delay interval user
    sensor/user: name objtype objname datatype needstage dim cutoff noise user
    sensor/plugin: name plugin instance cutoff objtype objname reftype refname user | *
    keyframe: | key
    key: name time qpos qvel act mpos mquat ctrl
    """
}
