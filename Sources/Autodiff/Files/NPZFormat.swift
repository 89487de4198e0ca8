/// NumPy's `.npz`: a zip archive of `.npy` files, stored without compression.
enum NPZFormat {
  static func decode(_ bytes: [UInt8], _ source: String) throws(TensorError) -> [String: Tensor] {
    func fail(_ message: String) -> TensorError { TensorError(.format, source, message) }
    func number(_ at: Int, _ size: Int) throws(TensorError) -> Int {
      guard at >= 0, at + size <= bytes.count else { throw fail("is cut short") }
      return bytes[at..<at + size].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    // The directory's end record stands last, before a comment of at most 65535 bytes.
    var end = bytes.count - 22
    while end >= max(0, bytes.count - 22 - 65_535), try number(end, 4) != 0x0605_4b50 { end -= 1 }
    guard end >= 0, try number(end, 4) == 0x0605_4b50 else { throw fail("is not a zip archive") }
    var result: [String: Tensor] = [:]
    var entry = try number(end + 16, 4)
    for _ in 0..<(try number(end + 10, 2)) {
      guard try number(entry, 4) == 0x0201_4b50 else { throw fail("has a broken directory") }
      let (method, size) = (try number(entry + 10, 2), try number(entry + 20, 4))
      let nameLength = try number(entry + 28, 2)
      guard entry + 46 + nameLength <= bytes.count else { throw fail("is cut short") }
      var name = String(decoding: bytes[(entry + 46)..<(entry + 46 + nameLength)], as: UTF8.self)
      guard method == 0 else {
        throw fail("has the compressed entry \(name); write it with numpy.savez instead of savez_compressed")
      }
      let local = try number(entry + 42, 4)
      let start = local + 30 + (try number(local + 26, 2)) + (try number(local + 28, 2))
      guard start + size <= bytes.count else { throw fail("is cut short") }
      let content = Array(bytes[start..<start + size])
      guard Int(checksum(content)) == (try number(entry + 16, 4)) else {
        throw fail("is damaged: the checksum of \(name)")
      }
      if name.hasSuffix(".npy") { name.removeLast(4) }
      result[name] = try NPYFormat.decode(content, "\(source), \(name)")
      entry += 46 + nameLength + (try number(entry + 30, 2)) + (try number(entry + 32, 2))
    }
    return result
  }

  static func encode(_ tensors: [String: Tensor]) throws(TensorError) -> [UInt8] {
    func little(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let content = try NPYFormat.encode(tensor)
      let fileName = Array("\(name).npy".utf8)
      let offset = archive.count
      guard offset + content.count < Int(UInt32.max) else {
        throw TensorError(.format, "npz", "the archive would pass 4 GiB at \(name); write several")
      }
      // Fields that the local header and the directory share. The date is fixed, so that equal arrays give equal files.
      let fields =
        little(20, 2) + [0, 0, 0, 0, 0, 0, 0x21, 0] + little(Int(checksum(content)), 4)
        + little(content.count, 4)
        + little(content.count, 4) + little(fileName.count, 2) + [0, 0]
      archive += little(0x0403_4b50, 4) + fields + fileName + content
      directory +=
        little(0x0201_4b50, 4) + little(20, 2) + fields + [UInt8](repeating: 0, count: 10) + little(offset, 4)
      directory += fileName
    }
    let start = archive.count
    archive += directory
    archive += little(0x0605_4b50, 4) + [0, 0, 0, 0] + little(tensors.count, 2) + little(tensors.count, 2)
    return archive + little(directory.count, 4) + little(start, 4) + [0, 0]
  }

  /// The cyclic redundancy check of zip (ISO 3309, reflected polynomial 0xEDB88320).
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in bytes { sum = table[Int((sum ^ UInt32(byte)) & 0xff)] ^ (sum >> 8) }
    return ~sum
  }
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { sum, _ in sum & 1 == 1 ? 0xedb8_8320 ^ (sum >> 1) : sum >> 1 }
  }
}
