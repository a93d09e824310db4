// plugin_host.cpp: loads a shared object that uses anel while it runs.     plugin_host FILE
// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <cstdio>

int main(int, char** argv) {
    void* plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    void* start = plugin ? dlsym(plugin, "run_plugin") : nullptr;
    if (!start) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    return reinterpret_cast<int (*)()>(start)();
}
