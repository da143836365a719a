#include "apps/pull/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/format.h"

namespace rocforge::apps {

Result<int> RunProcess(const std::vector<std::string>& argv, const ProcessOptions& options) {
  std::vector<char*> raw;
  for (const std::string& arg : argv) raw.push_back(const_cast<char*>(arg.c_str()));
  raw.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  if (::posix_spawn_file_actions_init(&actions) != 0)
    return ResourceExhausted("no memory to start a program");
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (options.quiet) {
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return NotFound(Format("program '{}' not found", argv[0]));
  if (error != 0)
    return Unavailable(Format("cannot start '{}': {}", argv[0], std::strerror(error)));

  int state = 0;
  while (::waitpid(pid, &state, 0) < 0) {
    if (errno != EINTR)
      return Unavailable(Format("cannot wait for '{}': {}", argv[0], std::strerror(errno)));
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

}  // namespace rocforge::apps
