import Autodiff
import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct NumericArrayTests {
  static let expected = NumericArray(shape: [2, 3, 4], elements: (0..<24).map { Double($0) / 8 })

  static func fixture(_ name: String) throws -> String {
    try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
  }

  @Test(arguments: ["row-major", "fortran", "single", "big-endian", "version-2"])
  func numpyFiles(name: String) throws {
    #expect(try NumericArray(path: Self.fixture("\(name).npy")) == Self.expected)
  }

  @Test func integersAreRefused() throws {
    let failure = #expect(throws: CommandFailure.self) {
      try NumericArray(path: Self.fixture("integers.npy"))
    }
    #expect(failure?.code == .invalidInput)
    #expect(failure?.message.contains("'<i8' is not supported; save float64") == true)
  }

  @Test func writtenArraysReadBack() throws {
    for array in [
      Self.expected, NumericArray(shape: [3], elements: [1, -0.1, 1e300]),
      NumericArray(shape: [], elements: [2]),
      NumericArray(shape: [0, 5], elements: []),
    ] {
      let bytes = try NPYFormat.encode(array.tensor)
      #expect((bytes.count - 8 * array.elements.count) % 64 == 0)
      #expect(try NumericArray(npy: InputFile(path: "x", bytes: bytes)) == array)
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = try NPYFormat.encode(Self.expected.tensor)
    for count in 0..<bytes.count {
      #expect(throws: CommandFailure.self) {
        try NumericArray(npy: InputFile(path: "x", bytes: Array(bytes.prefix(count))))
      }
    }
    #expect(throws: CommandFailure.self) { try NumericArray(npy: InputFile(path: "x", bytes: bytes + [0])) }
  }

  @Test(arguments: [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f8', 'fortran_order': False, }",
    "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (0,), }",
    "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0,), 'more': 1}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0,), } rest",
    "",
  ])
  func hostileHeadersAreRefused(header: String) {
    let bytes = NPYFormat.magic + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
    let failure = #expect(throws: CommandFailure.self) {
      try NumericArray(npy: InputFile(path: "x", bytes: bytes))
    }
    #expect(failure?.code == .invalidInput)
  }

  @Test func nonFiniteElementsAreRefused() throws {
    let bytes = try NPYFormat.encode(Tensor([1, Double.nan]))
    let failure = #expect(throws: CommandFailure.self) {
      try NumericArray(npy: InputFile(path: "x", bytes: bytes))
    }
    #expect(failure?.message == "x: element 1 is not finite (nan)")
  }

  @Test func nestedJSON() throws {
    func read(_ text: String) throws -> NumericArray {
      try NumericArray(json: InputFile(path: "q.json", bytes: Array(text.utf8)))
    }
    #expect(try read("[[1, 2, 3], [4, 5, 6]]") == NumericArray(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6]))
    #expect(try read("[]") == NumericArray(shape: [0], elements: []))
    #expect(try read("[[], []]") == NumericArray(shape: [2, 0], elements: []))
    for text in [
      "[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[[[1]], [2]]", "[[], [1]]", "3", "[\"a\"]", "{}", "[[], 1]",
    ] {
      let failure = #expect(throws: CommandFailure.self, "\(text)") { try read(text) }
      #expect(failure?.code == .invalidInput)
    }
  }
}
