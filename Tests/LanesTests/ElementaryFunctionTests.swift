import Foundation
import Lanes
import TestSupport
import Testing

/// Elementary functions within 2 units in the last place in double and 3 in single precision.
@Suite struct ElementaryFunctionTests {
  static let doubleBound = 2.0
  static let floatBound = 3.0

  /// Stored arguments and values: `[a, high, low]` or `[a, b, high, low]`.
  struct Fixture: Decodable {
    var float64: [[String]]
    var float32: [[String]]
  }

  static func fixture(_ function: ElementaryFunction) throws -> Fixture {
    let url = try #require(
      Bundle.module.url(forResource: "Fixtures/\(function.rawValue)", withExtension: "json"))
    return try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: url))
  }

  /// Errors above the bound, over all rows. Neighbouring rows share a lane group, so that usual and unusual
  /// arguments meet in it.
  static func violations<L: Lane>(
    _ function: ElementaryFunction, rows: [[String]], bound: Double, _ type: L.Type
  ) throws -> [String] {
    let numbers = try rows.map { row in try row.map { try #require(Double($0)) } }
    var found: [String] = []
    for start in stride(from: 0, to: numbers.count, by: L.laneCount) {
      var a = L(0.5)
      var b = L(0.5)
      let group = numbers[start..<min(start + L.laneCount, numbers.count)]
      for (lane, row) in group.enumerated() {
        a[lane: lane] = L.Scalar(row[0])
        b[lane: lane] = L.Scalar(row[row.count - 3])
      }
      let result = function(a, b)
      for (lane, row) in group.enumerated() {
        let error = unitsInTheLastPlace(
          result[lane: lane], exact: row[row.count - 2], row[row.count - 1])
        if !(error <= bound) {
          found.append(
            "\(L.self) \(function) of \(row.dropLast(2)): \(result[lane: lane]), off by \(error)")
        }
      }
    }
    return found
  }

  @Test(arguments: ElementaryFunction.allCases)
  func storedValues(_ function: ElementaryFunction) throws {
    let fixture = try Self.fixture(function)
    #expect(fixture.float64.count > 150 && fixture.float32.count > 150)
    let wide = (fixture.float64, Self.doubleBound)
    #expect(try Self.violations(function, rows: wide.0, bound: wide.1, Double.self) == [])
    #expect(try Self.violations(function, rows: wide.0, bound: wide.1, SIMD8<Double>.self) == [])
    #expect(
      try Self.violations(function, rows: wide.0, bound: wide.1, Dual<SIMD8<Double>>.self) == [])
    let narrow = (fixture.float32, Self.floatBound)
    #expect(
      try Self.violations(function, rows: narrow.0, bound: narrow.1, SIMD16<Float>.self) == [])
  }

  @Test(arguments: ElementaryFunction.allCases, 0..<4)
  func singlePrecisionSweep(_ function: ElementaryFunction, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var worst = (error: 0.0, a: Float(0), b: Float(0))
    for _ in 0..<4000 {
      var a = SIMD16<Float>(repeating: 0)
      var b = a
      for lane in 0..<16 { (a[lane], b[lane]) = function.arguments(Float.self, using: &random) }
      let result = function(a, b)
      for lane in 0..<16 {
        let exact = function.libraryValue(Double(a[lane]), Double(b[lane]))
        let error = unitsInTheLastPlace(result[lane], exact: exact)
        if !(error <= worst.error) { worst = (error, a[lane], b[lane]) }
      }
    }
    #expect(worst.error <= Self.floatBound, "\(function) of \(worst.a), \(worst.b)")
  }

  #if arch(x86_64) && !os(Windows)
    @Test(arguments: ElementaryFunction.allCases, 0..<4)
    func doublePrecisionSweep(_ function: ElementaryFunction, seed: UInt64) {
      var random = SeededRandom(seed: seed)
      var worst = (error: 0.0, a: 0.0, b: 0.0)
      for _ in 0..<4000 {
        var a = SIMD8<Double>(repeating: 0)
        var b = a
        for lane in 0..<8 { (a[lane], b[lane]) = function.arguments(Double.self, using: &random) }
        let result = function(a, b)
        for lane in 0..<8 {
          let exact = function.extendedValue(Float80(a[lane]), Float80(b[lane]))
          let high = Double(exact)
          let low = high.isFinite ? Double(exact - Float80(high)) : 0
          let alone = function(a[lane], b[lane])
          let error = max(
            unitsInTheLastPlace(result[lane], exact: high, low),
            unitsInTheLastPlace(alone, exact: high, low))
          if !(error <= worst.error) { worst = (error, a[lane], b[lane]) }
        }
      }
      #expect(worst.error <= Self.doubleBound, "\(function) of \(worst.a), \(worst.b)")
    }
  #endif
}
