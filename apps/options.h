// The options of a subcommand, as its file declares them. They are parsed by CLI11, whose headers
// only options.cc, help.cc and main.cc include: they cost every file that includes them seconds of
// compile time.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rocforge::apps {

// A handle on an option or a flag; the parser owns it and outlives the handle. Setters return the
// same handle.
class Option {
 public:
  Option() = default;  // none: only assignment is allowed
  explicit Option(CLI::Option* option) : option_(option) {}

  Option TypeName(const std::string& name) const;  // what the help shows for the value
  Option Group(const std::string& heading) const;  // where the help shows it
  Option Required() const;
  Option Excludes(Option other) const;         // not both on one command line
  Option Needs(Option other) const;            // not without the other
  Option ShowDefault() const;                  // in the help: the variable's present value
  Option Repeatable() const;                   // of vectors: one value each time, all are kept
  Option Expected(int least, int most) const;  // of vectors: how many values
  Option Delimiter(char delimiter) const;      // of vectors: between values of one argument

  // Values outside are refused, with the limits in the message.
  Option AtLeast(int64_t least) const;
  Option Range(int64_t least, int64_t most) const;
  // One of these words; upper and lower case are equal where `ignore_case`, and the variable then
  // holds the word as it stands here.
  Option OneOf(const std::vector<std::string>& words, bool ignore_case = false) const;
  // Any other check: returns what is wrong with the text, or "".
  Option Check(std::function<std::string(const std::string& text)> check) const;

  size_t Count() const;  // how often the command line has it; after parsing

 private:
  CLI::Option* option_ = nullptr;
};

// A handle on a command; the parser owns it. Names are "-l,--long" for options, "NAME" for
// positional arguments, both separated by commas for either. Variables must outlive the parsing.
class Command {
 public:
  explicit(false) Command(CLI::App& app) : app_(&app) {}

  Command AddSubcommand(const std::string& name, const std::string& about) const;
  // The subcommand of this name; added where there is none yet.
  Command Subcommand(const std::string& name, const std::string& about) const;
  void RequireSubcommand() const;              // exactly one
  void Footer(const std::string& text) const;  // the last paragraph of the help

  Option AddFlag(const std::string& names, bool& value, const std::string& about) const;
  // T: bool, std::string, int32_t, int64_t, uint32_t, uint64_t, float, double, and vectors of
  // std::string, int32_t and int64_t.
  template <typename T>
  Option AddOption(const std::string& names, T& value, const std::string& about) const;
  // Calls `take` with the text, once the command line is known to be right.
  Option AddOptionFunction(const std::string& names,
                           const std::function<void(const std::string& text)>& take,
                           const std::string& about) const;
  Option Find(const std::string& name) const;  // an option that was added

  // Called when the command line names this command, after its options were parsed.
  void OnParsed(std::function<void()> call) const;
  bool Parsed() const;
  bool HasParsedSubcommand() const;  // the command line names one of its subcommands

 private:
  CLI::App* app_;
};

}  // namespace rocforge::apps
