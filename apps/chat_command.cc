#include "apps/chat_command.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include "apps/engine_options.h"
#include "apps/sampling_options.h"
#include "apps/table.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct Context {
  std::string argument;
  session::Conversation& conversation;
  ChatSettings& settings;
  const std::optional<RunReport>& last;
};

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

Result<ChatAction> Help(Context& c);

Result<ChatAction> Clear(Context& c) {
  c.conversation.Clear();
  return ChatAction{.remark = c.conversation.system().empty()
                                  ? "the conversation is empty"
                                  : "the conversation is empty; the system message stays"};
}

Result<ChatAction> System(Context& c) {
  const bool had = !c.conversation.system().empty();
  c.conversation.SetSystem(c.argument);
  if (!c.argument.empty()) return ChatAction{.remark = "the system message is set"};
  return ChatAction{.remark = had ? "the system message is removed" : "there is no system message"};
}

Result<ChatAction> Regenerate(Context& c) {
  if (!c.conversation.DropAnswer()) return InvalidArgument("there is no question to answer again");
  return ChatAction{.reply = true};
}

Result<ChatAction> Undo(Context& c) {
  if (!c.conversation.Undo()) return InvalidArgument("there is nothing to undo");
  return ChatAction{.remark = Format("the last question and its answer are gone ({} messages left)",
                                     c.conversation.messages().size())};
}

Result<ChatAction> Save(Context& c) {
  if (c.argument.empty()) return InvalidArgument("/save needs a file name");
  const std::string shown = EscapeForTerminal(c.argument);
  std::FILE* file = std::fopen(c.argument.c_str(), "wb");
  if (file == nullptr) return Unavailable(Format("{}: {}", shown, std::strerror(errno)));
  const std::string text = c.conversation.Save();
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (const bool closed = std::fclose(file) == 0; !written || !closed) {
    return Unavailable(Format("{}: {}", shown, std::strerror(errno)));
  }
  return ChatAction{.remark =
                        Format("{} messages saved in {}", c.conversation.messages().size(), shown)};
}

Result<ChatAction> Load(Context& c) {
  if (c.argument.empty()) return InvalidArgument("/load needs a file name");
  ROCFORGE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(c.argument));
  const std::string shown = EscapeForTerminal(c.argument);
  ROCFORGE_RETURN_IF_ERROR(c.conversation.Load(text).WithContext(shown));
  return ChatAction{
      .remark = Format("{} messages loaded from {}", c.conversation.messages().size(), shown)};
}

Result<ChatAction> Stats(Context& c) {
  if (!c.last) return InvalidArgument("there is no answer yet");
  std::vector<std::string> parts = StatsParts(*c.last);
  parts.push_back(
      Format("{} tokens in the cache", c.conversation.session().cached_tokens().size()));
  std::string text = JoinParts(parts, TerminalColumns());
  text.pop_back();
  return ChatAction{.remark = std::move(text)};
}

Result<ChatAction> Set(Context& c) {
  if (c.argument.empty()) {
    Table table({Align::kLeft, Align::kLeft});
    table.AddRow({"max-tokens", Format("{}", c.settings.max_tokens)});
    for (auto& [name, value] : ListSamplingParams(c.settings.sampling)) {
      table.AddRow({name, value});
    }
    std::string text = table.ToString();
    text.pop_back();
    return ChatAction{.remark = std::move(text)};
  }
  const size_t space = c.argument.find_first_of(" =");
  const std::string name = c.argument.substr(0, space);
  const std::string value = space == std::string::npos ? "" : Trimmed(c.argument.substr(space + 1));
  if (value.empty()) return InvalidArgument("/set needs a name and a value: /set temperature 0.2");
  if (name == "max-tokens" || name == "max_tokens") {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || n == 0 || n < -1) {
      return InvalidArgument("max-tokens must be -1 (no limit) or at least 1");
    }
    c.settings.max_tokens = n;
  } else {
    ROCFORGE_RETURN_IF_ERROR(SetSamplingParam(name, value, &c.settings.sampling));
  }
  return ChatAction{.remark = Format("{} is now {}", name, value)};
}

Result<ChatAction> Quit(Context&) { return ChatAction{.leave = true}; }

struct ChatCommand {
  const char* name;
  const char* arguments;
  const char* help;
  Result<ChatAction> (*run)(Context&);
};

constexpr ChatCommand kCommands[] = {
    {"/help", "", "this list", Help},
    {"/clear", "", "forget the conversation (the system message stays)", Clear},
    {"/system", "TEXT", "set the system message; without a text: remove it", System},
    {"/regen", "", "another answer to the last question", Regenerate},
    {"/undo", "", "take back the last question and its answer", Undo},
    {"/save", "FILE", "write the conversation to a file (JSON)", Save},
    {"/load", "FILE", "read it back", Load},
    {"/stats", "", "figures of the last answer", Stats},
    {"/set", "NAME VALUE", "change a sampling parameter or max-tokens; alone: show all", Set},
    {"/quit", "", "leave (also Ctrl-D)", Quit},
};

Result<ChatAction> Help(Context&) {
  Table table({Align::kLeft, Align::kLeft});
  for (const ChatCommand& command : kCommands) {
    table.AddRow({Format("{} {}", command.name, command.arguments), command.help});
  }
  std::string text = table.ToString();
  text +=
      "A backslash at the end of a line, or \"\"\" at its start, asks for more lines; the\n"
      "latter until another \"\"\". Ctrl-C stops an answer or clears the line. A text that\n"
      "begins with / needs a space in front.";
  return ChatAction{.remark = std::move(text)};
}

}  // namespace

Result<ChatAction> RunChatCommand(const std::string& line, session::Conversation& conversation,
                                  ChatSettings& settings, const std::optional<RunReport>& last) {
  const size_t space = line.find_first_of(" \t\n");
  std::string name = line.substr(0, space);
  if (name == "/exit" || name == "/bye") name = "/quit";
  Context context{space == std::string::npos ? "" : Trimmed(line.substr(space)), conversation,
                  settings, last};
  for (const ChatCommand& command : kCommands) {
    if (name == command.name) return command.run(context);
  }
  return InvalidArgument(
      Format("there is no command {}; /help lists them", EscapeForTerminal(name, 40)));
}

}  // namespace rocforge::apps
