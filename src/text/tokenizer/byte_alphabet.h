// GPT-2's printable stand-ins for bytes (Radford et al. 2019; bytes_to_unicode of its encoder.py):
// a byte that Latin-1 prints stands for itself, the others are U+0100 and up in order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "text/unicode.h"

namespace rocforge::text {

class ByteAlphabet {
 public:
  static const ByteAlphabet& Get() {
    static const ByteAlphabet alphabet;
    return alphabet;
  }

  uint32_t CodePoint(uint8_t byte) const { return code_points_[byte]; }

  // The byte that `cp` stands for, or -1.
  int Byte(uint32_t cp) const { return cp < bytes_.size() ? bytes_[cp] : -1; }

  // Replaces *out by the bytes of `text`; false if it holds anything but stand-ins.
  bool Decode(std::string_view text, std::string* out) const {
    out->clear();
    for (size_t i = 0; i < text.size(); ++i) {
      uint32_t cp = static_cast<uint8_t>(text[i]);
      if (cp >= 0x80) {  // every stand-in beyond ASCII takes two bytes
        if (cp < 0xC2 || cp > 0xDF || WellFormedLength(text.substr(i)) == 0) return false;
        cp = (cp & 0x1F) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3Fu);
      }
      const int byte = Byte(cp);
      if (byte < 0) return false;
      out->push_back(static_cast<char>(byte));
    }
    return true;
  }

 private:
  static constexpr size_t kCodePoints = 256 + 68;

  ByteAlphabet() {
    bytes_.fill(-1);
    uint32_t stand_in = 256;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
      code_points_[b] = printable ? b : stand_in++;
      bytes_[code_points_[b]] = static_cast<int16_t>(b);
    }
  }

  std::array<uint32_t, 256> code_points_{};
  std::array<int16_t, kCodePoints> bytes_{};
};

}  // namespace rocforge::text
