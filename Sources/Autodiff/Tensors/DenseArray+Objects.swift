// Values of programs are numbers. What a hand-written forward pass leaves for its reverse pass (a tape) need not be: there
// an `int32` array holds numbers that stand for objects, and its memory keeps the objects alive.
//
// Copies that structured control flow and batching make (stacks of rows, row-major copies, choices between branches) take
// the objects along. An array that was copied otherwise has numbers without objects; who looks them up must say so.

extension DenseArray {
  /// An object that a number stands for.
  package typealias Object = any AnyObject & Sendable

  /// An `int32` array whose numbers stand for objects.
  package init(_ numbers: [Int32], shape: [Int], objects: [Int32: Object]) {
    self.init(numbers, shape: shape)
    buffer.objects = objects
  }
  /// The objects of the array's memory, by the numbers that stand for them.
  package var objects: [Int32: Object] { buffer.objects ?? [:] }

  /// Takes over the objects of an array whose numbers are being copied.
  func adoptObjects(of source: DenseArray) {
    guard let objects = source.buffer.objects, source.buffer !== buffer else { return }
    buffer.objects = (buffer.objects ?? [:]).merging(objects) { known, _ in known }
  }
}
