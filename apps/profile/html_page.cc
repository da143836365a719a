#include "apps/profile/html_page.h"

namespace rocforge::apps {

const std::string_view kPageHead = R"PAGE(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>rocforge profile</title>
<style>
:root{color-scheme:light dark;--bg:#fbfbfd;--card:#fff;--ink:#1b1d22;--soft:#5d6470;--line:#dfe2e8;
--accent:#2f5bd0;--bar:#eceff5;--warn:#b45309}
@media (prefers-color-scheme:dark){:root{--bg:#14161a;--card:#1c1f25;--ink:#e8eaee;--soft:#9aa3b2;
--line:#31363f;--accent:#8aa8ff;--bar:#272b33;--warn:#f5b454}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:22px;margin:0 0 2px}h2{font-size:17px;margin:0 0 10px}
p{margin:4px 0}.soft{color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;
margin-top:18px;overflow-x:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;
margin-top:18px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px}
.tile b{display:block;font-size:24px;font-weight:600;line-height:1.3}
.tile span{color:var(--soft);font-size:13px}
ol{margin:0;padding-left:22px}li{margin:6px 0}li b{font-weight:600}
canvas{width:100%;height:190px;display:block;cursor:grab}
svg{width:100%;min-width:720px;height:auto;display:block}
svg text{fill:var(--soft);font-size:12px}svg .ink{fill:var(--ink)}
.legend{display:flex;flex-wrap:wrap;gap:6px 16px;margin-top:8px;font-size:13px;color:var(--soft)}
.legend+p{margin-top:14px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:4px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
tr:last-child td{border-bottom:0}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:5px 12px;
align-items:center;font-size:13.5px}
.bars>div{white-space:nowrap}.track{background:var(--bar);border-radius:4px;height:15px;
position:relative}
.fill{border-radius:4px;height:15px;position:absolute;left:0;top:0;opacity:.4}
.ideal{border-radius:4px;height:15px;position:absolute;left:0;top:0}
.num{text-align:right;font-variant-numeric:tabular-nums;color:var(--soft)}
#tip{position:fixed;pointer-events:none;display:none;background:var(--ink);color:var(--bg);
padding:6px 10px;border-radius:6px;font-size:12.5px;line-height:1.4;max-width:340px;z-index:9}
button{font:inherit;font-size:13px;color:var(--ink);background:var(--bar);
border:1px solid var(--line);border-radius:6px;padding:2px 10px;margin-right:6px;cursor:pointer}
button.on{border-color:var(--accent);color:var(--accent)}
.warn{color:var(--warn)}
</style></head><body><main>
<h1>rocforge profile</h1>
<p id="what"></p><p class="soft" id="where"></p>
<div class="tiles" id="tiles"></div>
<section><h2>What holds it back most</h2><ol id="worst"></ol></section>
<section><h2>Time line</h2><p class="soft" id="linenote"></p>
<p><button data-z="2">zoom in</button><button data-z="0.5">zoom out</button>
<button data-z="0">all</button></p>
<canvas id="line"></canvas><div class="legend" id="legend"></div></section>
<section><h2>Roofline</h2><p class="soft">Each dot is a kind of op: its operations per byte, and how
many it does per second; the larger, the more time. On the sloped line it moves memory as fast as
this machine can, on the flat one it computes as fast. Hollow: prefill, filled: decode.</p>
<div id="roof"></div></section>
<section><h2>Ops</h2><p class="soft">Length: time. Solid: what the ceilings of this machine would
take. <button data-p="prefill">prefill</button><button data-p="decode">decode</button></p>
<div class="bars" id="bars"></div></section>
<section><h2>Memory over time</h2><p class="soft" id="heldnote"></p><div id="held"></div>
<div class="legend" id="heldlegend"></div><p class="soft" id="memnote"></p><div id="mem"></div>
</section>
<section><h2>Phases</h2><div id="phases"></div></section>
<section><h2>Load</h2><div id="load"></div></section>
<div id="tip"></div></main>
<script type="application/json" id="data">)PAGE";

const std::string_view kPageTail = R"PAGE(</script><script>
'use strict';
const D=JSON.parse(document.getElementById('data').textContent),$=id=>document.getElementById(id);
[D.timeline.spans,D.timeline.ops].forEach(l=>l.forEach(x=>{x[1]*=1e-7;x[2]*=1e-7}));
Object.values(D.memory).forEach(l=>l.forEach(x=>x[0]*=1e-7));
const esc=s=>String(s).replace(/[&<>"]/g,c=>({'&':'&amp;','<':'&lt;','>':'&gt;','"':'&quot;'}[c]));
const css=n=>getComputedStyle(document.documentElement).getPropertyValue(n).trim();
const COLORS=['#4c78e0','#e8862e','#2fa58a','#d65a6f','#9a63d8','#b8932f','#5aa33f','#c25ea8',
'#4aa3c7','#8a8f99'];
const opNames=[...new Set(D.kinds.map(k=>k.op))];
const color=op=>COLORS[opNames.indexOf(op)%COLORS.length]||COLORS[9];
const sig=v=>v>=100?v.toFixed(0):v>=10?v.toFixed(1):v.toFixed(2);
function rate(v,u){const p=['','k','M','G','T'];let i=0;while(v>=1000&&i<4){v/=1000;i++}
return sig(v)+' '+p[i]+u+'/s'}
function time(s){return!s?'0':s>=1?sig(s)+' s':s>=1e-3?sig(s*1e3)+' ms':sig(s*1e6)+' µs'}
function bytes(b){const p=['B','KiB','MiB','GiB'];let i=0;while(b>=1024&&i<3){b/=1024;i++}
return sig(b)+' '+p[i]}
function tip(e,html){const t=$('tip');if(!html){t.style.display='none';return}
t.innerHTML=html;t.style.display='block';
t.style.left=Math.max(6,Math.min(e.clientX+14,innerWidth-t.offsetWidth-8))+'px';
t.style.top=Math.max(6,Math.min(e.clientY+14,innerHeight-t.offsetHeight-8))+'px'}
const phase=n=>D.phases.find(p=>p.name===n)||{seconds:0,tokens:0,bytes:0};
$('what').textContent=D.model;
$('where').textContent=D.device+', KV cache '+D.kv+'. Ceilings: '+rate(D.read,'B')+' read, '+
rate(D.flops,'FLOP')+'.'+(D.interrupted?' Interrupted: what was measured until then.':'');
(function(){const pre=phase('prefill'),dec=phase('decode');
const t=[['prompt',pre.seconds?sig(pre.tokens/pre.seconds)+' tok/s':'-'],
['first token',D.first?time(D.first):'-'],
['text',dec.seconds?sig(dec.tokens/dec.seconds)+' tok/s':'-'],
['of memory bandwidth, decoding',dec.seconds&&D.read?sig(100*dec.bytes/dec.seconds/D.read)+' %':'-'],
['of the run explained',sig(100*D.covered)+' %']];
$('tiles').innerHTML=t.map(x=>`<div class="tile"><b>${esc(x[1])}</b><span>${x[0]}</span></div>`)
.join('')})();
$('worst').innerHTML=D.worst.map(w=>`<li><b>${esc(w.name)}</b> (${w.phase}): ${time(w.lost)} above
the ceiling, ${sig(100*w.share)} % of ${w.phase}<br><span class="soft">${esc(w.text)}</span></li>`)
.join('')||'<li>nothing was measured</li>';
/* time line */
(function(){const c=$('line'),T=D.timeline;let end=0;
T.spans.forEach(s=>end=Math.max(end,s[1]+s[2]));let from=0,to=end||1,boxes=[];
$('linenote').textContent=T.shown<T.total?`The ops of the first ${T.shown} of ${T.total} steps; `+
'drag to move, wheel or buttons to zoom.':'Drag to move, wheel or buttons to zoom.';
$('legend').innerHTML=opNames.map(o=>`<span><i style="background:${color(o)}"></i>${esc(o)}</span>`)
.join('');
const SP={prefill:'#5f6b80',decode:'#7c879b'};
function draw(){const r=devicePixelRatio||1,w=c.clientWidth,h=c.clientHeight;
c.width=w*r;c.height=h*r;const g=c.getContext('2d');g.scale(r,r);g.font='12px system-ui';
boxes=[];const X=t=>(t-from)/(to-from)*w,soft=css('--soft'),line=css('--line');
g.fillStyle=soft;const span=to-from;let step=Math.pow(10,Math.floor(Math.log10(span/5)));
if(span/step>12)step*=5;else if(span/step>6)step*=2;
for(let t=Math.ceil(from/step)*step;t<=to;t+=step){g.fillStyle=line;g.fillRect(X(t),18,1,h);
g.fillStyle=soft;g.fillText(time(t),Math.min(X(t)+3,w-50),12)}
const row=(items,y,hh,fill,name,info)=>{g.fillStyle=soft;g.fillText(name,2,y-5);let last=-9;
for(const it of items){const x=X(it[1]),xe=X(it[1]+it[2]);if(xe<0||x>w)continue;
if(xe-last<.35)continue;last=xe;const bw=Math.max(.6,xe-x-(xe-x>4?.6:0));g.fillStyle=fill(it);
g.fillRect(x,y,bw,hh);const label=info(it)[0];
if(xe-x>34){g.fillStyle='#fff';g.save();g.beginPath();g.rect(x,y,bw,hh);g.clip();
g.fillText(label,Math.max(x,0)+4,y+hh/2+4);g.restore()}
boxes.push([x,y,Math.max(3,xe-x),hh,it,info])}};
row(T.spans,42,34,s=>SP[s[0]]||'#a3662f','host',s=>[s[0],`<b>${s[0]}</b><br>${time(s[2])} from
${time(s[1])}`]);
row(T.ops,108,60,o=>color(D.kinds[o[0]].op),D.gpu?'GPU stream':'CPU team',o=>{const k=D.kinds[o[0]];
return[k.name,`<b>${esc(k.name)}</b> ${esc(k.types)}<br>${esc(k.op)} ${esc(k.weights)}<br>
${time(o[2])} from ${time(o[1])}`]})}
function zoom(f,at){if(!f){from=0;to=end||1}else{const m=from+(to-from)*at,n=(to-from)/f;
from=m-n*at;to=from+n}draw()}
document.querySelectorAll('[data-z]').forEach(b=>b.onclick=()=>zoom(+b.dataset.z,.5));
c.onwheel=e=>{e.preventDefault();zoom(e.deltaY<0?1.25:.8,e.offsetX/c.clientWidth)};
let drag=null;c.onpointerdown=e=>{drag=[e.clientX,from,to];c.setPointerCapture(e.pointerId)};
c.onpointerup=()=>drag=null;c.onpointerleave=()=>tip();
c.onpointermove=e=>{if(drag){const d=(e.clientX-drag[0])/c.clientWidth*(drag[2]-drag[1]);
from=drag[1]-d;to=drag[2]-d;draw();return}
for(let i=boxes.length-1;i>=0;i--){const b=boxes[i];if(e.offsetX>=b[0]&&e.offsetX<=b[0]+b[2]&&
e.offsetY>=b[1]&&e.offsetY<=b[1]+b[3]){tip(e,b[5](b[4])[1]);return}}tip()};
addEventListener('resize',draw);matchMedia('(prefers-color-scheme:dark)').onchange=draw;draw()})();
/* roofline */
(function(){const rows=D.rows.filter(r=>r.op&&r.ops>0&&r.seconds>0&&r.bytes>0);
if(!rows.length||!D.read||!D.flops){$('roof').textContent='No ops, or no ceilings.';return}
const W=1100,H=400,l=98,r=20,t=16,b=44,lg=Math.log10;
const xs=rows.map(q=>q.ops/q.bytes),ys=rows.map(q=>q.ops/q.seconds),ridge=D.flops/D.read;
const x0=Math.floor(lg(Math.min(...xs,ridge/10))),x1=Math.ceil(lg(Math.max(...xs,ridge*10)));
const y0=Math.floor(lg(Math.min(...ys))),y1=Math.ceil(lg(D.flops*1.05));
const X=v=>l+(lg(v)-x0)/(x1-x0)*(W-l-r),Y=v=>H-b-(lg(v)-y0)/(y1-y0)*(H-t-b);
let s=`<svg viewBox="0 0 ${W} ${H}" role="img" aria-label="roofline">`;
for(let i=x0;i<=x1;i++){s+=`<line x1="${X(10**i)}" x2="${X(10**i)}" y1="${t}" y2="${H-b}"
stroke="var(--line)"/><text x="${X(10**i)}" y="${H-b+18}" text-anchor="middle">${10**i>=1?
10**i:(10**i).toFixed(-i)}</text>`}
for(let i=y0;i<=y1;i++)s+=`<line x1="${l}" x2="${W-r}" y1="${Y(10**i)}" y2="${Y(10**i)}"
stroke="var(--line)"/><text x="${l-8}" y="${Y(10**i)+4}" text-anchor="end">${rate(10**i,'FLOP')}
</text>`;
s+=`<text x="${(l+W-r)/2}" y="${H-8}" text-anchor="middle">operations per byte of compulsory
traffic</text>`;
const yl=Math.max(10**y0,D.read*10**x0);
s+=`<polyline points="${X(yl/D.read)},${Y(yl)} ${X(ridge)},${Y(D.flops)} ${X(10**x1)},
${Y(D.flops)}" fill="none" stroke="var(--accent)" stroke-width="2"/>
<text class="ink" x="${X(10**x1)-6}" y="${Y(D.flops)-7}" text-anchor="end">${rate(D.flops,'FLOP')}
</text>`;
s+=`<text class="ink" x="${X(ridge)-12}" y="${Y(D.flops)-7}" text-anchor="end">${rate(D.read,'B')}
</text>`;
const most=Math.max(...rows.map(q=>q.seconds));
rows.forEach((q,i)=>{const dec=q.phase==='decode',R=4+9*Math.sqrt(q.seconds/most);
s+=`<circle data-i="${i}" cx="${X(xs[i])}" cy="${Y(ys[i])}" r="${R}" fill="${dec?color(q.op):
'none'}" fill-opacity=".8" stroke="${color(q.op)}" stroke-width="2" pointer-events="all"/>`});
$('roof').innerHTML=s+'</svg>';
$('roof').querySelectorAll('circle').forEach(c=>{const q=rows[c.dataset.i];
c.onpointermove=e=>tip(e,`<b>${esc(q.name)}</b> ${esc(q.types)}, ${q.phase}<br>
${time(q.seconds)}, ${rate(q.bytes/q.seconds,'B')}, ${rate(q.ops/q.seconds,'FLOP')}<br>
limit: ${q.limit}`);c.onpointerleave=()=>tip()})})();
/* bars */
(function(){function show(p){document.querySelectorAll('[data-p]').forEach(b=>
b.classList.toggle('on',b.dataset.p===p));const rows=D.rows.filter(r=>r.phase===p&&
r.seconds>0);const total=rows.reduce((a,r)=>a+r.seconds,0),most=Math.max(...rows.map(r=>r.seconds));
$('bars').innerHTML=rows.map(r=>{const ideal=r.op?Math.min(r.seconds,Math.max(r.memory,r.compute)):0;
const col=r.op?color(r.op):'var(--soft)';
return`<div>${esc(r.name)} <span class="soft">${esc(r.types||'')}</span></div>
<div class="track"><div class="fill" style="width:${100*r.seconds/most}%;background:${col}"></div>
<div class="ideal" style="width:${100*ideal/most}%;background:${col}"></div></div>
<div class="num">${time(r.seconds)} · ${sig(100*r.seconds/total)} %${r.op?' · '+r.limit:''}</div>`})
.join('')||'Nothing was measured.'}
document.querySelectorAll('[data-p]').forEach(b=>b.onclick=()=>show(b.dataset.p));
show(D.rows.some(r=>r.phase==='decode')?'decode':'prefill')})();
/* memory */
(function(){const M=D.memory,names=['weights','KV cache','activations','kernel scratch'],
cols=['#4c78e0','#2fa58a','#e8862e','#9a63d8'],last=M.held[M.held.length-1]||[0,0,0,0,0];
const end=Math.max(...[M.held,M.used,M.resident].map(l=>l.length?l[l.length-1][0]:0))||1;
/* layers: stacked areas, each point holds until the next; lines: [points, colour] */
function chart(id,label,layers,lines){const W=1100,H=200,l=80,r=20,t=12,b=30;
const sum=q=>q.slice(1).reduce((a,v)=>a+v,0);
const hi=1.1*Math.max(1,...layers.map(sum),...lines.flatMap(x=>x[0].map(q=>q[1])));
const X=v=>(l+v/end*(W-l-r)).toFixed(1),Y=v=>(H-b-v/hi*(H-t-b)).toFixed(1);
let s=`<svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${label}">`;
const up=2**Math.ceil(Math.log2(hi/5)),ten=10**Math.floor(Math.log10(end/5)),
right=ten*[1,2,5,10].find(q=>q*ten>=end/8);
for(let v=0;v<hi;v+=up)s+=`<line x1="${l}" x2="${W-r}" y1="${Y(v)}" y2="${Y(v)}"
stroke="var(--line)"/><text x="${l-8}" y="${+Y(v)+4}" text-anchor="end">${v?bytes(v):0}</text>`;
for(let i=0;i*right<=end;i++)s+=`<text x="${X(i*right)}" y="${H-8}" text-anchor="${i?'middle':
'start'}">${i?time(i*right):0}</text>`;
if(layers.length)for(let k=cols.length;k>0;k--){let p=`M${l},${H-b}`;layers.forEach((q,i)=>{
p+=`L${X(q[0])},${Y(i?sum(layers[i-1].slice(0,k+1)):0)}L${X(q[0])},${Y(sum(q.slice(0,k+1)))}`});
s+=`<path d="${p}L${X(end)},${Y(sum(layers[layers.length-1].slice(0,k+1)))}L${X(end)},${H-b}Z"
fill="${cols[k-1]}"/>`}
lines.forEach(x=>{s+=`<polyline points="${x[0].map(q=>X(q[0])+','+Y(q[1])).join(' ')}" fill="none"
stroke="${x[1]}" stroke-width="2"/>`});
const x=+X(D.runBegin),late=x>W-140;
$(id).innerHTML=s+`<line x1="${x}" x2="${x}" y1="${t}" y2="${H-b}" stroke="var(--ink)"
stroke-dasharray="4 4"/><text class="ink" x="${x+(late?-6:6)}" y="${t+10}"
text-anchor="${late?'end':'start'}">the run begins</text></svg>`}
$('heldnote').textContent='Held by the engine'+(D.gpu?' on the GPU':', of the file and of its own')+
'; constant once the run begins.'+(M.used.length?
' The line: in use on the GPU by all programs, as its driver says.':'');
$('heldlegend').innerHTML=names.map((n,i)=>`<span><i style="background:${cols[i]}"></i>${n}
${bytes(last[i+1])}</span>`).join('');
chart('held','memory of the engine',M.held,M.used.length?[[M.used,'var(--ink)']]:[]);
$('memnote').textContent='Resident memory of the process'+
(D.gpu?' on the host.':', with what was read of the mapped weights.');
if(M.resident.length>1)chart('mem','memory of the process',[],[[M.resident,'var(--accent)']])})();
/* tables */
$('phases').innerHTML='<table><tr><th>phase</th><th>calls</th><th>time</th><th>share</th>'+
'<th>tok/s</th><th>GB/s</th><th>GFLOP/s</th><th>'+(D.gpu?'kernels':'jobs')+'</th><th>graphs</th>'+
'<th>syncs</th><th>allocs</th></tr>'+D.phases.map(p=>`<tr><td>${p.name}</td><td>${p.calls}</td>
<td>${time(Math.max(0,p.seconds))}</td><td>${sig(100*Math.max(0,p.seconds)/D.run)} %</td>
<td>${p.tokens&&p.seconds?sig(p.tokens/p.seconds):'-'}</td>
<td>${p.bytes?sig(p.bytes/p.seconds/1e9):'-'}</td><td>${p.ops?sig(p.ops/p.seconds/1e9):'-'}</td>
<td>${p.kernels||'-'}</td><td>${p.graphs||'-'}</td><td>${p.syncs||'-'}</td>
<td>${p.allocs||'-'}</td></tr>`).join('')+'</table>';
$('load').innerHTML='<table><tr><th>part</th><th>time</th><th>share</th><th>bytes</th></tr>'+
D.load.map(p=>`<tr><td>${p.name}</td><td>${time(p.seconds)}</td><td>${sig(100*p.seconds/
(D.loadSeconds||1))} %</td><td>${p.bytes?bytes(p.bytes):'-'}</td></tr>`).join('')+'</table>';
</script></body></html>
)PAGE";

}  // namespace rocforge::apps
