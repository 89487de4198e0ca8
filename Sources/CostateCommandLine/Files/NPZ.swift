/// NumPy's `.npz`: a zip archive of `.npy` files, stored without compression.
enum NPZ {
  /// - Throws: `CommandFailure` (output cannot be written) where an array or the archive passes zip's 4 GiB.
  static func encode(_ arrays: [(name: String, array: NumericArray)]) throws(CommandFailure) -> [UInt8] {
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    for (name, array) in arrays {
      let content = NPY.encode(array)
      let fileName = Array("\(name).npy".utf8)
      let offset = archive.count
      guard offset + content.count < Int(UInt32.max) else {
        throw CommandFailure(
          .unwritableOutput,
          "the archive would pass 4 GiB at '\(name)', which .npz cannot hold here; simulate fewer worlds or steps"
        )
      }
      let entry = entryFields(content: content, nameLength: fileName.count)
      archive += littleEndian(UInt32(0x0403_4b50)) + entry + fileName
      archive += content
      directory += littleEndian(UInt32(0x0201_4b50)) + littleEndian(UInt16(20)) + entry
      // Comment length, disk, internal and external attributes, then where the entry begins.
      directory += [UInt8](repeating: 0, count: 10) + littleEndian(UInt32(offset)) + fileName
    }
    let directoryOffset = archive.count
    archive += directory
    archive += littleEndian(UInt32(0x0605_4b50)) + [0, 0, 0, 0]
    archive += littleEndian(UInt16(arrays.count)) + littleEndian(UInt16(arrays.count))
    archive += littleEndian(UInt32(directory.count)) + littleEndian(UInt32(directoryOffset)) + [0, 0]
    return archive
  }

  /// The fields that the local header and the directory share, from "version needed" to "extra length". The date is
  /// fixed (1 January 1980), so that equal arrays give equal files.
  private static func entryFields(content: [UInt8], nameLength: Int) -> [UInt8] {
    let size = littleEndian(UInt32(content.count))
    return littleEndian(UInt16(20)) + [0, 0, 0, 0, 0, 0, 0x21, 0] + littleEndian(crc32(content)) + size + size
      + littleEndian(UInt16(nameLength)) + [0, 0]
  }

  private static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// The cyclic redundancy check of zip (ISO 3309, reflected polynomial 0xEDB88320).
  static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes { crc = crcTable[Int((crc ^ UInt32(byte)) & 0xff)] ^ (crc >> 8) }
    return ~crc
  }

  private static let crcTable: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? 0xedb8_8320 ^ (crc >> 1) : crc >> 1 }
  }
}
