// Written by Tools/minimax.py: polynomial coefficients, lowest order first, those of even and of odd
// powers apart.
#ifndef COSTATE_CLANES_COEFFICIENTS_H
#define COSTATE_CLANES_COEFFICIENTS_H

// sin x = x + x z P(z), z = x^2, |x| <= pi/4; error 2^-58.0.
#define COSTATE_SINE_64_EVEN -0x1.5555555555549p-3, -0x1.a01a019c01d99p-13, -0x1.ae5e5aae34d89p-26
#define COSTATE_SINE_64_ODD 0x1.111111110f802p-7, 0x1.71de35697c362p-19, 0x1.5d8f8be3637f7p-33
// sin x = x + x z P(z), z = x^2, |x| <= pi/4; error 2^-28.0.
#define COSTATE_SINE_32_EVEN -0x1.5555460000000p-3, -0x1.9947d40000000p-13
#define COSTATE_SINE_32_ODD 0x1.11074c0000000p-7

// cos x = 1 - z/2 + z^2 P(z), z = x^2, |x| <= pi/4; error 2^-64.2.
#define COSTATE_COSINE_64_EVEN 0x1.555555555554bp-5, 0x1.a01a019ca468ep-16, 0x1.1ee9e4d44d7b5p-29
#define COSTATE_COSINE_64_ODD -0x1.6c16c16c150fbp-10, -0x1.27e4f7ffe6f79p-22, -0x1.8faad18ee2855p-37
// cos x = 1 - z/2 + z^2 P(z), z = x^2, |x| <= pi/4; error 2^-33.3.
#define COSTATE_COSINE_32_EVEN 0x1.55554a0000000p-5, 0x1.99fc180000000p-16
#define COSTATE_COSINE_32_ODD -0x1.6c0c760000000p-10

// exp x = 1 + x + x^2 P(x), |x| <= ln 2 / 2; error 2^-58.0.
#define COSTATE_EXPONENTIAL_64_EVEN 0x1.000000000000bp-1, 0x1.5555555550022p-5, 0x1.6c16c185aa940p-10, 0x1.a019968a5cc8dp-16, 0x1.28b052399f2eep-22
#define COSTATE_EXPONENTIAL_64_ODD 0x1.5555555555561p-3, 0x1.111111110d5eep-7, 0x1.a01a01baf9e44p-13, 0x1.71dddf9bd1b00p-19, 0x1.af85cc940405fp-26
// exp x = 1 + x + x^2 P(x), |x| <= ln 2 / 2; error 2^-28.3.
#define COSTATE_EXPONENTIAL_32_EVEN 0x1.0000000000000p-1, 0x1.55545e0000000p-5, 0x1.6db48e0000000p-10
#define COSTATE_EXPONENTIAL_32_ODD 0x1.55548e0000000p-3, 0x1.123b660000000p-7

// log (1+s)/(1-s) = 2 s + s z P(z), z = s^2, sqrt(1/2) <= (1+s)/(1-s) <= sqrt 2; error 2^-59.5.
#define COSTATE_LOGARITHM_64_EVEN 0x1.5555555555592p-1, 0x1.24924941f4829p-2, 0x1.74663f87d5364p-3, 0x1.2f06175bc5a59p-3
#define COSTATE_LOGARITHM_64_ODD 0x1.999999997fd7cp-2, 0x1.c71c52067d521p-3, 0x1.39a1a9c27a07dp-3
// log (1+s)/(1-s) = 2 s + s z P(z), z = s^2, sqrt(1/2) <= (1+s)/(1-s) <= sqrt 2; error 2^-30.2.
#define COSTATE_LOGARITHM_32_EVEN 0x1.55557a0000000p-1, 0x1.31e3200000000p-2
#define COSTATE_LOGARITHM_32_ODD 0x1.995eb80000000p-2

// tanh x = x + x z P(z), z = x^2, |x| <= 0.55; error 2^-60.6.
#define COSTATE_HYPERBOLIC_TANGENT_64_EVEN -0x1.555555555554fp-2, -0x1.ba1ba1b97cf87p-5, -0x1.226e2f0beb27dp-7, -0x1.7d8fba58bab22p-10, -0x1.e96524df34776p-13, -0x1.46b693e2433e3p-16
#define COSTATE_HYPERBOLIC_TANGENT_64_ODD 0x1.111111111079bp-3, 0x1.664f48593e6fbp-6, 0x1.d6d299ebf309ap-9, 0x1.3482bffce4096p-11, 0x1.5d52bd7b5fe39p-14
// tanh x = x + x z P(z), z = x^2, |x| <= 0.55; error 2^-29.9.
#define COSTATE_HYPERBOLIC_TANGENT_32_EVEN -0x1.55554a0000000p-2, -0x1.b9295e0000000p-5, -0x1.9b3c2e0000000p-8
#define COSTATE_HYPERBOLIC_TANGENT_32_ODD 0x1.110d2e0000000p-3, 0x1.59419c0000000p-6

// asin x = x + x z P(z), z = x^2, |x| <= 1/2; error 2^-55.9.
#define COSTATE_ARC_SINE_64_EVEN 0x1.5555555555384p-3, 0x1.6db6db419cfc1p-5, 0x1.6e89edbd710adp-6, 0x1.c6f6621db27b5p-7, 0x1.aa37598bc2fbbp-8, -0x1.0b7eec58edd7ep-6
#define COSTATE_ARC_SINE_64_ODD 0x1.333333336fdbap-4, 0x1.f1c72c7f6ac46p-6, 0x1.1c6c42809f443p-6, 0x1.8ef2c30dc6656p-7, 0x1.41086ee1ba8e2p-6, 0x1.05fe6ee765cfbp-5
// asin x = x + x z P(z), z = x^2, |x| <= 1/2; error 2^-27.6.
#define COSTATE_ARC_SINE_32_EVEN 0x1.5555ca0000000p-3, 0x1.748f360000000p-5, 0x1.59f55c0000000p-5
#define COSTATE_ARC_SINE_32_ODD 0x1.3301340000000p-4, 0x1.8b84be0000000p-6

// atan x = x + x z P(z), z = x^2, |x| <= 1/2; error 2^-57.8.
#define COSTATE_ARC_TANGENT_64_EVEN -0x1.5555555555518p-2, -0x1.249249216ce2ap-3, -0x1.745cf535ce8a5p-4, -0x1.10f35831c043fp-4, -0x1.a3a411bb66946p-5, -0x1.c1dc620e67affp-6
#define COSTATE_ARC_TANGENT_64_ODD 0x1.9999999991449p-3, 0x1.c71c70958b58fp-4, 0x1.3b1143c710b19p-4, 0x1.dfec4749dba7cp-5, 0x1.571474edbae55p-5, 0x1.4bfe18aaed0e7p-7
// atan x = x + x z P(z), z = x^2, |x| <= 1/2; error 2^-27.5.
#define COSTATE_ARC_TANGENT_32_EVEN -0x1.5555140000000p-2, -0x1.2253280000000p-3, -0x1.a516fc0000000p-5
#define COSTATE_ARC_TANGENT_32_ODD 0x1.997bc60000000p-3, 0x1.a059180000000p-4

// atanh s = s + s z/3 + s z^2 P(z), z = s^2, s as in the logarithm; error 2^-66.3.
#define COSTATE_POWER_LOGARITHM_64_EVEN 0x1.9999999999b30p-3, 0x1.c71c722d65580p-4, 0x1.3b1eec0654fb6p-4, 0x1.0e42b3c52a0d2p-4
#define COSTATE_POWER_LOGARITHM_64_ODD 0x1.2492492457d6bp-3, 0x1.745ce9e39890cp-4, 0x1.0f7fe96aa881dp-4
// log2 (1+s)/(1-s) = s P(z), z = s^2, s as in the logarithm; error 2^-37.3.
#define COSTATE_POWER_LOGARITHM_32_EVEN 0x1.71547652bee78p+1, 0x1.27778046a94dfp-1, 0x1.5ceaf9030fae2p-2
#define COSTATE_POWER_LOGARITHM_32_ODD 0x1.ec709d12417c0p-1, 0x1.a58d60df7f53dp-2
// 2^x = P(x), |x| <= 1/2; error 2^-29.0.
#define COSTATE_POWER_EXPONENTIAL_32_EVEN 0x1.ffffffff4dbacp-1, 0x1.ebfbe10e7f6bap-3, 0x1.3b2995bbf2cf8p-7, 0x1.449925b1bebd5p-13
#define COSTATE_POWER_EXPONENTIAL_32_ODD 0x1.62e430d094a86p-1, 0x1.c6aecbedc5507p-5, 0x1.5f48fa1e6bfbbp-10

// Constants in parts that add up to them; short parts have exact products with small integers.
#define COSTATE_HALF_PI_FUSED_64_1 0x1.921fb54442d18p+0
#define COSTATE_HALF_PI_FUSED_64_2 0x1.1a62633145c07p-54
#define COSTATE_HALF_PI_FUSED_64_3 -0x1.f1976b7ed8fbcp-110
#define COSTATE_HALF_PI_FUSED_32_1 0x1.921fb60000000p+0
#define COSTATE_HALF_PI_FUSED_32_2 -0x1.777a5c0000000p-25
#define COSTATE_HALF_PI_FUSED_32_3 -0x1.ee59da0000000p-50
#define COSTATE_HALF_PI_SHORT_64_1 0x1.921fb54442000p+0
#define COSTATE_HALF_PI_SHORT_64_2 0x1.a308d3131a000p-41
#define COSTATE_HALF_PI_SHORT_64_3 -0x1.d747f23e32ed7p-83
#define COSTATE_HALF_PI_SHORT_32_1 0x1.9220000000000p+0
#define COSTATE_HALF_PI_SHORT_32_2 -0x1.2af0000000000p-18
#define COSTATE_HALF_PI_SHORT_32_3 0x1.0b48000000000p-34
#define COSTATE_HALF_PI_SHORT_32_4 -0x1.ee59da0000000p-50
#define COSTATE_QUARTER_PI_64_1 0x1.921fb54442d18p-1
#define COSTATE_QUARTER_PI_64_2 0x1.1a62633145c07p-55
#define COSTATE_QUARTER_PI_32_1 0x1.921fb00000000p-1
#define COSTATE_QUARTER_PI_32_2 0x1.5110b40000000p-23
#define COSTATE_LN2_SHORT_64_1 0x1.62e42fefa3800p-1
#define COSTATE_LN2_SHORT_64_2 0x1.ef35793c76730p-45
#define COSTATE_LN2_SHORT_32_1 0x1.62e4000000000p-1
#define COSTATE_LN2_SHORT_32_2 0x1.7f7d1c0000000p-20
#define COSTATE_LN2_64_1 0x1.62e42fefa39efp-1
#define COSTATE_LN2_64_2 0x1.abc9e3b39803fp-56
#define COSTATE_LOG2_E_64 0x1.71547652b82fep+0
#define COSTATE_LOG2_E_32 0x1.7154760000000p+0
#define COSTATE_TWO_LOG2_E_64_1 0x1.71547652b82fep+1
#define COSTATE_TWO_LOG2_E_64_2 0x1.777d0ffda0d24p-55
#define COSTATE_THIRD_64_1 0x1.5555555555555p-2
#define COSTATE_THIRD_64_2 0x1.5555555555555p-56
#define COSTATE_TWO_OVER_PI_64 0x1.45f306dc9c883p-1
#define COSTATE_TWO_OVER_PI_32 0x1.45f3060000000p-1

// The binary digits of 2 / pi behind 64 zeros, 64 at a time.
#define COSTATE_TWO_OVER_PI_WORDS \
  0x0000000000000000ull, 0xa2f9836e4e441529ull, 0xfc2757d1f534ddc0ull, 0xdb6295993c439041ull, \
  0xfe5163abdebbc561ull, 0xb7246e3a424dd2e0ull, 0x06492eea09d1921cull, 0xfe1deb1cb129a73eull, \
  0xe88235f52ebb4484ull, 0xe99c7026b45f7e41ull, 0x3991d639835339f4ull, 0x9c845f8bbdf9283bull, \
  0x1ff897ffde05980full, 0xef2f118b5a0a6d1full, 0x6d367ecf27cb09b7ull, 0x4f463f669e5fea2dull, \
  0x7527bac7ebe5f17bull, 0x3d0739f78a5292eaull, 0x6bfb5fb11f8d5d08ull, 0x56033046fc7b6babull
#endif
