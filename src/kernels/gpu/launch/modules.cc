#include "kernels/gpu/launch/modules.h"

#include <utility>

#include "base/format.h"
#include "kernels/gpu/launch/code.h"

namespace rocforge::gpu {

Result<Modules> Modules::Load(const std::shared_ptr<const Device>& device) {
  Modules loaded;
  if (device->driver().vendor() == Vendor::kSim) {
    // Its kernels are linked into the program: one module finds them all, whatever the file.
    loaded.target_ = device->info().architecture;
    ROCFORGE_ASSIGN_OR_RETURN(Module module, Module::Load(device, {}));
    loaded.modules_.emplace("", std::move(module));
    return loaded;
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::string_view target,
                            SelectTarget(device->info().architecture, EmbeddedTargets()));
  loaded.target_ = target;
  for (const CodeObject& object : EmbeddedCode()) {
    if (object.target != target) continue;
    Result<Module> module = Module::Load(device, object.bytes);
    if (!module.ok())
      return module.status().WithContext(Format("{} for {}", object.kernel_file, target));
    loaded.modules_.emplace(object.kernel_file, std::move(*module));
  }
  return loaded;
}

Result<Kernel> Modules::Find(const std::string& kernel_file, const std::string& name) const {
  auto found = modules_.find(kernel_file);
  if (found == modules_.end()) found = modules_.find("");
  if (found == modules_.end()) return NotFound(Format("there is no kernel file {}", kernel_file));
  Result<Kernel> kernel = found->second.Find(name);
  if (!kernel.ok()) return kernel.status().WithContext(kernel_file);
  return kernel;
}

}  // namespace rocforge::gpu
