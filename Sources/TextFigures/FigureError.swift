/// Why there is no figure.
public struct FigureError: Error, CustomStringConvertible {
  /// What is wrong, and with which series.
  public var description: String
}
