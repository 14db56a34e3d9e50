"""The style sheet of the report: system fonts, light and dark, no colour that carries a meaning alone."""

STYLE = """
:root{--bg:#fff;--fg:#1b1f24;--dim:#667;--line:#dfe3e8;--good:#1a7f4b;--bad:#c62828;--warn:#9a6700;
--band:#f2b84b55;--away:#66778833;--leads:#2f6fdb;--start:#33475b}
@media(prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e6e9ed;--dim:#98a2ae;--line:#2c333b;--good:#3fb37f;
--bad:#ff6b6b;--warn:#e3b341;--band:#a8751f66;--away:#98a2ae33;--leads:#6ea1ff;--start:#b7c4d1}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
main{max-width:1260px;margin:0 auto;padding:20px 28px 60px}
header{border-left:8px solid var(--good);padding:6px 18px;margin-bottom:10px}
header.violation{border-color:var(--bad)}header.invalid,header.unknown{border-color:var(--warn)}
header h1{margin:0;font-size:24px;color:var(--good)}header.violation h1{color:var(--bad)}
header.invalid h1,header.unknown h1{color:var(--warn)}header ul{margin:6px 0;padding-left:18px}
header p{margin:4px 0}.facts{margin:4px 0;color:var(--dim)}
header a{color:inherit}.facts b,.facts code{color:var(--fg)}
code,pre{font:12.5px/1.4 ui-monospace,monospace}pre{white-space:pre-wrap;margin:6px 0;max-width:70ch}
h2{font-size:17px;margin:26px 0 6px}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}th{text-align:left;color:var(--dim);font-weight:600}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:target{background:var(--band)}td:first-child{white-space:nowrap}
.tag{font-weight:600}.tag.pass{color:var(--good)}.tag.violation{color:var(--bad)}
.tag.invalid,.tag.unknown{color:var(--warn)}.bad{color:var(--bad)}
.tiles{display:flex;flex-wrap:wrap;gap:8px 34px;margin:14px 0}.tiles dt{color:var(--dim);font-size:13px}
.tiles dd{margin:0;font-size:17px;font-weight:600}
.picture{overflow-x:auto}svg{width:100%;min-width:900px;display:block}
svg text{fill:var(--fg);font:12px system-ui,sans-serif}svg .lane{text-anchor:end}
svg .lane.bad{fill:var(--bad)}
svg .time{text-anchor:middle;fill:var(--dim);font-size:11px}svg .fault{font-size:11px;font-weight:600}
.band{fill:var(--band)}.doubtful{stroke:var(--bad);stroke-dasharray:4 3}.grid,.rule{stroke:var(--line)}
.led{stroke:var(--leads);stroke-width:1.5;stroke-dasharray:5 3}.leads{fill:var(--leads)}
.follows{fill:var(--dim)}
.gone{fill:var(--bad)}.start{stroke:var(--start);stroke-width:1.6;fill:none}
.none{stroke:var(--warn);stroke-width:2.4;fill:none}.gap{fill:var(--bad);opacity:.35}
.away{fill:var(--away)}.hit{fill:var(--band);stroke:var(--warn);stroke-width:.8}
.ring{fill:none;stroke:var(--bad);stroke-width:2}
.offence{stroke:var(--bad);stroke-width:1.2}.mark{fill:var(--bad)}
.legend{color:var(--dim);font-size:13px;margin:4px 0}
.k{display:inline-block;width:14px;height:11px;margin:0 4px 0 12px}
.k.leads{background:var(--leads)}.k.follows{background:var(--dim);height:3px;vertical-align:middle}
.k.gone{background:repeating-linear-gradient(45deg,var(--bad) 0 3px,transparent 3px 6px)}
.k.band{background:var(--band)}
.k.led{border-left:2px dashed var(--leads);width:2px}.k.start{background:var(--start);width:3px}

.k.hit{background:var(--band);border:1px solid var(--warn)}
.k.away{background:var(--away)}.k.none{background:var(--warn);width:3px;height:6px}.k.gap{background:var(--bad);opacity:.35}
"""
