// Filters over sequences and dicts (filters.h).
#include <algorithm>
#include <vector>

#include "text/chat/filters.h"
#include "text/chat/ops.h"
#include "text/chat/unicode.h"

namespace rocforge::text::chat {

namespace {

bool IsGiven(const Value& v) { return !v.is_missing() && !v.is_none(); }

// What filters compare by: strings without case unless asked otherwise.
Value ComparisonKey(Runtime& rt, const Value& v, bool case_sensitive) {
  if (case_sensitive || !v.is_string()) return v;
  return rt.NewString(ToLower(v.string()), v.is_markup());
}

struct Keyed {
  Value key;
  Value item;
};

void SortByKey(Runtime& rt, std::vector<Keyed>* items, bool reverse) {
  std::stable_sort(items->begin(), items->end(), [&](const Keyed& a, const Keyed& b) {
    rt.Charge(1);
    return reverse ? Less(rt, b.key, a.key) : Less(rt, a.key, b.key);
  });
}

Value LengthFilter(Runtime& rt, const Args& args) {
  return Value::FromInt(Length(rt, Bind(rt, "length", {"obj"}, 1, args)[0]));
}

Value First(Runtime& rt, const Args& args) {
  const auto [sequence] = Bind(rt, "first", {"seq"}, 1, args);
  Cursor cursor;
  StartCursor(rt, sequence, &cursor);
  Value item;
  return cursor.Next(rt, &item) ? item : rt.Hint("No first item, sequence was empty.");
}

Value Last(Runtime& rt, const Args& args) {
  const auto [sequence] = Bind(rt, "last", {"seq"}, 1, args);
  Cursor cursor;
  if (sequence.is(Kind::kIterator) || !cursor.TryStart(sequence)) {
    rt.Fail("'{}' object is not reversible", TypeName(sequence));
  }
  Value item;
  if (sequence.is_string() || sequence.is_list_or_tuple() || sequence.is(Kind::kRange)) {
    item = GetItem(rt, sequence, Value::FromInt(-1));
    if (!item.is_undefined() || Length(rt, sequence) > 0) return item;
    return rt.Hint("No last item, sequence was empty.");
  }
  ForEach(rt, sequence, [&](const Value& v) { item = v; });
  return item.is_missing() ? rt.Hint("No last item, sequence was empty.") : item;
}

Value Join(Runtime& rt, const Args& args) {
  const auto [value, separator, attribute] = Bind(rt, "join", {"value", "d", "attribute"}, 1, args);
  const AttributeGetter getter(rt, attribute);
  const std::string_view between = separator.is_missing() ? std::string_view() : Str(rt, separator);
  TextBuilder out(rt);
  bool first = true;
  ForEach(rt, value, [&](const Value& item) {
    if (!first) out.Append(between);
    first = false;
    AppendStr(out, rt, getter(rt, item));
  });
  return out.Finish();
}

Value ListFilter(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "list", {"value"}, 1, args);
  if (value.is(Kind::kList)) return value;
  return rt.NewList(Items(rt, value));
}

Value ItemsFilter(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "items", {"value"}, 1, args);
  ListBuilder out(rt);
  if (!value.is_undefined()) {
    if (!value.is(Kind::kDict)) rt.Fail("Can only get item pairs from a mapping.");
    for (const Dict::Entry& entry : value.dict().entries()) {
      const Value pair[] = {entry.key, entry.value};
      out.Append(rt.NewTuple(pair));
    }
  }
  return out.FinishGenerator();
}

Value Reverse(Runtime& rt, const Args& args) {
  const auto [value] = Bind(rt, "reverse", {"value"}, 1, args);
  if (value.is_string()) {
    return GetSlice(rt, value, Value::None(), Value::None(), Value::FromInt(-1));
  }
  ListBuilder out(rt);
  ForEach(rt, value, [&](const Value& item) { out.Append(item); });
  std::reverse(out.items().begin(), out.items().end());
  // Only what cannot be walked backwards is put into a list; the rest gives an iterator.
  return value.is(Kind::kIterator) ? out.FinishList() : out.FinishGenerator();
}

Value Sort(Runtime& rt, const Args& args) {
  const auto [value, reverse, case_sensitive, attribute] =
      Bind(rt, "sort", {"value", "reverse", "case_sensitive", "attribute"}, 1, args);
  // "age,name" sorts by several attributes.
  std::vector<AttributeGetter> getters;
  if (attribute.is_string()) {
    const std::string_view paths = attribute.string();
    for (size_t pos = 0; pos <= paths.size();) {
      const size_t end = std::min(paths.find(',', pos), paths.size());
      getters.emplace_back(rt, Value::String(paths.substr(pos, end - pos)));
      pos = end + 1;
    }
  } else {
    getters.emplace_back(rt, attribute);
  }
  std::vector<Keyed> items;
  ForEach(rt, value, [&](const Value& item) {
    rt.arena().Require(items.size() + 1, sizeof(Keyed));
    ListBuilder key(rt);
    for (const AttributeGetter& getter : getters) {
      key.Append(ComparisonKey(rt, getter(rt, item), Truth(case_sensitive)));
    }
    items.push_back({key.FinishList(), item});
  });
  SortByKey(rt, &items, Truth(reverse));
  ListBuilder out(rt);
  for (const Keyed& keyed : items) out.Append(keyed.item);
  return out.FinishList();
}

Value DictSort(Runtime& rt, const Args& args) {
  const auto [value, case_sensitive, by, reverse] =
      Bind(rt, "dictsort", {"value", "case_sensitive", "by", "reverse"}, 1, args);
  if (value.is_undefined()) rt.FailUndefined(value);
  if (!value.is(Kind::kDict)) rt.Fail("'{}' object has no attribute 'items'", TypeName(value));
  const std::string_view what = by.is_missing() ? std::string_view("key") : Str(rt, by);
  if (what != "key" && what != "value") {
    rt.Fail("You can only sort by either \"key\" or \"value\"");
  }
  std::vector<Keyed> items;
  for (const Dict::Entry& entry : value.dict().entries()) {
    const Value pair[] = {entry.key, entry.value};
    items.push_back(
        {ComparisonKey(rt, what == "key" ? entry.key : entry.value, Truth(case_sensitive)),
         rt.NewTuple(pair)});
  }
  SortByKey(rt, &items, Truth(reverse));
  ListBuilder out(rt);
  for (const Keyed& keyed : items) out.Append(keyed.item);
  return out.FinishList();
}

Value Unique(Runtime& rt, const Args& args) {
  const auto [value, case_sensitive, attribute] =
      Bind(rt, "unique", {"value", "case_sensitive", "attribute"}, 1, args);
  const AttributeGetter getter(rt, attribute);
  Dict* seen = rt.NewDict();
  ListBuilder out(rt);
  ForEach(rt, value, [&](const Value& item) {
    const Value key = ComparisonKey(rt, getter(rt, item), Truth(case_sensitive));
    const size_t before = seen->size();
    seen->Set(rt, key, Value::None());
    if (seen->size() > before) out.Append(item);
  });
  return out.FinishGenerator();
}

Value Extreme(Runtime& rt, const char* name, const Args& args, bool smallest) {
  const auto [value, case_sensitive, attribute] =
      Bind(rt, name, {"value", "case_sensitive", "attribute"}, 1, args);
  const AttributeGetter getter(rt, attribute);
  Value best, best_key;
  ForEach(rt, value, [&](const Value& item) {
    const Value key = ComparisonKey(rt, getter(rt, item), Truth(case_sensitive));
    if (best_key.is_missing() || Ordered(rt, smallest ? "<" : ">", key, best_key)) {
      best = item;
      best_key = key;
    }
  });
  return best_key.is_missing() ? rt.Hint("No aggregated item, sequence was empty.") : best;
}
Value Min(Runtime& rt, const Args& args) { return Extreme(rt, "min", args, true); }
Value Max(Runtime& rt, const Args& args) { return Extreme(rt, "max", args, false); }

Value Sum(Runtime& rt, const Args& args) {
  const auto [iterable, attribute, start] =
      Bind(rt, "sum", {"iterable", "attribute", "start"}, 1, args);
  if (start.is_string()) rt.Fail("sum() can't sum strings [use ''.join(seq) instead]");
  const AttributeGetter getter(rt, attribute);
  Value total = start.is_missing() ? Value::FromInt(0) : start;
  ForEach(rt, iterable, [&](const Value& item) {
    total = Arithmetic(rt, BinaryOp::kAdd, total, getter(rt, item));
  });
  return total;
}

Value GroupBy(Runtime& rt, const Args& args) {
  const auto [value, attribute, fallback, case_sensitive] =
      Bind(rt, "groupby", {"value", "attribute", "default", "case_sensitive"}, 2, args);
  const AttributeGetter getter(rt, attribute, fallback);
  std::vector<Keyed> items;
  ForEach(rt, value, [&](const Value& item) {
    rt.arena().Require(items.size() + 1, sizeof(Keyed));
    items.push_back({ComparisonKey(rt, getter(rt, item), Truth(case_sensitive)), item});
  });
  SortByKey(rt, &items, false);
  ListBuilder groups(rt);
  for (size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    ListBuilder group(rt);
    for (; end < items.size() && Equal(rt, items[begin].key, items[end].key); ++end) {
      group.Append(items[end].item);
    }
    // NaN differs even from itself.
    if (end == begin) group.Append(items[end++].item);
    const Value pair[] = {getter(rt, items[begin].item), group.FinishList()};
    auto* tuple = rt.arena().New<ListObject>(rt.arena().CopyArray(std::span<const Value>(pair)));
    tuple->is_group = true;
    groups.Append(Value::Tuple(tuple));
  }
  return groups.FinishList();
}

Value Batch(Runtime& rt, const Args& args) {
  const auto [value, count_arg, fill] =
      Bind(rt, "batch", {"value", "linecount", "fill_with"}, 2, args);
  const int64_t count = ToIndex(rt, count_arg);
  ListBuilder rows(rt);
  std::vector<Value> row;
  ForEach(rt, value, [&](const Value& item) {
    if (static_cast<int64_t>(row.size()) == count) {
      rows.Append(rt.NewList(row));
      row.clear();
    }
    rt.arena().Require(row.size() + 1, sizeof(Value));
    row.push_back(item);
  });
  if (!row.empty()) {
    if (IsGiven(fill) && static_cast<int64_t>(row.size()) < count) {
      rt.Charge(static_cast<uint64_t>(count));
      rt.arena().Require(static_cast<size_t>(count), sizeof(Value));
      row.resize(static_cast<size_t>(count), fill);
    }
    rows.Append(rt.NewList(row));
  }
  return rows.FinishGenerator();
}

Value SliceFilter(Runtime& rt, const Args& args) {
  const auto [value, slices_arg, fill] =
      Bind(rt, "slice", {"value", "slices", "fill_with"}, 2, args);
  const std::span<const Value> items = Items(rt, value);
  const int64_t slices = ToIndex(rt, slices_arg);
  if (slices == 0) rt.Fail("integer division or modulo by zero");
  ListBuilder out(rt);
  const auto n = static_cast<int64_t>(items.size());
  for (int64_t i = 0, begin = 0; i < slices; ++i) {
    const bool longer = i < n % slices;
    const int64_t length = n / slices + (longer ? 1 : 0);
    ListBuilder slice(rt);
    for (int64_t k = begin; k < begin + length; ++k) slice.Append(items[static_cast<size_t>(k)]);
    if (IsGiven(fill) && !longer) slice.Append(fill);
    out.Append(slice.FinishList());
    begin += length;
  }
  return out.FinishGenerator();
}

constexpr FilterInfo kSequenceFilters[] = {
    {"batch", Batch},         {"count", LengthFilter}, {"dictsort", DictSort}, {"first", First},
    {"groupby", GroupBy},     {"items", ItemsFilter},  {"join", Join},         {"last", Last},
    {"length", LengthFilter}, {"list", ListFilter},    {"max", Max},           {"min", Min},
    {"reverse", Reverse},     {"slice", SliceFilter},  {"sort", Sort},         {"sum", Sum},
    {"unique", Unique},
};

}  // namespace

const FilterInfo* FindSequenceFilter(std::string_view name) {
  for (const FilterInfo& filter : kSequenceFilters) {
    if (name == filter.name) return &filter;
  }
  return nullptr;
}

AttributeGetter::AttributeGetter(Runtime& rt, const Value& attribute, const Value& fallback)
    : fallback_(fallback) {
  if (!IsGiven(attribute)) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  const std::string_view path = attribute.string();
  for (size_t pos = 0; pos <= path.size();) {
    const size_t end = std::min(path.find('.', pos), path.size());
    const std::string_view part = path.substr(pos, end - pos);
    const bool number =
        !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    parts_.push_back(number ? Value::FromInt(*ParseInt(rt, part, 10)) : Value::String(part));
    pos = end + 1;
  }
}

Value AttributeGetter::operator()(Runtime& rt, const Value& item) const {
  Value v = item;
  for (const Value& part : parts_) {
    v = GetItem(rt, v, part);
    if (v.is_undefined() && IsGiven(fallback_)) v = fallback_;
  }
  return v;
}

}  // namespace rocforge::text::chat
