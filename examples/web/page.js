// SPDX-License-Identifier: Apache-2.0
// The page around worker.js. What comes of a file is text here, never HTML.
'use strict';

const byId = id => document.getElementById(id);
const kSide = 224, kShorter = 256;                // of a picture: torchvision's usual crop and size before it
let worker = null, waiting = new Map(), number = 0;
let model = null, method = null;                  // what is open: {name, labels, methods}; one of its methods
let picture = {data: new Float32Array(3), height: 1, width: 1};

// ---- the worker ----

function start() {
  if (worker) worker.terminate();
  for (const {reject} of waiting.values()) reject(new Error('stopped'));
  waiting.clear();
  worker = new Worker('worker.js');
  worker.onmessage = ({data}) => {
    const call = waiting.get(data.number);
    waiting.delete(data.number);
    if (!call) return;
    if (data.ended !== undefined) {
      call.reject(new Error('The program ended: ' + data.ended));
      close();
      start();
    } else if (data.answer.error !== undefined) {
      call.reject(new Error(data.answer.error));
    } else {
      call.resolve(data.answer);
    }
  };
  worker.onerror = event => {
    event.preventDefault();
    const message = event.message || 'sconce_web.js or sconce_web.wasm can\'t be read; serve this folder over http';
    for (const {reject} of waiting.values()) reject(new Error(message));
    waiting.clear();
  };
  return ask('start', {}).then(answer => {
    byId('version').textContent = answer.version;
    if (!model && !waiting.size) say('Ready.');
  }, complain);
}
function ask(call, what) {
  return new Promise((resolve, reject) => {
    waiting.set(++number, {resolve, reject});
    worker.postMessage({number, call, what});
  });
}

// ---- what is shown ----

function say(text) { byId('status').textContent = text; }
function complain(error) {
  byId('error').textContent = error.message;
  byId('error').hidden = false;
  say('');
}
function busy(on) {
  byId('run').disabled = on;
  byId('stop').disabled = !on;
  if (on) byId('error').hidden = true;
}
function close() {
  model = method = null;
  byId('model').hidden = true;
}
function element(tag, text, properties) {
  const e = Object.assign(document.createElement(tag), properties || {});
  if (text !== undefined) e.textContent = text;
  return e;
}
function choose(m) {
  method = m;
  for (const b of byId('methods').children) b.setAttribute('aria-pressed', String(b.textContent === m.name));
  byId('signature').textContent = `${m.name}(${m.arguments.join(', ')})`;
  byId('inputs').value = m.guess;
  byId('result').hidden = true;
  showGraph();
}
function showGraph() { byId('graph').textContent = byId('inlined').checked ? method.inlined : method.graph; }
function showModel(name, answer) {
  model = {...answer, name, labels: answer.labels.split('\n').map(l => l.trim()).filter(l => l)};
  byId('name').textContent = name;
  byId('facts').textContent = `${answer.class}, ${answer.parameters.toLocaleString('en')} parameters`;
  byId('methods').replaceChildren(...answer.methods.map(m => {
    const b = element('button', m.name);
    b.addEventListener('click', () => choose(m));
    return b;
  }));
  byId('model').hidden = false;
  if (answer.methods.length) choose(answer.methods.find(m => m.name === 'forward') || answer.methods[0]);
}
function showAnswer(r) {
  byId('result').hidden = false;
  byId('time').textContent = `${r.milliseconds.toFixed(2)} ms`;
  byId('answer').textContent = r.answer;
  byId('printed').textContent = r.printed;
  byId('printed').hidden = !r.printed;
  byId('best').hidden = !r.best.length;
  byId('best').replaceChildren(...r.best.map(([place, share]) => {
    const row = element('tr');
    const bar = element('td');
    bar.append(element('meter', undefined, {value: share}));
    row.append(element('td', model.labels[place] || `class ${place}`), element('td', `${(100 * share).toFixed(1)} %`), bar);
    return row;
  }));
}

// ---- what a reader does ----

async function openFile(file) {
  busy(true);
  say(`Reading ${file.name} ...`);
  try {
    const data = await file.arrayBuffer();
    if (/^image\//.test(file.type)) {
      await takePicture(file);
      say(`${file.name} is the picture.`);
    } else if (model && /\.io\.pt$/.test(file.name)) {
      const r = await ask('compare', {data});
      say(`${file.name}: ${r.equal} of ${r.cases} recorded calls have the same answer; the largest difference is ${r.largest.toPrecision(2)}.`);
    } else {
      close();
      showModel(file.name, await ask('open', {data}));
      say(`${file.name} is open.`);
    }
  } catch (e) {
    complain(e);
  }
  busy(false);
}
async function takePicture(file) {
  const bitmap = await createImageBitmap(file);
  const scale = kShorter / Math.min(bitmap.width, bitmap.height);
  const canvas = element('canvas', undefined, {width: kSide, height: kSide});
  const at = length => (kSide - length * scale) / 2;
  const draw = canvas.getContext('2d');
  draw.imageSmoothingQuality = 'high';
  draw.drawImage(bitmap, at(bitmap.width), at(bitmap.height), bitmap.width * scale, bitmap.height * scale);
  const pixels = draw.getImageData(0, 0, kSide, kSide).data, n = kSide * kSide;
  picture = {data: new Float32Array(3 * n), height: kSide, width: kSide};
  for (let i = 0; i < n; ++i)
    for (let c = 0; c < 3; ++c) picture.data[c * n + i] = pixels[4 * i + c] / 255;
  byId('thumbnail').getContext('2d').drawImage(canvas, 0, 0, 64, 64);
  byId('picture').hidden = false;
  pictureInputs();
}
function pictureInputs() {
  const row = numbers => `torch.reshape(torch.tensor([${numbers}]), [1, 3, 1, 1])`;
  byId('inputs').value = byId('imagenet').checked ? `(picture - ${row('0.485, 0.456, 0.406')}) / ${row('0.229, 0.224, 0.225')}` : 'picture';
}
async function run() {
  if (!method) return;
  busy(true);
  say('Running ...');
  try {
    const inputs = byId('inputs').value;
    if (inputs.length > 20000) throw new Error('the inputs are longer than 20,000 characters');
    showAnswer(await ask('run', {method: method.name, inputs, picture: picture.data, height: picture.height, width: picture.width}));
    say('Done.');
  } catch (e) {
    complain(e);
  }
  busy(false);
}

byId('file').addEventListener('change', event => {
  const file = event.target.files[0];
  event.target.value = '';                        // so that the same file may be chosen again
  if (file) openFile(file);
});
for (const kind of ['dragover', 'dragleave', 'drop'])
  document.addEventListener(kind, event => {
    event.preventDefault();
    byId('drop').classList.toggle('over', kind === 'dragover');
    if (kind === 'drop' && event.dataTransfer.files.length) openFile(event.dataTransfer.files[0]);
  });
byId('run').addEventListener('click', run);
byId('stop').addEventListener('click', () => { close(); start(); });
byId('inlined').addEventListener('change', showGraph);
byId('imagenet').addEventListener('change', pictureInputs);
for (const b of byId('generators').children)
  b.addEventListener('click', () => {
    byId('inputs').value = byId('inputs').value.replace(/torch\.(randn|ones|zeros)\(/g, `torch.${b.dataset.generator}(`);
  });
start();
