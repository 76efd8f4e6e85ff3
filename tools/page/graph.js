// SPDX-License-Identifier: Apache-2.0
// The page of `sconce graph --format html`. The data come from a model and are never taken for HTML: everything is made
// by make() and draw(), which set texts and attributes.
'use strict';

const byId = id => document.getElementById(id);
const graphs = JSON.parse(byId('data').textContent).graphs;
const kPad = 14, kHead = 24;                      // around what is inside of an open group; its title
const kMostBoxes = 3000;                          // that "Open all" shows
let selected = null;                              // {graph, node | value | group}, each an object of the data
let hits = [], hit = -1;                          // [graph, node] that a search found; the current one

// ---- elements ----

function add(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === 'onclick') element.addEventListener('click', value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const make = (tag, properties, ...children) => add(document.createElement(tag), properties, children);
const draw = (tag, properties, ...children) =>
  add(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);

// ---- what the data say ----

function prepare(g, side) {
  g.side = side;
  g.section = document.querySelectorAll('.side')[side];
  g.values.forEach(v => { v.uses = []; });
  g.byName = new Map(g.values.map(v => [v.name, v]));
  g.groups.forEach(group => { group.count = group.changes = 0; });
  g.nodes.forEach((n, id) => {
    n.id = id;
    for (const i of new Set(n.in)) g.values[i].uses.push(n);
    for (const group of around(g, n.group)) {
      ++group.count;
      if (n.state) ++group.changes;
    }
    n.words = [n.kind, ...n.out.map(o => g.values[o].name), ...(n.attributes || []).map(a => a.join(' = ')), n.module || '',
               n.python || ''].join('\n').toLowerCase();
  });
  g.drawn = g.groups[0].size !== undefined && g.groups[0].boxes.length > 0;
}
// The group and those around it, from inside.
function around(g, id) {
  const r = [];
  for (; id !== undefined; id = g.groups[id].parent) r.push(g.groups[id]);
  return r;
}
// What a value that isn't drawn stands for: a constant's text, a list of them, an attribute of self.
function meaning(g, value, depth = 0) {
  const n = g.nodes[value.node];
  if (!n || !n.hidden) return '';
  const inner = () => n.in.map(i => meaning(g, g.values[i], depth + 1) || g.values[i].name).join(', ');
  if (depth > 8) return '...';
  if (n.kind === 'prim::Constant') return value.content || (n.attributes ? n.attributes[0][1] : 'None');
  if (n.kind === 'prim::GetAttr') return (meaning(g, g.values[n.in[0]], depth + 1) || 'self') + '.' + n.attributes[0][1].slice(1, -1);
  if (n.kind === 'prim::ListConstruct') return '[' + inner() + ']';
  if (n.kind === 'prim::TupleConstruct') return '(' + inner() + ')';
  return '';
}

// ---- the drawing: places ----

// Coordinates of a drawing move apart where groups in it are open. wanted: [from, to, length] of what grows; a function
// that maps old coordinates to new ones, so that each [from, to] is at least its length and nothing comes closer.
function stretch(wanted) {
  const pieces = [];
  for (const [from, to, length] of wanted.sort((a, b) => a[0] - b[0])) {
    const last = pieces[pieces.length - 1];
    if (last && from < last.to) {
      last.to = Math.max(last.to, to);
      last.all.push([from, to, length]);
    } else {
      pieces.push({from, to, all: [[from, to, length]]});
    }
  }
  for (const p of pieces)
    p.factor = Math.max(1, ...p.all.map(([from, to, length]) => length / (to - from)));
  return x => pieces.reduce(
    (moved, p) => moved + (Math.min(Math.max(x, p.from), p.to) - p.from) * (p.factor - 1), x);
}

const headWidth = box => 7.4 * (box.title + (box.note || '')).length + 46;
// Where everything of a group stands, and what is inside of its open groups.
function place(g, group) {
  const boxes = group.boxes.map(box => {
    const [x, y, w, h] = box.at;
    const of = g.groups[box.group];
    return {box, x, y, w, h, inside: of && of.open && of.size ? place(g, of) : null};
  });
  const open = boxes.filter(b => b.inside);
  const fx = stretch(open.map(b => [b.x - b.w / 2, b.x + b.w / 2, Math.max(b.w, headWidth(b.box), b.inside.w + 2 * kPad)]));
  const fy = stretch(open.map(b => [b.y - b.h / 2, b.y + b.h / 2, b.inside.h + kPad + kHead]));
  for (const b of boxes) {
    const [left, right, top, bottom] = [fx(b.x - b.w / 2), fx(b.x + b.w / 2), fy(b.y - b.h / 2), fy(b.y + b.h / 2)];
    if (b.inside) [b.w, b.h] = [right - left, bottom - top];
    [b.x, b.y] = [(left + right) / 2, (top + bottom) / 2];
  }
  const edges = group.edges.map(edge => {
    const from = boxes[edge.from], to = boxes[edge.to], path = edge.path.map((v, i) => i % 2 ? fy(v) : fx(v));
    const within = (x, b) => Math.min(Math.max(x, b.x - b.w / 2 + 4), b.x + b.w / 2 - 4);
    const end = path.length - 2;
    if (end > 0) {  // at the borders of its boxes, wherever these are now
      [path[0], path[1]] = [within(path[0], from), from.y + from.h / 2];
      [path[end], path[end + 1]] = [within(path[end], to), to.y - to.h / 2];
    }
    return {edge, path};
  });
  return {w: fx(group.size[0]), h: fy(group.size[1]), boxes, edges};
}

// ---- the drawing: elements ----

function drawGraph(g) {
  if (!g.drawn) return;
  g.elements = {node: new Map(), group: new Map(), edges: []};
  g.placed = place(g, g.groups[0]);
  g.layer.replaceChildren();
  drawInside(g, g.layer, g.placed, 0, 0);
  mark(g);
}
function drawInside(g, layer, placed, dx, dy) {
  for (const {edge, path} of placed.edges) {
    const p = path.map((v, i) => (v + (i % 2 ? dy : dx)).toFixed(1));
    const curve = `M${p[0]} ${p[1]}` + (p.length > 2 ? 'C' + p.slice(2).join(' ') : '');
    const names = edge.values.map(i => g.values[i].name + ' : ' + g.values[i].type).join('\n');
    const element = draw('g', {class: 'edge'}, draw('title', {}, names), draw('path', {class: 'reach', d: curve}),
                         draw('path', {d: curve, 'marker-end': `url(#arrow-${g.side})`}));
    element.target = {graph: g, value: g.values[edge.values[0]]};
    g.elements.edges.push([edge, element]);
    layer.append(element);
  }
  for (const b of placed.boxes) drawBox(g, layer, b, b.x + dx, b.y + dy);
}
function drawBox(g, layer, b, x, y) {
  const {box, w, h, inside} = b, left = x - w / 2, top = y - h / 2;
  const group = g.groups[box.group], node = g.nodes[group ? group.node : box.node], values = box.inputs || box.outputs;
  const state = node && node.state || (group && group.changes ? 'inner-change' : '');
  const kind = group ? (inside ? 'group open' : 'group') : values ? 'port' : 'node';
  const element = draw('g', {class: `box ${kind} ${state}`},
                       draw('rect', {x: left, y: top, width: w, height: h, rx: values ? 11 : 5}));
  element.target = values ? {graph: g, value: g.values[values[0]]} : group ? {graph: g, group} : {graph: g, node};
  const text = (x, y, cls, ...s) => element.append(draw('text', {x, y, class: cls}, ...s));
  if (group) {
    const sign = draw('g', {class: 'sign'}, draw('title', {}, inside ? 'close' : 'open'),
                      draw('circle', {cx: left + 14, cy: top + 13, r: 8}),
                      draw('path', {d: `M${left + 10} ${top + 13}h8` + (inside ? '' : 'm-4 -4v8')}));
    sign.group = group;
    element.append(sign);
  }
  if (inside) {
    text(left + 28, top + 17, 'title start', box.title, draw('tspan', {class: 'note', dx: 8}, box.note || ''));
    layer.append(element);
    drawInside(g, layer, inside, left + (w - inside.w) / 2, top + kHead + (h - kHead - kPad - inside.h) / 2);
  } else {
    const middle = group ? x + 10 : x;
    text(middle, box.note ? y - 3 : y + 4, 'title', box.title);
    if (box.note) text(middle, y + 13, 'note', box.note);
    layer.append(element);
  }
  if (group) g.elements.group.set(group, element);
  if (node) g.elements.node.set(node, element);
}

// Classes for what is selected and found.
function mark(g) {
  if (!g.drawn) return;
  for (const e of g.svg.querySelectorAll('.selected, .found, .near')) e.classList.remove('selected', 'found', 'near');
  for (const [graph, node] of hits) if (graph === g) (visibleElement(g, node) || e0).classList.add('found');
  const s = selectionIn(g);
  if (!s) return;
  const element = s.node ? visibleElement(g, s.node) : s.group ? g.elements.group.get(s.group) : null;
  if (element) element.classList.add('selected');
  const values = new Set(s.value ? [g.values.indexOf(s.value)] : s.node ? [...s.node.in, ...s.node.out] : []);
  for (const [edge, line] of g.elements.edges) if (edge.values.some(v => values.has(v))) line.classList.add('near');
}
const e0 = document.createElement('i');  // where there is no element to mark
// A node's box, or that of the closed group it is in.
function visibleElement(g, node) {
  if (node.group === undefined) return undefined;
  let element = g.elements.node.get(node);
  for (const group of around(g, node.group)) {
    if (element) break;
    element = g.elements.group.get(group);
  }
  return element;
}
// The selection as it concerns this graph: on the other side, what corresponds to it.
function selectionIn(g) {
  if (!selected || selected.graph === g) return selected;
  if (selected.node && selected.node.match !== undefined) return {graph: g, node: g.nodes[selected.node.match]};
  return null;
}

// ---- opening and closing ----

function boxesWhenOpen(g) {
  return g.groups.filter(group => around(g, group.parent).every(o => o.open) && group.open)
    .reduce((sum, group) => sum + group.boxes.length, 0);
}
function close(g) {
  for (const group of g.groups) group.open = false;
  g.groups[0].open = true;
}
// Level by level, while there are no more boxes than that.
function open(g, most) {
  close(g);
  const depth = new Map(g.groups.map((group, i) => [group, around(g, i).length]));
  for (let level = 2; level < 1000; ++level) {
    const next = g.groups.filter(group => depth.get(group) === level);
    if (!next.length) return;
    for (const group of next) group.open = true;
    if (boxesWhenOpen(g) <= most) continue;
    for (const group of next) group.open = false;
    return;
  }
}
// The group's sign stays where it is on the screen.
function toggle(g, group) {
  const at = () => {
    const r = g.elements.group.get(group).querySelector('.sign').getBoundingClientRect();
    return [r.x, r.y];
  };
  const [x, y] = at();
  group.open = !group.open;
  drawGraph(g);
  const [newX, newY] = at();
  g.view.x += x - newX;
  g.view.y += y - newY;
  applyView(g);
}

// ---- pan and zoom ----

function applyView(g) {
  const {x, y, scale} = g.view;
  g.layer.setAttribute('transform', `translate(${x} ${y}) scale(${scale})`);
}
function zoom(g, factor, x, y) {
  const {width, height} = g.svg.getBoundingClientRect(), v = g.view;
  [x, y] = [x ?? width / 2, y ?? height / 2];
  const scale = Math.min(Math.max(v.scale * factor, 0.02), 5);
  v.x = x - (x - v.x) * scale / v.scale;
  v.y = y - (y - v.y) * scale / v.scale;
  v.scale = scale;
  applyView(g);
}
// All of it, or from the top as much as can be read.
function fit(g, readable) {
  const {width, height} = g.svg.getBoundingClientRect();
  let scale = Math.min((width - 20) / g.placed.w, (height - 20) / g.placed.h, 1.2);
  if (readable) scale = Math.max(scale, 0.85);
  g.view = {scale, x: (width - g.placed.w * scale) / 2, y: readable ? 10 : (height - g.placed.h * scale) / 2};
  applyView(g);
}
// Moves the drawing so that the element is in sight.
function center(g, element) {
  if (!element) return;
  if (g.view.scale < 0.6) zoom(g, 0.8 / g.view.scale);
  const a = element.querySelector('rect').getBoundingClientRect(), b = g.svg.getBoundingClientRect();
  if (a.left > b.left && a.right < b.right && a.top > b.top && a.bottom < b.bottom) return;  // it is in sight
  g.view.x += b.x + b.width / 2 - (a.x + a.width / 2);
  g.view.y += b.y + b.height / 2 - (a.y + Math.min(a.height, b.height) / 2);
  applyView(g);
}
function listen(g) {
  const pointers = new Map();
  let moved = 0;
  const local = e => [e.clientX - g.svg.getBoundingClientRect().x, e.clientY - g.svg.getBoundingClientRect().y];
  const spread = () => {
    const [[ax, ay], [bx, by]] = pointers.values();
    return {distance: Math.hypot(ax - bx, ay - by), x: (ax + bx) / 2, y: (ay + by) / 2};
  };
  g.svg.addEventListener('wheel', e => {
    e.preventDefault();
    zoom(g, Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015)), ...local(e));
  }, {passive: false});
  g.svg.addEventListener('pointerdown', e => {
    if (!pointers.size) moved = 0;
    pointers.set(e.pointerId, local(e));
  });
  g.svg.addEventListener('pointermove', e => {
    if (!pointers.has(e.pointerId)) return;
    const before = pointers.size === 2 ? spread() : null, [x, y] = pointers.get(e.pointerId), [newX, newY] = local(e);
    pointers.set(e.pointerId, [newX, newY]);
    moved += Math.abs(newX - x) + Math.abs(newY - y);
    if (moved > 4) g.svg.setPointerCapture(e.pointerId);
    if (before) {
      const after = spread();
      zoom(g, after.distance / before.distance, after.x, after.y);
    }
    g.view.x += (newX - x) / pointers.size;
    g.view.y += (newY - y) / pointers.size;
    applyView(g);
  });
  for (const end of ['pointerup', 'pointercancel', 'pointerleave'])
    g.svg.addEventListener(end, e => pointers.delete(e.pointerId));
  g.svg.addEventListener('click', e => {
    if (moved > 4) return;
    const sign = e.target.closest('.sign'), box = e.target.closest('.box, .edge');
    if (sign) toggle(g, sign.group);
    else select(box ? box.target : null);
  });
  g.svg.addEventListener('dblclick', e => {
    const box = e.target.closest('.box');
    if (box && box.target.group && !e.target.closest('.sign')) toggle(g, box.target.group);
  });
}

// ---- the tree ----

function fillTree(g, list, group) {
  for (const box of group.boxes) {
    const inner = g.groups[box.group], node = g.nodes[inner ? inner.node : box.node];
    if (!inner && !node) continue;
    const name = make('button', {class: 'leaf', onclick: () => select(node ? {graph: g, node} : {graph: g, group: inner})},
                      make('b', {}, box.title), box.note ? ' ' + box.note : '', inner ? ` (${inner.count})` : '');
    const item = make('li', {class: node && node.state || (inner && inner.changes ? 'inner-change' : '')});
    if (node) g.items.node.set(node, item);
    list.append(item);
    if (!inner) {
      item.append(name);
      continue;
    }
    const inside = make('ul'), details = make('details', {}, make('summary', {}, name), inside);
    inner.fill = () => {  // once it is opened
      if (!inside.firstChild) fillTree(g, inside, inner);
      details.open = true;
    };
    details.addEventListener('toggle', () => details.open && inner.fill());
    g.items.group.set(inner, item);
    item.append(details);
  }
}

// ---- details ----

const link = (g, target, text) =>
  make('a', {href: '#', onclick: e => { e.preventDefault(); select({graph: g, ...target}); }}, text);
const nodeLink = (g, n) => link(g, {node: n}, n.kind + (n.out.length ? ' ' + g.values[n.out[0]].name : ''));
const separated = list => list.flatMap((e, i) => i ? [', ', e] : [e]);
function row(name, ...what) {
  return make('tr', {}, make('th', {}, name), make('td', {}, ...what));
}
function valueRow(g, name, id) {
  const v = g.values[id], text = meaning(g, v);
  return row(name, text ? make('code', {}, text) : '', text ? ' ' : '', link(g, {value: v}, v.name), ' ',
             make('span', {class: 'type'}, v.type), v.content && v.content !== text ? make('div', {}, v.content) : '');
}
function usesOf(g, v) {
  const most = 30, more = v.uses.length - most;
  return [...separated(v.uses.slice(0, most).map(n => nodeLink(g, n))), more > 0 ? ` and ${more} more` : ''];
}
function nodeDetails(g, n) {
  const schema = g.schemas[n.schema], parts = [make('h2', {}, n.kind)];
  if (n.state) parts.push(make('p', {class: 'state ' + n.state}, n.state));
  if (schema) parts.push(make('p', {}, make('code', {}, schema.text)));
  if (n.module) parts.push(make('p', {}, 'module ', make('b', {}, n.module)));
  const table = (title, rows) => rows.length && parts.push(make('h3', {}, title), make('table', {}, ...rows));
  table('Attributes', (n.attributes || []).map(([name, text]) => row(name, make('code', {}, text))));
  table('Inputs', n.in.map((i, k) => valueRow(g, schema && schema.arguments[k] || String(k), i)));
  table('Outputs', n.out.map((i, k) => valueRow(g, String(k), i)));
  for (const i of n.out)
    if (g.values[i].uses.length) parts.push(make('p', {}, g.values[i].name + ' is used by ', ...usesOf(g, g.values[i])));
  if (n.python) parts.push(make('h3', {}, 'Python'), make('p', {}, n.python));
  if (n.source) parts.push(sourceLines(g.sources[n.source[0]], n.source[1]));
  if (n.script) parts.push(make('h3', {}, 'TorchScript'), make('p', {}, n.script[0]), make('pre', {}, n.script[1]));
  return parts;
}
function sourceLines(source, at) {
  const lines = source.text.split('\n'), pre = make('pre', {class: 'source'});
  for (let i = Math.max(0, at - 3); i < Math.min(lines.length, at + 4); ++i)
    pre.append(make('span', {class: i === at ? 'here' : ''}, `${String(source.first + i).padStart(4)}  ${lines[i]}\n`));
  return pre;
}
function valueDetails(g, v) {
  const n = g.nodes[v.node], text = meaning(g, v), parts = [make('h2', {}, v.name)];
  const rows = [row('type', make('span', {class: 'type'}, v.type))];
  if (text) rows.push(row('is', make('code', {}, text)));
  if (v.content) rows.push(row('holds', v.content));
  rows.push(row('made by', n ? nodeLink(g, n) : 'what comes in'));
  rows.push(row('used by', ...(v.uses.length ? usesOf(g, v) : ['nothing but what is returned'])));
  return [...parts, make('table', {}, ...rows)];
}
function groupDetails(g, group) {
  const ports = which => group.boxes.flatMap(b => b[which] || []).map((i, k) => valueRow(g, String(k), i));
  const parts = [make('h2', {}, group.title), group.note ? make('p', {}, group.note) : '', make('p', {}, `${group.count} nodes` + (group.changes ? `, ${group.changes} of them differ` : ''))];
  if (group.size)
    parts.push(make('p', {}, make('button', {onclick: () => { toggle(g, group); select(selected); }}, group.open ? 'Close' : 'Open')));
  for (const [title, which] of [['Comes in', 'inputs'], ['Leaves', 'outputs']])
    if (ports(which).length) parts.push(make('h3', {}, title), make('table', {}, ...ports(which)));
  return parts;
}

// ---- selection and search ----

// show: bring it into sight, on both sides.
function select(target, show) {
  selected = target;
  const details = byId('details');
  details.scrollTop = 0;
  if (!target) details.replaceChildren(...help());
  else if (target.node) details.replaceChildren(...nodeDetails(target.graph, target.node));
  else if (target.value) details.replaceChildren(...valueDetails(target.graph, target.value));
  else details.replaceChildren(...groupDetails(target.graph, target.group));
  for (const g of graphs) {
    const s = selectionIn(g), away = show || (target && g !== target.graph);
    const node = s && (s.node || (s.value && g.nodes[s.value.node]));
    for (const e of g.section.querySelectorAll('.line.selected, li.selected')) e.classList.remove('selected');
    if (node) {
      const line = byId(`n${g.side}-${node.id}`);
      line.classList.add('selected');
      if (document.body.className === 'view-text') line.scrollIntoView({block: 'center', inline: 'nearest'});
      if (document.body.className === 'view-tree') showInTree(g, node);
      if (g.drawn && away) showInDrawing(g, node);
    }
    mark(g);
  }
}
// A node without a box is shown by the first that uses it.
function boxed(g, node, depth = 0) {
  if (node.group !== undefined || depth > 8) return node;
  for (const use of node.out.flatMap(o => g.values[o].uses)) {
    const found = boxed(g, use, depth + 1);
    if (found.group !== undefined) return found;
  }
  return node;
}
function showInDrawing(g, node) {
  const shown = boxed(g, node);
  if (shown.group === undefined) return;
  for (const group of around(g, shown.group)) group.open = true;
  drawGraph(g);
  if (document.body.className === 'view-drawing') center(g, g.elements.node.get(shown));
}
function showInTree(g, node) {
  const shown = boxed(g, node);
  for (const group of around(g, shown.group).reverse()) if (group.fill) group.fill();
  const item = g.items.node.get(shown);
  if (!item) return;
  item.classList.add('selected');
  item.scrollIntoView({block: 'nearest'});
}
function search(words) {
  words = words.trim().toLowerCase();
  hit = -1;
  const rank = n => (n.kind.toLowerCase().includes(words) ? 0 : 1) + (n.hidden ? 2 : 0);
  hits = words ? graphs.flatMap(g => g.nodes.filter(n => n.words.includes(words)).map(n => [g, n])) : [];
  hits.sort((a, b) => rank(a[1]) - rank(b[1]));
  byId('found').textContent = words ? `${hits.length} found` : '';
  graphs.forEach(mark);
}
function goTo(step) {
  if (!hits.length) return;
  hit = (hit + step + hits.length) % hits.length;
  byId('found').textContent = `${hit + 1} of ${hits.length}`;
  const [graph, node] = hits[hit];
  select({graph, node}, true);
}

// ---- the page ----

function show(view) {
  document.body.className = 'view-' + view;
  for (const name of ['drawing', 'tree', 'text']) byId('show-' + name).setAttribute('aria-pressed', name === view);
  for (const g of graphs) if (view === 'drawing' && g.drawn && !g.view) fit(g, true);
  if (selected) select(selected);
}
function help() {
  return [make('h2', {}, 'Details'),
          make('p', {}, 'Click a box, an arrow or a value. A group opens by its sign or a double click. Drag to move, turn the wheel or pinch to zoom.'),
          make('p', {}, 'Constants and parameters have no boxes: who uses them says what they are. Every node stands in the text.'),
          ...(graphs.length > 1 ? [make('p', {}, ...['removed', 'added', 'changed'].map(s => make('span', {class: 'state ' + s}, s)))] : [])];
}
function start() {
  graphs.forEach(prepare);
  for (const g of graphs) {
    const list = make('ul');
    g.items = {node: new Map(), group: new Map()};
    fillTree(g, list, g.groups[0]);
    g.section.querySelector('.tree').append(list);
    if (!g.drawn) continue;
    g.layer = draw('g');
    g.svg = draw('svg', {}, draw('defs', {}, draw('marker', {
      id: `arrow-${g.side}`, viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 8, markerHeight: 8,
      markerUnits: 'userSpaceOnUse', orient: 'auto'},
      draw('path', {d: 'M0 0L8 4L0 8z'}))), g.layer);
    g.section.querySelector('.drawing').append(g.svg);
    listen(g);
    open(g, g.section.clientWidth < 600 ? 40 : 80);
    drawGraph(g);
  }
  const drawn = graphs.filter(g => g.drawn);
  const click = (id, action) => byId(id).addEventListener('click', action);
  for (const view of ['drawing', 'tree', 'text']) click('show-' + view, () => show(view));
  click('next', () => goTo(1));
  click('previous', () => goTo(-1));
  click('larger', () => drawn.forEach(g => zoom(g, 1.3)));
  click('smaller', () => drawn.forEach(g => zoom(g, 1 / 1.3)));
  click('fit', () => drawn.forEach(g => fit(g)));
  click('open-all', () => drawn.forEach(g => { open(g, kMostBoxes); drawGraph(g); fit(g); }));
  click('close-all', () => drawn.forEach(g => { close(g); drawGraph(g); fit(g, true); }));
  byId('search').addEventListener('input', e => search(e.target.value));
  byId('search').addEventListener('keydown', e => { if (e.key === 'Enter') goTo(e.shiftKey ? -1 : 1); });
  document.addEventListener('keydown', e => {
    if (e.target === byId('search') || e.ctrlKey || e.metaKey || e.altKey) return;
    const action = {'+': () => drawn.forEach(g => zoom(g, 1.3)), '-': () => drawn.forEach(g => zoom(g, 1 / 1.3)),
                    '0': () => drawn.forEach(g => fit(g)), '/': () => byId('search').focus(), 'Escape': () => select(null)}[e.key];
    if (!action) return;
    e.preventDefault();
    action();
  });
  for (const g of graphs)
    g.section.querySelector('.text').addEventListener('click', e => {
      const value = e.target.closest('.value'), line = e.target.closest('.line');
      if (value && g.byName.has(value.textContent)) select({graph: g, value: g.byName.get(value.textContent)});
      else if (line) select({graph: g, node: g.nodes[line.id.split('-')[1]]});
    });
  byId('tools').hidden = false;
  if (!drawn.length) byId('show-drawing').disabled = true;
  byId('drawing-tools').hidden = !drawn.length;
  select(null);
  show(drawn.length ? 'drawing' : 'text');
}
start();
