// rocpd: rocprofv3's SQLite database. Only its base tables are read, whose names end in an id of
// the run; views of the file are never used.
#include <algorithm>
#include <string>
#include <vector>

#include "base/format.h"
#include "prof/rocm_builder.h"
#include "prof/sqlite.h"

namespace rocforge::prof {
namespace {

using Kind = ProfileBuilder::Kind;

// Names come from the file: quoted as SQL identifiers.
std::string Quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

class Rocpd {
 public:
  Rocpd(Sqlite& db, ProfileBuilder& builder) : db_(db), builder_(builder) {}

  Status Read() {
    ROCFORGE_RETURN_IF_ERROR(
        db_.Query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
                  [&](const SqliteRow& row) {
                    tables_.push_back(row.Text(0));
                    return Status();
                  }));
    const std::string prefix = "rocpd_kernel_dispatch";
    bool any = false;
    for (const std::string& table : tables_) {
      if (!table.starts_with(prefix)) continue;
      any = true;
      ROCFORGE_RETURN_IF_ERROR(ReadRun(table.substr(prefix.size())));
    }
    if (any) return {};
    return DataLoss("the database has no table rocpd_kernel_dispatch; is it rocpd?");
  }
  bool counters() const { return counters_; }

 private:
  // All of one run: tables that end in `suffix`.
  Status ReadRun(const std::string& suffix) {
    ROCFORGE_RETURN_IF_ERROR(ReadTimed(
        Kind::kKernel, "rocpd_kernel_dispatch", suffix,
        Format(
            "(SELECT COALESCE(S.display_name, S.kernel_name) FROM {} S WHERE S.id = T.kernel_id)",
            Quoted("rocpd_info_kernel_symbol" + suffix))));
    const std::string strings = Format("(SELECT N.string FROM {} N WHERE N.id = T.name_id)",
                                       Quoted("rocpd_string" + suffix));
    if (Has("rocpd_memory_copy" + suffix)) {
      ROCFORGE_RETURN_IF_ERROR(ReadTimed(Kind::kCopy, "rocpd_memory_copy", suffix, strings));
    }
    if (Has("rocpd_region" + suffix)) {
      ROCFORGE_RETURN_IF_ERROR(ReadTimed(Kind::kApi, "rocpd_region", suffix, strings));
    }
    return ReadCounters(suffix);
  }

  // Rows with their times, in the row itself or by the ids of time stamps.
  Status ReadTimed(Kind kind, const std::string& table, const std::string& suffix,
                   const std::string& name) {
    ROCFORGE_ASSIGN_OR_RETURN(const std::vector<std::string> columns, ColumnsOf(table + suffix));
    const auto has = [&](const char* column) {
      return std::find(columns.begin(), columns.end(), column) != columns.end();
    };
    std::string begin = "T.start", end = "T.end";
    if (!has("start") && has("start_id")) {
      const std::string stamps = Quoted("rocpd_timestamp" + suffix);
      begin = Format("(SELECT B.value FROM {} B WHERE B.id = T.start_id)", stamps);
      end = Format("(SELECT E.value FROM {} E WHERE E.id = T.end_id)", stamps);
    }
    return db_.Query(
        Format("SELECT {}, {}, {} FROM {} T", name, begin, end, Quoted(table + suffix)),
        [&](const SqliteRow& row) {
          return builder_.AddCall(kind, row.Text(0), row.Int(1), row.Int(2));
        });
  }

  // Counters belong to the event of a dispatch.
  Status ReadCounters(const std::string& suffix) {
    const std::string events = "rocpd_pmc_event" + suffix, infos = "rocpd_info_pmc" + suffix;
    if (!Has(events) || !Has(infos)) return {};
    return db_.Query(
        Format("SELECT (SELECT COALESCE(S.display_name, S.kernel_name) FROM {} S WHERE S.id = "
               "K.kernel_id), I.symbol, P.value FROM {} P JOIN {} I ON I.id = P.pmc_id JOIN {} K "
               "ON K.event_id = P.event_id",
               Quoted("rocpd_info_kernel_symbol" + suffix), Quoted(events), Quoted(infos),
               Quoted("rocpd_kernel_dispatch" + suffix)),
        [&](const SqliteRow& row) {
          counters_ = true;
          builder_.AddCounter(row.Text(0), row.Text(1), row.Real(2));
          return Status();
        });
  }

  bool Has(const std::string& table) const {
    return std::find(tables_.begin(), tables_.end(), table) != tables_.end();
  }
  Result<std::vector<std::string>> ColumnsOf(const std::string& table) {
    std::vector<std::string> columns;
    ROCFORGE_RETURN_IF_ERROR(
        db_.Query(Format("PRAGMA table_info({})", Quoted(table)), [&](const SqliteRow& row) {
          columns.push_back(row.Text(1));
          return Status();
        }));
    return columns;
  }

  Sqlite& db_;
  ProfileBuilder& builder_;
  std::vector<std::string> tables_;
  bool counters_ = false;
};

}  // namespace

Result<ImportedProfile> ImportRocpd(const std::string& path) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<Sqlite> db, Sqlite::Open(path));
  ProfileBuilder builder;
  Rocpd rocpd(*db, builder);
  ROCFORGE_RETURN_IF_ERROR(rocpd.Read());
  ImportedProfile out = builder.Finish("rocpd (SQLite)");
  out.counter_times = rocpd.counters();
  return out;
}

}  // namespace rocforge::prof
