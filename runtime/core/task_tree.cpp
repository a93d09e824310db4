// task_tree.cpp: one line per wait.
// SPDX-License-Identifier: MIT
#include <anel/detail/frame.hpp>
#include <anel/task_tree.hpp>

#include <string_view>
#include <vector>

namespace anel {
using namespace detail;
namespace {

void append_wait(const suspension& wait, std::string& text) {
    text.append("  ").append(wait.kind ? wait.kind->name : "?");
    const char* word = " at ";
    for (const frame* at = wait.waiter; at; at = at->awaiter) {
        if (!at->file) continue;
        const std::string_view path = at->file;
        const auto name = path.substr(path.find_last_of('/') + 1);
        text.append(word).append(name).append(":").append(std::to_string(at->line));
        word = " <- ";
    }
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

}  // namespace anel
