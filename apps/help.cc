#include "apps/help.h"

#include <sstream>
#include <utility>

namespace rocforge::apps {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kNameColumns = 30;

std::string WrapLine(const std::string& line, size_t columns) {
  std::istringstream words(line);
  std::string out;
  size_t used = 0;
  for (std::string word; words >> word;) {
    if (used > 0) {
      const bool fits = used + 1 + word.size() <= columns;
      out += fits ? ' ' : '\n';
      used = fits ? used + 1 : 0;
    }
    out += word;
    used += word.size();
  }
  return out;
}

}  // namespace

std::string WrapText(const std::string& text, size_t columns) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (!out.empty()) out += '\n';
    out += line.size() <= columns ? line : WrapLine(line, columns);
  }
  return out;
}

HelpFormatter::HelpFormatter() { column_width(kNameColumns); }

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return WrapText(app->get_description(), kColumns) + "\n\n";
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  std::string text =
      CLI::Formatter::make_group(std::move(group), is_positional, std::move(options));
  if (!is_positional && text.ends_with('\n')) text.pop_back();
  return text;
}

std::string HelpFormatter::make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const {
  const std::string text = CLI::Formatter::make_subcommands(app, mode);
  return text.empty() ? text : "\n" + text;
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::stringstream out;
  // Names of commands are short.
  constexpr size_t kCommandColumns = 14;
  CLI::detail::format_help(out, command->get_display_name(true),
                           WrapText(command->get_description(), kColumns - kCommandColumns),
                           kCommandColumns);
  return out.str();
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  if (!option->get_default_str().empty()) text += " (default " + option->get_default_str() + ")";
  return WrapText(text, kColumns - kNameColumns);
}

}  // namespace rocforge::apps
