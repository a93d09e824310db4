// task_tree.cpp: the tree of scopes as text: what every task waits for, and since when.
// SPDX-License-Identifier: MIT
#include <anel/task_tree.hpp>

#include "runtime/core/ages.hpp"
#include "runtime/core/places.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace anel::detail {
namespace {

constexpr int deepest = 64;               // branches below one another that are shown
constexpr std::size_t details_shown = 3;  // of waits that are alike

/// Waits that are alike: of the same kind, at the same places, in scopes of the same kind.
struct alike {
    std::string what;  // what a scope is, and the kind of the wait
    std::string places;
    std::vector<std::string> details;
    std::size_t count = 0;
    time_point oldest = never;
};

/// What stands before a wait in a scope.
std::string title_of(const cancel_scope& scope) {
    std::string text;
    if (scope.shielded()) text += "shielded: ";
    switch (scope.what()) {
        case cancel_scope::role::plain: break;
        case cancel_scope::role::group: text += "group: "; break;
        case cancel_scope::role::limit: text += "limited: "; break;
        case cancel_scope::role::task:
            if (scope.name()) text.append(scope.name()).append(": ");
            break;
    }
    return text;
}

class listing {
public:
    explicit listing(time_point now) : now_(now) {}

    std::string take() { return std::move(text_); }

    /// What waits in `scope`, and below it, oldest first.
    void add(const cancel_scope& scope, const std::string& title, int depth) {
        std::vector<alike> waits;
        std::map<std::string, std::size_t> known;  // of waits, by what makes them alike
        if (scope.waiting()) add_wait(*scope.waiting(), scope, title, waits, known);
        std::vector<const cancel_scope*> children;
        for (const cancel_scope* at = scope.first_child(); at; at = at->next_sibling()) {
            children.push_back(at);
        }
        std::reverse(children.begin(), children.end());  // they are linked newest first
        std::vector<std::pair<const cancel_scope*, std::string>> branches;
        for (const cancel_scope* child : children) {
            std::string path = title_of(*child);
            while (!child->waiting() && child->first_child() &&
                   !child->first_child()->next_sibling()) {
                child = child->first_child();
                path += title_of(*child);
            }
            if (child->first_child()) branches.emplace_back(child, path);
            else if (child->waiting()) add_wait(*child->waiting(), *child, path, waits, known);
        }
        for (const alike& each : waits) write(each, depth);
        for (const auto& [branch, path] : branches) {
            const std::string head = path.substr(0, path.find_last_not_of(": ") + 1);
            text_.append(static_cast<std::size_t>(2 * depth + 2), ' ');
            text_.append(head.empty() ? "task" : head);
            if (depth == deepest) {
                text_ += ": deeper ones are not shown\n";
                continue;
            }
            text_ += '\n';
            add(*branch, {}, depth + 1);
        }
    }

private:
    static void add_wait(const suspension& wait, const cancel_scope& scope,
                         const std::string& title, std::vector<alike>& waits,
                         std::map<std::string, std::size_t>& known) {
        std::string what = title + (wait.kind ? wait.kind->name : "?");
        std::string places;
        append_places(places, "at ", wait.waiter);
        const auto [at, is_new] = known.emplace(what + '\n' + places, waits.size());
        if (is_new) waits.push_back({std::move(what), std::move(places), {}, 0, never});
        alike& line = waits[at->second];
        line.count += 1;
        if (scope.since() != time_point{}) line.oldest = std::min(line.oldest, scope.since());
        if (line.details.size() == details_shown) return;
        std::string detail;
        if (wait.kind && wait.kind->describe) wait.kind->describe(wait, detail);
        if (!detail.empty()) line.details.push_back(std::move(detail));
    }

    void write(const alike& line, int depth) {
        text_.append(static_cast<std::size_t>(2 * depth + 2), ' ');
        if (line.count > 1) text_.append(std::to_string(line.count)).append(" × ");
        text_ += line.what;
        const char* between = "";
        for (const std::string& detail : line.details) {
            text_.append(between).append(detail);
            between = ";";
        }
        if (line.count > line.details.size() && line.details.size() == details_shown) text_ += " …";
        if (line.oldest != never) {
            text_.append(line.count > 1 ? ", oldest " : ", for ");
            append_age(text_, now_ - line.oldest);
        }
        if (!line.places.empty()) text_.append(", ").append(line.places);
        text_ += '\n';
    }

    time_point now_;
    std::string text_;
};

}  // namespace

std::string task_tree(const cancel_scope& scope) {
    listing made(scope.owner().now());
    made.add(scope, title_of(scope), 0);
    return made.take();
}

}  // namespace anel::detail
