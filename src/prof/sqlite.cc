#include "prof/sqlite.h"

#include <dlfcn.h>

#include "base/format.h"

namespace rocforge::prof {
namespace {

// The C interface, stable since SQLite 3.5 (https://sqlite.org/c3ref/intro.html).
constexpr int kOk = 0;
constexpr int kRow = 100;
constexpr int kDone = 101;
constexpr int kOpenReadOnly = 1;

struct Database;
struct Statement;

struct Library {
  int (*open)(const char*, Database**, int, const char*) = nullptr;
  int (*close)(Database*) = nullptr;
  const char* (*message)(Database*) = nullptr;
  int (*prepare)(Database*, const char*, int, Statement**, const char**) = nullptr;
  int (*step)(Statement*) = nullptr;
  int (*finalize)(Statement*) = nullptr;
  const unsigned char* (*text)(Statement*, int) = nullptr;
  int (*bytes)(Statement*, int) = nullptr;
  int64_t (*integer)(Statement*, int) = nullptr;
  double (*real)(Statement*, int) = nullptr;
};

template <typename F>
bool Find(void* handle, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(handle, name));
  return *function != nullptr;
}

// Loaded once, never unloaded.
Result<Library> LoadLibrary() {
  void* handle = nullptr;
  for (const char* name : {"libsqlite3.so.0", "libsqlite3.so"}) {
    handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) break;
  }
  if (handle == nullptr) {
    return Unsupported(
        "reading rocpd needs libsqlite3, which is not installed (package libsqlite3-0); or write "
        "CSV: rocprofv3 --output-format csv");
  }
  Library lib;
  const bool all =
      Find(handle, "sqlite3_open_v2", &lib.open) && Find(handle, "sqlite3_close_v2", &lib.close) &&
      Find(handle, "sqlite3_errmsg", &lib.message) &&
      Find(handle, "sqlite3_prepare_v2", &lib.prepare) && Find(handle, "sqlite3_step", &lib.step) &&
      Find(handle, "sqlite3_finalize", &lib.finalize) &&
      Find(handle, "sqlite3_column_text", &lib.text) &&
      Find(handle, "sqlite3_column_bytes", &lib.bytes) &&
      Find(handle, "sqlite3_column_int64", &lib.integer) &&
      Find(handle, "sqlite3_column_double", &lib.real);
  if (!all) return Unsupported("libsqlite3 is older than 3.7.14; update it");
  return lib;
}

class StatementRow final : public SqliteRow {
 public:
  StatementRow(const Library& lib, Statement* statement) : lib_(lib), statement_(statement) {}
  std::string Text(int column) const override {
    const unsigned char* text = lib_.text(statement_, column);
    if (text == nullptr) return {};
    return {reinterpret_cast<const char*>(text),
            static_cast<size_t>(lib_.bytes(statement_, column))};
  }
  int64_t Int(int column) const override { return lib_.integer(statement_, column); }
  double Real(int column) const override { return lib_.real(statement_, column); }

 private:
  const Library& lib_;
  Statement* statement_;
};

class Opened final : public Sqlite {
 public:
  Opened(Library lib, Database* database) : lib_(lib), database_(database) {}
  ~Opened() override { lib_.close(database_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  Status Query(const std::string& sql,
               const std::function<Status(const SqliteRow&)>& visit) override {
    Statement* statement = nullptr;
    if (lib_.prepare(database_, sql.c_str(), -1, &statement, nullptr) != kOk) return Broken();
    const StatementRow row(lib_, statement);
    Status status;
    int code = lib_.step(statement);
    for (; code == kRow && status.ok(); code = status.ok() ? lib_.step(statement) : kDone)
      status = visit(row);
    if (status.ok() && code != kDone) status = Broken();
    lib_.finalize(statement);
    return status;
  }

 private:
  Status Broken() const {
    return DataLoss(Format("SQLite: {}", EscapeForTerminal(lib_.message(database_), 200)));
  }
  Library lib_;
  Database* database_;
};

}  // namespace

Result<std::unique_ptr<Sqlite>> Sqlite::Open(const std::string& path) {
  static const Result<Library> library = LoadLibrary();
  if (!library.ok()) return library.status();
  Database* database = nullptr;
  const int code = library.value().open(path.c_str(), &database, kOpenReadOnly, nullptr);
  if (database == nullptr) return ResourceExhausted("SQLite has no memory");
  std::unique_ptr<Sqlite> opened = std::make_unique<Opened>(library.value(), database);
  if (code != kOk) {
    return DataLoss(
        Format("SQLite: {}", EscapeForTerminal(library.value().message(database), 200)));
  }
  // A file that we did not write may hold views and columns that call functions.
  ROCFORGE_RETURN_IF_ERROR(
      opened->Query("PRAGMA trusted_schema = OFF", [](const SqliteRow&) { return Status(); }));
  return opened;
}

}  // namespace rocforge::prof
