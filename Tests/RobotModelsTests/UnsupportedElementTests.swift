import Testing

@testable import RobotModels

/// What a model needs beyond smooth dynamics is listed, under the category that a caller names to go on without
/// it, and only where it would act.
@Suite struct UnsupportedElementTests {
  private static func categories(
    _ body: String, _ rest: String = "", options: String = ""
  ) throws -> [UnsupportedElement.Category] {
    let model = try Model(
      mjcf: """
        <mujoco>\(options)<default><geom contype="0" conaffinity="0"/></default><worldbody>
        \(body)</worldbody>\(rest)</mujoco>
        """)
    return model.unsupported.map(\.category)
  }

  private static let arm =
    "<body name=\"a\"><joint name=\"j\"/><site name=\"s\"/><geom name=\"g\" size=\".1\"/></body>"

  @Test func nothingIsListedForSmoothModels() throws {
    #expect(try Self.categories(Self.arm).isEmpty)
    #expect(try Self.categories(Self.arm, "<actuator><motor joint=\"j\"/></actuator>").isEmpty)
    #expect(
      try Self.categories(
        Self.arm, "<tendon><fixed name=\"t\"><joint joint=\"j\" coef=\"1\"/></fixed></tendon>"
      ).isEmpty)
  }

  @Test func constraintsAreSimulated() throws {
    for joint in ["<joint name=\"j\" range=\"0 1\"/>", "<joint name=\"j\" frictionloss=\"1\"/>"] {
      #expect(try Self.categories("<body>\(joint)<geom size=\".1\"/></body>").isEmpty)
    }
    for equality in [
      "<weld body1=\"a\"/>", "<connect body1=\"a\" anchor=\"0 0 0\"/>", "<joint joint1=\"j\"/>",
    ] {
      #expect(try Self.categories(Self.arm, "<equality>\(equality)</equality>").isEmpty)
    }
  }

  /// A tendon from a site to another, which may wrap around a geom between them.
  private static func spatial(_ attribute: String, wraps: Bool = true) -> String {
    "<tendon><spatial name=\"t\" \(attribute)><site site=\"s\"/>\(wraps ? "<geom geom=\"g\"/>" : "")<site site=\"w\"/>"
      + "</spatial></tendon>"
  }

  @Test(arguments: [
    ("range=\"0 1\"", [UnsupportedElement.Category.limit]), ("frictionloss=\"1\"", [.frictionLoss]), ("", []),
  ])
  func spatialTendons(attribute: String, categories: [UnsupportedElement.Category]) throws {
    let body = Self.arm + "<site name=\"w\"/>"
    #expect(try Self.categories(body, Self.spatial(attribute)) == categories)
    #expect(try Self.categories(body, Self.spatial(attribute, wraps: false)).isEmpty)
    let off = "<option><flag constraint=\"disable\"/></option>"
    #expect(try Self.categories(body, Self.spatial(attribute), options: off).isEmpty)
  }

  @Test func equalitiesOfSpatialTendonsWhereActive() throws {
    let body = Self.arm + "<site name=\"w\"/>"
    let rest = { (active: String) in
      Self.spatial("") + "<equality><tendon tendon1=\"t\" active=\"\(active)\"/></equality>"
    }
    #expect(try Self.categories(body, rest("true")) == [.equality])
    #expect(try Self.categories(body, rest("false")).isEmpty)
    let options = "<option><flag equality=\"disable\"/></option>"
    #expect(try Self.categories(body, rest("true"), options: options).isEmpty)
  }

  @Test(arguments: [
    ("stiffness=\"1\"", [UnsupportedElement.Category.tendon]), ("damping=\"1\"", [.tendon]),
    ("armature=\"1\"", [.tendon]), ("", []),
  ])
  func tendonsThatMatter(attribute: String, categories: [UnsupportedElement.Category]) throws {
    let body = Self.arm + "<site name=\"w\"/>"
    #expect(try Self.categories(body, Self.spatial(attribute)) == categories)
    // Along straight pieces all but armature is simulated.
    #expect(
      try Self.categories(body, Self.spatial(attribute, wraps: false))
        == (attribute.hasPrefix("armature") ? [.tendon] : []))
    let fixed = "<tendon><fixed \(attribute)><joint joint=\"j\" coef=\"1\"/></fixed></tendon>"
    #expect(try Self.categories(Self.arm, fixed).isEmpty)
  }

  /// Armature between branches has no place in the mass matrix; springs and dampers need none.
  @Test(arguments: [
    ("armature=\"1\"", [UnsupportedElement.Category.tendon]), ("stiffness=\"1\" damping=\"1\"", []),
    ("frictionloss=\"1\"", []), ("range=\"0 1\"", []),
  ])
  func tendonsBetweenBranches(attribute: String, categories: [UnsupportedElement.Category]) throws {
    let body =
      Self.arm + "<body><joint name=\"other\"/><geom size=\".1\" contype=\"0\" conaffinity=\"0\"/></body>"
    let tendon =
      "<tendon><fixed \(attribute)><joint joint=\"j\" coef=\"1\"/><joint joint=\"other\" coef=\"1\"/></fixed></tendon>"
    #expect(try Self.categories(body, tendon) == categories)
  }

  @Test(arguments: [
    "<motor tendon=\"w\"/>", "<motor cranksite=\"s\" slidersite=\"w\" cranklength=\"1\"/>",
    "<general body=\"a\" biastype=\"affine\" biasprm=\"0 0 -1\"/>",
    "<muscle joint=\"j\" lengthrange=\"0 1\"/>",
    "<general joint=\"j\" gaintype=\"user\"/>", "<general joint=\"j\" dyntype=\"user\" actdim=\"2\"/>",
  ])
  func actuators(element: String) throws {
    let rest = { (element: String) in
      "<tendon><spatial name=\"w\"><site site=\"s\"/><geom geom=\"g\"/><site site=\"w\"/></spatial>"
        + "<spatial name=\"line\"><site site=\"s\"/><site site=\"w\"/></spatial><fixed name=\"t\"><joint joint=\"j\" coef=\"1\"/></fixed></tendon><actuator>\(element)</actuator>"
    }
    let body = Self.arm + "<site name=\"w\"/>"
    #expect(try Self.categories(body, rest(element)) == [.actuation])
    for simulated in [
      "<motor tendon=\"t\"/>", "<motor tendon=\"line\"/>", "<motor site=\"s\"/>",
      "<motor site=\"s\" refsite=\"w\"/>", "<adhesion body=\"a\" ctrlrange=\"0 1\"/>",
    ] {
      #expect(try Self.categories(body, rest(simulated)).isEmpty)
    }
    let off = "<option><flag actuation=\"disable\"/></option>"
    #expect(try Self.categories(body, rest(element), options: off).isEmpty)
    let grouped = element.replacing("/>", with: " group=\"3\"/>")
    let groupOff = "<option actuatorgroupdisable=\"3\"/>"
    #expect(try Self.categories(body, rest(grouped), options: groupOff).isEmpty)
  }

  @Test func optionsAndFluid() throws {
    #expect(try Self.categories(Self.arm, options: "<option integrator=\"implicit\"/>") == [.other])
    let swimmer = "<body><joint/><geom size=\".1\" fluidshape=\"ellipsoid\"/></body>"
    #expect(try Self.categories(swimmer, options: "<option density=\"1000\"/>") == [.passive])
    #expect(try Self.categories(swimmer).isEmpty)
    let fixed = "<geom size=\".1\" fluidshape=\"ellipsoid\"/>" + Self.arm
    #expect(try Self.categories(fixed, options: "<option viscosity=\"1\"/>").isEmpty)
  }

  /// A floor and a sphere that are fixed, a base, and a link that hangs from the base: how many pairs can touch.
  @Test(arguments: [
    (floor: "1 1", base: "1 1", link: "1 1", exclude: "", filter: "enable", count: 4),
    (floor: "1 1", base: "1 1", link: "1 1", exclude: "", filter: "disable", count: 5),
    (floor: "1 1", base: "1 1", link: "1 1", exclude: "base", filter: "enable", count: 3),
    (floor: "1 0", base: "0 1", link: "0 1", exclude: "", filter: "enable", count: 4),
    (floor: "2 2", base: "1 1", link: "1 1", exclude: "", filter: "enable", count: 0),
    (floor: "2 2", base: "1 1", link: "1 1", exclude: "", filter: "disable", count: 1),
    (floor: "0 0", base: "1 0", link: "1 0", exclude: "", filter: "disable", count: 0),
  ])
  func contacts(
    floor: String, base: String, link: String, exclude: String, filter: String, count: Int
  ) throws {
    func bits(_ pair: String) -> String {
      let parts = pair.split(separator: " ")
      return "contype=\"\(parts[0])\" conaffinity=\"\(parts[1])\""
    }
    let model = try Model(
      mjcf: """
        <mujoco><option><flag filterparent="\(filter)"/></option><worldbody>
        <geom name="floor" type="plane" size="1 1 1" \(bits(floor))/>
        <body name="fixed"><geom size=".1" \(bits(floor))/></body>
        <body name="base"><joint/><geom name="base" size=".1" \(bits(base))/>
          <body><geom size=".1" contype="0" conaffinity="0"/>
            <body name="link"><joint axis="1 0 0"/><geom name="link" size=".1" \(bits(link))/></body>
          </body>
        </body></worldbody>
        \(exclude.isEmpty ? "" : "<contact><exclude body1=\"world\" body2=\"\(exclude)\"/></contact>")
        </mujoco>
        """)
    var pairs = 0
    ContactFilter(model).forEachBodyPair { first, second in
      for a in model.bodies[first].geoms {
        for b in model.bodies[second].geoms where ContactFilter.bitsMatch(model.geoms[a], model.geoms[b]) {
          pairs += 1
        }
      }
      return true
    }
    #expect(pairs == count)
    #expect(model.unsupported.isEmpty)
  }
}
