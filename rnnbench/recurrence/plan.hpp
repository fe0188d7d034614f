// The plan of a cell's step, for kernel.cpp: what plan.py and gradients.py decide, as the numbers
// that numbers.py writes. Buffers are numbered: inputs, states before the step, states after it,
// gates of each level, extras, vectors. Levels count from 0; the segments of stage s run after the
// products of level s - 1.

#include <cstdint>
#include <vector>

namespace {

typedef std::vector<int64_t> Numbers;

struct Place { int64_t buffer, start; };
struct View { int64_t root, offset, row, column; };  // row, column: strides
struct Term { int64_t start, width; View weight; };
struct Source { Place data; int64_t width; std::vector<Term> terms; };
struct Block { int64_t level, start, width; std::vector<Source> sources; int64_t depth; };
struct Bias { int64_t level, start, width; View vector; };
struct Row { int64_t width; View vector; };
struct Segment { int64_t stage, width, spare; std::vector<Place> in, out, to; };
struct Through { int64_t block, source; };
struct Return {
  int64_t level;
  Place target;
  int64_t width, adds;
  std::vector<Through> blocks;
  int64_t depth;
};

// Reads numbers in order; a list begins with its length. The entries of a {…} are read from left
// to right.
class Reader {
 public:
  explicit Reader(const int64_t* numbers) : next_(numbers) {}

  int64_t number() { return *next_++; }
  Numbers list() { return list([this] { return number(); }); }
  std::vector<Row> vectors() { return list([this] { return Row{number(), view()}; }); }
  std::vector<Block> blocks() { return list([this] { return block(); }); }
  std::vector<Bias> biases() {
    return list([this] { return Bias{number(), number(), number(), view()}; });
  }
  std::vector<Segment> segments() {
    return list([this] {
      return Segment{number(), number(), number(), places(), places(), places()};
    });
  }
  std::vector<Return> returns(const std::vector<Block>& blocks) {
    return list([&] {
      Return made{number(), place(), number(), number(),
                  list([this] { return Through{number(), number()}; }), 0};
      for (const Through& through : made.blocks) made.depth += blocks[through.block].width;
      return made;
    });
  }

 private:
  template <class F>
  auto list(F read) -> std::vector<decltype(read())> {
    std::vector<decltype(read())> made(number());
    for (auto& one : made) one = read();
    return made;
  }
  Place place() { return {number(), number()}; }
  std::vector<Place> places() { return list([this] { return place(); }); }
  View view() { return {number(), number(), number(), number()}; }
  Source source() {
    return {place(), number(), list([this] { return Term{number(), number(), view()}; })};
  }
  Block block() {
    Block made{number(), number(), number(), list([this] { return source(); }), 0};
    for (const Source& source : made.sources) made.depth += source.width;
    return made;
  }

  const int64_t* next_;
};

struct Plan {
  Reader reader;
  const Code* code;
  Numbers inputs = reader.list(), states = reader.list();
  int64_t output = reader.number();
  Numbers levels = reader.list(), extras = reader.list();
  std::vector<Row> vectors = reader.vectors();
  std::vector<Block> blocks = reader.blocks();
  std::vector<Bias> biases = reader.biases();
  std::vector<Segment> segments = reader.segments();
  std::vector<Return> returns = reader.returns(blocks);
  Numbers zeroed = reader.list();
  // where the buffers of a kind begin
  int64_t old_state = inputs.size();
  int64_t new_state = old_state + states.size();
  int64_t gates = new_state + states.size();
  int64_t extra = gates + levels.size();
  int64_t vector = extra + extras.size();
  int64_t buffers = vector + vectors.size();

  Plan(const int64_t* numbers, const Code* code) : reader(numbers), code(code) {}
};

}  // namespace
