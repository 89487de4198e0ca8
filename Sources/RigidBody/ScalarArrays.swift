/// Index of the first number that is infinite or NaN.
@specialized(where Scalar == Double)
@specialized(where Scalar == Float)
func firstNotFinite<Scalar: SimulationScalar>(_ values: [Scalar]) -> Int? {
  values.withUnsafeBufferPointer { values in
    // A product with zero is zero for finite numbers and NaN for all others, and sums in vectors.
    var check = Scalar(0)
    for value in values { check += value * 0 }
    if check == 0 { return nil }
    return values.firstIndex { !$0.isFinite }
  }
}

/// `count` zeros.
@specialized(where Scalar == Double)
@specialized(where Scalar == Float)
func zeros<Scalar: SimulationScalar>(_ count: Int) -> [Scalar] {
  Array(unsafeUninitializedCapacity: count) { buffer, initialized in
    buffer.initialize(repeating: 0)
    initialized = count
  }
}

/// The numbers at an address, in float64.
@specialized(where Scalar == Double)
@specialized(where Scalar == Float)
func doubles<Scalar: SimulationScalar>(_ values: UnsafePointer<Scalar>, count: Int) -> [Double] {
  Array(unsafeUninitializedCapacity: count) { buffer, initialized in
    for i in 0..<count { buffer.initializeElement(at: i, to: Double(values[i])) }
    initialized = count
  }
}
