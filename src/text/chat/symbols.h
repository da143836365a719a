// The names that a scope of a template knows, and where they are kept; part of the resolver.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/chat/arena.h"
#include "text/chat/ast.h"

namespace rocforge::text::chat {

// A function under analysis: frames of deeper functions reach this one over depth differences.
struct FunctionScope {
  Function* function;
  uint32_t depth;
};

// What a scope knows of a name.
struct Symbol {
  uint32_t slot;
  bool has_ref = false;  // the name has a variable of this scope
  bool stored = false;
  bool is_param = false;  // set by whoever enters the scope
  SlotLoad load{};
};

// The names of one scope.
class Symbols {
 public:
  Symbols(const Symbols* parent, FunctionScope* function) : parent_(parent), function_(function) {}

  FunctionScope* function() const { return function_; }

  void Load(std::string_view name) {
    if (FindRef(name) == nullptr) Define(name, SlotLoad::What::kResolve);
  }

  void Store(std::string_view name) {
    Symbol& symbol = Get(name);
    Save(name, symbol);
    symbol.stored = true;
    if (symbol.has_ref) return;
    if (const auto [outer, scope] = FindOuter(name); outer != nullptr) {
      DefineAlias(symbol, name, *outer, *scope);
    } else {
      Define(name, SlotLoad::What::kUnset);
    }
  }

  // The slot of a parameter.
  uint32_t Declare(std::string_view name) {
    Symbol& symbol = Get(name);
    symbol.stored = symbol.has_ref = symbol.is_param = true;
    return symbol.slot;
  }

  // Branches of an `if`: what one has done is taken back before the next one is collected, and the
  // sum is applied at the end. A change is a name and what is known of it afterwards.
  using Changes = std::vector<std::pair<std::string_view, Symbol>>;
  void BeginBranch() { journals_.emplace_back(); }
  Changes EndBranch() {
    Changes changes = std::move(journals_.back());
    journals_.pop_back();
    for (size_t i = changes.size(); i-- > 0;) {
      std::swap(symbols_.at(changes[i].first), changes[i].second);
    }
    return changes;
  }
  void ApplyBranches(const std::vector<Changes>& branches) {
    std::vector<std::string_view> newly_stored;
    for (const Changes& changes : branches) {
      for (const auto& [name, after] : changes) {
        const Symbol& symbol = symbols_.at(name);
        if (after.stored && !symbol.stored) newly_stored.push_back(name);
      }
    }
    for (const Changes& changes : branches) {
      for (const auto& [name, after] : changes) {
        Symbol& symbol = symbols_.at(name);
        Save(name, symbol);
        symbol.stored = symbol.stored || after.stored;
        if (!after.has_ref) continue;
        symbol.has_ref = true;
        symbol.load = after.load;
      }
    }
    // A variable that only some branches set keeps, on the other ways, the value from outside.
    for (std::string_view name : newly_stored) {
      Symbol& symbol = symbols_.at(name);
      if (const auto [outer, scope] = FindOuter(name); outer != nullptr) {
        DefineAlias(symbol, name, *outer, *scope);
      } else {
        symbol.load = {SlotLoad::What::kResolve, symbol.slot, name};
      }
    }
  }

  // The place of a name, seen from `from`; nullopt for a name that was never collected.
  std::optional<SlotRef> Ref(std::string_view name, const FunctionScope& from) const {
    const Symbols* scope = nullptr;
    const Symbol* symbol = FindRef(name, &scope);
    if (symbol == nullptr) return std::nullopt;
    return SlotRef{from.depth - scope->function_->depth, symbol->slot};
  }

  // What is to be done when the scope is entered.
  Scope Finish(Arena* arena) const {
    std::vector<SlotLoad> loads;
    for (std::string_view name : order_) {
      const Symbol& symbol = symbols_.at(name);
      if (symbol.has_ref && !symbol.is_param) loads.push_back(symbol.load);
    }
    return {arena->CopyArray(std::span<const SlotLoad>(loads))};
  }

 private:
  Symbol& Get(std::string_view name) {
    const auto [it, added] = symbols_.try_emplace(name);
    if (added) {
      it->second.slot = function_->function->n_slots++;
      order_.push_back(name);
    }
    return it->second;
  }

  void Save(std::string_view name, const Symbol& symbol) {
    if (!journals_.empty()) journals_.back().emplace_back(name, symbol);
  }

  void Define(std::string_view name, SlotLoad::What what) {
    Symbol& symbol = Get(name);
    Save(name, symbol);
    symbol.has_ref = true;
    symbol.load = {what, symbol.slot, name};
  }

  void DefineAlias(Symbol& symbol, std::string_view name, const Symbol& outer,
                   const Symbols& scope) {
    symbol.has_ref = true;
    symbol.load = {SlotLoad::What::kAlias, symbol.slot, name,
                   SlotRef{function_->depth - scope.function_->depth, outer.slot}};
  }

  const Symbol* FindRef(std::string_view name, const Symbols** scope = nullptr) const {
    for (const Symbols* s = this; s != nullptr; s = s->parent_) {
      const auto it = s->symbols_.find(name);
      if (it == s->symbols_.end() || !it->second.has_ref) continue;
      if (scope != nullptr) *scope = s;
      return &it->second;
    }
    return nullptr;
  }
  std::pair<const Symbol*, const Symbols*> FindOuter(std::string_view name) const {
    const Symbols* scope = nullptr;
    const Symbol* symbol = parent_ == nullptr ? nullptr : parent_->FindRef(name, &scope);
    return {symbol, scope};
  }

  const Symbols* parent_;
  FunctionScope* function_;
  std::unordered_map<std::string_view, Symbol> symbols_;
  std::vector<std::string_view> order_;
  std::vector<Changes> journals_;  // states before each change, innermost branch last
};

}  // namespace rocforge::text::chat
