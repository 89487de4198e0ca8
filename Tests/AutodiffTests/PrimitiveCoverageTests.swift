import Autodiff
import Foundation
import TestSupport
import Testing

/// Every primitive, in every case of its family, obeys the laws of derivatives, batches and single precision; one that no
/// case reaches fails.
@Suite struct PrimitiveCoverageTests {
  static let all: [DerivativeCase] =
    elementwiseCases + structuralCases + indexingCases + productCases + linearAlgebraCases + controlFlowCases
    + universalCases + edgeCases

  @Test(arguments: universalCases + edgeCases) func derivatives(_ example: DerivativeCase) throws {
    let violations = try example.violations()
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: all) func batchesAlongEveryAxis(_ example: DerivativeCase) throws {
    let violations = try example.laws.batchViolations(of: example.function, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: all.filter { !$0.holdsDoubles }) func singlePrecision(_ example: DerivativeCase) throws {
    let violations = try example.laws.singlePrecisionViolations(of: example.function, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test(arguments: reverseOnlyCases) func reverseMode(_ example: DerivativeCase) throws {
    let violations = try example.laws.reverseViolations(of: example.function, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
  }
  @Test(arguments: forwardOnlyCases) func forwardMode(_ example: DerivativeCase) throws {
    let violations = try example.laws.forwardViolations(of: example.function, at: example.point())
    #expect(violations.isEmpty, "\(violations)")
    #expect(throws: TensorError.self) { try vjp(example.function, at: example.point()) }
  }

  /// The primitives that the cases' programs and those of their derivatives are made of.
  private func reached() throws -> Set<String> {
    var found: Set<String> = []
    func visit(_ program: Program) {
      for primitive in program.primitives {
        found.insert(label(primitive))
        (primitive as? any HigherOrderPrimitive)?.programs.forEach { visit($0.program) }
      }
    }
    for example in forwardOnlyCases + reverseOnlyCases {
      let traced = try program(of: example.function, at: example.point())
      visit(traced)
      visit(try traced.jvpProgram(isActive: traced.inputTypes.map { _ in true }).program)
    }
    for example in Self.all {
      let (f, point) = (example.function, example.point())
      visit(try program(of: f, at: point))
      visit(try program(of: { try jvp(f, at: $0, along: $0).tangent }, at: point))
      let weight = Tensor.ones(try f(point).shape)
      let pull = { (x: [Tensor]) in try vjp(f, at: x).pullback(weight) }
      visit(try program(of: pull, at: point))
      visit(try program(of: vmap(pull), at: point.map { stack([$0, $0]) }))
    }
    return found
  }
  /// Enumerations are told apart by case.
  private func label(_ primitive: any Primitive) -> String {
    let type = "\(type(of: primitive))"
    return switch primitive {
    case is Unary, is Binary, is Comparison, is Logical: "\(type).\(primitive)"
    case is Ordering, is Reduction: "\(type).\(primitive.name)"
    default: type
    }
  }

  @Test func everyPrimitiveHasACase() throws {
    var expected = Set(Unary.allCases.map { "Unary.\($0)" } + Binary.allCases.map { "Binary.\($0)" })
    expected.formUnion(Comparison.allCases.map { "Comparison.\($0)" })
    expected.formUnion(Logical.allCases.map { "Logical.\($0)" })
    let kinds = [
      "Ordering": ["argumentSort", "argumentMaximum", "argumentMinimum"],
      "Reduction": ["sum", "maximum", "minimum"],
    ]
    for (type, cases) in kinds { expected.formUnion(cases.map { "\(type).\($0)" }) }
    let families = Set(kinds.keys).union(["Unary", "Binary", "Comparison", "Logical"])
    expected.formUnion(try Self.declaredPrimitives().subtracting(families))
    let missing = expected.subtracting(try reached())
    #expect(missing.isEmpty, "no case reaches \(missing.sorted())")
  }

  /// The types that conform to `Primitive`, read from the module's sources.
  private static func declaredPrimitives() throws -> Set<String> {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/Autodiff").resolvingSymlinksInPath()
    let files = try #require(
      FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
    let pattern = try Regex(
      #"(?m)^(?:package |public )?(?:struct|enum|extension) (\w+)[^{]*: (?:\w+, )*(?:HigherOrder|Matrix)?Primitive(?:, \w+)* \{"#
    )
    var names: Set<String> = []
    for case let file as URL in files where file.pathExtension == "swift" {
      for match in try String(contentsOf: file, encoding: .utf8).matches(of: pattern) {
        names.insert(String(match.output[1].substring!))
      }
    }
    #expect(names.count >= 30 && names.contains("Scan") && names.contains("Gather"))
    return names
  }
}
