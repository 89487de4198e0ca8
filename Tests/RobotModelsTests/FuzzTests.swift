import Foundation
import Testing

@testable import RobotModels

/// Damaged files must load or give a ``ModelError``: no crash, no hang, no unbounded memory.
///
/// `COSTATE_FUZZ_COUNT` sets how many inputs are tried in all (100 000 by default, 2000 in debug builds), `COSTATE_FUZZ_FIRST` the number of
/// the first, so that a failing input can be found again: each depends on its kind and number alone.
@Suite struct FuzzTests {
  enum Kind: String, CaseIterable, Sendable { case mjcf, urdf, stl, obj }

  private static func setting(_ name: String, _ value: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? value
  }

  // In debug builds everything is some ten times slower.
  #if DEBUG
    private static let defaultCount = 2000
    private static let hang = Duration.seconds(20)
  #else
    private static let defaultCount = 100_000
    private static let hang = Duration.seconds(2)
  #endif

  private static func seeds(_ kind: Kind) -> [[UInt8]] {
    switch kind {
    case .mjcf: FuzzSeeds.mjcf.map { Array($0.utf8) }
    case .urdf: FuzzSeeds.urdf.map { Array($0.utf8) }
    case .stl: [FuzzSeeds.binarySTL, Array(FuzzSeeds.asciiSTL.utf8)]
    case .obj: [Array(FuzzSeeds.obj.utf8)]
    }
  }

  /// Reads one input to the end.
  private static func read(_ bytes: [UInt8], _ kind: Kind) throws {
    switch kind {
    case .mjcf, .urdf:
      let tree = try XMLTree(bytes: bytes, file: "fuzz", directory: nil)
      _ = try ModelReader(options: ModelReadingOptions()).model(from: tree, isFile: false)
    case .stl, .obj:
      let data = try kind == .stl ? MeshData(stl: bytes, file: "fuzz") : MeshData(obj: bytes, file: "fuzz")
      var settings = MeshSettings()
      settings.needsHull = true
      let location = ModelError.Location(file: "fuzz", line: 1, column: 1)
      _ = try CompiledMesh(ModelSpecification.Mesh(data, settings: settings, location: location))
    }
  }

  @Test(arguments: Kind.allCases) func seedsAreValid(_ kind: Kind) throws {
    for seed in Self.seeds(kind) { try Self.read(seed, kind) }
  }

  @Test(arguments: Kind.allCases) func damagedInputsNeverCrash(_ kind: Kind) throws {
    let share = kind == .mjcf || kind == .urdf ? 3 : 1
    let count = Self.setting("COSTATE_FUZZ_COUNT", Self.defaultCount) * share / 8
    let first = Self.setting("COSTATE_FUZZ_FIRST", 0)
    let seeds = Self.seeds(kind)
    var loaded = 0
    for number in first..<(first + count) {
      var mutator = FuzzMutator(seed: UInt64(number) &* 8 &+ UInt64(Kind.allCases.firstIndex(of: kind) ?? 0))
      let bytes = mutator.mutate(seeds[number % seeds.count], with: seeds[(number / 2) % seeds.count])
      let start = ContinuousClock.now
      do {
        try Self.read(bytes, kind)
        loaded += 1
      } catch let error as ModelError {
        if error.message.isEmpty { Issue.record("\(kind) \(number): an error without a message") }
      } catch {
        Issue.record("\(kind) \(number): \(error) is not a ModelError")
      }
      let time = ContinuousClock.now - start
      if time > Self.hang { Issue.record("\(kind) \(number): took \(time)") }
    }
    // If everything failed at once, nothing behind the first check would be tested.
    #expect(count < 500 || loaded > count / 100, "\(loaded) of \(count) loaded")
  }
}
