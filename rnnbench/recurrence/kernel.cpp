// A cell over a sequence, forward and backward, for any batch and length.
//
// This is the same for all cells and built once. What is multiplied with what, how wide it is and
// where it stands comes in as numbers (numbers.py writes them, `Plan` reads them); the loops over
// elements between the products come in as the table of code that a cell's own library holds.
// rnnbench puts segment.hpp in front of this text.
//
// Tensors are row-major float32: inputs [members, steps, rows, width], weights with a leading
// member dimension. A member's arithmetic never depends on how many members there are.

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

// ---------------------------------------------------------------------------------------------
// Matrix products. The right side is packed into panels of PANEL columns, so that the innermost
// loop reads it in order; a tile of the result stays in registers until it is complete.

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

// ---------------------------------------------------------------------------------------------
// The plan of a step, as numbers.

struct Place { int64_t buffer, start; };
struct View { int64_t root, offset, row, column; };
struct Term { int64_t start, width; View weight; };
struct Source { Place data; int64_t width; std::vector<Term> terms; };
struct Block { int64_t level, start, width, depth; std::vector<Source> sources; };
struct Bias { int64_t level, start, width; View vector; };
struct Row { int64_t width; View vector; };
struct Segment { int64_t stage, width, spare; std::vector<Place> in, out, to; };
struct Through { int64_t block, source; };
struct Return { int64_t level; Place target; int64_t width, adds, depth; std::vector<Through> blocks; };

struct Reader {
  const int64_t* next;
  int64_t number() { return *next++; }
  Place place() { Place p; p.buffer = number(); p.start = number(); return p; }
  View view() { View v; v.root = number(); v.offset = number(); v.row = number(); v.column = number(); return v; }
  template <class F> void each(F read) { for (int64_t n = number(); n > 0; n--) read(); }
};

// Buffers are numbered: inputs, states before the step, states after it, levels of gates,
// extras, vectors.
struct Plan {
  std::vector<int64_t> inputs, states, levels, extras;
  std::vector<Row> vectors;
  std::vector<Block> blocks;
  std::vector<Bias> biases;
  std::vector<Segment> segments;
  std::vector<Return> returns;
  std::vector<int64_t> zeroed;
  int64_t output, old_state, new_state, gates, extra, vector, buffers;
  const Code* code;

  Plan(const int64_t* numbers, const Code* code) : code(code) {
    Reader r{numbers};
    r.each([&] { inputs.push_back(r.number()); });
    r.each([&] { states.push_back(r.number()); });
    output = r.number();
    r.each([&] { levels.push_back(r.number()); });
    r.each([&] { extras.push_back(r.number()); });
    r.each([&] { Row v; v.width = r.number(); v.vector = r.view(); vectors.push_back(v); });
    r.each([&] {
      Block b; b.level = r.number(); b.start = r.number(); b.width = r.number(); b.depth = 0;
      r.each([&] {
        Source s; s.data = r.place(); s.width = r.number();
        r.each([&] { Term t; t.start = r.number(); t.width = r.number(); t.weight = r.view(); s.terms.push_back(t); });
        b.depth += s.width;
        b.sources.push_back(s);
      });
      blocks.push_back(b);
    });
    r.each([&] {
      Bias b; b.level = r.number(); b.start = r.number(); b.width = r.number(); b.vector = r.view();
      biases.push_back(b);
    });
    r.each([&] {
      Segment s; s.stage = r.number(); s.width = r.number(); s.spare = r.number();
      r.each([&] { s.in.push_back(r.place()); });
      r.each([&] { s.out.push_back(r.place()); });
      r.each([&] { s.to.push_back(r.place()); });
      segments.push_back(s);
    });
    r.each([&] {
      Return t; t.level = r.number(); t.target = r.place(); t.width = r.number(); t.adds = r.number(); t.depth = 0;
      r.each([&] { Through b; b.block = r.number(); b.source = r.number(); t.depth += blocks[b.block].width; t.blocks.push_back(b); });
      returns.push_back(t);
    });
    r.each([&] { zeroed.push_back(r.number()); });
    old_state = inputs.size();
    new_state = old_state + states.size();
    gates = new_state + states.size();
    extra = gates + levels.size();
    vector = extra + extras.size();
    buffers = vector + vectors.size();
  }
};

// What one call works on. `kept` says whether all steps are kept for a backward pass; without it
// there are two rows of steps for states other than the output, and one for all else.
struct Call {
  int64_t members, steps, rows, kept, needs_dx, has_dy;
  const int64_t* lengths;        // [members, rows], descending; null: all as long as `steps`
  float* const* inputs;          // each [members, steps, rows, width], strides below
  const int64_t* input_strides;  // member, step, row of each input
  float* const* states;          // each [members, steps + 1 or 2, rows, width]; the first is given
  float* work;                   // [members, steps or 1, rows, all levels and extras]
  const float* const* roots;     // weights, and what is computed from them
  const int64_t* root_strides;   // from one member to the next
  const float* dy;               // [members, steps, rows, width of the output]
  float* const* dstates;         // in: of the last states, out: of the first, [members, rows, width]
  float* dx;                     // [members, steps, rows, inputs], zeros
  float* const* droots;          // as roots, zeros; null where not needed
};

class Scratch {
 public:
  float* take(long count) {
    const size_t bytes = (size_t)(std::max<long>(count, 1) * 4 + 63) / 64 * 64;
    held_.emplace_back((float*)std::aligned_alloc(64, bytes));
    return held_.back().get();
  }
  float* zeros(long count) { float* p = take(count); std::memset(p, 0, count * 4); return p; }

 private:
  struct Free { void operator()(float* p) const { std::free(p); } };
  std::vector<std::unique_ptr<float, Free>> held_;
};

// One member's part of a call: where each buffer stands at a step, and the packed weights.
class Member {
 public:
  Member(const Plan& plan, const Call& call, long member)
      : plan_(plan), call_(call), member_(member), now_(plan.buffers) {
    long across = 0;
    for (int64_t width : plan.levels) across += width;
    for (int64_t width : plan.extras) across += width;
    float* work = call.work + member * (call.kept ? call.steps : 1) * call.rows * across;
    for (int64_t width : plan.levels) { work_.push_back(work); work += (call.kept ? call.steps : 1) * call.rows * width; }
    for (int64_t width : plan.extras) { work_.push_back(work); work += (call.kept ? call.steps : 1) * call.rows * width; }
    for (size_t v = 0; v < plan.vectors.size(); v++) {
      const Row& row = plan.vectors[v];
      float* to = scratch_.take(row.width);
      const float* from = root(row.vector);
      for (long j = 0; j < row.width; j++) to[j] = from[j * row.vector.column];
      now_[plan.vector + v] = {to, 0};
    }
  }

  // How many rows, from the first on, are not yet at their end.
  long active(long step) const {
    if (!call_.lengths) return call_.rows;
    const int64_t* lengths = call_.lengths + member_ * call_.rows;
    long rows = call_.rows;
    while (rows > 0 && lengths[rows - 1] <= step) rows--;
    return rows;
  }

  const float* root(const View& view) const {
    return call_.roots[view.root] + member_ * call_.root_strides[view.root] + view.offset;
  }

  void go_to(long step) {
    for (size_t i = 0; i < plan_.inputs.size(); i++) {
      const int64_t* stride = call_.input_strides + 3 * i;
      now_[i] = {call_.inputs[i] + member_ * stride[0] + step * stride[1], (long)stride[2]};
    }
    for (size_t s = 0; s < plan_.states.size(); s++) {
      const long width = plan_.states[s];
      now_[plan_.old_state + s] = {state(s, step), width};
      now_[plan_.new_state + s] = {state(s, step + 1), width};
    }
    const long at = call_.kept ? step : 0;
    for (size_t l = 0; l < plan_.levels.size(); l++)
      now_[plan_.gates + l] = {work_[l] + at * call_.rows * plan_.levels[l], (long)plan_.levels[l]};
    for (size_t e = 0; e < plan_.extras.size(); e++)
      now_[plan_.extra + e] = {
          work_[plan_.levels.size() + e] + at * call_.rows * plan_.extras[e], (long)plan_.extras[e]};
  }

  float* state(long s, long step) const {
    const bool all = call_.kept || s == plan_.output;
    const long steps = all ? call_.steps + 1 : 2;
    return call_.states[s] + (member_ * steps + (all ? step : step % 2)) * call_.rows * plan_.states[s];
  }

  Rows now(const Place& place) const {
    return {now_[place.buffer].at + place.start, now_[place.buffer].stride};
  }

  Left left(const Place& place, long depth) const {
    const Rows rows = now(place);
    return {rows.at, rows.stride, 1, depth};
  }

 protected:
  const Plan& plan_;
  const Call& call_;
  const long member_;
  Scratch scratch_;
  std::vector<Rows> now_;
  std::vector<float*> work_;
};

class ForwardPass : Member {
 public:
  ForwardPass(const Plan& plan, const Call& call, long member) : Member(plan, call, member) {
    for (const Block& block : plan.blocks) {
      float* panels = scratch_.zeros(panels_of(block.width) * PANEL * block.depth);
      long row = 0;
      for (const Source& source : block.sources) {
        for (const Term& term : source.terms)
          pack(source.width, term.width, root(term.weight), term.weight.row, term.weight.column,
               panels, block.depth, row, term.start);
        row += source.width;
      }
      panels_.push_back(panels);
    }
    for (int64_t width : plan.levels) biases_.push_back(scratch_.zeros(width + PANEL));
    for (const Bias& bias : plan.biases) {
      const float* from = root(bias.vector);
      float* to = biases_[bias.level] + bias.start;
      for (long j = 0; j < bias.width; j++) to[j] += from[j * bias.vector.column];
    }
  }

  void run() {
    std::vector<Rows> in, out;
    std::vector<Left> lefts;
    for (long step = 0; step < call_.steps; step++) {
      go_to(step);
      const long rows = active(step);
      for (size_t stage = 0; stage <= plan_.levels.size(); stage++) {
        for (size_t b = 0; b < plan_.blocks.size(); b++) {
          const Block& block = plan_.blocks[b];
          if (block.level + 1 != (long)stage) continue;
          lefts.clear();
          for (const Source& source : block.sources) lefts.push_back(left(source.data, source.width));
          const Rows to = now({plan_.gates + block.level, block.start});
          multiply(rows, block.width, lefts.data(), lefts.size(), panels_[b],
                   biases_[block.level] + block.start, to.at, to.stride, false);
        }
        for (size_t s = 0; s < plan_.segments.size(); s++) {
          const Segment& segment = plan_.segments[s];
          if (segment.stage != (long)stage) continue;
          in.clear(); out.clear();
          for (const Place& place : segment.in) in.push_back(now(place));
          for (const Place& place : segment.out) out.push_back(now(place));
          plan_.code[s].forward(rows, segment.width, in.data(), out.data());
        }
      }
      if (rows < call_.rows) rest(rows);
    }
  }

 private:
  // Sequences that have ended keep their state; what a backward pass multiplies is finite.
  void rest(long rows) {
    for (size_t s = 0; s < plan_.states.size(); s++) {
      const long width = plan_.states[s], first = rows * width;
      std::memcpy(now_[plan_.new_state + s].at + first, now_[plan_.old_state + s].at + first,
                  (call_.rows - rows) * width * 4);
    }
    for (const Block& block : plan_.blocks)
      for (const Source& source : block.sources)
        if (source.data.buffer >= plan_.gates && source.data.buffer < plan_.vector) {
          const Rows to = now(source.data);
          for (long r = rows; r < call_.rows; r++)
            std::memset(to.at + r * to.stride, 0, source.width * 4);
        }
  }

  std::vector<float*> panels_, biases_;
};

// A sum over very many rows: those of some steps first, since what is small is lost beside what
// has become large.
struct Sum {
  float *recent, *total;
  long width;
  void settle() {
    for (long j = 0; j < width; j++) { total[j] += recent[j]; recent[j] = 0; }
  }
};

class BackwardPass : Member {
 public:
  BackwardPass(const Plan& plan, const Call& call, long member)
      : Member(plan, call, member), gradient_(plan.buffers),
        together_(std::max<long>(1, 256 / std::max<long>(1, call.rows))) {
    for (const Return& item : plan.returns) {
      float* panels = scratch_.zeros(panels_of(item.width) * PANEL * item.depth);
      long row = 0;
      for (const Through& through : item.blocks) {
        const Block& block = plan.blocks[through.block];
        for (const Term& term : block.sources[through.source].terms)
          pack(term.width, item.width, root(term.weight), term.weight.column, term.weight.row,
               panels, item.depth, row + term.start, 0);
        row += block.width;
      }
      panels_.push_back(panels);
    }
    long widest = 0, spare = 0;
    for (const Block& block : plan.blocks) {
      widest = std::max<long>(widest, panels_of(block.width) * PANEL);
      dweights_.push_back(scratch_.zeros(block.depth * block.width));
    }
    packed_ = scratch_.take(widest * together_ * call.rows);
    for (int64_t width : plan.levels) {
      dgates_.push_back(scratch_.take(together_ * call.rows * width));
      dbiases_.push_back({scratch_.zeros(width), scratch_.zeros(width), width});
    }
    for (size_t s = 0; s < plan.states.size(); s++) {
      after_.push_back(call.dstates[s] + member * call.rows * plan.states[s]);
      before_.push_back(scratch_.take(call.rows * plan.states[s]));
    }
    for (size_t e = 0; e < plan.extras.size(); e++)
      gradient_[plan.extra + e] = {scratch_.take(call.rows * plan.extras[e]), (long)plan.extras[e]};
    for (size_t v = 0; v < plan.vectors.size(); v++) {
      const long width = plan.vectors[v].width;
      dvectors_.push_back({scratch_.zeros(width), scratch_.zeros(width), width});
      gradient_[plan.vector + v] = {dvectors_[v].recent, 0};
    }
    for (const Segment& segment : plan.segments) spare = std::max<long>(spare, segment.spare * segment.width);
    spare_ = scratch_.take(spare);
    // where nobody asks for dx, the segments' share of it goes nowhere
    nowhere_ = scratch_.zeros(call.needs_dx ? 0 : call.rows * plan.inputs[0]);
  }

  void run() {
    long end = call_.steps;
    for (long step = call_.steps - 1; step >= 0; step--) {
      const long begin = step / together_ * together_;
      one_step(step, begin);
      if (step == begin) { several_steps(begin, end); end = begin; }
    }
    for (size_t s = 0; s < plan_.states.size(); s++) {
      float* result = call_.dstates[s] + member_ * call_.rows * plan_.states[s];
      if (after_[s] != result) std::memcpy(result, after_[s], call_.rows * plan_.states[s] * 4);
    }
    to_roots();
  }

 private:
  void one_step(long step, long begin) {
    go_to(step);
    const long rows = active(step);
    for (size_t s = 0; s < plan_.states.size(); s++) {
      gradient_[plan_.new_state + s] = {after_[s], (long)plan_.states[s]};
      gradient_[plan_.old_state + s] = {before_[s], (long)plan_.states[s]};
    }
    for (size_t l = 0; l < plan_.levels.size(); l++) {
      const long width = plan_.levels[l];
      float* at = dgates_[l] + (step - begin) * call_.rows * width;
      gradient_[plan_.gates + l] = {at, width};
      if (rows < call_.rows) std::memset(at + rows * width, 0, (call_.rows - rows) * width * 4);
    }
    const long inputs = plan_.inputs[0];
    gradient_[0] = {
        call_.needs_dx ? call_.dx + (member_ * call_.steps + step) * call_.rows * inputs : nowhere_,
        inputs};
    if (call_.has_dy) {
      const long count = rows * plan_.states[plan_.output];
      const float* __restrict dy =
          call_.dy + (member_ * call_.steps + step) * call_.rows * plan_.states[plan_.output];
      float* __restrict to = after_[plan_.output];
      VECTORIZE
      for (long j = 0; j < count; j++) to[j] += dy[j];
    }
    for (int64_t buffer : plan_.zeroed)
      std::memset(gradient_[buffer].at, 0, call_.rows * gradient_[buffer].stride * 4);
    for (long stage = plan_.levels.size(); stage >= 0; stage--) {
      for (size_t s = 0; s < plan_.segments.size(); s++)
        if (plan_.segments[s].stage == stage) segment(s, rows);
      for (size_t r = 0; r < plan_.returns.size(); r++)
        if (plan_.returns[r].level + 1 == stage && plan_.returns[r].target.buffer != 0)
          go_back(r, rows, gradient_[plan_.returns[r].target.buffer], nullptr);
    }
    for (size_t s = 0; s < plan_.states.size(); s++) {
      const long width = plan_.states[s];
      if (rows < call_.rows)
        std::memcpy(before_[s] + rows * width, after_[s] + rows * width,
                    (call_.rows - rows) * width * 4);
      std::swap(before_[s], after_[s]);
    }
  }

  void segment(size_t s, long rows) {
    const Segment& segment = plan_.segments[s];
    in_.clear(); out_.clear(); to_.clear();
    for (const Place& place : segment.in) in_.push_back(now(place));
    for (const Place& place : segment.out) out_.push_back(gradient(place));
    for (const Place& place : segment.to) to_.push_back(gradient(place));
    plan_.code[s].backward(rows, segment.width, in_.data(), out_.data(), to_.data(), spare_);
  }

  Rows gradient(const Place& place) const {
    return {gradient_[place.buffer].at + place.start, gradient_[place.buffer].stride};
  }

  // Gradients of a level's gates times transposed weights; `from` overrides where those stand.
  void go_back(size_t r, long rows, Rows to, const float* from) {
    const Return& item = plan_.returns[r];
    const float* gates = from ? from : gradient_[plan_.gates + item.level].at;
    const long across = plan_.levels[item.level];
    lefts_.clear();
    for (const Through& through : item.blocks) {
      const Block& block = plan_.blocks[through.block];
      lefts_.push_back({gates + block.start, across, 1, block.width});
    }
    multiply(rows, item.width, lefts_.data(), lefts_.size(), panels_[r], nullptr,
             to.at + item.target.start, to.stride, item.adds);
  }

  // Products over several steps at once, while their gradients are in the cache.
  void several_steps(long begin, long end) {
    const long rows = (end - begin) * call_.rows;
    go_to(begin);
    for (size_t b = 0; b < plan_.blocks.size(); b++) {
      const Block& block = plan_.blocks[b];
      const long across = plan_.levels[block.level];
      const float* gates = dgates_[block.level] + block.start;
      pack_rows(rows, block.width, gates, across, packed_);
      float* to = dweights_[b];
      for (const Source& source : block.sources) {
        const Rows data = now(source.data);
        const Left left = {data.at, 1, data.stride, rows};
        multiply(source.width, block.width, &left, 1, packed_, nullptr, to, block.width, true);
        to += source.width * block.width;
      }
    }
    for (size_t l = 0; l < plan_.levels.size(); l++) {
      const long width = plan_.levels[l];
      float* __restrict to = dbiases_[l].recent;
      for (long r = 0; r < rows; r++) {
        const float* __restrict from = dgates_[l] + r * width;
        VECTORIZE
        for (long j = 0; j < width; j++) to[j] += from[j];
      }
      dbiases_[l].settle();
    }
    for (Sum& sum : dvectors_) sum.settle();
    if (call_.needs_dx)
      for (size_t r = 0; r < plan_.returns.size(); r++) {
        const Return& item = plan_.returns[r];
        if (item.target.buffer != 0) continue;
        const long inputs = plan_.inputs[0];
        const Rows to = {call_.dx + (member_ * call_.steps + begin) * call_.rows * inputs, inputs};
        go_back(r, rows, to, dgates_[item.level]);
      }
  }

  // Add what was gathered to the gradients of the weights, where they stand.
  void to_roots() {
    for (size_t b = 0; b < plan_.blocks.size(); b++) {
      const Block& block = plan_.blocks[b];
      const float* from = dweights_[b];
      for (const Source& source : block.sources) {
        for (const Term& term : source.terms)
          if (float* to = droot(term.weight))
            for (long k = 0; k < source.width; k++)
              for (long n = 0; n < term.width; n++)
                to[k * term.weight.row + n * term.weight.column] += from[k * block.width + term.start + n];
        from += source.width * block.width;
      }
    }
    for (const Bias& bias : plan_.biases)
      if (float* to = droot(bias.vector))
        for (long j = 0; j < bias.width; j++) to[j * bias.vector.column] += dbiases_[bias.level].total[bias.start + j];
    for (size_t v = 0; v < plan_.vectors.size(); v++)
      if (float* to = droot(plan_.vectors[v].vector))
        for (long j = 0; j < plan_.vectors[v].width; j++)
          to[j * plan_.vectors[v].vector.column] += dvectors_[v].total[j];
  }

  float* droot(const View& view) const {
    float* to = call_.droots[view.root];
    return to ? to + member_ * call_.root_strides[view.root] + view.offset : nullptr;
  }

  std::vector<Rows> gradient_;
  const long together_;
  std::vector<float*> panels_, dweights_, dgates_, after_, before_;
  std::vector<Sum> dbiases_, dvectors_;
  float *packed_, *spare_, *nowhere_;
  std::vector<Rows> in_, out_, to_;
  std::vector<Left> lefts_;
};

}  // namespace

#define PUBLIC extern "C" __attribute__((visibility("default")))

PUBLIC void* rnnbench_prepare(const int64_t* numbers, const void* code) {
  return new Plan(numbers, (const Code*)code);
}
PUBLIC void rnnbench_release(void* plan) { delete (Plan*)plan; }
PUBLIC void rnnbench_forward(const void* plan, const void* call) {
  const Call& given = *(const Call*)call;
  for (long member = 0; member < given.members; member++)
    ForwardPass(*(const Plan*)plan, given, member).run();
}
PUBLIC void rnnbench_backward(const void* plan, const void* call) {
  const Call& given = *(const Call*)call;
  for (long member = 0; member < given.members; member++)
    BackwardPass(*(const Plan*)plan, given, member).run();
}
