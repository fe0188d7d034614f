// The highest rate of float32 arithmetic that one core reaches: independent fused multiply-adds on
// registers, enough of them to hide their latency.
#if defined(__AVX512F__)
constexpr int width = 16, chains = 24;
#elif defined(__AVX__)
constexpr int width = 8, chains = 12;
#elif defined(__aarch64__)
constexpr int width = 4, chains = 24;
#else
constexpr int width = 4, chains = 12;
#endif

typedef float vector __attribute__((vector_size(width * sizeof(float))));

// Return how many operations were done; `result` keeps the compiler from leaving them out.
extern "C" __attribute__((visibility("default"))) double multiply_add(long rounds, float factor,
                                                                       float summand,
                                                                       float *result) {
    vector sums[chains], factors = vector{} + factor, summands = vector{} + summand;
    for (int chain = 0; chain < chains; chain++) sums[chain] = vector{} + float(chain);
    for (long round = 0; round < rounds; round++) {
#pragma GCC unroll 24
        for (int chain = 0; chain < chains; chain++)
            sums[chain] = sums[chain] * factors + summands;
    }
    *result = 0;
    for (int chain = 0; chain < chains; chain++)
        for (int lane = 0; lane < width; lane++) *result += sums[chain][lane];
    return 2.0 * rounds * chains * width;
}
