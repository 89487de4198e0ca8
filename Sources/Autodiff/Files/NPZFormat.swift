import CZlib

/// NumPy's `.npz`: a zip archive of `.npy` files, stored or deflated.
package enum NPZFormat {
  /// The most that deflate can shrink anything; more is a lie about sizes.
  private static let largestRatio = 1032

  /// - Parameters:
  ///   - source: the name of the file, for errors.
  ///   - limit: the most bytes that all arrays together may have.
  package static func decode(_ bytes: [UInt8], _ source: String, limit: Int) throws(TensorError)
    -> [String: Tensor]
  {
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
    var (stored, total) = (0, 0)
    for _ in 0..<(try number(end + 10, 2)) {
      guard try number(entry, 4) == 0x0201_4b50 else { throw fail("has a broken directory") }
      let (flags, method) = (try number(entry + 8, 2), try number(entry + 10, 2))
      let (size, fullSize) = (try number(entry + 20, 4), try number(entry + 24, 4))
      let nameLength = try number(entry + 28, 2)
      guard entry + 46 + nameLength <= bytes.count else { throw fail("is cut short") }
      var name = String(decoding: bytes[(entry + 46)..<(entry + 46 + nameLength)], as: UTF8.self)
      guard flags & 1 == 0 else { throw fail("has the encrypted entry \(name)") }
      guard method == 0 || method == 8 else {
        throw fail(
          "has the entry \(name) compressed by method \(method); stored and deflated ones are supported")
      }
      guard size != 0xffff_ffff, fullSize != 0xffff_ffff else {
        throw fail("has the entry \(name) of 4 GiB or more, which is not supported")
      }
      let local = try number(entry + 42, 4)
      guard try number(local, 4) == 0x0403_4b50 else { throw fail("has no entry where \(name) should be") }
      let start = local + 30 + (try number(local + 26, 2)) + (try number(local + 28, 2))
      guard start + size <= bytes.count else { throw fail("is cut short") }
      // Sizes are claims: no more is unpacked than deflate can have packed, and no bytes are used twice.
      guard method == 0 ? fullSize == size : fullSize <= size * largestRatio + 64 else {
        throw fail("has the entry \(name) of \(size) bytes that claims to be \(fullSize)")
      }
      (stored, total) = (stored + size, total + fullSize)
      guard stored <= bytes.count else { throw fail("has entries that overlap") }
      guard total <= limit else {
        throw fail("unpacks to more than \(limit) bytes; pass a larger sizeLimit if that is expected")
      }
      let packed = bytes[start..<start + size]
      guard let content = method == 0 ? Array(packed) : inflated(packed, size: fullSize) else {
        throw fail("is damaged: \(name) does not unpack to \(fullSize) bytes")
      }
      guard Int(checksum(content)) == (try number(entry + 16, 4)) else {
        throw fail("is damaged: the checksum of \(name)")
      }
      if name.hasSuffix(".npy") { name.removeLast(4) }
      let tensor = try NPYFormat.decode(content, "\(source), \(name)")
      guard result.updateValue(tensor, forKey: name) == nil else { throw fail("has two entries \(name)") }
      entry += 46 + nameLength + (try number(entry + 30, 2)) + (try number(entry + 32, 2))
    }
    return result
  }

  /// Entries in the order given. The date is fixed, so that equal arrays give equal files.
  package static func encode(_ tensors: [(name: String, tensor: Tensor)], compressed: Bool)
    throws(TensorError) -> [UInt8]
  {
    func little(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    func fail(_ name: String) -> TensorError {
      TensorError(.format, "npz", "the archive would pass 4 GiB at \(name); write several")
    }
    guard tensors.count < 1 << 16 else {
      throw TensorError(.format, "npz", "\(tensors.count) arrays are more than an archive holds")
    }
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    for (name, tensor) in tensors {
      let content = try NPYFormat.encode(tensor)
      let fileName = Array("\(name).npy".utf8)
      let offset = archive.count
      guard fileName.count < 1 << 16 else {
        throw TensorError(.format, "npz", "a name of \(fileName.count) bytes is too long")
      }
      guard offset + content.count < Int(UInt32.max) else { throw fail(name) }
      let packed = compressed ? deflated(content) : content
      guard offset + packed.count < Int(UInt32.max) else { throw fail(name) }
      // Fields that the local header and the directory share, from "version needed" to "extra length".
      let fields =
        little(20, 2) + [0, 0] + little(compressed ? 8 : 0, 2) + [0, 0, 0x21, 0]
        + little(Int(checksum(content)), 4) + little(packed.count, 4) + little(content.count, 4)
        + little(fileName.count, 2) + [0, 0]
      archive += little(0x0403_4b50, 4) + fields + fileName + packed
      directory +=
        little(0x0201_4b50, 4) + little(20, 2) + fields + [UInt8](repeating: 0, count: 10) + little(offset, 4)
      directory += fileName
    }
    let start = archive.count
    archive += directory
    archive += little(0x0605_4b50, 4) + [0, 0, 0, 0] + little(tensors.count, 2) + little(tensors.count, 2)
    return archive + little(directory.count, 4) + little(start, 4) + [0, 0]
  }

  /// The cyclic redundancy check of zip (ISO 3309). Entries have less than 4 GiB.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBufferPointer { UInt32(crc32(0, $0.baseAddress, uInt($0.count))) }
  }

  /// Deflated bytes (RFC 1951, without a header) unpacked; nil if they do not make up exactly this many.
  private static func inflated(_ packed: ArraySlice<UInt8>, size: Int) -> [UInt8]? {
    var stream = z_stream()
    guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      return nil
    }
    defer { inflateEnd(&stream) }
    var isWhole = false
    // One byte more than there should be, so that too many are noticed.
    let result = [UInt8](unsafeUninitializedCapacity: size + 1) { target, count in
      packed.withUnsafeBufferPointer { source in
        stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.avail_in = uInt(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = uInt(size + 1)
        isWhole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0
      }
      count = size + 1 - Int(stream.avail_out)
    }
    if result.count != size { isWhole = false }
    return isWhole ? result : nil
  }
  private static func deflated(_ content: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    let status = deflateInit2_(
      &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib cannot be set up: \(status)")
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, uLong(content.count)))
    return [UInt8](unsafeUninitializedCapacity: bound) { target, count in
      content.withUnsafeBufferPointer { source in
        stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.avail_in = uInt(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = uInt(bound)
        let status = deflate(&stream, Z_FINISH)
        precondition(status == Z_STREAM_END, "deflateBound's room was not enough: \(status)")
      }
      count = bound - Int(stream.avail_out)
    }
  }
}
