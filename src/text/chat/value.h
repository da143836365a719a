// The values of a template: Python's, as far as templates can see them.
//
// A Value is small and copied freely. What it points at lives in the Arena of the rendering (or,
// for strings, in the template or the input variables) and is never changed once it can be seen,
// except namespaces, cyclers, joiners, iterators and loops, which Python lets templates change too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace rocforge::text::chat {

// 128 bits: wide enough for every integer of a JSON document that our parser keeps exact.
__extension__ using Int = __int128;

class Runtime;
class Value;
struct Args;

enum class Kind : uint8_t {
  kMissing,  // internal: an argument not given, a variable not set
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kDictView,
  kRange,
  kIterator,
  kNamespace,
  kFunction,
  kMethod,
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
};

struct ListObject;
class Dict;
struct DictView;
struct Range;
struct IteratorObject;
struct UndefinedInfo;
struct FunctionObject;
struct MethodObject;
struct MacroObject;
class LoopObject;
struct CyclerObject;
struct JoinerObject;

// Bytes behind a string that was made by appending. A string that ends where the used part of its
// buffer ends can grow in place, so that templates which collect their output in a variable
// (`ns.out = ns.out ~ ...`) take linear time and memory.
struct AppendBuffer {
  char* end;    // of what is used
  char* limit;  // of what there is
};

class Value {
 public:
  Value() : kind_(Kind::kMissing), int_(0) {}

  static Value None() { return Value(Kind::kNone); }
  static Value Bool(bool b) { return Value(Kind::kBool, static_cast<Int>(b)); }
  static Value FromInt(Int i) { return Value(Kind::kInt, i); }
  static Value Float(double d) {
    Value v(Kind::kFloat);
    v.float_ = d;
    return v;
  }
  // Does not copy: `s` must outlive the rendering. `markup`: marked safe for HTML (filter `safe`).
  static Value String(std::string_view s, bool markup = false, AppendBuffer* buffer = nullptr) {
    Value v(Kind::kString);
    v.string_ = {s.data(), s.size()};
    v.markup_ = markup;
    v.buffer_ = buffer;
    return v;
  }
  template <typename T>
  static Value Object(Kind kind, const T* object) {
    Value v(kind);
    v.object_ = object;
    return v;
  }
  static Value List(const ListObject* list) { return Object(Kind::kList, list); }
  static Value Tuple(const ListObject* list) { return Object(Kind::kTuple, list); }
  static Value FromDict(const Dict* dict) { return Object(Kind::kDict, dict); }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_missing() const { return kind_ == Kind::kMissing; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_markup() const { return markup_; }
  bool is_list_or_tuple() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integral() || kind_ == Kind::kFloat; }

  // Each only for its kind.
  Int integer() const { return int_; }  // kInt, kBool
  bool boolean() const { return int_ != 0; }
  double floating() const { return float_; }
  std::string_view string() const { return {string_.data, string_.size}; }
  AppendBuffer* buffer() const { return buffer_; }  // null for most strings
  const ListObject& list() const { return *static_cast<const ListObject*>(object_); }  // and tuple
  const Dict& dict() const { return *static_cast<const Dict*>(object_); }
  template <typename T>
  const T& as() const {
    return *static_cast<const T*>(object_);
  }
  // Of the kinds that change: iterator, namespace, loop, cycler, joiner.
  template <typename T>
  T& mutable_as() const {
    return *static_cast<T*>(const_cast<void*>(object_));
  }
  const void* object() const { return object_; }

 private:
  explicit Value(Kind kind) : kind_(kind), int_(0) {}
  Value(Kind kind, Int i) : kind_(kind), int_(i) {}

  struct StringRef {
    const char* data;
    size_t size;
  };
  Kind kind_;
  bool markup_ = false;
  AppendBuffer* buffer_ = nullptr;
  union {
    Int int_;
    double float_;
    StringRef string_;
    const void* object_;
  };
};

// Items of a list or a tuple.
struct ListObject {
  std::span<const Value> items;
  // The tuples of `groupby` also have the attributes grouper and list.
  bool is_group = false;
};

// An insertion-ordered map; the type behind dicts and namespaces. Keys are hashable values, equal
// keys (1, 1.0, True) are one. Memory comes from the runtime's arena.
class Dict {
 public:
  struct Entry {
    Value key;
    Value value;
  };

  std::span<const Entry> entries() const { return {entries_, size_}; }
  size_t size() const { return size_; }
  // nullptr if absent. `key` must be hashable (see Hash), which the caller has checked.
  const Value* Find(Runtime& rt, const Value& key) const;
  const Value* Find(std::string_view key) const;
  // Sets or replaces; a replaced key keeps its place. Throws for an unhashable key.
  void Set(Runtime& rt, const Value& key, const Value& value);
  void Reserve(Runtime& rt, size_t n);

 private:
  // Up to this size look-up is linear, which is faster for the dicts of messages and tools.
  static constexpr size_t kLinearSize = 12;
  static constexpr uint32_t kEmpty = UINT32_MAX;

  void Rehash(Runtime& rt);
  void Insert(Runtime& rt, uint32_t position);
  // Position of an equal key in entries_, or kEmpty.
  uint32_t Locate(Runtime& rt, const Value& key, uint64_t hash) const;

  Entry* entries_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  uint32_t* index_ = nullptr;  // open addressing over entry positions; null while linear
  size_t index_size_ = 0;      // a power of two
};

struct DictView {
  enum class What : uint8_t { kKeys, kValues, kItems };
  const Dict* dict;
  What what;
};

struct Range {
  int64_t start, stop, step;  // step != 0
  int64_t length;
  int64_t at(int64_t i) const {
    return static_cast<int64_t>(static_cast<Int>(start) + static_cast<Int>(i) * step);
  }
};

// Why a value is undefined; the message is only put together when someone trips over it.
struct UndefinedInfo {
  enum class What : uint8_t { kName, kAttribute, kElement, kUnsafe, kHint };
  What what;
  std::string_view name;   // variable or attribute; the whole message for kHint
  std::string_view owner;  // type of the object for kAttribute, kElement, kUnsafe
  Value element{};         // the subscript for kElement
};

// Walks any iterable from front to back.
class Cursor {
 public:
  Cursor() = default;
  // False from TryStart: the value is not iterable.
  bool TryStart(const Value& iterable);
  // The next item, or false at the end.
  bool Next(Runtime& rt, Value* out);
  // Items left where that is known without consuming them, else -1 (strings, other iterators).
  int64_t SizeHint() const;

 private:
  Value source_;
  size_t position_ = 0;
};

// What Python's generators and reversed() give: an iterable that can be walked once.
struct IteratorObject {
  Cursor cursor;
  const char* type_name;
};

// A function known to the template by name: range, dict, namespace, ...
struct FunctionObject {
  const char* name;
  Value (*call)(Runtime& rt, const Args& args);
};

// A method of a builtin type, not yet bound to its object.
struct MethodInfo {
  const char* name;
  Value (*call)(Runtime& rt, const Value& self, const Args& args);
};
struct MethodObject {
  Value self;
  const MethodInfo* method;
};

// What templates can see of a macro; the interpreter knows the rest.
struct MacroObject {
  std::string_view name;
  std::span<const Value> arguments;  // names of its parameters
  bool catch_kwargs = false;
  bool catch_varargs = false;
  bool caller = false;
};

struct CyclerObject {
  std::span<const Value> items;
  size_t position = 0;
};

struct JoinerObject {
  Value separator;
  bool used = false;
};

struct NamedValue {
  std::string_view name;
  Value value;
};

// Arguments of a call; for filters and tests the value they apply to is the first positional one.
struct Args {
  std::span<const Value> positional;
  std::span<const NamedValue> named;
};

}  // namespace rocforge::text::chat
