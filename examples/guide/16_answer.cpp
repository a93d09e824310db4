// 16_answer.cpp: a server that stops, in virtual time, without a clock.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

// One question is due every millisecond for `run` ms. Somewhere in the
// middle the server stops for `stop` ms. All times are in milliseconds.

// #region predict
double predicted_p99(double run, double stop) {
    // `stop` questions are late, by 0 to `stop` ms in equal shares. The p99
    // leaves out the slowest run / 100 of all.
    return std::max(stop - run / 100, 0.01);
}
// #endregion predict

// #region measure
double measured_p99(double run, double stop) {
    std::vector<double> latencies;
    double stopped = run / 4;
    double answered = 0;
    for (double due = 0; due < run; due += 1) {
        double sent = std::max(due, answered);
        double begun = sent;  // by the server, which takes 0.01 ms
        bool waits = sent >= stopped && sent < stopped + stop;
        if (waits) begun = stopped + stop;
        answered = begun + 0.01;
        latencies.push_back(answered - due);
    }
    std::sort(latencies.begin(), latencies.end());
    return latencies[latencies.size() * 99 / 100];
}
// #endregion measure

int main(int argc, char** argv) {
    double run = argc > 1 ? std::atof(argv[1]) : 4000;
    double stop = argc > 2 ? std::atof(argv[2]) : 1000;
    double predicted = predicted_p99(run, stop);
    double measured = measured_p99(run, stop);
    std::printf("run %.0f ms, stop %.0f ms: predicted p99 %.2f ms, "
                "measured %.2f ms\n",
                run, stop, predicted, measured);
}
