// task_tree.cpp: the tree of scopes as text: what every task waits for, and since when.
//
// Waits that are alike become one row, and so do branches whose rows are alike: ten thousand
// sessions are a screen. Only the first three of them are asked for details.
// SPDX-License-Identifier: MIT
#include <anel/task_tree.hpp>

#include "runtime/core/ages.hpp"
#include "runtime/core/places.hpp"

#include <anel/detail/timer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace anel::detail {
namespace {

constexpr int deepest = 64;               // branches below one another that are shown
constexpr std::size_t details_shown = 3;  // of waits that are alike

/// A line: waits, or the head of branches.
struct row {
    int depth = 0;
    std::string what;  // the scope's title, and the kind of the wait
    std::string places;
    std::vector<std::string> details;
    std::size_t count = 1;
    time_point oldest = never;
    time_point ends = never;  // when the first timeout around it comes
};
using rows = std::vector<row>;

/// Things that are alike, in the order in which the first of each was met.
template <class T>
class merged {
public:
    /// The one that is known as `key`, or a new one, and whether it is new.
    std::pair<T&, bool> at(const std::string& key) {
        const auto [place, is_new] = known_.emplace(key, all_.size());
        if (is_new) all_.emplace_back();
        return {all_[place->second], is_new};
    }
    std::vector<T>& all() noexcept { return all_; }

private:
    std::map<std::string, std::size_t> known_;
    std::vector<T> all_;
};

/// What stands before a wait: the scopes that lie around it and hold nothing else.
struct heading {
    std::string text;
    time_point ends = never;
};

heading heading_of(const cancel_scope& scope) {
    heading made;
    if (const timer* ends = scope.ends_by()) made.ends = ends->deadline();
    std::string& text = made.text;
    if (scope.shielded()) text = "shielded: ";
    switch (scope.what()) {
        case cancel_scope::role::plain: break;
        case cancel_scope::role::group: text += "group: "; break;
        case cancel_scope::role::limit: text += "limited: "; break;
        case cancel_scope::role::task:
            if (scope.name()) text.append(scope.name()).append(": ");
            break;
    }
    return made;
}

row row_of(const suspension& wait, const cancel_scope& scope, const heading& title, int depth) {
    row made;
    made.depth = depth;
    made.ends = title.ends;
    made.what = title.text + (wait.kind ? wait.kind->name : "?");
    append_places(made.places, "at ", wait.waiter);
    if (scope.since() != time_point{}) made.oldest = scope.since();
    return made;
}

/// What makes two waits alike, without a word: a text for each of ten thousand is most of the time.
std::string key_of(const suspension& wait, const heading& title) {
    std::string key = title.text;
    const auto add = [&](const auto& value) {
        key.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    add(wait.kind);
    for (const frame* at = wait.waiter; at; at = at->awaiter) {
        if (!at->file) continue;
        add(at->file);
        add(std::uint64_t{at->line});
    }
    return key;
}

/// Ten thousand sessions are cold memory: the next ones are fetched while one is looked at.
void fetch_ahead(const std::vector<const cancel_scope*>& children, std::size_t at) {
    constexpr std::size_t step = 4;
    const auto child = [&](std::size_t steps) {
        const std::size_t place = at + steps * step;
        return place < children.size() ? children[place] : nullptr;
    };
    if (const cancel_scope* far = child(4)) __builtin_prefetch(far);
    if (const cancel_scope* near = child(3)) __builtin_prefetch(near->waiting());
    const cancel_scope* nearer = child(2);
    if (nearer && nearer->waiting()) __builtin_prefetch(nearer->waiting()->waiter);
    const cancel_scope* next = child(1);
    if (next && next->waiting() && next->waiting()->waiter)
        __builtin_prefetch(next->waiting()->waiter->awaiter);
}

void add_detail(row& to, const suspension& wait) {
    if (to.details.size() == details_shown || !wait.kind || !wait.kind->describe) return;
    std::string text;
    wait.kind->describe(wait, text);
    if (!text.empty()) to.details.push_back(std::move(text));
}

/// Rows that are alike have the same key.
std::string key_of(const rows& all) {
    std::string key;
    for (const row& each : all) {
        key.append(std::to_string(each.depth)).append(" ").append(std::to_string(each.count));
        key.append(each.what).append("\n").append(each.places).append("\n");
    }
    return key;
}

/// What a row tells of another one that is alike, but for how many there are.
void merge(row& into, const row& other) {
    into.oldest = std::min(into.oldest, other.oldest);
    into.ends = std::min(into.ends, other.ends);
    for (const std::string& each : other.details) {
        if (into.details.size() < details_shown) into.details.push_back(each);
    }
}

void merge(rows& into, const rows& other) {
    for (std::size_t i = 0; i < into.size(); ++i) merge(into[i], other[i]);
    into.front().count += 1;
}

/// One place of an inline coroutine has an address in each of the program's files.
rows alike_by_text(rows& waits) {
    merged<row> made;
    for (row& each : waits) {
        const auto [known, is_new] = made.at(each.what + '\n' + each.places);
        if (is_new) {
            known = std::move(each);
        } else {
            known.count += each.count;
            merge(known, each);
        }
    }
    return std::move(made.all());
}

/// What waits in `scope`, and below it, oldest first; `title` stands before its own wait.
rows rows_of(const cancel_scope& scope, const heading& title, int depth, bool with_details) {
    merged<row> waits;
    merged<rows> branches;
    const auto add_wait = [&](const cancel_scope& leaf, const heading& path) {
        const auto [known, is_new] = waits.at(key_of(*leaf.waiting(), path));
        if (is_new) {
            known = row_of(*leaf.waiting(), leaf, path, depth);
        } else {
            known.count += 1;
            if (leaf.since() != time_point{}) known.oldest = std::min(known.oldest, leaf.since());
            known.ends = std::min(known.ends, path.ends);
        }
        if (with_details) add_detail(known, *leaf.waiting());
    };
    const auto add_branch = [&](const cancel_scope& top, const heading& path) {
        const auto rendered = [&](bool describe) {
            row head;
            head.depth = depth;
            head.ends = path.ends;
            head.what = path.text.substr(0, path.text.find_last_not_of(": ") + 1);
            if (head.what.empty()) head.what = "task";
            rows all{std::move(head)};
            if (depth == deepest) {
                all.front().what += ", whose branches are too deep to be shown";
                return all;
            }
            rows below = rows_of(top, {}, depth + 1, describe);
            all.insert(all.end(), std::make_move_iterator(below.begin()),
                       std::make_move_iterator(below.end()));
            return all;
        };
        rows plain = rendered(false);
        const auto [known, is_new] = branches.at(key_of(plain));
        const bool describe = with_details && (is_new || known.front().count < details_shown);
        if (describe) plain = rendered(true);
        if (is_new) known = std::move(plain);
        else merge(known, plain);
    };

    if (scope.waiting()) add_wait(scope, title);
    std::vector<const cancel_scope*> children;  // they are linked newest first
    for (const cancel_scope* at = scope.first_child(); at; at = at->next_sibling()) {
        children.push_back(at);
    }
    std::reverse(children.begin(), children.end());
    for (std::size_t place = 0; place < children.size(); ++place) {
        const cancel_scope* child = children[place];
        fetch_ahead(children, place);
        heading path = heading_of(*child);
        std::string last = path.text;
        while (!child->waiting() && child->first_child() && !child->first_child()->next_sibling()) {
            child = child->first_child();
            const heading below = heading_of(*child);
            path.ends = std::min(path.ends, below.ends);
            if (below.text != last) path.text += below.text;
            last = below.text;
        }
        if (child->first_child()) add_branch(*child, path);
        else if (child->waiting()) add_wait(*child, path);
    }
    rows all = alike_by_text(waits.all());
    for (rows& each : branches.all()) {
        all.insert(all.end(), std::make_move_iterator(each.begin()),
                   std::make_move_iterator(each.end()));
    }
    return all;
}

void write(const row& line, time_point now, std::string& text) {
    text.append(static_cast<std::size_t>(2 * line.depth + 2), ' ');
    if (line.count > 1) text.append(std::to_string(line.count)).append(" × ");
    text += line.what;
    const char* between = "";
    for (const std::string& detail : line.details) {
        text.append(between).append(detail);
        between = ";";
    }
    if (line.count > line.details.size() && line.details.size() == details_shown) text += " …";
    if (line.oldest != never) {
        text.append(line.count > 1 ? ", oldest " : ", for ");
        append_age(text, now - line.oldest);
    }
    if (line.ends != never) {
        text += ", ";
        append_age(text, std::max(line.ends - now, duration::zero()));
        text += " left";
    }
    if (!line.places.empty()) text.append(", ").append(line.places);
    text += '\n';
}

}  // namespace

std::string task_tree(const cancel_scope& scope) {
    std::string text;
    const time_point now = scope.owner().now();
    for (const row& line : rows_of(scope, heading_of(scope), 0, true)) write(line, now, text);
    return text;
}

}  // namespace anel::detail
