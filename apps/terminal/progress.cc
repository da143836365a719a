#include "apps/terminal/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "apps/terminal/terminal.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

constexpr double kQuietSeconds = 0.2;
constexpr double kRedrawSeconds = 0.1;
// An estimate from less than this is noise.
constexpr double kEstimateAfterSeconds = 2.0;
constexpr int kMaxBarColumns = 30;
constexpr int kMinBarColumns = 8;

double SecondsBetween(std::chrono::steady_clock::time_point a,
                      std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

}  // namespace

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)),
      enabled_(IsTerminal(stderr)),
      start_(Clock::now()),
      last_draw_(start_) {}

ProgressBar::~ProgressBar() { Finish(); }

void ProgressBar::Update(double fraction, std::string_view detail) {
  if (!enabled_) return;
  const Clock::time_point now = Clock::now();
  const std::lock_guard lock(mutex_);
  const double elapsed_s = SecondsBetween(start_, now);
  if (elapsed_s < kQuietSeconds) return;
  if (drawn_ && SecondsBetween(last_draw_, now) < kRedrawSeconds) return;
  last_draw_ = now;
  drawn_ = true;
  Draw(std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0, detail, elapsed_s);
}

void ProgressBar::Draw(double fraction, std::string_view detail, double elapsed_s) {
  const int columns = TerminalColumns() - 1;  // the last column would wrap in some terminals
  std::string tail = Format(" {:3.0f} %", std::floor(fraction * 100));
  if (!detail.empty()) tail += Format("  {}", detail);
  if (elapsed_s >= kEstimateAfterSeconds && fraction > 0.01 && fraction < 1.0) {
    const double left_s = std::ceil(elapsed_s / fraction * (1 - fraction));
    tail += Format("  {} left", left_s < 60 ? Format("{:.0f} s", left_s) : FormatSeconds(left_s));
  }
  const int used = DisplayWidth(label_) + DisplayWidth(tail) + 3;  // a space and two brackets
  const int bar = std::min(columns - used, kMaxBarColumns);
  std::string line = label_;
  if (bar >= kMinBarColumns) {
    const int full = static_cast<int>(fraction * bar);
    line += " [" + std::string(static_cast<size_t>(full), '#') +
            std::string(static_cast<size_t>(bar - full), '.') + "]";
  }
  line = FitColumns(line + tail, columns);
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
}

void ProgressBar::Erase() {
  if (drawn_) {
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
  }
  drawn_ = false;
}

void ProgressBar::Hide() {
  const std::lock_guard lock(mutex_);
  Erase();
}

void ProgressBar::Finish() {
  const std::lock_guard lock(mutex_);
  Erase();
  enabled_ = false;
}

}  // namespace rocforge::apps
