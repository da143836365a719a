// The one progress bar: loading, downloading, quantising, measuring.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

namespace rocforge::apps {

// Draws "label [#####.....]  45 %  detail" in the last line of the terminal on stderr, in place,
// with an estimate of the time left where it takes long. Where stderr is no terminal it draws
// nothing at all. Nothing is drawn in the first 0.2 s either, so that quick work does not flicker.
// Thread-safe.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();  // Finish()
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // fraction in [0, 1]; `detail` is a short text such as "31 of 98 MiB, 12 MiB/s". Redraws at most
  // ten times a second, so callers need not hold back.
  void Update(double fraction, std::string_view detail = {});
  // Erases the bar until the next Update, so that a line of text can be written.
  void Hide();
  // Erases the bar for good; the next line written to the terminal starts at its first column.
  void Finish();

 private:
  void Erase();
  void Draw(double fraction, std::string_view detail, double elapsed_s);

  using Clock = std::chrono::steady_clock;
  std::mutex mutex_;
  std::string label_;
  bool enabled_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point last_draw_;
};

}  // namespace rocforge::apps
