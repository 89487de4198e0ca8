public import Lanes

/// What ``Lane`` promises of a lane type: every operation acts on each lane as on a number of its own.
///
/// Each function returns descriptions of violations, none for a lawful type, so that any lane type can be
/// checked by `#expect(LaneLaws<L>.arithmetic(seed: 0) == [])`. For ``Dual`` the primal parts are checked.
public enum LaneLaws<L: Lane> {
  /// Numbers that meet rounding, cancellation, overflow and the special values.
  static func operands(seed: UInt64) -> (L, L, L) {
    var random = SeededRandom(seed: seed)
    let special: [L.Scalar] = [0, -0.0, 1, -1, .infinity, -.infinity, .nan, .leastNonzeroMagnitude]
    func group() -> L {
      var value: L = random.lanes(in: -4...4)
      for lane in 0..<L.laneCount where random.next() % 4 == 0 {
        value[lane: lane] = special[Int(random.next() % UInt64(special.count))]
      }
      return value
    }
    return (group(), group(), group())
  }

  static func violations(_ name: String, _ result: L, _ expected: (Int) -> L.Scalar) -> [String] {
    (0..<L.laneCount).compactMap { lane in
      let got = result[lane: lane]
      let want = expected(lane)
      let same = got == want && got.sign == want.sign || got.isNaN && want.isNaN
      return same ? nil : "\(L.self) \(name), lane \(lane): \(got) instead of \(want)"
    }
  }

  static func violations(_ name: String, _ mask: L.Mask, _ expected: (Int) -> Bool) -> [String] {
    let wanted = (0..<L.laneCount).map(expected)
    var found = wanted.indices.filter { mask[lane: $0] != wanted[$0] }.map {
      "\(L.self) \(name), lane \($0): \(mask[lane: $0])"
    }
    if mask.anyTrue != wanted.contains(true) { found.append("\(L.self) \(name): anyTrue is \(mask.anyTrue)") }
    if mask.allTrue != !wanted.contains(false) {
      found.append("\(L.self) \(name): allTrue is \(mask.allTrue)")
    }
    return found
  }

  /// Sums, products, quotients and square roots are those of the single numbers, to the last bit.
  public static func arithmetic(seed: UInt64) -> [String] {
    let (a, b, c) = operands(seed: seed)
    let x = { (lane: Int) in a[lane: lane] }
    let y = { (lane: Int) in b[lane: lane] }
    var sum = a
    sum += b
    var difference = a
    difference -= b
    var product = a
    product *= b
    let shared = y(0)
    var found = violations("a + b", a + b) { x($0) + y($0) }
    found += violations("a - b", a - b) { x($0) - y($0) }
    found += violations("a * b", a * b) { x($0) * y($0) }
    found += violations("a / b", a / b) { x($0) / y($0) }
    found += violations("-a", -a) { -x($0) }
    found += violations("a += b", sum) { x($0) + y($0) }
    found += violations("a -= b", difference) { x($0) - y($0) }
    found += violations("a *= b", product) { x($0) * y($0) }
    found += violations("squared", a.squared) { x($0) * x($0) }
    found += violations("multiply(scalar:)", L.multiply(a, scalar: shared)) { x($0) * shared }
    found += violations("magnitude", a.magnitude) { x($0).magnitude }
    found += violations("squareRoot", a.squareRoot) { x($0).squareRoot() }
    found += violations("broadcasting", L(broadcasting: shared)) { _ in shared }
    found += violations("zero", L.zero) { _ in 0 }
    found += violations("one", L.one) { _ in 1 }
    found += multiplyAdd(a, b, c)
    return found
  }

  /// A multiply-add is rounded once or twice, whichever the machine does.
  static func multiplyAdd(_ a: L, _ b: L, _ c: L) -> [String] {
    let shared = b[lane: 0]
    var found: [String] = []
    for lane in 0..<L.laneCount {
      for (name, value, factor) in [
        ("multiplyAdd", L.multiplyAdd(a, b, c), b[lane: lane]),
        ("multiplyAdd(scalar:)", L.multiplyAdd(a, scalar: shared, c), shared),
      ] {
        let got = value[lane: lane]
        let fused = c[lane: lane].addingProduct(a[lane: lane], factor)
        let separate = a[lane: lane] * factor + c[lane: lane]
        if got != fused && got != separate && !(got.isNaN && fused.isNaN) {
          found.append("\(L.self) \(name), lane \(lane): \(got) instead of \(fused) or \(separate)")
        }
      }
    }
    return found
  }

  /// Mixed operations treat a `Double` as that number in every lane.
  public static func mixedArithmetic(seed: UInt64) -> [String] {
    let (a, _, _) = operands(seed: seed)
    var random = SeededRandom(seed: seed &+ 1000)
    let number = random.uniform(-3, 3)
    let d = L.Scalar(number)
    let x = { (lane: Int) in a[lane: lane] }
    var found = violations("a + d", a + number) { x($0) + d }
    found += violations("d + a", number + a) { d + x($0) }
    found += violations("a - d", a - number) { x($0) - d }
    found += violations("d - a", number - a) { d - x($0) }
    found += violations("a * d", a * number) { x($0) * d }
    found += violations("d * a", number * a) { d * x($0) }
    found += violations("a / d", a / number) { x($0) / d }
    found += violations("d / a", number / a) { d / x($0) }
    found += violations("init", L(number)) { _ in d }
    return found
  }

  /// Comparisons, mask logic and selections, NaN and signed zeros included.
  public static func masks(seed: UInt64) -> [String] {
    let (a, b, c) = operands(seed: seed)
    let x = { (lane: Int) in a[lane: lane] }
    let y = { (lane: Int) in b[lane: lane] }
    let less = a .< b
    let equal = a .== c
    var found = violations("a .< b", less) { x($0) < y($0) }
    found += violations("a .<= b", a .<= b) { x($0) <= y($0) }
    found += violations("a .> b", a .> b) { x($0) > y($0) }
    found += violations("a .>= b", a .>= b) { x($0) >= y($0) }
    found += violations("a .== a", a .== a) { !x($0).isNaN }
    found += violations("a .== c", equal) { x($0) == c[lane: $0] }
    found += violations("isFinite", a.isFinite) { x($0).isFinite }
    found += violations(".&", less .& (b .< c)) { x($0) < y($0) && y($0) < c[lane: $0] }
    found += violations(".|", less .| equal) { x($0) < y($0) || x($0) == c[lane: $0] }
    found += violations(".!", .!less) { !(x($0) < y($0)) }
    found += violations("repeating true", L.Mask(repeating: true)) { _ in true }
    found += violations("repeating false", L.Mask(repeating: false)) { _ in false }
    var changed = less
    changed[lane: L.laneCount - 1].toggle()
    found += violations("lane of a mask", changed) {
      $0 == L.laneCount - 1 ? !(x($0) < y($0)) : x($0) < y($0)
    }
    found += violations("replacing", a.replacing(with: b, where: less)) { x($0) < y($0) ? y($0) : x($0) }
    found += violations("select", select(less, a, b)) { x($0) < y($0) ? x($0) : y($0) }
    found += violations("minimum", L.minimum(a, b)) { y($0) < x($0) ? y($0) : x($0) }
    found += violations("maximum", L.maximum(a, b)) { x($0) < y($0) ? y($0) : x($0) }
    found += violations("clamped", a.clamped(L(-1.5), L(0.75))) {
      let raised = x($0) < -1.5 ? -1.5 : x($0)
      return 0.75 < raised ? 0.75 : raised
    }
    return found
  }

  /// A lane that is written holds the new number, and the others keep theirs.
  public static func lanes(seed: UInt64) -> [String] {
    let (a, b, _) = operands(seed: seed)
    return (0..<L.laneCount).flatMap { changed in
      var value = a
      value[lane: changed] = b[lane: changed]
      return violations("lane \(changed)", value) { $0 == changed ? b[lane: $0] : a[lane: $0] }
    }
  }
}
