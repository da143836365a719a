// pprint.pformat for a width of 80 (ops.h).
#include <algorithm>
#include <vector>

#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

constexpr size_t kWidth = 80;

// Python's pprint: what fits in the rest of the line is written as repr (with the keys of dicts
// sorted), anything else is spread over lines. `indent` is the column where the value starts,
// `allowance` the columns that closing brackets behind it will need.
class PrettyPrinter {
 public:
  explicit PrettyPrinter(Runtime& rt) : rt_(rt), out_(rt) {}

  void Print(const Value& v, size_t indent, size_t allowance) {
    const Runtime::DepthGuard guard(rt_);
    const std::string flat = Flat(v);
    const size_t room = kWidth > indent + allowance ? kWidth - indent - allowance : 0;
    if (CodePointCount(flat) > room) {
      if (v.is(Kind::kDict) && v.dict().size() > 0) return PrintDict(v.dict(), indent, allowance);
      if (v.is_list_or_tuple() && !v.list().items.empty()) {
        return PrintItems(v, indent, allowance);
      }
      if (v.is_string() && !v.string().empty()) return PrintString(v, indent, allowance);
    }
    out_.Append(flat);
  }

  Value Finish() { return out_.Finish(); }

 private:
  std::vector<const Dict::Entry*> Sorted(const Dict& dict) {
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
    std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
      // pprint orders keys of different types by the name of the type.
      const bool comparable = (a->key.is_number() && b->key.is_number()) ||
                              (a->key.kind() == b->key.kind() && a->key.is_string());
      if (comparable) return Less(rt_, a->key, b->key);
      return TypeName(a->key) < TypeName(b->key);
    });
    return entries;
  }

  // repr with sorted dicts.
  std::string Flat(const Value& v) {
    TextBuilder out(rt_);
    AppendFlat(out, v);
    rt_.ChargeBytes(out.text().size());
    return out.text();
  }

  void AppendFlat(TextBuilder& out, const Value& v) {
    const Runtime::DepthGuard guard(rt_);
    rt_.Charge(1);
    if (v.is(Kind::kDict)) {
      out.Append('{');
      const char* separator = "";
      for (const Dict::Entry* entry : Sorted(v.dict())) {
        out.Append(separator);
        separator = ", ";
        AppendFlat(out, entry->key);
        out.Append(": ");
        AppendFlat(out, entry->value);
      }
      out.Append('}');
    } else if (v.is_list_or_tuple()) {
      const bool list = v.is(Kind::kList);
      out.Append(list ? '[' : '(');
      const char* separator = "";
      for (const Value& item : v.list().items) {
        out.Append(separator);
        separator = ", ";
        AppendFlat(out, item);
      }
      out.Append(list ? "]" : v.list().items.size() == 1 ? ",)" : ")");
    } else {
      AppendRepr(out, rt_, v);
    }
  }

  void NewLine(size_t indent) {
    out_.Append('\n');
    out_.AppendRepeated(" ", indent);
  }

  void PrintDict(const Dict& dict, size_t indent, size_t allowance) {
    out_.Append('{');
    const std::vector<const Dict::Entry*> entries = Sorted(dict);
    for (size_t i = 0; i < entries.size(); ++i) {
      const bool last = i + 1 == entries.size();
      const std::string key = Flat(entries[i]->key);
      out_.Append(key);
      out_.Append(": ");
      Print(entries[i]->value, indent + 1 + CodePointCount(key) + 2, last ? allowance + 1 : 1);
      if (last) break;
      out_.Append(',');
      NewLine(indent + 1);
    }
    out_.Append('}');
  }

  void PrintItems(const Value& v, size_t indent, size_t allowance) {
    const std::span<const Value> items = v.list().items;
    const bool list = v.is(Kind::kList);
    const std::string_view end = list ? "]" : items.size() == 1 ? ",)" : ")";
    out_.Append(list ? '[' : '(');
    for (size_t i = 0; i < items.size(); ++i) {
      const bool last = i + 1 == items.size();
      Print(items[i], indent + 1, last ? allowance + end.size() : 1);
      if (last) break;
      out_.Append(',');
      NewLine(indent + 1);
    }
    out_.Append(end);
  }

  // Cuts a long string at line ends and, where a line is still too long, between words.
  void PrintString(const Value& v, size_t indent, size_t allowance) {
    const bool parenthesised = indent == 0;
    if (parenthesised) {
      ++indent;
      ++allowance;
    }
    const size_t room = kWidth > indent ? kWidth - indent : 1;
    const std::vector<std::string_view> lines = SplitLines(v.string(), /*keep_ends=*/true);
    std::vector<std::string> chunks;
    for (size_t i = 0; i < lines.size(); ++i) {
      const bool last_line = i + 1 == lines.size();
      const std::string whole = Flat(Value::String(lines[i]));
      const size_t line_room = last_line && room > allowance ? room - allowance : room;
      if (CodePointCount(whole) <= line_room) {
        chunks.push_back(whole);
      } else {
        AddWords(lines[i], room, last_line ? allowance : 0, &chunks);
      }
    }
    if (chunks.size() == 1) return out_.Append(chunks[0]);
    if (parenthesised) out_.Append('(');
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (i > 0) NewLine(indent);
      out_.Append(chunks[i]);
    }
    if (parenthesised) out_.Append(')');
  }

  // Words with the space behind them, packed into pieces whose repr fits.
  void AddWords(std::string_view line, size_t room, size_t allowance,
                std::vector<std::string>* chunks) {
    size_t begin = 0, end = 0;  // of the piece being packed
    while (end < line.size()) {
      size_t next = end;
      const auto skip = [&](bool space) {
        for (size_t at = next; at < line.size(); next = at) {
          if (IsSpace(DecodeAt(line, &at)) != space) break;
        }
      };
      skip(false);
      skip(true);
      const size_t limit = next == line.size() && room > allowance ? room - allowance : room;
      const std::string candidate = Flat(Value::String(line.substr(begin, next - begin)));
      if (CodePointCount(candidate) > limit && end > begin) {
        chunks->push_back(Flat(Value::String(line.substr(begin, end - begin))));
        begin = end;
      }
      end = next;
    }
    if (end > begin) chunks->push_back(Flat(Value::String(line.substr(begin, end - begin))));
  }

  Runtime& rt_;
  TextBuilder out_;
};

}  // namespace

Value PrettyFormat(Runtime& rt, const Value& v) {
  PrettyPrinter printer(rt);
  printer.Print(v, 0, 0);
  return printer.Finish();
}

}  // namespace rocforge::text::chat
