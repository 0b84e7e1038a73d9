// The settings of one server session, as PostgreSQL keeps them: SET and SET LOCAL, transactions and savepoints,
// what is reported by ParameterStatus.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::model {

struct ModelError {
  std::string sqlstate, message;
};

class SettingsModel {
 public:
  // The name as pg_settings spells it; nullptr: no such setting.
  static const char* canonical(std::string_view name);

  // `setting`: the value in pg_settings' form ("5000" for 5s).
  std::optional<ModelError> set(std::string_view name, std::string_view value, bool local);
  void reset(std::string_view name) { session_.erase(canonical(name)), local_.erase(canonical(name)); }
  void reset_all() { session_.clear(), local_.clear(); }
  std::string show(std::string_view name) const;  // precondition: canonical(name)
  // Those with source 'session': name and pg_settings.setting.
  std::map<std::string, std::string> from_session() const;

  void begin() { saved_ = {session_, {}}, savepoints_.clear(); }
  void commit() { local_.clear(), savepoints_.clear(); }
  void roll_back() { session_ = saved_.first, local_.clear(), savepoints_.clear(); }
  void savepoint() { savepoints_.push_back({session_, local_}); }
  // `depth`: how many savepoints stay.
  void release(std::size_t depth) { savepoints_.resize(depth); }
  void roll_back_to(std::size_t depth) {
    session_ = savepoints_[depth].first, local_ = savepoints_[depth].second;
    savepoints_.resize(depth + 1);
  }

  static const std::vector<std::string>& reported();

 private:
  using Map = std::map<std::string, std::string>;
  std::string setting(const std::string& name) const;
  Map session_, local_;
  std::pair<Map, Map> saved_;
  std::vector<std::pair<Map, Map>> savepoints_;
};

}  // namespace pgweir::model
