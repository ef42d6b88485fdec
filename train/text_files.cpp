#include "train/text_files.h"

#include <sys/resource.h>

#include <algorithm>

#include "train/data.h"
#include "train/room.h"
#include "train/survey.h"
#include "train/terminal.h"

namespace weft::train {
namespace {

constexpr u64 kPassBytes = 1 << 20;

// All files below a folder. A link to a folder is not followed: it may lead back.
void collect(const fs::path& folder, std::vector<fs::path>& to) {
  std::error_code error;
  std::vector<fs::path> inside;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) inside.push_back(entry.path());
  if (error) fail_data("{}: cannot be read: {}", folder.string(), error.message());
  std::sort(inside.begin(), inside.end());
  for (const fs::path& path : inside) {
    if (path.filename().string().starts_with('.')) continue;
    if (!fs::is_directory(path, error)) to.push_back(path);
    else if (fs::is_symlink(path, error)) fail_data("{}: leads to a folder; name that folder itself", path.string());
    else collect(path, to);
  }
}

// A usual limit is 1,024 open files, which a program may raise for itself, often to half a million.
void allow_open(rlim_t files) {
  constexpr rlim_t kOthers = 64;
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= files + kOthers) return;
  limit.rlim_cur = std::min(limit.rlim_max, files + kOthers);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::string TextFile::read(u64 first, u64 bytes) const {
  if (!text.empty()) return std::string(text.substr(first, bytes));
  std::string all(bytes, '\0');
  const auto to = std::as_writable_bytes(std::span(all));
  if (open) open->read_at(first, to);
  else InputFile(name).read_at(first, to);
  return all;
}

TextFiles::TextFiles(const std::vector<fs::path>& paths) {
  std::vector<fs::path> all;
  std::error_code none;
  for (const fs::path& path : paths) {
    if (!fs::is_directory(path, none)) all.push_back(path);
    else collect(path, all);
  }
  source_ = paths.empty() ? "" : paths.front().string();
  if (all.empty()) fail_data("{}: has no files", source_);
  if (paths.size() > 1 || all.front() != paths.front())
    source_ = fmt::format("{} files of {}{}", grouped(std::ssize(all)), source_, paths.size() > 1 ? " and others" : "");
  allow_open(all.size());
  for (const fs::path& path : all) {
    auto file = std::make_shared<const InputFile>(path);
    const u64 size = file->size();
    files_.push_back({path.string(), size, size >= kLarge ? std::move(file) : nullptr});
  }
  count();
}

TextFiles::TextFiles(std::string_view text, std::string name)
    : files_{{name, text.size(), nullptr, text}}, source_(name) {
  count();
}

void TextFiles::count() {
  for (const TextFile& file : files_) bytes_ += file.size;
  if (bytes_ == 0) fail_data("{}: is empty, there is nothing to learn", source_);
}

TextFiles::Look TextFiles::look() const {
  Survey survey;
  std::vector<std::string> hashes;
  for (const TextFile& file : files_) {
    Hash hash;
    for (u64 at = 0; at < file.size; at += kPassBytes) {
      const std::string chunk = file.read(at, std::min(kPassBytes, file.size - at));
      hash.add(chunk);
      survey.add(chunk, file.name);
    }
    survey.end();
    hashes.push_back(hash.text());
  }
  Look look{hashes.front(), survey.text()};
  for (std::size_t i = 1; i < hashes.size(); ++i) look.hash = hash_of(look.hash + hashes[i]);
  return look;
}

std::string read_whole(const fs::path& path) {
  const InputFile file(path);
  require_room(16 * static_cast<double>(file.size()), path.string() + ": its examples", "give a smaller file");
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace weft::train
