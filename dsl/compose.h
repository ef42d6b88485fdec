// Compositions: lists of layers, `residual parallel repeat cycle share use`.
#pragma once
#include "dsl/define.h"

namespace weft::dsl {

class Composer {
 public:
  /// Shared weights are named below `shared`.
  explicit Composer(Program& program, std::string shared = "share")
      : program_(program), share_path_(std::move(shared)) {}
  /// The items in order, from `x`; weights are named below `prefix`. Throws Failed.
  Var run(const std::vector<Item>& items, Var x, Room& room, const std::string& prefix);

 private:
  struct Built {  // an item that stands, for `tie`
    std::string name, callee;
    std::size_t first_weight, last_weight;
  };
  struct Shared {
    const Item* item;
    std::string path;
  };
  Var item(const Item& item, const Var& x, Room& room, const std::string& path);
  Var build(const Item& item, const Var& x, Room& room, const std::string& path);
  Var call(const Item& item, const Var& x, Room& room, const std::string& path);
  Var call_op(const Op& op, const Item& item, const Var& x, Room& room);
  Var residual(const Item& item, const Var& x, Room& room, const std::string& path);
  Var parallel(const Item& item, const Var& x, Room& room, const std::string& path);
  Var repeated(const Item& item, Var x, Room& room, const std::string& path);
  Var share(const Item& item, const Var& x, Room& room);
  Var use(const Item& item, const Var& x, Room& room, const std::string& path);
  std::optional<WeightSlot> tied(const Argument& argument);
  Var combine(const std::string& op, const Var& a, const Var& b, Room& room, const Item& item);
  [[noreturn]] void fail(std::string_view code, const Span& span, const std::string& message,
                         const std::string& help = {});

  Program& program_;
  std::string share_path_;
  std::vector<const Module*> used_;  // files of the `use` items around it
  std::vector<Built> built_;
  std::map<std::string, Shared> shared_;
};

/// The room of a file: its params, for its composition. `caller` and what it `called` are those of a `use`.
Room file_room(Program& program, const Module& module, const std::vector<Argument>& arguments, Builder* caller,
               const Span& call, const std::string& called = {});

}  // namespace weft::dsl
