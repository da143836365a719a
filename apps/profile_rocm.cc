// `rocforge profile commands`: command lines for AMD's own profilers.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/output.h"
#include "base/format.h"
#include "device/gpu/discovery.h"
#include "prof/rocm_tools.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;
using prof::CardFamily;
using prof::RocmCommand;
using prof::RocmGuide;
using prof::RocmTool;

struct CommandFlags {
  std::string tool = "rocprofv3";
  std::string card;
  std::vector<std::string> command;
  bool json = false;
};

// The family of the first AMD card here, else a refusal that says what to type.
Result<CardFamily> FamilyHere() {
  const gpu::Discovery found = gpu::Discover();
  for (const gpu::DeviceProbe& probe : found.devices) {
    if (probe.driver->vendor() != gpu::Vendor::kAmd) continue;
    const auto device = gpu::Device::Open(probe.driver, probe.ordinal);
    if (device.ok()) return prof::ParseCardFamily(device.value()->info().architecture);
  }
  return InvalidArgument("no AMD card here: name the family with --card rdna2|rdna3|rdna4|cdna3");
}

Json ToJson(RocmTool tool, CardFamily card, const RocmGuide& guide) {
  Json commands = Json::array();
  for (const RocmCommand& c : guide.commands)
    commands.push_back({{"question", c.question}, {"command", c.line}, {"answer", c.answer}});
  return {{"tool", prof::RocmToolName(tool)},
          {"card", prof::CardFamilyName(card)},
          {"commands", std::move(commands)},
          {"notes", guide.notes}};
}

// Shell text: comments, and lines that can be pasted.
std::string ToText(RocmTool tool, CardFamily card, const RocmGuide& guide) {
  std::string text =
      Format("# {} on {} cards\n", prof::RocmToolName(tool), prof::CardFamilyName(card));
  for (const std::string& note : guide.notes) text += Format("# note: {}\n", note);
  for (const RocmCommand& c : guide.commands)
    text += Format("\n# {}\n{}\n#   -> {}\n", c.question, c.line, c.answer);
  if (!guide.commands.empty()) text += "\n# then: rocforge profile --import FILE...\n";
  return text;
}

Status PrintCommands(const CommandFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(const RocmTool tool, prof::ParseRocmTool(flags.tool));
  CardFamily card = CardFamily::kRdna3;
  if (flags.card.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(card, FamilyHere());
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(card, prof::ParseCardFamily(flags.card));
  }
  const RocmGuide guide = prof::MakeRocmGuide(tool, card, flags.command);
  return WriteStdout(
      flags.json
          ? ToJson(tool, card, guide).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
          : ToText(tool, card, guide));
}

}  // namespace

void RegisterProfileRocm(Command app, std::function<Status()>* run) {
  const Command profile = app.Subcommand("profile", "AMD's profilers");
  Command commands = profile.AddSubcommand(
      "commands", "Print command lines for AMD's profilers (nothing is started)");
  auto print = std::make_shared<CommandFlags>();
  commands.AddOption("--tool", print->tool, "rocprofv3, rocprof, rocprof-compute or rocprof-sys")
      .TypeName("TOOL");
  commands
      .AddOption("--card", print->card,
                 "rdna2, rdna3, rdna4, cdna3 or a target such as gfx1100 (default: the card "
                 "of this machine)")
      .TypeName("CARD");
  commands.AddFlag("--json", print->json, "print one JSON object");
  commands
      .AddOption("command", print->command,
                 "after --: what to profile (default: rocforge bench inference)")
      .TypeName("COMMAND");
  commands.OnParsed([print, run] {
    if (print->command.empty())
      print->command = {"rocforge", "bench", "inference", "-m", "MODEL", "-r", "1"};
    *run = [print] { return PrintCommands(*print); };
  });
}

}  // namespace rocforge::apps
