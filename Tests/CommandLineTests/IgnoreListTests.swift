import Costate
import Testing

@testable import CostateCommandLine

@Suite struct IgnoreListTests {
  @Test func listsAreReadInOrder() throws {
    let list = try IgnoreList("limit, contact,limit")
    #expect(list.names == ["limit", "contact"])
    #expect(list.categories == [.limit, .contact])
    #expect(try IgnoreList("constraints").categories == [.contact, .limit, .equality, .frictionLoss])
    #expect(try IgnoreList("unsupported").categories == Set(UnsupportedElement.Category.allCases))
  }

  @Test(arguments: ["contacts", "", "limit,", "limit;contact"]) func unknownNamesAreRefused(text: String) {
    let failure = #expect(throws: CommandFailure.self) { try IgnoreList(text) }
    #expect(failure?.code == .wrongUsage)
    #expect(
      failure?.message.hasSuffix(
        "known are constraints, contact, limit, equality, frictionloss, tendon, actuation, passive, unsupported"
      ) == true)
  }

  @Test func uncoveredElementsAreListedWithTheRemedy() throws {
    var model = Model()
    model.unreadElements = [
      .init(category: .limit, description: "joint 'knee': limited"),
      .init(category: .contact, description: "geom 'foot': can touch geom 'floor'"),
      .init(category: .tendon, description: "tendon 'cable': spatial"),
    ]
    try IgnoreList("constraints,tendon").check(model, path: "m.xml")
    let failure = #expect(throws: CommandFailure.self) {
      try IgnoreList("contact").check(model, path: "m.xml")
    }
    #expect(failure?.code == .invalidInput)
    #expect(failure?.message.contains("limit: joint 'knee': limited") == true)
    #expect(failure?.message.contains("foot") == false)
    #expect(failure?.message.hasSuffix("--ignore limit,tendon") == true)
    let all = #expect(throws: CommandFailure.self) { try IgnoreList().check(model, path: "m.xml") }
    #expect(all?.message.hasSuffix("--ignore constraints,tendon") == true)
  }
}
