#include "kernels/gpu/launch/modules.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "kernels/gpu/launch/code.h"

namespace rocforge::gpu {

namespace {

// Of a multiprocessor's first-level memory, what kernels that generate text have as shared memory:
// all of them the same, because a launch of another share waits for the multiprocessor to be empty.
// Enough for a block of matvec_ring beside one of a small kernel. Measured on an H200, generation:
// F16 of 7B 276 tok/s, 150 where the driver chooses; Q4_K_M 618 and 616. Prompts are 2 % slower
// with it, so their kernels keep the driver's choice.
constexpr int kSharedPercent = 50;

bool IsForManyRows(const std::string& kernel_file) {
  return kernel_file.starts_with("gemm") || kernel_file == "unpack" || kernel_file == "pack_rows" ||
         kernel_file == "attention_prefill" || kernel_file == "ceilings";
}

}  // namespace

struct Modules::State {
  std::shared_ptr<const Device> device;
  std::string target;
  std::mutex mutex;
  std::map<std::string, Module> modules;  // by kernel file

  Result<Module> LoadFile(const std::string& kernel_file) const;
};

Result<Module> Modules::State::LoadFile(const std::string& kernel_file) const {
  // The simulator's kernels are linked into the program: its modules need no code.
  if (device->driver().vendor() == Vendor::kSim) return Module::Load(device, {});
  Status refused = NotFound("there is no such kernel file");
  for (const CodeObject& object : EmbeddedCode()) {
    if (object.target != target || object.kernel_file != kernel_file) continue;
    ROCFORGE_ASSIGN_OR_RETURN(const std::vector<std::byte> code, Decompress(object));
    Result<Module> module = Module::Load(device, code);
    if (module.ok()) return module;
    refused = module.status();
    Log(LogLevel::kInfo, "{} for {}: {}; {}", kernel_file, target, refused.message(),
        object.is_ptx ? "that was the last form of it" : "the driver compiles its PTX instead");
  }
  return refused;
}

Modules::Modules() = default;
Modules::Modules(Modules&&) noexcept = default;
Modules& Modules::operator=(Modules&&) noexcept = default;
Modules::~Modules() = default;

Result<Modules> Modules::Load(const std::shared_ptr<const Device>& device) {
  Modules loaded;
  loaded.state_ = std::make_unique<State>();
  loaded.state_->device = device;
  const std::string& architecture = device->info().architecture;
  if (device->driver().vendor() == Vendor::kSim) {
    loaded.state_->target = architecture;
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const std::string_view target,
                              SelectTarget(architecture, EmbeddedTargets()));
    loaded.state_->target = target;
  }
  return loaded;
}

Result<Kernel> Modules::Find(const std::string& kernel_file, const std::string& name) const {
  const std::lock_guard lock(state_->mutex);
  auto found = state_->modules.find(kernel_file);
  if (found == state_->modules.end()) {
    Result<Module> module = state_->LoadFile(kernel_file);
    if (!module.ok())
      return module.status().WithContext(Format("{} for {}", kernel_file, state_->target));
    found = state_->modules.emplace(kernel_file, std::move(*module)).first;
  }
  Result<Kernel> kernel = found->second.Find(name);
  if (!kernel.ok()) return kernel.status().WithContext(kernel_file);
  if (!IsForManyRows(kernel_file))
    ROCFORGE_RETURN_IF_ERROR(PreferShared(*state_->device, *kernel, kSharedPercent));
  return kernel;
}

const std::string& Modules::target() const { return state_->target; }

}  // namespace rocforge::gpu
