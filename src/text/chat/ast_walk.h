// Walking over expressions; part of the resolver.
#pragma once

#include "text/chat/ast.h"

namespace rocforge::text::chat {

// Calls f(child) for the direct sub-expressions of `expr`, in Jinja's order.
template <typename F>
void ForEachChild(Expr* expr, F&& f) {
  const auto all = [&](ExprList items) {
    for (Expr* item : items) f(item);
  };
  const auto maybe = [&](Expr* child) {
    if (child != nullptr) f(child);
  };
  const auto args = [&](const CallArgs& a) {
    all(a.positional);
    for (const NamedExpr& named : a.named) f(named.value);
    maybe(a.extra_positional);
    maybe(a.extra_named);
  };
  switch (expr->kind) {
    case ExprKind::kConst:
    case ExprKind::kName:
    case ExprKind::kNamespaceAttr:
      return;
    case ExprKind::kList:
    case ExprKind::kTuple:
    case ExprKind::kConcat:
      return all(static_cast<ListExpr*>(expr)->items);
    case ExprKind::kDict: {
      const auto* dict = static_cast<DictExpr*>(expr);
      for (size_t i = 0; i < dict->keys.size(); ++i) {
        f(dict->keys[i]);
        f(dict->values[i]);
      }
      return;
    }
    case ExprKind::kNot:
    case ExprKind::kNegate:
    case ExprKind::kPlus:
      return f(static_cast<UnaryExpr*>(expr)->operand);
    case ExprKind::kBinary:
    case ExprKind::kAnd:
    case ExprKind::kOr:
      f(static_cast<BinaryExpr*>(expr)->left);
      return f(static_cast<BinaryExpr*>(expr)->right);
    case ExprKind::kCompare:
      f(static_cast<CompareExpr*>(expr)->first);
      for (const Comparison& c : static_cast<CompareExpr*>(expr)->rest) f(c.operand);
      return;
    case ExprKind::kConditional:
      f(static_cast<ConditionalExpr*>(expr)->test);
      f(static_cast<ConditionalExpr*>(expr)->then);
      return maybe(static_cast<ConditionalExpr*>(expr)->otherwise);
    case ExprKind::kGetAttr:
      return f(static_cast<GetAttrExpr*>(expr)->object);
    case ExprKind::kGetItem:
      f(static_cast<GetItemExpr*>(expr)->object);
      return f(static_cast<GetItemExpr*>(expr)->key);
    case ExprKind::kSlice: {
      const auto* slice = static_cast<SliceExpr*>(expr);
      f(slice->object);
      maybe(slice->start);
      maybe(slice->stop);
      return maybe(slice->step);
    }
    case ExprKind::kCall:
      f(static_cast<CallExpr*>(expr)->callee);
      return args(static_cast<CallExpr*>(expr)->args);
    case ExprKind::kFilter:
      maybe(static_cast<FilterExpr*>(expr)->value);
      return args(static_cast<FilterExpr*>(expr)->args);
    case ExprKind::kTest:
      f(static_cast<TestExpr*>(expr)->value);
      return args(static_cast<TestExpr*>(expr)->args);
  }
}

}  // namespace rocforge::text::chat
