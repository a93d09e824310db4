// offline.mjs: makes the built site work from a plain folder (file://) as well as from a server.
// SPDX-License-Identifier: MIT
//
// Addresses become relative, and a folder gets its index.html. A browser loads no module from a
// file, so the script of the site runs only where there is a server; from a file, search and the
// switch of the theme are hidden, and a few lines open the menu.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

const root = process.argv[2]
const base = process.env.ANEL_DOCS_BASE ?? '/'
const menu = `document.documentElement.classList.add('from-file')
addEventListener('click', (event) => {
  const bar = document.querySelector('.VPSidebar')
  if (event.target.closest('.VPLocalNav .menu')) bar?.classList.toggle('open')
  else if (!event.target.closest('.VPSidebar')) bar?.classList.remove('open')
})`

for (const name of readdirSync(root, { recursive: true })) {
  if (!name.endsWith('.html') || name.startsWith('source' + sep)) continue
  const up = relative(join(name, '..'), '.').split(sep).join('/') || '.'
  const local = (address) => {
    const [path, id] = address.replace(base, '/').split('#')
    return up + (path.endsWith('/') ? path + 'index.html' : path) + (id ? '#' + id : '')
  }
  const text = readFileSync(join(root, name), 'utf8')
    .replace(/<link rel="modulepreload"[^>]*>/g, '')
    .replace(/<script type="module" src="([^"]+)"><\/script>/, (_, src) =>
      // It reads what stands at the end of the page, and may arrive before that.
      `<script>if (location.protocol !== 'file:') addEventListener('DOMContentLoaded', () =>
import('${local(src)}'))\nelse { ${menu} }</script>`)
    .replace(/\b(href|src|srcset)="(\/(?!\/)[^"]*)"/g, (_, key, address) =>
      `${key}="${local(address)}"`)
  writeFileSync(join(root, name), text)
}
