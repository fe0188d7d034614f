// What the segments of a cell are written with: rnnbench puts this text in front of them.
//
// A segment is a loop over the elements of a step. `in` are the rows that it reads, `out` those
// that it writes; backward, `out` are gradients of what it wrote and `to` gradients of what it
// reads. `spare` are rows of `width` to put gradients aside in.

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__clang__)
#define VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define VECTORIZE _Pragma("GCC ivdep")
#else
#define VECTORIZE
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

#if defined(__AVX__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int LANES = 16, VECTORS = 4;
#elif defined(__AVX__)
constexpr int LANES = 8, VECTORS = 2;
#elif defined(__aarch64__)
constexpr int LANES = 4, VECTORS = 4;
#else
constexpr int LANES = 4, VECTORS = 2;
#endif

// The floats of one vector, of which the first few may be loaded and stored alone.
struct Lanes { alignas(4 * LANES) float at[LANES]; };

#if defined(__AVX512F__)
ALWAYS_INLINE static void load(Lanes& to, const float* from, long count) {
  _mm512_store_ps(to.at, _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from));
}
ALWAYS_INLINE static void store(float* to, const Lanes& from, long count) {
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), _mm512_load_ps(from.at));
}
#elif defined(__AVX__)
alignas(32) static const int32_t FIRST[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
ALWAYS_INLINE static __m256i first(long count) {
  return _mm256_loadu_si256((const __m256i*)(FIRST + LANES - count));
}
ALWAYS_INLINE static void load(Lanes& to, const float* from, long count) {
  _mm256_store_ps(to.at, _mm256_maskload_ps(from, first(count)));
}
ALWAYS_INLINE static void store(float* to, const Lanes& from, long count) {
  _mm256_maskstore_ps(to, first(count), _mm256_load_ps(from.at));
}
#else
ALWAYS_INLINE static void load(Lanes& to, const float* from, long count) {
  for (long j = 0; j < LANES; j++) to.at[j] = j < count ? from[j] : 0.f;
}
ALWAYS_INLINE static void store(float* to, const Lanes& from, long count) {
  for (long j = 0; j < count; j++) to[j] = from.at[j];
}
#endif

struct Rows { float* at; long stride; };
typedef void (*Forward)(long rows, long width, const Rows* in, const Rows* out);
typedef void (*Backward)(
    long rows, long width, const Rows* in, const Rows* out, const Rows* to, float* spare);
struct Code { Forward forward; Backward backward; };

namespace {

// Functions of one number, written so that the compiler makes vector code of them. Errors are a
// few units in the last place; NaN stays NaN.

inline float from_bits(int32_t i) { float f; std::memcpy(&f, &i, 4); return f; }
inline int32_t to_bits(float f) { int32_t i; std::memcpy(&i, &f, 4); return i; }

// A number as a fraction and the power of two that scales it
struct Scaled { float fraction; int32_t power; };

// e^x (Cephes expf) without the 1 of its fraction
inline Scaled expm1_parts(float x) {
  const float rounded = x * 1.44269504f + 12582912.f;
  const float whole = rounded - 12582912.f;
  float r = x - whole * 0.693359375f;
  r = r + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return {p * (r * r) + r, to_bits(rounded) - 0x4B400000};
}

inline Scaled exp_parts(float x) {
  const Scaled e = expm1_parts(x);
  return {e.fraction + 1.f, e.power};
}

// 2^n, and infinity for 128; unsigned, since what comes of NaN may not fit
inline float power_of_two(int32_t n) { return from_bits((int32_t)((uint32_t)(n + 127) << 23)); }

inline float exp_within(float x) {
  // above, to infinity: a gate must close wholly, or 0 · infinity would not be NaN
  const Scaled e = exp_parts(x < -87.f ? -87.f : (x > 89.f ? 89.f : x));
  return e.fraction * power_of_two(e.power);
}

inline float exp_(float x) {
  const Scaled e = exp_parts(x < -104.f ? -104.f : (x > 89.f ? 89.f : x));
  // in two factors: e^88.7 is a float and 2^128 is none
  const int32_t half = e.power >> 1;
  return e.fraction * power_of_two(half) * power_of_two(e.power - half);
}

inline float log_(float x) {  // Cephes logf
  const bool tiny = x < 1.17549435e-38f;
  const float y = tiny ? x * 8388608.f : x;
  const int32_t bits = to_bits(y);
  const float m0 = from_bits((bits & 0x007fffff) | 0x3f000000);
  const bool low = m0 < 0.707106781f;
  const float m = low ? m0 + m0 - 1.f : m0 - 1.f;
  const float e = (float)((bits >> 23) - 126) - (low ? 1.f : 0.f) - (tiny ? 23.f : 0.f);
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float r = p * m * z + e * -2.12194440e-4f - 0.5f * z + m + e * 0.693359375f;
  r = x > 3.4028234e38f ? x : r;
  r = x == 0.f ? -INFINITY : r;
  r = x < 0.f ? NAN : r;
  return x != x ? x : r;
}

inline float log1p_(float x) {
  const float u = 1.f + x, d = u - 1.f;
  const float scaled = log_(u) * (x / d);
  return d == 0.f ? x : (u == x ? log_(u) : scaled);
}

inline float expm1_(float x) {
  float series = 1.f / 40320.f;
  series = series * x + 1.f / 5040.f;
  series = series * x + 1.f / 720.f;
  series = series * x + 1.f / 120.f;
  series = series * x + 1.f / 24.f;
  series = series * x + 1.f / 6.f;
  series = series * x + 0.5f;
  series = series * x * x + x;
  const float direct = exp_(x) - 1.f;
  return x < 0.35f && x > -0.35f ? series : direct;
}

inline float sigmoid_(float x) { return 1.f / (1.f + exp_within(-x)); }

// E over E + 2, with E = e^2x - 1, which of a small x is not the difference of two numbers near 1
inline float tanh_(float x) {
  const float a = fabsf(x);
  const Scaled e = expm1_parts(2.f * (a > 10.f ? 10.f : a));
  const float two = power_of_two(e.power);
  const float expm1 = two * e.fraction + (two - 1.f);
  return copysignf(expm1 / (expm1 + 2.f), x);
}

// max(x, 0) + log(1 + e), e = e^-|x|; the log is 2 artanh(e / (2 + e))
inline float softplus_(float x) {
  const float e = exp_(x < 0.f ? x : -x), s = e / (2.f + e), z = s * s;
  float p = 2.f / 13.f;
  p = p * z + 2.f / 11.f;
  p = p * z + 2.f / 9.f;
  p = p * z + 2.f / 7.f;
  p = p * z + 2.f / 5.f;
  p = p * z + 2.f / 3.f;
  p = p * z * s + 2.f * s;
  return x > 0.f ? x + p : p;
}

inline float erf_(float x) {  // fitted: relative errors of 2e-8 below 0.92, 3e-9 above
  const float a = x < 0.f ? -x : x, t = a > 4.f ? 4.f : a, z = x * x;
  float s = -5.988752777e-4f;
  s = s * z + 4.993274870e-3f;
  s = s * z - 2.676710070e-2f;
  s = s * z + 1.128184392e-1f;
  s = s * z - 3.761249810e-1f;
  s = s * z + 1.283791506e-1f;
  s = s * x + x;
  float r = -2.139860243e-4f;  // -log(erfc(t)) is t + t · r
  r = r * t + 3.214963919e-3f;
  r = r * t - 2.288998920e-2f;
  r = r * t + 1.052618796e-1f;
  r = r * t + 6.357182893e-1f;
  r = r * t + 1.285143682e-1f;
  const float big = 1.f - exp_within(-(r * t + t));
  return a < 0.92f ? s : (x < 0.f ? -big : big);
}

// An angle as a whole number of quarter turns and the rest, exact enough up to 1e8; beyond, where
// neighbouring floats are turns apart, it is only kept in bounds.
struct Angle { float rest; int32_t quarters; };

inline Angle angle(float x) {
  const double shifted = x * 0.63661977236758134 + 6755399441055744.0;
  const double whole = shifted - 6755399441055744.0;
  const double d = x - whole * 1.5707963267341256 - whole * 6.0771005065061922e-11;
  const float r = (float)d;
  int64_t bits;
  std::memcpy(&bits, &shifted, 8);
  return {r < -1.f ? -1.f : (r > 1.f ? 1.f : r), (int32_t)bits};
}

inline float sine(float r) {  // Cephes sinf, |r| <= π/4
  const float z = r * r;
  return ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
}

inline float cosine(float r) {  // Cephes cosf
  const float z = r * r;
  const float p = (2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f;
  return p * z * z - 0.5f * z + 1.f;
}

inline float sin_(float x) {
  const Angle a = angle(x);
  const float value = a.quarters & 1 ? cosine(a.rest) : sine(a.rest);
  return a.quarters & 2 ? -value : value;
}

inline float cos_(float x) {
  const Angle a = angle(x);
  const float value = a.quarters & 1 ? sine(a.rest) : cosine(a.rest);
  return (a.quarters + 1) & 2 ? -value : value;
}

inline float tan_(float x) {
  const Angle a = angle(x);
  const float s = sine(a.rest), c = cosine(a.rest);
  return a.quarters & 1 ? -c / s : s / c;
}

inline float atan_(float x) {  // Cephes atanf
  const float a = x < 0.f ? -x : x;
  const bool large = a > 2.414213562f, middle = a > 0.4142135624f;
  const float y = large ? -1.f / a : (middle ? (a - 1.f) / (a + 1.f) : a);
  const float start = large ? 1.570796327f : (middle ? 0.785398163f : 0.f);
  const float z = y * y;
  float p = 8.05374449538e-2f;
  p = p * z - 1.38776856032e-1f;
  p = p * z + 1.99777106478e-1f;
  p = p * z - 3.33329491539e-1f;
  const float r = start + (p * z * y + y);
  return x < 0.f ? -r : r;
}

// What is left of a division, with the sign of the divisor
inline float remainder_(float x, float y) {
  const float r = fmodf(x, y);
  return r != 0.f && (r < 0.f) != (y < 0.f) ? r + y : r;
}

}  // namespace
