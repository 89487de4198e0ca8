import Testing

@testable import CostateCommandLine
import TextFigures

@Suite struct PresentationTests {
  @Test func tablesAreAligned() {
    var table = TextTable([.init("joint", .left), .init("range", unit: "rad"), .init("note", .left)])
    table.append(["knee", "-1.5", "long text"])
    table.append(["hip_abduction", "0", ""])
    #expect(
      table.text == """
        joint          range [rad]  note
        -------------  -----------  ---------
        knee                  -1.5  long text
        hip_abduction            0
        """)
  }

  @Test func progressShowsRateAndTimeLeft() {
    let line = ProgressBar.line(label: "simulate", unit: "steps", completed: 250, total: 1000, elapsed: 2)
    #expect(line == "simulate [#######.......................] 25 %  125 steps/s  6.00 s left")
    let start = ProgressBar.line(label: "x", unit: "steps", completed: 0, total: 0, elapsed: 1)
    #expect(start.contains("100 %"))
  }

  @Test(arguments: [
    (90.5, "90.50 s"), (150, "2 min 30 s"), (0.0125, "12.5 ms"), (3.2e-5, "32 µs"), (4e-9, "4 ns"),
  ])
  func durations(seconds: Double, text: String) {
    #expect(formatted(seconds: seconds) == text)
  }
}
