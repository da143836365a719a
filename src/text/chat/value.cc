#include "text/chat/value.h"

#include <algorithm>

#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

const Value* Dict::Find(std::string_view key) const {
  if (index_ == nullptr) {
    for (size_t i = 0; i < size_; ++i) {
      if (entries_[i].key.is_string() && entries_[i].key.string() == key) return &entries_[i].value;
    }
    return nullptr;
  }
  // Strings hash without the runtime's help and equal only strings.
  const uint64_t hash = std::hash<std::string_view>()(key);
  for (size_t slot = hash & (index_size_ - 1); index_[slot] != kEmpty;
       slot = (slot + 1) & (index_size_ - 1)) {
    const Entry& entry = entries_[index_[slot]];
    if (entry.key.is_string() && entry.key.string() == key) return &entry.value;
  }
  return nullptr;
}

const Value* Dict::Find(Runtime& rt, const Value& key) const {
  if (key.is_string()) {
    rt.Charge(1 + key.string().size() / 8);
    return Find(key.string());
  }
  const uint32_t position = Locate(rt, key, index_ == nullptr ? 0 : Hash(rt, key));
  return position == kEmpty ? nullptr : &entries_[position].value;
}

uint32_t Dict::Locate(Runtime& rt, const Value& key, uint64_t hash) const {
  if (index_ == nullptr) {
    for (size_t i = 0; i < size_; ++i) {
      if (Equal(rt, entries_[i].key, key)) return static_cast<uint32_t>(i);
    }
    return kEmpty;
  }
  for (size_t slot = hash & (index_size_ - 1); index_[slot] != kEmpty;
       slot = (slot + 1) & (index_size_ - 1)) {
    rt.Charge(1);
    if (Equal(rt, entries_[index_[slot]].key, key)) return index_[slot];
  }
  return kEmpty;
}

void Dict::Set(Runtime& rt, const Value& key, const Value& value) {
  const uint64_t hash = Hash(rt, key);  // also rejects unhashable keys
  const uint32_t position = Locate(rt, key, hash);
  if (position != kEmpty) {
    entries_[position].value = value;
    return;
  }
  if (size_ == capacity_) Reserve(rt, std::max<size_t>(4, capacity_ * 2));
  entries_[size_++] = {key, value};
  if (size_ <= kLinearSize) return;
  if (index_ == nullptr || size_ * 2 > index_size_) {
    Rehash(rt);
  } else {
    Insert(rt, static_cast<uint32_t>(size_ - 1));
  }
}

void Dict::Reserve(Runtime& rt, size_t n) {
  if (n <= capacity_) return;
  const std::span<Entry> grown = rt.arena().NewArray<Entry>(n);
  std::copy(entries_, entries_ + size_, grown.begin());
  entries_ = grown.data();
  capacity_ = n;
}

void Dict::Rehash(Runtime& rt) {
  size_t slots = 32;
  while (slots < size_ * 4) slots *= 2;
  const std::span<uint32_t> index = rt.arena().NewArray<uint32_t>(slots);
  std::fill(index.begin(), index.end(), kEmpty);
  index_ = index.data();
  index_size_ = slots;
  for (size_t i = 0; i < size_; ++i) Insert(rt, static_cast<uint32_t>(i));
}

void Dict::Insert(Runtime& rt, uint32_t position) {
  size_t slot = Hash(rt, entries_[position].key) & (index_size_ - 1);
  while (index_[slot] != kEmpty) slot = (slot + 1) & (index_size_ - 1);
  index_[slot] = position;
}

bool Cursor::TryStart(const Value& iterable) {
  source_ = iterable;
  position_ = 0;
  switch (iterable.kind()) {
    case Kind::kUndefined:  // iterates as empty
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kIterator:
      return true;
    default:
      return false;
  }
}

bool Cursor::Next(Runtime& rt, Value* out) {
  switch (source_.kind()) {
    case Kind::kString: {
      const std::string_view s = source_.string();
      if (position_ >= s.size()) return false;
      const size_t begin = position_;
      DecodeAt(s, &position_);
      *out = Value::String(s.substr(begin, position_ - begin));
      return true;
    }
    case Kind::kList:
    case Kind::kTuple: {
      const std::span<const Value> items = source_.list().items;
      if (position_ >= items.size()) return false;
      *out = items[position_++];
      return true;
    }
    case Kind::kDict: {
      const std::span<const Dict::Entry> entries = source_.dict().entries();
      if (position_ >= entries.size()) return false;
      *out = entries[position_++].key;
      return true;
    }
    case Kind::kDictView: {
      const DictView& view = source_.as<DictView>();
      const std::span<const Dict::Entry> entries = view.dict->entries();
      if (position_ >= entries.size()) return false;
      const Dict::Entry& entry = entries[position_++];
      if (view.what == DictView::What::kItems) {
        const Value pair[] = {entry.key, entry.value};
        *out = rt.NewTuple(pair);
      } else {
        *out = view.what == DictView::What::kKeys ? entry.key : entry.value;
      }
      return true;
    }
    case Kind::kRange: {
      const Range& range = source_.as<Range>();
      if (static_cast<int64_t>(position_) >= range.length) return false;
      *out = Value::FromInt(range.at(static_cast<int64_t>(position_++)));
      return true;
    }
    case Kind::kIterator:
      return source_.mutable_as<IteratorObject>().cursor.Next(rt, out);
    default:
      return false;
  }
}

int64_t Cursor::SizeHint() const {
  switch (source_.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(source_.list().items.size() - position_);
    case Kind::kDict:
      return static_cast<int64_t>(source_.dict().size() - position_);
    case Kind::kDictView:
      return static_cast<int64_t>(source_.as<DictView>().dict->size() - position_);
    case Kind::kRange:
      return source_.as<Range>().length - static_cast<int64_t>(position_);
    default:
      return -1;
  }
}

}  // namespace rocforge::text::chat
