# weft_op_units(DIR HEADER...): one unit per header of an op, and the table of them all, written to DIR. Sets `units` and
# `table` in the caller.
function(weft_op_units dir)
  set(names "")
  set(units "")
  foreach(header IN LISTS ARGN)
    cmake_path(GET header STEM name)
    if(name IN_LIST names)
      message(FATAL_ERROR "ops: two headers are called ${name}.h; the second is ${header}")
    endif()
    list(APPEND names ${name})
    string(REGEX MATCHALL "[a-z0-9]+" words ${name})
    set(type "")  # group_norm -> GroupNorm
    foreach(word IN LISTS words)
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOUPPER ${first} first)
      string(APPEND type ${first}${rest})
    endforeach()
    set(unit ${dir}/${name}.cpp)
    file(CONFIGURE OUTPUT ${unit} @ONLY CONTENT [[
#include "engine/op_entry.h"

namespace weft::ops {
struct @type@;
const Op& row_@name@();
}  // namespace weft::ops
template <> const char* weft::op_name<weft::ops::@type@>() { return "@name@"; }

#include "@header@"

template const weft::Op& weft::row<weft::ops::@type@>();
const weft::Op& weft::ops::row_@name@() { return row<@type@>(); }
]])
    list(APPEND units ${unit})
  endforeach()
  list(SORT names)
  set(declarations "")
  set(rows "")
  foreach(name IN LISTS names)
    string(APPEND declarations "const Op& row_${name}();\n")
    string(APPEND rows "      &row_${name}(),\n")
  endforeach()
  file(CONFIGURE OUTPUT ${dir}/all_ops.cpp @ONLY CONTENT [[
#include "ops/table.h"

namespace weft::ops {
@declarations@
const std::vector<const Op*>& table() {
  static const std::vector<const Op*> rows = {
@rows@  };
  return rows;
}
}  // namespace weft::ops
]])
  set(units ${units} PARENT_SCOPE)
  set(table ${dir}/all_ops.cpp PARENT_SCOPE)
endfunction()
