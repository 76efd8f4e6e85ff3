// SPDX-License-Identifier: Apache-2.0
// The library runs here, beside the page: a model that takes long, or ends the program, ends this worker alone.
'use strict';

importScripts('sconce_web.js');

const said = [];                                  // what the program wrote before it ended
const ready = openSconce({print: line => said.push(line), printErr: line => said.push(line)});

// A copy in the program's memory.
function copied(sconce, data) {
  const at = sconce._malloc(Math.max(data.byteLength, 1));
  if (!at) throw new Error('out of memory');
  sconce.HEAPU8.set(new Uint8Array(data.buffer || data, data.byteOffset || 0, data.byteLength), at);
  return at;
}

const calls = {
  start: sconce => ({version: sconce.ccall('sconce_web_version', 'string', [], [])}),
  open(sconce, {data}) {
    const at = copied(sconce, data);
    const answer = sconce.ccall('sconce_web_open', 'string', ['number', 'number'], [at, data.byteLength]);
    sconce._free(at);
    return JSON.parse(answer);
  },
  run(sconce, {method, inputs, picture, height, width}) {
    const at = copied(sconce, picture);
    const answer = sconce.ccall('sconce_web_run', 'string', ['string', 'string', 'number', 'number', 'number'], [method, inputs, at, height, width]);
    sconce._free(at);
    return JSON.parse(answer);
  },
  compare(sconce, {data}) {
    sconce.FS.writeFile('/recorded', new Uint8Array(data));
    const answer = sconce.ccall('sconce_web_compare', 'string', ['string'], ['/recorded']);
    sconce.FS.unlink('/recorded');
    return JSON.parse(answer);
  },
};

onmessage = async ({data: {number, call, what}}) => {
  try {
    postMessage({number, answer: calls[call](await ready, what)});
  } catch (e) {
    postMessage({number, ended: [e && e.message || String(e), ...said.slice(-5)].join('\n')});
  }
};
