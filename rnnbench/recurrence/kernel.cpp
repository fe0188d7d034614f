// A cell over a sequence, forward and backward, for any batch and length.
//
// This is the same for all cells and built once. What is multiplied with what, how wide it is and
// where it stands comes in as a plan (plan.hpp); the loops over elements between the products come
// in as the table of code that a cell's own library holds (segment.hpp says what it looks like).
// rnnbench puts segment.hpp, products.hpp and plan.hpp in front of this text.
//
// Tensors are row-major float32: inputs [members, steps, rows, width], weights with a leading
// member dimension. A row is a sequence of the batch. A member's arithmetic never depends on how
// many members there are.

#include <cstdlib>
#include <memory>
#include <new>

namespace {

// What one call works on. `history` says whether all steps are kept for a backward pass; without
// it there are two rows of steps for states other than the output, and one for all else.
struct Call {
  int64_t members, steps, rows, history;
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
    if (!held_.back()) throw std::bad_alloc();
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
    const long periods = call.history ? call.steps : 1;
    float* work = call.work + member * periods * call.rows * across;
    for (const Numbers* widths : {&plan.levels, &plan.extras})
      for (int64_t width : *widths) {
        work_.push_back(work);
        work += periods * call.rows * width;
      }
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
    const long at = call_.history ? step : 0;
    for (size_t l = 0; l < plan_.levels.size(); l++)
      now_[plan_.gates + l] = {work_[l] + at * call_.rows * plan_.levels[l], (long)plan_.levels[l]};
    for (size_t e = 0; e < plan_.extras.size(); e++)
      now_[plan_.extra + e] = {
          work_[plan_.levels.size() + e] + at * call_.rows * plan_.extras[e], (long)plan_.extras[e]};
  }

  float* state(long s, long step) const {
    const bool all = call_.history || s == plan_.output;
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

// Gradients of weights are products over steps: of so many rows at once that packing them pays,
// and so few that they stay in the cache.
constexpr long AT_ONCE = 256;

class BackwardPass : Member {
 public:
  BackwardPass(const Plan& plan, const Call& call, long member)
      : Member(plan, call, member), gradient_(plan.buffers),
        together_(std::max<long>(1, AT_ONCE / std::max<long>(1, call.rows))) {
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
    for (const Segment& segment : plan.segments)
      spare = std::max<long>(spare, segment.spare * segment.width);
    spare_ = scratch_.take(spare);
    // where nobody asks for dx, the segments' share of it goes nowhere
    nowhere_ = scratch_.zeros(call.dx ? 0 : call.rows * plan.inputs[0]);
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
        call_.dx ? call_.dx + (member_ * call_.steps + step) * call_.rows * inputs : nowhere_,
        inputs};
    if (call_.dy) {
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
    if (call_.dx)
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
                to[k * term.weight.row + n * term.weight.column] +=
                    from[k * block.width + term.start + n];
        from += source.width * block.width;
      }
    }
    for (const Bias& bias : plan_.biases)
      if (float* to = droot(bias.vector))
        for (long j = 0; j < bias.width; j++)
          to[j * bias.vector.column] += dbiases_[bias.level].total[bias.start + j];
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

// Runs a pass of every member, `first` or last one first; returns whether there was not enough
// memory. The backward pass begins with the member whose history is still in the cache.
template <class Pass>
int64_t run(const void* plan, const void* call, bool first) {
  const Call& given = *(const Call*)call;
  try {
    for (long done = 0; done < given.members; done++)
      Pass(*(const Plan*)plan, given, first ? done : given.members - 1 - done).run();
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

}  // namespace

#define PUBLIC extern "C" __attribute__((visibility("default")))

PUBLIC void* rnnbench_prepare(const int64_t* numbers, const void* code) {
  return new Plan(numbers, (const Code*)code);
}
PUBLIC void rnnbench_release(void* plan) { delete (Plan*)plan; }
PUBLIC int64_t rnnbench_forward(const void* plan, const void* call) {
  return run<ForwardPass>(plan, call, true);
}
PUBLIC int64_t rnnbench_backward(const void* plan, const void* call) {
  return run<BackwardPass>(plan, call, false);
}
