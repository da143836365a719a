// Runs the real binary, as a user would: through pipes, or at a terminal.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace rocforge::testing {

struct Finished {
  int exit_code = -1;  // 128 + N where a signal N ended it
  std::string out;
  std::string err;
};

// `rocforge ARGS...` with this text on stdin, an empty environment but for PATH, HOME (an empty
// folder), TERM and ROCFORGE_CACHE (the same folder for all calls of a test program). Fails the
// test and kills the process after 120 s.
Finished RunRocforge(const std::vector<std::string>& args, const std::string& in = {});

// `args` and `more` behind them.
std::vector<std::string> With(std::vector<std::string> args, const std::vector<std::string>& more);

// A process whose stdin is closed, with stdout and stderr in pipes, that can be signalled on its
// way.
class PipedProcess {
 public:
  explicit PipedProcess(const std::vector<std::string>& args);
  ~PipedProcess();
  PipedProcess(const PipedProcess&) = delete;
  PipedProcess& operator=(const PipedProcess&) = delete;

  // Reads from stdout until it has at least n bytes. False at its end or after 60 s.
  bool ReadOut(size_t n);
  void Signal(int signal);
  // Reads the rest and waits.
  Finished Wait();
  // Waits without reading.
  int WaitUnread();

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string text_;
};

// A process at a pseudo-terminal of 80 columns and 24 rows.
class TerminalProcess {
 public:
  explicit TerminalProcess(const std::vector<std::string>& args);
  ~TerminalProcess();
  TerminalProcess(const TerminalProcess&) = delete;
  TerminalProcess& operator=(const TerminalProcess&) = delete;

  void Send(const std::string& keys);
  // Waits until `text` comes in what was written after the last match; false (and a test failure
  // that shows the rest) after 60 s or at the end of the process.
  bool Expect(const std::string& text);
  // Everything written so far, escape sequences included.
  const std::string& written() const { return written_; }
  void Signal(int signal);
  int Wait();  // the exit code, after reading the rest

 private:
  bool ReadMore(int timeout_ms);
  pid_t pid_ = -1;
  int terminal_ = -1;
  std::string written_;
  size_t matched_ = 0;
};

}  // namespace rocforge::testing
