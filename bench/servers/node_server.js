#!/usr/bin/env node
// node_server.js: the server with Node's net module, on libuv's epoll, one thread for JavaScript.
//
// Node chooses how much a receive takes: 64 KiB at most.
//
// SPDX-License-Identifier: MIT
'use strict';

const fs = require('fs');
const net = require('net');
const tls = require('tls');
const { parseArgs } = require('util');

const { values: given, positionals } = parseArgs({
    options: {
        times: { type: 'string', default: '1' },
        buffer: { type: 'string' },
        tls: { type: 'string' }, // a file with a certificate and its key
        work: { type: 'string', default: '0' },
    },
    allowPositionals: true,
});
const times = Number(given.times);
const workNs = BigInt(given.work) * 1000n;

function answer(data) {
    if (workNs > 0n) {
        const done = process.hrtime.bigint() + workNs;
        while (process.hrtime.bigint() < done);
    }
    if (times === 1) return data;
    const whole = Buffer.allocUnsafe(data.length * times);
    for (let i = 0; i < data.length; i++) whole.fill(data[i], i * times, (i + 1) * times);
    return whole;
}

function session(socket) {
    socket.on('data', (data) => {
        if (!socket.write(answer(data))) socket.pause();  // until it has gone: a slow reader
    });
    socket.on('drain', () => socket.resume());
    socket.on('error', () => socket.destroy());
}

function secure(identity) {
    return tls.createServer({ cert: identity, key: identity, noDelay: true }, session);
}

const server = given.tls ? secure(fs.readFileSync(given.tls))
    : net.createServer({ noDelay: true }, session);
server.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
});

const [host, port] = (positionals[0] ?? '127.0.0.1:7777').split(':');
server.listen({ host, port: Number(port), backlog: 4096 }, () => {
    const at = server.address();
    console.log(`listening on ${at.address}:${at.port} (node) Node ${process.versions.node}, ` +
        `net, libuv ${process.versions.uv}`);
});
process.on('SIGTERM', () => process.exit(0));
