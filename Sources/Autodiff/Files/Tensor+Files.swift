public import Foundation

extension Tensor {
  /// Reads an `.npy` file: float64, float32, bool, or integers of any size whose values are int32.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/format`` if it is malformed; Foundation's error if it cannot be
  ///   read.
  public init(npy file: URL) throws {
    self = try NPYFormat.decode(Array(try Data(contentsOf: file)), file.lastPathComponent)
  }
  /// Writes an `.npy` file.
  /// - Throws: ``TensorError`` if the tensor is being traced; Foundation's error if the file cannot be written.
  public func write(npy file: URL) throws { try Data(try NPYFormat.encode(self)).write(to: file) }

  /// Reads the arrays of an `.npz` archive, compressed or not.
  ///
  /// Sizes that an archive claims are not trusted: what would unpack to more than it can, or uses its bytes twice, is refused.
  /// - Parameters:
  ///   - file: the archive.
  ///   - sizeLimit: the most bytes that all arrays together may have.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/format`` if it is malformed or unpacks to more than the limit;
  ///   Foundation's error if it cannot be read.
  public static func readArchive(npz file: URL, sizeLimit: Int = 1 << 32) throws -> [String: Tensor] {
    try NPZFormat.decode(Array(try Data(contentsOf: file)), file.lastPathComponent, limit: sizeLimit)
  }
  /// Writes arrays to an `.npz` archive, in the order of their names.
  /// - Parameters:
  ///   - tensors: the arrays by name.
  ///   - file: where to.
  ///   - compressed: whether arrays are deflated: smaller, and slower to write and read.
  /// - Throws: ``TensorError`` if a tensor is being traced or the archive passes 4 GiB; Foundation's error if the file cannot be
  ///   written.
  public static func writeArchive(_ tensors: [String: Tensor], npz file: URL, compressed: Bool = false) throws
  {
    let sorted = tensors.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }
    try Data(try NPZFormat.encode(sorted, compressed: compressed)).write(to: file)
  }
}
