# weft_op_headers(FOLDER [EXTRA]): the headers of ops in a copy of this folder and in one more, as `headers` in the caller.
function(weft_op_headers folder)
  file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h)
  list(REMOVE_ITEM headers ${folder}/table.h)
  if(ARGN)
    set(extra ${ARGV1})
    cmake_path(ABSOLUTE_PATH extra BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
    if(NOT IS_DIRECTORY ${extra})
      message(FATAL_ERROR "WEFT_EXTRA_OPS: ${extra} is no folder")
    endif()
    file(GLOB more CONFIGURE_DEPENDS ${extra}/*.h)
    list(APPEND headers ${more})
  endif()
  set(headers ${headers} PARENT_SCOPE)
endfunction()

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
template <> const weft::Op& weft::row<weft::ops::@type@>();

#include "@header@"

template <> const weft::Op& weft::row<weft::ops::@type@>() { return make_row<ops::@type@>("@name@"); }
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
