/// Distance of a result from the exact value `high + low`, in units in the last place of the exact value.
///
/// Zero where both are NaN, or the same infinity or zero; infinity where only one is NaN or infinite, or where a
/// zero has the wrong sign. In the subnormal range a unit is the smallest subnormal number.
public func unitsInTheLastPlace<F: BinaryFloatingPoint>(_ result: F, exact high: Double, _ low: Double = 0)
  -> Double
{
  let expected = F(high)
  if expected.isNaN || result.isNaN { return expected.isNaN && result.isNaN ? 0 : .infinity }
  if expected == 0 && result == 0 && high == 0 { return expected.sign == result.sign ? 0 : .infinity }
  if !expected.isFinite || !result.isFinite { return expected == result ? 0 : .infinity }
  let unit = Swift.max(
    F(sign: .plus, exponent: expected.exponent, significand: 1).ulp, F.leastNonzeroMagnitude)
  return abs((Double(result) - high) - low) / Double(unit)
}
