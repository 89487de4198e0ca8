import Costate
import Testing

@testable import CostateCommandLine

@Suite struct FrameTests {
  private var model: Model {
    var model = Model()
    var hand = Body()
    hand.name = "hand"
    model.bodies = [Body(), hand, Body()]
    model.sites = ["tip", "hand", ""].map {
      var site = Site()
      site.name = $0
      return site
    }
    return model
  }

  @Test func bodiesComeBeforeSites() throws {
    func place(_ name: String) throws -> CostateCommandLine.Frame.Place {
      try CostateCommandLine.Frame(named: name, in: model, option: "--frame").place
    }
    #expect(try place("hand") == .body(1))
    #expect(try place("tip") == .site(0))
    #expect(try place("site:hand") == .site(1))
    #expect(try place("body:hand") == .body(1))
    #expect(CostateCommandLine.Frame.all(in: model).map(\.name) == ["hand", "tip", "site:hand"])
  }

  @Test(arguments: ["foot", "body:tip", "site:foot"]) func unknownNamesAreRefused(name: String) {
    let failure = #expect(throws: CommandFailure.self) {
      try CostateCommandLine.Frame(named: name, in: model, option: "--frame")
    }
    #expect(failure?.code == .wrongUsage)
    #expect(failure?.message == "--frame: there is no body or site '\(name)'; known are hand, tip, site:hand")
  }
}
