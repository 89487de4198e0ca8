// Sine and cosine of angles too large for subtracting multiples of pi/2: Payne and Hanek's reduction (1983), which
// multiplies by just those digits of 2 / pi that matter modulo 4. (Some mathematics libraries are wrong by
// several units in the last place there.)

// |x| - n pi/2 for the nearest n, whose last two bits go to `quadrant`; for |x| >= 2^-8.
static __attribute__((noinline, cold, unused)) double costate_huge_remainder(double x, int *quadrant) {
  static const unsigned long long digits[] = {COSTATE_TWO_OVER_PI_WORDS};
  unsigned long long bits = costate_bits_d1(x) & ~(1ull << 63);
  unsigned long long significand = (bits & ((1ull << 52) - 1)) | (1ull << 52);
  // |x| = significand 2^(first - 62): the digits of 2 / pi before `first` only contribute multiples of 4.
  int first = (int)(bits >> 52) - 1075 + 62;
  const unsigned long long *word = digits + first / 64;
  int shift = first % 64;
  unsigned long long window[3];
  for (int i = 0; i < 3; i++) window[i] = shift ? word[i] << shift | word[i + 1] >> (64 - shift) : word[i];

  // The product modulo 2^192 is |x| 2/pi modulo 4, as a fraction of 4.
  unsigned __int128 low = (unsigned __int128)significand * window[2];
  unsigned __int128 middle = (unsigned __int128)significand * window[1] + (unsigned long long)(low >> 64);
  unsigned long long high = significand * window[0] + (unsigned long long)(middle >> 64);
  unsigned __int128 fraction = (unsigned __int128)high << 66 | (unsigned __int128)(unsigned long long)middle << 2
    | (unsigned long long)low >> 62;
  unsigned long long rest = (unsigned long long)low << 2;
  int n = (int)(high >> 62);
  int negative = (int)(fraction >> 127);
  if (negative) {
    fraction = ~fraction + (rest == 0);
    rest = 0 - rest;
    n += 1;
  }
  *quadrant = n;

  // The leading 53 bits, the 64 after them, and their power of two.
  int zeros = 0;
  while (!(fraction >> 127) && zeros < 128) {
    fraction = fraction << 1 | rest >> 63;
    rest <<= 1;
    zeros++;
  }
  double head = (double)(unsigned long long)(fraction >> 75) * 0x1p-53;
  double tail = (double)(unsigned long long)(fraction >> 11) * 0x1p-117;
  double product = head * COSTATE_HALF_PI_FUSED_64_1;
  double lost = costate_subtract_product_d1(product, head, COSTATE_HALF_PI_FUSED_64_1);
  double r = product + (head * COSTATE_HALF_PI_FUSED_64_2 + tail * COSTATE_HALF_PI_FUSED_64_1 - lost);
  r *= costate_number_d1((unsigned long long)(1023 - zeros) << 52);
  return negative ? -r : r;
}

COSTATE_FAR double costate_huge_sin(double x) {
  if (!(costate_abs_d1(x) < INFINITY)) return x - x;
  int quadrant;
  double r = costate_huge_remainder(x, &quadrant);
  double y = quadrant & 1 ? costate_cos_remainder_d1(r) : costate_sin_remainder_d1(r);
  return ((quadrant & 2) != 0) != (x < 0) ? -y : y;
}

COSTATE_FAR double costate_huge_cos(double x) {
  if (!(costate_abs_d1(x) < INFINITY)) return x - x;
  int quadrant;
  double r = costate_huge_remainder(x, &quadrant);
  double y = quadrant & 1 ? costate_sin_remainder_d1(r) : costate_cos_remainder_d1(r);
  return ((quadrant + 1) & 2) != 0 ? -y : y;
}
