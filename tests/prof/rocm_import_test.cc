#include "prof/rocm_import.h"

#include <fstream>
#include <string>
#include <vector>

#include "prof/csv.h"
#include "prof/sqlite.h"
#include "tests/testing.h"

namespace rocforge::prof {
namespace {

using ::rocforge::testing::ReadFileOrFail;
using ::rocforge::testing::SourcePath;
using ::rocforge::testing::TempDir;

std::string SamplePath(const std::string& name) { return SourcePath("tests/prof/samples/" + name); }

const ProfileRow* Find(const std::vector<ProfileRow>& rows, const std::string& name) {
  for (const ProfileRow& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

TEST(CsvReader, QuotesCommasAndLineEnds) {
  CsvReader reader("a,\"b,\"\"c\"\"\",\r\n\n\"two\nlines\",x,\nlast");
  std::vector<std::string> row;
  ASSERT_TRUE(*reader.Next(&row));
  EXPECT_EQ(row, (std::vector<std::string>{"a", "b,\"c\"", ""}));
  ASSERT_TRUE(*reader.Next(&row));
  EXPECT_EQ(row, (std::vector<std::string>{"two\nlines", "x", ""}));
  EXPECT_EQ(reader.line(), 3u);
  ASSERT_TRUE(*reader.Next(&row));
  EXPECT_EQ(row, std::vector<std::string>{"last"});
  EXPECT_EQ(reader.line(), 5u);
  EXPECT_FALSE(*reader.Next(&row));
}

TEST(CsvReader, BrokenQuotes) {
  std::vector<std::string> row;
  EXPECT_EQ(CsvReader("a,\"b").Next(&row).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(CsvReader("\"a\"b,c").Next(&row).status().code(), StatusCode::kDataLoss);
}

// The two calls of matvec that all samples have.
void ExpectMatvec(const ImportedProfile& p) {
  const ProfileRow* row = Find(p.kernels, "matvec_q4_k");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->calls, 2);
  EXPECT_EQ(row->total_ns, 8000);
  EXPECT_EQ(row->min_ns, 3000);
  EXPECT_EQ(row->max_ns, 5000);
}

TEST(RocmImport, KernelTrace) {
  const auto p = ImportRocmFile(SamplePath("kernel_trace.csv"));
  ASSERT_OK(p);
  ExpectMatvec(*p);
  EXPECT_EQ(p->kernels.front().name, "matvec_q4_k");
  EXPECT_NE(Find(p->kernels, "void demo<float, 4>(float*, \"quoted\")"), nullptr);
  EXPECT_EQ(p->span_ns, 11000);
  EXPECT_EQ(p->busy_ns, 10000);  // calls overlap by 500 and leave a gap of 1000
  EXPECT_FALSE(p->counter_times);
}

TEST(RocmImport, CopiesCallsAndStatistics) {
  const auto copies = ImportRocmFile(SamplePath("memory_copy_trace.csv"));
  ASSERT_OK(copies);
  ASSERT_EQ(copies->copies.size(), 2u);
  EXPECT_EQ(copies->copies[0].name, "MEMORY_COPY_HOST_TO_DEVICE");
  EXPECT_EQ(copies->span_ns, 0);
  const auto calls = ImportRocmFile(SamplePath("hip_api_trace.csv"));
  ASSERT_OK(calls);
  ASSERT_EQ(calls->api.size(), 2u);
  EXPECT_EQ(calls->api[1].calls, 2);
  const auto stats = ImportRocmFile(SamplePath("kernel_stats.csv"));
  ASSERT_OK(stats);
  ExpectMatvec(*stats);
}

TEST(RocmImport, CountersJoinATrace) {
  const auto counters = ImportRocmFile(SamplePath("counter_collection.csv"));
  ASSERT_OK(counters);
  EXPECT_TRUE(counters->counter_times);
  const ProfileRow* row = Find(counters->kernels, "matvec_q4_k");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->calls, 2);
  EXPECT_EQ(row->total_ns, 0);
  EXPECT_DOUBLE_EQ(row->counters.at("FETCH_SIZE"), 8193);
  const auto trace = ImportRocmFile(SamplePath("kernel_trace.csv"));
  ASSERT_OK(trace);
  const ImportedProfile both = MergeProfiles(std::vector<ImportedProfile>{*counters, *trace});
  ExpectMatvec(both);
  EXPECT_DOUBLE_EQ(Find(both.kernels, "matvec_q4_k")->counters.at("SQ_WAVES"), 1536);
  EXPECT_FALSE(both.counter_times);
  EXPECT_EQ(both.span_ns, 11000);
  EXPECT_EQ(both.formats.size(), 2u);
}

TEST(RocmImport, LegacyResults) {
  const auto p = ImportRocmFile(SamplePath("results.csv"));
  ASSERT_OK(p);
  ExpectMatvec(*p);
  const ProfileRow* row = Find(p->kernels, "matvec_q4_k");
  EXPECT_DOUBLE_EQ(row->counters.at("L2CacheHit"), 13);
  EXPECT_EQ(row->counters.size(), 2u);
  EXPECT_TRUE(p->counter_times);
}

TEST(RocmImport, Json) {
  const auto p = ImportRocmFile(SamplePath("rocprofv3.json"));
  ASSERT_OK(p);
  ExpectMatvec(*p);
  EXPECT_DOUBLE_EQ(Find(p->kernels, "matvec_q4_k")->counters.at("FETCH_SIZE"), 8193);
  EXPECT_NE(Find(p->kernels, "norm_rms"), nullptr);
  EXPECT_NE(Find(p->api, "hipModuleLaunchKernel"), nullptr);
  EXPECT_NE(Find(p->copies, "MEMORY_COPY_HOST_TO_DEVICE"), nullptr);
  const auto legacy = ImportRocmFile(SamplePath("legacy_trace.json"));
  ASSERT_OK(legacy);
  ASSERT_EQ(legacy->kernels.size(), 1u);
  EXPECT_EQ(legacy->kernels[0].total_ns, 5000);
  ASSERT_EQ(legacy->copies.size(), 1u);
  EXPECT_EQ(legacy->copies[0].total_ns, 500);
  EXPECT_EQ(legacy->api.size(), 1u);
}

TEST(RocmImport, Rocpd) {
  if (Sqlite::Open(SamplePath("rocpd_rows.db")).status().code() == StatusCode::kUnsupported)
    GTEST_SKIP() << "libsqlite3 is not installed";
  for (const char* name : {"rocpd_rows.db", "rocpd_stamps.db"}) {
    SCOPED_TRACE(name);
    const auto p = ImportRocmFile(SamplePath(name));
    ASSERT_OK(p);
    ExpectMatvec(*p);
    EXPECT_DOUBLE_EQ(Find(p->kernels, "matvec_q4_k")->counters.at("FETCH_SIZE"), 8193);
    EXPECT_NE(Find(p->kernels, "norm_rms"), nullptr);
    EXPECT_EQ(p->copies.size(), 1u);
    EXPECT_EQ(p->api.size(), 1u);
  }
}

// Every cut of a database is an error or a smaller profile, never a crash.
TEST(RocmImport, CutRocpd) {
  if (Sqlite::Open(SamplePath("rocpd_rows.db")).status().code() == StatusCode::kUnsupported)
    GTEST_SKIP() << "libsqlite3 is not installed";
  const std::string whole = ReadFileOrFail(SamplePath("rocpd_rows.db"));
  TempDir dir;
  int errors = 0;
  for (size_t size = 100; size < whole.size(); size += 700) {
    const std::string path = dir.File("cut.db");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    errors += ImportRocmFile(path).ok() ? 0 : 1;
  }
  EXPECT_GT(errors, 3);
}

void ExpectRefused(const std::string& text, const std::string& words) {
  const auto p = ImportRocmText(text);
  ASSERT_FALSE(p.ok()) << text;
  EXPECT_EQ(p.status().code(), StatusCode::kDataLoss);
  EXPECT_NE(p.status().message().find(words), std::string::npos) << p.status().message();
}

TEST(RocmImport, Refusals) {
  const std::string header = "Kernel_Name,Start_Timestamp,End_Timestamp\n";
  ExpectRefused("", "empty");
  ExpectRefused(" \n", "empty");
  ExpectRefused("PK\x03\x04", "none of the headers");
  ExpectRefused(header + "a,1", "line 2 has 2 fields");
  ExpectRefused(header + "a,1,5\nb,9,3\n", "line 3");
  ExpectRefused(header + "a,1,x\n", "no whole number");
  ExpectRefused(header + "a,-4,5\n", "from -4");
  ExpectRefused(header + "a,1,99999999999999999999\n", "no whole number");
  ExpectRefused(header + "\"a,1,5\n", "not closed");
  ExpectRefused("Name,Calls,TotalDurationNs\nx,9223372036854775807,5\n", "impossible");
  ExpectRefused("{\"rocprofiler-sdk-tool\": 5}", "no list");
  ExpectRefused("{\"rocprofiler-sdk-tool\": [{\"buffer_records\":", "cut off");
  ExpectRefused("{\"rocprofiler-sdk-tool\": [{\"buffer_records\": {\"kernel_dispatch\": [{}]}}]}",
                "kernel_id");
  ExpectRefused("[1, 2]", "neither");
  ExpectRefused("{\"traceEvents\": [{\"ph\": \"X\", \"name\": \"a\"}]}", "neither BeginNs");
  EXPECT_EQ(ImportRocmFile("/nowhere/x.csv").status().code(), StatusCode::kNotFound);
}

TEST(RocmImport, CutText) {
  for (const char* name : {"kernel_trace.csv", "counter_collection.csv", "rocprofv3.json"}) {
    const std::string whole = ReadFileOrFail(SamplePath(name));
    for (size_t size = 0; size < whole.size(); size += 7) {
      const auto p = ImportRocmText(whole.substr(0, size));
      EXPECT_TRUE(p.ok() || !p.status().message().empty());
    }
  }
}

}  // namespace
}  // namespace rocforge::prof
