// What a command may know about the terminal it writes to.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace rocforge::apps {

// Whether the stream is a terminal that understands escape sequences (TERM is set and not "dumb").
bool IsTerminal(std::FILE* stream);

// Columns of stderr's terminal; 80 where there is none or it does not tell.
int TerminalColumns();

// The character at the start of `text`, which is not empty, or its first byte where that is not
// UTF-8.
struct TextCharacter {
  size_t bytes = 1;
  int width = 1;  // columns: 0 for one that joins the character before it
};
TextCharacter FirstCharacter(std::string_view text);

// Columns that UTF-8 text takes in a terminal: 0 for combining marks and zero-width characters, 2
// for wide East Asian characters and emoji, 1 for the rest. Bytes that are not UTF-8 take one each.
int DisplayWidth(std::string_view text);

// `text` cut to at most `columns`, with "..." where something was left out.
std::string FitColumns(std::string_view text, int columns);

}  // namespace rocforge::apps
