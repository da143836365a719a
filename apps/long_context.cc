#include "apps/long_context.h"

#include "base/log.h"

namespace rocforge::apps {

void WarnOfLongContext(const session::TextModel& model) {
  const int64_t trained = model.engine().info().n_ctx_train;
  const int64_t n_ctx = model.engine().options().n_ctx;
  if (trained <= 0 || n_ctx <= trained) return;
  Log(LogLevel::kWarn,
      "a context of {} tokens, but the model was trained for {}: beyond that the text gets worse",
      n_ctx, trained);
}

}  // namespace rocforge::apps
