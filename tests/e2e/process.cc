#include "tests/e2e/process.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kLimitSeconds = 120;

const std::string& HomeFolder() {
  static const TempDir dir;  // lives as long as the test program
  return dir.path();
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Everything that exec needs, made before the fork.
struct Command {
  std::vector<std::string> args;
  std::vector<std::string> environment;
  std::vector<char*> arg_pointers;
  std::vector<char*> environment_pointers;

  explicit Command(const std::vector<std::string>& a) : args(a) {
    args.insert(args.begin(), ROCFORGE_BINARY);
    const char* path = std::getenv("PATH");
    environment = {"PATH=" + std::string(path == nullptr ? "/usr/bin:/bin" : path),
                   "HOME=" + HomeFolder(), "ROCFORGE_CACHE=" + HomeFolder() + "/cache",
                   "TERM=xterm"};
    arg_pointers = Pointers(args);
    environment_pointers = Pointers(environment);
  }
  [[noreturn]] void Exec() {
    execve(ROCFORGE_BINARY, arg_pointers.data(), environment_pointers.data());
    _exit(127);
  }
};

int ExitCode(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct Pipes {
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
};

pid_t Start(const std::vector<std::string>& args, Pipes* p) {
  Command command(args);
  for (int* ends : {p->in, p->out, p->err}) EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(p->in[0], STDIN_FILENO);
    dup2(p->out[1], STDOUT_FILENO);
    dup2(p->err[1], STDERR_FILENO);
    command.Exec();
  }
  EXPECT_GT(pid, 0);
  close(p->in[0]);
  close(p->out[1]);
  close(p->err[1]);
  return pid;
}

// Appends what is there; false at the end of the stream.
bool ReadSome(int fd, std::string* text) {
  char buffer[1 << 14];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n > 0) text->append(buffer, static_cast<size_t>(n));
  return n > 0 || (n < 0 && errno == EINTR);
}

// Feeds stdin and reads stdout and stderr, all at once, until both have ended.
void Exchange(pid_t pid, int in, const std::string& input, int out, int err, Finished* f) {
  const auto limit = Clock::now() + std::chrono::seconds(kLimitSeconds);
  size_t sent = 0;
  bool open_out = true;
  bool open_err = true;
  fcntl(in, F_SETFL, O_NONBLOCK);
  while (open_out || open_err) {
    if (Clock::now() > limit) {
      ADD_FAILURE() << "the process took longer than " << kLimitSeconds << " s";
      kill(pid, SIGKILL);
      return;
    }
    if (in >= 0 && sent == input.size()) {
      close(in);
      in = -1;
    }
    pollfd fds[3] = {
        {open_out ? out : -1, POLLIN, 0}, {open_err ? err : -1, POLLIN, 0}, {in, POLLOUT, 0}};
    if (poll(fds, 3, 1000) <= 0) continue;
    if (fds[0].revents != 0) open_out = ReadSome(out, &f->out);
    if (fds[1].revents != 0) open_err = ReadSome(err, &f->err);
    if (fds[2].revents != 0) {
      const ssize_t n = write(in, input.data() + sent, input.size() - sent);
      if (n > 0) sent += static_cast<size_t>(n);
      if (n < 0 && errno == EPIPE) sent = input.size();
    }
  }
  if (in >= 0) close(in);
}

}  // namespace

Finished RunRocforge(const std::vector<std::string>& args, const std::string& in) {
  signal(SIGPIPE, SIG_IGN);
  Pipes p;
  const pid_t pid = Start(args, &p);
  Finished f;
  Exchange(pid, p.in[1], in, p.out[0], p.err[0], &f);
  f.exit_code = ExitCode(pid);
  close(p.out[0]);
  close(p.err[0]);
  return f;
}

std::vector<std::string> With(std::vector<std::string> args, const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

PipedProcess::PipedProcess(const std::vector<std::string>& args) {
  Pipes p;
  pid_ = Start(args, &p);
  close(p.in[1]);
  out_ = p.out[0];
  err_ = p.err[0];
}

PipedProcess::~PipedProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    ExitCode(pid_);
  }
  close(out_);
  close(err_);
}

bool PipedProcess::ReadOut(size_t n) {
  const auto limit = Clock::now() + std::chrono::seconds(60);
  while (text_.size() < n && Clock::now() < limit) {
    pollfd fd = {out_, POLLIN, 0};
    if (poll(&fd, 1, 1000) > 0 && !ReadSome(out_, &text_)) return false;
  }
  return text_.size() >= n;
}

void PipedProcess::Signal(int signal) { kill(pid_, signal); }

Finished PipedProcess::Wait() {
  Finished f;
  f.out = text_;
  Exchange(pid_, -1, {}, out_, err_, &f);
  f.exit_code = WaitUnread();
  return f;
}

int PipedProcess::WaitUnread() {
  const int code = ExitCode(pid_);
  pid_ = -1;
  return code;
}

TerminalProcess::TerminalProcess(const std::vector<std::string>& args) {
  Command command(args);
  winsize size = {};
  size.ws_col = 80;
  size.ws_row = 24;
  pid_ = forkpty(&terminal_, nullptr, nullptr, &size);
  if (pid_ == 0) command.Exec();
  EXPECT_GT(pid_, 0);
}

TerminalProcess::~TerminalProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    ExitCode(pid_);
  }
  close(terminal_);
}

void TerminalProcess::Send(const std::string& keys) {
  EXPECT_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

bool TerminalProcess::ReadMore(int timeout_ms) {
  pollfd fd = {terminal_, POLLIN, 0};
  if (poll(&fd, 1, timeout_ms) <= 0) return true;
  return ReadSome(terminal_, &written_);
}

bool TerminalProcess::Expect(const std::string& text) {
  const auto limit = Clock::now() + std::chrono::seconds(60);
  while (true) {
    const size_t found = written_.find(text, matched_);
    if (found != std::string::npos) {
      matched_ = found + text.size();
      return true;
    }
    if (Clock::now() > limit || !ReadMore(1000)) break;
  }
  ADD_FAILURE() << "\"" << text << "\" did not come; since the last match: \""
                << written_.substr(matched_) << "\"";
  return false;
}

void TerminalProcess::Signal(int signal) { kill(pid_, signal); }

int TerminalProcess::Wait() {
  const auto limit = Clock::now() + std::chrono::seconds(60);
  while (ReadMore(1000)) {
    if (Clock::now() > limit) {
      ADD_FAILURE() << "the process does not end";
      kill(pid_, SIGKILL);
    }
  }
  const int code = ExitCode(pid_);
  pid_ = -1;
  return code;
}

}  // namespace rocforge::testing
