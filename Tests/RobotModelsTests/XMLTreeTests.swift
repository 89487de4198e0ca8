import Testing

@testable import RobotModels

@Suite struct XMLTreeTests {
  private func parse(_ text: String, limits: XMLTreeLimits = XMLTreeLimits()) throws -> XMLTreeElement {
    try XMLTree(text: text, name: "test.xml", directory: ".", limits: limits).root
  }

  private func failure(_ text: String, limits: XMLTreeLimits = XMLTreeLimits()) -> ModelError? {
    do {
      _ = try parse(text, limits: limits)
      return nil
    } catch { return error as? ModelError }
  }

  @Test func locationsPointAtStartTagsAndAttributes() throws {
    let root = try parse(
      """
      <?xml version="1.0"?>
      <!-- <a b="c"> in a comment
      is not a tag -->
      <mujoco
          model="x > y">
        <body name="a"
              pos="1 2 3"/><geom
          size = '1'/>
        <![CDATA[ <body> ]]>
        <body name="b">text &lt; more</body>
      </mujoco>
      """)
    #expect((root.location.line, root.location.column) == (4, 1))
    #expect(root.attribute("model")?.value == "x > y")
    #expect(root.attribute("model")?.location.line == 5)
    #expect(root.children.map(\.name) == ["body", "geom", "body"])
    let (body, geom) = (root.children[0], root.children[1])
    #expect((body.location.line, body.location.column) == (6, 3))
    #expect(
      body.attributes.map { [$0.location.line, $0.location.column] } == [[6, 9], [7, 9]])
    #expect(body.attributes.map(\.name) == ["name", "pos"])
    #expect((geom.location.line, geom.location.column) == (7, 22))
    #expect(geom.attribute("size")?.location.line == 8)
    #expect(geom.attribute("size")?.location.column == 5)
    #expect(root.children[2].text == "text < more")
  }

  @Test(
    arguments: [
      ("<mujoco><worldbody>\n<body", 2, "truncated"),
      ("<mujoco>\n<a>\n</b></mujoco>", 3, "expected </a> for the element opened at line 2"),
      ("<mujoco>\n<a b='1' b='2'/></mujoco>", 2, "twice"),
      ("<mujoco>\n&unknown;</mujoco>", 2, "entity"),
      ("<!DOCTYPE m [\n<!ENTITY a 'aaaa'>]>\n<m>&a;</m>", 1, "DOCTYPE"),
      ("<?xml version='1.0'?>\n<!DOCTYPE m SYSTEM 'file:///etc/passwd'>\n<m/>", 2, "DOCTYPE"),
      ("<mujoco>\n<a b=1/></mujoco>", 2, "quotes"),
      ("", 1, "empty"),
      ("<mujoco>\u{0}</mujoco>", 1, "zero bytes"),
    ])
  func malformedTextIsLocated(text: String, line: Int, message: String) throws {
    let error = try #require(failure(text))
    #expect(error.kind == .invalid)
    #expect(error.location.line == line, "\(error)")
    #expect(error.message.contains(message), "\(error)")
  }

  @Test func limitsAreErrors() throws {
    let nested = String(repeating: "<body>\n", count: 100_000)
    let depth = try #require(failure(nested))
    #expect(depth.location.line == 501 && depth.message.contains("at most 500 levels"), "\(depth)")
    var limits = XMLTreeLimits()
    limits.elements = 3
    let many = try #require(failure("<a>\n<b/>\n<b/>\n<b/>\n</a>", limits: limits))
    #expect(many.location.line == 4 && many.message.contains("more than 3 elements"), "\(many)")
    limits.attributeBytes = 4
    let long = try #require(failure("<a\nb='12345'/>", limits: limits))
    #expect(long.location.line == 2 && long.message.contains("at most 4"), "\(long)")
    limits.fileBytes = 10
    #expect(try #require(failure("<a>          </a>", limits: limits)).message.contains("at most 10 bytes"))
  }

  @Test func encodings() throws {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    func name(_ bytes: [UInt8]) throws -> String? {
      try XMLTree(bytes: bytes, file: "test.xml", directory: nil).root.string("name")
    }
    #expect(try name(mark + Array("<?xml version='1.0' encoding='utf-8'?><a name='é'/>".utf8)) == "é")
    let latin =
      Array("<?xml version='1.0'\nencoding='ISO-8859-1'?><a name='".utf8) + [0xE9] + Array("'/>".utf8)
    #expect(try name(latin) == "é")
    let broken = Array("<a>\n <b name='".utf8) + [0xE9] + Array("'/></a>".utf8)
    let error = try #require(throws: ModelError.self) { try name(broken) }
    #expect(error.description.hasPrefix("test.xml:2:11: ") && error.message.contains("UTF-8"), "\(error)")
    #expect(throws: ModelError.self) { try name(Array("<?xml version='1.0' encoding='UTF-7'?><a/>".utf8)) }
  }

  @Test func plainDocumentTypeIsAccepted() throws {
    #expect(try parse("<!DOCTYPE mujoco><mujoco/>").name == "mujoco")
  }

  @Test(
    arguments: [
      "nan", "inf", "-inf", "1e400", "-1e999", "0x10", "1,5", "1..2", "1e", "abc", "1f", "٣", "1_000", "+-1",
    ])
  func strangeNumbersAreErrors(word: String) throws {
    let element = try parse("<m>\n<a name='q'\n  x='\(word)'/></m>").children[0]
    let error = try #require(throws: ModelError.self) { try element.double("x") }
    #expect(error.location.line == 3 && error.location.column == 3)
    #expect(error.message.contains("'x'") && error.message.contains("expected"), "\(error)")
  }

  @Test(
    arguments: [
      ("1", 1.0), ("-0.5", -0.5), (".5", 0.5), ("5.", 5), ("+2", 2), ("1e-400", 0), ("1E3", 1000),
      (" \n 7\t", 7), ("0.1", 0.1), ("1e308", 1e308),
    ])
  func plainNumbersAreRead(word: String, value: Double) throws {
    #expect(try parse("<a x='\(word)'/>").double("x") == value)
  }

  @Test func countsKeywordsAndIntegersAreChecked() throws {
    let element = try parse("<a x='1 2' k='maybe' n='1.5' big='3e9' s=''/>")
    for read in [
      { _ = try element.vector3("x") }, { _ = try element.boolean("k") },
      { _ = try element.integer("n") }, { _ = try element.integer("big") },
      { _ = try element.requiredString("s") }, { _ = try element.requiredString("missing") },
    ] as [() throws -> Void] {
      #expect(throws: ModelError.self) { try read() }
    }
    let error = try #require(throws: ModelError.self) { try element.vector3("x") }
    #expect(error.message.contains("2 values; expected 3 numbers"))
    let keyword = try #require(throws: ModelError.self) { try element.boolean("k") }
    #expect(keyword.message.contains("'true', 'false'"))
  }

  @Test func nearestNamesAreFound() {
    #expect("frition".nearest(in: ["friction", "size"]) == "friction")
    #expect("zzzzzz".nearest(in: ["friction", "size"]) == nil)
  }
}
