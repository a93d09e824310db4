// interval.cpp: when the next tick is due.
// SPDX-License-Identifier: MIT
#include <anel/interval.hpp>

#include <anel/sleep.hpp>

#include <stdexcept>
#include <string>

namespace anel {

interval::interval(nanoseconds_tag, duration period, missed_ticks policy)
    : period_(period), policy_(policy) {
    if (period_ <= duration::zero()) {
        throw std::invalid_argument("interval: a period of " + std::to_string(period_.count()) +
                                    " ns is not above zero");
    }
}

time_point interval::following(time_point due, time_point now) const noexcept {
    switch (policy_) {
        case missed_ticks::burst: break;
        case missed_ticks::delay: return after(now, period_);
        case missed_ticks::skip: {
            const duration late = now > due ? now - due : duration::zero();
            return after(due + late / period_ * period_, period_);
        }
    }
    return after(due, period_);
}

task<time_point> interval::tick() {
    const time_point asked = co_await current_time();
    if (!begun_) next_ = after(asked, period_);
    begun_ = true;
    const time_point due = next_;
    co_await sleep_until(due);
    const time_point now = co_await current_time();
    next_ = following(due, now);
    co_return due;
}

}  // namespace anel
