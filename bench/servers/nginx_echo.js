// nginx_echo.js: what nginx_server.py has nginx's streams do, in njs: send back what comes.
//
// SPDX-License-Identifier: MIT

function repeated(data, times) {
    const whole = Buffer.alloc(data.length * times);
    for (let i = 0; i < data.length; i++) whole.fill(data[i], i * times, (i + 1) * times);
    return whole;
}

// The filter of the server that clients see: only the end of the stream is passed on.
function echo(s) {
    const times = Number(s.variables.times);
    s.on('upstream', function (data, flags) {
        if (data.length > 0) s.sendDownstream(times === 1 ? data : repeated(data, times));
        if (flags.last) s.sendUpstream('', flags);
    });
}

// What it is passed on to says nothing, until the stream ends.
function hold(s) {
    s.on('upload', function (data, flags) {
        if (flags.last) s.done();
    });
}

export default { echo, hold };
