// page_style.hpp: how the report looks, by day, by night and on a phone.
//
// SPDX-License-Identifier: MIT
#pragma once

namespace anel_bench {

inline constexpr const char* page_style = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #5c6570; --rule: #d9dee3; --shade: #f4f6f8;
  --win: 33 102 172; --loss: 214 96 20; --warn: #b42318;
  --c1: #1f6fb4; --c2: #0b3d91; --c3: #e07b00; --c4: #b84c00; --c5: #8a6d3b; --c6: #6b7280;
  --c7: #7b3fa0; --c8: #2e8b57;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --ink: #e6e9ec; --soft: #9aa4ae; --rule: #333b44; --shade: #1c2229;
    --win: 92 160 230; --loss: 240 140 60; --warn: #ff8a7a;
    --c1: #5aa9ee; --c2: #9cc9ff; --c3: #ffab40; --c4: #ff7f3f; --c5: #c8a96a; --c6: #a3acb8;
    --c7: #c58be8; --c8: #66cf95;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .4rem; }
.lead, .note, figcaption, small { color: var(--soft); }
.note, figcaption { font-size: .85rem; }
.warning { color: var(--warn); border-left: 4px solid var(--warn); padding-left: .8rem; }
figure { margin: 2rem 0; }
.scroll { overflow-x: auto; }
.scroll > svg { min-width: 34rem; width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
tbody th, thead th:first-child { text-align: left; }
td.fact { text-align: left; white-space: normal; overflow-wrap: anywhere; }
td.none { color: var(--soft); text-align: left; }
.heat caption { text-align: left; font-weight: 600; padding: 1rem 0 .3rem; }
.heat td { text-align: center; }
td.win { background: rgb(var(--win) / 25%); } td.loss { background: rgb(var(--loss) / 25%); }
.heat thead th { white-space: normal; min-width: 6rem; text-align: center; font-size: .8rem; }
.heat td.win { background: rgb(var(--win) / var(--strength)); }
.heat td.loss { background: rgb(var(--loss) / var(--strength)); }
.heat td.tie { background: var(--shade); color: var(--soft); }
h4 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
.duel { display: grid; grid-template-columns: 9rem 1fr 9rem; column-gap: .8rem;
  align-items: center; font-size: .9rem; font-variant-numeric: tabular-nums; }
.duel .track { position: relative; height: 1.5rem; border-bottom: 1px solid var(--rule); }
.duel .ratio { text-align: right; }
.duel .track i, .duel .track b { position: absolute; }
.duel .floor { top: 0; bottom: 0; background: var(--shade); }
.duel .one { left: 50%; top: 0; bottom: 0; border-left: 1px dashed var(--soft); }
.duel .range { top: .65rem; height: .2rem; min-width: 2px; background: var(--c); }
.duel .dot { top: .4rem; width: .7rem; height: .7rem; margin-left: -.35rem; border-radius: 50%;
  background: var(--c); border: 2px solid var(--c); }
.duel .track b.right { right: -.3rem; color: var(--c); }
.duel .track b.left { left: -.3rem; color: var(--c); }
.duel.win { --c: rgb(var(--win)); } .duel.loss { --c: rgb(var(--loss)); }
.duel.win .ratio, .duel.loss .ratio { color: var(--c); font-weight: 600; }
.duel.tie { --c: var(--soft); } .duel.tie .dot { background: var(--paper); }
.duel.axis .track { border: 0; }
.duel.axis b { transform: translateX(-50%); font-weight: 400; font-size: .8rem;
  color: var(--soft); }
@media (max-width: 34rem) {
  .duel { grid-template-columns: 1fr auto; row-gap: 0; margin-bottom: .3rem; }
  .duel .track { grid-column: 1 / 3; grid-row: 2; height: 1.2rem; margin: 0 .4rem; }
  .duel .dot { top: .25rem; } .duel .range { top: .5rem; }
}
pre { background: var(--shade); padding: .8rem; overflow-x: auto; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem 1rem; color: var(--soft);
  overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; margin: .3rem 0; }
.legend .key { width: 26px; height: 10px; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; }
svg text.name { fill: var(--ink); }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .goal { stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 6 4; }
svg .s1 { --c: var(--c1); } svg .s2 { --c: var(--c2); } svg .s3 { --c: var(--c3); }
svg .s4 { --c: var(--c4); } svg .s5 { --c: var(--c5); } svg .s6 { --c: var(--c6); }
svg .s7 { --c: var(--c7); } svg .s8 { --c: var(--c8); }
svg .curve { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
svg .wide { stroke-width: 3.2; } svg .thin { stroke-width: 1.2; }
svg .curve.d2 { stroke-dasharray: 7 4; } svg .curve.d3 { stroke-dasharray: 2 3; }
svg .area { fill: var(--c); fill-opacity: .08; stroke: none; }
svg .bar { fill: var(--c); } svg .bar.light { fill-opacity: .45; }
svg circle.full { fill: var(--c); stroke: none; }
svg circle.hollow { fill: var(--paper); stroke: var(--c); stroke-width: 2; }
)css";

}  // namespace anel_bench
