// The style sheet of the page. It works without a script: the filters by kind are check boxes that rules look at.
import { DARK, LIGHT, themeProperties } from "./theme.ts";

const BASE = `
*{box-sizing:border-box}
html{color-scheme:light dark;font-size:clamp(15px,12.8px + .24vw,22px);scroll-padding-top:4.5rem;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.5 Inter,ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
.wrap{max-width:96rem;margin:0 auto;padding:0 clamp(.8rem,2.4vw,2.5rem)}
h1,h2,h3,p,ul,ol,dl,dd,pre,table,fieldset,figure{margin:0;padding:0}
h1{font-size:1rem;font-weight:600;letter-spacing:.01em}
h2{font-size:1.28rem;line-height:1.3;font-weight:650;letter-spacing:-.01em}
h3{font-size:1rem;font-weight:650}
a{color:var(--link);text-underline-offset:.18em;text-decoration-thickness:1px}
code,pre,.mono{font-family:"JetBrains Mono",ui-monospace,"SF Mono","Cascadia Code",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em;font-variant-ligatures:none;tab-size:2}
code,.name{unicode-bidi:isolate;overflow-wrap:anywhere}
pre{overflow:auto;max-height:26rem;padding:.7rem .9rem;background:var(--sunk);border-radius:.4rem;line-height:1.55;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:.2rem}
[hidden]{display:none!important}
.hidden-char{font:600 .72em/1.4 "JetBrains Mono",ui-monospace,Menlo,Consolas,monospace;color:var(--bad);background:var(--bad-soft);border-radius:.25em;padding:.05em .3em;margin:0 .1em;unicode-bidi:isolate;white-space:nowrap}
.cut,.muted{color:var(--muted)}
.off{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:.5rem;top:-4rem;z-index:9;background:var(--card);padding:.5rem 1rem;border-radius:.4rem}
.skip:focus{top:.5rem}
html:not(.js) .js{display:none}
`;

const HEAD = `
header.top{padding-top:1.4rem}
.crumbs{display:flex;flex-wrap:wrap;gap:.2rem .9rem;align-items:baseline;justify-content:space-between}
.brand{display:flex;gap:.55rem;align-items:center;font-weight:600}
.brand svg{width:1.25rem;height:1.25rem;color:var(--link)}
.sides{color:var(--muted);font-size:.9rem;overflow-wrap:anywhere}
.verdict{display:grid;grid-template-columns:auto 1fr;gap:.1rem 1rem;align-items:center;margin-top:1rem;padding:1.15rem 1.3rem;border-radius:.7rem;background:var(--card);border:1px solid var(--line);border-left:.4rem solid var(--tone)}
.verdict .sign{grid-row:span 2;width:2.6rem;height:2.6rem;border-radius:50%;display:grid;place-items:center;font-size:1.45rem;font-weight:700;background:var(--tone-soft);color:var(--tone)}
.verdict p:first-of-type{font-size:clamp(1.15rem,.95rem + .6vw,1.5rem);line-height:1.3;font-weight:650;letter-spacing:-.015em}
.verdict p+p{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.2rem,1fr));gap:.7rem;margin-top:.8rem;list-style:none}
.tile{display:grid;grid-template-columns:auto 1fr;align-items:center;gap:0 .7rem;height:100%;padding:.75rem .95rem;border-radius:.7rem;background:var(--card);border:1px solid var(--line);color:inherit;text-decoration:none}
a.tile:hover{border-color:var(--tone)}
.tile b{font-size:1.7rem;line-height:1.15;font-weight:680;letter-spacing:-.02em}
.tile span:last-child{grid-column:1/-1;color:var(--muted);font-size:.9rem;line-height:1.35}
.tile.zero b{color:var(--muted);font-weight:500}
.t-allowed{--tone:var(--allowed);--tone-soft:var(--allowed-soft)}
.t-denied{--tone:var(--denied);--tone-soft:var(--denied-soft)}
.t-both{--tone:var(--both);--tone-soft:var(--both-soft)}
.t-reasons{--tone:var(--reasons);--tone-soft:var(--reasons-soft)}
.t-good{--tone:var(--good);--tone-soft:var(--good-soft)}
.t-bad{--tone:var(--bad);--tone-soft:var(--bad-soft)}
.t-warn{--tone:var(--warn);--tone-soft:var(--warn-soft)}
.mark{display:inline-grid;place-items:center;min-width:1.55rem;height:1.55rem;padding:0 .3rem;border-radius:.35rem;background:var(--tone-soft);color:var(--tone);font-weight:700;font-size:.95rem;line-height:1;flex:none}
nav.bar{position:sticky;top:0;z-index:5;margin-top:1rem;background:var(--page);border-bottom:1px solid var(--line)}
nav.bar ul{display:flex;gap:.2rem;list-style:none;overflow-x:auto;scrollbar-width:none}
nav.bar a{display:block;padding:.75rem .7rem;white-space:nowrap;color:var(--text);text-decoration:none;font-size:.93rem;border-bottom:2px solid transparent}
nav.bar a:hover{border-bottom-color:var(--link)}
nav.bar a:focus-visible{outline-offset:-3px}
nav.bar li:first-child a{margin-left:-.7rem}
nav.bar .n{color:var(--muted)}
main>section{padding-top:1.9rem}
.lead{color:var(--muted);max-width:62rem;margin-top:.2rem}
main>section>h2+*:not(.lead),main>section>.lead+*{margin-top:.9rem}
footer{margin:2.5rem 0 2rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--muted);font-size:.88rem;overflow-wrap:anywhere}
`;

const PANELS = `
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem}
.list{background:var(--card);border:1px solid var(--line);border-radius:.6rem;list-style:none;overflow:hidden}
.list>li+li{border-top:1px solid var(--line)}
.check{display:grid;grid-template-columns:auto 1fr;gap:.15rem .8rem;padding:.75rem 1rem}
.check>*{min-width:0}
.check .mark{grid-row:span 3;align-self:start;width:1.55rem}
.check .word{font-size:.78rem;font-weight:650;color:var(--tone);margin-left:.5rem;letter-spacing:.01em}
.check p{color:var(--muted)}
details>summary.check-more{display:flex;gap:.5rem;color:var(--link)}
details>summary{cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"";flex:none;width:.42rem;height:.42rem;border:solid var(--muted);border-width:0 2px 2px 0;transform:rotate(-45deg);margin:.55rem .35rem 0 .15rem}
details[open]>summary::before{transform:rotate(45deg)}
summary:focus-visible{outline-offset:-2px}
.story,.item{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin-top:.5rem;content-visibility:auto;contain-intrinsic-size:auto 4.4rem}
.story[open],.item[open]{content-visibility:visible}
.story>summary,.item>summary{display:flex;gap:.6rem;align-items:flex-start;padding:.7rem .95rem;border-radius:.6rem}
.story>summary:hover,.item>summary:hover{background:var(--sunk)}
.story .what,.item .what{flex:1;min-width:0}
.what>div:first-child{display:flex;flex-wrap:wrap;gap:0 .75rem;align-items:baseline}
.what .title{font-weight:650;overflow-wrap:anywhere}
.what .eg{color:var(--muted);font-size:.9rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.pill{font-size:.78rem;font-weight:600;border:1px solid var(--line);border-radius:1rem;padding:.08rem .6rem;color:var(--muted);white-space:nowrap}
.inside{padding:.3rem .95rem 1rem}
.inside>*+*{margin-top:1rem}
.sides2{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:.8rem}
.side{border:1px solid var(--line);border-top:.22rem solid var(--tone);border-radius:.45rem;padding:.65rem .85rem .8rem;min-width:0}
.side>p:first-child{font-weight:650}
.side>p:first-child b{color:var(--tone)}
.side .policy{margin-top:.65rem}
.policy .where{font-size:.88rem;color:var(--muted);overflow-wrap:anywhere}
.policy .why{margin-top:.1rem}
.policy pre{font-size:.8em;margin-top:.35rem;max-height:16rem}
.parts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:.8rem 1.6rem}
.parts>*{min-width:0}
.label{font-size:.8rem;font-weight:650;color:var(--muted);margin-bottom:.3rem;display:block}
.facts{display:grid;grid-template-columns:minmax(6rem,auto) minmax(0,1fr);gap:.12rem 1rem;font-size:.93rem}
.facts dt{color:var(--muted)}
.facts dd{overflow-wrap:anywhere}
.facts .read{font-weight:650}
.scroll{overflow-x:auto;border-radius:.45rem}
table{border-collapse:collapse;font-size:.93rem}
.rows{width:100%}
.rows th,.rows td{text-align:left;vertical-align:top;padding:.38rem .8rem .38rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.rows tr:last-child>*{border-bottom:0}
.rows thead th{color:var(--muted);font-size:.8rem;font-weight:650;white-space:nowrap}
.rows tbody th{font-weight:600;min-width:11rem}
.rows td{min-width:5rem}
tr:target>*,.policy-card:target>summary{background:var(--warn-soft)}
ins,del{text-decoration-thickness:1px;border-radius:.2em;padding:.02em .12em;-webkit-box-decoration-break:clone;box-decoration-break:clone}
ins{background:var(--allowed-soft);color:var(--allowed);text-decoration:underline;text-underline-offset:.2em}
del{background:var(--denied-soft);color:var(--denied);text-decoration:line-through}
.lines ins,.lines del{display:block;text-decoration:none;padding:0 .4rem}
.lines del::before{content:"- "}
.lines ins::before{content:"+ "}
.lines span.eq{display:block;padding:0 .4rem}
.lines span.eq::before{content:"  "}
.lines .fold{display:block;color:var(--muted);padding:0 .4rem}
.kind+.kind{margin-top:1.5rem}
.card+.scroll{margin-top:.9rem}
.change{font-size:.92rem;overflow-wrap:anywhere}
.what .pill:last-child{margin-left:auto}
.broken{padding:.7rem 0 .2rem}
.broken>*+*{margin-top:.5rem}
.plain{list-style:none}
.told{padding-left:1.1rem}
.pill.t-warn{background:var(--tone-soft);color:var(--tone);border-color:transparent}
.bars{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.8rem;padding:1rem}
.bars b{display:block;font-size:1.35rem;line-height:1.2;font-weight:650}
.bars span{color:var(--muted);font-size:.9rem}
.pad{padding:1rem}
.note{padding:.7rem 1rem;border-radius:.5rem;background:var(--sunk)}
`;

const MATRIX = `
.filter{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;border:0;min-width:0}
.chips{display:flex;flex-wrap:wrap;gap:.45rem;border:0;min-width:0}
.chip{display:inline-flex;gap:.45rem;align-items:center;padding:.22rem .75rem .22rem .35rem;border:1px solid var(--line);border-radius:2rem;background:var(--card);cursor:pointer;font-size:.92rem;user-select:none}
.chip input{appearance:none;margin:0;width:1.55rem;height:1.55rem;border-radius:50%;border:1.5px solid var(--muted);display:grid;place-items:center;cursor:pointer;flex:none}
.chip input::before{content:attr(data-sign);font-weight:700;color:transparent;line-height:1}
.chip input:checked{background:var(--tone-soft);border-color:var(--tone)}
.chip input:checked::before{color:var(--tone)}
.chip:not(:has(:checked)){color:var(--muted)}
.chip:has(:focus-visible){outline:2px solid var(--link);outline-offset:2px}
.chip input:focus-visible{outline:0}
.find{display:flex;gap:.5rem;align-items:center;flex:1 1 15rem;min-width:0}
.find input{flex:1;min-width:0;font:inherit;color:inherit;background:var(--card);border:1px solid var(--muted);border-radius:.45rem;padding:.35rem .7rem}
.find input::placeholder{color:var(--muted);opacity:1}
button{font:inherit;font-size:.92rem;color:var(--text);background:var(--card);border:1px solid var(--line);border-radius:.45rem;padding:.3rem .8rem;cursor:pointer}
button:hover{border-color:var(--link)}
.grid{margin-top:.8rem;width:fit-content;max-width:100%;overflow:auto;max-height:min(48rem,86vh);overscroll-behavior-x:contain;isolation:isolate}
.matrix{border-collapse:separate;border-spacing:0}
.matrix thead th{position:sticky;top:0;z-index:2;background:var(--card);vertical-align:bottom;font-weight:550;border-bottom:1px solid var(--line);padding:.6rem 0 .5rem}
.matrix thead th:first-child{left:0;z-index:3;text-align:left;padding-left:1rem;color:var(--muted);font-size:.85rem}
.matrix thead th>div{writing-mode:vertical-rl;transform:rotate(180deg);max-height:11.5rem;min-height:4rem;max-width:2.9rem;margin:0 auto;line-height:1.25;font-size:.86rem;overflow:hidden;text-overflow:ellipsis}
.matrix tbody th[scope=row]{position:sticky;left:0;z-index:1;background:var(--card);text-align:left;font-weight:500;padding:.12rem 1.2rem .12rem 1.6rem;min-width:min(15rem,44vw);max-width:min(34rem,46vw);overflow-wrap:anywhere;line-height:1.3}
.matrix tbody th[scope=rowgroup]{text-align:left;padding:.7rem 1rem .25rem;font-weight:650;position:sticky;left:0}
.matrix tbody th[scope=rowgroup] span.stick{position:sticky;left:1rem}
.matrix .m{display:block;color:var(--muted);font-size:.8rem;font-weight:400}
.matrix td{padding:.13rem .15rem;min-width:2.7rem;text-align:center;font-size:0}
.matrix td a{display:grid;place-items:center;height:1.85rem;min-width:2.4rem;border-radius:.35rem;font-weight:700;line-height:1}
.matrix td a{text-decoration:none;font-size:0;background:var(--tone-soft);color:var(--tone);border:1px solid transparent}
.matrix td a::before{font-size:1.05rem}
.matrix td a:hover,.matrix td a:focus-visible{border-color:var(--tone)}
.matrix td.d::before,.matrix td.a::before,.matrix td.s::before,.matrix td.n::before{font-size:1rem;color:var(--muted)}
.matrix td.d::before{content:"·" / ""}
.matrix td.a::before{content:"○" / ""}
.matrix td.s::before{content:"◐" / ""}
.matrix td.n::before{content:"" / ""}
td.A a::before{content:"+" / ""}
td.D a::before{content:"−" / ""}
td.B a::before{content:"±" / ""}
td.r a::before{content:"~" / ""}
td.A{--tone:var(--allowed);--tone-soft:var(--allowed-soft)}
td.D{--tone:var(--denied);--tone-soft:var(--denied-soft)}
td.B{--tone:var(--both);--tone-soft:var(--both-soft)}
td.r{--tone:var(--reasons);--tone-soft:var(--reasons-soft)}
.matrix tbody tr:hover>td,.matrix tbody tr:hover>th[scope=row]{background:var(--sunk)}
.matrix tbody:last-child tr:last-child>*{padding-bottom:.6rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;color:var(--muted);font-size:.88rem;margin-top:.55rem;list-style:none}
.empty{display:none}
`;

/** Kinds of change that a check box shows and hides. */
const SHOWN_KINDS: readonly (readonly [kind: string, rowClass: string])[] = [
  ["allowed", "hA"],
  ["denied", "hD"],
  ["reasons", "hr"],
];

// Rows and columns of the matrix stand hidden until a box calls for them.
function filterRules(): string {
  const kinds = SHOWN_KINDS.map(
    ([kind, rowClass]) =>
      `body:has(#show-${kind}:checked) .matrix tr.${rowClass}{display:table-row}` +
      `body:not(:has(#show-${kind}:checked)) .kind-${kind}{display:none}`,
  );
  return `
.matrix tbody tr{display:none}
body:has(#show-all:checked) .matrix tbody tr{display:table-row}
${kinds.join("\n")}
.matrix .q,.matrix .p{display:none}
body:has(#show-all:checked) .matrix .q,body:has(#show-all:checked) .matrix .p,body:has(#show-reasons:checked) .matrix .p{display:table-cell}
body:not(:has(#show-allowed:checked,#show-denied:checked,#show-reasons:checked,#show-all:checked)) .grid{display:none}
`;
}

const NARROW = `
@media (max-width:46rem){
.sides2{grid-template-columns:minmax(0,1fr)}
.verdict{padding:.9rem 1rem}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}
.facts{grid-template-columns:minmax(0,1fr)}
.facts dd{margin-bottom:.35rem}
.matrix tbody th[scope=row]{padding-left:1rem;padding-right:.6rem}
.rows tbody th{min-width:8rem}
.inside{padding-left:.75rem;padding-right:.75rem}
.grid{max-height:none}
.matrix thead th{position:static}
}
@media (min-width:46.01rem) and (max-width:70rem){.tiles{grid-template-columns:repeat(5,minmax(0,1fr))}}
`;

const PRINT = `
@media print{
html{font-size:10pt;color-scheme:light}
body{background:#fff}
nav.bar,body .js,.filter,.skip{display:none!important}
.wrap{max-width:none;padding:0}
details::details-content{content-visibility:visible!important;display:block!important;block-size:auto!important}
summary::before{display:none}
.story,.item{content-visibility:visible;break-inside:auto}
.story>summary{break-after:avoid}
h2,h3{break-after:avoid}
pre,.grid,.scroll{max-height:none;overflow:visible}
.what .eg{white-space:normal}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
@media (forced-colors:active){.mark,.matrix td a,.chip input{border:1px solid}}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
`;

/** The whole style sheet: equal for every plan. */
export function pageStyle(): string {
  const themes = [
    `:root{${themeProperties(LIGHT)}}`,
    `@media screen and (prefers-color-scheme:dark){:root{${themeProperties(DARK)}}}`,
  ];
  const parts = [...themes, BASE, HEAD, PANELS, MATRIX, filterRules(), NARROW, PRINT];
  return parts.map((part) => part.trim()).join("\n");
}
