// task_tree.cpp: one line per wait.
// SPDX-License-Identifier: MIT
#include <anel/task_tree.hpp>

#include "runtime/core/places.hpp"

#include <vector>

namespace anel::detail {
namespace {

void append_wait(const suspension& wait, std::string& text) {
    text.append("  ").append(wait.kind ? wait.kind->name : "?");
    append_places(text, " at ", wait.waiter);
    text += '\n';
}

}  // namespace

// Without recursion: nesting may be deep. Children are linked newest first.
std::string task_tree(const cancel_scope& scope) {
    std::string text;
    std::vector<const cancel_scope*> open{&scope};
    while (!open.empty()) {
        const cancel_scope* at = open.back();
        open.pop_back();
        if (at->waiting()) append_wait(*at->waiting(), text);
        for (at = at->first_child(); at; at = at->next_sibling()) open.push_back(at);
    }
    return text;
}

}  // namespace anel::detail
