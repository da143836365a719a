#include "sample/history.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rocforge::sample {

TokenWindow::TokenWindow(int64_t n_vocab, int64_t window)
    : on_(window != 0),
      ring_(window > 0 ? static_cast<size_t>(window) : 0),
      counts_(on_ ? static_cast<size_t>(n_vocab) : 0),
      place_(counts_.size()),
      distinct_(counts_.size()) {}

void TokenWindow::Accept(int32_t token) {
  if (!on_) return;
  if (!ring_.empty()) {
    if (filled_ == ring_.size()) {
      Remove(ring_[next_]);
    } else {
      ++filled_;
    }
    ring_[next_] = token;
    next_ = next_ + 1 == ring_.size() ? 0 : next_ + 1;
  }
  Add(token);
}

void TokenWindow::Add(int32_t token) {
  const size_t t = static_cast<size_t>(token);
  if (counts_[t]++ > 0) return;
  place_[t] = static_cast<int32_t>(n_distinct_);
  distinct_[n_distinct_++] = token;
}

void TokenWindow::Remove(int32_t token) {
  const size_t t = static_cast<size_t>(token);
  if (--counts_[t] > 0) return;
  const int32_t last = distinct_[--n_distinct_];
  distinct_[static_cast<size_t>(place_[t])] = last;
  place_[static_cast<size_t>(last)] = place_[t];
}

void TokenWindow::Clear() {
  for (const int32_t token : distinct()) counts_[static_cast<size_t>(token)] = 0;
  n_distinct_ = 0;
  next_ = 0;
  filled_ = 0;
}

DryHistory::DryHistory(int64_t n_vocab, int64_t window, const Params& params,
                       std::span<const int32_t> breakers)
    : params_(params),
      ring_(static_cast<size_t>(window)),
      breaker_(window > 0 ? static_cast<size_t>(n_vocab) : 0),
      backward_(ring_.size()),
      match_(ring_.size()),
      matches_(ring_.size()) {
  if (window == 0) return;
  for (const int32_t token : breakers) breaker_[static_cast<size_t>(token)] = 1;
}

void DryHistory::Accept(int32_t token) {
  if (ring_.empty()) return;
  ring_[next_] = token;
  next_ = next_ + 1 == ring_.size() ? 0 : next_ + 1;
  filled_ = std::min(filled_ + 1, ring_.size());
}

void DryHistory::Clear() {
  next_ = 0;
  filled_ = 0;
}

void DryHistory::FindMatches() {
  matches_.clear();
  // Newest first: a repetition of the end becomes a repetition of the beginning.
  const size_t n = filled_;
  for (size_t i = 0, from = next_; i < n; ++i) {
    from = from == 0 ? ring_.size() - 1 : from - 1;
    backward_[i] = ring_[from];
  }
  size_t limit = 0;  // a match may not reach over the newest breaker
  while (limit < n && !IsBreaker(backward_[limit])) ++limit;
  const size_t allowed = static_cast<size_t>(params_.allowed_length);
  if (limit < allowed) return;

  // match_[i]: how many tokens from i on equal those from 0 on (Z function; Gusfield 1997, 1.4).
  // [lo, hi) is the match that reaches furthest.
  size_t lo = 0;
  size_t hi = 0;
  for (size_t i = 1; i < n; ++i) {
    size_t length = i < hi ? std::min(hi - i, static_cast<size_t>(match_[i - lo])) : 0;
    while (i + length < n && backward_[length] == backward_[i + length]) ++length;
    match_[i] = static_cast<int32_t>(length);
    if (i + length > hi) {
      lo = i;
      hi = i + length;
    }
    const size_t counted = std::min(length, limit);
    if (counted < allowed || IsBreaker(backward_[i - 1])) continue;
    matches_.push_back({backward_[i - 1], static_cast<int32_t>(counted)});
  }
}

void DryHistory::AppendEdits(double scale, std::vector<LogitEdit>* edits) {
  if (ring_.empty()) return;
  FindMatches();
  // The longest match of each token first, and only that one counts.
  std::sort(matches_.begin(), matches_.end(), [](const Match& a, const Match& b) {
    return a.token != b.token ? a.token < b.token : a.length > b.length;
  });
  for (size_t i = 0; i < matches_.size(); ++i) {
    if (i > 0 && matches_[i].token == matches_[i - 1].token) continue;
    const double penalty =
        params_.multiplier *
        std::pow(static_cast<double>(params_.base), matches_[i].length - params_.allowed_length);
    // Infinity would ban.
    edits->push_back(
        {matches_[i].token, 1, std::min(penalty * scale, std::numeric_limits<double>::max())});
  }
}

}  // namespace rocforge::sample
