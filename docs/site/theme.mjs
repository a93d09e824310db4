// theme.mjs: the default theme with the system's fonts.
// SPDX-License-Identifier: MIT
import theme from 'vitepress/theme-without-fonts'
import './style.css'

export default theme
