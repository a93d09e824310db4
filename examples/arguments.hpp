// arguments.hpp: splits the command line of an example program into options and arguments.
//
// The usage text names the options: "usage: NAME [--option] ARGUMENT [ARGUMENT]".
// Options may stand anywhere. After a lone "--" every word is an argument.
// There is no include guard, because tests include several programs, each into its own namespace.
// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

struct arguments {
    std::vector<std::string> positional;
    std::vector<std::string> options;

    /// Prints `usage` and exits with 0 for --help and -h.
    /// Errors   invalid_argument for an option that `usage` does not name, and for fewer than
    ///          `least` or more than `most` positional arguments.
    arguments(int argc, char** argv, const std::string& usage, int least, int most) {
        bool options_ended = false;
        for (int i = 1; i < argc; ++i) {
            const std::string word = argv[i];
            if (options_ended || (word != "-h" && !word.starts_with("--"))) {
                positional.push_back(word);
            } else if (word == "--") {
                options_ended = true;
            } else if (word == "-h" || word == "--help") {
                std::cout << usage << '\n';
                std::exit(0);
            } else if (usage.find('[' + word + ']') != usage.npos) {
                options.push_back(word);
            } else {
                throw std::invalid_argument("unknown option " + word);
            }
        }
        const auto count = std::ssize(positional);
        if (count < least || count > most) throw std::invalid_argument(usage);
    }

    /// Returns  the positional argument at `index`, or `otherwise` if there are fewer.
    std::string get(std::size_t index, const std::string& otherwise) const {
        return index < positional.size() ? positional[index] : otherwise;
    }

    bool has(const std::string& option) const {
        for (const std::string& each : options)
            if (each == option) return true;
        return false;
    }
};
