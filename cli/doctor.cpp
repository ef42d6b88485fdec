// weft doctor: whether this machine is fit, a line each.
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/memory.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "engine/key.h"
#include "train/file.h"

extern "C" [[gnu::weak]] char* openblas_get_config(void);

namespace weft::cli {
namespace {

struct Finding {
  std::string what, value;
  std::string cure = {};  // empty: it is well
};

Finding cpu() {
  const std::string model = cpu_line("model name");
  return {"cpu", model.empty() ? "unknown" : model};
}

// Those that decide which loops and kernels are taken.
Finding flags() {
  const std::string all = " " + cpu_line("flags") + " ";
  std::string found;
  for (const char* flag : {"avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_bf16", "amx_bf16"}) {
    if (all.find(fmt::format(" {} ", flag)) != std::string::npos)
      found += (found.empty() ? "" : " ") + std::string(flag);
  }
  return {"flags", found.empty() ? "none that we use" : found};
}

// The largest error of a product against plain loops, relative to the length of the sum.
template <class T> double worst_error(const Products& products, i64 m, i64 n, i64 k) {
  const auto drawn = [](i64 count, u64 seed) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(2 * uniform(Key{seed}, i) - 1);
    return values;
  };
  const std::vector<T> a = drawn(m * k, 1), b = drawn(k * n, 2);
  std::vector<T> x(static_cast<std::size_t>(m * n)), y(x.size());
  const auto product = [&](std::vector<T>& c) {
    return Product<T>{
        .m = m, .n = n, .k = k, .a = a.data(), .lda = k, .b = b.data(), .ldb = n, .c = c.data(), .ldc = n};
  };
  products.multiply(product(x));
  make_loops_products()->multiply(product(y));
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(x[i] - y[i])));
  return worst / static_cast<double>(k);
}

std::vector<Finding> products() {
  try {
    const auto blas = make_blas_products();
    double f32 = 0, f64 = 0;
    for (const i64 size : {1, 7, 16, 33, 64, 129}) {
      f32 = std::max(f32, worst_error<float>(*blas, size, size + 3, 2 * size + 1));
      f64 = std::max(f64, worst_error<double>(*blas, size, size + 3, 2 * size + 1));
    }
    // Rounding of one step is 6e-8 and 1e-16; a wrong kernel is wrong in the first digit.
    const bool well = f32 < 1e-6 && f64 < 1e-14;
    return {{"products", blas->name()},
            {"self-test", fmt::format("products differ from plain loops by {:.1e} (f32) and {:.1e} (f64)", f32, f64),
             well ? "" : "set OPENBLAS_CORETYPE=Haswell, or use --products loops"}};
  } catch (const Error& e) {
    return {{"products", "none", e.what()}};
  }
}

std::vector<Finding> resources() {
  constexpr double kLittleMemory = 5e8, kLittleDisk = 1e9;  // the first example takes 0.1 GB of each
  const auto memory = available_memory();
  std::error_code none;
  const auto space = std::filesystem::space(".", none);
  std::vector<Finding> all;
  all.push_back({"memory", memory ? bytes_text(memory->bytes) + " available" : "unknown",
                 memory && memory->bytes < kLittleMemory ? "end other programs: half a gigabyte is little" : ""});
  all.push_back(
      {"disk", none ? "unknown" : bytes_text(static_cast<double>(space.available)) + " free in this folder",
       !none && static_cast<double>(space.available) < kLittleDisk ? "make room: runs keep checkpoints" : ""});
  try {
    train::probe_writable(".");
    all.push_back({"folder", "this folder can be written to"});
  } catch (const Error& e) {
    all.push_back({"folder", e.what(), "give a folder for runs by --run-dir"});
  }
  return all;
}

Finding libraries() {
  std::string blas = "another BLAS than OpenBLAS";
  if (openblas_get_config) {
    const std::string config = openblas_get_config();
    blas = config.substr(0, config.find(' ', config.find(' ') + 1));  // "OpenBLAS 0.3.21"
  }
  return {"libraries", fmt::format("{}, {}", blas, WEFT_LIBRARIES)};
}

Finding data() {
  const char* folder = std::getenv("WEFT_DATA");
  if (!folder || !*folder) return {"data", "WEFT_DATA is not set: only the built-in text and files of your own"};
  std::error_code none;
  const bool there = std::filesystem::is_directory(folder, none);
  return {"data", folder, there ? "" : "WEFT_DATA names no folder: create it, or unset WEFT_DATA"};
}

std::vector<Finding> examine(const RuntimeOptions& options) {
  std::vector<Finding> all = {
      {"weft", WEFT_VERSION ", compiled by " __VERSION__}, cpu(), flags(), {"loops", std::string(name(best_isa()))}};
  for (const Finding& f : products()) all.push_back(f);
  try {
    const Runtime runtime({.products = "loops", .parallel = options.parallel, .threads = options.threads});
    all.push_back({"threads", fmt::format("{} ({})", runtime.parallel().threads(), runtime.parallel().name())});
  } catch (const Error& e) {
    all.push_back({"threads", "none", e.what()});
  }
  for (const Finding& f : resources()) all.push_back(f);
  all.push_back(libraries());
  all.push_back(data());
  return all;
}

int diagnose(const Options& options) {
  bool well = true;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& f : examine(options.runtime)) {
    well = well && f.cure.empty();
    list.push_back({{"what", f.what}, {"value", f.value}, {"ok", f.cure.empty()}, {"help", f.cure}});
    if (!options.json)
      std::cout << fmt::format("{:<10} {:<4} {}{}\n", f.what, f.cure.empty() ? "ok" : "BAD", f.value,
                               f.cure.empty() ? "" : " -> " + f.cure);
  }
  if (options.json) print_json({{"ok", well}, {"findings", list}});
  return well ? 0 : static_cast<int>(Failure::internal);
}

}  // namespace

Verb doctor_verb() {
  return {"doctor", "whether this machine is fit: instruction set, products, threads, memory, disk, libraries, data",
          "  ./weft doctor\n", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            app.add_flag("--json", options->json, "one JSON document on stdout instead of text");
            add_runtime_options(app, *options);
            return [=] { return diagnose(*options); };
          }};
}

}  // namespace weft::cli
