#include "apps/options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <utility>

#include "base/format.h"

namespace rocforge::apps {

Option Option::TypeName(const std::string& name) const { return Option(option_->type_name(name)); }
Option Option::Group(const std::string& heading) const { return Option(option_->group(heading)); }
Option Option::Required() const { return Option(option_->required()); }
Option Option::Excludes(Option other) const { return Option(option_->excludes(other.option_)); }
Option Option::Needs(Option other) const { return Option(option_->needs(other.option_)); }
Option Option::ShowDefault() const { return Option(option_->capture_default_str()); }
Option Option::Repeatable() const { return Option(option_->expected(1)->take_all()); }
Option Option::Expected(int least, int most) const {
  return Option(option_->expected(least, most));
}
Option Option::Delimiter(char delimiter) const { return Option(option_->delimiter(delimiter)); }

Option Option::AtLeast(int64_t least) const {
  return Check([least](const std::string& text) {
    int64_t value = 0;
    if (!CLI::detail::lexical_cast(text, value)) return Format("'{}' is no number", text);
    return value < least ? Format("{} is less than {}", value, least) : std::string();
  });
}

Option Option::Range(int64_t least, int64_t most) const {
  // Without its description, which the help would show as if it were the value's name.
  return Option(option_->check(CLI::Range(least, most).description("")));
}

Option Option::OneOf(const std::vector<std::string>& words, bool ignore_case) const {
  if (ignore_case)
    return Option(option_->check(CLI::IsMember(words, CLI::ignore_case).description("")));
  return Option(option_->check(CLI::IsMember(words).description("")));
}

Option Option::Check(std::function<std::string(const std::string& text)> check) const {
  return Option(option_->check(
      CLI::Validator([check = std::move(check)](std::string& text) { return check(text); }, "")));
}

size_t Option::Count() const { return option_->count(); }

Command Command::AddSubcommand(const std::string& name, const std::string& about) const {
  return Command(*app_->add_subcommand(name, about));
}
Command Command::Subcommand(const std::string& name, const std::string& about) const {
  for (CLI::App* there : app_->get_subcommands(nullptr)) {
    if (there->get_name() == name) return Command(*there);
  }
  return AddSubcommand(name, about);
}
void Command::RequireSubcommand() const { app_->require_subcommand(1); }
void Command::Footer(const std::string& text) const { app_->footer(text); }

Option Command::AddFlag(const std::string& names, bool& value, const std::string& about) const {
  return Option(app_->add_flag(names, value, about));
}

template <typename T>
Option Command::AddOption(const std::string& names, T& value, const std::string& about) const {
  return Option(app_->add_option(names, value, about));
}
template Option Command::AddOption(const std::string&, bool&, const std::string&) const;
template Option Command::AddOption(const std::string&, std::string&, const std::string&) const;
template Option Command::AddOption(const std::string&, int32_t&, const std::string&) const;
template Option Command::AddOption(const std::string&, int64_t&, const std::string&) const;
template Option Command::AddOption(const std::string&, uint32_t&, const std::string&) const;
template Option Command::AddOption(const std::string&, uint64_t&, const std::string&) const;
template Option Command::AddOption(const std::string&, float&, const std::string&) const;
template Option Command::AddOption(const std::string&, double&, const std::string&) const;
template Option Command::AddOption(const std::string&, std::vector<std::string>&,
                                   const std::string&) const;
template Option Command::AddOption(const std::string&, std::vector<int32_t>&,
                                   const std::string&) const;
template Option Command::AddOption(const std::string&, std::vector<int64_t>&,
                                   const std::string&) const;

Option Command::AddOptionFunction(const std::string& names,
                                  const std::function<void(const std::string& text)>& take,
                                  const std::string& about) const {
  return Option(app_->add_option_function<std::string>(names, take, about));
}

Option Command::Find(const std::string& name) const { return Option(app_->get_option(name)); }
void Command::OnParsed(std::function<void()> call) const { app_->callback(std::move(call)); }
bool Command::Parsed() const { return app_->parsed(); }
bool Command::HasParsedSubcommand() const { return !app_->get_subcommands().empty(); }

}  // namespace rocforge::apps
