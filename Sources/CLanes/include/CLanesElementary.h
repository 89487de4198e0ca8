// Elementary functions of one lane type. CLanesMath.h includes this file once per type, with
//   COSTATE_T, COSTATE_I, COSTATE_U   the numbers, and the signed and unsigned integers of the same width
//   COSTATE_SUFFIX, COSTATE_WIDTH     the name's ending, and the width of a number in bits
//   COSTATE_LANES                     how many numbers
// defined. No include guard: the repetition is wanted.
//
// Bounds on the error, in units in the last place: 2 for double and 3 for float.
#define C(x) ((COSTATE_T)(x))
#define T COSTATE_T
#define I COSTATE_I
#define U COSTATE_U
#define F(name) COSTATE_JOIN(costate_##name##_, COSTATE_SUFFIX)
#define K(name) COSTATE_JOIN(COSTATE_##name##_, COSTATE_WIDTH)
#define PART(name, part) COSTATE_JOIN(COSTATE_JOIN(COSTATE_##name##_, COSTATE_WIDTH), part)
#define MULTIPLY_ADD COSTATE_JOIN(costate_multiply_add_, COSTATE_SUFFIX)
// Even and odd powers apart: half the latency of Horner's rule.
#define POLYNOMIAL(name, z)                                                    \
  MULTIPLY_ADD(z, COSTATE_HORNER((z) * (z), PART(name, _ODD)), COSTATE_HORNER((z) * (z), PART(name, _EVEN)))

#if COSTATE_WIDTH == 64
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define MAGIC 0x1.8p52         // adding it rounds to an integer, which the low bits then hold
#define SIGN ((U)(1ull << 63))
#define SMALLEST_NORMAL 0x1p-1022
#define SUBNORMAL_SHIFT 54
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdull
#define TRIGONOMETRIC_LIMIT (COSTATE_FUSED ? 0x1p30 : 0x1p12)
#define LARGEST_EXPONENT 710.0
#define SMALLEST_EXPONENT -746.0
#define HYPERBOLIC_LIMIT 22.0
#define ARC_TANGENT_LARGEST 0x1p990
#define ARC_TANGENT_SMALLEST 0x1p-900
#else
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define MAGIC 0x1.8p23
#define SIGN ((U)(1u << 31))
#define SMALLEST_NORMAL 0x1p-126
#define SUBNORMAL_SHIFT 25
#define SQRT_HALF_BITS 0x3f3504f3u
#define TRIGONOMETRIC_LIMIT (COSTATE_FUSED ? 0x1p15 : 0x1p9)
#define LARGEST_EXPONENT 89.0
#define SMALLEST_EXPONENT -104.0
#define HYPERBOLIC_LIMIT 10.0
#define ARC_TANGENT_LARGEST 0x1p126
#endif

// The number with the sign flipped where `sign` has the sign bit set.
COSTATE_INLINE T F(flip_sign)(T x, U sign) { return F(number)(F(bits)(x) ^ sign); }

// 2^n from n + MAGIC, for normal results.
COSTATE_INLINE T F(power_of_two)(T biased) {
  return F(number)((F(bits)(biased) << MANTISSA_BITS) + ((U)(EXPONENT_BIAS) << MANTISSA_BITS));
}

// y 2^n, in two steps so that only the result may overflow or be subnormal.
COSTATE_INLINE T F(scale)(T y, T n) {
  T half_biased = MULTIPLY_ADD(n, C(0.5), C(MAGIC));
  T half = half_biased - C(MAGIC);
  T rest_biased = (n - half) + C(MAGIC);
  return y * F(power_of_two)(half_biased) * F(power_of_two)(rest_biased);
}

// --- Sine and cosine: Cody and Waite's reduction of |x| to [-pi/4, pi/4]. Both contain the same reduction and
// the same two polynomials, which the optimiser shares where a kernel needs both.

COSTATE_INLINE T F(biased_quadrant)(T a) { return MULTIPLY_ADD(a, C(K(TWO_OVER_PI)), C(MAGIC)); }

COSTATE_INLINE T F(quadrant_remainder)(T a, T biased) {
  T n = biased - C(MAGIC);
#if COSTATE_FUSED
  T r = F(fused)(-n, C(PART(HALF_PI_FUSED, _1)), a);
  r = F(fused)(-n, C(PART(HALF_PI_FUSED, _2)), r);
  return F(fused)(-n, C(PART(HALF_PI_FUSED, _3)), r);
#else
  // The products with all parts but the last are exact.
  T r = a - n * C(PART(HALF_PI_SHORT, _1));
  r = r - n * C(PART(HALF_PI_SHORT, _2));
  r = r - n * C(PART(HALF_PI_SHORT, _3));
#if COSTATE_WIDTH == 32
  r = r - n * C(PART(HALF_PI_SHORT, _4));
#endif
  return r;
#endif
}

COSTATE_INLINE T F(sin_remainder)(T r) {
  T z = r * r;
  return MULTIPLY_ADD(r * z, POLYNOMIAL(SINE, z), r);
}

COSTATE_INLINE T F(cos_remainder)(T r) {
  T z = r * r;
  T half = C(0.5) * z;
  T head = C(1.0) - half;
  T lost = (C(1.0) - head) - half;
  return head + MULTIPLY_ADD(z * z, POLYNOMIAL(COSINE, z), lost);
}

COSTATE_INLINE T F(sin)(T x) {
  T a = F(abs)(x);
  T biased = F(biased_quadrant)(a);
  T r = F(quadrant_remainder)(a, biased);
  U quadrant = F(bits)(biased);
  T y = F(choose_bit)(quadrant, F(cos_remainder)(r), F(sin_remainder)(r));
  y = F(flip_sign)(y, ((quadrant << (COSTATE_WIDTH - 2)) ^ F(bits)(x)) & SIGN);
  I far = a > C(TRIGONOMETRIC_LIMIT);
  return __builtin_expect(F(any)(far), 0) ? F(sin_far)(x, y, far) : y;
}

COSTATE_INLINE T F(cos)(T x) {
  T a = F(abs)(x);
  T biased = F(biased_quadrant)(a);
  T r = F(quadrant_remainder)(a, biased);
  U quadrant = F(bits)(biased);
  T y = F(choose_bit)(quadrant, F(sin_remainder)(r), F(cos_remainder)(r));
  y = F(flip_sign)(y, ((quadrant + 1) << (COSTATE_WIDTH - 2)) & SIGN);
  I far = a > C(TRIGONOMETRIC_LIMIT);
  return __builtin_expect(F(any)(far), 0) ? F(cos_far)(x, y, far) : y;
}

// --- Exponential and hyperbolic tangent.

// e^(x - n ln 2) for the integer n nearest to x / ln 2.
COSTATE_INLINE T F(exp_remainder)(T x, T n) {
  T r = MULTIPLY_ADD(-n, C(PART(LN2_SHORT, _1)), x);
  r = MULTIPLY_ADD(-n, C(PART(LN2_SHORT, _2)), r);
  return C(1.0) + MULTIPLY_ADD(r * r, POLYNOMIAL(EXPONENTIAL, r), r);
}

COSTATE_INLINE T F(exp)(T x) {
  T c = x < C(SMALLEST_EXPONENT) ? C(SMALLEST_EXPONENT) : x;
  c = c > C(LARGEST_EXPONENT) ? C(LARGEST_EXPONENT) : c;
  T n = MULTIPLY_ADD(c, C(K(LOG2_E)), C(MAGIC)) - C(MAGIC);
  return F(scale)(F(exp_remainder)(c, n), n);
}

// A polynomial below 0.55; above, 1 - 2 / (e^2|x| + 1), whose subtrahend is less than half the result.
COSTATE_INLINE T F(tanh)(T x) {
  T a = F(abs)(x);
  T z = a * a;
  T near = MULTIPLY_ADD(a * z, POLYNOMIAL(HYPERBOLIC_TANGENT, z), a);
  T twice = a > C(HYPERBOLIC_LIMIT) ? C(2.0 * HYPERBOLIC_LIMIT) : a + a;
  T biased = MULTIPLY_ADD(twice, C(K(LOG2_E)), C(MAGIC));
  T e = F(exp_remainder)(twice, biased - C(MAGIC)) * F(power_of_two)(biased);
  T far = C(1.0) - C(2.0) / (e + C(1.0));
  return F(flip_sign)(a < C(0.55) ? near : far, F(bits)(x) & SIGN);
}

// --- Natural logarithm.

// The bits of a positive normal number, moved so that the exponent field changes at sqrt(1/2) times powers of 2.
COSTATE_INLINE U F(logarithm_bits)(T x) {
  return F(bits)(x) + (((U)(EXPONENT_BIAS) << MANTISSA_BITS) - (U)(SQRT_HALF_BITS));
}
// The power of two in such bits.
COSTATE_INLINE T F(logarithm_exponent)(U bits) {
  U integer = (bits >> MANTISSA_BITS) | ((U)(EXPONENT_BIAS + MANTISSA_BITS) << MANTISSA_BITS);
  return F(number)(integer) - C((1ull << MANTISSA_BITS) + EXPONENT_BIAS);
}
// The remaining factor, in [sqrt(1/2), sqrt(2)].
COSTATE_INLINE T F(logarithm_factor)(U bits) {
  return F(number)((bits & (((U)(1) << MANTISSA_BITS) - 1)) + (U)(SQRT_HALF_BITS));
}

#if COSTATE_LANES > 1
COSTATE_INLINE T F(log)(T x) {
  T shift = x < C(SMALLEST_NORMAL) ? C(SUBNORMAL_SHIFT) : C(0.0);
  T scaled = x < C(SMALLEST_NORMAL) ? x * C(1ull << SUBNORMAL_SHIFT) : x;
  U bits = F(logarithm_bits)(scaled);
  T k = F(logarithm_exponent)(bits) - shift;
  T f = F(logarithm_factor)(bits) - C(1.0);
  T s = f / (C(2.0) + f);
  T z = s * s;
  T half_square = C(0.5) * f * f;
  T tail = MULTIPLY_ADD(s, MULTIPLY_ADD(z, POLYNOMIAL(LOGARITHM, z), half_square), k * C(PART(LN2_SHORT, _2)));
  T y = MULTIPLY_ADD(k, C(PART(LN2_SHORT, _1)), f - (half_square - tail));
  T special = x == C(0.0) ? C(-INFINITY) : x < C(0.0) ? C(NAN) : x;
  y = x > C(0.0) ? y : special;
  return x < C(INFINITY) ? y : x;
}
#endif

// --- Inverse functions.

// asin on [0, 1/2]; beyond, acos |x| = 2 asin sqrt((1 - |x|) / 2).
COSTATE_INLINE T F(acos)(T x) {
  T a = F(abs)(x);
  T z = a < C(0.5) ? a * a : C(0.5) * (C(1.0) - a);
  T s = a < C(0.5) ? a : F(sqrt)(z);
  T arc = MULTIPLY_ADD(s * z, POLYNOMIAL(ARC_SINE, z), s);
  T negative = x < C(0.0) ? C(4.0) : C(0.0);
  T quarters = a < C(0.5) ? C(2.0) : negative;
  U sign = F(bits)(x) & SIGN;
  T part = a < C(0.5) ? F(flip_sign)(-arc, sign) : F(flip_sign)(arc + arc, sign);
  return quarters * C(PART(QUARTER_PI, _1)) + (quarters * C(PART(QUARTER_PI, _2)) + part);
}

// The smaller over the larger magnitude, shifted by pi/4 where that is more than 1/2; then octant by octant.
COSTATE_INLINE T F(atan2)(T y, T x) {
  T ax = F(abs)(x);
  T ay = F(abs)(y);
  T larger = ay > ax ? ay : ax;
  T smaller = ay > ax ? ax : ay;
  T divisor = larger == C(0.0) ? C(1.0) : larger;
  T half = C(0.5) * divisor;
  T numerator = smaller > half ? smaller - divisor : smaller;
  T sum = divisor + smaller;
  T denominator = smaller > half ? sum : divisor;
#if COSTATE_WIDTH == 64
  // The quotient with what rounding lost in the sum and in the division.
  T sum_lost = smaller > half ? smaller - (sum - divisor) : C(0.0);
  T reciprocal = C(1.0) / denominator;
  T u = numerator * reciprocal;
  T remainder = F(subtract_product)(numerator, u, denominator);
  T u_lost = (remainder - u * sum_lost) * reciprocal;
#else
  T u = numerator / denominator;
  T u_lost = C(0.0);
#endif
  T z = u * u;
  T tail = MULTIPLY_ADD(u * z, POLYNOMIAL(ARC_TANGENT, z), u_lost);
  T quarters = smaller > half ? C(1.0) : C(0.0);
  quarters = ay > ax ? C(2.0) - quarters : quarters;
  U sign = ay > ax ? SIGN : (U)(0);
  T reflected = F(number)((F(bits)(x) & SIGN) | F(bits)(C(1.0)));
  quarters = reflected < C(0.0) ? C(4.0) - quarters : quarters;
  sign ^= F(bits)(x) & SIGN;
  T angle = quarters * C(PART(QUARTER_PI, _1))
    + (F(flip_sign)(u, sign) + (F(flip_sign)(tail, sign) + quarters * C(PART(QUARTER_PI, _2))));
  angle = F(flip_sign)(angle, F(bits)(y) & SIGN);
#if COSTATE_WIDTH == 64
  // The reciprocal and the remainder must be normal.
  I far = (larger > C(ARC_TANGENT_LARGEST)) | (divisor < C(ARC_TANGENT_SMALLEST))
    | ((smaller < C(ARC_TANGENT_SMALLEST)) & (smaller > C(0.0)));
#else
  I far = larger > C(ARC_TANGENT_LARGEST);
#endif
  return __builtin_expect(F(any)(far), 0) ? F(atan2_far)(y, x, angle, far) : angle;
}

// --- Powers.

#if COSTATE_LANES > 1
// What C99's annex F says of bases that are negative or zero, given |x|^y in `magnitude`; infinities and NaN are
// left to the mathematics library.
COSTATE_INLINE T F(pow_signed)(T x, T y, T magnitude) {
  T a = F(abs)(y);
  T integral_limit = C(1ull << MANTISSA_BITS);
  T shifted = a < integral_limit ? a + integral_limit : a;
  T rounded = a < integral_limit ? shifted - integral_limit : a;
  // Above twice the limit every number is even.
  U odd = (F(bits)(shifted) & 1) << (COSTATE_WIDTH - 1);
  odd = F(bits)(a < C(2.0) * integral_limit ? F(number)(odd) : C(0.0));
  odd = F(bits)(rounded == a ? F(number)(odd) : C(0.0));
  T at_zero = y > C(0.0) ? C(0.0) : y < C(0.0) ? C(INFINITY) : C(1.0);
  magnitude = x == C(0.0) ? at_zero : magnitude;
  T result = F(flip_sign)(magnitude, F(bits)(x) & odd);
  T negative = rounded == a ? result : C(NAN);
  result = x < C(0.0) ? negative : result;
  I finite = (F(abs)(x) < C(INFINITY)) & (a < C(INFINITY));
  return __builtin_expect(F(any)(finite == 0), 0) ? F(pow_far)(x, y, result, finite == 0) : result;
}

#if COSTATE_WIDTH == 64
// The logarithm to base 2 in two doubles (error below 2^-65), times the exponent in two doubles.
COSTATE_INLINE T F(pow)(T x, T y) {
  T a = F(abs)(x);
  T shift = a < C(SMALLEST_NORMAL) ? C(SUBNORMAL_SHIFT) : C(0.0);
  T scaled = a < C(SMALLEST_NORMAL) ? a * C(1ull << SUBNORMAL_SHIFT) : a;
  U bits = F(logarithm_bits)(scaled);
  T k = F(logarithm_exponent)(bits) - shift;
  T f = F(logarithm_factor)(bits) - C(1.0);

  // s = f / (2 + f)
  T sum = C(2.0) + f;
  T sum_lost = f - (sum - C(2.0));
  T reciprocal = C(1.0) / sum;
  T s = f * reciprocal;
  T s_lost = (F(subtract_product)(f, s, sum) - s * sum_lost) * reciprocal;
  // z = s^2
  T z = s * s;
  T z_lost = MULTIPLY_ADD(s + s, s_lost, -F(subtract_product)(z, s, s));
  // g = z/3 + z^2 P(z)
  T third = z * C(PART(THIRD, _1));
  T third_lost = MULTIPLY_ADD(
    z_lost, C(PART(THIRD, _1)),
    MULTIPLY_ADD(z, C(PART(THIRD, _2)), -F(subtract_product)(third, z, C(PART(THIRD, _1)))));
  T tail = z * z * POLYNOMIAL(POWER_LOGARITHM, z);
  T g = third + tail;
  T g_lost = ((third - g) + tail) + third_lost;
  // atanh s = s + s g
  T product = s * g;
  T product_lost = MULTIPLY_ADD(s, g_lost, MULTIPLY_ADD(s_lost, g, -F(subtract_product)(product, s, g)));
  T arc = s + product;
  T arc_lost = ((s - arc) + product) + (product_lost + s_lost);
  // log2 x = k + 2 / ln 2 atanh s
  T fraction = arc * C(PART(TWO_LOG2_E, _1));
  T fraction_lost = MULTIPLY_ADD(
    arc_lost, C(PART(TWO_LOG2_E, _1)),
    MULTIPLY_ADD(arc, C(PART(TWO_LOG2_E, _2)), -F(subtract_product)(fraction, arc, C(PART(TWO_LOG2_E, _1)))));
  T logarithm = k + fraction;
  T logarithm_lost = ((k - logarithm) + fraction) + fraction_lost;

  // Beyond 2^70 only the sign of the exponent matters, and its parity, seen to below.
  T c = y > C(0x1p70) ? C(0x1p70) : y;
  c = c < C(-0x1p70) ? C(-0x1p70) : c;
  T e = c * logarithm;
  T e_lost = MULTIPLY_ADD(c, logarithm_lost, -F(subtract_product)(e, c, logarithm));
  T limited = e > C(1100.0) ? C(1100.0) : e;
  limited = limited < C(-1100.0) ? C(-1100.0) : limited;
  e_lost = limited == e ? e_lost : C(0.0);
  T n = (limited + C(MAGIC)) - C(MAGIC);
  T r = limited - n;
  T head = r * C(PART(LN2, _1));
  T head_lost = MULTIPLY_ADD(
    e_lost, C(PART(LN2, _1)),
    MULTIPLY_ADD(r, C(PART(LN2, _2)), -F(subtract_product)(head, r, C(PART(LN2, _1)))));
  T t = head + head_lost;
  T t_lost = (head - t) + head_lost;
  T power = C(1.0) + (t + MULTIPLY_ADD(t * t, POLYNOMIAL(EXPONENTIAL, t), t_lost));
  return F(pow_signed)(x, y, F(scale)(power, n));
}
#endif
#endif

#undef C
#undef T
#undef I
#undef U
#undef F
#undef K
#undef PART
#undef MULTIPLY_ADD
#undef POLYNOMIAL
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef MAGIC
#undef SIGN
#undef SMALLEST_NORMAL
#undef SUBNORMAL_SHIFT
#undef SQRT_HALF_BITS
#undef TRIGONOMETRIC_LIMIT
#undef LARGEST_EXPONENT
#undef SMALLEST_EXPONENT
#undef HYPERBOLIC_LIMIT
#undef ARC_TANGENT_LARGEST
#undef ARC_TANGENT_SMALLEST
#undef COSTATE_T
#undef COSTATE_I
#undef COSTATE_U
#undef COSTATE_SUFFIX
#undef COSTATE_WIDTH
#undef COSTATE_LANES
