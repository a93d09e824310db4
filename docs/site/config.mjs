// config.mjs: what VitePress is told about the site; pages.py makes the pages and the side bars.
// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'

const base = process.env.ANEL_DOCS_BASE ?? '/'
const bars = JSON.parse(readFileSync(new URL('../navigation.json', import.meta.url)))
const ring =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>" +
  "<circle cx='8' cy='8' r='5' fill='none' stroke='%231f6feb' stroke-width='4'/></svg>"

// The id that a forge gives to a heading, so that a link works there and here.
const slugify = (text) =>
  text.trim().toLowerCase().replace(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-')

const portuguese = {
  nav: [
    { text: 'O guia', link: '/pt/guide/' },
    { text: 'Documentação', link: '/design' },
    { text: 'API', link: '/api/' }
  ],
  sidebar: bars.pt,
  outline: { label: 'Nesta página', level: [2, 3] },
  docFooter: { prev: 'Página anterior', next: 'Próxima página' },
  darkModeSwitchLabel: 'Aparência',
  lightModeSwitchTitle: 'Mudar para o tema claro',
  darkModeSwitchTitle: 'Mudar para o tema escuro',
  sidebarMenuLabel: 'Menu',
  returnToTopLabel: 'Voltar ao topo',
  langMenuLabel: 'Mudar o idioma',
  skipToContentLabel: 'Ir para o conteúdo',
  notFound: {
    title: 'Página não encontrada',
    quote: 'O endereço não leva a nenhuma página.',
    linkLabel: 'ir para o início',
    linkText: 'Ir para o início'
  }
}
const search = {
  translations: {
    button: { buttonText: 'Buscar', buttonAriaLabel: 'Buscar' },
    modal: {
      displayDetails: 'Mostrar os trechos',
      resetButtonTitle: 'Limpar a busca',
      backButtonTitle: 'Fechar a busca',
      noResultsText: 'Nada encontrado para',
      footer: {
        selectText: 'abrir', selectKeyAriaLabel: 'enter',
        navigateText: 'navegar', navigateUpKeyAriaLabel: 'seta para cima',
        navigateDownKeyAriaLabel: 'seta para baixo',
        closeText: 'fechar', closeKeyAriaLabel: 'esc'
      }
    }
  }
}

export default defineConfig({
  base,
  title: 'anel',
  description: 'A C++20 networking runtime: coroutines over io_uring, epoll and poll(2)',
  head: [['link', { rel: 'icon', href: ring }]],
  locales: {
    root: { label: 'English', lang: 'en' },
    pt: {
      label: 'Português', lang: 'pt-BR', link: '/pt/', themeConfig: portuguese,
      description: 'Um runtime de redes em C++20: corrotinas sobre io_uring, epoll e poll(2)'
    }
  },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/' },
      { text: 'Documentation', link: '/design' },
      { text: 'API', link: '/api/' }
    ],
    sidebar: bars.en,
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { locales: { pt: search } } }
  },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify },
    config(md) {
      // A file under source/ is no page of VitePress: the browser has to fetch it.
      const render = md.renderer.rules.link_open
      md.renderer.rules.link_open = (tokens, index, options, env, self) => {
        if (!tokens[index].attrGet('href')?.startsWith('/source/')) {
          return render(tokens, index, options, env, self)
        }
        tokens[index].attrSet('href', base.slice(0, -1) + tokens[index].attrGet('href'))
        tokens[index].attrSet('target', '_self')
        return self.renderToken(tokens, index, options)
      }
    }
  },
  // A link to a page that is not written yet; check_site.py finds every dead one.
  ignoreDeadLinks: true,
  vite: { build: { chunkSizeWarningLimit: 2000 } }
})
