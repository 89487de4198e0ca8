public import Foundation

extension Tensor {
  /// Reads an `.npy` file: float64, float32, int32, int64 (if its values are int32) or bool.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/format`` if it is malformed; Foundation's error if it cannot be
  ///   read.
  public init(npy file: URL) throws {
    self = try NPYFormat.decode(Array(try Data(contentsOf: file)), file.lastPathComponent)
  }
  /// Writes an `.npy` file.
  /// - Throws: ``TensorError`` if the tensor is being traced; Foundation's error if the file cannot be written.
  public func write(npy file: URL) throws { try Data(try NPYFormat.encode(self)).write(to: file) }

  /// Reads the arrays of an `.npz` archive that is not compressed.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/format`` if it is malformed; Foundation's error if it cannot be
  ///   read.
  public static func readArchive(npz file: URL) throws -> [String: Tensor] {
    try NPZFormat.decode(Array(try Data(contentsOf: file)), file.lastPathComponent)
  }
  /// Writes arrays to an `.npz` archive, without compression.
  /// - Throws: ``TensorError`` if a tensor is being traced or the archive passes 4 GiB; Foundation's error if the file cannot be
  ///   written.
  public static func writeArchive(_ tensors: [String: Tensor], npz file: URL) throws {
    try Data(try NPZFormat.encode(tensors)).write(to: file)
  }
}
