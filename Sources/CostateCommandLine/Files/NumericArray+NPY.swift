import Autodiff

// NumPy's files are the library's; here they become numbers for a model: real and finite.
extension NumericArray {
  static func isNPY(_ bytes: [UInt8]) -> Bool { bytes.starts(with: NPYFormat.magic) }

  /// - Throws: `CommandFailure` (invalid input) that says what would be valid.
  init(npy file: InputFile) throws(CommandFailure) {
    let descriptor: String
    let tensor: Tensor
    do throws(TensorError) {
      descriptor = try NPYHeader(file.bytes, file.path).descriptor
    } catch { throw CommandFailure(.invalidInput, "\(error)") }
    guard ["f8", "f4"].contains(descriptor.dropFirst()) else {
      throw file.failure(
        "element type '\(descriptor)' is not supported; save float64 ('<f8') or float32 ('<f4'), "
          + "for example with array.astype(numpy.float64)")
    }
    do throws(TensorError) {
      tensor = try NPYFormat.decode(file.bytes, file.path)
    } catch { throw CommandFailure(.invalidInput, "\(error)") }
    let elements = tensor.values
    if let bad = elements.firstIndex(where: { !$0.isFinite }) {
      throw file.failure("element \(bad) is not finite (\(elements[bad]))")
    }
    self.init(shape: tensor.shape, elements: elements)
  }

  var tensor: Tensor { Tensor(elements, shape: shape) }
}
