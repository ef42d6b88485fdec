#include "train/tokens.h"

#include <algorithm>

namespace weft::train {
namespace {

template <class T> struct InMemory final : Tokens::Store {
  explicit InMemory(std::span<const i32> from) {
    tokens.reserve(from.size());
    for (const i32 token : from) tokens.push_back(static_cast<T>(token));
  }
  void read(i64 first, std::span<i32> to) const override { std::copy_n(tokens.begin() + first, to.size(), to.begin()); }
  std::vector<T> tokens;
};

struct InFile final : Tokens::Store {
  explicit InFile(std::shared_ptr<const InputFile> from) : file(std::move(from)) {}
  void read(i64 first, std::span<i32> to) const override {
    file->require_unchanged();
    // The bytes go to the end of the place that is asked for, and from there, front to back, to their own: no byte is
    // overwritten before it was read.
    const auto all = std::as_writable_bytes(to);
    const auto bytes = all.last(to.size());
    file->read_at(static_cast<u64>(first), bytes);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = std::to_integer<i32>(bytes[i]);
  }
  std::shared_ptr<const InputFile> file;
};

}  // namespace

Tokens::Tokens(const std::vector<i32>& one) { add(one, i64{1} << 31); }

void Tokens::add(std::span<const i32> tokens, i64 vocab) {
  const i64 size = std::ssize(tokens);
  if (vocab <= 256) return add(std::make_shared<const InMemory<std::uint8_t>>(tokens), 0, size);
  if (vocab <= 65536) return add(std::make_shared<const InMemory<std::uint16_t>>(tokens), 0, size);
  add(std::make_shared<const InMemory<i32>>(tokens), 0, size);
}

void Tokens::add(std::shared_ptr<const InputFile> bytes, u64 first, u64 size) {
  add(std::make_shared<const InFile>(std::move(bytes)), static_cast<i64>(first), static_cast<i64>(size));
}

void Tokens::add(std::shared_ptr<const Store> store, i64 first, i64 size) {
  if (size > 0) pieces_.push_back({this->size() + size, std::move(store), first});
}

void Tokens::read(i64 first, std::span<i32> to) const {
  check(first >= 0 && first + std::ssize(to) <= size(), "tokens: {} to {} of {}", first, first + std::ssize(to),
        size());
  auto piece =
      std::upper_bound(pieces_.begin(), pieces_.end(), first, [](i64 at, const Piece& p) { return at < p.end; });
  for (; !to.empty(); ++piece) {
    const i64 start = begin(static_cast<std::size_t>(piece - pieces_.begin()));
    const auto n = static_cast<std::size_t>(std::min(std::ssize(to), piece->end - first));
    piece->store->read(piece->first + first - start, to.first(n));
    first += static_cast<i64>(n);
    to = to.subspan(n);
  }
}

Tokens Tokens::part(i64 first, i64 last) const {
  Tokens result;
  for (std::size_t p = 0; p < pieces(); ++p) {
    const i64 from = std::max(first, begin(p)), to = std::min(last, end(p));
    if (from < to) result.add(pieces_[p].store, pieces_[p].first + from - begin(p), to - from);
  }
  return result;
}

}  // namespace weft::train
