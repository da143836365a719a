// Tokens to the abstract syntax tree.
#pragma once

#include <string_view>

#include "text/chat/arena.h"
#include "text/chat/ast.h"

namespace rocforge::text::chat {

// Parses `source` (UTF-8 with normal newlines, which must outlive the tree) and resolves its
// variables. The tree lives in `arena`. Throws TemplateError with "line N: ...".
TemplateAst* ParseTemplate(std::string_view source, Arena* arena);

// The second half of ParseTemplate: gives every variable its place and checks the names of filters
// and tests.
void ResolveVariables(TemplateAst* ast, Arena* arena);

}  // namespace rocforge::text::chat
