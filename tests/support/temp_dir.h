// A temporary directory that lives as long as the object.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace pgweir::support {

// Made under $TMPDIR or /tmp, readable by all (PostgreSQL runs as another user when the tests run as root). Removed
// with everything in it on destruction, unless PGWEIR_KEEP_TEMP is set in the environment. Movable, not copyable.
class TempDir {
 public:
  explicit TempDir(std::string_view purpose = "test");
  ~TempDir();
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&& other) noexcept;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  void remove() noexcept;
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);  // throws std::runtime_error when it cannot be read
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace pgweir::support
