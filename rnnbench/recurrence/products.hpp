// Matrix products, for kernel.cpp.
//
// The right side is packed into panels of PANEL columns, so that the innermost loop reads it in
// order; a tile of the result stays in registers until it is complete. A tile has up to 6 rows and
// VECTORS vectors of columns, which with VECTORS more for a row of the right side and one for the
// left side is what the registers hold: 29 of 32 (AVX-512, NEON), 15 of 16 (AVX2, SSE).

#include <algorithm>
#include <cstring>

namespace {

constexpr int PANEL = LANES * VECTORS;
typedef float Vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// The left side of a product: entry (m, k) stands at from[m * row + k * column], k < depth.
struct Left { const float* from; long row, column, depth; };

long panels_of(long width) { return (width + PANEL - 1) / PANEL; }

template <int ROWS, int COLUMNS>
inline __attribute__((always_inline)) void tile(
    const Left* lefts, int count, long first, const float* panel, const float* start, float* to,
    long stride, long width, bool add) {
  Vector sums[ROWS][COLUMNS];
  for (int v = 0; v < COLUMNS; v++) {
    const Vector begin = start ? *(const Vector*)(start + LANES * v) : Vector{};
    for (int m = 0; m < ROWS; m++) sums[m][v] = begin;
  }
  for (int s = 0; s < count; s++) {
    const Left left = lefts[s];
    const float* a = left.from + first * left.row;
    for (long k = 0; k < left.depth; k++, a += left.column, panel += PANEL) {
      Vector b[COLUMNS];
#pragma GCC unroll 8
      for (int v = 0; v < COLUMNS; v++) b[v] = *(const Vector*)(panel + LANES * v);
#pragma GCC unroll 8
      for (int m = 0; m < ROWS; m++) {
        const float value = a[m * left.row];
#pragma GCC unroll 8
        for (int v = 0; v < COLUMNS; v++) sums[m][v] += value * b[v];
      }
    }
  }
  for (int m = 0; m < ROWS; m++) {
    float* row = to + m * stride;
    for (int v = 0; v < COLUMNS; v++) {
      const long left = width - LANES * v;
      if (left >= LANES) {
        Vector* at = (Vector*)(row + LANES * v);
        *at = add ? *at + sums[m][v] : sums[m][v];
      } else if (left > 0) {
        Lanes sum, before;
        std::memcpy(sum.at, &sums[m][v], sizeof sum.at);
        if (add) {
          load(before, row + LANES * v, left);
          for (int j = 0; j < LANES; j++) sum.at[j] += before.at[j];
        }
        store(row + LANES * v, sum, left);
      }
    }
  }
}

template <int COLUMNS>
void rows_of(
    long rows, const Left* lefts, int count, const float* panel, const float* start, float* to,
    long stride, long width, bool add) {
  long m = 0;
  for (; m + 6 <= rows; m += 6)
    tile<6, COLUMNS>(lefts, count, m, panel, start, to + m * stride, stride, width, add);
  for (; m + 4 <= rows; m += 4)
    tile<4, COLUMNS>(lefts, count, m, panel, start, to + m * stride, stride, width, add);
  for (; m + 2 <= rows; m += 2)
    tile<2, COLUMNS>(lefts, count, m, panel, start, to + m * stride, stride, width, add);
  for (; m < rows; m++)
    tile<1, COLUMNS>(lefts, count, m, panel, start, to + m * stride, stride, width, add);
}

// to[m, n] (+)= start[n] + Σ over lefts of left[m, :] · panels[:, n]; the depths of the lefts
// follow each other in the panels. `start` is whole panels long, or null for zeros.
void multiply(
    long rows, long width, const Left* lefts, int count, const float* panels, const float* start,
    float* to, long stride, bool add) {
  long depth = 0;
  for (int s = 0; s < count; s++) depth += lefts[s].depth;
  for (long n = 0; n < width; n += PANEL) {
    const long columns = std::min<long>(PANEL, width - n);
    const float* panel = panels + n * depth;
    const float* begin = start ? start + n : nullptr;
    if (VECTORS > 3 && columns > 3 * LANES)
      rows_of<(VECTORS > 3 ? 4 : 1)>(rows, lefts, count, panel, begin, to + n, stride, columns, add);
    else if (VECTORS > 2 && columns > 2 * LANES)
      rows_of<(VECTORS > 2 ? 3 : 1)>(rows, lefts, count, panel, begin, to + n, stride, columns, add);
    else if (columns > LANES)
      rows_of<2>(rows, lefts, count, panel, begin, to + n, stride, columns, add);
    else
      rows_of<1>(rows, lefts, count, panel, begin, to + n, stride, columns, add);
  }
}

// Add a matrix [depth, width], entry (k, n) at from[k * row + n * column], to panels of `total`
// rows, from row `first` and column `start` on.
void pack(
    long depth, long width, const float* from, long row, long column, float* panels, long total,
    long first, long start) {
  for (long n = 0; n < width; n++) {
    float* to = panels + (start + n) / PANEL * PANEL * total + first * PANEL + (start + n) % PANEL;
    for (long k = 0; k < depth; k++) to[k * PANEL] += from[k * row + n * column];
  }
}

// Copy rows [depth, width] into panels of `depth` rows; the last panel is filled up with zeros.
void pack_rows(long depth, long width, const float* from, long stride, float* panels) {
  for (long n = 0; n < width; n += PANEL) {
    const long columns = std::min<long>(PANEL, width - n);
    float* to = panels + n * depth;
    if (columns == PANEL)
      for (long k = 0; k < depth; k++) std::memcpy(to + k * PANEL, from + k * stride + n, PANEL * 4);
    else
      for (long k = 0; k < depth; k++) {
        std::memcpy(to + k * PANEL, from + k * stride + n, columns * 4);
        std::memset(to + k * PANEL + columns, 0, (PANEL - columns) * 4);
      }
  }
}

}  // namespace
