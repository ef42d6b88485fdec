#include "dsl/expand.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/def_reader.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

Yaml scalar(const std::string& text, const Span& span) {
  Yaml node;
  node.kind = Yaml::Kind::scalar;
  node.text = text;
  node.span = span;
  return node;
}

Yaml empty_map(const Span& span) {
  Yaml node;
  node.kind = Yaml::Kind::map;
  node.span = span;
  return node;
}

// What all files of one expansion share.
struct Expansion {
  Modules& modules;
  std::vector<std::string>& notes;
  Diagnostics& diagnostics;
  std::vector<const Module*> open = {};  // the files around, to see one that uses itself
  int inlined = 0;
};

// One file, or one `inline`: it holds the defs of its own rooms, which are the modules it imports.
class Expander {
 public:
  Expander(const Module& module, Yaml& tree, Expansion& all) : module_(module), tree_(tree), all_(all) {}

  void run() {
    std::erase_if(tree_.entries, [](const Entry& e) { return e.key.text == "import"; });
    if (const Yaml* defs = tree_.find("defs"); defs && defs->is_map()) defs_ = *defs;
    defs_.kind = Yaml::Kind::map;
    for (const Def& def : module_.file.defs) calls(module_, "", def);
    layers(module_.file.model);
    for (const auto& [room, names] : from_prelude_) settle(*room.first, room.second, names);
    if (Yaml* model = tree_.find("model")) rewrite(*model, module_.file.model);
    put_defs();
  }

 private:
  using RoomKey = std::pair<const Module*, std::string>;  // a module, and the prefix of its defs here

  // ---- what is needed ------------------------------------------------------------------------------------------

  void layers(const std::vector<Item>& items) {
    for (const Item& item : items) {
      if (item.kind == Item::Kind::call) layer(item.callee);
      if (item.norm) layer(item.norm->callee);
      layers(item.body);
      for (const auto& branch : item.branches) layers(branch);
    }
  }

  void layer(const std::string& name) {
    if (find_def(module_, name, false)) need(module_, "", name);
    else if (find_def(module_, name, true)) from_prelude_[{&module_, ""}].insert(name);
  }

  void calls(const Module& in, const std::string& prefix, const Def& def) {
    for (const std::string& name : calls_in(def)) {
      if (prefix.empty()) called_.insert(name);
      const bool own = static_cast<bool>(find_def(in, name, false));
      if (own && name != def.name) need(in, prefix, name);
      else if (!own && !ops::find(name) && find_def(in, name, true)) from_prelude_[{&in, prefix}].insert(name);
    }
  }

  // A def that is called `name` in `in`; what belongs to this file itself stands there already.
  void need(const Module& in, const std::string& prefix, const std::string& name) {
    const FoundDef found = find_def(in, name, false);
    if (!found || !seen_.insert({found.def, prefix + name}).second) return;
    const std::string room = prefix + name.substr(0, name.size() - found.def->name.size());
    if (!room.empty()) copy(room + found.def->name, *found.module, *found.def);
    calls(*found.module, room, *found.def);
  }

  void copy(const std::string& name, const Module& from, const Def& def) {
    if (defs_.find(name)) return;
    defs_.entries.push_back({scalar(name, def.span), *from.file.tree->find("defs")->find(def.name)});
  }

  // ---- the prelude ---------------------------------------------------------------------------------------------

  // Layers of the prelude in one room, with those that they call.
  void settle(const Module& in, const std::string& prefix, std::set<std::string> names) {
    for (std::size_t before = 0; before != names.size();) {
      before = names.size();
      for (const std::string& name : std::set<std::string>(names)) {
        for (const std::string& called : calls_in(*in.prelude->file.find_def(name))) {
          if (!ops::find(called) && in.prelude->file.find_def(called)) names.insert(called);
        }
      }
    }
    for (const std::string& name : names) {
      const Def& def = *in.prelude->file.find_def(name);
      const std::string hidden = hidden_by(in, def);
      if (!hidden.empty()) {
        all_.notes.push_back(
            fmt::format("`{}` stays a layer of the prelude: it calls `{}`, which is another def here", name, hidden));
        continue;
      }
      const std::string here = hides_op(in, names, name) ? fresh(in, name + "_layer") : name;
      if (here != name) renamed_[name] = here;
      copy(prefix + here, *in.prelude, def);
    }
  }

  // A name that the layer calls and that is something else in the room.
  static std::string hidden_by(const Module& in, const Def& def) {
    for (const std::string& name : calls_in(def)) {
      if (find_def(in, name, false)) return name;
    }
    return {};
  }

  // An equation that calls `rms_norm` means the op, and must not come to mean the layer. Equations alone call into
  // other rooms, and what they call by the name of an op is that op: it is never copied there.
  bool hides_op(const Module& in, const std::set<std::string>& names, const std::string& name) const {
    if (!ops::find(name)) return false;
    if (called_.contains(name)) return true;
    return std::any_of(names.begin(), names.end(), [&](const std::string& other) {
      return other != name && calls_in(*in.prelude->file.find_def(other)).contains(name);
    });
  }

  static std::string fresh(const Module& in, std::string name) {
    while (find_def(in, name, true) || ops::find(name)) name += "_";
    return name;
  }

  // ---- the composition -----------------------------------------------------------------------------------------

  void rewrite(Yaml& value, const std::vector<Item>& items) {
    for (std::size_t i = 0; i < items.size(); ++i)
      rewrite(value.is_list() ? value.items[i] : value, items[i], fmt::format("{}.", i));
  }

  // `place` is what stands before the kind of the item in the names of its weights.
  void rewrite(Yaml& value, const Item& item, const std::string& place) {
    switch (item.kind) {
      case Item::Kind::call: return rename(value, item, place);
      case Item::Kind::use:
      case Item::Kind::inlined: return inlined(value, item, place);
      default: break;
    }
    Yaml& map = *value.find(key_of(item.kind));
    if (item.norm) rewrite(*map.find("norm"), *item.norm, "");
    for (const char* key : {"body", "of"}) {
      Yaml* inner = map.find(key);
      if (inner && item.kind != Item::Kind::cycle) rewrite(*inner, item.body);
    }
    Yaml* branches = map.find(item.kind == Item::Kind::cycle ? "of" : "branches");
    for (std::size_t b = 0; branches && b < item.branches.size(); ++b)
      rewrite(branches->is_list() ? branches->items[b] : *branches, item.branches[b]);
  }

  void rename(Yaml& value, const Item& item, const std::string& place) {
    const auto here = renamed_.find(item.callee);
    if (here == renamed_.end()) return;
    if (value.is_scalar()) {
      Entry alone{value, empty_map(value.span)};
      value = empty_map(value.span);
      value.entries.push_back(std::move(alone));
    }
    for (Entry& e : value.entries) {
      if (e.key.text == item.callee) e.key.text = here->second;
    }
    keep_name(value, item, place + item.callee);
  }

  static void keep_name(Yaml& value, const Item& item, const std::string& path) {
    if (item.name.empty()) value.entries.push_back({scalar("name", item.span), scalar(path, item.span)});
  }

  const Module& load(const Item& item) {
    const Module* inside = all_.modules.load(item, module_);
    if (!inside || inside->file.broken) throw Failed{};
    if (std::find(all_.open.begin(), all_.open.end(), inside) != all_.open.end()) {
      all_.diagnostics.error("E0212", item.callee_span, fmt::format("`{}` uses itself", item.callee));
      throw Failed{};
    }
    constexpr int kMost = 1000;  // a dozen files that use each other twice can ask for more than a disk holds
    if (++all_.inlined > kMost) {
      all_.diagnostics.error("E0214", item.callee_span, fmt::format("more than {} files would be copied in", kMost));
      throw Failed{};
    }
    return *inside;
  }

  void inlined(Yaml& value, const Item& item, const std::string& place) {
    const Module& inside = load(item);
    Yaml tree = empty_map(item.span);
    for (const char* key : {"about", "params", "check", "defs", "model"}) {
      if (const Entry* e = inside.file.tree->find_entry(key)) tree.entries.push_back(*e);
    }
    all_.open.push_back(&inside);
    Expander(inside, tree, all_).run();
    all_.open.pop_back();
    if (item.kind == Item::Kind::use) keep_name(value, item, place + "use");
    for (Entry& e : value.entries) {
      if (e.key.text != "use" && e.key.text != "inline") continue;
      e.key.text = "inline";
      e.value = std::move(tree);
      break;
    }
  }

  void put_defs() {
    if (defs_.entries.empty()) return;
    if (Yaml* defs = tree_.find("defs")) {
      *defs = std::move(defs_);
      return;
    }
    const auto before =
        std::find_if(tree_.entries.begin(), tree_.entries.end(), [](const Entry& e) { return e.key.text == "model"; });
    const Span at = tree_.span;
    tree_.entries.insert(before, {scalar("defs", at), std::move(defs_)});
  }

  const Module& module_;
  Yaml& tree_;
  Expansion& all_;
  Yaml defs_;
  std::set<std::pair<const Def*, std::string>> seen_;
  std::map<RoomKey, std::set<std::string>> from_prelude_;
  std::set<std::string> called_;                // by equations of the file itself
  std::map<std::string, std::string> renamed_;  // layers of the prelude
};

}  // namespace

void expand(const Module& module, Yaml& tree, Modules& modules, std::vector<std::string>& notes,
            Diagnostics& diagnostics) {
  Expansion all{modules, notes, diagnostics};
  Expander(module, tree, all).run();
}

}  // namespace weft::dsl
