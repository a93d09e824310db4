// names.cpp: the name service of a simulated world: what it answers, and when it does not.
// SPDX-License-Identifier: MIT
#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace anel::sim {

// An answer gives at most name_lookup::capacity addresses, as the real one does.
void machine_backend::answer(operation& op) {
    auto& question = *static_cast<name_lookup*>(op.data);
    const auto failed = [&](std::int32_t error) {
        question.name_error = error;
        complete(op, -EIO);
    };
    if (core_.happens(fault::lookup_failed)) return failed(EAI_AGAIN);
    if (!question.host) return failed(EAI_NONAME);
    const std::vector<address>* found = network_.addresses_of(question.host);
    if (!found || found->empty()) return failed(EAI_NONAME);
    std::vector<address> answers = *found;
    if (answers.size() > 1 && core_.happens(fault::lookup_changed)) {
        for (std::size_t i = answers.size(); i > 1; --i) {
            std::swap(answers[i - 1], answers[core_.faults.below(i)]);
        }
        answers.resize(core_.faults.between(1, answers.size()));
    }
    question.count = 0;
    for (const address& each : answers) {
        if (question.count == name_lookup::capacity) break;
        question.addresses[question.count++] = to_socket_address(unpack(each));
    }
    complete(op, 0);
}

const std::vector<address>* network::addresses_of(const std::string& name) const {
    // A name may end with a dot, which says that it is complete; case says nothing.
    std::string plain = name;
    if (plain.ends_with('.')) plain.pop_back();
    for (char& letter : plain) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    const auto found = names_.find(plain);
    return found == names_.end() ? nullptr : &found->second;
}

void network::set_name(std::string_view name, std::vector<address> addresses) {
    names_[std::string(name)] = std::move(addresses);
}

}  // namespace anel::sim
