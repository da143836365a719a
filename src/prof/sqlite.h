// The few functions of SQLite that reading a table needs. The library is loaded when a database is
// opened and not before: only `rocforge profile --import` of a rocpd file wants it, and a machine
// without it loses nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "rocforge/status.h"

namespace rocforge::prof {

// A row of a result; valid inside the visitor.
class SqliteRow {
 public:
  virtual ~SqliteRow() = default;
  virtual std::string Text(int column) const = 0;
  virtual int64_t Int(int column) const = 0;
  virtual double Real(int column) const = 0;
};

// One database, read only. Not thread-safe.
class Sqlite {
 public:
  // kUnsupported where libsqlite3 is not installed; kDataLoss with SQLite's words for a file that
  // it refuses.
  static Result<std::unique_ptr<Sqlite>> Open(const std::string& path);
  virtual ~Sqlite() = default;

  // Calls `visit` for each row, until it fails. `sql` is ours, never from the file.
  virtual Status Query(const std::string& sql,
                       const std::function<Status(const SqliteRow&)>& visit) = 0;
};

}  // namespace rocforge::prof
