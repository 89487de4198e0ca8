/// Index of the first number that is infinite or NaN.
@specialized(where Scalar == Double)
@specialized(where Scalar == Float)
func firstNotFinite<Scalar: SimulationScalar>(_ values: [Scalar]) -> Int? {
  values.withUnsafeBufferPointer { values in
    // A product with zero is zero for finite numbers and NaN for all others.
    let width = SIMD16<Scalar>.scalarCount
    var check = SIMD16<Scalar>(repeating: 0)
    var rest = Scalar(0)
    var i = 0
    if let base = values.baseAddress {
      while i &+ width <= values.count {
        check += UnsafeRawPointer(base + i).loadUnaligned(as: SIMD16<Scalar>.self) * 0
        i &+= width
      }
      while i < values.count {
        rest += base[i] * 0
        i &+= 1
      }
    }
    if check == SIMD16(repeating: 0) && rest == 0 { return nil }
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
