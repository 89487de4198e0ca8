import Testing

@testable import CostateCommandLine

@Suite struct NPZTests {
  @Test func checksum() {
    #expect(NPZ.crc32(Array("123456789".utf8)) == 0xcbf4_3926)
    #expect(NPZ.crc32([]) == 0)
  }

  @Test func entriesStandWhereTheDirectorySays() throws {
    let arrays = [
      ("qpos", NumericArray(shape: [2, 2], elements: [1, 2, 3, 4])),
      ("time", NumericArray(shape: [1], elements: [0.5])),
    ]
    let archive = try NPZ.encode(arrays)
    func integer(_ offset: Int, _ count: Int) -> Int {
      archive[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    let end = archive.count - 22
    #expect(integer(end, 4) == 0x0605_4b50)
    #expect(integer(end + 10, 2) == 2)
    var entry = integer(end + 16, 4)
    #expect(entry + integer(end + 12, 4) == end)
    for (name, array) in arrays {
      #expect(integer(entry, 4) == 0x0201_4b50)
      let size = integer(entry + 24, 4)
      let nameLength = integer(entry + 28, 2)
      let local = integer(entry + 42, 4)
      #expect(String(decoding: archive[entry + 46..<entry + 46 + nameLength], as: UTF8.self) == "\(name).npy")
      #expect(integer(local, 4) == 0x0403_4b50)
      // The fields from "version needed" to "extra length" stand in both places.
      #expect(archive[local + 4..<local + 30] == archive[entry + 6..<entry + 32])
      let content = Array(archive[local + 30 + nameLength..<local + 30 + nameLength + size])
      #expect(integer(entry + 16, 4) == Int(NPZ.crc32(content)))
      #expect(try NPY.read(InputFile(path: "x", bytes: content)) == array)
      entry += 46 + nameLength
    }
    #expect(entry == end)
  }
}
