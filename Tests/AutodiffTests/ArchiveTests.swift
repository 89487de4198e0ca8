import Autodiff
import Foundation
import Testing

/// `.npy` and `.npz` files: those that NumPy writes, our own, and hostile ones.
@Suite struct ArchiveTests {
  private func temporary(_ name: String) -> URL {
    FileManager.default.temporaryDirectory.appending(path: "costate-\(UUID().uuidString)-\(name)")
  }
  private static let example: [(name: String, tensor: Tensor)] = [
    ("ramp", Tensor.range(to: 5000).reshaped([50, 100])), ("mask", Tensor([true, false])),
  ]
  private func reason(_ bytes: [UInt8], limit: Int = 1 << 32) -> TensorError? {
    do throws(TensorError) {
      _ = try NPZFormat.decode(bytes, "x.npz", limit: limit)
      return nil
    } catch { return error }
  }

  @Test(arguments: ["stored", "compressed"]) func writtenByNumPy(_ name: String) throws {
    let file = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "npz"))
    let arrays = try Tensor.readArchive(npz: file)
    #expect(arrays.count == 10)
    #expect(arrays["ramp"]?.values == (0..<600).map { Double($0) / 8 } && arrays["ramp"]?.shape == [20, 30])
    #expect(arrays["single"]?.elementType == .float32 && arrays["single"]?.values == [1.5, -2, 0.25, 3])
    #expect(arrays["columns"]?.values == [0, 1, 2, 3, 4, 5] && arrays["columns"]?.shape == [2, 3])
    #expect(arrays["mask"]?.elementType == .bool && arrays["mask"]?.values == [1, 0, 1])
    #expect(arrays["bytes"]?.values == [0, 255] && arrays["short"]?.values == [-300, 300])
    #expect(arrays["long"]?.elementType == .int32 && arrays["long"]?.values == [-7, 1_073_741_824])
    #expect(arrays["big"]?.values == [1, 2.5] && arrays["scalar"]?.shape == [])
    #expect(arrays["empty"]?.shape == [0, 4])
  }
  @Test func compressedArchivesReadBack() throws {
    let tensors = Dictionary(uniqueKeysWithValues: Self.example.map { ($0.name, $0.tensor) })
    let (small, large) = (temporary("small.npz"), temporary("large.npz"))
    defer { for file in [small, large] { try? FileManager.default.removeItem(at: file) } }
    try Tensor.writeArchive(tensors, npz: small, compressed: true)
    try Tensor.writeArchive(tensors, npz: large)
    let (packed, plain) = (try Data(contentsOf: small).count, try Data(contentsOf: large).count)
    #expect(plain > 40_000 && packed < plain / 2)
    for file in [small, large] {
      let back = try Tensor.readArchive(npz: file)
      #expect(
        back.count == 2 && back["ramp"]?.values == tensors["ramp"]?.values && back["mask"]?.values == [1, 0])
    }
    #expect(throws: TensorError.self) { try Tensor.readArchive(npz: small, sizeLimit: 1000) }
    let none = try NPZFormat.encode([], compressed: true)
    #expect(try NPZFormat.decode(none, "x.npz", limit: 0).isEmpty)
  }

  @Test func checksum() {
    #expect(NPZFormat.checksum(Array("123456789".utf8)) == 0xcbf4_3926)
    #expect(NPZFormat.checksum([]) == 0)
  }
  @Test(arguments: [false, true]) func entriesStandWhereTheDirectorySays(_ compressed: Bool) throws {
    let archive = try NPZFormat.encode(Self.example, compressed: compressed)
    func integer(_ offset: Int, _ count: Int) -> Int {
      archive[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    let end = archive.count - 22
    #expect(integer(end, 4) == 0x0605_4b50 && integer(end + 10, 2) == 2)
    var entry = integer(end + 16, 4)
    #expect(entry + integer(end + 12, 4) == end)
    for (name, tensor) in Self.example {
      #expect(integer(entry, 4) == 0x0201_4b50)
      let nameLength = integer(entry + 28, 2)
      let local = integer(entry + 42, 4)
      #expect(String(decoding: archive[entry + 46..<entry + 46 + nameLength], as: UTF8.self) == "\(name).npy")
      #expect(integer(local, 4) == 0x0403_4b50)
      // The fields from "version needed" to "extra length" stand in both places.
      #expect(archive[local + 4..<local + 30] == archive[entry + 6..<entry + 32])
      let content = try NPYFormat.encode(tensor)
      #expect(
        integer(entry + 16, 4) == Int(NPZFormat.checksum(content)) && integer(entry + 24, 4) == content.count)
      #expect((content.count - tensor.count * tensor.elementType.byteCount) % 64 == 0)
      entry += 46 + nameLength
    }
    #expect(entry == end)
  }

  /// Every cut, and every byte of headers and directory changed: an error or the right numbers, never a crash.
  @Test(arguments: [false, true]) func damage(_ compressed: Bool) throws {
    let tensor = Tensor.range(to: 12)
    let archive = try NPZFormat.encode([("a", tensor)], compressed: compressed)
    for count in 0..<archive.count { #expect(reason(Array(archive.prefix(count))) != nil) }
    for place in archive.indices {
      for flip in [UInt8(1), 0x80, 0xff] {
        var bytes = archive
        bytes[place] ^= flip
        if let read = try? NPZFormat.decode(bytes, "x.npz", limit: 1 << 20), let (_, found) = read.first {
          #expect(found.values == tensor.values && found.shape == [12], "byte \(place)")
        }
      }
    }
  }
  /// Sizes that are not true, data that would be unpacked twice, and what is not supported.
  @Test func bombs() throws {
    let archive = try NPZFormat.encode([("a", Tensor.zeros([100_000]))], compressed: true)
    #expect(archive.count < 2000 && reason(archive) == nil)
    let entry = archive.count - 22 - (46 + 5)
    func patched(_ offset: Int, _ value: Int, _ size: Int) -> [UInt8] {
      var bytes = archive
      for k in 0..<size { bytes[entry + offset + k] = UInt8(truncatingIfNeeded: value >> (8 * k)) }
      return bytes
    }
    let full = 800_128
    #expect(reason(archive, limit: full - 1)?.message.contains("unpacks to more than") == true)
    #expect(reason(patched(24, 0xffff_fff0, 4))?.message.contains("claims to be") == true)
    #expect(reason(patched(24, 0xffff_ffff, 4))?.message.contains("4 GiB") == true)
    for size in [full - 1, full + 1, 0, 10] {
      #expect(reason(patched(24, size, 4))?.message.contains("does not unpack") == true, "\(size)")
    }
    #expect(reason(patched(20, 3, 4)) != nil && reason(patched(20, 0, 4)) != nil)
    #expect(reason(patched(10, 12, 2))?.message.contains("method 12") == true)
    #expect(reason(patched(8, 1, 2))?.message.contains("encrypted") == true)
    #expect(reason(patched(16, 5, 4))?.message.contains("checksum") == true)
    #expect(reason(patched(42, 7, 4)) != nil)
    // The same bytes as two entries.
    let directory = Array(archive[entry..<archive.count - 22])
    var twice = archive
    twice.insert(contentsOf: directory, at: entry)
    twice[twice.count - 12] = 2
    twice[twice.count - 14] = 2
    twice[entry + 46] = UInt8(ascii: "b")
    #expect(reason(twice)?.message.contains("overlap") == true)
    let same = try NPZFormat.encode([("a", 1.0), ("a", 2.0)], compressed: true)
    #expect(reason(same)?.message.contains("two entries a") == true)
  }
}
