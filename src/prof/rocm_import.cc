#include "prof/rocm_import.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/format.h"
#include "base/mapped_file.h"
#include "prof/csv.h"
#include "prof/rocm_builder.h"

namespace rocforge::prof {

constexpr int64_t kLastNs = int64_t{1} << 62;  // of a clock
constexpr int64_t kMostNs = int64_t{1} << 58;  // nine years, so that sums of sums fit
constexpr int64_t kMostCalls = int64_t{1} << 48;

ProfileRow& ProfileBuilder::Of(Kind kind, std::string_view name) {
  // Kernel descriptors of the legacy tools.
  if (kind == Kind::kKernel && name.ends_with(".kd")) name.remove_suffix(3);
  ProfileRow& row = rows_[static_cast<size_t>(kind)][std::string(name)];
  if (row.name.empty()) row.name = name;
  return row;
}

Status ProfileBuilder::AddCall(Kind kind, const std::string& name, int64_t begin_ns,
                               int64_t end_ns) {
  if (begin_ns < 0 || end_ns < begin_ns || end_ns > kLastNs) {
    return DataLoss(Format("a call of '{}' goes from {} to {} ns", EscapeForTerminal(name, 60),
                           begin_ns, end_ns));
  }
  ProfileRow call{name, 1, end_ns - begin_ns, end_ns - begin_ns, end_ns - begin_ns, {}};
  if (kind == Kind::kKernel) kernel_times_.emplace_back(begin_ns, end_ns);
  return AddRow(kind, call);
}

Status ProfileBuilder::AddRow(Kind kind, const ProfileRow& more) {
  ProfileRow& row = Of(kind, more.name);
  if (more.calls < 0 || more.calls > kMostCalls - row.calls || more.total_ns < 0 ||
      more.total_ns > kMostNs - row.total_ns || more.min_ns < 0 || more.max_ns < more.min_ns) {
    return DataLoss(Format("impossible times of '{}'", EscapeForTerminal(more.name, 60)));
  }
  row.min_ns = row.calls == 0 ? more.min_ns : std::min(row.min_ns, more.min_ns);
  row.max_ns = std::max(row.max_ns, more.max_ns);
  row.calls += more.calls;
  row.total_ns += more.total_ns;
  return {};
}

ImportedProfile ProfileBuilder::Finish(std::string format) {
  ImportedProfile out;
  out.formats.push_back(std::move(format));
  for (auto& [name, row] : rows_[0]) {
    for (auto& [counter, value] : row.counters)
      value /= static_cast<double>(std::max<int64_t>(row.calls, 1));
  }
  std::vector<ProfileRow>* lists[] = {&out.kernels, &out.copies, &out.api};
  for (size_t i = 0; i < 3; ++i) {
    for (auto& [name, row] : rows_[i]) lists[i]->push_back(std::move(row));
    std::stable_sort(lists[i]->begin(), lists[i]->end(),
                     [](const auto& a, const auto& b) { return a.total_ns > b.total_ns; });
  }
  std::sort(kernel_times_.begin(), kernel_times_.end());
  int64_t covered = 0;  // up to here
  for (const auto& [begin, end] : kernel_times_) {
    const int64_t from = std::max(begin, covered);
    if (end > from) out.busy_ns += end - from;
    covered = std::max(covered, end);
  }
  if (!kernel_times_.empty()) out.span_ns = covered - kernel_times_.front().first;
  return out;
}

namespace {

using Kind = ProfileBuilder::Kind;

// Columns by name.
class Header {
 public:
  explicit Header(std::vector<std::string> names) : names_(std::move(names)) {}

  // kNowhere where there is none.
  static constexpr size_t kNowhere = std::numeric_limits<size_t>::max();
  size_t Find(std::string_view name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    return at == names_.end() ? kNowhere : static_cast<size_t>(at - names_.begin());
  }
  bool Has(std::string_view name) const { return Find(name) != kNowhere; }
  size_t size() const { return names_.size(); }
  const std::string& operator[](size_t i) const { return names_[i]; }

 private:
  std::vector<std::string> names_;
};

Result<int64_t> Integer(const std::string& text, const char* what) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return DataLoss(Format("'{}' is no whole number ({}); the file seems to be cut off or changed",
                           EscapeForTerminal(text, 40), what));
  }
  return value;
}

std::optional<double> Number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

using Row = std::vector<std::string>;

// One kind of CSV: what its header has, and what a row means.
class CsvFormat {
 public:
  CsvFormat(const char* name, Header header) : name_(name), header_(std::move(header)) {}
  virtual ~CsvFormat() = default;
  CsvFormat(const CsvFormat&) = delete;
  CsvFormat& operator=(const CsvFormat&) = delete;
  virtual Status Add(const Row& row, ProfileBuilder& builder) = 0;
  virtual bool counters() const { return false; }

  const char* name() const { return name_; }
  const Header& header() const { return header_; }

 private:
  const char* name_;
  Header header_;
};

// A call a row.
class TraceFormat final : public CsvFormat {
 public:
  TraceFormat(const char* name, Header header, Kind kind, const char* what, const char* begin,
              const char* end)
      : CsvFormat(name, std::move(header)),
        kind_(kind),
        what_(this->header().Find(what)),
        begin_(this->header().Find(begin)),
        end_(this->header().Find(end)) {}

  Status Add(const Row& row, ProfileBuilder& builder) override {
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t begin, Integer(row[begin_], "begin"));
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t end, Integer(row[end_], "end"));
    return builder.AddCall(kind_, row[what_], begin, end);
  }

 private:
  Kind kind_;
  size_t what_, begin_, end_;
};

// A name a row.
class StatsFormat final : public CsvFormat {
 public:
  StatsFormat(const char* name, Header header)
      : CsvFormat(name, std::move(header)),
        what_(this->header().Find("Name")),
        calls_(this->header().Find("Calls")),
        total_(this->header().Find("TotalDurationNs")),
        min_(this->header().Find("MinNs")),
        max_(this->header().Find("MaxNs")) {}

  Status Add(const Row& row, ProfileBuilder& builder) override {
    ProfileRow out;
    out.name = row[what_];
    ROCFORGE_ASSIGN_OR_RETURN(out.calls, Integer(row[calls_], "Calls"));
    ROCFORGE_ASSIGN_OR_RETURN(out.total_ns, Integer(row[total_], "TotalDurationNs"));
    if (min_ != Header::kNowhere && max_ != Header::kNowhere) {
      ROCFORGE_ASSIGN_OR_RETURN(out.min_ns, Integer(row[min_], "MinNs"));
      ROCFORGE_ASSIGN_OR_RETURN(out.max_ns, Integer(row[max_], "MaxNs"));
    }
    return builder.AddRow(KindOf(out.name), out);
  }

 private:
  // The file's name would say it, but people rename files.
  static Kind KindOf(const std::string& name) {
    if (name.starts_with("MEMORY_COPY_") || name.starts_with("Copy")) return Kind::kCopy;
    const bool api = name.starts_with("hip") || name.starts_with("__hip") ||
                     name.starts_with("hsa_") || name.starts_with("roctx");
    return api ? Kind::kApi : Kind::kKernel;
  }
  size_t what_, calls_, total_, min_, max_;
};

// A counter of a call a row.
class CounterFormat final : public CsvFormat {
 public:
  explicit CounterFormat(Header header)
      : CsvFormat("rocprofv3 counters (CSV)", std::move(header)),
        kernel_(this->header().Find("Kernel_Name")),
        dispatch_(this->header().Find("Dispatch_Id")),
        counter_(this->header().Find("Counter_Name")),
        value_(this->header().Find("Counter_Value")),
        begin_(this->header().Find("Start_Timestamp")),
        end_(this->header().Find("End_Timestamp")) {}

  bool counters() const override { return true; }
  Status Add(const Row& row, ProfileBuilder& builder) override {
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t dispatch, Integer(row[dispatch_], "Dispatch_Id"));
    const std::optional<double> value = Number(row[value_]);
    if (!value) {
      return DataLoss(Format("'{}' is no counter's value", EscapeForTerminal(row[value_], 40)));
    }
    if (seen_.insert(dispatch).second) ROCFORGE_RETURN_IF_ERROR(AddDispatch(row, builder));
    builder.AddCounter(row[kernel_], row[counter_], *value);
    return {};
  }

 private:
  Status AddDispatch(const Row& row, ProfileBuilder& builder) {
    if (begin_ == Header::kNowhere || end_ == Header::kNowhere) {
      builder.AddUntimed(row[kernel_]);
      return {};
    }
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t begin, Integer(row[begin_], "begin"));
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t end, Integer(row[end_], "end"));
    return builder.AddCall(Kind::kKernel, row[kernel_], begin, end);
  }
  size_t kernel_, dispatch_, counter_, value_, begin_, end_;
  std::unordered_set<int64_t> seen_;
};

// The legacy tools: a call a row, counters in columns of their own.
class LegacyFormat final : public CsvFormat {
 public:
  LegacyFormat(const char* name, Header header, const char* kernel, const char* begin,
               const char* end)
      : CsvFormat(name, std::move(header)),
        kernel_(this->header().Find(kernel)),
        begin_(this->header().Find(begin)),
        end_(this->header().Find(end)) {
    static constexpr std::string_view kNoCounters[] = {"Index",
                                                       "KernelName",
                                                       "gpu-id",
                                                       "queue-id",
                                                       "queue-index",
                                                       "pid",
                                                       "tid",
                                                       "grd",
                                                       "wgr",
                                                       "lds",
                                                       "scr",
                                                       "arch_vgpr",
                                                       "accum_vgpr",
                                                       "vgpr",
                                                       "sgpr",
                                                       "fbar",
                                                       "wave_size",
                                                       "sig",
                                                       "obj",
                                                       "DispatchNs",
                                                       "BeginNs",
                                                       "EndNs",
                                                       "CompleteNs",
                                                       "DurationNs",
                                                       "Dispatch_ID",
                                                       "GPU_ID",
                                                       "Queue_ID",
                                                       "PID",
                                                       "TID",
                                                       "Grid_Size",
                                                       "Scratch_Per_Workitem",
                                                       "Workgroup_Size",
                                                       "LDS_Per_Workgroup",
                                                       "Arch_VGPR",
                                                       "Accum_VGPR",
                                                       "SGPR",
                                                       "Wave_Size",
                                                       "Kernel_Name",
                                                       "Start_Timestamp",
                                                       "End_Timestamp",
                                                       "Correlation_ID",
                                                       ""};
    for (size_t i = 0; i < this->header().size(); ++i) {
      if (std::find(std::begin(kNoCounters), std::end(kNoCounters), this->header()[i]) ==
          std::end(kNoCounters)) {
        counters_.push_back(i);
      }
    }
  }

  bool counters() const override { return !counters_.empty(); }
  Status Add(const Row& row, ProfileBuilder& builder) override {
    if (begin_ == Header::kNowhere || end_ == Header::kNowhere) {
      builder.AddUntimed(row[kernel_]);
    } else {
      ROCFORGE_ASSIGN_OR_RETURN(const int64_t begin, Integer(row[begin_], "begin"));
      ROCFORGE_ASSIGN_OR_RETURN(const int64_t end, Integer(row[end_], "end"));
      ROCFORGE_RETURN_IF_ERROR(builder.AddCall(Kind::kKernel, row[kernel_], begin, end));
    }
    for (const size_t at : counters_) {
      // Columns that we do not know may hold text.
      if (const std::optional<double> value = Number(row[at]))
        builder.AddCounter(row[kernel_], header()[at], *value);
    }
    return {};
  }

 private:
  size_t kernel_, begin_, end_;
  std::vector<size_t> counters_;
};

Result<std::unique_ptr<CsvFormat>> FormatOf(Row names) {
  Header h(std::move(names));
  const bool times = h.Has("Start_Timestamp") && h.Has("End_Timestamp");
  std::unique_ptr<CsvFormat> format;
  if (h.Has("Counter_Name") && h.Has("Counter_Value") && h.Has("Kernel_Name") &&
      h.Has("Dispatch_Id")) {
    format = std::make_unique<CounterFormat>(std::move(h));
  } else if (h.Has("Name") && h.Has("Calls") && h.Has("TotalDurationNs")) {
    format = std::make_unique<StatsFormat>("statistics (CSV)", std::move(h));
  } else if (h.Has("Kernel_Name") && h.Has("Dispatch_ID") && times) {
    format = std::make_unique<LegacyFormat>("rocprofv2 results (CSV)", std::move(h), "Kernel_Name",
                                            "Start_Timestamp", "End_Timestamp");
  } else if (h.Has("Kernel_Name") && times) {
    format =
        std::make_unique<TraceFormat>("rocprofv3 kernel trace (CSV)", std::move(h), Kind::kKernel,
                                      "Kernel_Name", "Start_Timestamp", "End_Timestamp");
  } else if (h.Has("Direction") && times) {
    format =
        std::make_unique<TraceFormat>("rocprofv3 memory copies (CSV)", std::move(h), Kind::kCopy,
                                      "Direction", "Start_Timestamp", "End_Timestamp");
  } else if (h.Has("Domain") && h.Has("Function") && times) {
    format = std::make_unique<TraceFormat>("rocprofv3 API calls (CSV)", std::move(h), Kind::kApi,
                                           "Function", "Start_Timestamp", "End_Timestamp");
  } else if (h.Has("KernelName")) {
    format = std::make_unique<LegacyFormat>("legacy rocprof results (CSV)", std::move(h),
                                            "KernelName", "BeginNs", "EndNs");
  } else {
    return DataLoss(
        "its first line has none of the headers of rocprofv3 (kernel_trace, memory_copy_trace, "
        "api_trace, stats, counter_collection) or of the legacy rocprof");
  }
  return format;
}

Result<ImportedProfile> ImportCsv(std::string_view text) {
  CsvReader reader(text);
  Row row;
  ROCFORGE_ASSIGN_OR_RETURN(const bool any, reader.Next(&row));
  if (!any) return DataLoss("the file is empty");
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<CsvFormat> format, FormatOf(std::move(row)));
  ProfileBuilder builder;
  while (true) {
    row.clear();
    ROCFORGE_ASSIGN_OR_RETURN(const bool more, reader.Next(&row));
    if (!more) break;
    if (row.size() != format->header().size()) {
      return DataLoss(
          Format("line {} has {} fields and the header {}; the file seems to be cut off",
                 reader.line(), row.size(), format->header().size()));
    }
    ROCFORGE_RETURN_IF_ERROR(
        format->Add(row, builder).WithContext(Format("line {}", reader.line())));
  }
  ImportedProfile out = builder.Finish(format->name());
  out.counter_times = format->counters();
  return out;
}

void MergeRows(const std::vector<ProfileRow>& from, bool times, std::vector<ProfileRow>* into) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < into->size(); ++i) places[(*into)[i].name] = i;
  for (const ProfileRow& row : from) {
    const auto [place, is_new] = places.emplace(row.name, into->size());
    if (is_new) into->push_back({row.name, 0, 0, 0, 0, {}});
    ProfileRow* at = &(*into)[place->second];
    at->counters.insert(row.counters.begin(), row.counters.end());
    if (!times) continue;
    at->min_ns = at->calls == 0 ? row.min_ns : std::min(at->min_ns, row.min_ns);
    at->max_ns = std::max(at->max_ns, row.max_ns);
    at->calls += row.calls;
    at->total_ns += row.total_ns;
  }
}

}  // namespace

Result<ImportedProfile> ImportRocmText(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return DataLoss("the file is empty");
  return text[first] == '{' || text[first] == '[' ? ImportRocmJson(text) : ImportCsv(text);
}

Result<ImportedProfile> ImportRocmFile(const std::string& path) {
  Result<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                              file->bytes().size());
  Result<ImportedProfile> out =
      text.starts_with("SQLite format 3") ? ImportRocpd(path) : ImportRocmText(text);
  if (!out.ok()) return out.status().WithContext(EscapeForTerminal(path));
  return out;
}

ImportedProfile MergeProfiles(std::span<const ImportedProfile> profiles) {
  bool traces = false;
  for (const ImportedProfile& p : profiles) traces |= !p.counter_times && !p.kernels.empty();
  ImportedProfile out;
  out.counter_times = !traces;
  for (const ImportedProfile& p : profiles) {
    out.formats.insert(out.formats.end(), p.formats.begin(), p.formats.end());
    const bool times = !traces || !p.counter_times;
    MergeRows(p.kernels, times, &out.kernels);
    MergeRows(p.copies, times, &out.copies);
    MergeRows(p.api, times, &out.api);
    if (times) {
      out.span_ns += p.span_ns;
      out.busy_ns += p.busy_ns;
    }
  }
  for (std::vector<ProfileRow>* rows : {&out.kernels, &out.copies, &out.api}) {
    std::stable_sort(rows->begin(), rows->end(),
                     [](const auto& a, const auto& b) { return a.total_ns > b.total_ns; });
  }
  return out;
}

}  // namespace rocforge::prof
