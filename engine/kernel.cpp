#include "engine/kernel.h"

namespace weft {

std::vector<i64> broadcast_strides(const Shape& from, const Shape& to) {
  std::vector<i64> strides(to.size(), 0);
  i64 stride = 1;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    const i64 size = from[from.size() - i];
    if (size != 1) strides[to.size() - i] = stride;
    stride *= size;
  }
  return strides;
}

template <class T>
void expand_block(const Shape& to, const std::vector<i64>& strides, const T* from, i64 begin, i64 count, T* out) {
  const int rank = static_cast<int>(to.size());
  if (rank == 0) {
    std::fill(out, out + count, from[0]);
    return;
  }
  std::vector<i64> index(to.size());
  i64 rest = begin, offset = 0;
  for (int d = rank - 1; d >= 0; --d) {
    index[d] = rest % to[d];
    rest /= to[d];
    offset += index[d] * strides[d];
  }
  while (count > 0) {  // one run of the innermost dimension at a time
    const i64 run = std::min(count, to[rank - 1] - index[rank - 1]);
    if (strides[rank - 1] == 0) {
      std::fill(out, out + run, from[offset]);
    } else {
      std::copy(from + offset, from + offset + run, out);
    }
    out += run;
    count -= run;
    index[rank - 1] += run;
    offset += run * strides[rank - 1];
    for (int d = rank - 1; d > 0 && index[d] == to[d]; --d) {
      offset += strides[d - 1] - index[d] * strides[d];
      index[d] = 0;
      ++index[d - 1];
    }
  }
}
template void expand_block(const Shape&, const std::vector<i64>&, const float*, i64, i64, float*);
template void expand_block(const Shape&, const std::vector<i64>&, const double*, i64, i64, double*);

PlaceCounter::PlaceCounter(const Shape& shape, const Place& place, const RunSettings& settings)
    : shape_(shape), place_(place), settings_(settings) {}

u64 PlaceCounter::operator()(i64 flat) const {
  i64 row = 0, time = 0, rest = 0, scale = 1;
  for (int d = static_cast<int>(shape_.size()) - 1; d >= 0; --d) {
    const i64 index = flat % shape_[d];
    flat /= shape_[d];
    if (d == place_.row_axis) row = index;
    else if (d == place_.time_axis) time = index;
    else rest += index * scale, scale *= shape_[d];
  }
  const auto& offsets = settings_.offsets;
  if (!offsets.empty()) time += offsets[offsets.size() == 1 ? 0 : static_cast<std::size_t>(row)];
  if (settings_.rows.empty()) row += settings_.first_row;
  else row = settings_.rows[static_cast<std::size_t>(row)];
  return Key{static_cast<u64>(row)}.fold(static_cast<u64>(time)).fold(static_cast<u64>(rest)).value;
}

}  // namespace weft
