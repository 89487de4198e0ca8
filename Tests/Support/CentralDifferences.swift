/// Central differences of a function along a line, at three step sizes a factor of two apart.
public struct CentralDifferences: Sendable {
  /// The three quotients, largest step first.
  public var values: [Double]

  /// The quotients of `f` at zero with the steps `step`, `step / 2` and `step / 4`.
  public init(step: Double, _ f: (Double) throws -> Double) rethrows {
    values = try (0..<3).map { k in
      let e = step / Double(1 << k)
      return (try f(e) - f(-e)) / (2 * e)
    }
  }

  /// How the error falls when the step is halved: four for a function that is smooth at this scale.
  public var convergence: Double { (values[0] - values[1]) / (values[1] - values[2]) }

  /// The limit, by two Richardson steps.
  public var extrapolated: Double {
    let first = (4 * values[1] - values[0]) / 3
    let second = (4 * values[2] - values[1]) / 3
    return (16 * second - first) / 15
  }
}
