#include "tensor/shape.h"

#include "base/format.h"

namespace rocforge {

std::string Shape::ToString() const {
  std::string out = "[";
  for (int i = 0; i < rank_; ++i) out += Format("{}{}", i == 0 ? "" : ", ", dims_[i]);
  return out + "]";
}

}  // namespace rocforge
