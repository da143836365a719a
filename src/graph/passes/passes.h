// The bodies behind AllPasses(); each file says what it matches and why it keeps the meaning.
#pragma once

#include <vector>

#include "graph/pass.h"

namespace rocforge::graph {

int MergeMatMul(Graph& graph, PassReport& report);
int FuseGlu(Graph& graph, PassReport& report);
int FuseResidual(Graph& graph, PassReport& report);
int FuseRopeKv(Graph& graph, PassReport& report);
int RemoveDead(Graph& graph, PassReport& report);

// Index of the node that produces each value, or -1 (weights).
std::vector<int32_t> Producers(const Graph& graph);

// Erases the nodes whose flag is set, keeping the order of the others.
void EraseNodes(Graph& graph, const std::vector<bool>& erase);

// Adds a note once.
void AddNote(PassReport& report, std::string note);

}  // namespace rocforge::graph
