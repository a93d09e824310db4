// look.js: what is wrong with the page as it is shown now; check_site.py runs it in the browser.
// SPDX-License-Identifier: MIT
(() => {
  const found = new Set()
  const root = document.documentElement
  if (root.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll('body *')].filter((e) => {
      const box = e.getBoundingClientRect()
      return box.right > innerWidth + 1 && box.width > 0 && getComputedStyle(e).position !== 'fixed'
    })
    found.add(`is ${root.scrollWidth} px wide: ${wide.at(-1)?.outerHTML.slice(0, 80)}`)
  }
  for (const image of document.images) {
    if (!image.alt.trim()) found.add(`no alternative text: ${image.src}`)
    if (image.complete && image.naturalWidth === 0) found.add(`does not load: ${image.src}`)
  }

  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const parse = (text) => {  // any CSS colour, as four numbers
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = text
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]))
  const light = (color) => {
    const [r, g, b] = color.map((c) => {
      c /= 255
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    const layers = []
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor)
      if (color[3] > 0) layers.push(color)
      if (color[3] === 1) break
    }
    const page = parse(getComputedStyle(root).colorScheme === 'dark' ? '#121212' : '#fff')
    return layers.reverse().reduce((below, top) => over(top, below), page.slice(0, 3))
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement
    const text = walk.currentNode.textContent.trim()
    if (!text || element.closest('script, style, [aria-hidden=true], .visually-hidden')) continue
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue
    const style = getComputedStyle(element)
    const color = parse(style.color)
    for (let e = element; e; e = e.parentElement) color[3] *= getComputedStyle(e).opacity
    if (color[3] < 0.1) continue
    const below = behind(element)
    const [a, b] = [light(over(color, below)), light(below)].sort((x, y) => y - x)
    const size = parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700)
    const ratio = (a + 0.05) / (b + 0.05)
    if (ratio < (large ? 3 : 4.5)) {
      found.add(`contrast ${ratio.toFixed(2)}: '${text.slice(0, 30)}' in ` +
        `${element.tagName.toLowerCase()}.${element.className}, ${style.color}`)
    }
  }
  return [...found]
})()
